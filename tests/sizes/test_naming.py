"""Products under a symbol of their own: what no set of factors says is asked of the symbol, at each size exactly."""

from __future__ import annotations

import pytest

from shapelint.sizes import Domain, TooComplex
from shapelint.sizes.condition import Condition
from shapelint.sizes.dim import dim

LARGE = 32_768


def _at_most(number: int) -> Condition:
    condition = dim("H") * (dim("W") // 2) <= number
    assert isinstance(condition, Condition)
    return condition


def _named() -> Domain:
    named = Domain.positive(("H", "W")).naming_products(_at_most(LARGE))
    assert named is not None
    return named


def test_without_a_symbol_no_set_says_it() -> None:
    with pytest.raises(TooComplex):
        Domain.positive(("H", "W")).status(_at_most(LARGE))


def test_both_sides_of_a_branch_hold_the_sizes_they_should() -> None:
    few, many = _named().restrict(_at_most(LARGE)), _named().restrict(~_at_most(LARGE))
    for sizes in ({"H": 256, "W": 256}, {"H": 256, "W": 258}, {"H": 32_768, "W": 3}, {"H": 40_000, "W": 1}):
        product = sizes["H"] * (sizes["W"] // 2)
        assert few.contains(sizes) is (product <= LARGE)
        assert many.contains(sizes) is (product > LARGE)
        assert few.fix(sizes).is_empty() is (product > LARGE)


def test_on_one_side_what_follows_is_known() -> None:
    few = _named().restrict(_at_most(LARGE))
    assert few.status(_at_most(LARGE + 1)) is True
    assert few.status(_at_most(LARGE - 1)) is None
    assert few.status(~_at_most(LARGE)) is False


def test_both_sides_together_are_what_there_was_before_the_branch() -> None:
    few, many = _named().restrict(_at_most(LARGE)), _named().restrict(~_at_most(LARGE))
    assert few.restricted_products
    whole = few.unite(many)
    assert not whole.restricted_products
    assert list(whole.parts) == ["H", "W"]
    assert whole.equals(Domain.positive(("H", "W")))


def test_sides_that_refuse_different_sizes_stay_apart() -> None:
    few, many = _named().restrict(_at_most(LARGE)), _named().restrict(~_at_most(LARGE)).restrict(dim("H") % 2 == 0)
    together = few.unite(many)
    assert together.restricted_products
    assert together.contains({"H": 3, "W": 8})
    assert not together.contains({"H": 32_769, "W": 8})
    assert together.contains({"H": 32_770, "W": 8})


def test_factors_that_may_be_negative_get_no_symbol() -> None:
    condition = (dim("H") - 5) * dim("W") <= LARGE
    assert Domain.positive(("H", "W")).naming_products(condition) is None
