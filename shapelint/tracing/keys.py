"""Look-ups by a text with sizes in it: ``self.cache[f"{h}x{w}"]``.

A dict that holds no text which this one could be for any size on the path is surely missed, and one that holds the same
text of the same sizes is surely hit. All other look-ups are of another kind for some sizes.

A size in such a text is the number that stands for its formula (see ``texts``). Python words one size after the other,
and the first of them has to know whether the whole text is surely hit or missed: so the whole is worded here first.
"""

from __future__ import annotations

import ast
import functools
import linecache
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from types import CodeType, FrameType
from typing import Any

from torch import nn

from shapelint.sizes import Dim, Undecided, implied, possible
from shapelint.sizes.dim import of
from shapelint.sizes.expr import Expr
from shapelint.tracing import texts
from shapelint.tracing.loops.source import source_of, span_of
from shapelint.tracing.wording import DECIDES, holds, is_told_at, shifted, statement_at, uses_of

_NUMBER = re.compile(r"(\d+)")

_HARMLESS = (
    *(ast.Name, ast.Attribute, ast.Subscript, ast.Slice, ast.Constant, ast.JoinedStr, ast.FormattedValue, ast.Tuple),
    *(ast.List, ast.ListComp, ast.comprehension, ast.BinOp, ast.UnaryOp, ast.Call, ast.expr_context, ast.operator),
    *(ast.unaryop, ast.Starred, ast.GeneratorExp),
)
"""What a text may be worded with if it is to be worded twice."""

_WORDING = frozenset(
    {"str", "repr", "format", "list", "tuple", "int", "len", "map", "join", "size", "dim", "min", "max", "round"}
)
"""What it may call."""

_INNER = ("<genexpr>", "<listcomp>")
"""Frames within the one that has the source around them."""

_WITHIN_ITSELF = ("[...]", "(...)", "{...}")
"""What Python words for a list that it is wording already."""

_LOOKING_UP = frozenset({"get", "setdefault", "pop"})
_NOT_ITS_KEYS = _LOOKING_UP | {"values", "clear"}
_NOT_TEXTS = (int, float, tuple, frozenset, type, type(None))

