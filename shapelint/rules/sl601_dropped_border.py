from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from shapelint.diagnostics import Diagnostic, Severity
from shapelint.rules import wording
from shapelint.rules.base import Example, Rule

if TYPE_CHECKING:
    from shapelint.rules.context import Context


class DroppedBorder(Rule):
    """
    ## What it does
    Finds convolutions and poolings that never read the last columns of what they get, at expected sizes.

    ## Why is this bad
    Information is lost, and on one side only. Most networks live well with it, so the rule is off unless asked for.

    ## Example
    ```python
    nn.Conv2d(3, 8, 2, stride=3)   # of 64 columns the last two are never read
    ```

    ## Use instead
    A padding with which the windows reach the border, or an input size that leaves no remainder.

    ## How it is decided
    Res = (w + 2*padding - K) mod stride, less the padding on that side, counts the columns that no window reads.
    """

    code = "SL601"
    name = "dropped-border"
    summary = "the last columns are never read"
    default = False

    VALID = (
        Example(
            """
            class Model(nn.Module):
                def forward(self, x):
                    return F.max_pool2d(x, 2)
            """,
            inputs=("N", 3, "H", "W"),
        ),
    )
    INVALID = (
        Example(
            """
            class Model(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.pool = nn.MaxPool2d(2)

                def forward(self, x):
                    return self.pool(x)
            """,
            inputs=("N", 3, "H", "W"),
            sizes="64x65",
            message="`pool` never reads the last column",
            severity=Severity.WARNING,
        ),
    )

    def check(self, context: Context) -> Iterator[Diagnostic]:
        from shapelint.rules.context import described, use_of

        told: set[object] = set()
        for step in context.network.steps:
            window = step.window
            if window is None or window.transposed or window.ceil_mode or step.before is None:
                continue
            unread = window.dropped(step.before) - window.padding
            sizes = context.where(unread >= 1)
            if sizes is None or (step.call.layer, use_of(step.call)) in told:
                continue
            told.add((step.call.layer, use_of(step.call)))
            env = context.example(sizes)
            count, width = context.size_at(unread, env), context.size_at(step.before, env)
            yield self.finding(
                Severity.WARNING,
                f"{described(step.call)} never reads the last column{'s' if count > 1 else ''} of what it gets",
                location=context.site(step.call),
                use=use_of(step.call),
                model=context.model,
                layer=step.call.layer or None,
                axis=step.symbol,
                sizes=context.spatial(sizes).sentence(),
                example=f"For {wording.at(env, context.symbols)} it gets {width} and leaves out {count}",
                why=f"({width} + 2*{window.padding} - {window.effective}) mod {window.stride} = "
                f"{context.size_at(window.dropped(step.before), env)}, of which {window.padding} are padding",
                certainty=context.certainty,
            )
