"""Workflow commands: GitHub Actions shows each finding at its line of a pull request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from shapelint.diagnostics import Diagnostic, Severity
from shapelint.report.places import file_of, has_lines, told
from shapelint.report.registry import Style, report_format
from shapelint.report.wording import details
from shapelint.results import LintResult

_COMMANDS: Final = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}
_IN_MESSAGE: Final = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_IN_PROPERTY: Final = {**_IN_MESSAGE, ":": "%3A", ",": "%2C"}


@report_format("github")
def github(result: LintResult, style: Style) -> str:
    """``::error file=unet.py,line=31,col=20,title=SL101 lossy-round-trip::message`` for every finding."""
    return "\n".join(map(_command, result.diagnostics))


def _command(finding: Diagnostic) -> str:
    properties = ",".join(f"{key}={_escape(value, _IN_PROPERTY)}" for key, value in _properties(finding))
    message = "\n".join([told(finding), *(f"{label}: {text}" for label, text in details(finding))])
    return f"::{_COMMANDS[finding.severity]} {properties}::{_escape(message, _IN_MESSAGE)}"


def _properties(finding: Diagnostic) -> Iterator[tuple[str, str]]:
    place = finding.location
    if place is not None:
        yield "file", file_of(place)
    if place is not None and has_lines(place):
        yield "line", str(place.line)
        # Columns are only understood within one line.
        if place.end_line in (None, place.line):
            yield "col", str(place.column)
            if place.end_column is not None:
                yield "endColumn", str(place.end_column)
        else:
            yield "endLine", str(place.end_line)
    yield "title", f"{finding.code} {finding.name}"


def _escape(text: str, characters: Mapping[str, str]) -> str:
    return "".join(characters.get(char, char) for char in text)
