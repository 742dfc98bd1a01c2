"""Why a model refuses sizes, in words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from shapelint.diagnostics import Diagnostic, Severity
from shapelint.rules import wording

if TYPE_CHECKING:
    from shapelint.api import Analysis
    from shapelint.tracing.record import Failure

_CODES = {
    "merge": ("SL201", "skip-mismatch"),
    "channels": ("SL402", "channel-mismatch"),
    "output_padding": ("SL102", "invalid-output-padding"),
    "collapse": ("SL401", "collapses"),
    "refused": ("SL305", "size-fails"),
}


def explain(analysis: Analysis, env: dict[str, int]) -> Diagnostic:
    """The finding about one size that does not run."""
    trace = analysis.trace
    if trace is None:
        error = analysis._runner.run(env).error
        text = str(error).strip().splitlines()
        said = text[0] if text else type(error).__name__
        return Diagnostic(
            "SL305",
            "size-fails",
            Severity.ERROR,
            said,
            model=analysis.name,
            certainty=analysis.certainty,
            sizes=_sizes(analysis, env),
        )
    failure = next((f for f in trace.failures if f.holds(env)), None)
    if failure is None:
        return Diagnostic(
            "SL305",
            "size-fails",
            Severity.ERROR,
            "the model does not run at this size",
            model=analysis.name,
            certainty=analysis.certainty,
            sizes=_sizes(analysis, env),
        )
    return _explained(analysis, failure, env)


def _explained(analysis: Analysis, failure: Failure, env: dict[str, int]) -> Diagnostic:
    from shapelint.network import construction_of
    from shapelint.rules.context import described, kind_of_failure

    place = failure.place.location() if failure.place else None
    location = place
    if failure.call is not None and failure.call.kind == "module":
        location = construction_of(analysis.model, failure.call.layer) or place
    code, name = _CODES[kind_of_failure(failure)]
    who = described(failure.call) if failure.call is not None else f"`{failure.layer}`" if failure.layer else ""
    said = failure.message(env)
    symbols = analysis.network.symbols
    return Diagnostic(
        code,
        name,
        Severity.ERROR,
        f"{who}: {said}" if who else said,
        location=location,
        use=place,
        model=analysis.name,
        layer=failure.layer or None,
        sizes=_sizes(analysis, env),
        example=nearest_text(analysis, env, symbols).removeprefix("; "),
        why=failure.message(),
        certainty=analysis.certainty,
    )


def _sizes(analysis: Analysis, env: dict[str, int]) -> str:
    return wording.named(env, [s for s in analysis.symbols if s != "N"] or list(env)) if env else ""


def nearest_text(analysis: Analysis, env: dict[str, int], symbols: Sequence[str]) -> str:
    """``; the nearest sizes that run are 96 × 128 and 104 × 128``, or nothing."""
    if not symbols:
        return ""
    running = analysis.valid_sizes.project(*symbols)
    found = running.nearest(**{s: env[s] for s in symbols})
    if not found:
        return ""
    texts = list(dict.fromkeys(wording.at(point, symbols) for point in found))
    return f"; the nearest {'size that runs is' if len(texts) == 1 else 'sizes that run are'} {wording.listed(texts)}"


def channel_counts(failure: Failure) -> tuple[str, str] | None:
    """What arrives and what is expected."""
    if "the layer expects" in failure.reason and len(failure.arguments) >= 2:
        return str(failure.arguments[0]), str(failure.arguments[1])
    # where every size fails the reason comes filled in
    match = re.search(r"has (\S+) channels, the layer expects (\S+)", failure.message())
    return (match[1], match[2]) if match else None


def guessed_wrongly(analysis: Analysis) -> bool:
    """Whether nothing runs and that may well be because nobody said what the inputs are."""
    trace = analysis.trace
    if not analysis.inputs.inferred or analysis.contract is not None:
        return False
    if trace is None:
        return analysis.enumeration.base is None
    if trace.outcomes:
        return False
    several = len(analysis.inputs.args) + len(analysis.inputs.keywords) > 1
    foreign = any(f.error is not None for f in trace.failures)
    rank = any("dimensions" in f.reason for f in trace.failures)
    return several or foreign or rank or not trace.failures


def nothing_runs(analysis: Analysis) -> str:
    """What a model does that was guessed wrongly: ``does not run with the inputs that were assumed: (N, C, H, W)``."""
    inputs = f"with the inputs that were assumed: {assumed_inputs(analysis)}"
    if analysis.trace is None and not analysis._search.complete:
        return f"was not seen to run in the time there was, {inputs}"
    return f"does not run {inputs}"


def assumed_inputs(analysis: Analysis) -> str:
    """``(N, C, H, W), (N,)``."""
    from shapelint.tracing.tensor import SymbolicTensor

    tensors = [value for value in analysis.inputs.args if isinstance(value, SymbolicTensor)]
    return ", ".join(f"({', '.join(map(str, t.sizes))}{',' if len(t.sizes) == 1 else ''})" for t in tensors)
