"""Conditions that no set expresses: what is computed for all points at once is what each point says."""

from __future__ import annotations

import itertools
import random

import pytest

from shapelint.sizes import expr as ex
from shapelint.sizes import pointwise
from shapelint.sizes import region as rg
from shapelint.sizes.condition import Condition, all_of, any_of, compare, negate
from shapelint.sizes.region import Placed, TooComplex

H, W = ex.symbol("H"), ex.symbol("W")
POINTS = [point for point in itertools.product(range(3, 24), range(2, 30)) if sum(point) % 7]
TOKENS = ex.multiply(ex.floordiv(H, 4), ex.floordiv(W, 4))


def _placed() -> Placed:
    return Placed(("H", "W"), rg.from_points(2, POINTS))


def _condition(value: bool | Condition) -> Condition:
    assert isinstance(value, Condition)
    return value


ASKED = {
    "quotient": compare(ex.add_constant(ex.quotient(ex.constant(48), ex.multiply(H, W)), -1), ">="),
    "product": compare(ex.subtract(ex.multiply(H, W), ex.constant(60)), "=="),
    "floors": compare(ex.add_constant(TOKENS, -8), "!="),
    "positive part": compare(ex.add_constant(ex.positive_part(ex.subtract(H, ex.scale(W, 2))), -3), ">="),
    "scaled": compare(ex.add_constant(ex.scaled(ex.multiply(H, W), 0.3), -20), ">="),
    "either": any_of(compare(ex.add_constant(H, -5), "=="), compare(ex.subtract(ex.multiply(H, W), TOKENS), "==")),
    "none": compare(ex.add_constant(ex.multiply(H, W), 1), "=="),
    "all": compare(ex.multiply(H, W), ">="),
}


@pytest.mark.parametrize("name", ASKED)
@pytest.mark.parametrize("turned", [False, True])
def test_each_point_is_asked(name: str, turned: bool) -> None:
    condition = _condition(negate(ASKED[name]) if turned else ASKED[name])
    where = pointwise.where(_placed(), condition)
    assert where.points(10_000) == [p for p in POINTS if condition.evaluate({"H": p[0], "W": p[1]})]


def test_a_part_without_a_value_does_not_matter_where_another_one_decides() -> None:
    some = _condition(compare(TOKENS, "!="))
    divided = _condition(compare(ex.add_constant(ex.quotient(ex.constant(64), TOKENS), -4), ">="))
    with pytest.raises(ZeroDivisionError):
        divided.evaluate({"H": 3, "W": 9})
    where = pointwise.where(_placed(), _condition(all_of(some, divided)))
    tokens = {p: (p[0] // 4) * (p[1] // 4) for p in POINTS}
    assert where.points(10_000) == [p for p in POINTS if tokens[p] and 64 // tokens[p] >= 4]


def test_infinitely_many_sizes_cannot_be_gone_through() -> None:
    with pytest.raises(TooComplex):
        pointwise.where(Placed(("H", "W"), rg.positive(2)), _condition(ASKED["quotient"]))


@pytest.mark.parametrize("arity", [1, 2, 3])
def test_a_region_has_just_the_points_it_is_made_of(arity: int) -> None:
    chance = random.Random(arity)
    for _ in range(20):
        points = {tuple(chance.randint(-2, 4) for _ in range(arity)) for _ in range(chance.randint(1, 40))}
        assert rg.from_points(arity, points).points(1_000) == sorted(points)


def test_a_region_of_no_points_or_of_no_variables() -> None:
    assert rg.from_points(2, []).is_empty()
    assert rg.from_points(0, []).is_empty()
    assert not rg.from_points(0, [()]).is_empty()
