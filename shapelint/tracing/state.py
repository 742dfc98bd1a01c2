"""What a model keeps between calls: attributes set in forward, lists and dicts it caches in.

The tracer runs a forward several times and must leave the model as it found it, so changes are written down
and put back.
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from shapelint.tracing.loops.outlines import OWN_TABLES
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


Contents = tuple[list[int], list[Any]]
"""What lists and dicts held at one time: how many items each, and all of these in a row. Taken for every call."""

_KINDS = frozenset({list, dict})
_NOTHING: Contents = ([], [])


class Containers:
    """Lists and dicts that the user's modules keep as attributes, where a call may leave something."""

    def __init__(self, modules: Iterable[nn.Module]) -> None:
        self._all: list[Any] = []
        self._views: list[Any] = []
        theirs: dict[type, bool] = {}
        for module in modules:
            kind = type(module)
            if kind not in theirs:
                theirs[kind] = not kind.__module__.startswith("torch.")
            if theirs[kind]:
                # no call for what is neither: a network has thousands of attributes
                for name, value in module.__dict__.items():
                    if type(value) in _KINDS and name not in OWN_TABLES:
                        self.add(value)

    def add(self, value: Any) -> None:
        """Watch a value too, if it is a list or a dict."""
        if type(value) is list:
            self._views.append(value)
        elif type(value) is dict:
            self._views += (value.keys(), value.values())
        else:
            return
        self._all.append(value)

    def watches(self, value: Any) -> bool:
        """Whether a list or a dict is among them."""
        return any(value is each for each in self._all)

    def now(self) -> Contents:
        if not self._all:
            return _NOTHING
        return list(map(len, self._views)), list(itertools.chain(*self._views))

    def are_as(self, before: Contents) -> bool:
        """Whether they hold the very same objects as before, and are as many."""
        if not self._all:
            return True
        lengths, items = before
        return lengths == list(map(len, self._views)) and all(map(operator.is_, items, itertools.chain(*self._views)))

    def changed(self, before: Contents) -> list[tuple[Any, Any]]:
        """Those of the containers there were that hold something else than before, each with a copy of what it held."""
        if self.are_as(before):
            return []
        start, found = 0, []
        lengths, items = iter(before[0]), before[1]
        for container in self._all:
            length = next(lengths, None)
            if length is None:
                break
            held: Any = items[start : start + length]
            start += length
            if type(container) is dict:
                values = items[start : start + next(lengths)]
                held = dict(zip(held, values, strict=True))
                start += length
            if not same_contents(container, held):
                found.append((container, held))
        return found

    def restore(self, before: Contents) -> None:
        """Give them what they held."""
        for container, held in self.changed(before):
            refill(container, held)


def same_contents(container: Any, contents: Any) -> bool:
    """Whether a list or a dict holds the very objects that it held."""
    if len(container) != len(contents):
        return False
    if type(container) is dict and not all(map(operator.is_, container.values(), contents.values())):
        return False
    return all(map(operator.is_, container, contents))


def refill(container: Any, contents: Any) -> None:
    container.clear()
    if isinstance(container, dict):
        container.update(contents)
    else:
        container.extend(contents)
