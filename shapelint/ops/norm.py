"""Normalisation: shapes pass through, but some sizes leave nothing to take statistics of and are refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from shapelint.ops.axes import is_lazy, parameter_shape, require_several
from shapelint.ops.dimensions import Shape
from shapelint.ops.registry import Spec, TensorLike, shape_rule
from shapelint.sizes import Size, divide, divides, require


def batch_normalized(shape: Shape, expected: Sequence[Size]) -> Spec:
    """Batch normalisation; ``expected`` are the channel counts of the running statistics, weight and bias."""
    require(len(shape) >= 2, "batch normalisation needs a batch and channels, and got {} dimension(s)", len(shape))
    for channels in expected:
        _require_channels(shape[1], channels)
    return Spec(shape)


def _require_batch_values(shape: Shape) -> None:
    require(len(shape) >= 2, "batch normalisation needs a batch and channels, and got {} dimension(s)", len(shape))
    require_several(
        (shape[0], *shape[2:]),
        "batch normalisation in training needs more than one value per channel, and got the shape {}",
        shape,
    )


def _require_spatial_values(shape: Shape) -> None:
    require_several(
        shape[2:],
        "instance normalisation needs more than one spatial element, and got the spatial size {}",
        shape[2:],
    )


def group_normalized(shape: Shape, groups: int, expected: Sequence[Size]) -> Spec:
    """Group normalisation; ``expected`` are the channel counts of the weight and bias."""
    require(len(shape) >= 2, "group normalisation needs a batch and channels, and got {} dimension(s)", len(shape))
    channels = shape[1]
    require(divides(groups, channels), "{} channels do not split into {} groups", channels, groups)
    for count in expected:
        _require_channels(channels, count)
    return Spec(shape)


def _require_group_values(shape: Shape, groups: int) -> None:
    batch, channels, *spatial = shape
    require_several(
        (batch, divide(channels, groups), *spatial),
        "group normalisation needs more than one value per group, and got the shape {} in {} groups",
        shape,
        groups,
    )


def trailing_normalized(shape: Shape, normalized_shape: Sequence[Size]) -> Spec:
    """Layer and RMS normalisation, over the last dimensions."""
    expected = tuple(normalized_shape)
    count = len(expected)
    reason = "normalized_shape {} is not what the input of shape {} ends with"
    require(count >= 1, "normalized_shape is empty")
    require(len(shape) >= count, reason, expected, shape)
    for size, wanted in zip(shape[len(shape) - count :], expected, strict=True):
        require(size == wanted, reason, expected, shape)
    return Spec(shape)


def _require_channels(channels: Size, expected: Size) -> None:
    require(channels == expected, "the input has {} channels, the layer expects {}", channels, expected)


def _lengths(*parameters: TensorLike | None) -> list[Size]:
    return [parameter_shape(parameter)[0] for parameter in parameters if parameter is not None and _is_ready(parameter)]


def _is_ready(parameter: Any) -> bool:
    """Whether a lazy module's parameter has its shape."""
    return not is_lazy(parameter)


