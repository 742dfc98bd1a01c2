"""Positions that are looked up in a table: a sequence longer than the table is refused, as on the CPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import shapelint
from tests import oracle


class Looking(nn.Module):
    """A model with tables and indices, whose forward is a function."""

    def __init__(self, forward: Callable[[Any, Tensor], Any]) -> None:
        super().__init__()
        self.table = nn.Embedding(12, 4)
        self.bias = nn.Parameter(torch.zeros(9, 2))
        self.register_buffer("positions", torch.arange(40)[None])
        self.register_buffer("picked", torch.tensor([0, 5, 2]))
        self._forward = forward

    def forward(self, x: Tensor) -> Any:
        return self._forward(self, x)


def _relative(x: Tensor) -> Tensor:
    places = torch.arange(x.shape[-1], device=x.device)
    return places[:, None] - places[None, :]


def _changed(x: Tensor) -> Tensor:
    places = torch.arange(x.shape[-1], device=x.device)
    places[3:] = 0
    places.clamp_(max=5)
    return places


FORWARDS: dict[str, Callable[[Any, Tensor], Any]] = {
    "learned positions": lambda m, x: m.table(torch.arange(x.shape[-1], device=x.device)),
    "functional": lambda m, x: F.embedding(torch.arange(x.shape[-1]), m.bias),
    "offset and batch": lambda m, x: m.table(torch.arange(x.shape[-1]).add(2).unsqueeze(0).expand(x.shape[0], -1)),
    "from the end": lambda m, x: m.table(torch.arange(x.shape[-1] - 1, -1, -1)),
    "every second": lambda m, x: m.table(torch.arange(0, x.shape[-1], 2).long().view(1, -1)),
    "multiplied": lambda m, x: m.table(3 * torch.arange(x.shape[-1])),
    "a buffer's first": lambda m, x: m.table(m.positions[:, : x.shape[-1]]),
    "relative": lambda m, x: m.bias[_relative(x) + 4],
    "relative, embedded": lambda m, x: m.table(_relative(x) + 6),
    "below zero from the end": lambda m, x: m.bias[_relative(x)],
    "changed": lambda m, x: m.table(_changed(x)),
    "modulo": lambda m, x: m.table(torch.arange(x.shape[-1]) % 12),
    "clamped": lambda m, x: m.table(torch.arange(x.shape[-1]).clamp(max=11)),
    "a list of its own": lambda m, x: x[..., m.picked],
    "written there": lambda m, x: x.clone().index_fill_(2, m.picked, 0.0),
    "set there": lambda m, x: x.clone().__setitem__((slice(None), slice(None), m.picked), 0.0),
    "set at a number": lambda m, x: x.clone().__setitem__((..., 4), 0.0),
    "a tuple": lambda m, x: x[:, :, (0, 3)],
    "selected": lambda m, x: x.index_select(-1, m.picked),
    "gathered": lambda m, x: m.bias.gather(0, torch.arange(x.shape[-1])[:, None].expand(-1, 2)),
    "scattered": lambda m, x: x.new_zeros(2, 7).scatter(1, torch.arange(x.shape[-1])[None].repeat(2, 1), 1.0),
    "classes": lambda m, x: F.one_hot(torch.arange(x.shape[-1]), 6),
}


@pytest.mark.parametrize("forward", FORWARDS.values(), ids=FORWARDS)
def test_positions_that_a_table_does_not_have(forward: Callable[[Any, Tensor], Any]) -> None:
    analysis = shapelint.analyze(Looking(forward), ("N", 3, "T"))
    assert analysis.certainty == "proven", analysis.certainty_reasons
    asked = oracle.Oracle(lambda: Looking(forward), ("N", 3, "T"), device="cpu")
    assert oracle.same_answer(analysis, asked, [{"N": 2, "T": length} for length in range(1, 46)]) == []


def test_the_message_says_how_long_the_table_is() -> None:
    told = shapelint.analyze(Looking(FORWARDS["learned positions"]), ("N", 3, "T")).why_not(T=13)
    assert told is not None
    assert "12 rows (num_embeddings)" in f"{told.message} {told.why}"
