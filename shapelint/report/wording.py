"""Words and colours that the formats for people share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import click

from shapelint.diagnostics import Applicability, Diagnostic, Severity
from shapelint.report.registry import Style
from shapelint.results import LintResult
from shapelint.words import listed, plural

SEVERITY_COLORS: Final = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}


def paint(text: str, style: Style, *, color: str | None = None, bold: bool = False, dim: bool = False) -> str:
    """The text in colour, where colour is wanted."""
    return click.style(text, fg=color, bold=bold or None, dim=dim or None) if style.color and text else text


def has_fix(finding: Diagnostic) -> bool:
    """Is there a fix that was verified and that a program may apply?"""
    return any(fix.verified and fix.applicability is not Applicability.MANUAL for fix in finding.fixes)


def headline(finding: Diagnostic, style: Style) -> str:
    """``unet.py:31:20: SL101 [*] message``; a note says that it is one."""
    color = SEVERITY_COLORS[finding.severity]
    place = paint(f"{finding.location}", style, bold=True) + ": " if finding.location else ""
    code = paint(finding.code, style, color=color, bold=True)
    mark = paint("[*]", style, color="green") + " " if has_fix(finding) else ""
    kind = paint("note:", style, color=color) + " " if finding.severity is Severity.NOTE else ""
    return f"{place}{code} {mark}{kind}{finding.message}"


def details(finding: Diagnostic) -> Iterator[tuple[str, str]]:
    """What there is to say beyond the headline: the sizes, an example, why, and the fixes."""
    told = (("sizes", finding.sizes), ("example", finding.example), ("why", finding.why))
    yield from ((label, text) for label, text in told if text)
    yield from (("fix", fix.description) for fix in finding.fixes)


def closing(result: LintResult) -> str:
    """``Found 2 errors and 1 note in 3 models.``"""
    models = f" in {plural(len(result.models), 'model')}" if result.models else ""
    counts = [plural(count, severity.value) for severity in Severity if (count := result.count(severity))]
    if counts:
        return f"Found {listed(counts)}{models}."
    if not result.models:
        return f"No models found in {plural(result.files, 'file')}." if result.files else "No Python files found."
    return f"No problems found{models}."
