"""Memory gathered in large pages, so that a fork has few entries to copy and its end few to clear.

glibc allocates in large pages where it is told to (``pool``). Python's own allocator does not, and holds 70 MB of
torch: without this a fork and its end take 3 ms longer, which soon is more than gathering that memory once.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_MADV_COLLAPSE: Final = 25  # since Linux 6.1; an older one refuses, and all is as it was
_SIZE: Final = Path("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size")


def gather() -> None:
    """Move this process's memory to large pages, where the system has them."""
    if sys.platform != "linux" or not _SIZE.is_file():
        return
    size = int(_SIZE.read_text())
    advise = ctypes.CDLL(None).madvise
    advise.argtypes = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
    for start, end in _writable():
        first, last = -(-start // size) * size, end // size * size
        if first < last:
            advise(first, last - first, _MADV_COLLAPSE)


def _writable() -> Iterator[tuple[int, int]]:
    """Where memory is that belongs to no file: what Python and the libraries have allocated."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        addresses, rights, _, _, inode, *name = line.split(maxsplit=5)
        if rights == "rw-p" and inode == "0" and (not name or name[0].startswith("[anon")):
            start, end = addresses.split("-")
            yield int(start, 16), int(end, 16)
