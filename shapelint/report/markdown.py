"""A summary in Markdown, for the page of a CI run or a comment: ``>> "$GITHUB_STEP_SUMMARY"``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from shapelint.diagnostics import Diagnostic
from shapelint.report.folding import folded
from shapelint.report.registry import Style, report_format
from shapelint.report.wording import closing, details
from shapelint.results import LintResult, ModelResult

_SPECIAL: Final = re.compile(r"([\\|<>*_\[\]])")


@report_format("markdown")
def markdown(result: LintResult, style: Style) -> str:
    """The count, a table of findings with their details folded away, a table of models."""
    told, summed_up = (result, []) if style.verbose else folded(result)
    return "\n".join(_lines(told, [closing(result), *summed_up]))


def _lines(result: LintResult, heading: Sequence[str]) -> Iterator[str]:
    yield from ("# shapelint", "", *heading)
    if result.diagnostics:
        yield from ("", "| where | severity | code | what |", "|---|---|---|---|")
        for finding in result.diagnostics:
            place = f"`{finding.location.path}:{finding.location.line}`" if finding.location else ""
            yield _row([place, finding.severity.value, finding.code, _what(finding)])
    if result.models:
        yield from ("", "| model | sizes |", "|---|---|")
        for model in result.models:
            yield _row([f"`{model.name}`", _model(model)])


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _what(finding: Diagnostic) -> str:
    more = "<br>".join(f"{label}: {_inline(text)}" for label, text in details(finding))
    return _inline(finding.message) + (f"<details><summary>details</summary>{more}</details>" if more else "")


def _model(model: ModelResult) -> str:
    assumed = ", ".join(map(str, model.assumptions))
    return _inline(model.summary) + (f" (assumed {_inline(assumed)})" if assumed else "")


def _inline(text: str) -> str:
    """The text in one table cell: code stays code, everything else means itself."""
    parts = " ".join(text.split()).split("`")
    if len(parts) % 2 == 0:
        return _SPECIAL.sub(r"\\\1", "'".join(parts))
    return "".join(
        f"`{part.replace('|', chr(92) + '|')}`" if position % 2 else _SPECIAL.sub(r"\\\1", part)
        for position, part in enumerate(parts)
    )
