"""One line a finding, for editors and grep: ``path:line:column: CODE [*] message``."""

from __future__ import annotations

from shapelint.report.registry import Style, report_format
from shapelint.report.wording import headline
from shapelint.results import LintResult


@report_format("concise")
def concise(result: LintResult, style: Style) -> str:
    """Every finding in one line, nothing else."""
    return "\n".join(headline(finding, style) for finding in result.diagnostics)
