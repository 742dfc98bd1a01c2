"""A package's files are forked from a process that has imported the package: it is imported once, not for each file.

    server --fork--> branch: imports ``monai.networks.nets``
                       +--fork--> worker: nets/unet.py
                       +--fork--> worker: nets/vnet.py

Only what every one of these files imports anyway is imported for all of them: the package they stand in. Where that
fails, or starts threads (which do not survive a fork), each file is checked by itself and has its own say.
"""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import pickle
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Final

from shapelint.isolation.guard import install
from shapelint.isolation.jobs import Failure, Job
from shapelint.isolation.scheduling import Scheduler
from shapelint.isolation.worker import EXIT, detach

_TICK: Final = 0.2
_FORK: Final = multiprocessing.get_context("fork") if "fork" in multiprocessing.get_all_start_methods() else None


@dataclass
class Branch:
    """The process of one package, seen from the server."""

    jobs: Sequence[Job]
    process: BaseProcess
    pipe: Connection
    deadline: float
    ready: bool = False
    left: dict[int, Job] = field(default_factory=dict)

    def step(self, also: Sequence[Connection]) -> Iterator[tuple[int, bytes | Failure]]:
        """Wait a moment; yield what has come. Afterwards ``over`` may hold."""
        if self.pipe in wait([self.pipe, *also], timeout=_TICK):
            try:
                message = self.pipe.recv()
            except (EOFError, OSError):
                self.end()
                return
            if message is None:
                self.ready = True
            else:
                self.left.pop(message[0], None)
                yield message
        if not self.ready and time.monotonic() > self.deadline:
            self.end()

    @property
    def over(self) -> bool:
        return self.pipe.closed or not self.left

    def end(self) -> None:
        """End the process; its workers die with it."""
        self.pipe.close()
        self.process.kill()
        self.process.join()


def start_branch(jobs: Sequence[Job], at_once: int, folder: Path) -> Branch:
    """A branch for files of one package."""
    assert _FORK is not None
    receiving, sending = _FORK.Pipe(duplex=False)
    process = _FORK.Process(target=_branch, args=(jobs, at_once, folder, sending))
    process.start()
    sending.close()
    deadline = time.monotonic() + jobs[0].limits.timeout
    return Branch(jobs, process, receiving, deadline, left={job.number: job for job in jobs})


def package_of(job: Job) -> object | None:
    """What the jobs of one branch have in common; None for a file that is not to be in one: it stands in no package."""
    if job.afresh:
        return None
    directory = job.path.absolute().parent
    return (directory, job.limits.allow) if (directory / "__init__.py").is_file() else None


def _branch(jobs: Sequence[Job], at_once: int, folder: Path, sending: Connection) -> None:
    """In the branch: import the package, fork for each file, pass on what comes back."""
    detach()
    with contextlib.suppress(BrokenPipeError):
        if _imports(jobs[0]):
            sending.send(None)
            _run(_FORK, jobs, at_once, folder, sending)
    EXIT(0)


def _imports(job: Job) -> bool:
    """Import the package of a file; is this process fit for forking afterwards?"""
    from shapelint.loading.importing import import_package_of

    guard = install(job.path, job.limits.allow)
    threads = _threads()
    try:
        import_package_of(job.path)
    except BaseException:  # each file imports it by itself then, and says what is wrong
        return False
    guard.read.update(dict.fromkeys(guard.files()))  # its workers say so, too
    guard.active = False
    gc.collect()
    gc.freeze()
    return _threads() <= threads


def _threads() -> int:
    try:
        return len(list(Path("/proc/self/task").iterdir()))
    except OSError:
        return threading.active_count()


def _run(context: BaseContext | None, jobs: Sequence[Job], at_once: int, folder: Path, sending: Connection) -> None:
    assert context is not None
    scheduler = Scheduler(context, at_once, folder)
    for job in jobs:
        scheduler.submit(job)
    while scheduler.busy:
        for number, result in scheduler.step():
            sending.send((number, pickle.dumps(result) if isinstance(result, Failure) else result))
