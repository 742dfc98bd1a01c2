"""Plain dataclasses as JSON and back, for the cache: reading an entry runs nothing, whoever wrote it."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable
from enum import Enum
from functools import lru_cache
from typing import Any

Decoder = Callable[[Any], Any]


def encode(value: Any) -> Any:
    """Dataclasses as dicts without the fields that have their default, tuples as lists, enums by value.

    Raises:
        TypeError: the value is no plain data.
    """
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, tuple):
        return [encode(part) for part in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: encode(getattr(value, field.name))
            for field in dataclasses.fields(value)
            if getattr(value, field.name) != field.default
        }
    raise TypeError(f"{type(value).__name__} is no plain data")


@lru_cache(maxsize=64)
def decoder(kind: Any) -> Decoder:
    """What makes a value of a type of what ``encode`` made of it.

    Calling it raises TypeError, ValueError, KeyError or AttributeError where the data does not fit.
    """
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple:
        return _tuple_decoder(arguments)
    if origin in (typing.Union, types.UnionType):
        (inner,) = (decoder(part) for part in arguments if part is not type(None))
        return lambda data: None if data is None else inner(data)
    if dataclasses.is_dataclass(kind):
        return _dataclass_decoder(kind)  # type: ignore[arg-type]
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind
    return _checked(kind)


def _tuple_decoder(arguments: tuple[Any, ...]) -> Decoder:
    if arguments[-1] is Ellipsis:
        element = decoder(arguments[0])
        return lambda data: tuple([element(part) for part in data])
    parts = [decoder(argument) for argument in arguments]
    return lambda data: tuple(part(entry) for part, entry in zip(parts, data, strict=True))


def _dataclass_decoder(kind: type) -> Decoder:
    hints = typing.get_type_hints(kind)
    fields = {field.name: decoder(hints[field.name]) for field in dataclasses.fields(kind)}
    return lambda data: kind(**{name: fields[name](entry) for name, entry in data.items()})


def _checked(kind: type) -> Decoder:
    def check(data: Any) -> Any:
        if not isinstance(data, kind):
            raise TypeError(f"{data!r} is no {kind.__name__}")
        return data

    return check
