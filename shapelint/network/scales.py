"""How fast a size grows with the input's: H // 16 is at scale 1/16 of H, whatever is added or rounded."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from shapelint.sizes import Dim
from shapelint.sizes import expr as ex
from shapelint.sizes.expr import Expr

_FINEST = 4096
"""Float scale factors are taken for the fraction with a denominator up to this one."""


def scale_of(size: Any) -> tuple[str, Fraction] | None:
    """The one symbol a size grows with, and how fast; ``None`` for a number, a product, or a mixture."""
    if not isinstance(size, Dim) or len(size.expr.support) != 1:
        return None
    known = size.expr.memo.get("scale")
    if known is None:
        rate = _rate(size.expr)
        known = size.expr.memo["scale"] = (rate,)
    assert isinstance(known, tuple)
    return (size.expr.support[0], known[0]) if known[0] else None


def _rate(formula: Expr) -> Fraction | None:
    total = Fraction(0)
    for term, coefficient in formula.items:
        rate = _term_rate(term)
        if rate is None:
            return None
        total += coefficient * rate
    return total


def _term_rate(term: ex.Term) -> Fraction | None:
    if isinstance(term, ex.Symbol):
        return Fraction(1)
    if isinstance(term, ex.FloorDiv):
        inner = _rate(term.numerator)
        return None if inner is None else inner / term.divisor
    if isinstance(term, ex.Pos):
        inner = _rate(term.inner)
        return None if inner is None else max(inner, Fraction(0))
    if isinstance(term, ex.Scaled):
        inner = _rate(term.inner)
        return None if inner is None else inner * Fraction(term.factor).limit_denominator(_FINEST)
    if isinstance(term, ex.Piece):
        return _piece_rate(term)
    return None


def _piece_rate(term: ex.Piece) -> Fraction | None:
    """The rate that all cases without a greatest size share."""
    endless = [value for where, value in term.cases if not where.region.is_finite()] or [v for _, v in term.cases]
    rates = {_rate(value) for value in endless}
    return rates.pop() if len(rates) == 1 else None
