"""Notebooks as Python modules: their definitions, and where each line of them stands in its cell.

A notebook is a session, not a module: its cells load data and train. Only what a model may need is kept: imports,
classes, functions, and assignments that compute nothing but values and layers. Lines that are left out stay as empty
ones, and so do magics, so that a line of the module is a line of a cell.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

SUFFIX: Final = ".ipynb"
_MAGIC: Final = re.compile(r"^\s*([%!?]|\w[\w.]*\?\s*$)")
_ASSIGNED_MAGIC: Final = re.compile(r"^(\s*[\w, ]+=\s*)[%!].*$")
_STILL_PYTHON: Final = ("%%time", "%%timeit", "%%capture", "%%prun")
_OF_A_CELL: Final = re.compile(rf"(?P<path>.+{re.escape(SUFFIX)}):cell (?P<number>\d+)")
_LAYERS: Final = frozenset({"torch", "nn", "F"})
_HARMLESS: Final = frozenset(
    {"bool", "dict", "float", "frozenset", "int", "len", "list", "max", "min", "range", "set", "sorted", "str", "sum"}
    | {"tuple", "zip", "partial", "namedtuple", "dataclass", "super"}
)
_LOADING: Final = frozenset({"load", "hub", "save", "load_state_dict_from_url"})


@dataclass(frozen=True, slots=True)
class Cell:
    """A code cell.

    Attributes:
        number: as Jupyter numbers cells, of any kind: the first is 1.
        source: as written.
        code: the definitions in it, with as many lines.
    """

    number: int
    source: str
    code: str


class NotebookError(ValueError):
    """This is no notebook."""


def read_cells(data: bytes) -> tuple[Cell, ...]:
    """The code cells of a notebook file.

    Raises:
        NotebookError: it is none.
    """
    try:
        cells = json.loads(data)["cells"]
        sources = [
            (number, _text(cell["source"])) for number, cell in enumerate(cells, 1) if cell["cell_type"] == "code"
        ]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise NotebookError(f"this is not a Jupyter notebook: {type(error).__name__}: {error}") from error
    classes = frozenset(name for _, source in sources for name in _classes(_without_magics(source)))
    return tuple(Cell(number, source, _definitions(_without_magics(source), classes)) for number, source in sources)


def module_text(cells: Sequence[Cell]) -> str:
    return "".join(f"{cell.code}\n" for cell in cells)


def cell_at(cells: Sequence[Cell], line: int) -> tuple[int, int] | None:
    """The number of the cell that a line of the module comes from, and its first line in the module."""
    first = 1
    for cell in cells:
        following = first + cell.code.count("\n") + 1
        if line < following:
            return cell.number, first
        first = following
    return None


def is_notebook(path: str) -> bool:
    return path.endswith(SUFFIX) or split_cell(path) is not None


def split_cell(path: str) -> tuple[str, int] | None:
    """``net.ipynb:cell 3`` -> ("net.ipynb", 3)."""
    match = _OF_A_CELL.fullmatch(path)
    return (match["path"], int(match["number"])) if match else None


def _text(source: Any) -> str:
    text = source if isinstance(source, str) else "".join(source)
    return text.removesuffix("\n")


def _without_magics(source: str) -> str:
    lines = source.split("\n")
    head = lines[0].strip()
    if head.startswith("%%"):
        if not head.startswith(_STILL_PYTHON):
            return "\n" * (len(lines) - 1)
        lines[0] = ""
    return "\n".join(map(_without_magic, lines))


def _without_magic(line: str) -> str:
    if _MAGIC.match(line):
        return f"{line[: len(line) - len(line.lstrip())]}pass"
    return _ASSIGNED_MAGIC.sub(r"\1None", line)


def _classes(code: str) -> Iterator[str]:
    try:
        tree = ast.parse(code)
    except SyntaxError:
        return
    yield from (node.name for node in tree.body if isinstance(node, ast.ClassDef))


def _definitions(code: str, classes: frozenset[str]) -> str:
    """The cell with everything else left blank; a cell that is no Python as it is, so that its error is told."""
    try:
        tree = ast.parse(code)
    except SyntaxError:
        return code
    lines = code.split("\n")
    for node in tree.body:
        if not _is_kept(node, classes):
            assert node.end_lineno is not None
            lines[node.lineno - 1 : node.end_lineno] = [""] * (node.end_lineno - node.lineno + 1)
    return "\n".join(lines)


def _is_kept(node: ast.stmt, classes: frozenset[str]) -> bool:
    match node:
        case ast.Import() | ast.ImportFrom() | ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
            return True
        case ast.Try(body=body):
            return all(isinstance(part, ast.Import | ast.ImportFrom) for part in body)
        case ast.Assign(value=value) | ast.AnnAssign(value=ast.expr() as value):
            calls = [part.func for part in ast.walk(value) if isinstance(part, ast.Call)]
            return all(_is_harmless(callee, classes) for callee in calls)
    return False


def _is_harmless(callee: ast.expr, classes: frozenset[str]) -> bool:
    """Making layers, models of the notebook and plain values; methods of what these return."""
    names = set()
    while isinstance(callee, ast.Attribute | ast.Call):
        if isinstance(callee, ast.Attribute):
            names.add(callee.attr)
            callee = callee.value
        else:
            callee = callee.func
    if not isinstance(callee, ast.Name) or names & _LOADING:
        return False
    return callee.id in _LAYERS or callee.id in _HARMLESS or callee.id in classes
