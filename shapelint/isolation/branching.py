"""A package's files are forked from a process that has imported the package: it is imported once, not for each file.

    server --fork--> branch: imports ``monai``
                       +--fork--> worker: monai/transforms.py
                       +--fork--> branch: imports ``monai.networks.nets``
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
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Final

from shapelint.isolation.demand import Demand
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


def start_branch(package: Path, jobs: Sequence[Job], at_once: int, folder: Path) -> Branch:
    """A branch for files in a package's directory and below."""
    assert _FORK is not None
    receiving, sending = _FORK.Pipe(duplex=False)
    process = _FORK.Process(target=_branch, args=(package, jobs, at_once, folder, sending))
    process.start()
    sending.close()
    deadline = time.monotonic() + jobs[0].limits.timeout
    return Branch(jobs, process, receiving, deadline, left={job.number: job for job in jobs})


def package_of(job: Job) -> tuple[Path, object] | None:
    """The outermost package that a file stands in, and what else its jobs must have in common to share a branch.

    None for a file that is not to be in one: it stands in no package.
    """
    if job.afresh:
        return None
    places = _packages_around(job)
    return (places[-1], job.limits.allow) if places else None


def _packages_around(job: Job) -> list[Path]:
    """The directories of the packages that a file stands in, the innermost first."""
    return list(takewhile(lambda place: (place / "__init__.py").is_file(), job.path.absolute().parents))


def _branch(package: Path, jobs: Sequence[Job], at_once: int, folder: Path, sending: Connection) -> None:
    """In the branch: import the package, fork for each file, pass on what comes back."""
    detach()
    with contextlib.suppress(BrokenPipeError):
        if _imports(package, jobs[0]):
            sending.send(None)
            for number, result in _run(package, jobs, at_once, folder):
                sending.send((number, pickle.dumps(result) if isinstance(result, Failure) else result))
    EXIT(0)


def _imports(package: Path, job: Job) -> bool:
    """Import a package that a file stands in; is this process fit for forking afterwards?"""
    from shapelint.loading.importing import import_package_of

    guard = install(job.path, job.limits.allow)
    threads = _threads()
    try:
        import_package_of(job.path, package)
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


def _run(package: Path, jobs: Sequence[Job], at_once: int, folder: Path) -> Iterator[tuple[int, bytes | Failure]]:
    """Check the package's own files from here, and those of each package in it from a branch of this one."""
    assert _FORK is not None
    inner: dict[Path, list[Job]] = {}
    for job in jobs:
        inner.setdefault(_next_package(package, job), []).append(job)
    scheduler = Scheduler(_FORK, at_once, folder, Demand())
    for place, group in inner.items():
        if place == package or len(group) == 1:
            yield from _check_from_here(scheduler, group)
            continue
        branch = start_branch(place, group, at_once, folder)
        while not branch.over:
            yield from branch.step(())
        branch.end()
        yield from _check_from_here(scheduler, branch.left.values())


def _next_package(package: Path, job: Job) -> Path:
    """The package directly inside of one that leads on to a file; the package itself where none does."""
    around = _packages_around(job)
    return around[max(around.index(package) - 1, 0)]


def _check_from_here(scheduler: Scheduler, jobs: Iterable[Job]) -> Iterator[tuple[int, bytes | Failure]]:
    for job in jobs:
        scheduler.submit(job)
    while scheduler.busy:
        yield from scheduler.step()
