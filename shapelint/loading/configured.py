"""Models that the configuration names, put in the place of what their file would have had analysed by itself."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from shapelint.config import ModelSettings
from shapelint.loading.discover import Kind, SourceFile, Target, read_named
from shapelint.loading.paths import locate_module, search_path
from shapelint.loading.symbols import Project


def with_configured(source: SourceFile, models: Sequence[ModelSettings], project: Project | None) -> SourceFile:
    """The file's models, with those that the configuration says how to make.

    A comment in the file speaks of it more closely than the configuration does, and wins.

    Raises:
        LoadError: a target names something that is not in the file.
    """
    for settings in models:
        if is_target(settings, source.path) and not _is_described(source, settings):
            source = _put(source, settings, project)
    return source


def as_configured(source: SourceFile, models: Sequence[ModelSettings], project: Project | None) -> SourceFile:
    """The models that were asked for by name alone, made as the configuration says.

    Raises:
        LoadError: as ``with_configured``.
    """
    names = {target.name for target in source.targets if target.kind is not Kind.EXPRESSION}
    for settings in models:
        if _called(settings.expression) in names and is_target(settings, source.path):
            source = _put(source, settings, project)
    return source


def _is_described(source: SourceFile, settings: ModelSettings) -> bool:
    """Does a comment in the file speak of the same model?"""
    name = _called(settings.expression)
    return any(target.named and _called(target.expression) == name for target in source.targets)


def is_target(settings: ModelSettings, path: Path) -> bool:
    """Does the entry speak of this file?"""
    if settings.file is not None:
        return settings.file.resolve() == path.resolve()
    if path.stem not in (settings.module.rpartition(".")[2], "__init__"):
        return False
    found = locate_module(settings.module, search_path(path))
    return found is not None and found.resolve() == path.resolve()


def _put(source: SourceFile, settings: ModelSettings, project: Project | None) -> SourceFile:
    name = _called(settings.expression)
    (target,) = read_named(source.path, settings.expression, project).targets
    target = replace(target, inputs=settings.inputs or None, sizes=settings.sizes or None)
    kept = [entry for entry in source.targets if entry.kind is Kind.EXPRESSION or entry.name != name]
    return replace(
        source,
        targets=tuple(sorted([*kept, target], key=_line)),
        skipped=tuple(entry for entry in source.skipped if entry.name != name),
    )


def _line(target: Target) -> tuple[int, int]:
    return target.location.line, target.location.column


def _called(expression: str) -> str:
    """``UNet`` of ``UNet(3)``."""
    tree = ast.parse(expression, mode="eval").body
    return ast.unparse(tree.func if isinstance(tree, ast.Call) else tree)
