"""Products of sizes under a symbol of their own, where no set of their factors says what is asked of them.

``if h * w <= 32768`` chooses how attention is computed. With a symbol for ``h * w`` both outcomes can be followed, and
everything asked of the product after that is affine. The symbol is taken to be independent of ``h`` and ``w``, so that
more cases are followed than there are sizes for; at each size the product is computed, and counts. Where the outcomes
agree they join to sizes that the product does not restrict, and the symbol is gone.
"""

from __future__ import annotations

from shapelint.sizes import expr as ex
from shapelint.sizes import region as rg
from shapelint.sizes.expr import Expr
from shapelint.sizes.region import Placed, TooComplex


def free_symbol(name: str) -> Placed:
    """All that a product can be, or what contents decide."""
    return Placed((name,), rg.possible((name,)))


def named(a: Expr) -> Expr:
    """The same size, with the symbols of products in their place."""
    if a.affine:
        return a
    known: Expr | None = a.memo.get("named")
    if known is None:
        known = ex.constant(a.const)
        for term, coefficient in a.items:
            known = ex.add(known, ex.scale(_named_term(term), coefficient))
        a.memo["named"] = known
    return known


def _named_term(term: ex.Term) -> Expr:
    if isinstance(term, ex.Product) and all(sign_everywhere(factor) == 1 for factor in term.factors):
        return ex.product_symbol(ex.make([(term, 1)], 0))
    if isinstance(term, ex.FloorDiv):
        return ex.floordiv(named(term.numerator), term.divisor)
    if isinstance(term, ex.Pos):
        return ex.positive_part(named(term.inner))
    if isinstance(term, ex.Piece):
        return ex.piecewise(tuple((where, named(value)) for where, value in term.cases))
    return ex.make([(term, 1)], 0)


def sign_everywhere(a: Expr) -> int | None:
    """The sign of an expression, as :func:`sign` gives it; remembered, and ``None`` for what no set expresses."""
    if "sign" not in a.memo:
        a.memo["sign"] = _sign_of_named(a)
    known: int | None = a.memo["sign"]
    return known


def _sign_of_named(a: Expr) -> int | None:
    if a.affine:
        return sign(a)
    affine = named(a)
    try:
        return sign(affine) if affine.affine else None
    except TooComplex:
        return None  # not knowing it only costs a shorter formula


def sign(a: Expr) -> int | None:
    """1 where an affine ``a`` is never negative for sizes of at least 1, -1 where never positive, 0 where it is 0."""
    if not a.items:
        return (a.const > 0) - (a.const < 0)
    domain = rg.possible(a.support)
    if domain.is_subset(rg.region_where(a, ">=")):
        return 1
    if domain.is_subset(rg.region_where(ex.scale(a, -1), ">=")):
        return -1
    return None
