"""What the system says a process holds."""

from __future__ import annotations

import mmap
import os
import sys

import pytest

from shapelint.isolation.memory import data_and_stack, limits_memory, resident_megabytes

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux says")


def test_what_is_held_counts() -> None:
    before = resident_megabytes(os.getpid()), data_and_stack()
    # not from what earlier tests have freed, which the process holds already
    held = mmap.mmap(-1, 64 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for page in range(0, len(held), mmap.PAGESIZE):
        held[page] = 1
    after = resident_megabytes(os.getpid()), data_and_stack()
    assert 60 <= after[0] - before[0] <= 68
    assert after[1] - before[1] >= len(held)


def test_a_process_that_has_ended_holds_nothing() -> None:
    pid = os.spawnv(os.P_NOWAIT, sys.executable, [sys.executable, "-c", "pass"])
    os.waitpid(pid, 0)
    assert resident_megabytes(pid) == 0
    assert limits_memory()
