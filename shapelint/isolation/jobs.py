"""What goes into a worker and what comes out: plain data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

DEFAULT_TIMEOUT: Final = 60.0
DEFAULT_MEMORY: Final = 4096


class Permission(StrEnum):
    """What user code may do beyond computing, where it is allowed to."""

    NETWORK = "network"
    PROCESS = "process"
    WRITE = "write"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a worker is held to.

    Attributes:
        timeout: seconds for one file.
        memory: megabytes for one file.
        allow: what is not refused.
    """

    timeout: float = DEFAULT_TIMEOUT
    memory: int = DEFAULT_MEMORY
    allow: frozenset[Permission] = frozenset()


@dataclass(frozen=True, slots=True)
class Job:
    """One call, made in a worker.

    Attributes:
        number: tells its outcome from others'.
        function: of a module of shapelint's.
        arguments: plain data.
        path: the user's file.
        limits: what its worker is held to.
        afresh: whether nothing of the user's may be imported yet, not even the package that several files share: it
            would hold what the files held when it was imported.
    """

    number: int
    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    path: Path
    limits: Limits
    afresh: bool = False


class End(StrEnum):
    """How a worker ended that gave no answer."""

    TIMEOUT = "timeout"
    MEMORY = "memory"
    SIGNAL = "signal"
    EXIT = "exit"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the call returned, and the user's files that were read for it."""

    value: Any
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no answer.

    Attributes:
        end: how the worker ended.
        detail: a signal's name, an exit status, seconds, megabytes or a traceback.
        frames: what it was executing, (file, line), the innermost first; () where that is not known.
    """

    end: End
    detail: str
    frames: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a job."""

    number: int
    result: Answer | Failure
