"""Floats that models compute from sizes, against PyTorch."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy
import pytest
from torch import Tensor, nn

import shapelint
from tests import oracle

FORMULAS: dict[str, Callable[[int], int]] = {
    "halvings": lambda n: int(math.log2(n)),
    "to a base": lambda n: math.ceil(math.log(n, 2)),  # noqa: FURB163 - it rounds otherwise
    "times a factor": lambda n: int(3 * math.log(n) + 1.5),
    "factor outside": lambda n: 5 * math.ceil(math.log(n)),
    "numpy": lambda n: 5 * numpy.ceil(numpy.log1p(n)).astype("int").item(),
    "numpy cut": lambda n: int(numpy.log2(n)) + numpy.floor(numpy.log10(n)).astype(int),
    "next power": lambda n: 2 ** math.ceil(math.log2(n)),
    "padding to the next power": lambda n: 2 ** math.ceil(math.log2(n)) - n,
    "next power with numpy": lambda n: int(2 ** numpy.ceil(numpy.log2(n))),
    "next power by bits": lambda n: 1 << (n - 1).bit_length(),
    "of a half": lambda n: int(math.log2(n / 2)) + 1,
    "of a quarter, which may be none": lambda n: int(math.log2(n // 4)),
    "of a scaled size": lambda n: math.ceil(math.log2(n * 0.3)) + 2,
    "of a root": lambda n: math.ceil(math.log2(math.sqrt(n))),
    "rounded": lambda n: round(math.log10(n)) - round(-math.log(n)),
    "compared": lambda n: 3 if math.log2(n) > 3.5 else 4 if math.log(n) <= 2 else 5,
    "equal": lambda n: 3 if math.log2(n) == 3 else 4 if 6 != math.log2(n) else 5,  # noqa: SIM300 - from the other side
    "a power of two": lambda n: 3 if math.log2(n).is_integer() else 4,
    "a power of two, compared": lambda n: 3 if math.log2(n) == int(math.log2(n)) else 4,
    "no power of three": lambda n: 3 if math.log(n, 3) != round(math.log(n, 3)) else 4,
    "a power of five by numpy": lambda n: 3 if 5 ** (numpy.log(n) / math.log(5)) <= 125 else 4,
    "rounds of a loop": lambda n: sum(level + 1 for level in range(int(math.log2(n)))),
}


class Sized(nn.Module):
    """A model whose output is as long as a function of the input's length."""

    def __init__(self, formula: Callable[[Any], Any]) -> None:
        super().__init__()
        self.formula = formula

    def forward(self, x: Tensor) -> Tensor:
        return x.new_zeros(self.formula(x.shape[1]))


@pytest.mark.parametrize("name", FORMULAS)
def test_rounded_logarithms_are_proven(name: str) -> None:
    model = Sized(FORMULAS[name])
    analysis = shapelint.analyze(model, ("N", "T"))
    assert analysis.certainty == "proven", analysis.certainty_reasons
    asked = oracle.Oracle(lambda: model, ("N", "T"), device="cpu")
    lengths = [*range(1, 131), *(2**k + d for k in range(8, 13) for d in (-1, 0, 1)), 2980, 2981, 8102, 8103]
    assert oracle.same_answer(analysis, asked, [{"N": 1, "T": t} for t in lengths]) == []


@pytest.mark.parametrize("formula", [lambda n: int(20 * math.log(n)), lambda n: int(2 ** math.log2(n))])
def test_a_logarithm_with_too_many_values_is_not_proven(formula: Callable[[int], int]) -> None:
    assert shapelint.analyze(Sized(formula), ("N", "T")).certainty != "proven"


@pytest.mark.parametrize("formula", [lambda n: int(math.log(n, 1)), lambda n: int(math.log(n, -2))])
def test_what_is_no_base_is_refused_for_every_size(formula: Callable[[int], int]) -> None:
    analysis = shapelint.analyze(Sized(formula), ("N", "T"))
    assert analysis.certainty == "proven"
    assert analysis.valid_sizes.is_empty()


def test_a_logarithm_that_only_scales_needs_no_value() -> None:
    class Scaled(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x * math.log(x.shape[1] * x.shape[2]) / math.log(x.shape[1] + 1)

    analysis = shapelint.analyze(Scaled(), ("N", "H", "W"))
    assert analysis.certainty == "proven"
    assert analysis.output_shape(N=1, H=3, W=5) == (1, 3, 5)
