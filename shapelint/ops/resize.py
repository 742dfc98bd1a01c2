"""Resizing: interpolation, pixel and channel shuffles, sampling at a grid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from shapelint.ops.axes import require_nonzero
from shapelint.ops.dimensions import Shape
from shapelint.ops.dtypes import require_kinds
from shapelint.ops.pool import adaptive_shape
from shapelint.ops.registry import Spec, TensorLike, shape_rule
from shapelint.sizes import Size, divide, divides, require, scaled_floor

# the ranks (batch and channels included) that each mode takes
_MODE_RANKS: dict[str, tuple[int, ...]] = {
    "nearest": (3, 4, 5),
    "nearest-exact": (3, 4, 5),
    "area": (3, 4, 5),
    "linear": (3,),
    "bilinear": (4,),
    "bicubic": (4,),
    "lanczos": (4,),
    "trilinear": (5,),
}
_WITHOUT_CORNERS = ("nearest", "nearest-exact", "area")
_ANTIALIASED = ("bilinear", "bicubic", "lanczos")

_FLOATING_MODES = frozenset({"linear", "trilinear", "area"})
"""Modes without a kernel for bytes."""


@shape_rule("interpolate")
def interpolate(
    input: TensorLike,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Spec:
    shape = input.shape
    require_kinds(f"interpolate with mode {mode!r}", input, "f" if mode in _FLOATING_MODES else "fu")
    _require_mode(len(shape), mode, align_corners, antialias)
    require((size is None) != (scale_factor is None), "interpolate takes either size or scale_factor")
    require(size is None or not recompute_scale_factor, "recompute_scale_factor means nothing with a size")
    spatial = shape[2:]
    widths = _scaled_sizes(spatial, scale_factor) if size is None else _wanted_sizes(size, len(spatial))
    if mode == "area":
        return Spec(adaptive_shape(shape, len(spatial), widths, average=True))
    require_nonzero(shape[1:], "interpolate")
    for before, after in zip(spatial, widths, strict=True):
        require(after >= 1, "interpolate would make a size of {} out of {}", after, before)
    return Spec((*shape[:2], *widths))


def _require_mode(rank: int, mode: str, align_corners: bool | None, antialias: bool) -> None:
    ranks = _MODE_RANKS.get(mode)
    require(ranks is not None, "interpolate has no mode {!r}", mode)
    if ranks is not None:
        require(
            rank in ranks,
            "interpolate mode {!r} takes a tensor of {} dimensions, and got {}",
            mode,
            " or ".join(map(str, ranks)),
            rank,
        )
    require(align_corners is None or mode not in _WITHOUT_CORNERS, "mode {!r} takes no align_corners", mode)
    require(not antialias or mode in _ANTIALIASED, "mode {!r} has no antialias", mode)
    require(mode != "lanczos" or (antialias and not align_corners), "lanczos takes antialias, and no align_corners")


def _wanted_sizes(size: Any, axes: int) -> Shape:
    if not isinstance(size, (tuple, list)):
        size = (size,) * axes
    require(len(size) == axes, "size has {} values, but there are {} spatial axes", len(size), axes)
    for width in size:
        require(not isinstance(width, float), "size must be whole numbers, and got {}", width)
    return tuple(size)


def _scaled_sizes(spatial: Shape, scale_factor: Any) -> Shape:
    factors = scale_factor
    if not isinstance(scale_factor, (tuple, list)):
        factors = (scale_factor,) * len(spatial)
    require(
        len(factors) == len(spatial),
        "scale_factor has {} values, but there are {} spatial axes",
        len(factors),
        len(spatial),
    )
    return tuple(_scaled(width, factor) for width, factor in zip(spatial, factors, strict=True))


def _scaled(width: Size, factor: Any) -> Size:
    # a whole factor keeps the size affine, and double precision multiplies by it exactly
    exact = int(factor) if type(factor) is float and factor.is_integer() else factor
    scaled: Size = scaled_floor(width, exact)
    return scaled


@shape_rule(nn.Upsample, nn.UpsamplingNearest2d, nn.UpsamplingBilinear2d)
def upsample_module(module: Any, input: TensorLike) -> Spec:
    return interpolate(
        input,
        module.size,
        module.scale_factor,
        module.mode,
        module.align_corners,
        module.recompute_scale_factor,
    )


@shape_rule("pixel_shuffle")
def pixel_shuffle(input: TensorLike, upscale_factor: int) -> Spec:
    shape = input.shape
    require(len(shape) >= 3, "pixel_shuffle needs 3 dimensions or more, and got {}", len(shape))
    require(upscale_factor >= 1, "pixel_shuffle by a factor of {}", upscale_factor)
    *batch, channels, height, width = shape
    block = upscale_factor * upscale_factor
    require(
        divides(block, channels),
        "pixel_shuffle by {}: {} channels are not a multiple of {} squared = {}",
        upscale_factor,
        channels,
        upscale_factor,
        block,
    )
    return Spec((*batch, divide(channels, block), height * upscale_factor, width * upscale_factor))


@shape_rule("pixel_unshuffle")
def pixel_unshuffle(input: TensorLike, downscale_factor: int) -> Spec:
    shape = input.shape
    require(len(shape) >= 3, "pixel_unshuffle needs 3 dimensions or more, and got {}", len(shape))
    require(downscale_factor >= 1, "pixel_unshuffle by a factor of {}", downscale_factor)
    *batch, channels, height, width = shape
    for name, size in (("height", height), ("width", width)):
        require(
            divides(downscale_factor, size),
            "pixel_unshuffle by {}: the {} of {} is not a multiple of it",
            downscale_factor,
            name,
            size,
        )
    return Spec(
        (
            *batch,
            channels * (downscale_factor * downscale_factor),
            divide(height, downscale_factor),
            divide(width, downscale_factor),
        )
    )


@shape_rule("channel_shuffle", "native_channel_shuffle")
def channel_shuffle(input: TensorLike, groups: int) -> Spec:
    shape = input.shape
    require(len(shape) >= 3, "channel_shuffle needs 3 dimensions or more, and got {}", len(shape))
    require(groups >= 1, "channel_shuffle into {} groups", groups)
    require(divides(groups, shape[1]), "channel_shuffle: {} channels do not split into {} groups", shape[1], groups)
    return Spec(shape)


@shape_rule(nn.PixelShuffle)
def pixel_shuffle_module(module: Any, input: TensorLike) -> Spec:
    return pixel_shuffle(input, module.upscale_factor)


@shape_rule(nn.PixelUnshuffle)
def pixel_unshuffle_module(module: Any, input: TensorLike) -> Spec:
    return pixel_unshuffle(input, module.downscale_factor)


@shape_rule(nn.ChannelShuffle)
def channel_shuffle_module(module: Any, input: TensorLike) -> Spec:
    return channel_shuffle(input, module.groups)


@shape_rule("grid_sample")
def grid_sample(
    input: TensorLike,
    grid: TensorLike,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Spec:
    require(mode in ("bilinear", "nearest", "bicubic"), "grid_sample has no mode {!r}", mode)
    require(padding_mode in ("zeros", "border", "reflection"), "grid_sample has no padding mode {!r}", padding_mode)
    rank = input.ndim
    require(mode != "bicubic" or rank == 4, "grid_sample in mode 'bicubic' takes 4 dimensions, and got {}", rank)
    return _grid_sampled(input, grid)


@shape_rule("grid_sampler")
def grid_sampler(
    input: TensorLike, grid: TensorLike, interpolation_mode: int, padding_mode: int, align_corners: bool
) -> Spec:
    return _grid_sampled(input, grid)


def _grid_sampled(input: TensorLike, grid: TensorLike) -> Spec:
    shape, points = input.shape, grid.shape
    axes = len(shape) - 2
    require(axes in (2, 3), "grid_sample takes an input of 4 or 5 dimensions, and got {}", len(shape))
    require(len(points) == len(shape), "grid_sample: the input has {} dimensions, the grid {}", len(shape), len(points))
    require(points[0] == shape[0], "grid_sample: the input has a batch of {}, the grid of {}", shape[0], points[0])
    require(
        points[-1] == axes,
        "grid_sample: the grid's last dimension must be {}, one coordinate an axis, and is {}",
        axes,
        points[-1],
    )
    require_nonzero(shape[2:], "grid_sample")
    return Spec((*shape[:2], *points[1:-1]))


@shape_rule("affine_grid")
def affine_grid(theta: TensorLike, size: Sequence[Size], align_corners: bool | None = None) -> Spec:
    wanted = tuple(size)
    axes = len(wanted) - 2
    require(axes in (2, 3), "affine_grid takes a size of 4 or 5 values, and got {}", len(wanted))
    require(theta.ndim == 3, "affine_grid takes a theta of 3 dimensions, and got {}", theta.ndim)
    batch, rows, columns = theta.shape
    require(rows == axes, "affine_grid: theta must be N x {} x {}, and has {} rows", axes, axes + 1, rows)
    require(columns == axes + 1, "affine_grid: theta must be N x {} x {}, and has {} columns", axes, axes + 1, columns)
    require(batch == wanted[0], "affine_grid: theta has a batch of {}, the size of {}", batch, wanted[0])
    require_nonzero(wanted, "affine_grid")
    return Spec((batch, *wanted[2:], axes))
