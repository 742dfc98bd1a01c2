"""Joining the reports of shards: what ``shapelint merge`` does.

A ``complete`` report has everything, so that the joined one says what a single run would have said. Reports in the
``json`` format are joined too: they have the findings, without the reasons and the models.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from shapelint.codec import decoder
from shapelint.diagnostics import Applicability, Diagnostic, Edit, Fix, Location, Severity
from shapelint.linting import order
from shapelint.loading.errors import BAD_INPUT, LoadError
from shapelint.loading.sources import read_text
from shapelint.report.complete import FORMAT
from shapelint.results import LintResult, ModelResult, SkippedModel

Entry = TypeVar("Entry")


def merge(files: Iterable[Path]) -> LintResult:
    """What several reports say, each thing once, by file and line. The strictest of their ``--fail-on`` holds.

    Raises:
        LoadError: a file cannot be read, or is no report of shapelint's.
    """
    results = list(dict.fromkeys(map(read_report, files)))
    severities = list(Severity)
    return LintResult(
        diagnostics=tuple(sorted(_once(result.diagnostics for result in results), key=order)),
        models=tuple(sorted(_once(result.models for result in results), key=_place_of)),
        skipped=tuple(sorted(_once(result.skipped for result in results), key=_place_of)),
        files=sum(result.files for result in results),
        fail_on=max((result.fail_on for result in results), key=severities.index, default=Severity.WARNING),
        remarks=tuple(_once(result.remarks for result in results)),
    )


def _once(groups: Iterable[Iterable[Entry]]) -> list[Entry]:
    return list(dict.fromkeys(entry for group in groups for entry in group))


def _place_of(entry: ModelResult | SkippedModel) -> tuple[str, int, str]:
    return entry.location.path, entry.location.line, entry.name


def read_report(file: Path) -> LintResult:
    """One report, ``--output-format complete`` or ``json``.

    Raises:
        LoadError: it cannot be read, or is no such report.
    """
    text = read_text(file)
    try:
        data = json.loads(text)
        if isinstance(data, dict):
            return _complete(data)
        if not isinstance(data, list):
            raise TypeError("it is no array")
        return LintResult(tuple(_finding(entry) for entry in data))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        # json's own error is a ValueError; the others come of data that is shaped otherwise
        message = f"{file} is no report of `shapelint check --output-format complete` or `json`: {error}"
        raise LoadError(BAD_INPUT, message, Location(str(file), 1)) from error


def _complete(data: Mapping[str, Any]) -> LintResult:
    if data["format"] != FORMAT:
        raise ValueError(f"it is of format {data['format']}, and this shapelint reads {FORMAT}")
    result = decoder(LintResult)(data["result"])
    assert isinstance(result, LintResult)
    return result


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
