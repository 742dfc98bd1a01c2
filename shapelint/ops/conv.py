"""Convolutions and transposed convolutions: functions and modules, one to three axes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import nn

from shapelint.ops.axes import (
    PerAxis,
    is_lazy,
    parameter_shape,
    per_axis,
    require_nonzero_unless_no_batch,
    split_shape,
)
from shapelint.ops.dimensions import Shape
from shapelint.ops.normalized import direction_of
from shapelint.ops.pad import padded_shape
from shapelint.ops.registry import Spec, TensorLike, shape_rule
from shapelint.sizes import Condition, Size, divide, divides, formulas, remembered, require


def convolve(
    shape: Shape,
    weight: Shape,
    stride: PerAxis,
    padding: PerAxis | str,
    dilation: PerAxis,
    groups: Size,
) -> Shape:
    """The shape that a convolution with a weight of shape (out, in / groups, kernel...) returns."""
    kernel: tuple[Any, ...] = weight[2:]
    axes = len(kernel)
    batch, channels, spatial = split_shape(shape, axes, f"a {axes}-d convolution")
    _require_groups(weight[0], groups)
    _require_channels(channels, weight[1] * groups)
    strides = per_axis(stride, axes, "stride")
    dilations = per_axis(dilation, axes, "dilation")
    if padding == "same":
        for width, kernel_width, step, spread in zip(spatial, kernel, strides, dilations, strict=True):
            _require_parameters(kernel_width, step, 0, spread)
            require(step == 1, "padding='same' needs a stride of 1, and the stride is {}", step)
            require(width >= 1, "a convolution with padding='same' got an empty input (size {})", width)
        return (*batch, weight[0], *spatial)
    paddings = (0,) * axes if padding == "valid" else per_axis(padding, axes, "padding")
    widths = tuple(_conv_axis(*axis, batch) for axis in zip(spatial, kernel, strides, paddings, dilations, strict=True))
    return (*batch, weight[0], *widths)


def convolve_transposed(
    shape: Shape,
    weight: Shape,
    stride: PerAxis,
    padding: PerAxis,
    output_padding: PerAxis,
    groups: Size,
    dilation: PerAxis,
    output_size: Sequence[Size] | None = None,
) -> Shape:
    """The shape that a transposed convolution with a weight of shape (in, out / groups, kernel...) returns.

    ``output_size`` (spatial, or with the leading dimensions) overrules ``output_padding``, as in the modules.
    """
    kernel: tuple[Any, ...] = weight[2:]
    axes = len(kernel)
    batch, channels, spatial = split_shape(shape, axes, f"a {axes}-d transposed convolution")
    _require_groups(weight[0], groups)
    _require_channels(channels, weight[0])
    wanted: Sequence[Size | None] = (None,) * axes
    if output_size is not None:
        wanted = tuple(output_size)
        if len(wanted) == len(shape):
            wanted = wanted[-axes:]
        require(len(wanted) == axes, "output_size has {} values, but there are {} axes", len(wanted), axes)
    parameters = zip(
        per_axis(stride, axes, "stride"),
        per_axis(padding, axes, "padding"),
        per_axis(output_padding, axes, "output_padding"),
        per_axis(dilation, axes, "dilation"),
        strict=True,
    )
    widths = tuple(
        _conv_transpose_axis(width, kernel_width, *axis, size, batch)
        for width, kernel_width, axis, size in zip(spatial, kernel, parameters, wanted, strict=True)
    )
    return (*batch, weight[1] * groups, *widths)


def _conv_axis(width: Size, kernel: int, stride: int, padding: int, dilation: int, batch: Shape) -> Size:
    _require_parameters(kernel, stride, padding, dilation)
    effective, padded, fits, result = remembered(_conv_formulas, width, kernel, stride, padding, dilation)
    if fits is not True:
        reason = "the kernel (effective size {}) is larger than the padded input ({} + 2*{} = {})"
        require(fits, reason, effective, width, padding, padded)
    # enough padding hides an empty input from the check above; torch refuses it all the same
    if 2 * padding >= effective:
        require_nonzero_unless_no_batch(width, batch, "a convolution")
    return result


def _conv_formulas(
    width: Size, kernel: int, stride: int, padding: int, dilation: int
) -> tuple[int, Size, bool | Condition, Size]:
    """The effective kernel, the padded width, whether the kernel fits in, and what comes out."""
    effective = formulas.effective_kernel_size(kernel, dilation)
    padded = width + 2 * padding
    return effective, padded, padded >= effective, formulas.conv_width(width, kernel, stride, padding, dilation)


def _conv_transpose_axis(
    width: Size,
    kernel: int,
    stride: int,
    padding: int,
    output_padding: int,
    dilation: int,
    wanted: Size | None,
    batch: Shape,
) -> Size:
    _require_parameters(kernel, stride, padding, dilation)
    require_nonzero_unless_no_batch(width, batch, "a transposed convolution")
    if wanted is None:
        _require_output_padding(output_padding, stride, dilation)
    result = formulas.conv_transpose_width(
        width,
        kernel_size=kernel,
        stride=stride,
        padding=padding,
        dilation=dilation,
        output_padding=output_padding if wanted is None else 0,
    )
    if wanted is not None:
        largest = result + stride - 1
        reason = "output_size = {} cannot be made: from an input of size {} this layer returns sizes from {} to {}"
        require(wanted >= result, reason, wanted, width, result, largest)
        require(wanted <= largest, reason, wanted, width, result, largest)
        result = wanted
    # never empty where even an input of one element gives something; padding has to remove more than that
    if wanted is not None or dilation * (kernel - 1) + 1 + output_padding - 2 * padding < 1:
        require(result >= 1, "a transposed convolution of an input of size {} would return the size {}", width, result)
    return result


def _require_output_padding(output_padding: int, stride: int, dilation: int) -> None:
    limit = max(stride, dilation)
    require(output_padding >= 0, "output_padding is negative ({})", output_padding)
    require(
        output_padding < limit,
        "output_padding = {} must be smaller than the stride or the dilation (max({}, {}) = {})",
        output_padding,
        stride,
        dilation,
        limit,
    )


def _require_parameters(kernel: int, stride: int, padding: int, dilation: int) -> None:
    require(kernel >= 1, "the kernel size must be at least 1, and is {}", kernel)
    require(stride >= 1, "the stride must be at least 1, and is {}", stride)
    require(padding >= 0, "the padding is negative ({})", padding)
    require(dilation >= 1, "the dilation must be at least 1, and is {}", dilation)


def _require_groups(filters: Size, groups: Size) -> None:
    require(filters >= 1, "the weight has no channels in its first dimension")
    if type(groups) is int and groups == 1:
        return
    require(groups >= 1, "groups must be at least 1, and is {}", groups)
    require(divides(groups, filters), "{} channels of the weight do not split into {} groups", filters, groups)


def _require_channels(channels: Size, expected: Size) -> None:
    require(channels == expected, "the input has {} channels, the layer expects {}", channels, expected)


def _require_bias(bias: TensorLike | None, channels: Size) -> None:
    if bias is not None:
        shape = parameter_shape(bias)
        require(
            len(shape) == 1 and shape[0] == channels,
            "the bias has shape {}, the result has {} channels",
            shape,
            channels,
        )


def _conv_rule(axes: int) -> Callable[..., Spec]:
    def rule(
        input: TensorLike,
        weight: TensorLike,
        bias: TensorLike | None = None,
        stride: PerAxis = 1,
        padding: PerAxis | str = 0,
        dilation: PerAxis = 1,
        groups: Size = 1,
    ) -> Spec:
        kernel = parameter_shape(weight)
        require(len(kernel) == axes + 2, "the weight of a {}-d convolution has {} dimensions", axes, len(kernel))
        _require_bias(bias, kernel[0])
        return Spec(convolve(input.shape, kernel, stride, padding, dilation, groups))

    return rule


def _conv_transpose_rule(axes: int) -> Callable[..., Spec]:
    def rule(
        input: TensorLike,
        weight: TensorLike,
        bias: TensorLike | None = None,
        stride: PerAxis = 1,
        padding: PerAxis = 0,
        output_padding: PerAxis = 0,
        groups: Size = 1,
        dilation: PerAxis = 1,
    ) -> Spec:
        kernel = parameter_shape(weight)
        require(len(kernel) == axes + 2, "the weight of a {}-d convolution has {} dimensions", axes, len(kernel))
        _require_bias(bias, kernel[1] * groups)
        return Spec(convolve_transposed(input.shape, kernel, stride, padding, output_padding, groups, dilation))

    return rule


for _axes in (1, 2, 3):
    shape_rule(f"conv{_axes}d")(_conv_rule(_axes))
    shape_rule(f"conv_transpose{_axes}d")(_conv_transpose_rule(_axes))


@shape_rule("convolution")
def convolution(
    input: TensorLike,
    weight: TensorLike,
    bias: TensorLike | None,
    stride: PerAxis,
    padding: PerAxis,
    dilation: PerAxis,
    transposed: bool,
    output_padding: PerAxis,
    groups: Size,
) -> Spec:
    axes = len(weight.shape) - 2
    if transposed:
        transpose_rule = _conv_transpose_rule(axes)
        return transpose_rule(input, weight, bias, stride, padding, output_padding, groups, dilation)
    return _conv_rule(axes)(input, weight, bias, stride, padding, dilation, groups)


@shape_rule(nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.LazyConv1d, nn.LazyConv2d, nn.LazyConv3d)
def conv_module(module: Any, input: TensorLike) -> Spec:
    shape = input.shape
    weight = _weight_shape(module, shape, transposed=False)
    padding = module.padding
    if module.padding_mode != "zeros":
        shape = padded_shape(shape, module._reversed_padding_repeated_twice, module.padding_mode)
        padding = 0
    _require_bias(_materialized_bias(module), weight[0])
    return Spec(convolve(shape, weight, module.stride, padding, module.dilation, module.groups))


@shape_rule(
    nn.ConvTranspose1d,
    nn.ConvTranspose2d,
    nn.ConvTranspose3d,
    nn.LazyConvTranspose1d,
    nn.LazyConvTranspose2d,
    nn.LazyConvTranspose3d,
)
def conv_transpose_module(module: Any, input: TensorLike, output_size: Sequence[Size] | None = None) -> Spec:
    shape = input.shape
    weight = _weight_shape(module, shape, transposed=True)
    _require_bias(_materialized_bias(module), weight[1] * module.groups)
    return Spec(
        convolve_transposed(
            shape,
            weight,
            module.stride,
            module.padding,
            module.output_padding,
            module.groups,
            module.dilation,
            output_size,
        )
    )


def _weight_shape(module: Any, shape: Shape, transposed: bool) -> Shape:
    normalized = direction_of(module)
    weight = module.weight if normalized is None else normalized
    if not is_lazy(weight):
        return parameter_shape(weight)
    kernel = module.kernel_size
    _, channels, _ = split_shape(shape, len(kernel), type(module).__name__)
    groups, out_channels = module.groups, module.out_channels
    require(divides(groups, channels), "{} input channels do not split into {} groups", channels, groups)
    if transposed:
        return (channels, out_channels // groups, *kernel)
    return (out_channels, divide(channels, groups), *kernel)


def _materialized_bias(module: Any) -> TensorLike | None:
    bias = module.bias
    return None if bias is None or is_lazy(bias) else bias
