"""Models that the configuration names, put in the place of what their file would have had analysed by itself."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from shapelint.config import Config, ConfigError, ModelSettings, place_of
from shapelint.loading.discover import Kind, SourceFile, Target, read_named, unbound
from shapelint.loading.errors import LoadError
from shapelint.loading.paths import locate_module, search_path
from shapelint.loading.symbols import Project


def check_entries(config: Config, linted: Sequence[Path]) -> None:
    """Every entry of ``models`` must name something that is there, be it among the linted files or not.

    Raises:
        ConfigError: one does not; with the nearest name that does.
    """
    for position, settings in enumerate(config.models):
        file = settings.file or _file_of(config, settings, linted)
        wrong = f"module {settings.module}{_nearest_module(config, settings)}" if file is None else ""
        if file is not None and (missing := _missing_in(file, settings)):
            wrong = f"{missing[0]} in {settings.module}{missing[1]}"
        if wrong:
            raise ConfigError(f"models[{position}]: there is no {wrong}", place_of(config, settings.target))


def _file_of(config: Config, settings: ModelSettings, linted: Sequence[Path]) -> Path | None:
    """The file of an entry's module, looked for from the settings, and from the files that it may be."""
    assert config.path is not None
    found = locate_module(settings.module, search_path(config.path))
    return found or next((path for path in linted if is_target(settings, path)), None)


def _missing_in(file: Path, settings: ModelSettings) -> tuple[str, str] | None:
    """What an entry names that the file does not have, and the hint at what it may mean."""
    try:
        parsed = Project().open(file)
    except LoadError:
        return None  # the file's own check says what is wrong with it
    return unbound(parsed, _called(settings.expression).partition(".")[0])


def _nearest_module(config: Config, settings: ModelSettings) -> str:
    assert config.path is not None
    places = search_path(config.path)
    parts = settings.module.split(".")
    for length in range(len(parts) - 1, -1, -1):
        package = locate_module(".".join(parts[:length]), places) if length else None
        if package is None and length:
            continue
        beside = [package.parent] if package else places
        near = difflib.get_close_matches(parts[length], sorted(set(_modules_in(beside))), n=1)
        return f"; did you mean {'.'.join([*parts[:length], near[0], *parts[length + 1 :]])}?" if near else ""
    return ""


def _modules_in(places: Iterable[Path]) -> Iterator[str]:
    for place in places:
        for entry in place.iterdir():
            if entry.suffix == ".py" or (entry.is_dir() and entry.name.isidentifier()):
                yield entry.stem


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
