"""Findings about the analysis itself: SL904 and SL905. Their documentation stands with the other SL9xx codes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from shapelint.diagnostics import Diagnostic, Severity

if TYPE_CHECKING:
    from shapelint.rules.context import Context


def findings(context: Context) -> Iterator[Diagnostic]:
    """What could not be followed, or not be proven."""
    from shapelint.rules.failing import guessed_wrongly

    analysis = context.analysis
    if analysis.trace is not None and guessed_wrongly(analysis):
        yield _cannot_trace(context)
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


def _cannot_trace(context: Context) -> Diagnostic:
    trace = context.analysis.trace
    failure = trace.failures[-1] if trace is not None and trace.failures else None
    place = failure.place.location() if failure and failure.place else None
    shapes = ", ".join(str(tuple(t.sizes)) for t in context.analysis.inputs.args if hasattr(t, "sizes"))
    return Diagnostic(
        "SL904",
        "cannot-trace",
        Severity.NOTE,
        f"{context.model} does not run with the inputs that were assumed: {shapes.replace(chr(39), '')}",
        location=context.class_site() or place,
        use=place,
        model=context.model,
        why=f"{failure.message()}; declare the inputs: --input N,3,H,W" if failure else "declare the inputs",
        certainty=context.certainty,
    )
