"""Assertions for tests and notebooks: what the linter says, as the text of an ``AssertionError``.

pytest, unittest and notebooks show the caller's line and the text, not the way through this package.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from shapelint import claims
from shapelint.api import Analysis, analyze
from shapelint.claims import Counterexample
from shapelint.diagnostics import Diagnostic, Severity
from shapelint.report import render
from shapelint.results import LintResult
from shapelint.rules.wording import at
from shapelint.shape_text import parse_output, shapes_text

if TYPE_CHECKING:
    from torch import nn

__unittest = True  # unittest leaves the frames of such a module out of a traceback

_LONGEST_SET = 100
"""A set of sizes that takes more characters is a formula, which its least member says better."""
_NOT_ABOUT_RUNNING = frozenset({"SL301", "SL701"})
_ABOUT_RETURNING = frozenset({"SL101", "SL301", "SL501", "SL502", "SL503"})


def assert_accepts(model: nn.Module, sizes: Any, inputs: Any = None) -> None:
    """Fail unless the model runs at all of these sizes.

    Args:
        model: any module.
        sizes: "256x256", {"H": 256}, "H%16==0, W%16==0", or a list of these.
        inputs: as ``shapelint.analyze`` takes them.

    Raises:
        AssertionError: it does not run at some of them; the text names these, the layer and the fix.
    """
    __tracebackhide__ = True
    if text := refusal(analyze(model, inputs, sizes)):
        raise AssertionError(text)


def assert_round_trip(model: nn.Module, sizes: Any = None, inputs: Any = None) -> None:
    """Fail unless the model runs at all of these sizes and its output's spatial size is the input's.

    Args:
        model: any module.
        sizes: as for ``assert_accepts``; without them the sizes that the linter expects of the network.
        inputs: as ``shapelint.analyze`` takes them.

    Raises:
        AssertionError: some size does not run, or comes back as another.
    """
    __tracebackhide__ = True
    if text := lossy(analyze(model, inputs, sizes)):
        raise AssertionError(text)


def assert_output_shape(model: nn.Module, shape: Any, inputs: Any = None, sizes: Any = None) -> None:
    """Fail unless the model returns this shape at all of these sizes.

    Args:
        model: any module.
        shape: "N,1,H,W", ("N", 1, "H//2", "W//2"), or a list of shapes for a model that returns several tensors.
            The names are those of the input's sizes; ``_`` is any size.
        inputs: as ``shapelint.analyze`` takes them.
        sizes: as for ``assert_round_trip``.

    Raises:
        AssertionError: some size does not run, or gives another shape.
        InputError: the shape is not understood, or has a name that the input has not.
    """
    __tracebackhide__ = True
    if text := other_shape(analyze(model, inputs, sizes), shape):
        raise AssertionError(text)


def assert_equivalent_sizes(model_a: nn.Module, model_b: nn.Module, inputs: Any = None) -> None:
    """Fail unless both models run at the same sizes and return the same shapes there: for refactorings.

    Raises:
        AssertionError: they differ; the text says at which sizes.
    """
    from shapelint.comparing import diff

    __tracebackhide__ = True
    if found := diff(model_a, model_b, inputs):
        raise AssertionError(str(found))


# --- the texts -----------------------------------------------------------------------------------------------


def refusal(analysis: Analysis) -> str:
    """Which of the expected sizes do not run, and why; empty if all do."""
    found = claims.refused(analysis, claims.expected_of(analysis))
    if found is None:
        return ""
    findings = [d for d in analysis.diagnostics if d.severity is Severity.ERROR and d.code not in _NOT_ABOUT_RUNNING]
    if not findings and (reason := analysis.why_not(**_named(analysis, found.least))):
        findings = [reason]
    head = f"{analysis.name} does not run at {_which(analysis, found)}"
    if analysis.trace is not None and analysis.network.symbols:
        head += f"\nit runs at: {analysis.valid_sizes.project(*analysis.network.symbols)}"
    return _text(head, findings)


def lossy(analysis: Analysis) -> str:
    """Which of the expected sizes do not come back as they were, and why; empty if all do."""
    if text := refusal(analysis):
        return text
    found = claims.changed(analysis, claims.expected_of(analysis))
    if found is None:
        return ""
    got = shapes_text(found.found)
    head = f"{analysis.name} returns another size than it got at {_which(analysis, found)}: the output is {got}"
    if analysis.trace is not None:
        head += f"\nit returns its input's size at: {analysis.round_trip_sizes.project(*analysis.network.symbols)}"
    return _text(head, _of(analysis.diagnostics, _ABOUT_RETURNING))


def other_shape(analysis: Analysis, shape: Any) -> str:
    """Which of the expected sizes give another shape; empty if none does."""
    shapes = parse_output(shape, analysis.inputs.symbols)
    if text := refusal(analysis):
        return text
    found = claims.misshapen(analysis, claims.expected_of(analysis), shapes)
    if found is None:
        return ""
    got = analysis.output_shape(**_named(analysis, found.least))
    head = f"{analysis.name} does not return {shapes_text(shape)} at {_which(analysis, found)}"
    head += f": the output is {shapes_text(got)}"
    return _text(head, _of(analysis.diagnostics, _ABOUT_RETURNING))


def _of(findings: Sequence[Diagnostic], codes: Collection[str]) -> list[Diagnostic]:
    return [d for d in findings if d.code in codes and d.severity is not Severity.NOTE]


def _named(analysis: Analysis, env: Mapping[str, int]) -> dict[str, int]:
    return {name: env[name] for name in analysis.symbols if name in env}


def _which(analysis: Analysis, found: Counterexample) -> str:
    symbols = analysis.network.symbols
    if not symbols:
        return "any size"
    least = at(found.least, symbols)
    if found.sizes == type(found.sizes).from_points(symbols, [tuple(found.least[s] for s in symbols)]):
        return least
    text = str(found.sizes)
    all_of_them = f" ({text})" if len(text) <= _LONGEST_SET else ""
    return f"some of the sizes asked for{all_of_them}. At the least of them, {least}"


def _text(head: str, findings: Sequence[Diagnostic]) -> str:
    if not findings:
        return head
    return f"{head}\n\n{report_text(findings)}"


def report_text(findings: Sequence[Diagnostic]) -> str:
    """The linter's report; a layer of a model that has no class of its own is not told at torch's source."""
    library = str(Path(torch.__file__).parent)
    told = tuple(
        replace(finding, location=None, use=None)
        if finding.location is not None and finding.location.path.startswith(library)
        else finding
        for finding in findings
    )
    return render("text", LintResult(told)).rstrip()
