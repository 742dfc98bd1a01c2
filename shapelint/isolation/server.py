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
from multiprocessing.connection import Connection
from typing import Any, Final

from shapelint.isolation.jobs import Failure, Job
from shapelint.isolation.scheduling import Scheduler

_PRELOADED: Final = (
    "torch",
    "shapelint.api",
    "shapelint.linting",
    "shapelint.loading.building",
    "shapelint.rules",
    "shapelint.isolation.warming",
)


def main(descriptor: int) -> None:
    """Serve the command at the other end of a socket until it hangs up."""
    signal.signal(signal.SIGTERM, _stop)
    connection = Connection(descriptor)
    at_once: int = connection.recv()
    _preload()
    scheduler = Scheduler(multiprocessing.get_context("fork"), at_once)
    try:
        _serve(connection, scheduler)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # the command has ended: nobody wants the rest
    finally:
        scheduler.close()


def _serve(connection: Connection, scheduler: Scheduler) -> None:
    while True:
        for number, result in scheduler.step([connection]):
            data = pickle.dumps(result) if isinstance(result, Failure) else result
            connection.send((number, data))
        while connection.poll():
            job: Job = connection.recv()
            scheduler.submit(job)


def _preload() -> None:
    for name in _PRELOADED:
        # Without torch, or with a broken one, the user's own `import torch` says so, at its line.
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    gc.collect()
    gc.freeze()  # forks do not copy the pages of what a collection would touch


def _stop(number: int, frame: Any) -> None:
    sys.exit(0)
