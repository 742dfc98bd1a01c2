"""Sliding blocks against torch."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import shapelint
from shapelint.ops import fold
from tests import oracle
from tests.ops.against_torch import check, shaped

assert fold.__name__  # importing it registers the rules

PARAMETERS = list(itertools.product((1, 2, (3, 2)), (1, 2), (0, (2, 0)), (1, (3, 1))))


@pytest.mark.parametrize("parameters", PARAMETERS)
def test_unfold(parameters: tuple[Any, ...]) -> None:
    sizes = {"H": range(7), "W": range(7)}
    for shape in ((1, 2, "H", "W"), (2, "H", "W"), ("H", "W")):
        check(F.unfold, shaped(*shape), *parameters, sizes=sizes)
    check(nn.Unfold(*parameters), shaped("H", 2, "W", 5), sizes=sizes)


@pytest.mark.parametrize("parameters", PARAMETERS)
def test_fold(parameters: tuple[Any, ...]) -> None:
    for output in ((4, 5), 6, (1, 0)):
        for shape in ((1, 12, "L"), (1, "C", 12), (12, "L"), ("L",)):
            names = {name: range(25) for name in shape if isinstance(name, str)}
            check(F.fold, shaped(*shape), output, *parameters, sizes=names)
    check(nn.Fold((4, 5), *parameters), shaped(1, 12, "L"), sizes={"L": range(25)})


def test_fold_undoes_unfold_at_every_size() -> None:
    blocks = shaped(1, 12, "(H//2) * (W//2)")
    check(F.fold, blocks, ("H*1", "W*1"), 2, stride=2, sizes={"H": range(1, 9), "W": range(1, 9)})


@pytest.mark.parametrize("dimension", [0, 1, -1, 2, -3])
def test_tensor_unfold(dimension: int) -> None:
    for size, step in itertools.product((-1, 0, 1, 2, 3, 5), (0, 1, 2, 3)):
        for shape in (("W", 3), ("N", "W"), ("W",)):
            names = {name: range(9) for name in shape if isinstance(name, str)}
            check(torch.Tensor.unfold, shaped(*shape), dimension, size, step, sizes=names)


class Strided(nn.Module):
    def __init__(self, size: Any, stride: Any, *offset: int) -> None:
        super().__init__()
        self._arguments = (size, stride, *offset)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        names = {"n": x.shape[0], "t": x.shape[1]}
        size, stride = ([eval(str(each), {}, names) for each in given] for given in self._arguments[:2])
        return x.as_strided(size, stride, *self._arguments[2:])


STRIDED: dict[str, tuple[Any, ...]] = {
    "frames": (("n", "(t - 4) // 3 + 1", 4), ("t", 3, 1)),
    "blocks": (("n", "t // 4", 4), ("t", 4, 1)),
    "turned": (("t", "n"), (1, "t")),
    "part of a row": (("n", "t // 2"), ("t", 1)),
    "later ones": (("n", "t // 2"), ("t", 1), 1),
    "none": (("n", 0), ("t", 1)),
    "repeated": (("n", 3, "t"), ("t", 0, 1)),
}


@pytest.mark.parametrize("arguments", STRIDED.values(), ids=STRIDED)
def test_views_by_strides(arguments: tuple[Any, ...]) -> None:
    analysis = shapelint.analyze(Strided(*arguments), ("N", "T"))
    asked = oracle.Oracle(lambda: Strided(*arguments), ("N", "T"), device="cpu")
    assert oracle.same_answer(analysis, asked, [{"N": n, "T": t} for n in (1, 2, 3) for t in range(1, 16)]) == []
    assert analysis.certainty == "proven"


def test_views_by_strides_that_may_reach_too_far_are_run() -> None:
    analysis = shapelint.analyze(Strided((2, "t - 1"), (1, 1), 1), ("N", "T"))
    assert analysis.certainty == "enumerated"
    assert not analysis.accepts(N=1, T=5)
    assert analysis.accepts(N=2, T=5)
