"""Piecewise sizes case by case: what no set expresses for all of them together, often one does for each.

A window that is 2 wide for large inputs and 3 for one odd size is piecewise; times another such size it is beyond
what a set can say. On a path that keeps to one case of each it is a plain number.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from shapelint.sizes import expr as ex
from shapelint.sizes.condition import Both, Comparison, Condition, Either, Member, Not, all_of, any_of, compare, negate
from shapelint.sizes.domain import Domain
from shapelint.sizes.expr import Expr
from shapelint.sizes.region import TooComplex


class Settling:
    """Formulas as they read for the sizes of one domain; remembered, as a path asks for the same ones again.

    Attributes:
        open: a case, or sign, that these sizes do not decide; the one to branch on.
    """

    def __init__(self, domain: Domain) -> None:
        self.domain = domain
        self.open: Condition | None = None
        self._known: dict[Expr, tuple[Expr, Condition | None]] = {}
        self._compared: dict[Expr, Expr] = {}

    def size(self, a: Expr) -> Expr:
        """The same size, where the domain decides which case of a piecewise part it is."""
        if not a.items or all(isinstance(term, ex.Symbol) for term, _ in a.items):
            return a
        known = self._known.get(a)
        if known is None:
            before, self.open = self.open, None
            settled = ex.constant(a.const)
            for term, coefficient in a.items:
                settled = ex.add(settled, ex.scale(self._term(term), coefficient))
            known = self._known[a] = settled, self.open
            self.open = before
        if self.open is None:  # a condition's truth would be a branch
            self.open = known[1]
        return known[0]

    def condition(self, condition: bool | Condition) -> bool | Condition:
        """The same condition, of sizes that are settled."""
        if isinstance(condition, Comparison):
            settled = self.size(condition.expr)
            if settled not in self._compared:
                self._compared[settled] = self._alike(settled)[0]
            return compare(self._compared[settled], condition.op)
        if isinstance(condition, Both):
            return all_of(*map(self.condition, condition.parts))
        if isinstance(condition, Either):
            return any_of(*map(self.condition, condition.parts))
        if isinstance(condition, Not):
            return negate(self.condition(condition.part))
        return condition

    def _alike(self, *sizes: Expr) -> list[Expr]:
        """Factors that are the same for these sizes, or multiples of one another, written alike: they cancel."""
        factors = {factor for a in sizes for term, _ in a.items for factor in _factors(term)}
        written: dict[Expr, Expr] = {}
        # those that grow least first: others are multiples of them
        for factor in sorted(factors, key=lambda f: (_growth(f), f.uid)):
            written[factor] = self._in_terms_of(factor, written)
        found = []
        for a in sizes:
            result = ex.constant(a.const)
            for term, coefficient in a.items:
                product = ex.multiply_all(written[factor] for factor in _factors(term))
                result = ex.add(result, ex.scale(product, coefficient))
            found.append(result)
        return found

    def _in_terms_of(self, factor: Expr, others: Iterable[Expr]) -> Expr:
        if not factor.affine:
            return factor
        low, high = self.domain.bounds(factor)
        if low is not None and low == high:
            return ex.constant(low)
        for other in others:
            if other.support != factor.support or not other.affine:
                continue
            times = _growth(factor) / _growth(other)
            multiple = ex.scale(other, int(times))
            if times.denominator == 1 and self._is_true(compare(ex.subtract(factor, multiple), "==")):
                return multiple
        return factor

    def _is_true(self, condition: bool | Condition) -> bool:
        try:
            return self.domain.status(condition) is True
        except TooComplex:
            return False  # they stay as they are

    def _term(self, term: ex.Term) -> Expr:
        if isinstance(term, ex.FloorDiv):
            return ex.floordiv(self.size(term.numerator), term.divisor)
        if isinstance(term, ex.Quotient):
            return ex.quotient(*self._alike(self.size(term.numerator), self.size(term.divisor)))
        if isinstance(term, ex.Product):
            return ex.multiply_all(map(self.size, term.factors))
        if isinstance(term, ex.Scaled):
            return ex.scaled(self.size(term.inner), term.factor)
        if isinstance(term, ex.Pos):
            inner = self.size(term.inner)
            sign = self._status(compare(inner, ">="))
            return ex.positive_part(inner) if sign is None else inner if sign else ex.constant(0)
        if isinstance(term, ex.Piece):
            return self._case(term)
        return _of(term)

    def _case(self, piece: ex.Piece) -> Expr:
        kept = []
        for where, value in piece.cases:
            status = self._status(Member(where))
            if status is True:
                return self.size(value)
            if status is None:
                kept.append((where, self.size(value)))
        return ex.piecewise(tuple(kept) or piece.cases)

    def _status(self, condition: bool | Condition) -> bool | None:
        if not isinstance(condition, Condition):
            return condition
        try:
            known = self.domain.status(condition)
        except TooComplex:
            return None  # it cannot be branched on either
        if known is None and self.open is None:
            self.open = condition
        return known


def _of(term: ex.Term) -> Expr:
    return ex.make([(term, 1)], 0)


def _factors(term: ex.Term) -> tuple[Expr, ...]:
    return term.factors if isinstance(term, ex.Product) else (_of(term),)


def _growth(factor: Expr) -> Fraction:
    """How a factor grows with its symbol, 1 where that is no fixed rate."""
    if "growth" not in factor.memo:
        factor.memo["growth"] = ex.slope(factor) or Fraction(1)
    known: Fraction = factor.memo["growth"]
    return known
