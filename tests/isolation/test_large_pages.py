"""Memory gathered in large pages."""

from __future__ import annotations

import ctypes
import mmap
import platform
import re
import sys
from pathlib import Path

import pytest

from shapelint.isolation.large_pages import _SIZE, gather


def _large_kilobytes() -> int:
    found = re.search(r"^AnonHugePages:\s+(\d+) kB$", Path("/proc/self/smaps_rollup").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1])


@pytest.mark.skipif(
    sys.platform != "linux" or not _SIZE.is_file() or tuple(map(int, platform.release().split(".")[:2])) < (6, 1),
    reason="this system cannot gather memory in large pages",
)
def test_memory_is_gathered_and_keeps_what_it_holds() -> None:
    size = int(_SIZE.read_text())
    memory = mmap.mmap(-1, 8 * size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    contents = bytes(range(256)) * (8 * size // 256)
    memory[:] = contents
    before = _large_kilobytes()
    gather()
    assert _large_kilobytes() >= before + 6 * size // 1024
    assert memory[:] == contents


def test_without_large_pages_nothing_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shapelint.isolation.large_pages._SIZE", tmp_path / "none")
    monkeypatch.setattr(ctypes, "CDLL", None)
    gather()
