"""Joining the JSON reports of shards: what ``shapelint merge`` does."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from shapelint.diagnostics import Applicability, Diagnostic, Edit, Fix, Location, Severity
from shapelint.linting import order
from shapelint.loading.errors import BAD_INPUT, LoadError
from shapelint.loading.sources import read_text
from shapelint.results import LintResult


def merge(files: Iterable[Path]) -> LintResult:
    """The findings of several reports, each once, by file and line.

    Raises:
        LoadError: a file cannot be read, or is no JSON report of shapelint's.
    """
    found = [finding for file in files for finding in read_report(file)]
    return LintResult(tuple(sorted(dict.fromkeys(found), key=order)))


def read_report(file: Path) -> list[Diagnostic]:
    """The findings of one ``--output-format json`` report.

    Raises:
        LoadError: it cannot be read, or is no such report.
    """
    text = read_text(file)
    try:
        entries = json.loads(text)
        if not isinstance(entries, list):
            raise TypeError("it is no array")
        return [_finding(entry) for entry in entries]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        # json's own error is a ValueError; the others come of data that is shaped otherwise
        message = f"{file} is no report of `shapelint check --output-format json`: {error}"
        raise LoadError(BAD_INPUT, message, Location(str(file), 1)) from error


def _finding(data: Mapping[str, Any]) -> Diagnostic:
    return Diagnostic(
        code=data["code"],
        name=data["name"],
        severity=Severity(data["severity"]),
        message=data["message"],
        location=_location(data),
        model=data["model"] or "",
        layer=data["layer"],
        axis=data["axis"],
        sizes=data["sizes"] or "",
        example=data["example"] or "",
        certainty=data["certainty"],
        fixes=tuple(_fix(fix) for fix in data["fixes"]),
    )


def _fix(data: Mapping[str, Any]) -> Fix:
    edits = tuple(Edit(_place(edit), edit["text"]) for edit in data["edits"])
    return Fix(data["description"], Applicability(data["applicability"]), data["verified"], edits)


def _location(data: Mapping[str, Any]) -> Location | None:
    return None if data["path"] is None else _place(data)


def _place(data: Mapping[str, Any]) -> Location:
    return Location(data["path"], data["line"], data["column"], data["end_line"], data["end_column"])
