"""Convolutions against torch on the CPU: its kernels refuse what the meta device lets pass."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from shapelint.ops import conv
from shapelint.ops.registry import function_rule, module_rule
from shapelint.sizes import SizeError
from tests.ops.against_torch import Symbolic, check, shaped

assert conv.__name__  # importing it registers the rules

WIDTHS = {"W": range(25)}
SQUARE = {"H": range(7), "W": range(7)}


@pytest.mark.parametrize("kernel", [1, 2, 3, 4, 7])
def test_convolution(kernel: int) -> None:
    for stride, padding, dilation in itertools.product((1, 2, 3), (0, 1, 2, 5), (1, 2, 3)):
        check(F.conv1d, shaped(1, 2, "W"), shaped(3, 2, kernel), None, stride, padding, dilation, sizes=WIDTHS)


@pytest.mark.parametrize("kernel", [1, 2, 3, 4])
def test_transposed_convolution(kernel: int) -> None:
    parameters = itertools.product((1, 2, 3), (0, 1, 2), (0, 1, 2), (1, 2))
    for stride, padding, output_padding, dilation in parameters:
        weight = shaped(2, 3, kernel)
        options = (None, stride, padding, output_padding, 1, dilation)
        check(F.conv_transpose1d, shaped(1, 2, "W"), weight, *options, sizes={"W": range(9)})


@pytest.mark.parametrize("dilation", [1, 2, 3])
@pytest.mark.parametrize("kernel", [1, 2, 3, 4])
def test_string_padding(kernel: int, dilation: int) -> None:
    for padding, stride in (("same", 1), ("same", 2), ("valid", 1), ("valid", 2)):
        check(F.conv1d, shaped(1, 2, "W"), shaped(3, 2, kernel), None, stride, padding, dilation, sizes=WIDTHS)


@pytest.mark.parametrize(
    ("function", "input", "weight", "options"),
    [
        (F.conv2d, ("N", 4, "H", "W"), (6, 2, 3, 3), {"groups": 2, "padding": (2, 0), "stride": (1, 2)}),
        (F.conv2d, (4, "H", "W"), (6, 4, 2, 3), {"dilation": (2, 1), "stride": (2,)}),
        (F.conv2d, ("N", "C", "H", 5), (6, 2, 3, 3), {"groups": 2}),
        (F.conv2d, (1, 2, "H", "W"), (3, 2, 3, 3), {"padding": (2, 1, 1)}),
        (F.conv2d, ("H", "W"), (3, 2, 3, 3), {}),
        (F.conv3d, (1, 2, 3, "H", "W"), (4, 2, 3, 2, 1), {"padding": (1, 2, 0), "stride": (3, 2, 1)}),
        (F.conv3d, (2, 3, "H", "W"), (4, 2, 2, 2, 2), {"padding": "same"}),
        (F.conv_transpose2d, (1, 4, "H", "W"), (4, 3, 3, 2), {"groups": 2, "stride": (2, 3), "output_padding": (1, 0)}),
        (F.conv_transpose2d, (4, "H", "W"), (4, 3, 3, 3), {"padding": (1, 0), "dilation": (2, 1)}),
        (F.conv_transpose2d, (1, "C", "H", 2), (4, 3, 3, 3), {}),
        (F.conv_transpose3d, (1, 2, 2, "H", "W"), (2, 3, 3, 2, 1), {"stride": (1, 2, 3), "output_padding": (0, 1, 2)}),
    ],
)
def test_several_axes(function: Any, input: tuple[Any, ...], weight: tuple[int, ...], options: dict[str, Any]) -> None:
    ranges = {"N": range(1, 4), "C": range(1, 7)} | SQUARE
    check(
        function,
        shaped(*input),
        shaped(*weight),
        sizes={name: ranges[name] for name in "NCHW" if name in input},
        **options,
    )


@pytest.mark.parametrize(
    ("weight", "bias", "options"),
    [
        ((3, 2, 3), (3,), {}),
        ((3, 2, 3), (4,), {}),
        ((3, 2, 3), (3, 1), {}),
        ((4, 2, 3), None, {"groups": 0}),
        ((3, 1, 3), None, {"groups": 2}),
        ((3, 2, 0), None, {}),
        ((0, 2, 3), None, {}),
        ((3, 2, 3, 3), None, {}),
        ((3, 2, 3), None, {"stride": 0}),
        ((3, 2, 3), None, {"padding": -1}),
        ((3, 2, 3), None, {"dilation": 0}),
    ],
)
def test_unusable_parameters(weight: tuple[int, ...], bias: tuple[int, ...] | None, options: dict[str, Any]) -> None:
    given_bias = None if bias is None else shaped(*bias)
    check(F.conv1d, shaped(1, 2, "W"), shaped(*weight), given_bias, sizes={"W": (5, 9)}, **options)


def test_groups_that_do_not_divide_a_transposed_weight() -> None:
    check(F.conv_transpose1d, shaped(1, 3, "W"), shaped(3, 3, 3), groups=2, sizes={"W": (5,)})
    check(F.conv_transpose1d, shaped(1, 4, "W"), shaped(4, 3, 3), shaped(6), groups=2, sizes={"W": (5,)})
    check(F.conv_transpose1d, shaped(1, 2, "W"), shaped(2, 3, 3), output_padding=-1, sizes={"W": (5,)})


@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
def test_padding_mode(mode: str) -> None:
    for kernel, padding, dilation in itertools.product((2, 3, (5, 1)), (0, 2, (1, 3), "same"), (1, 2)):
        layer = nn.Conv2d(2, 3, kernel, padding=padding, padding_mode=mode, dilation=dilation)
        check(layer, shaped(1, 2, "H", "W"), sizes=SQUARE)
    check(nn.Conv1d(2, 3, 3, padding=1, padding_mode=mode), shaped(2, "W"), sizes=WIDTHS)
    check(
        nn.Conv3d(2, 3, 3, padding=1, padding_mode=mode),
        shaped(1, 2, "D", "H", 3),
        sizes={"D": range(4), "H": range(4)},
    )


@pytest.mark.parametrize("layer", [nn.ConvTranspose1d(2, 3, 3, 2, 1), nn.ConvTranspose1d(2, 3, 4, 3, 2, dilation=2)])
def test_output_size(layer: nn.Module) -> None:
    both = {"W": range(7), "T": range(24)}
    check(layer, shaped(1, 2, "W"), ["T"], sizes=both)
    check(layer, shaped(1, 2, "W"), [1, 2, "T"], sizes=both)
    check(layer, shaped(2, "W"), [2, "T"], sizes=both)
    check(layer, shaped(2, "W"), [1, 2, "T"], sizes=both)
    check(layer, shaped(1, 2, "W"), output_size=[9, 9], sizes=WIDTHS)
    check(layer, shaped(1, 2, "W"), sizes={"W": range(9)})


def test_weights_decide_rather_than_the_declared_channels() -> None:
    layer = nn.Conv2d(3, 8, 3)
    layer.weight = nn.Parameter(torch.ones(8, 1, 3, 3))
    check(layer, shaped(1, "C", "H", 5), sizes={"C": range(1, 5), "H": range(6)})


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_lazy_modules(axes: int) -> None:
    spatial = (5,) * axes
    for name, arguments in (("LazyConv", {"stride": 2}), ("LazyConvTranspose", {"stride": 2, "output_padding": 1})):
        lazy = getattr(nn, f"{name}{axes}d")(4, 3, groups=2, **arguments)
        rule = module_rule(lazy)
        assert rule is not None
        said = rule(lazy, Symbolic((1, 6, *spatial), torch.float32)).shape
        with pytest.raises(SizeError, match="do not split into 2 groups"):
            rule(lazy, Symbolic((1, 5, *spatial), torch.float32))
        assert said == tuple(lazy(torch.ones(1, 6, *spatial)).shape)


def test_a_weight_computed_from_a_sized_input() -> None:
    check(
        F.conv2d,
        shaped(1, "N*4", "H", 5),
        shaped("N*6", 4, 3, 3),
        groups="N*1",
        sizes={"N": range(1, 4), "H": range(1, 6)},
    )


def test_convolution_by_its_general_name() -> None:
    for transposed in (False, True):
        check(
            torch.convolution,
            shaped(1, 2, "H", "W"),
            shaped(2, 2, 3, 3),
            None,
            [2, 1],
            [1, 1],
            [1, 1],
            transposed,
            [1, 0] if transposed else [0, 0],
            1,
            sizes=SQUARE,
        )


@pytest.mark.parametrize(
    ("function", "weight", "options", "reason"),
    [
        (
            F.conv1d,
            (3, 2, 9),
            {"padding": 1},
            r"kernel \(effective size 9\) is larger than the padded input \(4 \+ 2\*1 = 6\)",
        ),
        (F.conv1d, (3, 5, 3), {}, "the input has 2 channels, the layer expects 5"),
        (
            F.conv1d,
            (3, 2, 3),
            {"padding": "same", "stride": 2},
            "padding='same' needs a stride of 1, and the stride is 2",
        ),
        (
            F.conv_transpose1d,
            (2, 3, 3),
            {"stride": 2, "output_padding": 2},
            r"output_padding = 2 must be smaller than the stride or the dilation \(max\(2, 1\) = 2\)",
        ),
    ],
)
def test_reasons(function: Any, weight: tuple[int, ...], options: dict[str, Any], reason: str) -> None:
    rule = function_rule(function)
    assert rule is not None
    with pytest.raises(SizeError, match=reason):
        rule(Symbolic((1, 2, 4), torch.float32), Symbolic(weight, torch.float32), **options)
