"""GitLab's code quality report: the merge request shows what is new in it."""

from __future__ import annotations

import json
from typing import Any, Final

from shapelint.diagnostics import Diagnostic, Severity
from shapelint.fingerprints import digests
from shapelint.report.places import file_of, has_lines, told
from shapelint.report.registry import Style, report_format
from shapelint.results import LintResult

_SEVERITIES: Final = {Severity.ERROR: "major", Severity.WARNING: "minor", Severity.NOTE: "info"}


@report_format("gitlab")
def gitlab(result: LintResult, style: Style) -> str:
    """A JSON array with the keys that GitLab requires."""
    entries = [_entry(*pair) for pair in zip(result.diagnostics, digests(result.diagnostics), strict=True)]
    return json.dumps(entries, indent=2, ensure_ascii=False)


def _entry(finding: Diagnostic, digest: str) -> dict[str, Any]:
    place = finding.location
    # A path and a line are required; what stands nowhere is told at the top of the project.
    lines = {"begin": 1, "end": 1}
    if place and has_lines(place):
        lines = {"begin": place.line, "end": place.end_line or place.line}
    return {
        "description": f"{finding.code} {told(finding)}",
        "check_name": finding.name,
        "fingerprint": digest,
        "severity": _SEVERITIES[finding.severity],
        "location": {"path": file_of(place) if place else ".", "lines": lines},
    }
