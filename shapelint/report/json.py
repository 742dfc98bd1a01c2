"""Findings as data: a JSON array of objects with fixed keys."""

from __future__ import annotations

import json
from typing import Any

from shapelint.diagnostics import Diagnostic, Edit, Fix
from shapelint.report.registry import Style, report_format
from shapelint.results import LintResult


@report_format("json")
def report(result: LintResult, style: Style) -> str:
    """All findings; keys are always there, null where there is nothing to say."""
    return json.dumps([finding_data(finding) for finding in result.diagnostics], indent=2, ensure_ascii=False)


def finding_data(finding: Diagnostic) -> dict[str, Any]:
    """One finding as plain data."""
    place = finding.location
    return {
        "code": finding.code,
        "name": finding.name,
        "severity": finding.severity.value,
        "message": finding.message,
        "path": place.path if place else None,
        "line": place.line if place else None,
        "column": place.column if place else None,
        "end_line": place.end_line if place else None,
        "end_column": place.end_column if place else None,
        "model": finding.model or None,
        "layer": finding.layer,
        "axis": finding.axis,
        "sizes": finding.sizes or None,
        "example": finding.example or None,
        "certainty": finding.certainty,
        "fixes": [_fix_data(fix) for fix in finding.fixes],
    }


def _fix_data(fix: Fix) -> dict[str, Any]:
    return {
        "description": fix.description,
        "applicability": fix.applicability.value,
        "verified": fix.verified,
        "edits": [_edit_data(edit) for edit in fix.edits],
    }


def _edit_data(edit: Edit) -> dict[str, Any]:
    place = edit.location
    return {
        "path": place.path,
        "line": place.line,
        "column": place.column,
        "end_line": place.end_line,
        "end_column": place.end_column,
        "text": edit.text,
    }
