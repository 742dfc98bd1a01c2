"""Conversions of dtype against torch."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from shapelint.ops.conversions import as_type, is_same_size
from tests.ops.against_torch import Symbolic, check, label, shaped

NAMES = ["float", "double", "half", "bfloat16", "int", "long", "short", "char", "byte", "bool", "cfloat"]


@pytest.mark.parametrize("name", NAMES)
def test_named_conversions(name: str) -> None:
    check(getattr(torch.Tensor, name), shaped("H", 2), sizes={"H": range(3)})


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (torch.Tensor.to, (torch.float64,)), (torch.Tensor.to, ("cpu",)), (torch.Tensor.to, ("cpu", torch.int64)),
        (torch.Tensor.to, (shaped(1, dtype=torch.int64),)), (torch.Tensor.type_as, (shaped(1, dtype=torch.int64),)),
        (torch.Tensor.type, (torch.float64,)), (torch.Tensor.type, ("torch.LongTensor",)),
        (torch.Tensor.type, (torch.IntTensor,)),
        (torch.Tensor.type, ()), (torch.is_floating_point, ()), (torch.is_complex, ()), (torch.Tensor.element_size, ()),
        (torch.Tensor.is_signed, ()), (torch.Tensor.is_same_size, (shaped("H", 2),)),
        (torch.Tensor.is_same_size, (shaped(2),)),
    ],
    ids=label,
)  # fmt: skip
def test_conversions(function: Any, arguments: tuple[Any, ...]) -> None:
    check(function, shaped("H", 2), *arguments, sizes={"H": range(3)})


def test_keywords() -> None:
    check(torch.Tensor.to, shaped(2), dtype=torch.float16)
    assert as_type(Symbolic((2,), torch.int64)) == "torch.LongTensor"
    assert is_same_size(Symbolic((2, 3), torch.int64), Symbolic((2, 4), torch.int64)) is False
