"""``shapelint show``: a model's layers, each with the size it returns as a formula of the input's size."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from shapelint.config import Configurations
from shapelint.diagnostics import Location
from shapelint.linting import Question, analyse_target, read_request, relative_location
from shapelint.loading.errors import BAD_INPUT, LoadError
from shapelint.loading.importing import imported
from shapelint.loading.paths import resolve
from shapelint.report.registry import Style
from shapelint.report.wording import paint

if TYPE_CHECKING:
    import torch

    from shapelint.api import Analysis
    from shapelint.loading.building import Built

_HEADINGS = ("name", "layer", "shape", "source")


def show_models(target: str, *, model: str | None = None, inputs: tuple[str, ...] = (), color: bool = False) -> str:
    """The tables of all models that a file, or one name in it, stands for.

    Raises:
        LoadError: there is no model, or it cannot be loaded.
    """
    requests = resolve(target)
    if len(requests) != 1:
        raise LoadError(BAD_INPUT, f"show takes one file or FILE:NAME, and {target} is a directory")
    question = Question(model, inputs, config=Configurations().of_file(requests[0].path))
    source = read_request(requests[0], question)
    if not source.targets:
        raise LoadError(BAD_INPUT, f"there is no model in {target}", Location(str(source.path), 1))
    style = Style(color=color)
    tables = []
    with imported(source.path) as module:
        for entry in source.targets:
            expression, rows = analyse_target(module, entry, source.path, question, _layers, _has_rows)
            tables.append("\n".join([paint(expression, style, bold=True), *_table(rows, style)]))
    return "\n\n".join(tables)


def _layers(built: Built, analysis: Analysis) -> tuple[str, list[tuple[str, ...]]]:
    return built.expression, list(_rows(analysis.graph, built.model))


def _has_rows(shown: tuple[str, list[tuple[str, ...]]]) -> bool:
    return len(shown[1]) > 1


def _rows(graph: torch.fx.Graph, model: torch.nn.Module) -> Iterator[tuple[str, ...]]:
    for node in graph.nodes:
        if node.op != "output" and node.target is not operator.getitem:
            yield str(node.name), _layer(node, model), shape_text(node.meta.get("shape")), _source(node)


def _layer(node: torch.fx.Node, model: torch.nn.Module) -> str:
    """``Conv2d at encoder.0`` for a layer, the function's name for a function."""
    if node.op == "call_module":
        return f"{type(model.get_submodule(str(node.target))).__name__} at {node.target}"
    if node.op == "placeholder":
        return "input"
    return str(getattr(node.target, "__name__", node.target))


def _source(node: torch.fx.Node) -> str:
    location = node.meta.get("location")
    return f"{relative_location(location).path}:{location.line}" if isinstance(location, Location) else ""


def shape_text(shape: Any) -> str:
    """``(N, 64, H // 2, W // 2)``; several outputs are listed."""
    if shape is None:
        return ""
    if isinstance(shape, list) or (isinstance(shape, tuple) and any(isinstance(part, tuple) for part in shape)):
        return ", ".join(shape_text(part) for part in shape)
    if isinstance(shape, dict):
        return ", ".join(f"{key}: {shape_text(part)}" for key, part in shape.items())
    return f"({', '.join(map(str, shape))})" if isinstance(shape, tuple) else str(shape)


def _table(rows: Sequence[tuple[str, ...]], style: Style) -> Iterator[str]:
    widths = [max(len(row[column]) for row in [_HEADINGS, *rows]) for column in range(len(_HEADINGS))]
    for number, row in enumerate([_HEADINGS, *rows]):
        cells = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        yield f"  {paint(cells, style, dim=number == 0)}"
