"""Imports run one way: a package knows those below it, and none above."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import shapelint

ROOT = Path(shapelint.__file__).parent
LAYERS = ("sizes", "ops", "tracing", "network", "rules", "fixes", "report")
"""From the bottom to the top."""


def imported(tree: ast.AST) -> Iterator[str]:
    """The modules that a file imports when it is run, wherever in it."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from (entry.name for entry in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{entry.name}" for entry in node.names)
        else:
            yield from imported(node)


@pytest.mark.parametrize("layer", LAYERS)
def test_no_package_imports_one_above_it(layer: str) -> None:
    above = tuple(f"shapelint.{name}" for name in LAYERS[LAYERS.index(layer) + 1 :])
    files = sorted((ROOT / layer).rglob("*.py"))
    assert files
    for file in files:
        names = list(imported(ast.parse(file.read_text())))
        assert [name for name in names if name.startswith(above)] == [], file
