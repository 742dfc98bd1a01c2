"""Padding and cropping at the edges: ``F.pad`` in its four modes and the padding modules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from shapelint.ops.axes import require_nonzero
from shapelint.ops.dimensions import Shape
from shapelint.ops.registry import Spec, TensorLike, Unsupported, shape_rule
from shapelint.sizes import Size, implied, require, smin


def padded_shape(shape: Shape, pad: Sequence[Size], mode: str) -> Shape:
    """The shape after padding the last ``len(pad) / 2`` axes, given (before, after) for the last axis first."""
    require(len(pad) % 2 == 0, "pad has {} values, an odd number", len(pad))
    axes = len(pad) // 2
    rank = len(shape)
    if mode == "constant":
        require(axes <= rank, "pad has {} values for a tensor of {} dimensions", len(pad), rank)
        axis_rule = _constant_axis
    else:
        require(mode in _AXIS_RULES, "there is no padding mode {!r}", mode)
        require(
            1 <= axes <= 3 and rank in (axes + 1, axes + 2),
            "padding mode {!r} pads the last 1, 2 or 3 axes of a tensor with channels and perhaps a batch; "
            "got {} pad values for a tensor of {} dimensions",
            mode,
            len(pad),
            rank,
        )
        axis_rule = _AXIS_RULES[mode]
        if mode != "circular":
            # only the batch may be empty
            require_nonzero(shape[-axes - 1 :], f"{mode} padding")
    first = rank - axes
    widths = (
        axis_rule(shape[axis], pad[2 * (rank - 1 - axis)], pad[2 * (rank - 1 - axis) + 1])
        for axis in range(first, rank)
    )
    return (*shape[:first], *widths)


def _constant_axis(width: Size, before: Size, after: Size) -> Size:
    if _is_crop(before) or _is_crop(after):
        require(
            width + smin(before, 0) + smin(after, 0) >= 0,
            "padding by ({}, {}) crops more than there is: the size is {}",
            before,
            after,
            width,
        )
    return before + width + after


def _reflect_axis(width: Size, before: Size, after: Size) -> Size:
    for amount in (before, after):
        require(amount < width, "reflect padding of {} needs a larger size than {}", amount, width)
    return _nonempty_result(width, before, after)


def _replicate_axis(width: Size, before: Size, after: Size) -> Size:
    return _nonempty_result(width, before, after)


def _circular_axis(width: Size, before: Size, after: Size) -> Size:
    if _is_crop(before) != _is_crop(after):
        raise Unsupported("circular padding that pads one side and crops the other")
    for amount in (before, after):
        require(amount <= width, "circular padding of {} wraps around a size of {} more than once", amount, width)
    result = before + width + after
    if _is_crop(before) or _is_crop(after):
        require(result >= 0, "padding by ({}, {}) crops more than there is: the size is {}", before, after, width)
    return result


def _nonempty_result(width: Size, before: Size, after: Size) -> Size:
    result = before + width + after
    if _is_crop(before) or _is_crop(after):
        require(result >= 1, "padding by ({}, {}) leaves nothing of a size of {}", before, after, width)
    return result


def _is_crop(amount: Size) -> bool:
    """Whether the amount is negative, or may be."""
    return not implied(amount >= 0)


_AXIS_RULES = {"reflect": _reflect_axis, "replicate": _replicate_axis, "circular": _circular_axis}


@shape_rule("pad")
def pad(input: TensorLike, pad: Sequence[Size], mode: str = "constant", value: float | None = None) -> Spec:
    require(
        mode == "constant" or value is None or value == 0,
        "padding mode {!r} takes no value, and got {}",
        mode,
        value,
    )
    return Spec(padded_shape(input.shape, tuple(pad), mode))


@shape_rule("constant_pad_nd")
def constant_pad_nd(input: TensorLike, pad: Sequence[Size], value: float = 0) -> Spec:
    return Spec(padded_shape(input.shape, tuple(pad), "constant"))


@shape_rule(nn.ConstantPad1d, nn.ConstantPad2d, nn.ConstantPad3d, nn.ZeroPad1d, nn.ZeroPad2d, nn.ZeroPad3d)
def constant_pad_module(module: Any, input: TensorLike) -> Spec:
    return Spec(padded_shape(input.shape, module.padding, "constant"))


@shape_rule(nn.ReflectionPad1d, nn.ReflectionPad2d, nn.ReflectionPad3d)
def reflection_pad_module(module: Any, input: TensorLike) -> Spec:
    return Spec(padded_shape(input.shape, module.padding, "reflect"))


@shape_rule(nn.ReplicationPad1d, nn.ReplicationPad2d, nn.ReplicationPad3d)
def replication_pad_module(module: Any, input: TensorLike) -> Spec:
    return Spec(padded_shape(input.shape, module.padding, "replicate"))


@shape_rule(nn.CircularPad1d, nn.CircularPad2d, nn.CircularPad3d)
def circular_pad_module(module: Any, input: TensorLike) -> Spec:
    return Spec(padded_shape(input.shape, module.padding, "circular"))
