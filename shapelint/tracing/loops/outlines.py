"""What a module holds that stays as it is unless an attribute is set.

Both ends of a loop's round are compared, the model with all its parts among what they hold: hundreds of modules, with
thousands of attributes. Nearly all of these are plain values. So they are read once; later it is only looked whether
all modules still have the very objects that they had, and else those are read again that have not.
"""

from __future__ import annotations

import enum
import itertools
import operator
from types import BuiltinFunctionType, CodeType, ModuleType
from typing import Any

import torch
from torch import nn

from shapelint.sizes import Dim, Size

OWN_TABLES = frozenset(nn.Module().__dict__)
"""Attributes that every module has."""

BY_VALUE = (float, complex, str, bytes, type(None), type(...), torch.dtype, torch.device, enum.Enum)
BY_IDENTITY = (type, ModuleType, BuiltinFunctionType, CodeType, torch.Generator, torch.layout, torch.memory_format)

MOSTLY = frozenset({bool, float, str, type(None)})


class _Own:
    """The attributes of one module.

    Attributes:
        structure: equal to that of another time where they hold the same, but for which tuples are the same object,
        sizes: for the sizes in them,
        live: and for what can change while an attribute holds it.
        tuples: the ids of the tuples, as they are met.
    """

    def __init__(self, attributes: dict[str, Any]) -> None:
        self.sizes: list[Size] = []
        self.live: list[Any] = []
        self.tuples: list[int] = []
        self._attributes = attributes
        self._names, self._values = list(attributes), list(attributes.values())
        found: list[Any] = []
        for name, value in attributes.items():
            if name not in OWN_TABLES:
                found.append(name)
                if self._is_plain(value):
                    found.append(self._plain(value))
                else:
                    found.append("live")
                    self.live.append(value)
        self.structure = tuple(found)

    def holds(self, attributes: dict[str, Any]) -> bool:
        """Whether these are the attributes, each with the very object that it had."""
        if attributes is not self._attributes or len(attributes) != len(self._values):
            return False
        return all(map(operator.is_, attributes.values(), self._values)) and list(attributes) == self._names

    def _is_plain(self, value: Any) -> bool:
        kind = type(value)
        if (
            kind in MOSTLY
            or kind is int
            or isinstance(value, Dim)
            or issubclass(kind, BY_VALUE)
            or issubclass(kind, BY_IDENTITY)
        ):
            return True
        return kind is tuple and all(map(self._is_plain, value))

    def _plain(self, value: Any) -> Any:
        kind = type(value)
        if kind is int or isinstance(value, Dim):
            self.sizes.append(value)
            return "size"
        if kind is tuple:
            self.tuples.append(id(value))
            return (kind, *map(self._plain, value))
        return (kind, value) if kind in MOSTLY or issubclass(kind, BY_VALUE) else ("object", id(value))


class Outline:
    """A module, and all modules in it.

    Attributes:
        structure: equal to that of another time where they hold the same,
        sizes: but for the sizes among their attributes,
        live: and for what can change while an attribute holds it.
        met: all objects that this has come across, the module itself apart, with their numbers in that order.
    """

    def __init__(self, module: nn.Module, before: Outline | None = None) -> None:
        """Read what a module holds now.

        Args:
            before: what it held at another time.
        """
        self.live: list[Any] = []
        self.met: dict[int, int] = {}
        self._module = module
        self._structure: list[Any] = []
        self._sizes: list[Size] = []
        self._views: list[Any] = []
        self._tables: list[tuple[dict[str, Any], Any]] = []
        self._own: dict[int, _Own] = {} if before is None else before._own
        self._read(module)
        self.structure, self.sizes = tuple(self._structure), tuple(self._sizes)
        self._lengths, self._items = self._now()

    def holds(self) -> bool:
        """Whether all modules have the very objects that they had."""
        if not all(attributes["_modules"] is children for attributes, children in self._tables):
            return False
        lengths, items = self._now()
        return lengths == self._lengths and all(map(operator.is_, items, self._items))

    def _now(self) -> tuple[list[int], list[Any]]:
        return list(map(len, self._views)), list(itertools.chain(*self._views))

    def _read(self, module: nn.Module) -> None:
        attributes = module.__dict__
        children = attributes["_modules"]
        self._structure.append(id(module))
        self._tables.append((attributes, children))
        self._views.append(children.values())
        if not type(module).__module__.startswith("torch."):
            self._read_own(attributes)
        for child in children.values():
            if child is None:
                self._structure.append("none")
            elif child is self._module or id(child) in self.met:
                self._structure.append(("again", self.met.get(id(child))))
            else:
                self.met[id(child)] = len(self.met)
                self._read(child)
        self._structure.append("end")

    def _read_own(self, attributes: dict[str, Any]) -> None:
        buffers = attributes["_buffers"]
        self._views += (attributes.keys(), attributes.values(), buffers.keys())
        if buffers:
            self.live.append(buffers)
        own = self._own.get(id(attributes))
        if own is None or not own.holds(attributes):
            own = self._own[id(attributes)] = _Own(attributes)
        self._structure.append(own.structure)
        self._structure += map(self._which, own.tuples)
        self._sizes += own.sizes
        self.live += own.live

    def _which(self, number: int) -> Any:
        """Which object it is that is met."""
        if number in self.met:
            return self.met[number]
        self.met[number] = len(self.met)
        return "new"
