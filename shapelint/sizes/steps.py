"""Functions that rise or fall with a size and take few values: ``int(math.log2(H))`` is 0 from 1 on, 1 from 2 on.

Where one value ends and the next begins is found by asking the function itself, so whatever rounding is in it is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from shapelint.sizes import condition as cond
from shapelint.sizes import expr as ex
from shapelint.sizes.condition import LARGEST_TENSOR, Condition
from shapelint.sizes.expr import Expr

Value = TypeVar("Value")

MAX_STEPS = 128
"""A function of a size with more values is not written case by case."""


def stepped(size: Expr, value: Callable[[int], int], least: int) -> Expr | None:
    """``value(size)`` case by case, ``None`` if these are too many or no set of sizes expresses them.

    Args:
        value: never falls with the number, or never rises.
        least: the size is no less than this.
    """
    steps = _steps(value, least) if size.affine else None
    if steps is None:
        return None
    ends = [at_least(size, start) for start, _ in steps[1:]]
    begins = [at_least(size, least), *ends]
    cases = [
        (cond.placed_of(cond.all_of(begin, cond.negate(end))), ex.constant(number))
        for begin, end, (_, number) in zip(begins, [*ends, False], steps, strict=True)
    ]
    return ex.piecewise(tuple(cases))


def holding(size: Expr, predicate: Callable[[int], bool], least: int) -> bool | Condition:
    """Where ``predicate(size)`` holds, which does from some number on, or up to it."""
    first = predicate(least)
    if predicate(LARGEST_TENSOR) == first:
        return first
    changed = at_least(size, _change(predicate, least))
    return cond.negate(changed) if first else changed


def at_least(size: Expr, number: int) -> bool | Condition:
    """``size >= number``"""
    return cond.compare(ex.add_constant(size, -number), ">=")


def _steps(value: Callable[[int], int], least: int) -> list[tuple[int, int]] | None:
    """The values in turn, each with the first number that has it."""
    steps = [(least, value(least))]
    last = value(LARGEST_TENSOR)
    while steps[-1][1] != last:
        if len(steps) == MAX_STEPS:
            return None
        start = _change(value, steps[-1][0])
        steps.append((start, value(start)))
    return steps


def _change(value: Callable[[int], Value], low: int) -> int:
    """The first number above ``low`` with another value; there is one."""
    before, high = value(low), LARGEST_TENSOR
    while high - low > 1:
        middle = (low + high) // 2
        if value(middle) == before:
            low = middle
        else:
            high = middle
    return high
