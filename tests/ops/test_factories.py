"""Tensors made from sizes and numbers against torch."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from shapelint.ops.factories import tensor
from shapelint.sizes.dim import dim
from tests.ops.against_torch import check, label, shaped

SIZES = {"H": range(6), "W": range(4)}


@pytest.mark.parametrize("function", [torch.zeros, torch.ones, torch.empty, torch.rand, torch.randn], ids=label)
def test_filled(function: Any) -> None:
    check(function, "H", 3, "W", sizes=SIZES)
    check(function, ("H", 3), dtype=torch.float64, sizes=SIZES)
    check(function, ["H", "W - 1"], sizes=SIZES)
    check(function, size=("H",), sizes=SIZES)
    check(function, (), sizes=SIZES)


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (torch.full, (("H", 2), 1)), (torch.full, (("H", 2), 1.5)), (torch.full, (("H",), True)), (torch.full, ((), 1)),
        (torch.randint, (9, ("H", 2))), (torch.randint, (1, 9, ("H", "W"))), (torch.randperm, ("H",)),
        (torch.eye, ("H",)),
        (torch.eye, ("H", "W")), (torch.linspace, (0, 1, "H")), (torch.linspace, (-1.0, 1.0, "H")),
        (torch.normal, (0.0, 1.0, ("H", 2))),
        (torch.normal, (shaped("H"), 1.0)), (torch.zeros_like, (shaped("H", "W"),)),
        (torch.full_like, (shaped("H"), 2)),
        (torch.rand_like, (shaped("H"),)), (torch.Tensor.new_zeros, (shaped(2, dtype=torch.float64), "H", "W")),
        (torch.Tensor.new_zeros, (shaped(2, dtype=torch.int64), ("H", 2))),
        (torch.Tensor.new_full, (shaped(2), ("H",), 1)),
        (torch.Tensor.new_empty, (shaped(2), ["H"])), (torch.Tensor.new_tensor, (shaped(2), [1, 2])),
        (torch.tril_indices, (3, 4)),
        (torch.tril_indices, (4, 3, -1)), (torch.tril_indices, (3, 3, 1)), (torch.triu_indices, (3, 4)),
        (torch.triu_indices, (4, 3, 1)),
        (torch.triu_indices, (4, 6, -1)), (torch.tensor, ([1, 2, 3],)), (torch.tensor, ([[1.0, 2], [3, 4]],)),
        (torch.tensor, (2,)),
        (torch.tensor, ([[1], [2, 3]],)), (torch.tensor, ([True, False],)), (torch.tensor, ([],)),
        (torch.tensor, ([1, 2.5],)),
        (torch.as_tensor, (shaped("H"),)), (torch.tensor, (1j,)), (torch.tensor, ([True, 1],)),
    ],
    ids=label,
)  # fmt: skip
def test_factories(function: Any, arguments: tuple[Any, ...]) -> None:
    check(function, *arguments, sizes=SIZES)


@pytest.mark.parametrize(
    "bounds",
    [
        ("H",), (0, "H"), ("W", "H"), (0, "H", 2), (1, "H", 3), ("H", 0, -1), ("H", -1, -2), (0, 1, 0.25),
        (0, "H", 0.5), (0.5, "H"),
        (0, "H", -1), ("H", 0), (0, 7, "H"), (5,), (2.5,), (0, 1, 0.3), (0, 5, 0), ("W", "H", 2), (1, 0),
        (0, "2*H", "W"),
        (0.5, "H", 1), (0.5, "H", 2), (0, "H", 1.0), (0, 1, 0.1), (0, "H", 0.1), (-1.0, 1.0, 0.2), (3.0, "H", -0.5),
    ],
    ids=label,
)  # fmt: skip
def test_arange(bounds: tuple[Any, ...]) -> None:
    check(torch.arange, *bounds, sizes={"H": range(1, 14), "W": range(1, 5)})


def test_a_tensor_of_sizes_keeps_them() -> None:
    height = dim("H")
    spec = tensor([[height, height // 2], [3, 4]])
    assert spec.shape == (2, 2)
    assert spec.value[0][1] is height // 2
    assert spec.dtype is torch.int64
