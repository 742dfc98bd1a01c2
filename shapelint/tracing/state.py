"""What a model keeps between calls: attributes set in forward, lists and dicts it caches in.

The tracer runs a forward several times and must leave the model as it found it, so changes are written down
and put back.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from shapelint.tracing.loops.holding import OWN_TABLES
from shapelint.tracing.patches import unexchanged
from shapelint.tracing.tensor import SymbolicTensor

Attribute = tuple[nn.Module | SymbolicTensor, str]
Written = dict[Attribute, Any]
"""Attributes that were set, with the values from before."""

MISSING = object()
"""The value of an attribute that was not there."""

_original_setattr: Any = unexchanged(nn.Module.__setattr__)
original_delattr: Any = unexchanged(nn.Module.__delattr__)


def read(attribute: Attribute) -> Any:
    """An attribute's value as the module holds it."""
    module, name = attribute
    for table in ("_parameters", "_buffers", "_modules"):
        inner = module.__dict__.get(table)
        if inner is not None and name in inner:
            return inner[name]
    return module.__dict__.get(name, MISSING)


def write(attribute: Attribute, value: Any) -> None:
    """Set an attribute as ``module.name = value`` does, symbolic tensors as plain values."""
    module, name = attribute
    buffers = module.__dict__.get("_buffers")
    if isinstance(module, SymbolicTensor):
        module.__dict__[name] = value
    elif buffers is not None and name in buffers and isinstance(value, torch.Tensor):
        buffers[name] = value
    elif isinstance(value, SymbolicTensor):
        module.__dict__[name] = value
    else:
        _original_setattr(module, name, value)


def roll_back(written: Written) -> None:
    """Give attributes the values they had."""
    for (module, name), old in written.items():
        if old is MISSING:
            module.__dict__.pop(name, None)
        else:
            write((module, name), old)


def install(values: Written) -> None:
    """Give attributes the values that paths left them with."""
    for attribute, value in values.items():
        if value is not MISSING:
            write(attribute, value)


def modules_by_name(model: nn.Module) -> dict[str, nn.Module]:
    """As ``model.named_modules()``, in its order, which takes time for every module above each."""
    found: dict[str, nn.Module] = {}
    known: set[int] = set()
    waiting = [("", model)]
    while waiting:
        name, module = waiting.pop()
        if id(module) in known:
            continue
        known.add(id(module))
        found[name] = module
        if module._modules:
            prefix = f"{name}." if name else ""
            waiting += [(prefix + n, child) for n, child in reversed(module._modules.items()) if child is not None]
    return found


def containers(modules: Iterable[nn.Module]) -> list[Any]:
    """Lists and dicts that the user's modules keep as attributes."""
    return [
        value
        for module in modules
        if not type(module).__module__.startswith("torch.")
        for name in module.__dict__.keys() - OWN_TABLES
        if type(value := module.__dict__[name]) in (list, dict)
    ]
