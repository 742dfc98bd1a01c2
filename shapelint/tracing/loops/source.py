"""What a loop's rounds hand on to one another, as far as its source shows."""

from __future__ import annotations

import ast
import functools
import inspect
import itertools
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import CodeType
from typing import Any

Span = tuple[int | None, int | None, int | None, int | None]
"""First line, last line, first column, last column."""


@dataclass(frozen=True, slots=True)
class Taker:
    """A call that gets a list as its first argument, and what is called there."""

    span: Span
    function: ast.expr


@dataclass(frozen=True, slots=True)
class Loop:
    """A loop, as its source shows it.

    Attributes:
        variable: what its items are called, if that is one name.
        own: local variables that every round sets before it looks at them: what they hold when it begins is no matter.
        filled: those of the others that are appended to.
        lasting: those that every round sets, of which the last round's may be looked at after the loop.
        is_comprehension: it makes a list, and is no statement.
        takers: the calls that use the list, at once or by way of a variable; none if it may be used otherwise too.
    """

    variable: str | None
    own: frozenset[str]
    filled: frozenset[str]
    lasting: frozenset[str]
    is_comprehension: bool = False
    takers: tuple[Taker, ...] = ()


@dataclass(frozen=True, slots=True)
class Test:
    """What a ``while`` loop asks before each of its rounds, which begin and end here.

    Attributes:
        loop: the loop, from one such question to the next.
        goes_on: the answer with which it goes on.
    """

    loop: Loop
    goes_on: bool


