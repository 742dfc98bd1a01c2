from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from shapelint.diagnostics import Diagnostic, Severity
from shapelint.rules.base import Example, Rule

if TYPE_CHECKING:
    from shapelint.rules.context import Context


class Checkerboard(Rule):
    """
    ## What it does
    Finds transposed convolutions whose kernel is not divisible by their stride.

    ## Why is this bad
    Neighbouring outputs are sums of different numbers of inputs, which shows as a checkerboard pattern. Training can
    learn to even it out, so the rule is off unless asked for.

    ## Example
    ```python
    nn.ConvTranspose2d(8, 3, 3, stride=2, padding=1, output_padding=1)
    ```

    ## Use instead
    ```python
    nn.ConvTranspose2d(8, 3, 4, stride=2, padding=1)
    ```

    ## How it is decided
    kernel_size mod stride is not 0 on some axis with a stride above 1.
    """

    code = "SL602"
    name = "checkerboard"
    summary = "a transposed convolution's kernel is not divisible by its stride"
    default = False

    VALID = (
        Example(
            """
            class Model(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.up = nn.ConvTranspose2d(3, 3, 4, stride=2, padding=1)

                def forward(self, x):
                    return self.up(x)
            """
        ),
    )
    INVALID = (
        Example(
            """
            class Model(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.up = nn.ConvTranspose2d(3, 3, 3, stride=2, padding=1, output_padding=1)

                def forward(self, x):
                    return self.up(x)
            """,
            message="`up` can leave a checkerboard pattern",
            severity=Severity.WARNING,
        ),
    )

    def check(self, context: Context) -> Iterator[Diagnostic]:
        from shapelint.rules.context import described, use_of

        told: set[object] = set()
        for step in context.network.steps:
            window = step.window
            if window is None or window.kind != "conv_transpose" or window.kernel_size % window.stride == 0:
                continue
            if (step.call.layer, use_of(step.call)) in told:
                continue
            told.add((step.call.layer, use_of(step.call)))
            yield self.finding(
                Severity.WARNING,
                f"{described(step.call)} can leave a checkerboard pattern",
                location=context.site(step.call),
                use=use_of(step.call),
                model=context.model,
                layer=step.call.layer or None,
                axis=step.symbol,
                sizes="every size",
                why=f"the kernel ({window.kernel_size}) is not divisible by the stride ({window.stride})",
                certainty=context.certainty,
            )