Words = tuple[str, ...]
"""A text, split before and after each number in it: every second of these is a number."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """Where a text is looked up, as the source shows it.

    Attributes:
        text: all of it, as code.
        root, attributes: the dict: ``self``, and ``("cache",)``.
        kept: whether the text is kept in a variable first.
    """

    text: CodeType
    root: str
    attributes: tuple[str, ...]
    kept: bool


class Unwatched(BaseException):
    """A dict in which something is looked up is none that the analysis puts back, as it would if it began again.

    No ``Exception``, so that the model's own handlers let it through.
    """

    def __init__(self, table: dict[Any, Any]) -> None:
        super().__init__("a table of somebody's")
        self.table = table


@dataclass(slots=True)
class Keys:
    """The texts that have been looked up in one analysis.

    Attributes:
        is_watched: whether a dict is one that each path finds as it was at the beginning.
        sizes: the sizes that numbers in them stand for.
        kept: those that were kept in variables, with the dicts they are for.
        reading: whether a whole text is being worded, to see whether it is surely found.
    """

    is_watched: Callable[[dict[Any, Any]], bool]
    sizes: dict[str, Expr] = field(default_factory=dict)
    kept: list[tuple[dict[Any, Any], Words]] = field(default_factory=list)
    reading: bool = False

    def word(self, size: Dim, frame: FrameType) -> str | None:
        """A size in a text that a frame words, ``None`` if the text may decide anything but a sure look-up."""
        number = self._number(size)
        if self.reading or number is None:
            return number
        while frame.f_code.co_name in _INNER and frame.f_back is not None:
            frame = frame.f_back
        lookup = _lookup_at(frame.f_code, frame.f_lasti)
        table = None if lookup is None else _table(lookup, frame)
        if lookup is None or table is None:
            return None
        if not self.is_watched(table):
            if not lookup.attributes and lookup.root in frame.f_locals:
                return None  # nobody puts back what a path leaves in it, if it is not of that path only
            raise Unwatched(table)
        text = self._read(lookup.text, frame)
        words = None if text is None else self._words(text)
        if words is None or number not in words:
            return None
        others = [*map(self._key, table), *(known for of, known in self.kept if of is table)]
        found: set[str] = set()
        for other in others:
            same = None if other is None else self._is_same(words, other)
            if other is None or same is None:
                return None
            if same:
                found |= {b for a, b in zip(words, other, strict=True) if a == number}
        if lookup.kept:
            self.kept.append((table, words))
        return (found or {number}).pop() if len(found) < 2 else None

    def check(self) -> None:
        """What was put into a dict after a text was worded is no other text that this one could be.

        Raises:
            Undecided: it may be.
        """
        for table, words in self.kept:
            for key in table:
                other = self._key(key)
                if other is None or self._is_same(words, other) is None:
                    raise Undecided(DECIDES)

    def note_table(self, value: Any) -> None:
        """A module gets another dict, which may be one in which something is about to be looked up.

        Raises:
            Undecided: it holds something already.
        """
        if value and self.kept:
            raise Undecided(DECIDES)

    def _number(self, size: Dim) -> str | None:
        """The number that stands for a size, which must have no sign."""
        if not implied(size >= 0):
            return None
        number = str(texts.number_for(str(size.expr)))
        return number if self.sizes.setdefault(number, size.expr) is size.expr else None

    def _read(self, text: CodeType, frame: FrameType) -> str | None:
        # Python words nothing within itself, and one of these is being worded: it takes copies
        around = {name: _copied(value) for name, value in frame.f_locals.items()}
        self.reading = True
        try:
            # the model's own code, which is about to run as it stands
            found = eval(text, {**frame.f_globals, **around})  # noqa: S307
        finally:
            self.reading = False
        return None if type(found) is not str or any(cut in found for cut in _WITHIN_ITSELF) else found

    def _key(self, key: Any) -> Words | None:
        """A dict's key, ``None`` if it is not known what that is equal to."""
        if type(key) is str:
            return self._words(key)
        return ("",) if type(key) in _NOT_TEXTS else None

    def _words(self, text: str) -> Words | None:
        words = tuple(_NUMBER.split(text))
        # digits next to a size, or two sizes in a row, are another number
        return None if any(word not in self.sizes and texts.stands_in(word) for word in words[1::2]) else words

    def _is_same(self, a: Words, b: Words) -> bool | None:
        """Whether two texts are the same for all sizes on the path, or for none; ``None`` if that is not known."""
        if a == b:
            return True
        if a[::2] != b[::2]:
            return False
        pairs = list(zip(a[1::2], b[1::2], strict=True))
        if any(not self._may_equal(*pair) for pair in pairs):
            return False
        return True if all(implied(self._value(x) == self._value(y)) for x, y in pairs) else None

    def _may_equal(self, a: str, b: str) -> bool:
        if a == b:
            return True
        if any(word not in self.sizes and str(int(word)) != word for word in (a, b)):
            return False  # no size is worded "08"
        return possible(self._value(a) == self._value(b))

    def _value(self, word: str) -> Any:
        return of(self.sizes[word]) if word in self.sizes else int(word)


def _copied(value: Any) -> Any:
    return type(value)(map(_copied, value)) if type(value) in (list, tuple) else value


def _table(lookup: Lookup, frame: FrameType) -> dict[Any, Any] | None:
    """The dict that a frame is about to look something up in, found without running anything."""
    missing = object()
    value = frame.f_locals.get(lookup.root, frame.f_globals.get(lookup.root, missing))
    for name in lookup.attributes:
        if lookup.kept and not isinstance(value, nn.Module):
            return None  # nobody would see another dict take its place
        value = getattr(value, "__dict__", {}).get(name, missing)
    return value if type(value) is dict else None


@functools.lru_cache(maxsize=256)
def _lookup_at(code: CodeType, instruction: int) -> Lookup | None:
    """What the text that an instruction words part of is for, if it is for nothing but look-ups in one dict."""
    tree, shift = source_of(code)
    at = shifted(span_of(code, instruction), -shift)
    statement = None if tree is None else statement_at(tree, at)
    if tree is None or statement is None:
        return None
    around = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    text = _text_at(statement, at)
    if text is None or not all(isinstance(node, _HARMLESS) and _is_harmless(node) for node in ast.walk(text)):
        return None
    table, kept = _looked_up_in(text, around), False
    if table is None and isinstance(statement, ast.Assign) and statement.value is text:
        table, kept = _kept_for(tree, statement, around), True
    names = None if table is None else _names(table)
    if table is None or names is None or (kept and _may_change(tree, set(names), statement, around)):
        return None
    if not _is_only_looked_into(code.co_filename, names[-1], is_attribute=isinstance(table, ast.Attribute)):
        return None
    return Lookup(compile(ast.Expression(text), "<text>", "eval"), names[0], tuple(names[1:]), kept)


