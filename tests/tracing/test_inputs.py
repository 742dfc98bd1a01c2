"""What a model is given: shapes and dtypes as people write them, and those that fit where none is said."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import shapelint
from shapelint.tracing.inputs import InputError, parse_inputs
from shapelint.tracing.tensor import SymbolicTensor


def dtypes(values: Any) -> list[torch.dtype]:
    return [value.dtype for value in values if isinstance(value, SymbolicTensor)]


@pytest.mark.parametrize(
    ("text", "dtype"),
    [
        ("int64[N, T]", torch.int64),
        ("long(N, T)", torch.int64),
        ("bool[N,T]", torch.bool),
        ("N,T", torch.float32),
        (("N", "T"), torch.float32),
        (("N", "T", torch.uint8), torch.uint8),
        (["N", "T", torch.complex64], torch.complex64),
    ],
)
def test_a_dtype_stands_before_the_shape_or_at_its_end(text: Any, dtype: torch.dtype) -> None:
    (tensor,) = parse_inputs(text).args
    assert tensor.dtype is dtype
    assert [str(size) for size in tensor.sizes] == ["N", "T"]


def test_one_size_with_a_dtype_is_a_shape_and_other_words_are_not() -> None:
    inputs = parse_inputs(["int64[T]", "nearest", "sum(1)"])
    assert dtypes(inputs.args) == [torch.int64]
    assert inputs.args[1:] == ("nearest", "sum(1)")


def test_a_dtype_that_does_not_exist_is_told() -> None:
    with pytest.raises(InputError, match=r"'in64' in 'in64\[N,T\]' is no dtype of PyTorch"):
        parse_inputs("in64[N,T]")


class Tokens(nn.Module):
    """Token ids, and which of them to leave out."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(20, 8)
        self.head = nn.Linear(8, 20)

    def forward(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        x = self.table(ids)
        if mask is not None:
            x = x.masked_fill(mask.unsqueeze(-1), 0.0)
        return self.head(x)


class Required(Tokens):
    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        return super().forward(ids, mask)


@pytest.mark.parametrize(
    ("model", "inputs", "expected"),
    [
        (Tokens(), ("N", "T"), [torch.int64]),
        (Tokens(), [("N", "T"), ("N", "T")], [torch.int64, torch.bool]),
        (Tokens(), {"ids": ("N", "T"), "mask": "bool[N, T]"}, [torch.int64, torch.bool]),
        (Tokens(), None, [torch.int64]),
        (Required(), None, [torch.int64, torch.bool]),
        (nn.Linear(4, 4).double(), ("N", 4), [torch.float64]),
        (nn.Linear(4, 4).double(), None, [torch.float64]),
        (nn.Conv1d(4, 4, 1).to(torch.complex64), ("N", 4, "T"), [torch.complex64]),
    ],
)
def test_where_no_dtype_is_said_it_is_one_that_runs(model: nn.Module, inputs: Any, expected: list[torch.dtype]) -> None:
    analysis = shapelint.analyze(model, inputs)
    assert dtypes((*analysis.inputs.args, *analysis.inputs.keywords.values())) == expected
    assert analysis.valid_sizes
    assert analysis.certainty == "proven"


def test_a_dtype_that_is_said_is_not_exchanged() -> None:
    analysis = shapelint.analyze(Tokens(), "float32[N, T]")
    assert not analysis.accepts(N=1, T=3)
    refusal = analysis.why_not(N=1, T=3)
    assert refusal is not None
    assert "takes integer indices, and got torch.float32" in refusal.why


def test_a_network_that_is_refused_for_its_sizes_keeps_the_usual_dtype() -> None:
    analysis = shapelint.analyze(nn.Sequential(nn.Conv1d(4, 4, 1), nn.Linear(3, 2)), ("N", 5, "T"))
    assert dtypes(analysis.inputs.args) == [torch.float32]
    assert not analysis.accepts(N=1, T=3)
