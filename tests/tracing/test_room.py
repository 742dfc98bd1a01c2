"""Calls far down the stack do not fetch memory from the system and give it back, again and again."""

import pytest

from shapelint.tracing.room import with_room

resource = pytest.importorskip("resource", reason="page faults are not counted here")

CALLS = 100


def a_call() -> int:
    """A frame as large as that of ``faults_below``, so that it is the first without room at some depth."""
    a = b = c = d = e = f = g = h = i = j = k = m = n = o = p = q = r = s = t = u = 1
    return a + b + c + d + e + f + g + h + i + j + k + m + n + o + p + q + r + s + t + u


def faults_below(depth: int) -> int:
    """How many pages are fetched while a function is called so far down."""
    if depth:
        return faults_below(depth - 1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(CALLS):
        a_call()
    return int(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)


def most_faults() -> int:
    faults_below(300)
    return max(faults_below(depth) for depth in range(300))


def test_calls_at_no_depth_fetch_memory_each_time() -> None:
    assert with_room(most_faults) < CALLS // 2


def test_what_the_function_gives_is_given() -> None:
    assert with_room(divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        with_room(divmod, 7, 0)
