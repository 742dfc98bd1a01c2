"""Symbolic sizes behave as Python's ints do, at every size."""

from __future__ import annotations

import copy
import math
import operator
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shapelint.sizes import (
    Dim,
    Domain,
    Path,
    TooComplex,
    Undecided,
    divide,
    divides,
    following,
    implied,
    product,
    scaled_floor,
    smax,
    smin,
)
from shapelint.sizes import expr as ex
from shapelint.sizes.dim import evaluate, expr_of, isqrt, select
from shapelint.sizes.expr import Expr
from shapelint.tracing.tensor import SymbolicSize

H, W = Dim("H"), Dim("W")
SIZES = [{"H": h, "W": (5 * h) % 17 + 1} for h in range(1, 60)]

constants = st.integers(-9, 9)
divisors = st.integers(-9, 9).filter(bool)


def _expressions() -> st.SearchStrategy[Callable[[Any, Any], Any]]:
    leaf: st.SearchStrategy[Callable[[Any, Any], Any]] = st.one_of(
        st.just(lambda h, w: h), st.just(lambda h, w: w), constants.map(lambda c: lambda h, w: c)
    )

    def grow(inner: st.SearchStrategy[Callable[[Any, Any], Any]]) -> st.SearchStrategy[Callable[[Any, Any], Any]]:
        binary = st.tuples(st.sampled_from([operator.add, operator.sub]), inner, inner).map(
            lambda t: lambda h, w: t[0](t[1](h, w), t[2](h, w))
        )
        by_number = st.tuples(st.sampled_from([operator.floordiv, operator.mod, operator.mul]), inner, divisors).map(
            lambda t: lambda h, w: t[0](t[1](h, w), t[2])
        )
        return st.one_of(
            binary,
            by_number,
            inner.map(lambda f: lambda h, w: -f(h, w)),
            inner.map(lambda f: lambda h, w: abs(f(h, w))),
            st.tuples(inner, inner).map(lambda t: lambda h, w: smax(t[0](h, w), t[1](h, w))),
            st.tuples(inner, inner).map(lambda t: lambda h, w: smin(t[0](h, w), t[1](h, w))),
        )

    return st.recursive(leaf, grow, max_leaves=7)


@settings(max_examples=300, deadline=None)
@given(_expressions())
def test_arithmetic_is_that_of_ints(expression: Callable[[Any, Any], Any]) -> None:
    symbolic = expression(H, W)
    for env in SIZES:
        assert evaluate(symbolic, env) == expression(env["H"], env["W"])


@settings(max_examples=150, deadline=None)
@given(_expressions(), _expressions(), st.sampled_from([operator.eq, operator.ne, operator.lt, operator.ge]))
def test_comparisons_hold_where_those_of_ints_do(a: Any, b: Any, compare: Callable[[Any, Any], Any]) -> None:
    condition = compare(a(H, W), b(H, W))
    domain = Domain.positive(["H", "W"]).restrict(condition)
    for env in SIZES[:25]:
        assert domain.contains(env) == compare(a(env["H"], env["W"]), b(env["H"], env["W"]))


BITS: list[Callable[[Any], Any]] = [
    lambda h: h & 7,
    lambda h: 3 & h,
    lambda h: h & ~7,
    lambda h: h | 1,
    lambda h: 3 | h,
    lambda h: h ^ 1,
    lambda h: 7 ^ h,
    lambda h: ~h,
    lambda h: (h << 2) >> 1,
]


@pytest.mark.parametrize("bits", BITS)
def test_bits_are_those_of_ints(bits: Callable[[Any], Any]) -> None:
    symbolic = bits(SymbolicSize("H"))
    assert [evaluate(symbolic, {"H": h}) for h in range(1, 40)] == [bits(h) for h in range(1, 40)]


def test_results_without_symbols_are_plain_ints() -> None:
    assert type(H - H) is int
    assert type(H * 0 + 3) is int
    assert (H + 1 > H) is True


