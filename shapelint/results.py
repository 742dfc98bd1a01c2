"""What a run of the linter found: plain data between the linting and the reports."""

from __future__ import annotations

from dataclasses import dataclass

from shapelint.diagnostics import Diagnostic, Location, Severity


@dataclass(frozen=True, slots=True)
class Assumption:
    """An argument value that nobody gave: ``Assumption("n_channels", "3")``."""

    name: str
    value: str

    def __str__(self) -> str:
        return f"{self.name}={self.value}"


@dataclass(frozen=True, slots=True)
class SkippedModel:
    """A model that was found and not analysed by itself, and why."""

    name: str
    location: Location
    reason: str


@dataclass(frozen=True, slots=True)
class ModelResult:
    """One analysed model.

    Attributes:
        name: the class, function or variable.
        location: where it stands in its file.
        expression: code that builds it.
        assumptions: argument values that nobody gave.
        summary: one line about its sizes: "H and W multiples of 16, at least 16; output = input; proven".
        certainty: "proven", "probed" or "enumerated".
        certainty_reasons: which operations cost the certainty.
        judged: False where nothing runs and arguments or inputs were assumed: with others the model may be right.
    """

    name: str
    location: Location
    expression: str
    assumptions: tuple[Assumption, ...] = ()
    summary: str = ""
    certainty: str = "proven"
    certainty_reasons: tuple[str, ...] = ()
    judged: bool = True


@dataclass(frozen=True, slots=True)
class LintResult:
    """Everything a report needs, in a fixed order: by file, line, column, code.

    ``fail_on`` is the least severity that makes the exit status 1; ``remarks`` are about the run, not about models.
    """

    diagnostics: tuple[Diagnostic, ...] = ()
    models: tuple[ModelResult, ...] = ()
    skipped: tuple[SkippedModel, ...] = ()
    files: int = 0
    fail_on: Severity = Severity.WARNING
    remarks: tuple[str, ...] = ()

    def count(self, severity: Severity) -> int:
        return sum(finding.severity is severity for finding in self.diagnostics)

    @property
    def failed(self) -> bool:
        """Was something asked for that could not be done?"""
        return any(finding.code in TOOL_FAILURES and finding.severity is Severity.ERROR for finding in self.diagnostics)

    @property
    def exit_status(self) -> int:
        """0 clean, 1 findings that are severe enough, 2 the tool could not do what was asked."""
        if self.failed:
            return 2
        severities = list(Severity)
        return int(any(map(self.count, severities[: severities.index(self.fail_on) + 1])))


TOOL_FAILURES = frozenset({"SL901", "SL902", "SL904", "SL906", "SL907"})
