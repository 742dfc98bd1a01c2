"""A forked process: how it ends, and what its owner sees of it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import pytest

from shapelint.isolation.forked import Forked


def _raise() -> None:
    raise ValueError("no")


@pytest.mark.parametrize(("target", "status"), [(lambda: os._exit(3), 3), (_raise, 1), (lambda: None, 1)])
def test_how_it_ended(target: Callable[[], object], status: int) -> None:
    process = Forked(target, ())
    process.join()
    assert process.exitcode == status
    assert not process.is_alive()


def test_what_replaces_the_way_out_is_not_called() -> None:
    def target() -> None:
        os._exit = lambda status: time.sleep(60)  # type: ignore[assignment]

    process = Forked(target, ())
    process.join()
    assert process.exitcode == 1


def test_it_is_waited_for_no_longer_than_said_and_can_be_ended() -> None:
    process = Forked(time.sleep, (60,))
    process.join(0.01)
    assert process.is_alive()
    assert process.exitcode is None
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    process.kill()  # of what has ended nothing is left to end


def test_arguments_are_handed_over_and_the_end_is_noticed() -> None:
    receiving, sending = os.pipe()
    process = Forked(os.write, (sending, b"here"))
    process.join(60)
    os.close(sending)
    assert os.read(receiving, 9) == b"here"
    assert process.exitcode == 1
    os.close(receiving)
