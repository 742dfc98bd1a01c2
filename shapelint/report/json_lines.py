"""Findings as data, one JSON object a line: for programs that read while it is written, and for grep."""

from __future__ import annotations

import json

from shapelint.report.json import finding_data
from shapelint.report.registry import Style, report_format
from shapelint.results import LintResult


@report_format("json-lines")
def json_lines(result: LintResult, style: Style) -> str:
    """The objects of the ``json`` format, a line each."""
    return "\n".join(json.dumps(finding_data(finding), ensure_ascii=False) for finding in result.diagnostics)
