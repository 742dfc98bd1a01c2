"""Domains that leave boxes out (``more than one value per channel``), against the sizes one by one."""

from __future__ import annotations

import itertools
import random

import pytest

from shapelint.sizes import Dim, Domain, all_of, any_of, negate
from shapelint.sizes import dim as dims
from shapelint.sizes import expr as ex
from shapelint.sizes.boxes import boxes_of

H, W, D = (dims.of(ex.symbol(name)) for name in "HWD")
SIZES = range(1, 9)
POINTS = [dict(zip("HWD", point, strict=True)) for point in itertools.product(SIZES, repeat=3)]


def several_values(*sizes: Dim) -> object:
    return dims.product(sizes) != 1


def test_what_leaves_a_corner_out_keeps_the_symbols_apart() -> None:
    domain = Domain.positive("HW").restrict(several_values((H + 7) // 8, (W + 7) // 8))
    assert len(domain.holes) == 1
    assert [placed.support for placed in domain.parts.values()] == [("H",), ("W",)]
    assert not domain.contains({"H": 8, "W": 8})
    assert domain.contains({"H": 9, "W": 8})


def test_a_larger_corner_takes_the_place_of_the_smaller_one() -> None:
    domain = Domain.positive("HW").restrict(several_values(H, W)).restrict(several_values((H + 7) // 8, (W + 7) // 8))
    assert len(domain.holes) == 1
    assert domain.status(several_values((H + 3) // 4, (W + 3) // 4)) is True
    assert domain.status(several_values((H + 15) // 16, (W + 15) // 16)) is None


def test_a_corner_as_wide_as_one_symbols_sizes_leaves_sizes_of_the_other_out() -> None:
    domain = Domain.positive("HW").restrict(H <= 4).restrict(several_values((H + 7) // 8, (W + 7) // 8))
    assert domain.holes == ()
    assert domain.status(W >= 9) is True


def test_a_later_bound_on_one_symbol_reaches_the_other_through_the_corner() -> None:
    domain = Domain.positive("HW").restrict(several_values((H + 7) // 8, (W + 7) // 8)).restrict(H <= 4)
    assert domain.status(W >= 9) is True


def test_both_sides_of_a_branch_join_to_what_was_before_it() -> None:
    start = Domain.positive("HW").restrict(several_values((H + 7) // 8, (W + 7) // 8)).restrict(H >= 3)
    near, far = start.restrict(H <= 40), start.restrict(negate(H <= 40))
    assert near.unite(far).equals(start)


def test_a_condition_that_couples_two_symbols_has_no_boxes() -> None:
    condition = H == W
    assert boxes_of(condition, holding=True) is None


def conditions(rng: random.Random) -> object:
    def single() -> object:
        size, number = rng.choice([H, W, D]), rng.randint(1, 6)
        return rng.choice(
            [size >= number, size <= number + 3, size % rng.randint(2, 4) == 0, size != number, size // 2 >= number]
        )

    def corner() -> object:
        chosen = rng.sample([H, W, D], rng.randint(2, 3))
        rounded = [(size + rng.randint(0, 4)) // rng.randint(1, 5) for size in chosen]
        return several_values(*rounded)

    kinds = [
        single,
        corner,
        corner,
        lambda: any_of(single(), single()),
        lambda: all_of(single(), single()),
        lambda: negate(all_of(single(), single())),
        lambda: rng.choice([H == W, H >= D, W + D >= 8, H * W >= 12]),
    ]
    return rng.choice(kinds)()


def holds(condition: object, sizes: dict[str, int]) -> bool:
    return condition if isinstance(condition, bool) else bool(condition.evaluate(sizes))  # type: ignore[attr-defined]


@pytest.mark.parametrize("seed", range(50))
def test_a_domain_has_the_sizes_that_satisfy_every_condition(seed: int) -> None:
    rng = random.Random(seed)
    within = [H <= 8, W <= 8, D <= 8] if seed % 3 == 0 else []
    domain, expected = Domain.positive("HWD"), POINTS
    for condition in within:
        domain = domain.restrict(condition)
    for _ in range(4):
        condition = conditions(rng)
        status = domain.status(condition)
        answers = {holds(condition, point) for point in expected}
        assert status is not True or answers <= {True}
        assert status is not False or answers <= {False}
        if status is None and within:
            assert answers == {True, False}
        domain = domain.restrict(condition)
        expected = [point for point in expected if holds(condition, point)]
        assert [point for point in POINTS if domain.contains(point)] == expected
        assert [point for point in POINTS if domain.settled().contains(point)] == expected
        if within:
            assert domain.is_empty() is (not expected)
        if domain.is_empty():
            return


@pytest.mark.parametrize("seed", range(30))
def test_unions_differences_and_projections_of_domains_with_boxes(seed: int) -> None:
    rng = random.Random(1000 + seed)
    start = Domain.positive("HWD").restrict(several_values(H, W, D)).restrict(several_values((H + 3) // 4, W))
    a, b = start.restrict(conditions(rng)).restrict(conditions(rng)), start.restrict(conditions(rng))
    in_a = [point for point in POINTS if a.contains(point)]
    in_b = [point for point in POINTS if b.contains(point)]
    assert [p for p in POINTS if a.unite(b).contains(p)] == [p for p in POINTS if p in in_a or p in in_b]
    assert [p for p in POINTS if a.intersect(b).contains(p)] == [p for p in in_a if p in in_b]
    assert [p for p in POINTS if b.subtract(a).contains(p)] == [p for p in in_b if p not in in_a]
    assert a.intersect(b).is_subset(b)
    assert a.is_subset(a.unite(b))
    assert a.project("H").equals(a.settled().project("H"))
    assert a.project("HW").equals(a.settled().project("HW"))
    assert a.fix({"W": 3}).equals(a.settled().fix({"W": 3}))
