"""One file in a process of its own: what happens between its start and its answer."""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import functools
import os
import pickle
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from typing import Any, Final

from shapelint.isolation.demand import with_loaded
from shapelint.isolation.guard import install, temporary_places
from shapelint.isolation.jobs import Answer, End, Failure, Job
from shapelint.isolation.memory import data_and_stack

# Sent to a worker that is about to be ended: it writes down what it is executing.
TELL_WHERE: Final[int | None] = getattr(signal, "SIGUSR1", None)
_PR_SET_PDEATHSIG: Final = 1
_HEADROOM: Final = 1.25
EXIT: Final = os._exit  # before the guard replaces it


@contextlib.contextmanager
def prepared() -> Iterator[None]:
    """Around all forking of workers: what each of them would otherwise do anew is done."""
    if sys.platform == "linux":
        _prctl()
    temporary_places()
    with _weights_refused():
        yield


def perform(job: Job, sending: Connection, trace: str) -> None:
    """Make the call, send what came of it, and end, whatever the user's code has left running."""
    detach()
    _limit_memory(job.limits.memory)
    with open(trace, "w") as where:  # noqa: PTH123
        _tell_where(where.fileno())
        result = _call(job)
        with contextlib.suppress(BrokenPipeError):  # the command is gone, and nobody is waiting
            sending.send_bytes(with_loaded(_pickled(result)))
        EXIT(0)


def _call(job: Job) -> Answer | Failure:
    try:
        guard = install(job.path, job.limits.allow)
        with _weights_refused():
            value = job.function(*job.arguments)
        return Answer(value, guard.files())
    except BaseException:  # nothing is swallowed: it becomes a finding of this file
        return Failure(End.ERROR, traceback.format_exc())


def _pickled(result: Answer | Failure) -> bytes:
    try:
        return pickle.dumps(result)
    except Exception:  # something of the user's got into the result
        return pickle.dumps(Failure(End.ERROR, traceback.format_exc()))


@contextlib.contextmanager
def _weights_refused() -> Iterator[None]:
    """Checkpoints are not unpickled, neither while a file is imported nor later. Without torch there are none."""
    if "torch" not in sys.modules:
        yield
        return
    from shapelint.loading.building import weights_refused

    with weights_refused():
        yield


def detach() -> None:
    """A process group of its own, nothing on the command's streams, and no life beyond the server's."""
    signals: tuple[tuple[int, Callable[..., Any] | signal.Handlers], ...] = (
        (signal.SIGTERM, signal.SIG_DFL),
        (signal.SIGINT, signal.SIG_DFL),
    )
    for number, handler in signals:
        signal.signal(number, handler)
    if hasattr(os, "setpgid"):
        os.setpgid(0, 0)
    if sys.platform == "linux":
        _prctl()(_PR_SET_PDEATHSIG, signal.SIGKILL)
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)


@functools.cache
def _prctl() -> Callable[[int, int], int]:
    found: Callable[[int, int], int] = ctypes.CDLL(None).prctl
    return found


def _limit_memory(megabytes: int) -> None:
    """Refuse single allocations far beyond the limit, so that the code sees an error that it, or we, can answer.

    Memory that is in use is watched from outside (``scheduling``), at the limit itself. This bound is for what is only
    asked for, such as the parameters of a network that is too large: above the limit, and above what was there before.
    """
    if sys.platform != "linux":
        return  # elsewhere the bound does not hold for what is mapped
    import resource

    wanted = data_and_stack() + int(megabytes * _HEADROOM) * (1 << 20)
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (allowed, hard))


def _tell_where(descriptor: int) -> None:
    """Write what is being executed to a file: on a crash, and on request."""
    faulthandler.enable(descriptor, all_threads=False)
    if TELL_WHERE is not None and hasattr(faulthandler, "register"):
        faulthandler.register(TELL_WHERE, descriptor, all_threads=False)
