"""What the rules of convolution, pooling, padding and resizing share: parameters per axis, the split of a shape.

Torch takes ``2``, ``(2,)`` and ``(2, 2)`` for a two-axis parameter alike. Per-axis arithmetic is written once in
each rule and mapped over what :func:`per_axis` returns.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from shapelint.ops.dimensions import Shape
from shapelint.sizes import Condition, Size, any_of, implied, product, require

PerAxis = Size | Sequence[Size]

_AXIS_NAMES = {1: ("width",), 2: ("height", "width"), 3: ("depth", "height", "width")}


def per_axis(value: Any, axes: int, what: str = "parameter") -> tuple[Any, ...]:
    """One value for each axis, from a single one, a sequence of one, or a sequence of ``axes``."""
    if not isinstance(value, (tuple, list)):
        return (value,) * axes
    if len(value) == axes:
        return tuple(value)
    require(len(value) == 1, "{} has {} values, but there are {} axes", what, len(value), axes)
    return (value[0],) * axes


def is_lazy(parameter: Any) -> bool:
    """Whether a parameter waits for the first input to get its shape."""
    # asking for the exact class first, as isinstance takes its time with tensors
    return type(parameter) is not nn.Parameter and torch.nn.parameter.is_lazy(parameter)


def parameter_shape(parameter: Any) -> Shape:
    """A module parameter's shape, read past the tracer: it sees every other access to a tensor, at a price."""
    with torch._C.DisableTorchFunction():
        return tuple(parameter.shape)


def axis_names(axes: int) -> tuple[str, ...]:
    """The words for the last axes of a tensor: ("height", "width") for two."""
    return _AXIS_NAMES.get(axes) or tuple(f"axis {axis}" for axis in range(axes))


def split_shape(shape: Shape, axes: int, what: str) -> tuple[Shape, Size, Shape]:
    """A shape as (batch or nothing, channels, spatial sizes); anything but these two ranks is refused."""
    rank = len(shape)
    if rank not in (axes + 1, axes + 2):
        reason = "{} takes a tensor of {} dimensions (batch, channels, {}) or {} (no batch), and got {}"
        require(False, reason, what, axes + 2, ", ".join(axis_names(axes)), axes + 1, rank)
    return tuple(shape[: -axes - 1]), shape[-axes - 1], tuple(shape[-axes:])


def require_nonzero(sizes: Sequence[Size], what: str, unless: bool | Condition = False) -> None:
    """Refuse an empty dimension where torch does: not where ``unless`` holds."""
    for size in sizes:
        if not implied(size >= 1):
            require(any_of(size >= 1, unless), "{} got an empty tensor: a dimension of size {}", what, size)


def require_nonzero_unless_no_batch(width: Size, batch: Shape, what: str) -> None:
    """Refuse an empty dimension, which torch allows only in a batch of no samples."""
    if implied(width >= 1):
        return
    no_batch = batch[0] == 0 if batch else False
    require(any_of(width >= 1, no_batch), "{} got an empty tensor: a dimension of size {}", what, width)


def require_several(sizes: Sequence[Size], reason: str, *values: object) -> None:
    """Refuse a single element, which leaves nothing to take statistics of."""
    # a size that is known to be 2 or more settles it without looking at the product, which couples all sizes
    if not any(implied(size >= 2) for size in reversed(sizes)):
        require(product(sizes) != 1, reason, *values)
