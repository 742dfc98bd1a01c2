"""Branches on products of sizes (how many tokens there are) that change how something is computed, and no size."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import shapelint
from shapelint.limits import Limits

SIDES = (1, 2, 3, 4, 7, 99, 140, 141, 142, 143, 201)
MANY = 5_000


class Tokens(nn.Module):
    """A layer, what is done with its result, and a layer for tokens."""

    def __init__(self, then: Callable[[Any, Tensor], Tensor]) -> None:
        super().__init__()
        self.down = nn.Conv2d(3, 4, 3, stride=2, padding=1)
        self.mix = nn.Linear(4, 4)
        self._then = then

    def forward(self, x: Tensor) -> Tensor:
        return self._then(self, self.down(x))


def _in_chunks(m: Any, y: Tensor) -> Tensor:
    n, c, h, w = y.shape
    tokens = y.permute(0, 2, 3, 1).reshape(-1, c)
    if tokens.shape[0] <= MANY:
        tokens = m.mix(tokens)
    else:
        chunks = []
        for start in range(0, tokens.shape[0], MANY):
            chunk = tokens[start : start + MANY]
            chunks.append(m.mix(chunk))
        tokens = torch.cat(chunks)
    return tokens.unflatten(0, (n, h, w)).permute(0, 3, 1, 2)


def _in_chunks_of_a_comprehension(m: Any, y: Tensor) -> Tensor:
    _, c, h, w = y.shape
    tokens = y.permute(0, 2, 3, 1).reshape(-1, c)
    if h * w > MANY:
        tokens = torch.cat([m.mix(tokens[i : i + MANY]) for i in range(0, h * w, MANY)])
    return tokens.unflatten(0, (-1, h, w))


def _asked_twice(m: Any, y: Tensor) -> Tensor:
    count = y.shape[2] * y.shape[3]
    if count > MANY:
        y = m.mix(y.transpose(1, 3)).transpose(1, 3)
    if count > MANY + 2_000 and count <= MANY:
        raise ValueError("no count is both")
    return y


def _both_sides_refuse_odd_heights(m: Any, y: Tensor) -> Tensor:
    if y.shape[2] * y.shape[3] > MANY:
        return y + y[:, :, : y.shape[2] // 2 * 2].clone()
    return y[:, :, : y.shape[2] // 2 * 2] + y


def _large_ones_raise(m: Any, y: Tensor) -> Tensor:
    if y.shape[2] * y.shape[3] > MANY:
        raise ValueError("too many tokens")
    return y


def _large_ones_are_cropped(m: Any, y: Tensor) -> Tensor:
    return y[..., :1] if y.shape[2] * y.shape[3] > MANY else y


def _large_ones_must_be_even(m: Any, y: Tensor) -> Tensor:
    if y.shape[2] * y.shape[3] > MANY:
        return y + y[:, :, : y.shape[2] // 2 * 2].clone()
    return y


def _run(forward: Callable[[Any, Tensor], Tensor], height: int, width: int) -> tuple[int, ...] | None:
    try:
        with torch.device("meta"):
            return tuple(Tokens(forward)(torch.empty(1, 3, height, width)).shape)
    except (RuntimeError, ValueError):
        return None


def _agrees(analysis: shapelint.Analysis, forward: Callable[[Any, Tensor], Tensor]) -> None:
    for height, width in itertools.product(SIDES, repeat=2):
        expected = _run(forward, height, width)
        assert analysis.accepts(H=height, W=width) is (expected is not None), (height, width)
        if expected is not None:
            assert analysis.output_shape(H=height, W=width) == expected, (height, width)
        else:
            assert analysis.why_not(H=height, W=width) is not None


@pytest.mark.parametrize(
    "forward", [_in_chunks, _in_chunks_of_a_comprehension, _asked_twice, _both_sides_refuse_odd_heights]
)
def test_a_branch_on_a_product_whose_sides_agree_is_proven(forward: Callable[[Any, Tensor], Tensor]) -> None:
    analysis = shapelint.analyze(Tokens(forward), (1, 3, "H", "W"))
    assert analysis.certainty == "proven", analysis.certainty_reasons
    _agrees(analysis, forward)


@pytest.mark.parametrize("forward", [_large_ones_raise, _large_ones_are_cropped, _large_ones_must_be_even])
def test_sides_that_differ_are_no_proof(forward: Callable[[Any, Tensor], Tensor]) -> None:
    analysis = shapelint.analyze(Tokens(forward), (1, 3, "H", "W"), limits=Limits(enumeration_seconds=0.01))
    assert analysis.certainty == "enumerated"
    assert "beyond what a set of sizes can express" in analysis.certainty_reasons[0]
    _agrees(analysis, forward)


def test_no_symbol_of_a_product_is_left_in_what_is_told() -> None:
    analysis = shapelint.analyze(Tokens(_both_sides_refuse_odd_heights), (1, 3, "H", "W"))
    assert set(analysis.valid_sizes.symbols) == {"H", "W"}
    assert str(analysis.valid_sizes) == "H: size mod 4 in 0, 3, at least 3, and 1, 2; W: all sizes"
    assert analysis.trace is not None
    assert not any(call.domain.restricted_products for call in analysis.trace.calls)
    assert not any(failure.sizes().restricted_products for failure in analysis.trace.failures)
