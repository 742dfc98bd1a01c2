"""``max``, ``sum``, ``any`` and the like over as many items as a size says: what one item of each kind tells."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import shapelint
from tests import oracle

SIZES = [{"N": n, "T": t} for n, t in itertools.product(range(1, 8), (1, 2, 3, 4, 5, 8, 9))]


class Folding(nn.Module):
    """A model that is a function of its input."""

    def __init__(self, fold: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.fold = fold

    def forward(self, x: Tensor) -> Any:
        return self.fold(x)


def _padded_to_the_longest(x: Tensor) -> Any:
    rows = x.unbind(0)
    most = max(row.shape[0] for row in rows)
    return torch.stack([functional.pad(row, (0, most - len(row) + 1)) for row in rows])


def _rows_of_the_input(x: Tensor) -> Any:
    return x[:, : max(len(row) for row in x) - 1]


def _longest_in_a_list(x: Tensor) -> Any:
    return x[:, : max([row.shape[0] for row in x]) - 1]


def _pieces(x: Tensor) -> Any:
    return torch.zeros(sum(piece.shape[1] for piece in x.split(3, 1)), min(p.size(1) for p in x.chunk(4, 1)))


def _shortest_piece(x: Tensor) -> Any:
    return x[:, : min(piece.shape[1] for piece in x.split(3, 1))]


def _none_at_all(x: Tensor) -> Any:
    return x[:, : max((len(row) for row in x[1:]), default=0)]


def _sum_from_a_start(x: Tensor) -> Any:
    return torch.zeros(sum((row.shape[0] * 2 + x.shape[0] for row in x), 5))


def _sum_of_tensors(x: Tensor) -> Any:
    return sum([row * 2 for row in x])


def _any_long(x: Tensor) -> Any:
    return x[:, :4] if any(row.shape[0] > 4 for row in x) else x


def _all_even(x: Tensor) -> Any:
    if not all(row.shape[0] % 2 == 0 for row in x):
        raise ValueError("odd")
    return x


def _numbered_rows(x: Tensor) -> Any:
    return x[:, : max(row.shape[0] for _, row in enumerate(x))]


@pytest.mark.parametrize(
    "fold",
    [
        *(_padded_to_the_longest, _rows_of_the_input, _longest_in_a_list, _pieces, _shortest_piece, _none_at_all),
        *(_sum_from_a_start, _sum_of_tensors, _any_long, _all_even, _numbered_rows),
    ],
)
def test_items_that_are_asked_for_their_shapes(fold: Callable[[Tensor], Any]) -> None:
    analysis = shapelint.analyze(Folding(fold), ("N", "T"))
    assert analysis.certainty == "proven", analysis.certainty_reasons
    _agree(analysis, fold)


def _agree(analysis: shapelint.Analysis, fold: Callable[[Tensor], Any]) -> None:
    differing = oracle.same_answer(analysis, oracle.Oracle(lambda: Folding(fold), ("N", "T"), "cpu"), SIZES)
    assert not differing, "\n".join(map(str, differing[:5]))


def _positions(x: Tensor) -> Any:
    return x[:, : max(place + len(row) for place, row in enumerate(x))]


def _positions_in_a_list(x: Tensor) -> Any:
    return torch.zeros(sum([place for place, _ in enumerate(x)]))


def _filtered(x: Tensor) -> Any:
    return x[:, : max(len(row) for row in x if x.shape[0] > 0)]


def _what_the_rows_hold(x: Tensor) -> Any:
    return x[:, : max(len(row) if row.sum() > 9 else 1 for row in x)]


def _ranged(x: Tensor) -> Any:
    return functional.pad(x, (0, max(t * (6 - t) for t in range(x.shape[0]))))


def _taken_twice(x: Tensor) -> Any:
    lengths = (len(row) for row in x)
    return x[:, : max(lengths) + sum(lengths)]


@pytest.mark.parametrize(
    "fold", [_positions, _positions_in_a_list, _filtered, _what_the_rows_hold, _ranged, _taken_twice]
)
def test_items_that_are_asked_for_something_else(fold: Callable[[Tensor], Any]) -> None:
    analysis = shapelint.analyze(Folding(fold), ("N", "T"))
    assert analysis.certainty == "enumerated"
    if fold is not _what_the_rows_hold:  # noise decides that one
        _agree(analysis, fold)
