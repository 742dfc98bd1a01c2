"""torchvision's operators on boxes and regions of images. The package need not be there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from shapelint.ops.dimensions import Shape
from shapelint.ops.registry import Spec, TensorLike, Unsupported, shape_rule
from shapelint.sizes import Size, divide, divides, formulas, implied, require
from shapelint.sizes.path import content_count


@shape_rule("torchvision::nms")
def nms(dets: TensorLike, scores: TensorLike, iou_threshold: Any) -> Spec:
    """So many boxes are kept as their contents say; of any, one is."""
    require(len(dets.shape) == 2, "boxes have 2 dimensions, and not {}", len(dets.shape))
    require(dets.shape[1] == 4, "a box has 4 numbers, and not {}", dets.shape[1])
    require(len(scores.shape) == 1, "scores have 1 dimension, and not {}", len(scores.shape))
    boxes = dets.shape[0]
    require(scores.shape[0] == boxes, "there are {} boxes and {} scores", boxes, scores.shape[0])
    return Spec((content_count(boxes, 1 if implied(boxes >= 1) else 0),), torch.int64)


def _regions(input: TensorLike, rois: TensorLike, height: Size, width: Size) -> tuple[Size, Size]:
    """How many regions are taken from an image, and how many channels it has."""
    if len(input.shape) != 4 or len(rois.shape) != 2:
        raise Unsupported("images without a batch, or regions of other than 2 dimensions")
    require(rois.shape[1] == 5, "a region has 5 numbers (its image, and a box), and not {}", rois.shape[1])
    for size in (height, width):
        require(size >= 1, "regions are brought to {} x {}", height, width)
    return rois.shape[0], input.shape[1]


@shape_rule("torchvision::roi_align")
def roi_align(
    input: TensorLike,
    rois: TensorLike,
    spatial_scale: Any,
    pooled_height: Size,
    pooled_width: Size,
    sampling_ratio: int,
    aligned: bool,
) -> Spec:
    many, channels = _regions(input, rois, pooled_height, pooled_width)
    return Spec((many, channels, pooled_height, pooled_width))


@shape_rule("torchvision::roi_pool")
def roi_pool(
    input: TensorLike, rois: TensorLike, spatial_scale: Any, pooled_height: Size, pooled_width: Size
) -> tuple[Spec, Spec]:
    many, channels = _regions(input, rois, pooled_height, pooled_width)
    shape = (many, channels, pooled_height, pooled_width)
    return Spec(shape), Spec(shape, torch.int32)


@shape_rule("torchvision::ps_roi_align", "torchvision::ps_roi_pool")
def position_sensitive(
    input: TensorLike,
    rois: TensorLike,
    spatial_scale: Any,
    pooled_height: Size,
    pooled_width: Size,
    sampling_ratio: int = 0,
) -> tuple[Spec, Spec]:
    """Each place in a region has channels of its own."""
    many, channels = _regions(input, rois, pooled_height, pooled_width)
    places = pooled_height * pooled_width
    reason = "{} channels are no multiple of the {} places in a region"
    require(divides(places, channels), reason, channels, places)
    shape = (many, divide(channels, places), pooled_height, pooled_width)
    return Spec(shape), Spec(shape, torch.int32)


@shape_rule("torchvision::deform_conv2d")
def deform_conv2d(
    input: TensorLike,
    weight: TensorLike,
    offset: TensorLike,
    mask: TensorLike,
    bias: TensorLike,
    stride_h: int,
    stride_w: int,
    pad_h: int,
    pad_w: int,
    dilation_h: int,
    dilation_w: int,
    groups: Size,
    offset_groups: Size,
    use_mask: bool,
) -> Spec:
    """A convolution that looks where its offsets say: a pair of them for each element of the kernel and each result."""
    for tensor, what in ((input, "input"), (offset, "offset"), (weight, "weight")):
        require(
            len(tensor.shape) == 4,
            "the {} of a deformable convolution has 4 dimensions, and not {}",
            what,
            len(tensor.shape),
        )
    batch, channels, *spatial = input.shape
    made, of_group, *kernel = weight.shape
    require(
        of_group * groups == channels,
        "the weight is for {} channels in {} groups, and {} arrive",
        of_group,
        groups,
        channels,
    )
    require(divides(groups, made), "{} channels cannot be made in {} groups", made, groups)
    require(divides(offset_groups, channels), "{} channels cannot be moved in {} groups", channels, offset_groups)
    parameters = ((stride_h, pad_h, dilation_h), (stride_w, pad_w, dilation_w))
    widths = tuple(_width(width, size, *how) for width, size, how in zip(spatial, kernel, parameters, strict=True))
    places = offset_groups * kernel[0] * kernel[1]
    _require_moves(offset.shape, (batch, 2 * places, *widths), "the offset")
    if use_mask:
        _require_moves(mask.shape, (batch, places, *widths), "the mask")
    for width in widths:
        require(width >= 1, "nothing is left of {} x {}", *spatial)
    require(bias.shape[0] == made, "the bias is for {} channels, and {} are made", bias.shape[0], made)
    return Spec((batch, made, *widths))


def _width(width: Any, kernel: Any, stride: int, padding: int, dilation: int) -> Size:
    missing: Size = formulas.effective_kernel_size(kernel, dilation) - width - 2 * padding
    if missing > 0:
        # divided as C++ does, which rounds towards 0
        return 1 - missing // stride
    found: Size = formulas.conv_width(width, kernel, stride, padding, dilation)
    return found


def _require_moves(shape: Shape, expected: Sequence[Size], what: str) -> None:
    require(len(shape) == 4, "{} has 4 dimensions, and not {}", what, len(shape))
    for size, wanted in zip(shape, expected, strict=True):
        require(size == wanted, "{} has shape {}, and should have {}", what, shape, tuple(expected))
