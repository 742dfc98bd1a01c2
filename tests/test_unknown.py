"""What outputs for tensors of other contents have in common."""

from __future__ import annotations

from enum import Enum

from shapelint.unknown import DATA_DEPENDENT, agreed


class Cache:
    """An object that a model returns beside its tensors, another one in each run."""


class Mode(Enum):
    FIRST = 1
    SECOND = 2


def test_objects_are_no_sizes() -> None:
    kept = Cache()
    assert agreed({"y": (1, 2), "cache": kept}, {"y": (1, 3), "cache": Cache()}) == {
        "y": (1, DATA_DEPENDENT),
        "cache": kept,
    }


def test_what_differs_is_unknown() -> None:
    assert agreed([(1, 2), 3], [(1, 2), 4]) == [(1, 2), DATA_DEPENDENT]
    assert agreed((1, 2), (1, 2, 3)) is DATA_DEPENDENT
    assert agreed(Cache(), (1, 2)) is DATA_DEPENDENT
    assert agreed(Mode.FIRST, Mode.SECOND) is DATA_DEPENDENT
