"""The five formulas and Res: golden cases, and PyTorch as the judge over their parameters."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from shapelint.sizes import Dim, formulas
from shapelint.sizes.dim import evaluate

CONVS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
TRANSPOSED = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}


@pytest.mark.parametrize(
    ("call", "result"),
    [
        (partial(formulas.conv_width, 100, kernel_size=5, padding=6, dilation=7, stride=2), 42),
        (partial(formulas.conv_width, 100, kernel_size=4), 97),
        (partial(formulas.same_padding, kernel_size=5, dilation=6), 12),
        (partial(formulas.conv_width, 100, kernel_size=5, padding=12, dilation=6), 100),
        (partial(formulas.downsample_padding, kernel_size=7, dilation=6, stride=5), 16),
        (partial(formulas.conv_width, 100, kernel_size=7, padding=16, dilation=6, stride=5), 20),
        (
            partial(
                formulas.conv_transpose_width, 100, kernel_size=4, padding=5, dilation=6, stride=7, output_padding=1
            ),
            703,
        ),
        (partial(formulas.conv_width, 100, kernel_size=4, padding=4, dilation=3, stride=2), 50),
        (
            partial(
                formulas.conv_transpose_width, 50, kernel_size=4, padding=4, dilation=3, stride=2, output_padding=0
            ),
            100,
        ),
        (partial(formulas.upsample_output_padding, kernel_size=4, stride=5, padding=1), 3),
        (partial(formulas.conv_transpose_width, 100, kernel_size=4, stride=5, padding=1, output_padding=3), 500),
    ],
)
def test_golden_cases(call: partial[int], result: int) -> None:
    assert call() == result


def test_the_quotient_of_formula_3_is_rounded_up() -> None:
    # Rounded down, as it is printed at the source, kernel 3 and stride 2 give padding 0: 100 -> 49.
    rounded_down = (1 * 3 - 1 - 2 + 1) // 2
    assert formulas.conv_width(100, kernel_size=3, stride=2, padding=rounded_down) == 49
    padding = formulas.downsample_padding(kernel_size=3, stride=2)
    assert formulas.conv_width(100, kernel_size=3, stride=2, padding=padding) == 50


def test_an_odd_reach_has_no_same_padding() -> None:
    with pytest.raises(ValueError, match="loses one column and padding 2 adds one"):
        formulas.same_padding(kernel_size=4, dilation=1)


@pytest.mark.parametrize("output_padding", [-1, 2, 3])
def test_output_padding_that_pytorch_refuses_is_refused(output_padding: int) -> None:
    with pytest.raises(ValueError, match="output_padding"):
        formulas.conv_transpose_width(10, kernel_size=3, stride=2, output_padding=output_padding)


kernel_sizes, strides, paddings, dilations = st.integers(1, 9), st.integers(1, 6), st.integers(0, 8), st.integers(1, 4)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([1, 2, 3]), st.integers(1, 40), kernel_sizes, strides, paddings, dilations)
def test_conv_width_is_what_torch_returns(rank: int, width: int, k: int, s: int, p: int, d: int) -> None:
    layer = CONVS[rank](1, 1, k, s, p, d, device="meta")
    try:
        returned = layer(torch.empty(1, 1, *[width] * rank, device="meta")).shape[-1]
    except RuntimeError:
        returned = None
    predicted = formulas.conv_width(width, k, s, p, d)
    assert returned == (predicted if width + 2 * p >= formulas.effective_kernel_size(k, d) else None)
    assert evaluate(formulas.conv_width(Dim("W"), k, s, p, d), {"W": width}) == predicted


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([1, 2, 3]), st.integers(1, 30), kernel_sizes, strides, paddings, dilations, st.integers(0, 7))
def test_conv_transpose_width_is_what_torch_returns(
    rank: int, width: int, k: int, s: int, p: int, d: int, op: int
) -> None:
    if op >= max(s, d):
        return
    predicted = formulas.conv_transpose_width(width, k, s, p, d, op)
    symbolic = formulas.conv_transpose_width(Dim("W"), k, s, p, d, op)
    assert evaluate(symbolic, {"W": width}) == predicted
    if predicted >= 1:
        layer = TRANSPOSED[rank](1, 1, k, s, p, op, dilation=d, device="meta")
        assert layer(torch.empty(1, 1, *[width] * rank, device="meta")).shape[-1] == predicted


@given(st.integers(1, 60), kernel_sizes, strides, paddings, dilations)
def test_the_twin_returns_the_width_less_res_plus_output_padding(w: int, k: int, s: int, p: int, d: int) -> None:
    inner = formulas.conv_width(w, k, s, p, d)
    returned = formulas.conv_transpose_width(inner, k, s, p, d)
    assert returned == w - formulas.remainder(w, k, s, p, d)


@given(kernel_sizes, strides, dilations, st.integers(1, 20))
def test_downsample_padding_divides_multiples_exactly(k: int, s: int, d: int, times: int) -> None:
    if s == 1 and d * (k - 1) % 2:
        with pytest.raises(ValueError, match="no integer padding"):
            formulas.downsample_padding(k, s, d)
        return
    padding = formulas.downsample_padding(k, s, d)
    assert formulas.conv_width(times * s, k, s, padding, d) == times
    # and it is the smallest such padding
    if padding:
        assert formulas.conv_width(times * s, k, s, padding - 1, d) != times


@given(kernel_sizes, strides, paddings, dilations, st.integers(1, 20))
def test_upsample_output_padding_multiplies_exactly(k: int, s: int, p: int, d: int, width: int) -> None:
    try:
        output_padding = formulas.upsample_output_padding(k, s, p, d)
    except ValueError:
        return
    assert formulas.conv_transpose_width(width, k, s, p, d, output_padding) == s * width
