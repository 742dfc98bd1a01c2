"""What all kinds of fix need in order to be written into the source: the call they are about, names, new functions."""

from __future__ import annotations

import ast

from torch import nn

from shapelint.diagnostics import Edit, Location
from shapelint.fixes.editing import Source
from shapelint.fixes.flow import Function, is_local, source_of
from shapelint.tracing.record import Place

_LOST = "the call in forward was not found in a source file of the project"


class CannotEditError(Exception):
    """Why a change cannot be made in the source, in words."""


def call_of(place: Place | None) -> tuple[Source, ast.Call]:
    """The call that was executed at a place.

    Raises:
        CannotEditError: it is not in a file that could be edited.
    """
    source, found = evaluated_at(place)
    if not isinstance(found, ast.Call):
        raise CannotEditError(_LOST)
    return source, found


def evaluated_at(place: Place | None) -> tuple[Source, ast.expr | ast.AugAssign]:
    """The expression that was evaluated at a place, or the ``y += x``.

    Raises:
        CannotEditError: it is not in a file that could be edited.
    """
    location = place.location() if place is not None else None
    source = source_of(location.path) if location is not None else None
    found: ast.expr | ast.AugAssign | None = None
    if source is not None and location is not None:
        found = source.call_at(location) or source.expression_at(location) or _augmented(source, location)
    if source is None or found is None:
        raise CannotEditError(_LOST)
    return source, found


def _augmented(source: Source, place: Location) -> ast.AugAssign | None:
    wanted = place.line, place.column - 1, place.end_line, (place.end_column or 0) - 1
    nodes = (node for node in ast.walk(source.tree) if isinstance(node, ast.AugAssign))
    return next((n for n in nodes if wanted == (n.lineno, n.col_offset, n.end_lineno, n.end_col_offset)), None)


def functional(source: Source, at: ast.AST) -> tuple[str, list[Edit]]:
    """What ``torch.nn.functional`` is called at a place in a file, and the import that this needs."""
    known = _imported(source)
    for dotted, rest in (("torch.nn.functional", ""), ("torch.nn", ".functional"), ("torch", ".nn.functional")):
        if dotted in known and not is_local(source, at, known[dotted]):
            return known[dotted] + rest, []
    used = {node.id for node in ast.walk(source.tree) if isinstance(node, ast.Name)} | set(known.values())
    alias = next((name for name in ("F", "functional") if name not in used), "torch_functional")
    return alias, [source.importing("torch.nn.functional", alias)]


def tensor_type(source: Source) -> str | None:
    """What a file calls ``torch.Tensor``, for an annotation; None where it has no name for it."""
    known = _imported(source)
    if "torch.Tensor" in known:
        return known["torch.Tensor"]
    return f"{known['torch']}.Tensor" if "torch" in known else None


def _imported(source: Source) -> dict[str, str]:
    """What a file imports, and by which name."""
    known: dict[str, str] = {}
    for node in source.tree.body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            module = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
            for entry in node.names:
                name = entry.asname or (entry.name if module else entry.name.split(".")[0])
                known[f"{module}{entry.name}" if entry.asname or module else name] = name
    return known


def may_come_first(source: Source, statement: ast.AST, node: ast.expr) -> bool:
    """Whether an expression may be calculated before what stands left of it: of two ``skips.pop()`` none may."""
    outer = set(source.around(node))
    left = [
        other
        for other in ast.walk(statement)
        if isinstance(other, ast.expr)
        and (other.lineno, other.col_offset) < (node.lineno, node.col_offset)
        and other not in outer
    ]
    known = {"self", *(name.split(".")[0] for name in _imported(source).values())}
    calls = [call for part in (node, *left) for call in ast.walk(part) if isinstance(call, ast.Call)]
    if all(_root(call.func) in known for call in calls):
        return True  # layers and functions leave what they get alone
    return not (_names(node) & {name for other in left for name in _names(other)}) - known


def _names(node: ast.expr) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def _root(node: ast.expr) -> str:
    """The name that an attribute, an entry or a call starts from."""
    while isinstance(node, (ast.Attribute, ast.Subscript, ast.Call)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def in_sequential(model: nn.Module, layer: str) -> bool:
    """Whether it is an ``nn.Sequential`` that calls a layer."""
    parent = layer.rpartition(".")[0]
    return bool(layer) and isinstance(model.get_submodule(parent), nn.Sequential)


def wrapped(source: Source, node: ast.AST, before: str, after: str) -> list[Edit]:
    """A text before an expression and one behind it; what stands in it may be edited as well."""
    place = source.location(node)
    assert place.end_line is not None
    assert place.end_column is not None
    start = Location(place.path, place.line, place.column, place.line, place.column)
    end = Location(place.path, place.end_line, place.end_column, place.end_line, place.end_column)
    return [Edit(start, before), Edit(end, after)] if before else [Edit(end, after)]


def inserted(source: Source, line: int, text: str) -> Edit:
    """Lines before a line."""
    return Edit(Location(str(source.path), line, 1, line, 1), text)


def with_function(source: Source, node: ast.AST, name: str, text: str) -> tuple[str, list[Edit]]:
    """A function of a file's own, before the statement in which a node stands; the name by which it is called.

    Where the file has the very function already, that one is called, and where it has another one of this name, the
    new one is called otherwise.
    """
    outermost: ast.AST = node
    for outer in source.around(node):
        if not isinstance(outer, ast.Module):
            outermost = outer
    free = name
    while (known := _defined(source, free)) is not None:
        if isinstance(known, ast.FunctionDef) and ast.unparse(known) == ast.unparse(
            ast.parse(_renamed(text, name, free))
        ):
            return free, []
        free += "_"
    line = min([getattr(outermost, "lineno", 1), *(d.lineno for d in getattr(outermost, "decorator_list", []))])
    while line > 1 and source.lines[line - 2].startswith("#"):
        line -= 1  # a comment right above a class speaks of the class
    return free, [inserted(source, line, f"{_renamed(text, name, free)}\n\n")]


def _renamed(text: str, name: str, new: str) -> str:
    return text.replace(f"def {name}(", f"def {new}(", 1)


def _defined(source: Source, name: str) -> ast.stmt | None:
    """The statement by which a module defines a name."""
    for node in source.tree.body:
        if isinstance(node, (Function, ast.ClassDef)) and getattr(node, "name", "") == name:
            return node
        if name in {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}:
            return node
    return None


def dimensions(rank: int, node: ast.AST) -> tuple[str, ...]:
    """Names for the sizes of the last ``rank`` axes, that a function does not use yet."""
    plain = {1: ("length",), 2: ("height", "width"), 3: ("depth", "height", "width")}[rank]
    used = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
    used |= {n.arg for n in ast.walk(node) if isinstance(n, ast.arg)}
    return plain if not used & set(plain) else tuple(f"input_{name}" for name in plain)
