"""The one size that is no number: what the contents of tensors decide, and not their sizes."""

from __future__ import annotations

from enum import Enum
from typing import Any, Final


class Unknown(Enum):
    """Written ``?`` in shapes, such as ``(1, ?, 2)``."""

    DATA_DEPENDENT = "?"

    def __str__(self) -> str:
        return self.value

    def __repr__(self) -> str:
        return self.value


DATA_DEPENDENT: Final = Unknown.DATA_DEPENDENT


def agreed(first: Any, second: Any) -> Any:
    """What two outputs of one structure, their tensors given by shape, have in common; where they differ, ``?``."""
    if first == second or _are_objects(first, second):
        return first
    if isinstance(first, dict) and isinstance(second, dict) and first.keys() == second.keys():
        return {name: agreed(value, second[name]) for name, value in first.items()}
    if isinstance(first, (list, tuple)) and isinstance(second, type(first)) and len(first) == len(second):
        parts = [agreed(a, b) for a, b in zip(first, second, strict=True)]
        return type(first)(*parts) if hasattr(first, "_fields") else type(first)(parts)
    return DATA_DEPENDENT


def _are_objects(first: Any, second: Any) -> bool:
    """Whether both are objects of one class that nothing can be equal to but themselves (a cache, a tokenizer)."""
    compares: Any = type(first).__eq__
    return type(first) is type(second) and compares is object.__eq__ and not isinstance(first, Enum)


def holds_unknown(output: Any) -> bool:
    """Is any size in an output's structure unknown?"""
    if isinstance(output, dict):
        return any(map(holds_unknown, output.values()))
    if isinstance(output, (list, tuple)):
        return any(map(holds_unknown, output))
    return output is DATA_DEPENDENT
