"""What a variable holds, as far as it can matter to the sizes that are computed from it."""

from __future__ import annotations

import functools
import operator
from collections.abc import Mapping
from dataclasses import dataclass
from types import FunctionType, MethodType
from typing import Any

import torch
from torch import nn

from shapelint.ops.placement import Layout, Placement
from shapelint.ops.ramps import INTEGERS
from shapelint.sizes import Dim, Ratio, implied
from shapelint.sizes.dim import FloatProduct
from shapelint.tracing.loops.outlines import BY_IDENTITY, BY_VALUE, MOSTLY, Outline
from shapelint.tracing.loops.repeated import Repeated
from shapelint.tracing.tensor import SymbolicTensor


@dataclass(frozen=True, slots=True)
class Held:
    """A value's structure, with its sizes apart.

    Attributes:
        containers: the ids of the lists and dicts in it.
    """

    structure: Any
    sizes: tuple[Any, ...]
    containers: frozenset[int]


class _Lies:
    """How a tensor lies in memory, which takes longer to find out than to see that it is the same tensor."""

    __slots__ = ("_layout",)

    def __init__(self, layout: Layout | None) -> None:
        self._layout = layout

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Lies):
            return False
        if self._layout is other._layout:
            return True
        a, b = self._placement(), other._placement()
        if a is None or b is None:
            return a is b
        return a.order == b.order and all(x is y or implied(x == y) for x, y in zip(a.strides, b.strides, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def _placement(self) -> Placement | None:
        return None if self._layout is None else self._layout.placement()


_ROW_BY_ROW = _Lies(None)

Outlines = dict[int, Outline]
"""What is known of modules, by their ids."""


def held(value: Any) -> Held:
    """What a value is now."""
    return _Reader({}).whole(value)


def all_held(values: Mapping[str, Any], outlines: Outlines) -> dict[str, Held]:
    """What variables hold now, and which of them hold the same object (``h is not start`` may be asked)."""
    reader = _Reader(outlines)
    return {name: reader.whole(value) for name, value in values.items()}


def is_same(a: Held, b: Held) -> bool:
    """Whether no size computed from them can differ, for all sizes on the path."""
    if a.structure != b.structure or len(a.sizes) != len(b.sizes):
        return False
    if all(map(operator.is_, a.sizes, b.sizes)):
        return True
    return all(x is y or implied(x == y) for x, y in zip(a.sizes, b.sizes, strict=True))


def only_numbers_differ(a: Held, b: Held) -> bool:
    """Whether two tensors of fractions, row by row in memory, have the same shape and differ in what they hold."""
    for each in (a, b):
        tensor = each.structure
        if not (
            type(tensor) is tuple and tensor[0] == "tensor" and tensor[2].is_floating_point and tensor[3] == _ROW_BY_ROW
        ):
            return False
    dimensions = a.structure[1]
    shapes = zip(a.sizes[:dimensions], b.sizes[:dimensions], strict=True)
    return a.structure[:3] == b.structure[:3] and all(x is y or implied(x == y) for x, y in shapes)


class _Reader:
    def __init__(self, outlines: Outlines) -> None:
        self.sizes: list[Any] = []
        self.containers: set[int] = set()
        self._outlines = outlines
        self._seen: dict[int, int] = {}
        self._outlined: list[tuple[dict[int, int], int]] = []
        self._numbers = 0

    def whole(self, value: Any) -> Held:
        self.sizes, self.containers = [], set()
        structure = self.read(value)
        return Held(structure, tuple(self.sizes), frozenset(self.containers))

    def read(self, value: Any) -> Any:
        kind = type(value)
        if kind in MOSTLY:
            return (kind, value)
        if kind is int or isinstance(value, Dim):
            self.sizes.append(value)
            return "size"
        if issubclass(kind, BY_VALUE):
            return (kind, value)
        if issubclass(kind, BY_IDENTITY):
            return ("object", id(value))
        seen = self._number(id(value))
        if seen is not None:
            if issubclass(kind, (list, dict)):
                self.containers.add(id(value))
            return ("seen", seen)
        self._seen[id(value)] = self._numbers
        self._numbers += 1
        return self._structure(kind, value)

    def _number(self, number: int) -> int | None:
        """As how many-th an object was met, if it was."""
        if number in self._seen:
            return self._seen[number]
        return next((first + met[number] for met, first in self._outlined if number in met), None)

    def _structure(self, kind: type, value: Any) -> Any:
        if kind is SymbolicTensor:
            return self._tensor(value)
        if isinstance(value, torch.Tensor):
            return ("real", id(value), value._version, tuple(value.shape))
        if isinstance(value, nn.Module):
            return self._module(value)
        if isinstance(value, Repeated):
            self.containers.add(id(value))
            return (kind, *((self.read(item), self.read(times)) for item, times in value.runs))
        if isinstance(value, (list, tuple, set, frozenset)):
            self.containers.add(id(value))
            # a list that a loop fills is gone through by nobody else
            items = list.__iter__(value) if isinstance(value, list) else value
            return (kind, *map(self.read, items))
        if isinstance(value, dict):
            self.containers.add(id(value))
            return (kind, *((self.read(key), self.read(item)) for key, item in value.items()))
        if isinstance(value, (FunctionType, MethodType, functools.partial)):
            return self._function(value)
        if isinstance(value, (slice, range)):
            return (kind, self.read(value.start), self.read(value.stop), self.read(value.step))
        if isinstance(value, Ratio):
            return ("ratio", value.number, value.divisor)
        if hasattr(value, "__dict__") and not hasattr(value, "__next__") and not isinstance(value, FloatProduct):
            return (kind, self.read(vars(value)))
        # an iterator, or an object of somebody's C code: nothing tells whether it changes, so it counts as changed
        return object()

    def _function(self, value: Any) -> Any:
        if isinstance(value, MethodType):
            return ("method", self.read(value.__func__), self.read(value.__self__))
        if isinstance(value, functools.partial):
            return ("partial", self.read(value.func), self.read(value.args), self.read(value.keywords))
        cells = value.__closure__ or ()
        return ("function", id(value.__code__), *(self.read(cell.cell_contents) for cell in cells))

    def _tensor(self, tensor: SymbolicTensor) -> Any:
        self.sizes.extend(tensor.sizes)
        ramp = tensor.ramp
        if ramp is not None:
            self.sizes.append(ramp.start)
        steps = None if ramp is None else ramp.steps
        return (
            "tensor",
            len(tensor.sizes),
            tensor.kind,
            _ROW_BY_ROW if tensor.strided is None else _Lies(tensor.strided),
            steps,
            self._positions(tensor),
            self.read(tensor.value),
        )

    def _positions(self, tensor: SymbolicTensor) -> Any:
        """What is known of positions that are no ramp: computed anew in each round, they count as changed."""
        extent = tensor.extent
        if extent is not None:
            self.sizes.extend((extent.low, extent.high))
            return ("between", extent.exact, extent.dense)
        return id(tensor.recipe) if tensor.kind in INTEGERS else None

    def _module(self, module: nn.Module) -> Any:
        outline = self._outlines.get(id(module))
        if outline is None or not outline.holds():
            outline = self._outlines[id(module)] = Outline(module, outline)
        known = [(outline.met[number], self._seen[number]) for number in outline.met.keys() & self._seen.keys()]
        for met, first in self._outlined:
            known += [(outline.met[number], first + met[number]) for number in outline.met.keys() & met.keys()]
        self._outlined.append((outline.met, self._numbers))
        self._numbers += len(outline.met)
        self.sizes += outline.sizes
        self.containers |= outline.containers
        return (outline.structure, *sorted(known), *map(self.read, outline.live))