@functools.lru_cache(maxsize=1024)
def span_of(code: CodeType, instruction: int) -> Span:
    """Where in the source an instruction stands."""
    return next(itertools.islice(code.co_positions(), instruction // 2, None))


@functools.lru_cache(maxsize=256)
def loop_at(code: CodeType, span: Span) -> Loop | None:
    """The loop whose step to its next item is an instruction that stands at ``span``; ``None`` without the source."""
    tree, shift = source_of(code)
    nodes = list(ast.walk(tree)) if tree is not None else []
    found = [node for node in nodes if isinstance(node, ast.For) and _stands_at(_stepping(node), shift, span)]
    if len(found) == 1:
        assert tree is not None
        return _statement(found[0], code, tree)
    lists = [node for node in nodes if isinstance(node, ast.ListComp) and _span(_stepping(node), shift) == span]
    return _comprehension(lists[0], nodes, shift) if len(lists) == 1 else None


@functools.lru_cache(maxsize=256)
def test_at(code: CodeType, span: Span) -> Test | None:
    """The question at ``span`` that a ``while`` loop goes on or ends by, at its head or as ``if ...: break``."""
    tree, shift = source_of(code)
    loops = [node for node in ast.walk(tree) if isinstance(node, ast.While)] if tree is not None else []
    found = [(loop, test) for loop in loops for test in _tests(loop) if _span(test.asked, shift) == span]
    return _round_between(*found[0]) if len(found) == 1 else None


@dataclass(frozen=True, slots=True)
class _Asked:
    """An expression that ends a loop, the answer with which it does not, and its ``if`` in the loop's body, if any."""

    asked: ast.expr
    goes_on: bool
    position: int | None


def _tests(loop: ast.While) -> Iterator[_Asked]:
    yield from _alternatives(loop.test, True, ast.And, None)
    for position, statement in enumerate(loop.body):
        if isinstance(statement, ast.If) and isinstance(statement.body[-1], (ast.Break, ast.Return)):
            yield from () if statement.orelse else _alternatives(statement.test, False, ast.Or, position)


def _alternatives(asked: ast.expr, goes_on: bool, several: type[ast.boolop], position: int | None) -> Iterator[_Asked]:
    """The parts of a question, each of which can end the loop by itself."""
    parts = asked.values if isinstance(asked, ast.BoolOp) and isinstance(asked.op, several) else [asked]
    for part in parts:
        if isinstance(part, ast.UnaryOp) and isinstance(part.op, ast.Not):
            yield _Asked(part.operand, not goes_on, position)
        else:
            yield _Asked(part, goes_on, position)


def _round_between(loop: ast.While, test: _Asked) -> Test | None:
    seen = _Reading()
    own: set[str] = set()
    if test.position is None:
        seen.block(loop.body, own)
        # what is asked after a `continue` need not find what the rest of the body sets
        seen.read([loop.test], set() if _continues(loop) else own)
    elif not _continues(loop):
        seen.block(loop.body[test.position + 1 :], own)
        seen.read([loop.test], own)
        seen.block(loop.body[: test.position], own)
        asking = loop.body[test.position]
        assert isinstance(asking, ast.If)
        seen.read([asking.test], own)
    else:
        return None
    stored_first = frozenset(seen.stored - seen.early)
    # what a round leaves in its own variables counts as looked at later: it is not looked into what follows
    return Test(Loop(None, stored_first, _filled_in(loop.body) - stored_first, stored_first), test.goes_on)


def _continues(loop: ast.While) -> bool:
    return any(isinstance(node, ast.Continue) for statement in loop.body for node in ast.walk(statement))


@functools.lru_cache(maxsize=256)
def comprehension_at(code: CodeType, span: Span) -> Loop | None:
    """The list comprehension at ``span``."""
    tree, shift = source_of(code)
    nodes = list(ast.walk(tree)) if tree is not None else []
    lists = [node for node in nodes if isinstance(node, ast.ListComp) and _span(node, shift) == span]
    return _comprehension(lists[0], nodes, shift) if len(lists) == 1 else None


@functools.lru_cache(maxsize=256)
def only_shapes(code: CodeType, span: Span) -> bool:
    """Whether the call at ``span`` takes a generator expression that asks its items for their shapes alone."""
    tree, shift = source_of(code)
    nodes = list(ast.walk(tree)) if tree is not None else []
    calls = [n for n in nodes if isinstance(n, ast.Call) and _span(n, shift) == span and n.args]
    made = calls[0].args[0] if len(calls) == 1 else None
    if not isinstance(made, ast.GeneratorExp) or len(made.generators) > 1 or made.generators[0].ifs:
        return False
    items = {node.id for node in ast.walk(made.generators[0].target) if isinstance(node, ast.Name)}
    return _of_shapes(made.elt, items)


_SHAPES = frozenset({"shape", "ndim", "dtype"})
_ASKING = frozenset({"size", "dim", "numel", "nelement"})
_PLAIN = (ast.Constant, ast.Compare, ast.BinOp, ast.UnaryOp, ast.operator, ast.unaryop, ast.cmpop, ast.expr_context)


def _of_shapes(node: ast.AST, items: set[str]) -> bool:
    """Whether an expression has the same value for all items of a shape."""
    if isinstance(node, ast.Call) and not node.keywords:
        asked = node.func.value if isinstance(node.func, ast.Attribute) and node.func.attr in _ASKING else None
        if isinstance(node.func, ast.Name) and node.func.id == "len" and len(node.args) == 1:
            return _is_item(node.args[0], items) or _of_shapes(node.args[0], items)
        return asked is not None and _is_item(asked, items) and all(_of_shapes(each, items) for each in node.args)
    if isinstance(node, ast.Attribute):
        return (node.attr in _SHAPES and _is_item(node.value, items)) or _of_shapes(node.value, items)
    if isinstance(node, ast.Name):
        return node.id not in items
    if isinstance(node, ast.Subscript):
        return _of_shapes(node.value, items) and _of_shapes(node.slice, items)
    return isinstance(node, _PLAIN) and all(_of_shapes(each, items) for each in ast.iter_child_nodes(node))


def _is_item(node: ast.AST, items: set[str]) -> bool:
    return isinstance(node, ast.Name) and node.id in items


def _stepping(loop: ast.For | ast.ListComp) -> ast.stmt | ast.expr:
    """Where Python says it is while it takes a loop's next item."""
    if sys.version_info < (3, 13):
        return loop
    return loop.iter if isinstance(loop, ast.For) else loop.generators[0].iter


def _stands_at(node: ast.stmt | ast.expr, shift: int, span: Span) -> bool:
    own = _span(node, shift)
    # an interpreter that was told to keep no columns (-X no_debug_ranges) knows the first line alone
    return span == own or (span[2] is None and span[0] == own[0])


def _statement(loop: ast.For, code: CodeType, tree: ast.Module) -> Loop:
    seen = _Reading()
    own: set[str] = set()
    seen.assign(loop.target, own)
    seen.block(loop.body, own)
    stored_first = seen.stored - seen.early
    later = _Reading()
    for block in _blocks_after(loop, _body_around(loop, tree)):
        later.block(block, set())
    lasting = stored_first & later.early.union(code.co_cellvars)
    return Loop(_name(loop.target), frozenset(stored_first), _filled_in(loop.body) - stored_first, frozenset(lasting))


def _body_around(loop: ast.For, tree: ast.Module) -> list[ast.stmt]:
    """The statements of the function that a loop stands in."""
    bodies = [n.body for n in ast.walk(tree) if isinstance(n, _SCOPES) and _is_within(loop, n)]
    return bodies[-1] if bodies else tree.body


_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def _is_within(loop: ast.For, node: ast.AST) -> bool:
    return any(inner is loop for inner in ast.walk(node))


def _blocks_after(loop: ast.For, block: list[Any]) -> Iterator[list[ast.stmt]]:
    """What may run in a function after one of its loops: the rest of each block around it, loops around it again."""
    for position, statement in enumerate(block):
        if statement is loop:
            yield loop.orelse
            yield block[position + 1 :]
        elif _is_within(loop, statement):
            for _, part in ast.iter_fields(statement):
                yield from _blocks_after(loop, part) if isinstance(part, list) else ()
            if not isinstance(statement, (ast.If, ast.With)):
                yield [statement]
            yield block[position + 1 :]


def _comprehension(loop: ast.ListComp, nodes: list[ast.AST], shift: int) -> Loop | None:
    if len(loop.generators) > 1 or loop.generators[0].ifs:
        return None
    seen = _Reading()
    own: set[str] = set()
    seen.assign(loop.generators[0].target, own)
    seen.read([loop.elt], own)
    calls = [node for node in nodes if isinstance(node, ast.Call) and node.args]
    takers = {id(call.args[0]): Taker(_span(call, shift), call.func) for call in calls}
    return Loop(
        _name(loop.generators[0].target),
        frozenset(seen.stored - seen.early),
        frozenset(),
        frozenset(),
        is_comprehension=True,
        takers=_taken(loop, nodes, takers),
    )


def _name(target: ast.expr) -> str | None:
    return target.id if isinstance(target, ast.Name) else None


def _taken(made: ast.ListComp, nodes: list[ast.AST], takers: dict[int, Taker]) -> tuple[Taker, ...]:
    if id(made) in takers:
        return (takers[id(made)],)
    for node in nodes:
        if isinstance(node, ast.Assign) and node.value is made:
            return _users(node.targets, nodes, takers)
    return ()


def _users(targets: list[ast.expr], nodes: list[ast.AST], takers: dict[int, Taker]) -> tuple[Taker, ...]:
    """The calls that take a variable, if it is set once and every use is one of them."""
    if len(targets) != 1 or not isinstance(targets[0], ast.Name):
        return ()
    uses = [n for n in nodes if isinstance(n, ast.Name) and n.id == targets[0].id and n is not targets[0]]
    if all(id(use) in takers for use in uses):
        return tuple(takers[id(use)] for use in uses)
    return ()


def _span(node: ast.stmt | ast.expr, shift: int) -> Span:
    end = None if node.end_lineno is None else node.end_lineno + shift
    return (node.lineno + shift, end, node.col_offset, node.end_col_offset)


def _filled_in(body: list[ast.stmt]) -> frozenset[str]:
    return frozenset(name for statement in body for node in ast.walk(statement) for name in _filled(node))


def _filled(node: ast.AST) -> Iterator[str]:
    """The variable that is appended to here."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("append", "extend"):
        if isinstance(node.func.value, ast.Name):
            yield node.func.value.id
    elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
        yield node.target.id


@functools.lru_cache(maxsize=64)
def source_of(code: CodeType) -> tuple[ast.Module | None, int]:
    """A function's source, and what to add to its line numbers to have the file's."""
    try:
        lines, first = inspect.getsourcelines(code)
        # a method's own indentation needs a block around it
        tree = ast.parse("if True:\n" + "".join(lines) if lines[0][:1].isspace() else "\n" + "".join(lines))
    except (OSError, SyntaxError, IndexError):
        return None, 0  # code without its source, or a lambda in the middle of a line
    return tree, max(first, 1) - 2


class _Reading:
    """Names in the order in which statements read and set them.

    Attributes:
        stored: names that are set somewhere.
        early: names that may be read before they are set.
    """

    def __init__(self) -> None:
        self.stored: set[str] = set()
        self.early: set[str] = set()

    def block(self, statements: Iterable[ast.stmt], own: set[str]) -> bool:
        """Read statements; ``own`` are the names set so far, and grows. Whether the block's end is never reached."""
        return any(self._statement(statement, own) for statement in statements)

    def _statement(self, node: ast.stmt, own: set[str]) -> bool:
        if isinstance(node, (ast.Continue, ast.Break, ast.Return, ast.Raise)):
            self.read(ast.iter_child_nodes(node), own)
            return True
        if isinstance(node, ast.Assign):
            self.read([node.value], own)
            for target in node.targets:
                self.assign(target, own)
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            self.read([node.value], own)
            self.assign(node.target, own)
        elif isinstance(node, ast.AugAssign):
            self.read([node.value], own)
            self.read([_as_read(node.target)], own)
            self.assign(node.target, own)
        elif isinstance(node, ast.If):
            self.read([node.test], own)
            self._branches([node.body, node.orelse], own)
        elif isinstance(node, (ast.For, ast.While)):
            self.read([node.iter if isinstance(node, ast.For) else node.test], own)
            inner = own.copy()
            if isinstance(node, ast.For):
                self.assign(node.target, inner)
            self.block(node.body, inner)
            self.block(node.orelse, own.copy())
        elif isinstance(node, ast.With):
            for item in node.items:
                self.read([item.context_expr], own)
                if item.optional_vars is not None:
                    self.assign(item.optional_vars, own)
            # what a `with` suppresses ends its block early
            self.block(node.body, own.copy())
        else:
            # `try`, `match`, definitions and the rest: everything read there counts, nothing set there does
            self.read([node], own)
            self._stores(node)
        return False

    def _branches(self, blocks: list[list[ast.stmt]], own: set[str]) -> None:
        reached = []
        for block in blocks:
            inner = own.copy()
            if not self.block(block, inner):
                reached.append(inner)
        if reached:
            own |= set.intersection(*reached)

    def assign(self, target: ast.expr, own: set[str]) -> None:
        """Read what an assignment's target reads, and note the names that it sets."""
        if isinstance(target, ast.Name):
            own.add(target.id)
            self.stored.add(target.id)
        elif isinstance(target, (ast.Tuple, ast.List)):
            for element in target.elts:
                self.assign(element, own)
        elif isinstance(target, ast.Starred):
            self.assign(target.value, own)
        else:
            self.read([target], own)

    def read(self, nodes: Iterable[ast.AST], own: set[str]) -> None:
        """Note which names are read here before they are set."""
        for node in nodes:
            for name in ast.walk(node):
                if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Load) and name.id not in own:
                    self.early.add(name.id)
                elif isinstance(name, ast.NamedExpr):
                    self.stored.add(name.target.id)

    def _stores(self, node: ast.AST) -> None:
        self.stored |= {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


def _as_read(target: ast.expr) -> ast.expr:
    if isinstance(target, ast.Name):
        return ast.Name(id=target.id, ctx=ast.Load())
    return target
