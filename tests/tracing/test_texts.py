"""Sizes in texts that a model formats with ``%`` keep their formulas, and cost no proof."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import shapelint


class Strict(nn.Module):
    """A model that words its refusal in one of the ways people do."""

    def __init__(self, words: str) -> None:
        super().__init__()
        self.words = words

    def forward(self, x: Tensor) -> Tensor:
        height, half = x.shape[2], x.shape[3] / 2
        if height % 8:
            if self.words == "%d":
                raise ValueError("needs multiples of %d, got %d and %.1f" % (8, height - 1, half))  # noqa: UP031 - as people write it
            if self.words == "%i":
                raise ValueError("got %5i" % height)  # noqa: UP031
            raise ValueError(f"got {height:d} and {half:.2f}")
        return x[:, :, ::8]


@pytest.mark.parametrize(
    ("words", "reason"),
    [("%d", "needs multiples of 8, got H - 1 and (W)/(2)"), ("%i", "got H"), ("{}", "got H and (W)/(2)")],
)
def test_a_size_in_a_message_is_told_by_its_formula(words: str, reason: str) -> None:
    analysis = shapelint.analyze(Strict(words), ("N", 3, "H", "W"))
    assert analysis.certainty == "proven", analysis.certainty_reasons
    assert [size for size in range(1, 30) if analysis.accepts(H=size, W=5)] == [8, 16, 24]
    told = analysis.why_not(H=9, W=5)
    assert told is not None
    assert reason in f"{told.message} {told.why}"


def test_a_number_is_still_asked_for_elsewhere() -> None:
    class Counting(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            rows = {row: x[:, :, row] for row in range(x.shape[2])}
            return torch.stack(list(rows.values()))

    assert shapelint.analyze(Counting(), ("N", 3, "H", "W")).certainty == "enumerated"
