"""Whether a text with a size in it only tells a person something, or decides what a model does.

``raise ValueError(f"got {h}")`` is told its formula. ``self.tables[f"{h}x{w}"]`` is another table for every size, and a
formula finds none of them.
"""

from __future__ import annotations

import ast
import functools
import sys
from collections.abc import Iterator
from types import CodeType, FrameType

from shapelint.sizes import Undecided
from shapelint.tracing.loops.source import Span, source_of, span_of
from shapelint.tracing.places import is_internal

_LIBRARIES = frozenset({*sys.stdlib_module_names, "_pytest", "loguru", "rich"})

DECIDES = "what the model does may depend on a text with a size in it, which is another for each size"

_TELLING = ("assert", "check", "debug", "deprecat", "error", "exception", "fail", "info", "log", "print", "warn")
"""What is in the names of functions that are called to tell somebody something."""


def require_told(frame: FrameType) -> None:
    """Go on only if the text that a frame makes of a size is for people.

    Raises:
        Undecided: it may decide something.
    """
    if not is_told(frame):
        raise Undecided(DECIDES)


def is_told(frame: FrameType) -> bool:
    """Whether the text that a frame makes is for people."""
    return is_internal(frame.f_code) or _is_of_library(frame) or _is_told(frame.f_code, frame.f_lasti)


def _is_of_library(frame: FrameType) -> bool:
    """Whether a library words a text that it was given to tell: ``logging`` does, and pytest for what an assert saw."""
    return str(frame.f_globals.get("__name__")).partition(".")[0] in _LIBRARIES


@functools.lru_cache(maxsize=1024)
def _is_told(code: CodeType, instruction: int) -> bool:
    tree, shift = source_of(code)
    if tree is None:
        return False
    at = shifted(span_of(code, instruction), -shift)
    statement = statement_at(tree, at)
    return statement is not None and _tells(tree, statement, at)


def shifted(span: Span, lines: int) -> Span:
    """The same place, so many lines further down."""
    first, last, *columns = span
    return (None if first is None else first + lines, None if last is None else last + lines, columns[0], columns[1])


def statement_at(tree: ast.Module, at: Span) -> ast.stmt | None:
    """The innermost statement in which a place is."""
    around = [node for node in ast.walk(tree) if isinstance(node, ast.stmt) and holds(node, at)]
    # what is walked through last lies deepest
    return around[-1] if around else None


def holds(node: ast.stmt | ast.expr, at: Span) -> bool:
    """Whether a place is in a piece of source."""
    first, last, start, end = at
    if first is None or last is None or node.end_lineno is None or node.end_col_offset is None:
        return False
    if start is None or end is None:  # an interpreter that was told to keep no columns
        return node.lineno <= first and last <= node.end_lineno
    return (node.lineno, node.col_offset) <= (first, start) and (last, end) <= (node.end_lineno, node.end_col_offset)


def _tells(tree: ast.Module, statement: ast.stmt, at: Span) -> bool:
    """Whether a statement only hands on to people what is worded at a place in it."""
    if isinstance(statement, ast.Raise):
        return True
    if isinstance(statement, ast.Assert):
        return statement.msg is not None and holds(statement.msg, at)
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        return _is_telling(statement.value.func)
    if isinstance(statement, (ast.Assign, ast.AugAssign, ast.AnnAssign)):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        return all(isinstance(t, ast.Name) and _is_only_told(tree, t.id, statement) for t in targets)
    return False


def _is_telling(function: ast.expr) -> bool:
    name = (
        function.attr if isinstance(function, ast.Attribute) else function.id if isinstance(function, ast.Name) else ""
    )
    return any(part in name.lower() for part in _TELLING)


def _is_only_told(tree: ast.Module, name: str, but: ast.stmt) -> bool:
    """Whether all that is done with a variable, but by one statement, is to tell it."""
    for use in uses_of(tree, name):
        statement = statement_at(tree, _place_of(use))
        if statement is not but and not _adds_to(statement, name) and not is_told_at(tree, use):
            return False
    return True


def is_told_at(tree: ast.Module, use: ast.Name) -> bool:
    """Whether a variable is only told where it is read."""
    at = _place_of(use)
    statement = statement_at(tree, at)
    sets = isinstance(statement, (ast.Assign, ast.AugAssign, ast.AnnAssign))
    return statement is not None and not sets and _tells(tree, statement, at)


def _place_of(use: ast.Name) -> Span:
    return use.lineno, use.end_lineno, use.col_offset, use.end_col_offset


def _adds_to(statement: ast.stmt | None, name: str) -> bool:
    """``message += ...``"""
    return (
        isinstance(statement, ast.AugAssign) and isinstance(statement.target, ast.Name) and statement.target.id == name
    )


def uses_of(tree: ast.Module, name: str) -> Iterator[ast.Name]:
    """Where a variable is read."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load):
            yield node
