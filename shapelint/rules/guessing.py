"""What follows from inputs that nobody declared is a remark: with others the model may be right.

Where a model takes several tensors and nothing says what they are, they are taken to be alike. A decoder's
`forward(x, skip)` is given a skip of twice the size of `x`, and fails over the guess, not over a mistake. So a verdict
stands only if it holds with sizes of its own for each tensor as well.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from shapelint.diagnostics import Diagnostic, Severity

if TYPE_CHECKING:
    from shapelint.api import Analysis
    from shapelint.rules.context import Context

_ABOUT_SIZES = frozenset({"SL201", "SL202", "SL302", "SL305", "SL401", "SL402"})


def without_guesses(context: Context, found: Sequence[Diagnostic]) -> list[Diagnostic]:
    """The findings; those verdicts as notes that the guess may be to blame for."""
    analysis = context.analysis
    verdicts = [finding for finding in found if _is_verdict(finding)]
    guessed = analysis.inputs.inferred and analysis.contract is None
    untied = analysis.inputs.untied() if guessed and verdicts else None
    if untied is None:
        return list(found)
    standing = _standing(context, analysis.again(untied), verdicts)
    return [_remark(finding) if finding in verdicts and finding not in standing else finding for finding in found]


def _standing(context: Context, untied: Analysis, verdicts: Sequence[Diagnostic]) -> Sequence[Diagnostic]:
    """Which verdicts hold whatever the sizes of the other tensors are."""
    from shapelint.rules import check

    if untied.trace is None:
        return ()
    if not untied.trace.outcomes:
        same = {(finding.code, finding.layer) for finding in check(untied, sorted(_ABOUT_SIZES))}
        return [finding for finding in verdicts if (finding.code, finding.layer) in same]
    failing = context.expected.domain.subtract(context.analysis._domain).sample()
    if failing is None:  # what is expected are the few sizes that run
        stands = untied.valid_sizes.project(*context.symbols) <= context.analysis.valid_sizes.project(*context.symbols)
    else:
        stands = untied.valid_sizes.fixed(**{name: failing[name] for name in context.symbols}).is_empty()
    return verdicts if stands else ()


def _is_verdict(finding: Diagnostic) -> bool:
    return finding.code in _ABOUT_SIZES and finding.severity is not Severity.NOTE


def _remark(finding: Diagnostic) -> Diagnostic:
    message = f"{finding.message} (with assumed inputs: say with --input what they are)"
    return dataclasses.replace(finding, severity=Severity.NOTE, message=message, fixes=())
