"""How much memory a process holds, as Linux tells it. Looked at often, hence in as few calls as can be."""

from __future__ import annotations

import os
from typing import Final

_MEGABYTE: Final = 1 << 20
_LONGEST: Final = 200
_RESIDENT, _SHARED, _DATA_AND_STACK = 1, 2, 5


def limits_memory() -> bool:
    """Does this system say how much memory a process holds? Else nothing is held to a limit."""
    return resident_megabytes(os.getpid()) > 0


def resident_megabytes(pid: int | None) -> int:
    """The memory that a process holds for itself; 0 where the system does not say."""
    try:
        pages = _pages(str(pid))
    except OSError:
        return 0
    return (pages[_RESIDENT] - pages[_SHARED]) * _page_size() // _MEGABYTE


def data_and_stack() -> int:
    """The bytes of this process that ``RLIMIT_DATA`` counts, and a stack.

    Raises:
        OSError: the system does not say.
    """
    return _pages("self")[_DATA_AND_STACK] * _page_size()


def _pages(process: str) -> list[int]:
    descriptor = os.open(f"/proc/{process}/statm", os.O_RDONLY)
    try:
        return list(map(int, os.read(descriptor, _LONGEST).split()))
    finally:
        os.close(descriptor)


def _page_size() -> int:
    return int(os.sysconf("SC_PAGE_SIZE"))
