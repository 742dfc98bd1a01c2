"""The command's end: start the server, hand it jobs, take outcomes."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from shapelint.isolation.jobs import Answer, End, Failure, Job, Outcome
from shapelint.isolation.scheduling import Scheduler

_PATIENCE: Final = 2.0
_BOOT: Final = """\
import sys
sys.path[:] = {path!r}
from shapelint.isolation.head_start import load_torch_library
loaded = load_torch_library()
from shapelint.isolation.server import main
main({descriptor}, loaded)
"""
# One thread each: the workers are many. Memory in large pages, where glibc knows how: a fork then copies 100 entries
# instead of 40,000, which takes a fifth of the time. One arena: that of another thread, in which torch's library is
# loaded, would not be in large pages.
_SURROUNDINGS: Final = {"OMP_NUM_THREADS": "1", "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1:glibc.malloc.arena_max=1"}


class Pool:
    """Runs jobs in workers. The server starts with the first job, so that a run without jobs starts nothing.

    Jobs come in rounds: some are submitted, all their outcomes are taken, and then there may be more.
    """

    def __init__(self, at_once: int, *, method: str | None = None) -> None:
        self._at_once = at_once
        forks = "fork" in multiprocessing.get_all_start_methods()
        self._method = method or ("fork" if forks else "spawn")
        self._server: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None
        self._local: Scheduler | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._pending: dict[int, Job] = {}
        self._collecting = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def submit(self, job: Job) -> None:
        """A job for this round.

        Raises:
            RuntimeError: the outcomes of this round are being taken, or another job of it has the same number.
        """
        if self._collecting:
            raise RuntimeError("no job can be submitted before all outcomes of the ones before are taken")
        if job.number in self._pending:
            raise RuntimeError(f"there is a job {job.number} already")
        self._pending[job.number] = job
        if self._method != "fork":
            self._local = self._local or self._schedule_here()
            self._local.submit(job)
            return
        if self._connection is None:
            self._start()
        assert self._connection is not None
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # outcomes() tells that the server is gone
            self._connection.send(job)

    def outcomes(self) -> Iterator[Outcome]:
        """The outcome of every job of this round, in the order in which they end."""
        self._collecting = True
        if self._connection is not None:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                self._connection.send(None)  # no more jobs in this round
        while self._pending:
            for number, result in self._local.step() if self._local else self._receive():
                if self._pending.pop(number, None) is not None:
                    yield Outcome(number, result if isinstance(result, Failure) else _read(result))
        self._collecting = False

    def close(self) -> None:
        """End the server and all workers now."""
        if self._local is not None:
            self._local.close()
            self._local = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._server is not None:
            self._server.terminate()
            try:
                self._server.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                self._server.kill()
                self._server.wait()
            self._server = None

    def _schedule_here(self) -> Scheduler:
        self._folder = tempfile.TemporaryDirectory(prefix="shapelint-")
        return Scheduler(multiprocessing.get_context(self._method), self._at_once, Path(self._folder.name))

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        self._connection = Connection(ours.detach())
        command = _BOOT.format(path=[str(Path(place).absolute()) for place in sys.path], descriptor=theirs.fileno())
        # Not in the terminal's group: Ctrl-C is the command's to answer.
        self._server = subprocess.Popen(  # noqa: S603
            [sys.executable, "-P", "-c", command],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env=_SURROUNDINGS | os.environ,
        )
        theirs.close()
        self._connection.send(self._at_once)

    def _receive(self) -> list[tuple[int, bytes | Failure]]:
        assert self._connection is not None
        try:
            return [self._connection.recv()]
        except (EOFError, ConnectionResetError):
            reason = Failure(End.EXIT, "the process that starts the workers ended")
            return [(number, reason) for number in self._pending]


def _read(data: bytes) -> Answer | Failure:
    result: Any = pickle.loads(data)  # noqa: S301 - from our own worker
    assert isinstance(result, Answer | Failure)
    return result
