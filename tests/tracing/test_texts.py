"""Sizes in texts that a model words for people keep their formulas; texts that decide something cost the proof."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import shapelint
from tests import oracle


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


class Tables(nn.Module):
    """A model that looks something up by a text in which its input's height stands."""

    def __init__(self, find: Callable[[Any, int], Any]) -> None:
        super().__init__()
        self.layers = nn.ModuleDict({"8": nn.Conv2d(3, 5, 1)})
        self.pe_8 = 2
        self.find = find

    def forward(self, x: Tensor) -> Tensor:
        return x.repeat(1, 2, 1, 1) if self.find(self, x.shape[2]) else x


def _by_f_string(model: Any, height: int) -> Any:
    return hasattr(model, f"pe_{height}")


def _by_str(model: Any, height: int) -> Any:
    return str(height) in model.layers


def _by_percent(model: Any, height: int) -> Any:
    return "pe_%d" % height in vars(model)  # noqa: UP031 - as people write it


def _by_variable(model: Any, height: int) -> Any:
    name = f"pe_{height}"
    return getattr(model, name, None)


def _by_shape(model: Any, height: int) -> Any:
    return str((height, 1)) == "(8, 1)"


def _by_length(model: Any, height: int) -> Any:
    return len(str(height)) > 1


def _by_format(model: Any, height: int) -> Any:
    return {"8": 1}.get(f"{height}", 0)


@pytest.mark.parametrize("find", [_by_f_string, _by_str, _by_percent, _by_variable, _by_shape, _by_length, _by_format])
def test_a_text_that_decides_is_made_at_every_size(find: Callable[[Any, int], Any]) -> None:
    model = Tables(find)
    analysis = shapelint.analyze(model, (1, 3, "H", 4))
    assert analysis.certainty == "enumerated"
    assert any("text with a size in it" in reason for reason in analysis.certainty_reasons)
    for height in (7, 8, 9, 10, 12):
        assert analysis.output_shape(H=height) == oracle.run(model, (1, 3, height, 4), device="cpu")


def test_texts_that_are_only_told_cost_no_proof() -> None:
    class Telling(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            height = x.shape[2]
            logging.getLogger("shapelint.tests").debug(f"in: {height}")
            message = f"needs a multiple of 8, got {height}"
            message += f" of {x.shape}"
            torch._assert(height != 3, f"not {height}")
            assert height != 5, f"nor {height}"
            if height % 8:
                raise ValueError(message)
            return x

    analysis = shapelint.analyze(Telling(), ("N", 3, "H", "W"))
    assert analysis.certainty == "proven", analysis.certainty_reasons
    assert [size for size in range(1, 30) if analysis.accepts(H=size, W=5)] == [8, 16, 24]