def test_equal_formulas_are_the_same_object() -> None:
    assert ((H + 1) // 2 + 1) // 2 is (H + 3) // 4
    assert H + H % 2 is 2 * ((H + 1) // 2)
    assert H + (7 - H % 7) % 7 is 7 * ((H + 6) // 7)
    assert -(-H // 8) is (H + 7) // 8


def test_it_passes_for_an_int() -> None:
    assert isinstance(H, int)
    assert isinstance(H, Dim)
    assert copy.deepcopy(H) is H
    assert pickle.loads(pickle.dumps(H // 2 + 1)) == H // 2 + 1


@pytest.mark.parametrize(
    ("symbolic", "concrete"),
    [
        (lambda h: math.floor(h / 2), lambda h: math.floor(h / 2)),
        (lambda h: math.ceil(h / 3), lambda h: math.ceil(h / 3)),
        (lambda h: math.trunc(h / -4), lambda h: math.trunc(h / -4)),
        (lambda h: round(h / 2), lambda h: round(h / 2)),
        (lambda h: math.floor(h * 0.5 + 0.5), lambda h: math.floor(h * 0.5 + 0.5)),
        (lambda h: math.ceil((h - 9 + 6) / 2 + 1), lambda h: math.ceil((h - 9 + 6) / 2 + 1)),
        (lambda h: divmod(h, 5)[0] + divmod(h, 5)[1], lambda h: h // 5 + h % 5),
        (lambda h: 100 // -3 - h, lambda h: -34 - h),
        (lambda h: scaled_floor(h, 0.7), lambda h: math.floor(float(h) * 0.7)),
        (lambda h: scaled_floor(h, 800 / 199), lambda h: math.floor(float(h) * (800 / 199))),
        (lambda h: (h * h) // h, lambda h: h),
    ],
)
def test_rationals_and_roundings(symbolic: Callable[[Any], Any], concrete: Callable[[int], int]) -> None:
    with following(Path(Domain.positive(["H", "W"]))):
        size = symbolic(H)
    for h in range(1, 400):
        assert evaluate(size, {"H": h}) == concrete(h)


def test_double_rounding_is_in_the_set_as_well() -> None:
    # 199 * (800/199) is 800 on paper and 799 in double precision
    domain = Domain.positive(["H"]).restrict(scaled_floor(H, 800 / 199) == 799)
    assert domain.contains({"H": 199})


def test_an_undecided_condition_without_a_path_says_so() -> None:
    with pytest.raises(Undecided, match="depends on the input size"):
        bool(H > 4)


# --- products ---------------------------------------------------------------------------------------------


def test_padding_as_needed_comes_to_a_plain_formula() -> None:
    halves = (H + 1) // 2
    padding = smax(halves * 2 + 1 - H, 0)
    assert ((H + padding - 3) // 2 + 1).expr is halves.expr
    assert smax(2 * halves - 1 - H, 0) == 0
    assert smin(H, H + W).expr is H.expr
    assert smin(H, 0) == 0


def test_a_formula_that_holds_another_many_times_is_renamed_once() -> None:
    def grown(size: Expr) -> Expr:
        for level in range(40):
            size = ex.add(size, ex.positive_part(ex.subtract(ex.constant(level), size)))
        return size

    assert grown(H.expr).rename({"H": "W"}) is grown(W.expr)


def test_a_size_divided_by_itself_takes_no_number_for_it() -> None:
    with following(_NoNumbers(Domain.positive(["H"]))):
        assert (H // H, H % H, (H + 1) // (H + 1)) == (1, 0, 1)
        with pytest.raises(AssertionError):
            _ = (H - 1) // (H - 1)


class _NoNumbers(Path):
    """A path on which nothing branches."""

    def few_values(self, size: Any) -> bool:
        raise AssertionError(f"a number is asked for {size}")

    def fork(self, condition: Any) -> bool:
        raise AssertionError(f"{condition} is asked")


def _check(condition: Any, concrete: Callable[[int, int], bool], reach: int = 40) -> None:
    domain = Domain.positive(["H", "W"]).restrict(condition)
    for h in range(1, reach):
        for w in range(1, reach):
            assert domain.contains({"H": h, "W": w}) == concrete(h, w), (h, w)


@pytest.mark.parametrize(
    ("condition", "concrete"),
    [
        (lambda h, w: 16 * (h // 4) * (w // 4) == 400, None),
        (lambda h, w: h * w > 1, None),
        (lambda h, w: h * w <= 30, None),
        (lambda h, w: (h * w) // 4 >= 9, None),
        (lambda h, w: (h * w) // 4 == 9, None),
        (lambda h, w: (h // 7 * 7) * (w // 7 * 7) == h * w, None),
        (lambda h, w: h * w + 1 == 197, None),
        (lambda h, w: smin(h * w, 20) == h * w, lambda h, w: min(h * w, 20) == h * w),
        (lambda h, w: divides(49, 7 * h * w), lambda h, w: 7 * h * w % 49 == 0),
        (lambda h, w: divides(4, h * w + 1), lambda h, w: (h * w + 1) % 4 == 0),
        (lambda h, w: divides(h * w, 12), lambda h, w: 12 % (h * w) == 0),
        (lambda h, w: (h + 1) * (w + 1) == h * w + h + w + 1, None),
    ],
)
def test_conditions_on_products_are_exact(condition: Callable[[Any, Any], Any], concrete: Any) -> None:
    with following(Path(Domain.positive(["H", "W"]))):
        symbolic = condition(H, W)
    _check(symbolic, concrete or condition)


def test_products_cancel() -> None:
    assert divide(product([H, W, 64]), product([W, 16])) is 4 * H
    assert product([3, 4]) == 12


def test_square_roots_of_products_are_followed_exactly() -> None:
    tokens = (H // 2) * (W // 2)
    with following(Path(Domain.positive(["H", "W"]).restrict(H >= 2).restrict(W >= 2))):
        side = isqrt(tokens)
        is_square = Domain.positive(["H", "W"]).restrict(side * side == tokens)
        fits = Domain.positive(["H", "W"]).restrict(divides(side, tokens))
        part, rest = tokens // side, tokens % side
    for h in range(2, 30):
        for w in range(2, 30):
            n = (h // 2) * (w // 2)
            env = {"H": h, "W": w}
            root = math.isqrt(n)
            assert evaluate(side, env) == root
            assert (evaluate(part, env), evaluate(rest, env)) == divmod(n, root)
            assert is_square.contains(env) == (root * root == n)
            assert fits.contains(env) == (n % root == 0)


def test_quotients_of_sizes_that_stay_small_are_exact() -> None:
    with following(Path(Domain.positive(["H", "W"]).restrict(H >= 8))):
        ratio = (H + 2) // 4 // (H // 8)
    for h in range(8, 200):
        assert evaluate(ratio, {"H": h}) == (h + 2) // 4 // (h // 8)


def test_quotients_of_numbers_below_zero_by_a_size_are_exact() -> None:
    with following(Path(Domain.positive(["H", "W"]))):
        for number in range(-7, 0):
            quotient, product = number // H, (3 * H + number) // H
            assert [evaluate(quotient, env) for env in SIZES] == [number // env["H"] for env in SIZES]
            assert [evaluate(product, env) for env in SIZES] == [(3 * env["H"] + number) // env["H"] for env in SIZES]
            assert implied(product <= 2)


def test_select_is_piecewise() -> None:
    with following(Path(Domain.positive(["H", "W"]))):
        size = select(H > 10, H // 2, H + 1)
    assert [evaluate(size, {"H": h}) for h in (10, 11)] == [11, 5]


def test_a_negative_quotient_of_sizes_is_not_taken_for_a_small_one() -> None:
    with following(Path(Domain.positive(["H", "W"]).restrict(H >= 2))):
        ratio = (3 - H) // (H - 1)
    for h in range(2, 40):
        assert evaluate(ratio, {"H": h}) == (3 - h) // (h - 1)


def _grown(size: Any, steps: int) -> Any:
    """A formula that is exponentially longer written out than its shared parts are."""
    for step in range(2, steps):
        size = size // step + (size + step) // 3
    return size


def test_a_formula_of_shared_parts_is_evaluated_part_by_part() -> None:
    grown = _grown(H, 60)
    assert evaluate(grown, {"H": 10**9}) == _grown(10**9, 60)


def test_a_long_formula_is_written_with_its_middle_left_out() -> None:
    text = str(_grown(H, 60))
    assert " … " in text
    assert len(text) <= ex.LONGEST_TEXT + 3


def test_values_of_a_formula_of_many_divisions_are_not_asked_for() -> None:
    grown = _grown(H, 20)
    assert Domain.positive("H").bounds(expr_of(grown)) == (None, None)


def test_a_comparison_that_no_set_expresses_says_so_each_time() -> None:
    height, width, time = Dim("H"), Dim("W"), Dim("T")
    condition = height * width + height * time * 3 + 5 == time * width
    told = []
    for domain in (Domain.positive(("H", "W", "T")), Domain.positive(("H", "W", "T")).restrict(height >= 4)):
        for _ in range(2):
            with pytest.raises(TooComplex) as raised:
                domain.status(condition)
            told.append(str(raised.value))
    assert len(set(told)) == 1
    assert "H" in told[0]
    # where the sizes are few they are gone through one by one
    few = Domain.positive(("H", "W", "T")).restrict(height == 2).restrict(width == 8).restrict(time <= 3)
    assert few.status(condition) is False


def test_the_members_of_a_set_are_the_callers_own() -> None:
    region = Domain.positive(("H",)).restrict(Dim("H") <= 3).factors["H"].region
    region.points(5).clear()  # type: ignore[union-attr]
    assert region.points(5) == [(1,), (2,), (3,)]
    assert region.points(2) is None
