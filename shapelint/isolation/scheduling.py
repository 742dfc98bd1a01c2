"""Workers, as many at once as allowed: started, watched, ended."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Final

from shapelint.isolation import worker
from shapelint.isolation.demand import Demand, apart
from shapelint.isolation.forked import Forked
from shapelint.isolation.jobs import End, Failure, Job
from shapelint.isolation.memory import resident_megabytes

_TICK: Final = 0.05
_TIME_TO_TELL: Final = 0.1
_FRAME: Final = re.compile(r'^  File "(?P<file>.+)", line (?P<line>\d+) in ', re.MULTILINE)


@dataclass(slots=True)
class _Running:
    job: Job
    process: BaseProcess | Forked
    started: float
    trace: str


class Scheduler:
    """Runs jobs; their outcomes are (number, pickled result) in the order in which they end.

    ``folder`` is for what workers write down about their end; ``demand`` is of a process that has torch and is forked.
    """

    def __init__(self, context: BaseContext, at_once: int, folder: Path, demand: Demand | None = None) -> None:
        self._at_once = max(at_once, 1)
        self._context = context
        self._waiting: deque[Job] = deque()
        self._running: dict[Connection, _Running] = {}
        self._ended: list[BaseProcess | Forked] = []
        self._looked = time.monotonic()
        self._folder = folder
        self._demand = demand

    @property
    def busy(self) -> bool:
        return bool(self._waiting or self._running)

    def submit(self, job: Job) -> None:
        self._waiting.append(job)

    def step(self, also: Sequence[Connection] = ()) -> Iterator[tuple[int, bytes | Failure]]:
        """Start what can be started, wait a moment (or until one of ``also`` has news), yield what has ended."""
        self._ended = [process for process in self._ended if process.is_alive()]
        if self._demand is not None:
            self._demand.meet(len(self._waiting), self._at_once)
        while self._waiting and len(self._running) < self._at_once:
            self._start(self._waiting.popleft())
        for ready in wait([*self._running, *also], timeout=_TICK if self._running else None):
            if isinstance(ready, Connection) and ready in self._running:
                yield self._collect(ready)
        if time.monotonic() - self._looked < _TICK:
            return  # most workers have ended before anybody need look at them
        for connection, running in list(self._running.items()):
            if failure := self._excess(running):
                yield running.job.number, self._end(connection, failure)
        self._looked = time.monotonic()

    def close(self) -> None:
        """End every worker now."""
        for connection, running in self._running.items():
            self._kill(running.process)
            connection.close()
        for process in self._ended:
            process.join()
        self._ended.clear()
        self._running.clear()
        self._waiting.clear()

    def _start(self, job: Job) -> None:
        receiving, sending = self._context.Pipe(duplex=False)
        trace = f"{self._folder}{os.sep}{job.number}"
        process = self._launch(job, sending, trace)
        sending.close()
        self._running[receiving] = _Running(job, process, time.monotonic(), trace)

    def _launch(self, *arguments: Any) -> BaseProcess | Forked:
        if self._context.get_start_method() == "fork":
            return Forked(worker.perform, arguments)
        process: BaseProcess = self._context.Process(target=worker.perform, args=arguments)  # type: ignore[attr-defined]
        process.start()
        return process

    def _collect(self, connection: Connection) -> tuple[int, bytes | Failure]:
        running = self._running.pop(connection)
        result: bytes | Failure
        try:
            loaded, result = apart(connection.recv_bytes())
        except (EOFError, OSError):
            running.process.join()
            result = _failure(running)
        else:
            if self._demand is not None:
                self._demand.note(loaded)
        connection.close()
        # The answer is there. What the user's code has left running ends with its process group.
        self._kill(running.process)
        return running.job.number, result

    def _excess(self, running: _Running) -> tuple[End, str] | None:
        limits = running.job.limits
        if time.monotonic() - running.started > limits.timeout:
            return End.TIMEOUT, f"{limits.timeout:g}"
        if resident_megabytes(running.process.pid) > limits.memory:
            return End.MEMORY, str(limits.memory)
        return None

    def _kill(self, process: BaseProcess | Forked) -> None:
        """End a worker and whatever it has started, without waiting: to take its memory down takes a while."""
        if process.pid is not None and hasattr(os, "killpg"):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
        process.kill()
        self._ended.append(process)

    def _end(self, connection: Connection, why: tuple[End, str]) -> Failure:
        running = self._running.pop(connection)
        if worker.TELL_WHERE is not None and running.process.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(running.process.pid, worker.TELL_WHERE)
            running.process.join(_TIME_TO_TELL)
        self._kill(running.process)
        connection.close()
        return Failure(*why, _frames(running.trace))


def _failure(running: _Running) -> Failure:
    status = running.process.exitcode or 0
    if status < 0:
        return Failure(End.SIGNAL, _signal_name(-status), _frames(running.trace))
    return Failure(End.EXIT, str(status), _frames(running.trace))


def _signal_name(number: int) -> str:
    with contextlib.suppress(ValueError):
        return signal.Signals(number).name
    return f"signal {number}"


def _frames(trace: str) -> tuple[tuple[str, int], ...]:
    """What ``faulthandler`` wrote down, the innermost frame first."""
    try:
        text = Path(trace).read_text(errors="replace")
    except OSError:
        return ()
    return tuple((match["file"], int(match["line"])) for match in _FRAME.finditer(text))
