"""Convolutions with weight normalization: what they do to sizes is what they do without it.

``torch.nn.utils.parametrizations.weight_norm`` gives a layer a class of its own, whose weight is a property that
computes it. Audio networks have it on all convolutions, and to run what computes it took a quarter of their analysis.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize

_CONVOLUTIONS: frozenset[type[nn.Module]] = frozenset(
    {nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d}
)
_WEIGHT_NORM: type[nn.Module] | None = getattr(parametrizations, "_WeightNorm", None)


def layer_class(layer: nn.Module) -> type[nn.Module]:
    """The class that says what a layer does: its own, or that of the convolution whose weight is normalized."""
    kind = type(layer)
    if "parametrizations" not in layer._modules:
        return kind
    before = kind.__bases__[0]
    return before if before in _CONVOLUTIONS and kind.forward is before.forward and _is_normalized(layer) else kind


def direction_of(layer: nn.Module) -> nn.Parameter | None:
    """The parameter that has the shape and the dtype of a normalized weight, for a layer that has one."""
    found = layer._modules.get("parametrizations")
    weight = None if found is None else found._modules.get("weight")
    return None if weight is None else weight._parameters.get("original1")


def _is_normalized(layer: nn.Module) -> bool:
    """Whether weight normalization as torch has it is all that a layer's parameters go through."""
    found = layer._modules["parametrizations"]
    if found is None or list(found._modules) != ["weight"]:
        return False
    weight = found._modules["weight"]
    if type(weight) is not parametrize.ParametrizationList or list(weight._modules) != ["0"]:
        return False
    norm = weight._modules["0"]
    if norm is None or type(norm) is not _WEIGHT_NORM or not (_is_plain(weight) and _is_plain(norm)):
        return False
    magnitude, direction = weight._parameters.get("original0"), weight._parameters.get("original1")
    if type(magnitude) is not nn.Parameter or type(direction) is not nn.Parameter:
        return False
    with torch._C.DisableTorchFunction():
        shape, dim = direction.shape, norm.dim
        kept = () if dim == -1 else [size if axis == dim else 1 for axis, size in enumerate(shape)]
        return magnitude.dtype is direction.dtype and list(magnitude.shape) == list(kept)


def _is_plain(module: nn.Module) -> bool:
    """Whether calling the module does what its class does: no hooks, no forward of its own."""
    return not (module._forward_hooks or module._forward_pre_hooks or "forward" in module.__dict__)
