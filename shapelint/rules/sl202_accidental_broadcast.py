from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from shapelint.diagnostics import Diagnostic, Severity
from shapelint.rules import wording
from shapelint.rules.base import Example, Rule

if TYPE_CHECKING:
    from shapelint.rules.context import Context


class AccidentalBroadcast(Rule):
    """
    ## What it does
    Finds an addition or multiplication that runs at an expected size only because one of the sizes happens to be 1.

    ## Why is this bad
    PyTorch stretches the 1 without a word: every position gets the same value, where other sizes raise.

    ## Example
    ```python
    y = self.up(self.down(x))   # kernel 3, stride 2, padding 1: 2 -> 1 -> 1
    return x - y                # at 2 x 2 it runs, at 4 x 4 it raises
    ```

    ## Use instead
    Sizes that agree: `output_padding`, `output_size`, or resizing to the other tensor's size.

    ## How it is decided
    A size that depends on the input meets another one and is 1 for some inputs only. Where the input's sizes were
    declared this is a warning. Otherwise such sizes are left out of the expected ones, and nothing is said.

    ## Fix safety
    As for SL201: padding by the formulas is safe where no size is lost, resizing is unsafe.
    """

    code = "SL202"
    name = "accidental-broadcast"
    summary = "a broadcast that happens only because a size happens to be 1"

    VALID = (
        Example(
            """
            class Model(nn.Module):
                def forward(self, x):
                    return x * F.adaptive_avg_pool2d(x, 1)
            """,
            inputs=("N", 3, "H", "W"),
            sizes="1x1",
        ),
    )
    INVALID = (
        Example(
            """
            class Model(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.down = nn.Conv2d(3, 3, 3, stride=2, padding=1)

                def forward(self, x):
                    return x[..., ::3, ::3] + self.down(x)
            """,
            sizes="3x3",
            message="`add` broadcasts by accident",
            severity=Severity.WARNING,
        ),
    )

    def check(self, context: Context) -> Iterator[Diagnostic]:
        from shapelint.rules.context import described, use_of

        if context.analysis.trace is None or not (context.expected.declared or context.expected.pinned):
            return
        told: set[object] = set()
        for accident, sizes in context.accidents:
            call = accident.call
            if call is None or (call.layer, use_of(call)) in told:
                continue
            told.add((call.layer, use_of(call)))
            env = context.example(sizes)
            a, b = (context.size_at(side, env) for side in accident.sides)
            yield self.finding(
                Severity.WARNING,
                f"{described(call)} broadcasts by accident",
                location=use_of(call) or context.class_site(),
                use=use_of(call),
                model=context.model,
                layer=call.layer or None,
                sizes=context.spatial(sizes).sentence(),
                example=f"For {wording.at(env, context.symbols)} the sizes {a} and {b} meet",
                why=f"the sizes are {accident.sides[0]} and {accident.sides[1]}, and agree at other inputs or raise",
                certainty=context.certainty,
                fixes=context.accident_fixes(call),
            )
