"""Findings about the analysis itself: SL904 and SL905. Their documentation stands with the other SL9xx codes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from shapelint.diagnostics import Diagnostic, Severity
from shapelint.rules.failing import guessed_wrongly, nothing_runs

if TYPE_CHECKING:
    from shapelint.api import Analysis
    from shapelint.rules.context import Context
    from shapelint.sizes import TooComplex
    from shapelint.tracing.record import Failure


def findings(context: Context, told: Iterable[Diagnostic]) -> Iterator[Diagnostic]:
    """What could not be followed, or not be proven.

    Args:
        told: the rules' findings: what one of them blames on the model is not put down to its inputs too.
    """
    analysis = context.analysis
    if guessed_wrongly(analysis):
        finding = _cannot_trace(context)
        verdicts = (other for other in told if other.severity is Severity.ERROR and not other.assumed)
        if finding.use is None or all(other.use != finding.use for other in verdicts):
            yield finding
    elif analysis.certainty != "proven":
        reasons = analysis.certainty_reasons
        more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
        yield Diagnostic(
            "SL905",
            "not-proven",
            Severity.NOTE,
            f"the sizes of {context.model} are {analysis.certainty}, not proven",
            location=context.class_site(),
            model=context.model,
            sizes=analysis.enumeration.sentence() if analysis.trace is None else "",
            why=f"{reasons[0]}{more}" if reasons else "",
            certainty=analysis.certainty,
        )


def not_judged(context: Context, reason: TooComplex) -> Diagnostic:
    """For a model whose sizes are known, and are too complex a set to be compared with the expected ones."""
    return Diagnostic(
        "SL905",
        "not-proven",
        Severity.NOTE,
        f"{context.model} is not judged: {reason}",
        location=context.class_site(),
        model=context.model,
        why="its sizes are known one by one (accepts, output_shape); no rule was checked against all of them",
        certainty=context.certainty,
    )


def _cannot_trace(context: Context) -> Diagnostic:
    trace = context.analysis.trace
    failure = trace.failures[-1] if trace is not None and trace.failures else None
    place = failure.place.location() if failure and failure.place else None
    said = _said(failure) if failure else _said_in_a_run(context.analysis) if trace is None else ""
    return Diagnostic(
        "SL904",
        "cannot-trace",
        Severity.NOTE,
        f"{context.model} {nothing_runs(context.analysis)}",
        location=context.class_site() or place,
        use=place,
        model=context.model,
        why=f"{said}; declare the inputs: --input N,3,H,W" if said else "declare the inputs: --input N,3,H,W",
        certainty=context.certainty,
        assumed=True,
    )


def _said(failure: Failure) -> str:
    kind = f"it raised {type(failure.error).__name__}: " if failure.error is not None else ""
    return f"{kind}{failure.message()}"


def _said_in_a_run(analysis: Analysis) -> str:
    from shapelint.tracing.places import first_line

    error = analysis._search.error
    return f"a run of it raised {type(error).__name__}: {first_line(error)}" if error is not None else ""