@functools.lru_cache(maxsize=256)
def _is_only_looked_into(file: str, name: str, *, is_attribute: bool) -> bool:
    """Whether a file's code never goes through the keys of dicts of this name: they are no real texts."""
    try:
        tree = ast.parse("".join(linecache.getlines(file)))
    except SyntaxError:
        return False
    around = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    kind = ast.Attribute if is_attribute else ast.Name
    uses = [node for node in ast.walk(tree) if isinstance(node, kind) and _called(node) == name]
    declared = any(isinstance(node, (ast.Global, ast.Nonlocal)) and name in node.names for node in ast.walk(tree))
    return bool(uses) and not declared and all(_keeps_its_keys(node, around[node], around) for node in uses)


def _called(node: ast.AST) -> str | None:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else None


def _keeps_its_keys(node: ast.AST, user: ast.AST, around: dict[ast.AST, ast.AST]) -> bool:
    """Whether a use of a dict tells nobody what its keys are."""
    if isinstance(user, ast.Subscript):
        return user.value is node
    if isinstance(user, ast.Compare):
        return isinstance(user.ops[0], (ast.In, ast.NotIn)) and user.comparators == [node]
    if isinstance(user, ast.Attribute):
        called = around[user]
        return user.attr in _NOT_ITS_KEYS and isinstance(called, ast.Call) and called.func is user
    if isinstance(user, ast.Call):
        return isinstance(user.func, ast.Name) and user.func.id == "len"
    return _sets(node) is not None


def _text_at(statement: ast.stmt, at: Any) -> ast.expr | None:
    """The outermost text that is worded at a place in a statement."""
    for node in ast.walk(statement):
        if isinstance(node, ast.expr) and holds(node, at) and _is_text(node):
            return node
    return None


def _is_text(node: ast.expr) -> bool:
    if isinstance(node, ast.Call):
        named = isinstance(node.func, ast.Name) and node.func.id in ("str", "repr", "format")
        return named or (isinstance(node.func, ast.Attribute) and node.func.attr in ("format", "join"))
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.Add) and (_is_text(node.left) or _is_text(node.right))
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _is_harmless(node: ast.AST) -> bool:
    """Whether nothing happens when it is run once more."""
    if not isinstance(node, ast.Call):
        return True
    called = node.func
    name = called.id if isinstance(called, ast.Name) else called.attr if isinstance(called, ast.Attribute) else ""
    return name in _WORDING


def _looked_up_in(text: ast.expr, around: dict[ast.AST, ast.AST]) -> ast.expr | None:
    """The dict in which an expression is looked up there and then."""
    node = around.get(text)
    if isinstance(node, ast.Subscript) and node.slice is text:
        return node.value
    if isinstance(node, ast.Compare) and node.left is text and len(node.ops) == 1:
        return node.comparators[0] if isinstance(node.ops[0], (ast.In, ast.NotIn)) else None
    if isinstance(node, ast.Call) and node.args[:1] == [text] and isinstance(node.func, ast.Attribute):
        return node.func.value if node.func.attr in _LOOKING_UP else None
    return None


def _kept_for(tree: ast.Module, statement: ast.Assign, around: dict[ast.AST, ast.AST]) -> ast.expr | None:
    """The one dict in which a variable is looked up, if that is all that is done with it but to tell it."""
    if len(statement.targets) != 1 or not isinstance(statement.targets[0], ast.Name):
        return None
    found: dict[str, ast.expr] = {}
    for use in uses_of(tree, statement.targets[0].id):
        if not is_told_at(tree, use):
            table = _looked_up_in(use, around)
            if table is None:
                return None
            found[ast.unparse(table)] = table
    return next(iter(found.values())) if len(found) == 1 else None


def _names(table: ast.expr) -> list[str] | None:
    """``["self", "cache"]`` for ``self.cache``."""
    if isinstance(table, ast.Name):
        return [table.id]
    if not isinstance(table, ast.Attribute):
        return None
    inner = _names(table.value)
    return None if inner is None else [*inner, table.attr]


def _may_change(tree: ast.Module, names: set[str], kept: ast.stmt, around: dict[ast.AST, ast.AST]) -> bool:
    """Whether what a dict is called may be another dict after a statement."""
    sets = [node for node in ast.walk(tree) if _sets(node) in names]
    above: ast.AST | None = kept
    while above is not None:
        if isinstance(above, (ast.For, ast.While)):
            return bool(sets)
        above = around.get(above)
    return any(getattr(node, "lineno", 0) > kept.lineno for node in sets)


def _sets(node: ast.AST) -> str | None:
    """The variable or attribute that is set or deleted here."""
    if isinstance(node, (ast.Name, ast.Attribute)) and not isinstance(node.ctx, ast.Load):
        return node.id if isinstance(node, ast.Name) else node.attr
    return None
