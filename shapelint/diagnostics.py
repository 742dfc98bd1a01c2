"""What shapelint tells a person: plain data, shared by the rules, the API and every report."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path


class Severity(str, Enum):
    """How much a finding matters; only errors and warnings change the exit status."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Applicability(str, Enum):
    """Who may apply a fix: anyone, someone who asked for it, or only the reader by hand."""

    SAFE = "safe"
    UNSAFE = "unsafe"
    MANUAL = "manual"


@dataclass(frozen=True, slots=True)
class Location:
    """A span of source; lines and columns count from 1, the end column is exclusive."""

    path: str
    line: int
    column: int = 1
    end_line: int | None = None
    end_column: int | None = None

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace one span of source with ``text``."""

    location: Location
    text: str


@dataclass(frozen=True, slots=True)
class Fix:
    """A change that cures a finding, and what it buys and gives up (in ``description``).

    ``reshapes`` says that parameters get other shapes, so that checkpoints saved before do not load any more.
    """

    description: str
    applicability: Applicability
    verified: bool
    edits: tuple[Edit, ...] = ()
    reshapes: bool = False

    def apply(self) -> tuple[Path, ...]:
        """Make the edits in their files, once; the files that were changed.

        The fix was tried on the model in memory; ``shapelint check --fix`` also analyses the edited file afresh.

        Raises:
            ValueError: the fix has no edits, it is one to make by hand.
        """
        from shapelint.fixes.files import apply_edits

        if not self.edits:
            raise ValueError(f"a fix to make by hand: {self.description}")
        return apply_edits(self.edits)


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding: what is wrong, where, for which sizes, why, and what to do.

    ``message`` is the headline (one line, no code in it); ``location`` is where the layer is
    constructed, ``use`` the call in ``forward`` that fails; ``sizes`` a sentence about the sizes
    concerned; ``example`` the smallest real case in numbers; ``why`` the arithmetic in one line. ``assumed`` tells that
    it rests on arguments or inputs which nobody gave, and with others may not be there.
    """

    code: str
    name: str
    severity: Severity
    message: str
    location: Location | None = None
    use: Location | None = None
    model: str = ""
    layer: str | None = None
    axis: str | None = None
    sizes: str = ""
    example: str = ""
    why: str = ""
    certainty: str = "proven"
    fixes: tuple[Fix, ...] = ()
    assumed: bool = False

    def at(self, location: Location | None) -> Diagnostic:
        """The same finding told at another place."""
        return replace(self, location=location)

    def plain(self) -> Diagnostic:
        """The same finding without what its fixes hold for the process that proposed them."""
        fixes = tuple(Fix(f.description, f.applicability, f.verified, f.edits, f.reshapes) for f in self.fixes)
        return replace(self, fixes=fixes)

    def __str__(self) -> str:
        place = f"{self.location}: " if self.location else ""
        return f"{place}{self.code} {self.message}"
