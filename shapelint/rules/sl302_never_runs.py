from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from shapelint.diagnostics import Diagnostic, Severity
from shapelint.rules.base import Example, Rule

if TYPE_CHECKING:
    from shapelint.rules.context import Context


class NeverRuns(Rule):
    """
    ## What it does
    Finds a model for which no input size passes.

    ## Why is this bad
    It raises at its first call.

    ## Example
    ```python
    x = F.adaptive_avg_pool2d(x, 7)
    return F.pixel_unshuffle(x, 2)   # 7 is never a multiple of 2
    ```

    ## Use instead
    Sizes that agree; the message names the operation at which the last sizes are refused.

    ## How it is decided
    Every size is refused by some requirement. Where one layer or merge is to blame, it is reported instead (SL101,
    SL102, SL201, SL402). For inputs that nobody declared and that may be the wrong ones, this is SL904 rather.

    ## Fix safety
    If a layer gets another number of channels or features than it takes, it is fitted to what it gets; for a `Linear`
    after a flatten, to the size that was declared. That is unsafe: its parameters get other shapes, and checkpoints
    saved before no longer load.
    """

    code = "SL302"
    name = "never-runs"
    summary = "no input size passes"

    VALID = (
        Example(
            """
            class Model(nn.Module):
                def forward(self, x):
                    return x + x.mean(dim=(2, 3), keepdim=True)
            """,
            inputs=("N", 3, "H", "W"),
        ),
    )
    INVALID = (
        Example(
            """
            class Model(nn.Module):
                def forward(self, x):
                    return F.pixel_unshuffle(F.adaptive_avg_pool2d(x, 7), 2)
            """,
            inputs=("N", 3, "H", "W"),
            message="no input size passes",
        ),
    )

    def check(self, context: Context) -> Iterator[Diagnostic]:
        from shapelint.rules.failing import guessed_wrongly

        trace = context.analysis.trace
        if trace is None or trace.outcomes or guessed_wrongly(context.analysis):
            return
        if any(f.culprits or f.kind in ("channels", "output_padding", "merge") for f in context.faults):
            return
        failure = trace.failures[-1] if trace.failures else None
        fault = next((f for f in context.faults if failure in f.failures), None)
        fixes = context.fault_fixes(fault) if fault is not None else ()
        why = failure.message() if failure else ""
        place = failure.place.location() if failure and failure.place else None
        where = f" at `{failure.layer}`" if failure and failure.layer else ""
        yield self.finding(
            Severity.ERROR,
            f"no input size passes; the last are refused{where}",
            location=place or context.class_site(),
            use=place,
            model=context.model,
            layer=failure.layer if failure else None,
            sizes="none",
            why=context.unmended(fault, why, fixes) if fault is not None else why,
            certainty=context.certainty,
            fixes=fixes,
        )
