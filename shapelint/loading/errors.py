"""The one way in which loading fails: a code, a sentence for the reader, and a place in the reader's file."""

from __future__ import annotations

from functools import partial
from typing import Final

from shapelint.diagnostics import Diagnostic, Location, Severity

CANNOT_IMPORT: Final = "SL901"
CANNOT_CONSTRUCT: Final = "SL902"
CANNOT_TRACE: Final = "SL904"
BAD_INPUT: Final = "SL906"
DID_NOT_FINISH: Final = "SL907"

NAMES: Final = {
    CANNOT_IMPORT: "cannot-import",
    CANNOT_CONSTRUCT: "cannot-construct",
    CANNOT_TRACE: "cannot-trace",
    BAD_INPUT: "bad-input",
    DID_NOT_FINISH: "did-not-finish",
}


class RefusedError(PermissionError):
    """User code tried what it may not do while it is linted. Libraries that can go on without catch an OSError.

    Attributes:
        what: "network", "process" or "write".
        attempt: "tried to reach huggingface.co, ..."
    """

    def __init__(self, what: str, attempt: str) -> None:
        super().__init__(f"the code {attempt}")
        self.what = what
        self.attempt = attempt


class HardExit(SystemExit):
    """User code called ``os._exit``, which would end the process without a word."""


def refusal(error: BaseException | None) -> RefusedError | None:
    """The refused attempt that an exception comes from, through whatever libraries have wrapped around it."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        current = waiting.pop()
        if isinstance(current, RefusedError):
            return current
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        inner = [current.__cause__, current.__context__, getattr(current, "reason", None), *current.args]
        waiting += [part for part in inner if isinstance(part, BaseException)]
    return None


class LoadError(Exception):
    """A file or a model could not be loaded; ``message`` says why and, where there is one, the way out.

    ``guessed`` tells that it may be due to argument values which nobody gave, or to what is not to be had here.
    """

    def __init__(self, code: str, message: str, location: Location | None = None, *, guessed: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.location = location
        self.guessed = guessed

    @property
    def told(self) -> str:
        """What the command line says, when it ends with this."""
        return self.message

    def __str__(self) -> str:
        place = f"{self.location}: " if self.location else ""
        return f"{place}{self.code} {self.message}"

    def __reduce__(self) -> tuple[object, ...]:
        """Through a pipe and back: exceptions are made again from their message alone otherwise."""
        make = partial(LoadError, guessed=self.guessed)
        return make, (self.code, self.message, self.location)

    def diagnostic(self, *, model: str = "", severity: Severity = Severity.ERROR) -> Diagnostic:
        """The same failure as a finding, for the reports."""
        return Diagnostic(
            code=self.code,
            name=NAMES[self.code],
            severity=severity,
            message=self.message,
            location=self.location,
            model=model,
            assumed=self.guessed,
        )
