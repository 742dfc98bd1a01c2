"""Sliding blocks against torch."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from shapelint.ops import fold
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
