"""SARIF 2.1.0: what code scanning on GitHub, Azure DevOps and editors read. One run, its rules, its results."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from shapelint import __version__
from shapelint.diagnostics import Applicability, Diagnostic, Fix, Location
from shapelint.fingerprints import digests
from shapelint.report.places import file_of, has_lines, told
from shapelint.report.registry import Style, report_format
from shapelint.results import TOOL_FAILURES, LintResult

SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_ROOT: Final = "%SRCROOT%"


@report_format("sarif")
def sarif(result: LintResult, style: Style) -> str:
    """A log with one run."""
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [_run(result)]}
    return json.dumps(log, indent=2, ensure_ascii=False)


def _run(result: LintResult) -> dict[str, Any]:
    rules = _rules()
    positions = {rule["id"]: position for position, rule in enumerate(rules)}
    findings = zip(result.diagnostics, digests(result.diagnostics), strict=True)
    return {
        "tool": {"driver": {"name": "shapelint", "semanticVersion": __version__, "rules": rules}},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {_ROOT: {"description": {"text": "The directory that shapelint was run in."}}},
        "invocations": [{"executionSuccessful": not result.failed}],
        "results": [_result(finding, digest, positions) for finding, digest in findings],
    }


def _rules() -> list[dict[str, Any]]:
    from shapelint.documentation import documented, plain

    return [
        {
            "id": rule.code,
            "name": rule.name,
            "shortDescription": {"text": rule.summary},
            "help": {"text": plain(rule), "markdown": rule.documentation.strip()},
            "defaultConfiguration": {"enabled": rule.default},
        }
        for rule in documented()
    ]


def _result(finding: Diagnostic, digest: str, positions: dict[str, int]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "ruleId": finding.code,
        "level": finding.severity.value,
        "message": {"text": _message(finding)},
        "partialFingerprints": {"shapelint/v1": digest},
    }
    if finding.code in positions:
        found["ruleIndex"] = positions[finding.code]
    if finding.code not in TOOL_FAILURES:
        found["properties"] = {"certainty": finding.certainty}
    if finding.location is not None:
        found["locations"] = [_location(finding)]
    if finding.use is not None and finding.use != finding.location:
        found["relatedLocations"] = [
            {"id": 0, "physicalLocation": _physical(finding.use), "message": {"text": "used here in forward"}}
        ]
    fixes = [_fix(fix) for fix in finding.fixes if _is_applicable(fix)]
    if fixes:
        found["fixes"] = fixes
    return found


def _message(finding: Diagnostic) -> str:
    """Sentences: what, for which sizes, why, and what to do, since many readers show nothing else."""
    parts = [told(finding), finding.sizes, finding.example, finding.why]
    parts += [f"Fix: {fix.description}" for fix in finding.fixes]
    return " ".join(f"{part.rstrip('.')}." for part in parts if part)


def _location(finding: Diagnostic) -> dict[str, Any]:
    assert finding.location is not None
    location: dict[str, Any] = {"physicalLocation": _physical(finding.location)}
    if finding.model:
        name = f"{finding.model}.{finding.layer}" if finding.layer else finding.model
        location["logicalLocations"] = [{"fullyQualifiedName": name, "kind": "member" if finding.layer else "type"}]
    return location


def _physical(place: Location) -> dict[str, Any]:
    physical: dict[str, Any] = {"artifactLocation": _artifact(place)}
    return physical | {"region": _region(place)} if has_lines(place) else physical


def _artifact(place: Location) -> dict[str, str]:
    path = file_of(place)
    if Path(path).is_absolute():
        return {"uri": Path(path).as_uri()}
    return {"uri": quote(path), "uriBaseId": _ROOT}


def _region(place: Location) -> dict[str, int]:
    region = {"startLine": place.line, "startColumn": place.column}
    if place.end_line is not None:
        region["endLine"] = place.end_line
    if place.end_column is not None:
        region["endColumn"] = place.end_column
    return region


def _fix(fix: Fix) -> dict[str, Any]:
    return {"description": {"text": fix.description}, "artifactChanges": list(_changes(fix))}


def _is_applicable(fix: Fix) -> bool:
    """Can a program apply it, at the lines that it says?"""
    by_program = bool(fix.edits) and fix.applicability is not Applicability.MANUAL
    return by_program and all(has_lines(edit.location) for edit in fix.edits)


def _changes(fix: Fix) -> Iterator[dict[str, Any]]:
    """The edits, file by file."""
    for path in dict.fromkeys(edit.location.path for edit in fix.edits):
        edits = [edit for edit in fix.edits if edit.location.path == path]
        yield {
            "artifactLocation": _artifact(edits[0].location),
            "replacements": [
                {"deletedRegion": _region(edit.location), "insertedContent": {"text": edit.text}} for edit in edits
            ],
        }
