"""A branch that makes no difference is not followed twice; one that may make some is."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import shapelint

Forward = Callable[[Tensor], Tensor]


def known_or(x: Tensor) -> Tensor:
    one, other = x.shape[-1], x.flip(-1).shape[-1]
    if one == 1 or other == one:
        return x
    return x[..., 1:]


def known_or_within_and(x: Tensor, more: bool = True) -> Tensor:
    one, other = x.shape[-1], x.flip(-1).shape[-1]
    if (one == 1 or other == one) and more:
        return x
    return x[..., 1:]


def known_and(x: Tensor) -> Tensor:
    one, other = x.shape[-1], x.flip(-1).shape[-1]
    if one > 4 and other != one:
        return x[..., 1:]
    return x


def known_at_last(x: Tensor) -> Tensor:
    one, other = x.shape[-1], x.flip(-1).shape[-1]
    if one == 7 or one < 1 or other == one:
        return x
    return x[..., 1:]


def other_sides(x: Tensor) -> Tensor:
    one, other = x.shape[-1], x.flip(-1).shape[-1]
    if one < 4:
        return x[..., :1]
    elif other == one:
        return x
    return x[..., 1:]


def known_only_for_some(x: Tensor) -> Tensor:
    one, other = x.shape[-1], x.shape[-2]
    if one < 4 or other == one:
        return x
    return x[..., 1:]


def known_the_other_way(x: Tensor) -> Tensor:
    one, other = x.shape[-1], x.flip(-1).shape[-1]
    if one < 4 or other != one:
        return x
    return x[..., 1:]


def the_value_matters(x: Tensor) -> Tensor:
    one, other = x.shape[-1], x.flip(-1).shape[-1]
    chosen = one < 4 or other == one
    return x if chosen else x[..., 1:]


def a_call_in_between(x: Tensor) -> Tensor:
    one, seen = x.shape[-1], list[int]()
    if one < 4 or seen.append(1) is None:
        return x[..., len(seen) :]
    return x


class Model(nn.Module):
    def __init__(self, forward: Forward) -> None:
        super().__init__()
        self.work = forward

    def forward(self, x: Tensor) -> Tensor:
        return self.work(x)


def as_torch_has_it(forward: Forward) -> shapelint.Analysis:
    """The analysis, at each size the same as the model itself."""
    model = Model(forward)
    analysis = shapelint.analyze(model, ("H", "W"))
    assert analysis.certainty == "proven"
    for height in (1, 5, 9):
        for width in range(1, 9):
            if not analysis.accepts(H=height, W=width):
                pytest.fail(f"{height} x {width} runs")
            assert analysis.output_shape(H=height, W=width) == tuple(model(torch.zeros(height, width)).shape)
    return analysis


@pytest.mark.parametrize("forward", [known_or, known_or_within_and, known_and, known_at_last])
def test_one_run_where_both_sides_go_on_at_one_place(forward: Forward) -> None:
    analysis = as_torch_has_it(forward)
    assert analysis.trace is not None
    assert analysis.trace.runs == 1


@pytest.mark.parametrize("forward", [other_sides, known_only_for_some, known_the_other_way, a_call_in_between])
def test_a_run_for_each_side_where_it_may_make_a_difference(forward: Forward) -> None:
    analysis = as_torch_has_it(forward)
    assert analysis.trace is not None
    assert analysis.trace.runs > 1


def test_an_operand_that_is_kept_is_followed() -> None:
    as_torch_has_it(the_value_matters)
