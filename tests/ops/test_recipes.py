"""Recipes that say the same are computed once, and no others are taken for the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import shapelint
from shapelint.ops.recipes import Blank, Recipe, Results, computed
from shapelint.sizes.dim import dim


def _positions(
    *,
    size: Any = None,
    function: Callable[..., Any] = torch.Tensor.add,
    value: Any = 2,
    part: int | None = None,
    in_place: bool = False,
    index: Any = slice(1, None),
    like: torch.dtype = torch.int64,
    more: tuple[Any, ...] = (),
    names: tuple[str, ...] = ("alpha",),
) -> Recipe:
    count = dim("H") if size is None else size
    ramp = Recipe(torch.arange, (count,), {"dtype": torch.int64})
    first = Recipe(torch.Tensor.__getitem__, (ramp, index), {})
    blank = Recipe(torch.zeros_like, (Blank((count - 1,), like),), {})
    summed = Recipe(function, (first, blank, *more), dict.fromkeys(names, value), in_place, part)
    # what is used twice is asked once
    return Recipe(torch.stack, ([summed, first],), {"dim": 0})


TENSOR = torch.ones(3)
OTHERS: dict[str, dict[str, Any]] = {
    "size": {"size": dim("H") + 1},
    "symbol": {"size": dim("W")},
    "function": {"function": torch.Tensor.sub},
    "number": {"value": 3},
    "truth": {"value": True},
    "fraction": {"value": 2.0},
    "part": {"part": 0},
    "in place": {"in_place": True},
    "subscript": {"index": slice(2, None)},
    "kind of subscript": {"index": (slice(1, None),)},
    "dtype": {"like": torch.int32},
    "one more": {"more": (1,)},
    "name": {"names": ("beta",)},
    "a tensor": {"value": TENSOR},
}


def test_what_is_written_alike_is_the_same() -> None:
    results = Results(_positions())
    assert results.are_of(_positions())
    assert torch.equal(results.at({"H": 5}), computed(_positions(), {"H": 5}))
    assert results.at({"H": 5}) is results.at({"H": 5})
    assert torch.equal(results.at({"H": 7}), computed(_positions(), {"H": 7}))


@pytest.mark.parametrize("other", OTHERS)
def test_what_differs_is_not_the_same(other: str) -> None:
    assert not Results(_positions()).are_of(_positions(**OTHERS[other]))
    assert not Results(_positions(**OTHERS[other])).are_of(_positions())


def test_real_tensors_may_change_and_zeros_have_a_sign() -> None:
    assert not Results(_positions(value=TENSOR)).are_of(_positions(value=TENSOR))
    assert not Results(_positions(value=0.0)).are_of(_positions(value=-0.0))


class Looking(nn.Module):
    """Looks positions up in a table that nothing but trying says to exist."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.zeros(64, 2))

    def forward(self, x: Tensor) -> Tensor:
        places = torch.arange(x.shape[-1]).float().add(1).log2().long()
        return x + self.table[places].sum()


def test_layers_that_look_up_the_same_try_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[Any] = []

    def counted(recipe: Any, sizes: dict[str, int]) -> Tensor:
        runs.append(sizes)
        return computed(recipe, sizes)

    monkeypatch.setattr("shapelint.ops.recipes.computed", counted)
    one = shapelint.analyze(Looking(), ("N", 2, "T"))
    tried = len(runs)
    four = shapelint.analyze(nn.Sequential(*(Looking() for _ in range(4))), ("N", 2, "T"))
    assert one.certainty == four.certainty == "probed"
    assert len(runs) == 2 * tried > 0
