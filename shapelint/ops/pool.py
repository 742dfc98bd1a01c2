"""Pooling and unpooling: maximum, average, Lp, adaptive and fractional, one to three axes, functions and modules."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from shapelint.ops.axes import PerAxis, per_axis, require_nonzero, split_shape
from shapelint.ops.dimensions import Shape
from shapelint.ops.registry import Spec, TensorLike, shape_rule
from shapelint.sizes import Size, all_of, implied, product, require, scaled_floor, smin

SpecOrPair = Spec | tuple[Spec, Spec]


@dataclasses.dataclass(frozen=True, slots=True)
class PlaneIndices:
    """What is known of the indices that max pooling returns: they count the elements of a plane row by row.

    Attributes:
        plane: the spatial sizes of what was pooled.
        reach: the last row, column, ... that any window sees.
        tiled: whether the windows lie side by side.
    """

    plane: Shape
    reach: Shape
    tiled: bool


def pooled_shape(
    shape: Shape,
    axes: int,
    kernel_size: PerAxis,
    stride: PerAxis | None,
    padding: PerAxis,
    dilation: PerAxis,
    ceil_mode: bool,
) -> Shape:
    """The shape that max, average and Lp pooling return. No stride means the kernel size."""
    batch, channels, spatial = split_shape(shape, axes, f"{axes}-d pooling")
    require_nonzero((channels,), "pooling")
    kernels = per_axis(kernel_size, axes, "kernel_size")
    strides = kernels if _is_missing(stride) else per_axis(stride, axes, "stride")
    paddings = per_axis(padding, axes, "padding")
    dilations = per_axis(dilation, axes, "dilation")
    widths = tuple(
        _pooled_width(*axis, ceil_mode) for axis in zip(spatial, kernels, strides, paddings, dilations, strict=True)
    )
    return (*batch, channels, *widths)


def _is_missing(stride: PerAxis | None) -> bool:
    return stride is None or (isinstance(stride, (tuple, list)) and not stride)


def _pooled_width(width: Size, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool) -> Size:
    require(kernel >= 1, "the kernel size must be at least 1, and is {}", kernel)
    require(stride >= 1, "the stride must be at least 1, and is {}", stride)
    require(dilation >= 1, "the dilation must be at least 1, and is {}", dilation)
    require(padding >= 0, "the padding is negative ({})", padding)
    require(2 * padding <= kernel, "padding = {} is more than half of the kernel size {}", padding, kernel)
    require(width >= 1, "pooling got an empty tensor: a dimension of size {}", width)
    effective = dilation * (kernel - 1) + 1
    padded = width + 2 * padding
    reason = "the window (effective size {}) is larger than the padded input ({} + 2*{} = {})"
    if not ceil_mode:
        require(padded >= effective, reason, effective, width, padding, padded)
        return (padded - effective) // stride + 1
    # the last window may reach over the right edge by less than a stride ...
    require(padded + stride - 1 >= effective, reason, effective, width, padding, padded)
    windows = (padded - effective + stride - 1) // stride + 1
    if stride + padding <= effective:
        return windows
    # ... but must start inside the input or its left padding
    result: Size = smin(windows, (width + padding - 1) // stride + 1)
    return result


def adaptive_shape(shape: Shape, axes: int, output_size: Any, average: bool) -> Shape:
    """The shape that adaptive pooling returns; a ``None`` in ``output_size`` keeps the axis."""
    batch, channels, spatial = split_shape(shape, axes, f"{axes}-d adaptive pooling")
    wanted = tuple(
        width if size is None else size
        for size, width in zip(per_axis(output_size, axes, "output_size"), spatial, strict=True)
    )
    # to a single element torch takes the mean, of nothing too; and averages over one or two axes need no channels
    is_mean = average and all_of(*(size == 1 for size in wanted))
    needs_channels = batch and not (average and axes < 3)
    require_nonzero((channels, *spatial) if needs_channels else spatial, "adaptive pooling", unless=is_mean)
    for size in wanted:
        require(size >= 0, "adaptive pooling cannot return the size {}", size)
    return (*batch, channels, *wanted)


def fractional_shape(shape: Shape, axes: int, kernel_size: PerAxis, output_size: Any, output_ratio: Any) -> Shape:
    """The shape that fractional max pooling returns: its windows overlap so that just that many fit."""
    batch, channels, spatial = split_shape(shape, axes, f"{axes}-d fractional pooling")
    require_nonzero((channels, *spatial), "fractional pooling")
    require(output_size is not None or output_ratio is not None, "fractional pooling needs output_size or output_ratio")
    if output_size is None:
        ratios = per_axis(output_ratio, axes, "output_ratio")
        wanted = tuple(scaled_floor(width, float(ratio)) for width, ratio in zip(spatial, ratios, strict=True))
    else:
        wanted = per_axis(output_size, axes, "output_size")
    # over three axes torch wants one element to spare
    spare = 1 if axes == 3 else 0
    for width, kernel, size in zip(spatial, per_axis(kernel_size, axes, "kernel_size"), wanted, strict=True):
        least = size + kernel - 1 + spare
        require(
            width >= least, "{} windows of size {} need a size of at least {}, and got {}", size, kernel, least, width
        )
    return (*batch, channels, *wanted)


def unpooled_shape(
    shape: Shape,
    indices: TensorLike,
    axes: int,
    kernel_size: PerAxis,
    stride: PerAxis | None,
    padding: PerAxis,
    output_size: Sequence[Size] | None,
) -> Shape:
    """The shape that max unpooling returns."""
    batch, channels, spatial = split_shape(shape, axes, f"{axes}-d unpooling")
    require_nonzero((channels, *spatial), "unpooling")
    counts = indices.shape
    require(len(counts) == len(shape), "the indices have {} dimensions, the input {}", len(counts), len(shape))
    require(
        all_of(*(count == size for count, size in zip(counts, shape, strict=True))),
        "the indices have shape {}, the input {}",
        counts,
        shape,
    )
    kernels = per_axis(kernel_size, axes, "kernel_size")
    strides = kernels if stride is None else per_axis(stride, axes, "stride")
    paddings = per_axis(padding, axes, "padding")
    default = tuple(
        (width - 1) * step + kernel - 2 * pad
        for width, step, kernel, pad in zip(spatial, strides, kernels, paddings, strict=True)
    )
    if output_size is None:
        wanted = default
    else:
        wanted = tuple(output_size)
        if len(wanted) == axes + 2:
            wanted = wanted[2:]
        require(len(wanted) == axes, "output_size has {} values, but there are {} axes", len(wanted), axes)
        for size, usual, step in zip(wanted, default, strides, strict=True):
            reason = "output_size = {} must lie strictly between {} and {}"
            require(size > usual - step, reason, size, usual - step, usual + step)
            require(size < usual + step, reason, size, usual - step, usual + step)
    for size in wanted:
        require(size >= 0, "unpooling cannot return the size {}", size)
    known = getattr(indices, "value", None)
    if isinstance(known, PlaneIndices):
        _require_indices_inside(known, wanted)
    return (*batch, channels, *wanted)


def _result(shape: Shape, return_indices: bool) -> SpecOrPair:
    return (Spec(shape), Spec(shape, torch.int64)) if return_indices else Spec(shape)


def max_pooled(
    shape: Shape,
    axes: int,
    window: tuple[PerAxis, PerAxis | None, PerAxis, PerAxis],
    ceil_mode: bool,
    return_indices: bool,
) -> SpecOrPair:
    """What max pooling with a (kernel_size, stride, padding, dilation) returns."""
    pooled = pooled_shape(shape, axes, *window, ceil_mode)
    if not return_indices:
        return Spec(pooled)
    kernel, stride, padding, dilation = window
    kernels = per_axis(kernel, axes)
    strides = kernels if _is_missing(stride) else per_axis(stride, axes)
    paddings, dilations = per_axis(padding, axes), per_axis(dilation, axes)
    plane = tuple(shape[-axes:])
    reach = tuple(
        smin(width - 1, (count - 1) * step - pad + spread * (size - 1))
        for width, count, size, step, pad, spread in zip(
            plane, pooled[-axes:], kernels, strides, paddings, dilations, strict=True
        )
    )
    tiled = kernels == strides and not any(paddings) and all(spread == 1 for spread in dilations) and not ceil_mode
    return Spec(pooled), Spec(pooled, torch.int64, PlaneIndices(plane, reach, tiled))


def _require_indices_inside(known: PlaneIndices, wanted: Shape) -> None:
    """Refuse sizes where an index may lie outside of the result: torch raises, whenever one does."""
    plane, reach = known.plane, known.reach
    if len(plane) != len(wanted):
        return
    # rows as long as those that were pooled keep every index in its row
    rows_fit = [size >= width for size, width in zip(wanted[1:], plane[1:], strict=True)]
    inside = all_of(wanted[0] > reach[0], *rows_fit)
    if implied(inside):
        return
    if not known.tiled:
        last: Size = 0
        for width, index in zip(plane, reach, strict=True):
            last = last * width + index
        inside = last < product(wanted)
    require(
        inside,
        "unpooling to {} with indices into {}: an index may lie outside, which raises; pass output_size",
        wanted,
        plane,
    )


def _max_rule(axes: int, always_indices: bool) -> Callable[..., SpecOrPair]:
    def rule(
        input: TensorLike,
        kernel_size: PerAxis,
        stride: PerAxis | None = None,
        padding: PerAxis = 0,
        dilation: PerAxis = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> SpecOrPair:
        window = (kernel_size, stride, padding, dilation)
        return max_pooled(input.shape, axes, window, ceil_mode, return_indices or always_indices)

    return rule


def average_pooled_shape(
    shape: Shape, axes: int, kernel_size: PerAxis, stride: PerAxis | None, padding: PerAxis, ceil_mode: bool
) -> Shape:
    """The shape that average and Lp pooling return."""
    result = pooled_shape(shape, axes, kernel_size, stride, padding, 1, ceil_mode)
    if axes == 3:
        # average pooling over three axes does not let padding or ceil_mode make up for a small input
        for width, kernel in zip(shape[-axes:], per_axis(kernel_size, axes), strict=True):
            require(width >= kernel, "the window (size {}) is larger than the unpadded input ({})", kernel, width)
    return result


def _average_rule(axes: int) -> Callable[..., Spec]:
    def rule(
        input: TensorLike,
        kernel_size: PerAxis,
        stride: PerAxis | None = None,
        padding: PerAxis = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> Spec:
        require(divisor_override != 0, "divisor_override must not be 0")
        return Spec(average_pooled_shape(input.shape, axes, kernel_size, stride, padding, ceil_mode))

    return rule


def _lp_rule(axes: int) -> Callable[..., Spec]:
    def rule(
        input: TensorLike,
        norm_type: float,
        kernel_size: PerAxis,
        stride: PerAxis | None = None,
        ceil_mode: bool = False,
    ) -> Spec:
        return Spec(average_pooled_shape(input.shape, axes, kernel_size, stride, 0, ceil_mode))

    return rule


def _adaptive_average_rule(axes: int) -> Callable[..., Spec]:
    def rule(input: TensorLike, output_size: Any) -> Spec:
        return Spec(adaptive_shape(input.shape, axes, output_size, average=True))

    return rule


def _adaptive_max_rule(axes: int, always_indices: bool) -> Callable[..., SpecOrPair]:
    def rule(input: TensorLike, output_size: Any, return_indices: bool = False) -> SpecOrPair:
        shape = adaptive_shape(input.shape, axes, output_size, average=False)
        return _result(shape, return_indices or always_indices)

    return rule


def _fractional_rule(axes: int, always_indices: bool) -> Callable[..., SpecOrPair]:
    def rule(
        input: TensorLike,
        kernel_size: PerAxis,
        output_size: Any = None,
        output_ratio: Any = None,
        return_indices: bool = False,
        _random_samples: TensorLike | None = None,
    ) -> SpecOrPair:
        shape = fractional_shape(input.shape, axes, kernel_size, output_size, output_ratio)
        return _result(shape, return_indices or always_indices)

    return rule


def _unpool_rule(axes: int) -> Callable[..., Spec]:
    def rule(
        input: TensorLike,
        indices: TensorLike,
        kernel_size: PerAxis,
        stride: PerAxis | None = None,
        padding: PerAxis = 0,
        output_size: Sequence[Size] | None = None,
    ) -> Spec:
        return Spec(unpooled_shape(input.shape, indices, axes, kernel_size, stride, padding, output_size))

    return rule


for _axes in (1, 2, 3):
    shape_rule(f"max_pool{_axes}d")(_max_rule(_axes, always_indices=False))
    shape_rule(f"max_pool{_axes}d_with_indices")(_max_rule(_axes, always_indices=True))
    shape_rule(f"avg_pool{_axes}d")(_average_rule(_axes))
    shape_rule(f"lp_pool{_axes}d")(_lp_rule(_axes))
    shape_rule(f"adaptive_avg_pool{_axes}d")(_adaptive_average_rule(_axes))
    shape_rule(f"nn.functional.adaptive_max_pool{_axes}d")(_adaptive_max_rule(_axes, always_indices=False))
    shape_rule(f"adaptive_max_pool{_axes}d_with_indices")(_adaptive_max_rule(_axes, always_indices=True))
    shape_rule(f"max_unpool{_axes}d")(_unpool_rule(_axes))
for _axes in (2, 3):
    shape_rule(f"nn.functional.fractional_max_pool{_axes}d")(_fractional_rule(_axes, always_indices=False))
    shape_rule(f"fractional_max_pool{_axes}d_with_indices")(_fractional_rule(_axes, always_indices=True))
# torch.adaptive_max_pool1d, unlike the function of that name in torch.nn.functional, always returns the indices
shape_rule(torch.adaptive_max_pool1d)(_adaptive_max_rule(1, always_indices=True))


@shape_rule(nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)
def max_pool_module(module: Any, input: TensorLike) -> SpecOrPair:
    window = (module.kernel_size, module.stride, module.padding, module.dilation)
    return max_pooled(input.shape, _AXES[type(module)], window, module.ceil_mode, module.return_indices)


@shape_rule(nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)
def average_pool_module(module: Any, input: TensorLike) -> Spec:
    axes = _AXES[type(module)]
    require(getattr(module, "divisor_override", None) != 0, "divisor_override must not be 0")
    return Spec(
        average_pooled_shape(input.shape, axes, module.kernel_size, module.stride, module.padding, module.ceil_mode)
    )


@shape_rule(nn.LPPool1d, nn.LPPool2d, nn.LPPool3d)
def lp_pool_module(module: Any, input: TensorLike) -> Spec:
    axes = _AXES[type(module)]
    return Spec(average_pooled_shape(input.shape, axes, module.kernel_size, module.stride, 0, module.ceil_mode))


@shape_rule(nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d)
def adaptive_average_pool_module(module: Any, input: TensorLike) -> Spec:
    axes = _AXES[type(module)]
    return Spec(adaptive_shape(input.shape, axes, module.output_size, average=True))


@shape_rule(nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d)
def adaptive_max_pool_module(module: Any, input: TensorLike) -> SpecOrPair:
    shape = adaptive_shape(input.shape, _AXES[type(module)], module.output_size, average=False)
    return _result(shape, module.return_indices)


@shape_rule(nn.FractionalMaxPool2d, nn.FractionalMaxPool3d)
def fractional_max_pool_module(module: Any, input: TensorLike) -> SpecOrPair:
    shape = fractional_shape(
        input.shape, _AXES[type(module)], module.kernel_size, module.output_size, module.output_ratio
    )
    return _result(shape, module.return_indices)


@shape_rule(nn.MaxUnpool1d, nn.MaxUnpool2d, nn.MaxUnpool3d)
def max_unpool_module(
    module: Any, input: TensorLike, indices: TensorLike, output_size: Sequence[Size] | None = None
) -> Spec:
    return Spec(
        unpooled_shape(
            input.shape,
            indices,
            _AXES[type(module)],
            module.kernel_size,
            module.stride,
            module.padding,
            output_size,
        )
    )


_AXES: dict[type[nn.Module], int] = {
    getattr(nn, f"{family}{axes}d"): axes
    for family in (
        "MaxPool",
        "AvgPool",
        "LPPool",
        "AdaptiveAvgPool",
        "AdaptiveMaxPool",
        "FractionalMaxPool",
        "MaxUnpool",
    )
    for axes in (1, 2, 3)
    if hasattr(nn, f"{family}{axes}d")
}
