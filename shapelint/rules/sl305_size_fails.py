from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from shapelint.diagnostics import Diagnostic, Severity
from shapelint.rules import wording
from shapelint.rules.base import Example, Rule

if TYPE_CHECKING:
    from shapelint.rules.context import Context, Fault


class SizeFails(Rule):
    """
    ## What it does
    Finds expected sizes that do not run, for a reason that no other rule names: a view into windows, a
    `pixel_unshuffle`, a GRU's `input_size`, the author's own check on a declared size.

    ## Why is this bad
    The model raises on input it is expected to take.

    ## Example
    ```python
    # declared: 100 x 100
    x = F.pixel_unshuffle(x, 8)   # 100 is no multiple of 8
    ```

    ## Use instead
    One of the sizes that the message names, or pad the input to one.

    ## How it is decided
    Every requirement that PyTorch or the author states is compared with the expected sizes.

    ## Fix safety
    A `Linear` after a flatten is fitted to the declared size: unsafe, since its parameters get other shapes, and
    checkpoints saved before no longer load. Else the input is padded with zeros to the next size that is right today,
    and the output cropped to the input's size: unsafe, since the borders see zeros.
    """

    code = "SL305"
    name = "size-fails"
    summary = "an expected size does not run"

    VALID = (
        Example(
            """
            class Model(nn.Module):
                def forward(self, x):
                    return F.pixel_unshuffle(x, 8)
            """,
            inputs=("N", 3, "H", "W"),
        ),
    )
    INVALID = (
        Example(
            """
            class Model(nn.Module):
                def forward(self, x):
                    return F.pixel_unshuffle(x, 8)
            """,
            inputs=("N", 3, "H", "W"),
            sizes="100x128",
            message="`pixel_unshuffle` refuses an expected size",
        ),
        Example(
            """
            class Model(nn.Module):
                def forward(self, x):
                    if x.shape[-1] % 32:
                        raise ValueError("width must be a multiple of 32")
                    return x
            """,
            inputs=("N", 3, "H", "W"),
            sizes={"H": 64, "W": 100},
            message="the model's own check refuses an expected size",
        ),
    )

    def check(self, context: Context) -> Iterator[Diagnostic]:
        trace = context.analysis.trace
        if trace is None:
            yield from self._enumerated(context)
            return
        if not trace.outcomes:
            return
        for fault in context.faults:
            if fault.kind == "refused" or (fault.kind == "collapse" and not context.expected.declared):
                yield self._tell(context, fault)

    def _tell(self, context: Context, fault: Fault) -> Diagnostic:
        from shapelint.rules.context import described, use_of
        from shapelint.rules.failing import nearest_text

        failure = fault.failures[0]
        own = failure.error is not None
        place = failure.place.location() if failure.place else None
        where = f" in `{failure.layer}`" if failure.layer else ""
        who = f"the model's own check{where}" if own or fault.call is None else described(fault.call)
        location = place if own or fault.call is None else context.site(fault.call)
        fixes = context.fault_fixes(fault)
        nearest = nearest_text(context.analysis, fault.example, context.symbols)
        return self.finding(
            Severity.ERROR,
            f"{who} refuses an expected size",
            location=location or context.class_site(),
            use=use_of(fault.call) or place,
            model=context.model,
            layer=failure.layer or None,
            axis=", ".join(fault.symbols),
            sizes=context.spatial(fault.sizes).sentence(),
            example=f"For {wording.at(fault.example, context.symbols)}: {failure.message(fault.example)}{nearest}",
            why=context.unmended(fault, failure.message(), fixes),
            certainty=context.certainty,
            fixes=fixes,
        )

    def _enumerated(self, context: Context) -> Iterator[Diagnostic]:
        """Of a model that could only be run: the declared sizes, where they are few."""
        analysis, expected = context.analysis, context.expected
        if not expected.declared or not expected.sizes.is_finite():
            return
        for env in expected.sizes.enumerate(1 << 20):
            reason = analysis.why_not(**env)
            if reason is not None:
                yield self.finding(
                    Severity.ERROR,
                    f"{context.model} refuses an expected size",
                    location=context.class_site(),
                    model=context.model,
                    sizes=wording.at(env, context.symbols),
                    example=f"For {wording.at(env, context.symbols)}: {reason.message}",
                    certainty=context.certainty,
                )
