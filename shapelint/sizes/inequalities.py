"""The one formula that is not negative exactly where a condition holds, if there is one."""

from __future__ import annotations

import islpy as isl

from shapelint.sizes import expr as ex
from shapelint.sizes.condition import Comparison, Condition
from shapelint.sizes.expr import Expr
from shapelint.sizes.region import Placed, TooComplex

_PLAIN = (ex.Symbol, ex.FloorDiv)


def inequality(condition: bool | Condition) -> Expr | None:
    """A formula that is 0 or more where the condition holds, and nowhere else; ``None`` if none is found."""
    if not isinstance(condition, Condition):
        return None
    if (
        isinstance(condition, Comparison)
        and condition.op == ">="
        and all(isinstance(term, _PLAIN) for term, _ in condition.expr.items)
    ):
        return condition.expr
    try:
        return _only_bound(condition.placed()) if not condition.assumptions() else None
    except TooComplex:
        return None  # no set of sizes expresses it


def _only_bound(placed: Placed) -> Expr | None:
    """The formula of a set that is bounded on one side only."""
    parts = placed.region.isl_set.coalesce().get_basic_sets()
    bounds = parts[0].get_constraints() if len(parts) == 1 and parts[0].dim(isl.dim_type.div) == 0 else []
    if len(bounds) != 1 or bounds[0].is_equality():
        return None
    numbers = [int(bounds[0].get_coefficient_val(isl.dim_type.set, at).to_str()) for at in range(placed.region.arity)]
    found = ex.constant(int(bounds[0].get_constant_val().to_str()))
    for name, number in zip(placed.support, numbers, strict=True):
        found = ex.add(found, ex.scale(ex.symbol(name), number))
    return found
