"""Run jobs in processes of their own: a hang or a crash costs one job, not the run."""

from __future__ import annotations

import multiprocessing
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Generic, TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")

# Forked, so that a job finds torch and the zoo's packages imported; nothing here starts threads before.
_CONTEXT = multiprocessing.get_context("fork")


@dataclass(frozen=True, slots=True)
class Outcome(Generic[Job, Result]):
    """What became of a job: a result, or in ``failure`` why there is none; ``late`` if it was the time."""

    job: Job
    result: Result | None
    failure: str | None
    seconds: float
    late: bool = False


@dataclass(slots=True)
class _Running(Generic[Job]):
    job: Job
    process: BaseProcess
    started: float


def run_guarded(
    work: Callable[[Job], Result], jobs: Iterable[Job], *, at_once: int, limit_seconds: float
) -> Iterator[Outcome[Job, Result]]:
    """Yield each job's outcome as it ends; a process over the limit is killed and its job counted as failed."""
    waiting = iter(jobs)
    running: dict[Connection, _Running[Job]] = {}
    try:
        yield from _drain(work, waiting, running, at_once, limit_seconds)
    finally:
        for job in running.values():
            job.process.kill()


def _drain(
    work: Callable[[Job], Result],
    waiting: Iterator[Job],
    running: dict[Connection, _Running[Job]],
    at_once: int,
    limit_seconds: float,
) -> Iterator[Outcome[Job, Result]]:
    while True:
        while len(running) < at_once and (job := next(waiting, None)) is not None:
            _start(work, job, running)
        if not running:
            return
        for connection in wait(list(running), timeout=0.2):
            if isinstance(connection, Connection):
                yield _collect(connection, running.pop(connection))
        for connection, late in [(key, job) for key, job in running.items() if _age(job) > limit_seconds]:
            del running[connection]
            late.process.kill()
            late.process.join()
            yield Outcome(late.job, None, f"no answer within {limit_seconds:.0f} s", _age(late), late=True)


def _start(work: Callable[[Job], Result], job: Job, running: dict[Connection, _Running[Job]]) -> None:
    receiving, sending = _CONTEXT.Pipe(duplex=False)
    process = _CONTEXT.Process(target=_perform, args=(work, job, sending), daemon=True)
    process.start()
    sending.close()
    running[receiving] = _Running(job, process, time.monotonic())


def _perform(work: Callable[[Any], Any], job: Any, sending: Connection) -> None:
    """In the child: the result or the traceback, whichever it is, is told to the parent."""
    answer: tuple[Any, str | None]
    try:
        answer = (work(job), None)
    except BaseException:  # nothing is swallowed: the parent reports it as this job's failure
        answer = (None, traceback.format_exc())
    sending.send(answer)
    sending.close()


def _collect(connection: Connection, ended: _Running[Job]) -> Outcome[Job, Any]:
    try:
        result, failure = connection.recv()
    except EOFError:
        result, failure = None, "the process died"
    ended.process.join()
    return Outcome(ended.job, result, failure, _age(ended))


def _age(job: _Running[Any]) -> float:
    return time.monotonic() - job.started
