"""The symbols in what a model computes with, and numbers in their place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from shapelint.sizes import Dim
from shapelint.sizes.dim import of
from shapelint.tracing.loops.repeated import Repeated
from shapelint.tracing.tensor import SymbolicTensor


def names_in(value: Any) -> Iterator[str]:
    """The symbols that sizes depend on, in tensors and containers of them."""
    if isinstance(value, Dim):
        yield from value.symbols
    elif type(value) is SymbolicTensor:
        yield from names_in(value.sizes)
    elif type(value) is slice:
        yield from names_in((value.start, value.stop, value.step))
    elif type(value) is dict:
        yield from names_in(tuple(value.values()))
    elif type(value) is Repeated:
        yield from names_in(tuple(value.runs))
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from names_in(item)


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
