"""Positions that are clamped, taken modulo, divided, joined or reordered: which of them exist, as on the CPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import shapelint
from tests import oracle


class Places(nn.Module):
    """Positions that are others for long inputs."""

    def forward(self, x: Tensor) -> Tensor:
        return places(x) // 2 if x.shape[-1] > 8 else places(x)


class Looking(nn.Module):
    """A model with tables and constant indices, whose forward is a function."""

    def __init__(self, forward: Callable[[Any, Tensor], Any]) -> None:
        super().__init__()
        self.table = nn.Embedding(12, 4)
        self.bags = nn.EmbeddingBag(12, 4)
        self.register_buffer("picked", torch.tensor([0, 5, 2, 9]))
        self.register_buffer("from_the_end", torch.tensor([-3, 1]))
        self.places = Places()
        self._forward = forward

    def forward(self, x: Tensor) -> Any:
        return self._forward(self, x)


def places(x: Tensor) -> Tensor:
    return torch.arange(x.shape[-1], device=x.device)


def _twice(x: Tensor) -> Tensor:
    return torch.arange(x.shape[-1] * 2)


def _apart(x: Tensor) -> Tensor:
    return places(x)[None] - places(x)[:, None]


def _grid(x: Tensor) -> Tensor:
    rows, columns = torch.meshgrid(places(x), torch.arange(3), indexing="ij")
    return rows * 3 + columns


def _put_together(x: Tensor) -> Tensor:
    positions = torch.empty(3, dtype=torch.long, device=x.device)
    positions[0] = 6
    positions[1:] = 2
    return positions


def _added_in_place(x: Tensor) -> Tensor:
    positions = places(x)
    positions += 2
    return positions


def _written(x: Tensor) -> Tensor:
    positions = places(x).clamp(max=3)
    positions[2:] = 11
    return positions


def _within(x: Tensor, choose: Callable[[Tensor], Tensor]) -> Tensor:
    return choose(places(x))


def _above(x: Tensor, choose: Callable[[Tensor], Tensor]) -> Tensor:
    return choose(9 - places(x))


def _rows(x: Tensor, count: int) -> Tensor:
    return x.flatten(1)[:, torch.arange(count)[:, None] * x.shape[-1] + places(x)]


Forward = Callable[[Any, Tensor], Any]


def _of_windows(height: int, width: int) -> Tensor:
    """As a window's attention numbers its pairs, beyond the table where both sides are long."""
    sides = torch.stack(torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij"))
    return (sides * torch.tensor([5, 1])[:, None, None]).sum(0)


FOLLOWED: dict[str, Forward] = {
    "clamped too high": lambda m, x: m.table(places(x).clamp(max=12)),
    "clamped below only": lambda m, x: m.table((places(x) - 5).clamp(min=0)),
    "clamped below zero": lambda m, x: m.table((places(x) - 5).clamp(-1, 3)),
    "relative and clamped": lambda m, x: m.table(_apart(x).clamp(-5, 6) + 5),
    "relative without sign": lambda m, x: m.table(_apart(x).abs()),
    "chosen below a limit": lambda m, x: m.table(_within(x, lambda p: torch.where(p < 12, p, 11))),
    "chosen up to a limit": lambda m, x: m.table(_within(x, lambda p: torch.where(p.le(11), p, 0))),
    "chosen above a limit": lambda m, x: m.table(_above(x, lambda p: torch.where(p > -3, p, -2)) + 2),
    "chosen from a limit": lambda m, x: m.table(_above(x, lambda p: torch.where(p >= -2, p, -2)) + 2),
    "modulo too much": lambda m, x: m.table(places(x) % 13),
    "modulo below zero": lambda m, x: m.table((places(x) - 20) % 12),
    "modulo and moved": lambda m, x: m.table(torch.remainder(places(x), 5) + 9),
    "modulo the size": lambda m, x: x[:, :, m.picked % x.shape[-1]],
    "halved": lambda m, x: m.table(places(x) // 2),
    "divided": lambda m, x: m.table(torch.div(places(x) - 2, 3, rounding_mode="trunc")),
    "shifted by a bit": lambda m, x: m.table(places(x) >> 1),
    "by the size": lambda m, x: m.table(torch.arange(24) // x.shape[-1]),
    "flipped": lambda m, x: m.table(places(x).flip(0)),
    "rolled": lambda m, x: m.table(torch.roll(places(x), 1)),
    "after one another": lambda m, x: m.table(torch.cat([places(x), places(x) + 3])),
    "a list of one": lambda m, x: m.table(torch.cat([places(x) // 2])),
    "sizes in a list of one": lambda m, x: x[:, :, torch.tensor([x.shape[-1] // 2]) - 2],
    "on one another": lambda m, x: m.table(torch.stack([places(x), places(x) + 3])),
    "no more than": lambda m, x: m.table(torch.minimum(places(x), torch.full((x.shape[-1],), 12))),
    "from the middle on": lambda m, x: m.table(torch.arange(x.shape[-1] + 5)[5:]),
    "every second": lambda m, x: m.table(torch.arange(x.shape[-1] * 2)[::2]),
    "the last": lambda m, x: m.table(torch.arange(x.shape[-1] + 5)[-3:]),
    "elsewhere for some sizes": lambda m, x: m.table(m.places(x)),
    "rows and columns": lambda m, x: x[:, _twice(x) // x.shape[-1], _twice(x) % x.shape[-1]],
    "thirds": lambda m, x: x.new_zeros(3).scatter_add(0, places(x) * 3 // x.shape[-1], x[0, 0]),
    "around": lambda m, x: x[:, :, (places(x) + 3) % x.shape[-1]],
    "in two rows": lambda m, x: m.table(torch.arange(x.shape[-1] * 2).view(2, -1)),
    "on a grid": lambda m, x: m.table(_grid(x)),
    "on a flat grid": lambda m, x: m.table(_grid(x).flatten()),
    "multiplied": lambda m, x: m.table(places(x)[None] * places(x)[:, None]),
    "counted": lambda m, x: m.table(torch.ones(x.shape[-1], dtype=torch.long).cumsum(0)),
    "the same everywhere": lambda m, x: m.table(torch.full((x.shape[-1],), x.shape[-1] // 2)),
    "as floats": lambda m, x: m.table(torch.arange(x.shape[-1], dtype=torch.float32).long()),
    "repeated": lambda m, x: m.table(places(x).repeat_interleave(2)),
    "downwards": lambda m, x: m.table(torch.sort(places(x), descending=True)[0]),
    "added in place": lambda m, x: m.table(_added_in_place(x)),
    "written": lambda m, x: m.table(_written(x)),
    "at random, each once": lambda m, x: m.table(torch.randperm(x.shape[-1])),
    "the fourth": lambda m, x: x.gather(2, x.kthvalue(4, keepdim=True).indices),
    "the five greatest": lambda m, x: x.gather(2, x.topk(5).indices),
    "the five greatest along another": lambda m, x: x.gather(2, x.mT.topk(5, 1)[1].mT),
    "in order": lambda m, x: m.table.weight[x.argsort(-1)],
    "bags": lambda m, x: m.bags(places(x)[None]),
    "bags, functional": lambda m, x: F.embedding_bag(places(x)[None], m.table.weight),
    "classes": lambda m, x: F.one_hot(places(x) // 3, 3),
    "constant, expanded": lambda m, x: x.gather(2, m.picked[None, None].expand(x.shape[0], 2, -1)),
    "constant, repeated": lambda m, x: x.gather(2, m.picked.view(1, 1, 4).repeat(x.shape[0], 2, 1)),
    "constant, below zero": lambda m, x: x.gather(2, (m.picked - 1)[None, None].expand(x.shape[0], 2, -1)),
    "constant, from the end": lambda m, x: x[:, :, m.from_the_end],
    "constant, not from the end": lambda m, x: x.index_select(2, m.from_the_end),
    "constant, wrapped": lambda m, x: x.take_along_dim(m.picked[None, None], 2),
    "constant, of all": lambda m, x: x.take(m.picked),
    "constant, scattered": lambda m, x: x.scatter(2, m.picked[None, None].expand(x.shape[0], 2, -1), 0.0),
    "constant, clamped": lambda m, x: x[:, :, m.picked.clamp(max=x.shape[-1] - 1)],
    "a single number": lambda m, x: x[:, :, places(x)[-1] - 4],
    "two rows of pixels": lambda m, x: _rows(x, 2),
    "three rows of pixels": lambda m, x: _rows(x, 3),
    "added to": lambda m, x: torch.zeros(x.shape[0], 2, 4).index_add(2, places(x) // 4, x),
    "windows of all": lambda m, x: x[:, :, places(x).unfold(0, 3, 2)],
    "copied to the input's type": lambda m, x: x[:, :, x.new_tensor(places(x) // 2).long()],
    "all of a fixed number, at random": lambda m, x: x[:, :, torch.randperm(8, device=x.device)],
    "few at random": lambda m, x: m.table(torch.randint(0, 12, (x.shape[-1],))),
    "fewer at random": lambda m, x: m.table(torch.randint(12, (3,))),
    "constant, on the input's device": lambda m, x: x[:, :, torch.tensor([0, 5], device=x.device)],
    "constant, moved there": lambda m, x: x[:, :, torch.arange(6).to(x.device)],
    "constant, of the model, moved there": lambda m, x: x[:, :, m.picked.to(device=x.device, non_blocking=True)],
    "constant, filled there": lambda m, x: x[:, :, torch.full((2,), 6, device=x.device)],
    "constant, computed there": lambda m, x: x[:, :, torch.linspace(0, 6, 3, device=x.device).long()],
    "constant, of a new tensor": lambda m, x: m.table(m.picked.new_zeros(x.shape[-1], device=x.device) + 11),
    "constant, written there": lambda m, x: x[:, :, _put_together(x)],
    "in a window": lambda m, x: m.table((torch.arange(min(x.shape[-1], 4)) * 4.5).long()),
    "in two windows": lambda m, x: m.table(_of_windows(min(x.shape[-1], 3), x.shape[-1] % 4)),
    "in the table's window": lambda m, x: x[:, :, : min(x.shape[-1], 5)][:, :, (torch.arange(4) * 1.1).long()],
    "windows": lambda m, x: x[:, :, torch.arange(0, x.shape[-1] - 2, 2)[:, None] + torch.arange(4)],
}


@pytest.mark.parametrize("forward", FOLLOWED.values(), ids=FOLLOWED)
def test_which_positions_exist(forward: Forward) -> None:
    analysis = shapelint.analyze(Looking(forward), ("N", 2, "T"))
    assert analysis.certainty == "proven", analysis.certainty_reasons
    asked = oracle.Oracle(lambda: Looking(forward), ("N", 2, "T"), device="cpu")
    assert oracle.same_answer(analysis, asked, [{"N": n, "T": t} for n in (1, 2) for t in range(1, 46)]) == []


def _overwritten_elsewhere(x: Tensor) -> Tensor:
    positions = places(x)
    positions[1:].mul_(3)
    return positions


def _changed_below(x: Tensor) -> Tensor:
    positions = places(x)
    row = positions.view(1, -1)
    positions += 3
    return row


def _changed_through(view: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    positions = places(x)
    view(positions).add_(3)
    return positions


def _overwritten_far_away(x: Tensor) -> Tensor:
    positions = places(x)
    positions[1:][2:].mul_(3)
    return positions


def _windows(x: Tensor) -> Tensor:
    """As a relative position bias has it: parts of the positions are changed in place."""
    both = torch.stack([_apart(x), _apart(x)], -1)
    both[:, :, 0] += x.shape[-1] - 1
    both[:, :, 0] *= 2
    return both.sum(-1)


TRIED: dict[str, Forward] = {
    "parts of it changed": lambda m, x: m.table(_windows(x)),
    "a view of it changed": lambda m, x: m.table(_overwritten_elsewhere(x)),
    "scaled": lambda m, x: m.table((places(x) * 0.5).long()),
    "scaled by sizes": lambda m, x: m.table((places(x) * max(x.shape[-1] / (x.shape[-1] // 2 + 1), 1.0)).long()),
    "spread": lambda m, x: x[:, :, torch.linspace(0, x.shape[-1] - 1, 7).long()],
    "spread too far": lambda m, x: m.table(torch.linspace(0, 12, x.shape[-1]).long()),
    "the larger of two": lambda m, x: m.table(torch.max(places(x), places(x).flip(0))),
    "a type of few bits": lambda m, x: m.table((places(x) * 2).clamp(max=10).to(torch.int16).long()),
    "other bits": lambda m, x: m.table(places(x).float().view(torch.int32).clamp(max=13).long()),
    "too few bits": lambda m, x: m.table((places(x) * 100).to(torch.int8).abs().long() // 11),
    "some": lambda m, x: m.table(torch.where(places(x) < 13, places(x), 0)),
    "logarithms": lambda m, x: m.table(torch.log2(places(x).float() + 1).long()),
    "one too high": lambda m, x: m.table(places(x).index_fill(0, torch.tensor([0]), 30)),
}


@pytest.mark.parametrize("forward", TRIED.values(), ids=TRIED)
def test_positions_that_no_rule_follows_are_tried_and_said_to_be(forward: Forward) -> None:
    analysis = shapelint.analyze(Looking(forward), ("N", 2, "T"))
    assert analysis.certainty == "probed"
    assert "only tried at" in analysis.certainty_reasons[0]
    asked = oracle.Oracle(lambda: Looking(forward), ("N", 2, "T"), device="cpu")
    assert oracle.same_answer(analysis, asked, [{"N": n, "T": t} for n in (1, 2) for t in range(1, 46)]) == []


def _beyond_by_a_ratio(m: Any, x: Tensor) -> Tensor:
    return x[..., torch.arange(x.shape[2]) + 1 - x.shape[1] // x.shape[2]]


def _beyond_now_and_then(m: Any, x: Tensor) -> Tensor:
    size = x.shape[2]
    return m.table((places(x) * 0 + 9 + 7 * (size % 3)).float().exp().log().round().long())


@pytest.mark.parametrize("forward", [_beyond_by_a_ratio, _beyond_now_and_then])
def test_positions_that_do_not_exist_at_sizes_without_a_bound_are_enumerated(forward: Forward) -> None:
    analysis = shapelint.analyze(Looking(forward), (1, "C", "T"))
    assert analysis.certainty == "enumerated"
    assert "one does not exist" in analysis.certainty_reasons[0]
    asked = oracle.Oracle(lambda: Looking(forward), (1, "C", "T"), device="cpu")
    assert oracle.same_answer(analysis, asked, [{"C": c, "T": t} for c in (1, 3, 8) for t in range(1, 12)]) == []


ON_DATA: dict[str, Forward] = {
    "the greatest": lambda m, x: m.table(x.argmax(2)),
    "some of the greatest": lambda m, x: m.table(x.topk(1, -1).indices),
    "at random": lambda m, x: m.table(torch.randint(0, x.shape[-1], (50,))),
    "at random, of a fixed number": lambda m, x: x[:, :, torch.randint(0, 8, (3,))],
    "at random, on the input's device": lambda m, x: x[:, :, torch.randint(0, 8, (3,), device=x.device)],
    "changed under a view": lambda m, x: m.table(_changed_below(x)),
    "changed through data": lambda m, x: m.table(_changed_through(lambda positions: positions.data, x)),
    "changed through a transposed view": lambda m, x: m.table(_changed_through(lambda p: p[None].T, x)),
    "changed through a view of a view": lambda m, x: m.table(_overwritten_far_away(x)),
}


@pytest.mark.parametrize("forward", ON_DATA.values(), ids=ON_DATA)
def test_positions_that_may_not_exist_cost_the_proof(forward: Forward) -> None:
    analysis = shapelint.analyze(Looking(forward), ("N", 2, "T"))
    assert analysis.certainty == "probed"
    assert "positions are looked up" in analysis.certainty_reasons[0]


def test_what_a_model_without_contents_writes_is_not_known() -> None:
    class Written(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("offset", torch.zeros(1, dtype=torch.long, device="meta"))

        def forward(self, x: Tensor) -> Tensor:
            positions = torch.full((3,), 9, device=x.device)
            positions[:] = self.offset
            positions += self.offset
            return x[:, :, positions]

    analysis = shapelint.analyze(Written(), ("N", 2, "T"))
    assert analysis.accepts(N=1, T=2)


def test_places_of_the_greatest_exist_where_they_come_from() -> None:
    analysis = shapelint.analyze(Looking(lambda m, x: x.gather(2, x.argmax(2, keepdim=True))), ("N", 2, "T"))
    assert analysis.certainty == "proven"
    assert str(analysis.valid_sizes) == "T: all sizes"


class TokensInPlaces(nn.Module):
    """Token ids with a table of 12 positions, which are counted as transformers count them past padding."""

    def __init__(self, positions: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.tokens = nn.Embedding(30, 4)
        self.table = nn.Embedding(12, 4)
        self._positions = positions

    def forward(self, ids: Tensor) -> Tensor:
        return self.tokens(ids) + self.table(self._positions(ids))


@pytest.mark.parametrize(
    "positions",
    [
        lambda ids: torch.cumsum(ids.ne(1).int(), dim=1).type_as(ids) * ids.ne(1).int() + 1,
        lambda ids: (ids != 1).long().cumsum(-1) - 0,
        lambda ids: (~(ids == 1)).cumsum(1),
        lambda ids: (ids > 0).to(torch.int64).cumsum(1) // 2 + 3,
        lambda ids: ((ids != 1).long().cumsum(-1) - 1).clamp(min=0),
        lambda ids: (ids != 1).long(),
    ],
)
def test_positions_counted_past_padding_exist_up_to_as_many_as_there_are_tokens(
    positions: Callable[[Tensor], Tensor],
) -> None:
    model = TokensInPlaces(positions).eval()
    analysis = shapelint.analyze(model, "int64[N,T]")
    assert analysis.certainty == "proven"
    for length in range(1, 40):
        assert analysis.accepts(N=2, T=length) == _runs(model, torch.full((2, length), 7))


def _runs(model: nn.Module, ids: Tensor) -> bool:
    try:
        model(ids)
    except IndexError:
        return False
    return True


def test_counts_of_a_mask_that_sizes_make_are_not_taken_to_be_full() -> None:
    def positions(ids: Tensor) -> Tensor:
        few = torch.arange(ids.shape[1]) < 5
        return few.long().cumsum(0).expand_as(ids)

    model = TokensInPlaces(positions).eval()
    analysis = shapelint.analyze(model, "int64[N,T]")
    assert all(analysis.accepts(N=2, T=length) for length in range(1, 40))
