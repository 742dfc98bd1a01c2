"""What a report for people sums up, unless they ask for all of it: notes that say the same of many models.

A tree of building blocks has hundreds of classes that nobody said the arguments and inputs of. That they did not run
with guessed ones is no finding about them; one line says how many there are.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from shapelint.diagnostics import Diagnostic, Severity
from shapelint.results import LintResult
from shapelint.words import listed, plural

_MOST_TOLD: Final = 3
"""So many of one kind are told one by one."""

_NOT_BUILT: Final = "could not be built with the arguments that were assumed"
_NOT_RUN: Final = "does not fit the inputs or arguments that were assumed"
_PINNED: Final = "models that take certain sizes only, as their lines say"
_NOT_PROVEN: Final = "enumerated or probed, not proven"


def folded(result: LintResult) -> tuple[LintResult, list[str]]:
    """The result without what is summed up, and the sentences that do."""
    kinds = {finding: kind for finding in result.diagnostics if (kind := _kind(finding))}
    many = {kind: count for kind, count in Counter(kinds.values()).items() if count > _MOST_TOLD}
    kept = tuple(_joined(finding for finding in result.diagnostics if kinds.get(finding) not in many))
    models = tuple(model for model in result.models if model.judged or _NOT_RUN not in many)
    return dataclasses.replace(result, diagnostics=kept, models=models), list(_sentences(many))


def _joined(findings: Iterable[Diagnostic]) -> Iterator[Diagnostic]:
    """What is the same of several models (those derived from one class, say), once, with their names."""
    groups: dict[Diagnostic, list[Diagnostic]] = {}
    for finding in findings:
        groups.setdefault(dataclasses.replace(finding, model="", fixes=()), []).append(finding)
    for first, *more in groups.values():
        others = list(dict.fromkeys(finding.model for finding in more if finding.model != first.model))
        also = f"; the same in {listed(others)}" if others else ""
        yield dataclasses.replace(first, why=f"{first.why}{also}".removeprefix("; "))


def _kind(finding: Diagnostic) -> str:
    if finding.severity is not Severity.NOTE:
        return ""
    if finding.code == "SL303" and not finding.assumed:
        return _PINNED
    if finding.assumed:
        return _NOT_BUILT if finding.code == "SL902" else _NOT_RUN
    return _NOT_PROVEN if finding.code == "SL905" else ""


def _sentences(many: dict[str, int]) -> Iterator[str]:
    if _NOT_BUILT in many:
        yield f"{plural(many[_NOT_BUILT], 'model')} {_NOT_BUILT}."
    if _NOT_RUN in many:
        yield f"{plural(many[_NOT_RUN], 'note')} on what {_NOT_RUN}."
    if _PINNED in many:
        yield f"{plural(many[_PINNED], 'note')} on {_PINNED}."
    if _NOT_PROVEN in many:
        yield f"{plural(many[_NOT_PROVEN], 'model')} {_NOT_PROVEN}."
    if many:
        yield "--verbose tells these one by one."
    if many.keys() & {_NOT_BUILT, _NOT_RUN}:
        yield (
            "What a model takes is said in a comment, # shapelint: UNet(in_channels=1) input=(N, 1, H, W), or in "
            "[tool.shapelint]."
        )
