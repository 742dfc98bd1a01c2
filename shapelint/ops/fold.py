"""Sliding blocks: ``F.unfold`` and ``F.fold`` with their modules, ``Tensor.unfold`` and ``as_strided``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from shapelint.ops.axes import PerAxis, per_axis, require_nonzero, split_shape
from shapelint.ops.dimensions import Shape
from shapelint.ops.registry import Spec, TensorLike, Unsupported, shape_rule
from shapelint.sizes import Size, Undecided, divide, divides, formulas, implied, product, require

_AXES = 2


def _blocks(
    spatial: Shape, kernel_size: PerAxis, dilation: PerAxis, padding: PerAxis, stride: PerAxis
) -> tuple[Size, ...]:
    """How many blocks there are along each axis."""
    return tuple(
        _blocks_along(*axis)
        for axis in zip(
            spatial,
            per_axis(kernel_size, _AXES, "kernel_size"),
            per_axis(dilation, _AXES, "dilation"),
            per_axis(padding, _AXES, "padding"),
            per_axis(stride, _AXES, "stride"),
            strict=True,
        )
    )


def _blocks_along(width: Size, kernel: int, dilation: int, padding: int, stride: int) -> Size:
    require(kernel >= 1, "the kernel size must be at least 1, and is {}", kernel)
    require(dilation >= 1, "the dilation must be at least 1, and is {}", dilation)
    require(padding >= 0, "the padding is negative ({})", padding)
    require(stride >= 1, "the stride must be at least 1, and is {}", stride)
    effective = dilation * (kernel - 1) + 1
    padded = width + 2 * padding
    require(
        padded >= effective,
        "the block (effective size {}) is larger than the padded input ({} + 2*{} = {})",
        effective,
        width,
        padding,
        padded,
    )
    return formulas.conv_width(width, kernel_size=kernel, stride=stride, padding=padding, dilation=dilation)


@shape_rule("nn.functional.unfold")
def unfold(
    input: TensorLike, kernel_size: PerAxis, dilation: PerAxis = 1, padding: PerAxis = 0, stride: PerAxis = 1
) -> Spec:
    batch, channels, spatial = split_shape(input.shape, _AXES, "unfold")
    require_nonzero((channels, *spatial), "unfold")
    blocks = _blocks(spatial, kernel_size, dilation, padding, stride)
    columns = channels * product(per_axis(kernel_size, _AXES, "kernel_size"))
    return Spec((*batch, columns, product(blocks)))


@shape_rule("nn.functional.fold")
def fold(
    input: TensorLike,
    output_size: PerAxis,
    kernel_size: PerAxis,
    dilation: PerAxis = 1,
    padding: PerAxis = 0,
    stride: PerAxis = 1,
) -> Spec:
    shape = input.shape
    require(len(shape) in (2, 3), "fold takes a tensor of 3 dimensions, or 2 without a batch, and got {}", len(shape))
    *batch, columns, count = shape
    require_nonzero((columns, count), "fold")
    wanted = per_axis(output_size, _AXES, "output_size")
    for width in wanted:
        require(width >= 1, "fold cannot return the size {}", width)
    area = product(per_axis(kernel_size, _AXES, "kernel_size"))
    require(divides(area, columns), "fold: {} rows are not a multiple of the kernel's {} elements", columns, area)
    blocks = product(_blocks(wanted, kernel_size, dilation, padding, stride))
    require(
        count == blocks,
        "fold: an output of size {} is made of {} blocks, and the input has {}",
        wanted,
        blocks,
        count,
    )
    return Spec((*batch, divide(columns, area), *wanted))


@shape_rule(nn.Unfold)
def unfold_module(module: Any, input: TensorLike) -> Spec:
    return unfold(input, module.kernel_size, module.dilation, module.padding, module.stride)


@shape_rule(nn.Fold)
def fold_module(module: Any, input: TensorLike) -> Spec:
    return fold(input, module.output_size, module.kernel_size, module.dilation, module.padding, module.stride)


@shape_rule(torch.Tensor.unfold)
def windows(input: TensorLike, dimension: int, size: Size, step: Size) -> Spec:
    shape = input.shape
    rank = max(len(shape), 1)
    require(-rank <= dimension < rank, "there is no dimension {} in a tensor of {} dimensions", dimension, rank)
    require(size >= 0, "unfold takes windows of size 0 or more, and got {}", size)
    require(step >= 1, "unfold takes a step of 1 or more, and got {}", step)
    if not shape:
        require(size <= 1, "a window of size {} is larger than the one element there is", size)
        return Spec((size,))
    axis = dimension % rank
    width = shape[axis]
    require(size <= width, "a window of size {} is larger than dimension {} (size {})", size, axis, width)
    return Spec((*shape[:axis], (width - size) // step + 1, *shape[axis + 1 :], size))


@shape_rule("as_strided")
def as_strided(input: TensorLike, size: Shape, stride: Sequence[Size], storage_offset: Size | None = None) -> Spec:
    """A view of any shape, of which all elements must be there."""
    shape = input.shape
    if getattr(input, "strided", None) is not None or len(size) != len(stride):
        raise Unsupported("a view of a tensor that does not lie row by row")
    for each in size:
        require(each >= 0, "as_strided cannot return the size {}", each)
    whole = 0
    while whole < min(len(shape), len(size)) and _is_walked(shape, size, stride, whole):
        whole += 1
    last: Any = storage_offset or 0
    for each, step in zip(size[whole:], stride[whole:], strict=True):
        last += (each - 1) * step
    # the tensor may be a part of a larger one, whose other elements can be had too
    if not implied(last < product(shape[whole:])):
        raise Undecided("as_strided: the view may reach beyond the tensor")
    return Spec(tuple(size))


def _is_walked(shape: Shape, size: Shape, stride: Sequence[Size], axis: int) -> bool:
    """Whether a view goes through a dimension as the tensor does."""
    return implied(size[axis] == shape[axis]) and implied(stride[axis] == product(shape[axis + 1 :]))
