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


def _apart(x: Tensor) -> Tensor:
    """How far queries are from keys, as many as there are queries, as SAM and MViT count it: in floats."""
    queries, keys = x.shape[-1] // 2, x[..., ::2].shape[-1] - x.shape[-1] % 2
    steps = max(keys / queries, 1.0), max(queries / keys, 1.0)
    places = torch.arange(queries)[:, None] * steps[0] - torch.arange(keys)[None, :] * steps[1]
    return (places + (keys - 1) * steps[1]).long()


def _counted(x: Tensor) -> Tensor:
    """Positions counted along a mask that the model makes itself."""
    mask = torch.ones(x.shape[0], x.shape[-1])
    return (mask.cumsum(-1) * mask - 1).long()


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
    "apart, in floats": lambda m, x: m.bias[_apart(F.pad(x, (2, 0)))],
    "counted along a mask": lambda m, x: m.table(_counted(x) + 2),
    "in steps of a float": lambda m, x: m.table(torch.arange(0.0, x.shape[-1] * 1.0, 2.0).int()),
    "transposed": lambda m, x: m.bias[(torch.arange(x.shape[-1])[:, None] - torch.arange(x.shape[-1])[:, None].T) + 4],
    "permuted": lambda m, x: m.table(_relative(x).permute(1, 0).mT + 6),
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


def _filled(x: Tensor, number: Any) -> Tensor:
    return torch.full((x.shape[0], x.shape[-1]), number, device=x.device)


def _packed(x: Tensor) -> Tensor:
    """Where another sequence begins, as transformers finds it out for positions that are packed."""
    places = torch.arange(x.shape[-1], device=x.device)[None] + 3
    differences = torch.diff(places, prepend=places[:, :1] - 1, dim=-1)
    return (differences != 1).cumsum(-1)


TRUTHS: dict[str, tuple[Callable[[Tensor], Any], bool]] = {
    "a mask of ones": (lambda x: x.new_ones(x.shape[-1], dtype=torch.bool).all(), True),
    "a mask of zeros": (lambda x: torch.zeros(x.shape[0], x.shape[-1], dtype=torch.bool).any(), False),
    "some of a mask": (lambda x: torch.ones(4, x.shape[-1], dtype=torch.bool)[:, None, 0].all(), True),
    "counted": (lambda x: _filled(x, True).sum() == x.shape[0] * x.shape[-1], True),
    "counted, one too many": (lambda x: _filled(x, True).sum() > x.shape[0] * x.shape[-1], False),
    "flattened": (lambda x: torch.ones_like(x).flatten(1).bool().all(), True),
    "made smaller": (lambda x: F.interpolate(torch.ones_like(x), size=(4,)).to(torch.bool).all(), True),
    "negated": (lambda x: (~torch.ones_like(x, dtype=torch.bool)).any(), False),
    "not": (lambda x: torch.logical_not(_filled(x, False)).all(), True),
    "compared": (lambda x: (_filled(x, 3) >= 3).all(), True),
    "compared with a tensor": (lambda x: (_filled(x, 3) != torch.tensor(3)).any(), False),
    "both": (lambda x: (_filled(x, True) & (_filled(x, 3) < 4)).all(), True),
    "either": (lambda x: (_filled(x, False) | (_filled(x, 3) > 4)).any(), False),
    "packed positions": (lambda x: (_packed(x)[:, -1] == 0).all(), True),
    "steps": (lambda x: (torch.diff(torch.arange(0, 2 * x.shape[-1] + 2, 2)) == 2).all(), True),
    "as numbers": (lambda x: (_filled(x, True).float() * 2 == 2).all(), True),
}


class Branching(nn.Module):
    """A model that returns something else where what a function says of the input's shape is true."""

    def __init__(self, ask: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self._ask = ask

    def forward(self, x: Tensor) -> Tensor:
        return x[..., 1:] if self._ask(x) else x.repeat(1, 1, 2)


@pytest.mark.parametrize(("ask", "answer"), TRUTHS.values(), ids=TRUTHS)
def test_a_mask_that_is_the_same_everywhere_decides_a_branch(ask: Callable[[Tensor], Any], answer: bool) -> None:
    analysis = shapelint.analyze(Branching(ask), ("N", 3, "T"))
    assert (analysis.certainty, analysis.trace and analysis.trace.runs) == ("proven", 1)
    assert analysis.output_shape(N=2, T=9)[-1] == (8 if answer else 18)
    asked = oracle.Oracle(lambda: Branching(ask), ("N", 3, "T"), device="cpu")
    assert oracle.same_answer(analysis, asked, [{"N": 2, "T": length} for length in range(1, 20)]) == []


def _seen_through(view: Callable[[Tensor], Tensor], number: Any = True) -> Callable[[Tensor], Any]:
    """Whether a mask is as it was, after something was written into what may be a view of it."""

    def ask(x: Tensor) -> Any:
        mask = _filled(x, number)
        seen = view(mask)
        seen[0] = 0
        return (mask if mask.dtype is torch.bool else mask == number).all()

    return ask


def _changed_by(change: Callable[[Tensor], object]) -> Callable[[Tensor], Any]:
    def ask(x: Tensor) -> Any:
        numbers = _filled(x, -3)
        change(numbers)
        return (numbers == -3).all()

    return ask


CHANGES: dict[str, Callable[[Tensor], Any]] = {
    "not converted": _seen_through(lambda mask: mask.to(torch.bool)),
    "a copy": _seen_through(lambda mask: mask.to(torch.int64)),
    "bool": _seen_through(lambda mask: mask.bool()),
    "long": _seen_through(lambda mask: mask.long(), 3),
    "ravelled": _seen_through(lambda mask: mask.ravel()),
    "a view": _seen_through(lambda mask: mask.view(-1)),
    "a view of what was filled": _seen_through(lambda mask: mask.fill_(True).view(-1)),
    "a layer": _changed_by(lambda numbers: nn.ReLU(inplace=True)(numbers)),
    "a function": _changed_by(lambda numbers: F.relu(numbers, inplace=True)),
    "a method": _changed_by(lambda numbers: numbers.clamp_(min=0)),
    "may be empty": lambda x: torch.zeros(x.shape[-1] - 1, dtype=torch.bool).all(),
    "no number at all": lambda x: torch.ones(x.shape[-1] - 1, dtype=torch.bool).any(),
    "different numbers": lambda x: (torch.arange(x.shape[-1]) == 0).all(),
    "other steps": lambda x: (torch.diff(torch.arange(x.shape[-1]), prepend=torch.tensor([-2])) == 1).all(),
    "smoothed": lambda x: (F.interpolate(x.new_full((1, 1, x.shape[-1]), 3.0), size=4, mode="linear") == 3).any(),
    "run up": lambda x: (_filled(x, True).cumsum(-1) == 1).all(),
    "rounded": lambda x: (torch.full_like(x, 2**24) == 2**24 + 1).all(),
}


@pytest.mark.parametrize("ask", CHANGES.values(), ids=CHANGES)
def test_a_mask_that_may_not_be_the_same_everywhere_decides_nothing(ask: Callable[[Tensor], Any]) -> None:
    analysis = shapelint.analyze(Branching(ask), ("N", 3, "T"))
    asked = oracle.Oracle(lambda: Branching(ask), ("N", 3, "T"), device="cpu")
    assert oracle.same_answer(analysis, asked, [{"N": 2, "T": length} for length in range(1, 12)]) == []
