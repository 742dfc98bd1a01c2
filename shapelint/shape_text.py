"""Shapes as people write and read them: "N,1,H,W"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shapelint.sizes import Dim
from shapelint.tracing.inputs import InputError, parse_size
from shapelint.unknown import DATA_DEPENDENT

ANY = "_"


def parse_output(shape: Any, symbols: Sequence[str]) -> list[tuple[Any, ...]]:
    """The shapes of the tensors that a model returns, by position; None is any size.

    Raises:
        InputError: they are not understood, or use a name that is not among the symbols.
    """
    if isinstance(shape, Mapping):
        return [_one(value, symbols) for value in shape.values()]
    if isinstance(shape, (list, tuple)) and shape and all(_is_shape(value) for value in shape):
        return [_one(value, symbols) for value in shape]
    return [_one(shape, symbols)]


def _is_shape(value: Any) -> bool:
    return isinstance(value, (list, tuple)) or (isinstance(value, str) and "," in value)


def _one(shape: Any, symbols: Sequence[str]) -> tuple[Any, ...]:
    parts = shape.strip().strip("()[]").strip(",").split(",") if isinstance(shape, str) else list(shape)
    sizes = tuple(_size(part) for part in parts)
    for size in sizes:
        for name in size.symbols if isinstance(size, Dim) else ():
            if name not in symbols:
                raise InputError(f"the output's size {name} is none of the input's: {', '.join(symbols)}")
    return sizes


def _size(part: Any) -> Any:
    if part is None or (isinstance(part, str) and part.strip() == ANY):
        return None
    return parse_size(part)


def shapes_text(output: Any) -> str:
    """An output's structure in words: ``(1, 1, 57, 57)``, or several of them."""
    if isinstance(output, str):
        return f"({', '.join(part.strip() for part in output.strip('()[] ').split(','))})"
    if isinstance(output, Mapping):
        return ", ".join(f"{name}: {shapes_text(value)}" for name, value in output.items())
    if isinstance(output, (list, tuple)):
        if output and all(_is_size(size) for size in output):
            return f"({', '.join(map(str, output))})"
        return " and ".join(shapes_text(value) for value in output)
    return str(output)


def _is_size(value: Any) -> bool:
    return isinstance(value, (int, Dim)) or value is DATA_DEPENDENT or (isinstance(value, str) and "," not in value)
