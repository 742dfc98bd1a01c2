"""A layer that takes another number of channels or features than it gets: what it takes, changed to that."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from shapelint.fixes.changes import Change
from shapelint.rules.context import operands_of
from shapelint.sizes.dim import evaluate
from shapelint.tracing.record import Call
from shapelint.tracing.tensor import SymbolicTensor

_KINDS: tuple[tuple[type[nn.Module], str, int], ...] = (
    (nn.Linear, "in_features", -1),
    (nn.modules.conv._ConvNd, "in_channels", 1),
    (nn.modules.batchnorm._NormBase, "num_features", 1),
    (nn.GroupNorm, "num_channels", 1),
)
"""Which parameter says how much a layer takes, and along which axis it gets it."""


@dataclass(frozen=True, slots=True, eq=False)
class Fitted(Change):
    """A layer's number of channels or features (``attribute``) with another ``value``.

    Attributes:
        factors: the sizes that were flattened into it, if some were.
    """

    factors: tuple[int, ...] = ()

    def tried(self, model: nn.Module) -> AbstractContextManager[None]:
        """The layer with empty parameters of the new shapes."""
        return _refitted(self.call.target, self.attribute, self.value)


def fitted(call: Call, env: dict[str, int]) -> Fitted | str | None:
    """The layer of a call with the number of channels or features that it gets at some sizes.

    None where that is no trouble of it, or a sentence that says why it cannot have this number.
    """
    layer = call.target
    known = next((entry for entry in _KINDS if call.kind == "module" and isinstance(layer, entry[0])), None)
    given = next(operands_of(call), None)
    if known is None or given is None:
        return None
    _, attribute, axis = known
    if axis >= len(given.sizes):
        return None
    arriving = _at(given.sizes[axis], env)
    if arriving == getattr(layer, attribute):
        return None
    if not set(_resized(layer, attribute)) <= {*layer._parameters, *layer._buffers}:
        return "its weight is made of other tensors"
    groups = getattr(layer, "groups", getattr(layer, "num_groups", 1))
    if arriving % groups:
        return f"{arriving} channels do not split into {groups} groups"
    return Fitted(call, attribute, arriving, factors=_factors(given, arriving, env))


def _factors(tensor: SymbolicTensor, total: int, env: dict[str, int]) -> tuple[int, ...]:
    """The sizes of the feature map that a tensor of so many features was flattened from."""
    before: SymbolicTensor | None = tensor
    while before is not None:
        sizes = [_at(size, env) for size in before.sizes[1:]]
        if len(sizes) > 1 and math.prod(sizes) == total:
            return tuple(sizes)
        before = next(operands_of(before.call), None) if before.call is not None else None
    return ()


def _at(size: Any, env: dict[str, int]) -> int:
    return int(evaluate(size, env))


def shape_text(change: Fitted) -> str:
    """What becomes of a layer's parameters: "`fc.weight` then is 120 × 576 instead of 120 × 400"."""
    layer, name = change.call.target, "weight"
    old = layer._parameters.get(name)
    if old is None:
        name, old = "running_mean", layer._buffers.get("running_mean")
    if old is None:
        return ""
    new = _new_shape(layer, name, change.attribute, change.value)
    path = f"{change.layer}.{name}" if change.layer else name
    return f"`{path}` then is {_times(new)} instead of {_times(tuple(old.shape))}"


def _times(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))


def _resized(layer: nn.Module, attribute: str) -> list[str]:
    """The tensors of a layer whose shapes depend on what it takes."""
    own = ("weight",) if attribute.startswith("in_") else ("weight", "bias", "running_mean", "running_var")
    return [name for name in own if isinstance(getattr(layer, name, None), torch.Tensor)]


def _new_shape(layer: Any, name: str, attribute: str, value: int) -> tuple[int, ...]:
    shape = tuple(getattr(layer, name).shape)
    if attribute == "in_features":
        return (*shape[:-1], value)
    if attribute != "in_channels":
        return (value,)
    if layer.transposed:
        return (value, *shape[1:])
    return (shape[0], value // layer.groups, *shape[2:])


@contextlib.contextmanager
def _refitted(layer: nn.Module, attribute: str, value: int) -> Iterator[None]:
    before = getattr(layer, attribute)
    kept: list[tuple[dict[str, Any], str, Any]] = []
    for name in _resized(layer, attribute):
        holder: dict[str, Any] = layer._parameters if name in layer._parameters else layer._buffers
        old = holder[name]
        new = torch.empty(_new_shape(layer, name, attribute, value), dtype=old.dtype, device="meta")
        kept.append((holder, name, old))
        holder[name] = nn.Parameter(new, requires_grad=False) if isinstance(old, nn.Parameter) else new
    try:
        setattr(layer, attribute, value)
        yield
    finally:
        setattr(layer, attribute, before)
        for holder, name, old in kept:
            holder[name] = old
