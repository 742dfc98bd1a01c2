"""The preloaded parent: it imports torch and shapelint's tracing once and forks for each file.

Started by ``pool`` as a new interpreter, so that what the command (or a notebook that called it) has running, threads
above all, is not forked along. It ends when the command does: its connection closes.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import multiprocessing
import pickle
import signal
import sys
import tempfile
from collections import deque
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final, NoReturn

from shapelint.isolation.branching import Branch, package_of, start_branch
from shapelint.isolation.demand import Demand
from shapelint.isolation.jobs import Failure, Job
from shapelint.isolation.large_pages import gather
from shapelint.isolation.scheduling import Scheduler
from shapelint.isolation.warming import warm
from shapelint.isolation.worker import EXIT, prepared
from shapelint.loading.importing import trust_listings

# Without torch, and without libraries to load: what is imported while torch's own is being loaded.
_MEANWHILE: Final = ("networkx",)
_PRELOADED: Final = (
    "resource",
    "torch",
    "shapelint.api",
    "shapelint.linting",
    "shapelint.loading.building",
    "shapelint.rules",
)

# Up to so many files for each worker are checked sooner than getting ready for more takes.
_FEW: Final = 2


def main(descriptor: int, torch_library_loaded: Callable[[], None]) -> NoReturn:
    """Serve the command at the other end of a socket until it hangs up."""
    signal.signal(signal.SIGTERM, _stop)
    status = 1
    try:
        _serve(descriptor, torch_library_loaded)
        status = 0
    except SystemExit:
        status = 0
    finally:
        EXIT(status)  # to take all of torch down, object by object, takes a third of the time that importing it took


def _serve(descriptor: int, torch_library_loaded: Callable[[], None]) -> None:
    connection = Connection(descriptor)
    at_once: int = connection.recv()
    with tempfile.TemporaryDirectory(prefix="shapelint-") as folder:
        _preload(torch_library_loaded)
        server = _Server(connection, at_once, Path(folder))
        try:
            server.serve()
        except (EOFError, BrokenPipeError, ConnectionResetError):
            return  # the command has ended: nobody wants the rest
        finally:
            server.close()


class _Server:
    """Loose files one by one as they are named; files of packages together, once all of a round are named."""

    def __init__(self, connection: Connection, at_once: int, folder: Path) -> None:
        self._connection = connection
        self._at_once = at_once
        self._folder = folder
        self._scheduler = Scheduler(multiprocessing.get_context("fork"), at_once, folder, Demand())
        self._packages: dict[tuple[Path, object], list[Job]] = {}
        self._branch: Branch | None = None
        self._inbox: deque[Job | None] = deque()

    def serve(self) -> None:
        self._receive()  # the command has named most files while torch was imported
        _settle(self._folder if len(self._inbox) > _FEW * self._at_once else None)
        with prepared():
            while True:
                self._take_up()
                for number, result in self._scheduler.step([self._connection]):
                    self._send(number, result)
                self._receive()

    def _take_up(self) -> None:
        while self._inbox:
            job = self._inbox.popleft()
            if job is None:
                self._serve_packages()
            elif (package := package_of(job)) is not None:
                self._packages.setdefault(package, []).append(job)
            else:
                self._scheduler.submit(job)

    def close(self) -> None:
        if self._branch is not None:
            self._branch.end()
        self._scheduler.close()

    def _serve_packages(self) -> None:
        while self._scheduler.busy:
            for number, result in self._scheduler.step([self._connection]):
                self._send(number, result)
            self._receive()
        for (package, _), jobs in self._packages.items():
            if len(jobs) > 1:
                self._serve_package(package, jobs)
            else:
                self._scheduler.submit(jobs[0])
        self._packages.clear()

    def _serve_package(self, package: Path, jobs: list[Job]) -> None:
        self._branch = branch = start_branch(package, jobs, self._at_once, self._folder)
        while not branch.over:
            for number, result in branch.step([self._connection]):
                self._send(number, result)
            self._receive()
        branch.end()
        self._branch = None
        for job in branch.left.values():
            self._scheduler.submit(job)

    def _receive(self) -> None:
        """Take what the command says. If it has ended, this raises EOFError."""
        while self._connection.poll():
            self._inbox.append(self._connection.recv())

    def _send(self, number: int, result: bytes | Failure) -> None:
        self._connection.send((number, pickle.dumps(result) if isinstance(result, Failure) else result))


def _preload(torch_library_loaded: Callable[[], None]) -> None:
    # Imports leave little garbage, and looking for it takes a quarter of their time. Nor is it thrown away at the end:
    # that would leave holes all over the memory, which every worker fills, at the cost of a copied page for each.
    gc.disable()
    for name in _MEANWHILE:
        importlib.import_module(name)
    torch_library_loaded()
    for name in _PRELOADED:
        # Without torch, or with a broken one, the user's own `import torch` says so, at its line.
        with contextlib.suppress(Exception):
            importlib.import_module(name)


def _settle(folder: Path | None) -> None:
    """Get ready to be forked; with a folder to work in, also for what pays for itself where there are many workers."""
    if folder is not None:
        with contextlib.suppress(Exception):  # without torch, or with a broken one
            warm(folder)
    trust_listings()
    if folder is not None:
        gather()
    gc.freeze()  # forks do not copy the pages of what a collection would touch
    gc.enable()


def _stop(number: int, frame: Any) -> None:
    sys.exit(0)
