"""Whether the user's own code would catch an exception: an ``except`` that goes on, a ``with`` that swallows it.

Sizes that fail inside such a handler go on after it, so they must not be taken as refused.
"""

from __future__ import annotations

import ast
import contextlib
import dis
import functools
import linecache
import sys
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import CodeType, FrameType, FunctionType, MethodType
from typing import Any

from shapelint.tracing.loops.source import source_of
from shapelint.tracing.names import value_of
from shapelint.tracing.places import is_internal
from shapelint.tracing.record import Place

_JUMPS = frozenset({*dis.hasjrel, *dis.hasjabs})
_GOES_ELSEWHERE = frozenset(
    {"JUMP_FORWARD", "JUMP_BACKWARD", "JUMP_BACKWARD_NO_INTERRUPT", "RETURN_VALUE", "RETURN_CONST"}
)

DEEPEST = 4
"""A context manager is looked for behind so many functions that return one."""


@dataclass(frozen=True, slots=True)
class _Span:
    """Instructions whose exceptions come to a handler.

    Attributes:
        ends: an ``except`` deals with them and goes on.
        managers: the ``with`` statements that may, or items of them, as (line, last line, column, last column).
    """

    start: int
    end: int
    ends: bool
    managers: tuple[Any, ...]


def caught_above(entry: CodeType) -> Place | None:
    """Where on the stack a handler would end an exception raised now, up to where ``entry`` called the model.

    torch's own handlers raise again what they catch.
    """
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_code is not entry:
        code = frame.f_code
        # most functions handle nothing, which takes no looking up
        if code.co_exceptiontable and not is_internal(code) and _catches(frame):
            return Place(code, frame.f_lasti)
        frame = frame.f_back
    return None


def leads_on(entry: CodeType, kind: type[Exception] | None) -> bool:
    """Whether what an exception comes to that is raised now is told by the code of a ``try`` statement alone.

    Args:
        entry: what called the model.
        kind: the class of PyTorch's exception; ``None`` if that is not known, and any will have to do.
    """
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_code is not entry:
        code = frame.f_code
        if code.co_exceptiontable and not is_internal(code) and _catches(frame):
            spans = [span for span in _spans(code) if span.start <= frame.f_lasti < span.end]
            return not any(span.managers for span in spans) and _deals_with(frame, kind)
        frame = frame.f_back
    return False


_ANY = frozenset({"Exception", "BaseException"})


def _deals_with(frame: FrameType, kind: type[Exception] | None) -> bool:
    """Whether the ``try`` statements around where a frame is go by an exception's class alone."""
    tree, shift = source_of(frame.f_code)
    nodes = list(ast.walk(tree)) if tree is not None else []
    line = frame.f_lineno - shift
    around = [node for node in nodes if isinstance(node, ast.Try) and _is_in(node.body, line)]
    withs = [node for node in nodes if isinstance(node, ast.With) and _is_in(node.body, line)]
    found = {**frame.f_globals, **frame.f_locals} if withs else {}
    if any(_swallows(item.context_expr, found, DEEPEST) for node in withs for item in node.items):
        return False
    caught = [handler for node in around for handler in node.handlers]
    if not caught or any(node.finalbody for node in around) or not all(map(_forgets_it, caught)):
        return False
    return kind is RuntimeError or (len(caught) == 1 and _name(caught[0].type) in _ANY)


def _is_in(body: list[ast.stmt], line: int) -> bool:
    return body[0].lineno <= line <= (body[-1].end_lineno or 0)


def _forgets_it(handler: ast.ExceptHandler) -> bool:
    """Whether nothing is done with an exception, whose words are PyTorch's own, but to print it."""
    printed = {
        id(argument)
        for node in ast.walk(handler)
        if isinstance(node, ast.Call) and _name(node.func) == "print"
        for argument in node.args
    }
    uses = [node for node in ast.walk(handler) if isinstance(node, ast.Name) and node.id == handler.name]
    return all(id(use) in printed for use in uses)


