"""Conditions that no set expresses, over finitely many sizes: where each of them holds, point by point.

A network asks several things of the same few formulas, at the same points: what a formula comes to is computed for all
points at once, and kept.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from functools import lru_cache

from shapelint.sizes import expr as ex
from shapelint.sizes import region as rg
from shapelint.sizes.condition import Both, Comparison, Condition, Either, Not
from shapelint.sizes.expr import Expr
from shapelint.sizes.region import Placed, Region, TooComplex

MAX_POINTS = 20_000
"""A finite domain of at most this many points answers what no set expresses, point by point."""

_HOLDS = {"==": operator.eq, "!=": operator.ne, ">=": operator.ge}

Point = tuple[int, ...]


def where(here: Placed, condition: Condition) -> Region:
    """The sizes among these for which a condition holds.

    Raises:
        TooComplex: there are too many to go through.
    """
    points = here.region.points(MAX_POINTS)
    if points is None:
        raise TooComplex(f"{condition} is beyond what a set of sizes can express")
    holds = _table(here.region, here.support).holds(condition)
    kept = [point for point, holding in zip(points, holds, strict=True) if holding]
    dropped = [point for point, holding in zip(points, holds, strict=True) if not holding]
    if not dropped:
        return here.region
    if len(dropped) < len(kept):
        return here.region.subtract(rg.from_points(len(here.support), dropped))
    return rg.from_points(len(here.support), kept)


class _Table:
    """Values of formulas at some points, in the order of these."""

    def __init__(self, points: Sequence[Point], names: tuple[str, ...]) -> None:
        self._points = [rg.as_env(names, point) for point in points]
        self._symbols = dict(zip(names, zip(*points, strict=True), strict=False))
        self._known: dict[Expr, Sequence[int]] = {}

    def holds(self, condition: Condition) -> list[bool]:
        """Whether a condition holds, at each point."""
        try:
            return self._holds(condition)
        except (ArithmeticError, ValueError):
            # a part of it has no value where another one decides already
            return list(map(condition.evaluate, self._points))

    def _holds(self, condition: Condition) -> list[bool]:
        if isinstance(condition, Comparison):
            holds = _HOLDS[condition.op]
            return [holds(value, 0) for value in self._values(condition.expr)]
        if isinstance(condition, Not):
            return [not holding for holding in self._holds(condition.part)]
        if isinstance(condition, (Both, Either)):
            decide = all if isinstance(condition, Both) else any
            return list(map(decide, zip(*map(self._holds, condition.parts), strict=True)))
        return list(map(condition.evaluate, self._points))

    def _values(self, a: Expr) -> Sequence[int]:
        known = self._known.get(a)
        if known is None:
            known = [a.const] * len(self._points)
            for term, coefficient in a.items:
                known = [sum_ + coefficient * value for sum_, value in zip(known, self._of_term(term), strict=True)]
            self._known[a] = known
        return known

    def _of_term(self, term: ex.Term) -> Iterable[int]:
        if isinstance(term, ex.Symbol) and term.name in self._symbols:
            return self._symbols[term.name]
        if isinstance(term, ex.FloorDiv):
            return [value // term.divisor for value in self._values(term.numerator)]
        if isinstance(term, ex.Quotient):
            return map(operator.floordiv, self._values(term.numerator), self._values(term.divisor))
        if isinstance(term, ex.Product):
            values = self._values(term.factors[0])
            for factor in term.factors[1:]:
                values = list(map(operator.mul, values, self._values(factor)))
            return values
        return map(term.evaluate, self._points)


@lru_cache(maxsize=16)
def _table(region: Region, names: tuple[str, ...]) -> _Table:
    return _Table(region.points(MAX_POINTS) or (), names)
