"""Functions that rise or fall with a size, against Python's own."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import pytest

from shapelint.sizes import Condition, Domain
from shapelint.sizes import expr as ex
from shapelint.sizes.condition import LARGEST_TENSOR
from shapelint.sizes.dim import dim, evaluate, expr_of, of
from shapelint.sizes.expr import Expr
from shapelint.sizes.path import Path, following
from shapelint.sizes.steps import MAX_STEPS, holding, stepped

H, W = dim("H"), dim("W")

FUNCTIONS: dict[str, Callable[[int], int]] = {
    "floor of log2": lambda n: int(math.log2(n)),
    "ceil of a logarithm to a base": lambda n: math.ceil(math.log(n, 2)),  # noqa: FURB163 - it rounds otherwise
    "a multiple that is cut": lambda n: int(5 * math.log(n) + 0.5),
    "falling": lambda n: math.floor(-3 * math.log10(n)),
    "rounded": lambda n: round(math.log(n / 3)),
    "of one more": lambda n: math.ceil(math.log1p(n)),
    "bits": int.bit_length,
    "always the same": lambda n: 7,
}


def _asked(function: Callable[[int], int]) -> Iterator[int]:
    """All small numbers, and those around every place up to the largest where the value changes, found by walking."""
    yield from range(1, 5001)
    low = 5000
    while function(low) != function(LARGEST_TENSOR):
        step = 1
        while function(min(low + step, LARGEST_TENSOR)) == function(low):
            step *= 2
        while step:
            low = low + step if function(min(low + step, LARGEST_TENSOR)) == function(low) else low
            step //= 2
        yield from (n for n in range(low - 20, low + 21) if n <= LARGEST_TENSOR)
        low += 1
    yield LARGEST_TENSOR


def _expr(size: object) -> Expr:
    found = expr_of(size)
    assert found is not None
    return found


@pytest.mark.parametrize("name", FUNCTIONS)
def test_values_are_those_of_the_function(name: str) -> None:
    function = FUNCTIONS[name]
    found = stepped(_expr(H), function, 1)
    assert found is not None
    assert [n for n in _asked(function) if evaluate(of(found), {"H": n}) != function(n)] == []


def test_a_function_of_a_formula_is_followed() -> None:
    found = stepped(_expr((H + 3) // 4 + W), lambda n: int(math.log2(n)), 1)
    assert found is not None
    for h in range(1, 60):
        for w in range(1, 60):
            assert evaluate(of(found), {"H": h, "W": w}) == int(math.log2((h + 3) // 4 + w))


def test_many_values_and_products_are_not_written_case_by_case() -> None:
    assert stepped(_expr(H), lambda n: min(n, MAX_STEPS), 1) is not None
    assert stepped(_expr(H), lambda n: min(n, MAX_STEPS + 1), 1) is None
    assert stepped(_expr(H * W), lambda n: int(math.log2(n)), 1) is None


@pytest.mark.parametrize("number", [-1, 0, 0.5, 3, 7.3, 30.99, 31, 32])
def test_a_predicate_holds_from_some_number_on_or_up_to_it(number: float) -> None:
    above = holding(_expr(H), lambda n: math.log2(n) >= number, 1)
    below = holding(_expr(H), lambda n: math.log2(n) <= number, 1)
    for n in _asked(lambda n: int(math.log2(n))):
        assert _holds(above, n) == (math.log2(n) >= number)
        assert _holds(below, n) == (math.log2(n) <= number)


def _holds(condition: bool | Condition, n: int) -> bool:
    return condition.placed().holds({"H": n}) if isinstance(condition, Condition) else condition


def test_powers_and_shifts_by_few_numbers_are_formulas() -> None:
    bits = (H - 1).bit_length
    with following(Path(Domain.positive(["H", "W"]))):
        rounded_up, shifted, times = 2 ** bits(), 3 << bits(), (bits() + 1) * W
    for n in range(1, 5001):
        exact = (n - 1).bit_length()
        assert evaluate(rounded_up, {"H": n}) == 2**exact
        assert evaluate(shifted, {"H": n}) == 3 << exact
        assert evaluate(times, {"H": n, "W": n + 2}) == (exact + 1) * (n + 2)


def test_what_gives_no_ints_is_not_mapped() -> None:
    bits = stepped(_expr(H), lambda n: int(math.log2(n)), 1)
    assert bits is not None
    assert ex.mapped(ex.add_constant(bits, -1), lambda power: 2**power) is None
    assert ex.mapped(_expr(H), lambda power: 2**power) is None