def _name(expression: ast.expr | None) -> str:
    """A name as it is written; everything for an ``except`` without one."""
    if expression is None:
        return "BaseException"
    return expression.id if isinstance(expression, ast.Name) else ""


def _catches(frame: FrameType) -> bool:
    """Whether an exception raised where the frame is now would be dealt with there."""
    spans = [span for span in _spans(frame.f_code) if span.start <= frame.f_lasti < span.end]
    if any(span.ends for span in spans):
        return True
    found = {**frame.f_globals, **frame.f_locals} if any(span.managers for span in spans) else {}
    return any(_swallows_at(frame.f_code, at, found) for span in spans for at in span.managers)


@functools.lru_cache(maxsize=4096)
def _spans(code: CodeType) -> tuple[_Span, ...]:
    """Where in a function exceptions may end; a ``finally``, and an ``except`` that raises again, let them pass."""
    entries = getattr(dis, "_parse_exception_table")(code)  # noqa: B009 - the module has no public name for it
    if not entries:
        return ()
    instructions = list(dis.get_instructions(code))
    at = {instruction.offset: position for position, instruction in enumerate(instructions)}
    spans = (_Span(e.start, e.end, *_through(instructions, at, entries, e.target)) for e in entries)
    return tuple(span for span in spans if span.ends or span.managers)


def _through(
    instructions: list[dis.Instruction], at: dict[int, int], entries: list[Any], target: int
) -> tuple[bool, tuple[Any, ...]]:
    """Whether some way through a handler leaves it with the exception dealt with, and which ``with`` it passes."""
    waiting, seen = [target], set()
    managers: list[Any] = []
    while waiting:
        position = at[waiting.pop()]
        if position in seen or position >= len(instructions):
            continue
        seen.add(position)
        instruction = instructions[position]
        following = instructions[position + 1] if position + 1 < len(instructions) else None
        if instruction.opname == "POP_EXCEPT" and not (following and following.opname == "RERAISE"):
            return True, ()
        if instruction.opname == "WITH_EXCEPT_START":
            managers.append(instruction.positions)
        if instruction.opname in ("WITH_EXCEPT_START", "RERAISE", "RAISE_VARARGS"):
            # out of this handler; around it there may be another
            waiting += [e.target for e in entries if e.start <= instruction.offset < e.end]
            continue
        if instruction.opcode in _JUMPS:
            waiting.append(instruction.argval)
        if following and instruction.opname not in _GOES_ELSEWHERE:
            waiting.append(following.offset)
    return False, tuple(managers)


# --- context managers: what cannot be told is taken to swallow -----------------------------------------------


def _swallows_at(code: CodeType, position: Any, found: Mapping[str, Any]) -> bool:
    """Whether a context manager of the ``with`` statement there may swallow exceptions."""
    expressions = _expressions(code.co_filename, tuple(position))
    return not expressions or any(_swallows(expression, found, DEEPEST) for expression in expressions)


@functools.lru_cache(maxsize=1024)
def _expressions(file: str, position: tuple[int | None, ...]) -> tuple[ast.expr, ...]:
    """What is entered there, as it is written: by a ``with`` statement; from Python 3.13 on, by one item of it."""
    first, last, column, end_column = position
    if first is None or last is None or column is None or end_column is None:
        return ()
    lines = [linecache.getline(file, line).encode() for line in range(first, last + 1)]
    lines[-1] = lines[-1][:end_column]
    lines[0] = lines[0][column:]
    text = b"".join(lines).decode()
    for source in (text, f"({text})"):  # an item may go on in the next line within its statement's parentheses
        with contextlib.suppress(SyntaxError, IndexError):
            statement = ast.parse(source).body[0]
            if isinstance(statement, ast.With):
                return tuple(item.context_expr for item in statement.items)
            return (statement.value,) if isinstance(statement, ast.Expr) else ()
    return ()


