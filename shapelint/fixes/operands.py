"""The feature maps that a merge takes, brought to one size right before it: resized, or cropped about their middle."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch.nn.functional as functional
from torch import nn

from shapelint.diagnostics import Edit
from shapelint.fixes import writing
from shapelint.fixes.changes import Rewrite, calls_replaced
from shapelint.fixes.editing import Source
from shapelint.fixes.writing import CannotEditError
from shapelint.network.graph import tensors_in

_OTHER_NAMES = ("other", "reference", "counterpart")
_PLAIN = (ast.Call, ast.BinOp, ast.keyword, ast.Tuple, ast.List)
_PLAIN_STATEMENTS = (ast.Return, ast.Assign, ast.AnnAssign, ast.Expr)
_NAMES = {1: ("start",), 2: ("top", "left"), 3: ("front", "top", "left")}


@dataclass(frozen=True, slots=True, eq=False)
class Refit(Rewrite):
    """Some operands of a merge in the size of another one; ``attribute`` is "resize" or "crop".

    Attributes:
        moved: which tensors are changed, counted among all that the call takes.
        like: which one's size they get.
        rank: the number of dimensions of all of them.
    """

    moved: tuple[int, ...] = ()
    like: int = 0
    rank: int = 4

    @property
    def axes(self) -> int:
        return self.rank - 2

    def tried(self, model: nn.Module) -> AbstractContextManager[None]:
        """While tracing, the merge gets the changed operands."""
        return calls_replaced(self.call, self._merge)

    def _merge(self, rule: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        found = list(tensors_in((args, kwargs)))
        if any(len(tensor.sizes) != self.rank for tensor in found):
            return rule(*args, **kwargs)
        like = found[self.like]
        new = {id(found[i]): self._changed(found[i], like) for i in self.moved}
        return rule(*_put(args, new), **_put(kwargs, new))

    def _changed(self, x: Any, like: Any) -> Any:
        wanted = tuple(like.shape)[2:]
        if self.attribute == "resize":
            return functional.interpolate(x, size=list(wanted))
        starts = [(own - size) // 2 for own, size in zip(tuple(x.shape)[2:], wanted, strict=True)]
        slices = [slice(start, start + size) for start, size in zip(starts, wanted, strict=True)]
        return x[(..., *slices)]

    def edits(self, model: nn.Module) -> Iterable[Edit]:
        """``F.interpolate(y, size=x.shape[-2:])`` or ``center_crop(y, x)`` in place of ``y``."""
        source, merge = writing.evaluated_at(self.call.place)
        operands = list(_operands(merge))
        if len(operands) <= max(*self.moved, self.like):
            raise CannotEditError("its operands are not written out at the call")
        wanted, named = _named(source, merge, operands[self.like])
        if self.attribute == "resize":
            name, new = writing.functional(source, merge)
        else:
            name, new = writing.with_function(source, merge, "center_crop", self._function(source))
        yield from (*new, *named)
        for position in self.moved:
            call, rest = (name, wanted)
            if self.attribute == "resize":
                call, rest = f"{name}.interpolate", f"size={wanted}.shape[-{self.axes}:]"
            if isinstance(merge, ast.AugAssign) and position == 0:
                yield _assigned(source, merge, f"{call}({source.code_of(merge.target)}, {rest})")
            else:
                yield from writing.wrapped(source, operands[position], f"{call}(", f", {rest})")

    def _function(self, source: Source) -> str:
        tensor = writing.tensor_type(source)
        kind, returned = (f": {tensor}", f" -> {tensor}") if tensor else ("", "")
        names = _NAMES[self.axes]
        axes = range(-self.axes, 0)
        starts = [f"    {n} = (x.shape[{a}] - like.shape[{a}]) // 2" for n, a in zip(names, axes, strict=True)]
        slices = [f"{n} : {n} + like.shape[{a}]" for n, a in zip(names, axes, strict=True)]
        which = ("last axis", "last two axes", "last three axes")[self.axes - 1]
        lines = [
            f"def center_crop(x{kind}, like{kind}){returned}:",
            f'    """The middle of x, with the size of the other tensor along the {which}."""',
            *starts,
            f"    return x[..., {', '.join(slices)}]",
        ]
        return "\n".join(lines) + "\n"


def _assigned(source: Source, statement: ast.AugAssign, value: str) -> Edit:
    """The variable of ``y += x`` with another value before."""
    before = source.adding_statement_before(statement, f"{source.code_of(statement.target)} = {value}")
    if before is None:
        raise CannotEditError("there is no place for a statement before it")
    return before


def _named(source: Source, merge: ast.expr | ast.AugAssign, operand: ast.expr) -> tuple[str, list[Edit]]:
    """An operand's name; one that is calculated there is given one, in a statement before that of the merge."""
    if not any(isinstance(node, (ast.Call, ast.BinOp)) for node in ast.walk(operand)):
        return source.code_of(operand), []
    around = [merge, *source.around(merge)]
    depth = next(i for i, node in enumerate(around) if isinstance(node, ast.stmt))
    statement = around[depth]
    used = {node.id for node in ast.walk(source.tree) if isinstance(node, ast.Name)}
    name = next((n for n in _OTHER_NAMES if n not in used), None)
    # within a lambda, a comprehension or a condition it is not always calculated, or not once
    plain = all(isinstance(node, _PLAIN) for node in around[:depth]) and writing.may_come_first(
        source, statement, operand
    )
    before = None
    if name and plain and isinstance(statement, _PLAIN_STATEMENTS):
        before = source.adding_statement_before(statement, f"{name} = {source.code_of(operand)}")
    if name is None or before is None:
        raise CannotEditError("the tensor whose size is wanted has no name at the call")
    return name, [before, source.replacing(operand, name)]


def _put(value: Any, new: dict[int, Any]) -> Any:
    """Nested arguments with other tensors in some places."""
    if isinstance(value, (list, tuple)):
        return type(value)(_put(entry, new) for entry in value)
    if isinstance(value, dict):
        return {key: _put(entry, new) for key, entry in value.items()}
    return new.get(id(value), value)


def _operands(merge: ast.expr | ast.AugAssign) -> Iterator[ast.expr]:
    if isinstance(merge, ast.AugAssign):
        yield from (merge.target, merge.value)
    elif isinstance(merge, ast.BinOp):
        yield from (merge.left, merge.right)
    elif isinstance(merge, ast.Call) and merge.args:
        first = merge.args[0]
        if isinstance(first, (ast.List, ast.Tuple)):
            yield from first.elts
        elif isinstance(merge.func, ast.Attribute) and len(merge.args) == 1:
            yield from (merge.func.value, first)  # x.add(y)
        else:
            yield from merge.args[:2]


def larger_ones(sizes: Sequence[Sequence[int]]) -> tuple[tuple[int, ...], int] | None:
    """Which operands are to be cropped and to which one's size; None where no one is the smallest along every axis."""
    least = [min(column) for column in zip(*sizes, strict=True)]
    smallest = next((i for i, own in enumerate(sizes) if list(own) == least), None)
    if smallest is None:
        return None
    return tuple(i for i, own in enumerate(sizes) if list(own) != least), smallest
