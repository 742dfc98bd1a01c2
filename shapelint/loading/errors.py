"""The one way in which loading fails: a code, a sentence for the reader, and a place in the reader's file."""

from __future__ import annotations

from typing import Final

from shapelint.diagnostics import Diagnostic, Location, Severity

CANNOT_IMPORT: Final = "SL901"
CANNOT_CONSTRUCT: Final = "SL902"
CANNOT_TRACE: Final = "SL904"
BAD_INPUT: Final = "SL906"

NAMES: Final = {
    CANNOT_IMPORT: "cannot-import",
    CANNOT_CONSTRUCT: "cannot-construct",
    CANNOT_TRACE: "cannot-trace",
    BAD_INPUT: "bad-input",
}


class LoadError(Exception):
    """A file or a model could not be loaded; ``message`` says why and, where there is one, the way out.

    ``guessed`` tells that the failure may be due to argument values which nobody gave.
    """

    def __init__(self, code: str, message: str, location: Location | None = None, *, guessed: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.location = location
        self.guessed = guessed

    def __str__(self) -> str:
        place = f"{self.location}: " if self.location else ""
        return f"{place}{self.code} {self.message}"

    def diagnostic(self, *, model: str = "", severity: Severity = Severity.ERROR) -> Diagnostic:
        """The same failure as a finding, for the reports."""
        return Diagnostic(
            code=self.code,
            name=NAMES[self.code],
            severity=severity,
            message=self.message,
            location=self.location,
            model=model,
        )
