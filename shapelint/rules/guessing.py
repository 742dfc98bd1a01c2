"""What follows from inputs that nobody declared is a remark: with others the model may be right.

Where a model takes several tensors and nothing says what they are, they are taken to be alike. A decoder's
`forward(x, skip)` is then given a skip of the size of `x`, and fails over the guess, not over a mistake. So a verdict
stands only where nothing but the first of them is involved.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from shapelint.diagnostics import Diagnostic, Location, Severity
from shapelint.rules.failing import channel_counts

if TYPE_CHECKING:
    from shapelint.rules.context import Context, Fault
    from shapelint.tracing.record import Call

_ABOUT_SIZES = frozenset({"SL201", "SL202", "SL305", "SL401", "SL402"})
_PINNED = "SL303"
_Where = tuple[str | None, Location | None]


def without_guesses(context: Context, found: Sequence[Diagnostic]) -> list[Diagnostic]:
    """The findings; those that the guess may be to blame for as notes that say so."""
    guessed = frozenset(_on_guesses(context)) if any(map(_may_be_guessed, found)) else frozenset()
    told = [_remark(f) if _may_be_guessed(f) and (f.layer, f.use) in guessed else f for f in found]
    # that few sizes are left follows from what is told already
    known = any(f.assumed and f.code != _PINNED for f in told)
    return [f for f in told if not (known and f.assumed and f.code == _PINNED)]


def _may_be_guessed(finding: Diagnostic) -> bool:
    verdict = finding.code in _ABOUT_SIZES and finding.severity is not Severity.NOTE
    return verdict or finding.code == _PINNED


def _on_guesses(context: Context) -> Iterator[_Where]:
    """Where something is wrong with what comes from a tensor after the first, which nobody declared."""
    from shapelint.rules.context import label, use_of

    analysis = context.analysis
    if analysis.trace is None or not analysis.inputs.inferred or analysis.contract is not None:
        return
    further = [call for call in analysis.trace.calls if call.kind == "input"][1:]
    wrong = [(fault.call, further and _counts_sizes(fault)) for fault in context.faults]
    wrong += [(accident.call, False) for accident, _ in context.accidents]
    for call, doubtful in wrong:
        if call is not None and (doubtful or _comes_from(call, further)):
            yield from ((call.layer or name, use_of(call)) for name in (None, label(call)))
    for failure in analysis.trace.failures if further else ():
        if failure.call is not None and _comes_from(failure.call, further):
            yield failure.layer or None, use_of(failure.call)


def _counts_sizes(fault: Fault) -> bool:
    """Do so many channels arrive as one of the assumed sizes says? Then it stands for something else."""
    if fault.kind != "channels" or not fault.failures:
        return False
    counts = channel_counts(fault.failures[0])
    return counts is None or not counts[0].isdecimal()


def _comes_from(call: Call, inputs: Sequence[Call]) -> bool:
    from shapelint.rules.context import operands_of

    seen: set[int] = set()
    waiting: list[Call | None] = [call]
    while waiting:
        step = waiting.pop()
        if step is None or step.index in seen:
            continue
        if step in inputs:
            return True
        seen.add(step.index)
        waiting += [tensor.call for tensor in operands_of(step)]
    return False


def _remark(finding: Diagnostic) -> Diagnostic:
    message = f"{finding.message} (with assumed inputs: say with --input what they are)"
    return dataclasses.replace(finding, severity=Severity.NOTE, message=message, fixes=(), assumed=True)
