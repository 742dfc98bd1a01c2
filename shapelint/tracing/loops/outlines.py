"""What a module holds that stays as it is unless an attribute is set.

Both ends of a loop's round are compared, the model with all its parts among what they hold: hundreds of modules, with
thousands of attributes. Nearly all of these are plain values. So they are read once; later it is only looked whether
all modules still have the very objects that they had, and else those are read again that have not.
"""

from __future__ import annotations

import enum
import functools
import itertools
import operator
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import torch
from torch import nn

from shapelint.sizes import Dim, Ratio, Size
from shapelint.sizes.dim import FloatProduct

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
        met: the ids of the tuples and simple values, as they are met,
        containers: and of the lists and dicts among these.
        tables: what is in the simple values.
    """

    def __init__(self, attributes: dict[str, Any]) -> None:
        self.sizes: list[Size] = []
        self.live: list[Any] = []
        self.met: list[int] = []
        self.containers: set[int] = set()
        self.tables: list[Any] = []
        self._attributes = attributes
        self._names, self._values = list(attributes), list(attributes.values())
        found: list[Any] = []
        for name, value in attributes.items():
            if name not in OWN_TABLES:
                found.append(name)
                if self._is_plain(value):
                    found.append(self._plain(value))
                elif type(value) is not list and self._is_simple(value):  # a list is most often a cache, to be filled
                    found.append(self._simple(value))
                else:
                    found.append("live")
                    self.live.append(value)
        self.structure = tuple(found)
        self._held = [list(table) for table in self.tables]

    def holds(self, attributes: dict[str, Any]) -> bool:
        """Whether these are the attributes, each with the very object that it had."""
        if attributes is not self._attributes or len(attributes) != len(self._values):
            return False
        same = all(map(operator.is_, attributes.values(), self._values)) and list(attributes) == self._names
        return same and all(map(_has_still, self.tables, self._held))

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
            self.met.append(id(value))
            return (kind, *map(self._plain, value))
        return (kind, value) if kind in MOSTLY or issubclass(kind, BY_VALUE) else ("object", id(value))

    def _is_simple(self, value: Any, around: tuple[int, ...] = ()) -> bool:
        """Whether it is a list, a dict or a record (a configuration) of plain values, and of others like it."""
        if id(value) in around:
            return False
        tables = _tables(value)
        inner = (*around, id(value))
        return tables is not None and all(
            self._is_plain(item) or self._is_simple(item, inner) for table in tables for item in table
        )

    def _simple(self, value: Any) -> Any:
        if self._is_plain(value):
            return self._plain(value)
        self.met.append(id(value))
        if isinstance(value, (list, dict)):
            self.containers.add(id(value))
        tables = _tables(value) or []
        self.tables += tables
        return (type(value), *(tuple(map(self._simple, table)) for table in tables))


def _tables(value: Any) -> list[Any] | None:
    """All that a value holds, as the value shows it from now on; ``None`` for what is no list, dict or record."""
    kind = type(value)
    if kind in (list, set, frozenset):
        return [value]
    if issubclass(kind, dict):
        own = vars(value) if hasattr(value, "__dict__") else {}
        return [dict.keys(value), dict.values(value), own.keys(), own.values()]
    is_record = hasattr(value, "__dict__") and not hasattr(value, "__next__") and not issubclass(kind, _NO_RECORDS)
    return [vars(value).keys(), vars(value).values()] if is_record else None


_NO_RECORDS = (
    *(torch.Tensor, nn.Module, FunctionType, MethodType, functools.partial, Ratio, FloatProduct),
    *(list, tuple, set, frozenset),
)
"""Kinds of values with attributes that hold something besides."""


def _has_still(table: Any, held: list[Any]) -> bool:
    return len(table) == len(held) and all(map(operator.is_, table, held))


class Outline:
    """A module, and all modules in it.

    Attributes:
        structure: equal to that of another time where they hold the same,
        sizes: but for the sizes among their attributes,
        live: and for what can change while an attribute holds it.
        met: all objects that this has come across, the module itself apart, with their numbers in that order.
        containers: the ids of the lists and dicts among these.
    """

    def __init__(self, module: nn.Module, before: Outline | None = None) -> None:
        """Read what a module holds now.

        Args:
            before: what it held at another time.
        """
        self.live: list[Any] = []
        self.met: dict[int, int] = {}
        self.containers: set[int] = set()
        self._module = module
        self._structure: list[Any] = []
        self._sizes: list[Size] = []
        self._views: list[Any] = []
        self._tables: list[tuple[dict[str, Any], Any]] = []
        self._own: dict[int, _Own] = {} if before is None else before._own
        self._read(module)
        self.structure, self.sizes = tuple(self._structure), tuple(self._sizes)
        self._lengths, self._items = list(map(len, self._views)), list(itertools.chain(*self._views))

    def holds(self) -> bool:
        """Whether all modules have the very objects that they had."""
        if not all(attributes["_modules"] is children for attributes, children in self._tables):
            return False
        as_many = list(map(len, self._views)) == self._lengths
        return as_many and all(map(operator.is_, itertools.chain.from_iterable(self._views), self._items))

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
        self._structure += map(self._which, own.met)
        self._views += own.tables
        self.containers |= own.containers
        self._sizes += own.sizes
        self.live += own.live

    def _which(self, number: int) -> Any:
        """Which object it is that is met."""
        if number in self.met:
            return self.met[number]
        self.met[number] = len(self.met)
        return "new"