def _swallows(expression: ast.expr, found: Mapping[str, Any], depth: int) -> bool:
    """Whether what an expression makes may swallow exceptions; ``found`` are the names it may use."""
    if isinstance(expression, ast.IfExp):
        return _swallows(expression.body, found, depth) or _swallows(expression.orelse, found, depth)
    is_call = isinstance(expression, ast.Call)
    target = expression.func if isinstance(expression, ast.Call) else expression
    try:
        value = value_of(target, found)
    except (LookupError, AttributeError):
        return True
    return _made_swallows(value, depth) if is_call else _class_swallows(type(value), value)


def _made_swallows(make: Any, depth: int) -> bool:
    """Whether the context managers that a callable makes may swallow exceptions."""
    while isinstance(make, functools.partial):
        make = make.func
    if isinstance(make, MethodType):
        if make.__name__ == "_recreate_cm":  # a context manager that is used as a decorator
            return _class_swallows(type(make.__self__), make.__self__)
        make = make.__func__
    if isinstance(make, type):
        return _class_swallows(make)
    if not isinstance(make, FunctionType) or not depth:
        return True
    if is_internal(make.__code__):
        return False
    generator = getattr(make, "__wrapped__", None)
    if make.__code__ is _MANAGER_CODE and isinstance(generator, FunctionType):
        return _generator_swallows(generator)
    returned = _returned(make.__code__)
    names = {**make.__globals__, **dict.fromkeys((*make.__code__.co_varnames, *make.__code__.co_freevars), _UNKNOWN)}
    return not returned or any(_swallows(expression, names, depth - 1) for expression in returned)


class _Unknown:
    """The value of a parameter or local variable that nobody knows: nothing is known of what it makes either."""

    __slots__ = ()


_UNKNOWN = _Unknown()


@contextlib.contextmanager
def _nothing() -> Iterator[None]:
    yield


_MANAGER_CODE = _nothing.__code__
"""The code of every function made by ``contextmanager``."""


def _returned(code: CodeType) -> tuple[ast.expr, ...]:
    """What a function may return, as it is written."""
    lines = linecache.getlines(code.co_filename)[code.co_firstlineno - 1 :]
    last = max(position[1] or 0 for position in code.co_positions())
    try:
        tree = ast.parse(textwrap.dedent("".join(lines[: last - code.co_firstlineno + 1])))
    except SyntaxError:
        return ()
    return tuple(node.value or ast.Constant(None) for node in ast.walk(tree) if isinstance(node, ast.Return))


def _class_swallows(kind: type, value: Any = None) -> bool:
    """Whether a class of context managers may swallow exceptions."""
    if kind is contextlib._GeneratorContextManager:
        generator = getattr(value, "func", None)
        return not isinstance(generator, FunctionType) or _generator_swallows(generator)
    leave = getattr(kind, "__exit__", None)
    if isinstance(leave, FunctionType):
        return not is_internal(leave.__code__) and not _returns_nothing(leave.__code__)
    return leave is None  # written in C: locks and files, none of which swallows anything


def _generator_swallows(generator: FunctionType) -> bool:
    """Whether a function under ``contextmanager`` deals with what is raised where it yields."""
    code = generator.__code__
    if is_internal(code):
        return False
    yields = [i.offset for i in dis.get_instructions(code) if i.opname == "YIELD_VALUE"]
    return any(span.start <= offset < span.end for span in _spans(code) for offset in yields)


@functools.lru_cache(maxsize=1024)
def _returns_nothing(code: CodeType) -> bool:
    """Whether every ``return`` is of None or False, so that exceptions go on."""
    instructions = list(dis.get_instructions(code))
    for before, instruction in zip([None, *instructions], instructions, strict=False):
        if instruction.opname == "RETURN_VALUE" and not (
            before is not None
            and before.opname == "LOAD_CONST"
            and not before.argval
            and not instruction.is_jump_target
        ):
            return False
        if instruction.opname == "RETURN_CONST" and instruction.argval:
            return False
    return True
