"""The symbols in what a model computes with, and numbers in their place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch

from shapelint.sizes import Dim
from shapelint.sizes.dim import of
from shapelint.tracing.loops.repeated import Repeated
from shapelint.tracing.tensor import SymbolicTensor


def names_in(*values: Any) -> list[str]:
    """The symbols that sizes depend on, in tensors and containers of them."""
    found: dict[str, None] = {}
    _collect(values, found)
    return list(found)


_OF_NO_SYMBOLS = frozenset({int, float, bool, str, type(None), torch.Tensor, torch.nn.Parameter, torch.dtype})


def _collect(values: Iterable[Any], found: dict[str, None]) -> None:
    for value in values:
        kind = type(value)
        if kind in _OF_NO_SYMBOLS:
            continue
        if kind is SymbolicTensor:
            for size in value.sizes:
                if type(size) is not int:
                    found.update(dict.fromkeys(size.symbols))
        elif isinstance(value, Dim):
            found.update(dict.fromkeys(value.symbols))
        elif kind is slice:
            _collect((value.start, value.stop, value.step), found)
        elif kind is dict:
            _collect(value.values(), found)
        elif kind is Repeated:
            _collect(value.runs, found)
        elif isinstance(value, (list, tuple)):
            _collect(value, found)


def with_numbers(value: Any, numbers: Mapping[str, int]) -> Any:
    """A value with numbers in the place of symbols."""
    if isinstance(value, Dim):
        return value if numbers.keys().isdisjoint(value.symbols) else of(value.expr.rename(numbers))
    if type(value) is slice:
        return slice(*(with_numbers(v, numbers) for v in (value.start, value.stop, value.step)))
    if type(value) in (list, tuple):
        return type(value)(with_numbers(v, numbers) for v in value)
    if type(value) is dict:
        return {key: with_numbers(v, numbers) for key, v in value.items()}
    return value
