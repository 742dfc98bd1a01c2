"""Buckets of relative positions: each is a function of one whole number, and all numbers there can be are tried."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import shapelint
from tests import oracle


class Buckets(nn.Module):
    """Relative positions in buckets, the far ones in ever larger ones, as text models look up a bias for attention."""

    def __init__(self, rows: int = 32) -> None:
        super().__init__()
        self.bias = nn.Embedding(rows, 2)

    def forward(self, x: Tensor) -> Tensor:
        places = torch.arange(x.shape[1])
        distance = places[None, :] - places[:, None]
        buckets = (distance > 0).to(torch.long) * 16
        distance = distance.abs()
        far = 8 + (torch.log(distance.float() / 8) / math.log(128 / 8) * 8).to(torch.long)
        far = torch.min(far, torch.full_like(far, 15))
        buckets += torch.where(distance < 8, distance, far)
        return x @ x.transpose(1, 2) + self.bias(buckets).permute(2, 0, 1).mean(0)


class Logarithm(nn.Module):
    """The larger the distance, the larger the number; no distance is larger than 46,340."""

    def __init__(self, rows: int) -> None:
        super().__init__()
        self.bias = nn.Embedding(rows, 2)

    def forward(self, x: Tensor) -> Tensor:
        places = torch.arange(x.shape[1])
        distance = (places[None, :] - places[:, None]).abs()
        return self.bias(torch.log2(distance.float() + 1).long()[None])


class Both(nn.Module):
    """Two ramps at once are no function of one number."""

    def __init__(self) -> None:
        super().__init__()
        self.bias = nn.Embedding(20, 2)

    def forward(self, x: Tensor) -> Tensor:
        places = torch.arange(x.shape[1])
        square = (places[None, :] - places[:, None]).float().sqrt().nan_to_num()
        return self.bias((square + places[:, None].float().log2().clamp(min=0)).long())


def _agrees(model: nn.Module, analysis: shapelint.Analysis) -> None:
    for t in (1, 2, 7, 8, 9, 31, 130, 300):
        expected = oracle.run(model, (1, t, 4), device="cpu")
        assert analysis.accepts(T=t) == (not isinstance(expected, oracle.Failure)), t
        if not isinstance(expected, oracle.Failure):
            assert analysis.output_shape(T=t) == expected


def test_buckets_that_the_table_has_are_proven_to_exist() -> None:
    model = Buckets()
    analysis = shapelint.analyze(model, (1, "T", 4))
    assert analysis.certainty == "proven", analysis.certainty_reasons
    _agrees(model, analysis)


@pytest.mark.parametrize("rows", [31, 24])
def test_a_table_without_the_last_buckets_is_not_proven_to_have_them(rows: int) -> None:
    model = Buckets(rows)
    analysis = shapelint.analyze(model, (1, "T", 4))
    assert analysis.certainty == "probed"
    _agrees(model, analysis)


def test_the_numbers_go_as_far_as_a_tensor_can_be_large() -> None:
    assert shapelint.analyze(Logarithm(16), (1, "T", 4)).certainty == "proven"
    assert shapelint.analyze(Logarithm(15), (1, "T", 4)).certainty == "probed"


class Nowhere(nn.Module):
    """The logarithm of no distance is no number that a table has, whatever it is made."""

    def __init__(self, convert: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.bias = nn.Embedding(40, 2)
        self.convert = convert

    def forward(self, x: Tensor) -> Tensor:
        places = torch.arange(x.shape[1])
        return self.bias(self.convert(torch.log2((places[None, :] - places[:, None]).abs().float())))


@pytest.mark.parametrize("convert", [lambda x: x.long(), lambda x: (x - x).int(), lambda x: x.to(torch.int64)[None]])
def test_what_a_conversion_makes_of_no_number_is_looked_up(convert: Callable[[Tensor], Tensor]) -> None:
    model = Nowhere(convert)
    analysis = shapelint.analyze(model, (1, "T", 4))
    assert analysis.certainty == "probed", analysis.certainty_reasons
    _agrees(model, analysis)


def test_positions_of_two_ramps_are_only_tried() -> None:
    model = Both()
    analysis = shapelint.analyze(model, (1, "T", 4))
    assert analysis.certainty == "probed"
    _agrees(model, analysis)