@shape_rule("nn.functional.batch_norm")
def batch_norm(
    input: TensorLike,
    running_mean: TensorLike | None,
    running_var: TensorLike | None,
    weight: TensorLike | None = None,
    bias: TensorLike | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Spec:
    if training:
        _require_batch_values(input.shape)
    return torch_batch_norm(input, weight, bias, running_mean, running_var, training)


@shape_rule(torch.batch_norm)
def torch_batch_norm(
    input: TensorLike,
    weight: TensorLike | None,
    bias: TensorLike | None,
    running_mean: TensorLike | None,
    running_var: TensorLike | None,
    training: bool,
    momentum: float = 0.1,
    eps: float = 1e-5,
    cudnn_enabled: bool = True,
) -> Spec:
    require(
        training or (running_mean is not None and running_var is not None),
        "batch normalisation outside of training needs running_mean and running_var",
    )
    return batch_normalized(input.shape, _lengths(running_mean, running_var, weight, bias))


@shape_rule("nn.functional.instance_norm")
def instance_norm(
    input: TensorLike,
    running_mean: TensorLike | None = None,
    running_var: TensorLike | None = None,
    weight: TensorLike | None = None,
    bias: TensorLike | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Spec:
    if use_input_stats:
        _require_spatial_values(input.shape)
    return torch_instance_norm(input, weight, bias, running_mean, running_var, use_input_stats)


@shape_rule(torch.instance_norm)
def torch_instance_norm(
    input: TensorLike,
    weight: TensorLike | None,
    bias: TensorLike | None,
    running_mean: TensorLike | None,
    running_var: TensorLike | None,
    use_input_stats: bool,
    momentum: float = 0.1,
    eps: float = 1e-5,
    cudnn_enabled: bool = True,
) -> Spec:
    shape = input.shape
    require(len(shape) >= 2, "instance normalisation needs channels, and got {} dimension(s)", len(shape))
    for channels in _lengths(running_mean, running_var, weight, bias):
        _require_channels(shape[1], channels)
    require(
        use_input_stats or running_mean is not None,
        "instance normalisation without use_input_stats needs running_mean and running_var",
    )
    return Spec(shape)


@shape_rule("nn.functional.group_norm")
def group_norm(
    input: TensorLike,
    num_groups: int,
    weight: TensorLike | None = None,
    bias: TensorLike | None = None,
    eps: float = 1e-5,
) -> Spec:
    result = group_normalized(input.shape, num_groups, _lengths(weight, bias))
    _require_group_values(input.shape, num_groups)
    return result


@shape_rule(torch.group_norm)
def torch_group_norm(
    input: TensorLike,
    num_groups: int,
    weight: TensorLike | None = None,
    bias: TensorLike | None = None,
    eps: float = 1e-5,
    cudnn_enabled: bool = True,
) -> Spec:
    return group_normalized(input.shape, num_groups, _lengths(weight, bias))


@shape_rule("layer_norm")
def layer_norm(
    input: TensorLike,
    normalized_shape: Sequence[Size],
    weight: TensorLike | None = None,
    bias: TensorLike | None = None,
    eps: float = 1e-5,
    cudnn_enable: bool = True,
) -> Spec:
    return _layer_normalized(input.shape, normalized_shape, weight, bias)


@shape_rule("rms_norm")
def rms_norm(
    input: TensorLike,
    normalized_shape: Sequence[Size],
    weight: TensorLike | None = None,
    eps: float | None = None,
) -> Spec:
    return _layer_normalized(input.shape, normalized_shape, weight)


def _layer_normalized(shape: Shape, normalized_shape: Sequence[Size], *parameters: TensorLike | None) -> Spec:
    for parameter in parameters:
        if parameter is not None:
            trailing_normalized(tuple(parameter.shape), normalized_shape)
    return trailing_normalized(shape, normalized_shape)


@shape_rule("local_response_norm")
def local_response_norm(input: TensorLike, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Spec:
    require(input.ndim >= 3, "local response normalisation needs 3 dimensions or more, and got {}", input.ndim)
    require(size >= 1, "local response normalisation over {} channels", size)
    return Spec(input.shape)


@shape_rule("nn.functional.normalize")
def normalize(
    input: TensorLike, p: float = 2.0, dim: Any = 1, eps: float = 1e-12, out: TensorLike | None = None
) -> Spec:
    rank = input.ndim
    for axis in dim if isinstance(dim, (tuple, list)) else (dim,):
        require(-rank <= axis < rank, "there is no dimension {} in a tensor of {} dimensions", axis, rank)
    return Spec(input.shape)


_RANKS: dict[type[nn.Module], tuple[int, ...]] = {
    nn.BatchNorm1d: (2, 3),
    nn.BatchNorm2d: (4,),
    nn.BatchNorm3d: (5,),
    nn.LazyBatchNorm1d: (2, 3),
    nn.LazyBatchNorm2d: (4,),
    nn.LazyBatchNorm3d: (5,),
    nn.InstanceNorm1d: (2, 3),
    nn.InstanceNorm2d: (3, 4),
    nn.InstanceNorm3d: (4, 5),
    nn.LazyInstanceNorm1d: (2, 3),
    nn.LazyInstanceNorm2d: (3, 4),
    nn.LazyInstanceNorm3d: (4, 5),
}


def _require_rank(module: nn.Module, shape: Shape) -> None:
    ranks = _RANKS[type(module)]
    require(
        len(shape) in ranks,
        "{} takes a tensor of {} dimensions, and got {}",
        type(module).__name__,
        " or ".join(map(str, ranks)),
        len(shape),
    )


@shape_rule(*(module for module in _RANKS if "BatchNorm" in module.__name__))
def batch_norm_module(module: Any, input: TensorLike) -> Spec:
    _require_rank(module, input.shape)
    return _batch_norm_module(module, input.shape)


@shape_rule(nn.SyncBatchNorm)
def sync_batch_norm_module(module: Any, input: TensorLike) -> Spec:
    return _batch_norm_module(module, input.shape)


def _batch_norm_module(module: Any, shape: Shape) -> Spec:
    training = module.training
    mean = module.running_mean
    uses_batch = training or (mean is None and module.running_var is None)
    statistics = mean if not training or module.track_running_stats else None
    if uses_batch:
        _require_batch_values(shape)
    return batch_normalized(shape, _lengths(statistics, module.weight))


@shape_rule(*(module for module in _RANKS if "InstanceNorm" in module.__name__))
def instance_norm_module(module: Any, input: TensorLike) -> Spec:
    shape = input.shape
    _require_rank(module, shape)
    unbatched = len(shape) == _RANKS[type(module)][0]
    batched: Shape = (1, *shape) if unbatched else shape
    for channels in _lengths(module.running_mean, module.weight):
        _require_channels(batched[1], channels)
    if module.training or not module.track_running_stats:
        _require_spatial_values(batched)
    return Spec(shape)


@shape_rule(nn.GroupNorm)
def group_norm_module(module: Any, input: TensorLike) -> Spec:
    result = group_normalized(input.shape, module.num_groups, _lengths(module.weight))
    _require_group_values(input.shape, module.num_groups)
    return result


@shape_rule(nn.LayerNorm, nn.RMSNorm)
def layer_norm_module(module: Any, input: TensorLike) -> Spec:
    return trailing_normalized(input.shape, module.normalized_shape)


@shape_rule(nn.LocalResponseNorm)
def local_response_norm_module(module: Any, input: TensorLike) -> Spec:
    return local_response_norm(input, module.size)
