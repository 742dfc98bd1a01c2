"""A worker that is forked as it is: the rounds that ``multiprocessing`` makes around a fork touch a hundred pages more.

What a process touches after a fork is copied for it, page by page, in the parent as in the child: the less either does
around the fork, the less a file costs.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from typing import Any, Final

_FAILED: Final = 1
_LOOK_AGAIN: Final = 0.005


class Forked:
    """A process that calls a function and ends; as much of ``multiprocessing``'s as its owner wants of it."""

    def __init__(self, target: Callable[..., object], arguments: tuple[Any, ...]) -> None:
        self.exitcode: int | None = None
        leave = os._exit  # what the function calls may replace it
        self.pid = os.fork()
        if self.pid == 0:
            try:
                target(*arguments)
            finally:
                leave(_FAILED)  # the function has its own way to end well

    def is_alive(self) -> bool:
        """Has it not ended? One that has is not kept by the system any longer."""
        return self._wait(os.WNOHANG) is None

    def join(self, timeout: float | None = None) -> None:
        """Wait for its end, for no longer than the timeout if there is one."""
        if timeout is None:
            self._wait(0)
            return
        end = time.monotonic() + timeout
        while self.is_alive() and time.monotonic() < end:
            time.sleep(_LOOK_AGAIN)

    def kill(self) -> None:
        if self.exitcode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    def _wait(self, how: int) -> int | None:
        if self.exitcode is None:
            ended, status = os.waitpid(self.pid, how)
            if ended:
                self.exitcode = os.waitstatus_to_exitcode(status)
        return self.exitcode
