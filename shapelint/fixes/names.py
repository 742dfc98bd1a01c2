"""Which expressions in ``forward`` have the size that a decoder step should return, as seen while it ran."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from types import CodeType, FrameType
from typing import Any

from shapelint.sizes import implied
from shapelint.tracing.record import Place
from shapelint.tracing.tensor import SymbolicTensor

_MOST_ENTRIES = 16


class Names:
    """For each call in the source, the expressions in scope there that had the size in every run."""

    def __init__(self) -> None:
        self._found: dict[tuple[CodeType, int], list[str]] = {}

    def note(self, code: CodeType | None, wanted: Sequence[Any], axes: int) -> None:
        """Look into the variables of the function that makes the call."""
        frame: FrameType | None = sys._getframe(1)
        while frame is not None and frame.f_code is not code:
            frame = frame.f_back
        if frame is None:
            return
        fitting = list(_fitting(frame, wanted, axes))
        key = frame.f_code, frame.f_lasti
        known = self._found.get(key)
        self._found[key] = fitting if known is None else [name for name in known if name in fitting]

    def places(self) -> Iterator[tuple[Place, list[str]]]:
        """The calls, each with its expressions, those that were set last first."""
        for (code, instruction), names in self._found.items():
            yield Place(code, instruction), names


def _fitting(frame: FrameType, wanted: Sequence[Any], axes: int) -> Iterator[str]:
    variables = dict(frame.f_locals)
    numbers = [name for name, value in variables.items() if type(value) is int]
    lists = []
    for name, value in reversed(variables.items()):
        if name.startswith((".", "_")):
            continue
        if _has_size(value, wanted, axes):
            yield name
        elif isinstance(value, (list, tuple)) and 0 < len(value) <= _MOST_ENTRIES:
            lists.append((name, value))
    for name, value in lists:
        if _has_size(value[-1], wanted, axes):
            yield f"{name}[-1]"
        for number in numbers:
            position = variables[number]
            if -len(value) <= position < len(value) and _has_size(value[position], wanted, axes):
                yield f"{name}[{number}]"
        for position, entry in enumerate(value):
            if _has_size(entry, wanted, axes):
                yield f"{name}[{position}]"


def _has_size(value: object, wanted: Sequence[Any], axes: int) -> bool:
    if not isinstance(value, SymbolicTensor) or len(value.shape) <= axes:
        return False
    return all(implied(own == size) for own, size in zip(tuple(value.shape)[-axes:], wanted, strict=True))
