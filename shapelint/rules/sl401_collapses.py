from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from shapelint.diagnostics import Diagnostic, Severity
from shapelint.rules import wording
from shapelint.rules.base import Example, Rule

if TYPE_CHECKING:
    from shapelint.rules.context import Context


class Collapses(Rule):
    """
    ## What it does
    Finds a declared size that shrinks to nothing before the network ends.

    ## Why is this bad
    PyTorch raises: "Kernel size can't be greater than actual input size", "Output size is too small".

    ## Example
    ```python
    # declared: 16 x 16
    for _ in range(5):
        x = F.max_pool2d(x, 2)   # 16, 8, 4, 2, 1, and no window fits
    ```

    ## Use instead
    A larger image, or a network that is less deep. The message says the least size.

    ## How it is decided
    Every layer with a window requires its padded input to be at least as large as the window. Sizes that nobody
    declared are expected only from the least one that runs.
    """

    code = "SL401"
    name = "collapses"
    summary = "a declared size shrinks to nothing before the network ends"

    VALID = (
        Example(
            """
            class Model(nn.Module):
                def forward(self, x):
                    return F.max_pool2d(F.max_pool2d(x, 2), 2)
            """,
            inputs=("N", 3, "H", "W"),
            sizes="4x4",
        ),
    )
    INVALID = (
        Example(
            """
            class Model(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.pool = nn.MaxPool2d(2)
                    self.conv = nn.Conv2d(3, 3, 5)

                def forward(self, x):
                    return self.conv(self.pool(x))
            """,
            sizes="8x32",
            message="a declared size shrinks to nothing at `conv`",
        ),
    )

    def check(self, context: Context) -> Iterator[Diagnostic]:
        from shapelint.rules.context import described, use_of

        if not context.expected.declared or (context.analysis.trace and not context.analysis.trace.outcomes):
            return
        for fault in context.faults:
            if fault.kind != "collapse" or fault.call is None:
                continue
            running = context.analysis.valid_sizes.project(*context.symbols)
            enough = running.next_at_least(**{s: fault.example[s] for s in context.symbols})
            least = f"; the least that runs from there is {wording.at(enough, context.symbols)}" if enough else ""
            yield self.finding(
                Severity.ERROR,
                f"a declared size shrinks to nothing at {described(fault.call)}",
                location=context.site(fault.call) or context.class_site(),
                use=use_of(fault.call),
                model=context.model,
                layer=fault.call.layer or None,
                sizes=context.spatial(fault.sizes).sentence(),
                example=f"For {wording.at(fault.example, context.symbols)}: "
                f"{fault.failures[0].message(fault.example)}{least}",
                why=fault.failures[0].message(),
                certainty=context.certainty,
                fixes=context.fault_fixes(fault),
            )
