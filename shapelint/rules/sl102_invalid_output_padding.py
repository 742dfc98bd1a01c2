from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from shapelint.diagnostics import Diagnostic, Severity
from shapelint.rules.base import Example, Rule

if TYPE_CHECKING:
    from shapelint.rules.context import Context


class InvalidOutputPadding(Rule):
    """
    ## What it does
    Finds a transposed convolution whose `output_padding` is not smaller than its stride or its dilation.

    ## Why is this bad
    The constructor accepts it; the first call raises.

    ## Example
    ```python
    nn.ConvTranspose2d(8, 3, 4, stride=2, padding=1, output_padding=2)
    ```

    ## Use instead
    ```python
    nn.ConvTranspose2d(8, 3, 4, stride=2, padding=1)   # multiplies the size by exactly 2
    ```

    ## How it is decided
    PyTorch requires 0 <= output_padding < max(stride, dilation). The output_padding with which a transposed
    convolution multiplies by exactly its stride is 2*padding + stride - K, where K is the effective kernel.
    """

    code = "SL102"
    name = "invalid-output-padding"
    summary = "output_padding is not smaller than the stride or the dilation"

    VALID = (
        Example(
            """
            class Model(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.up = nn.ConvTranspose2d(3, 3, 3, stride=2, padding=1, output_padding=1)

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
                    self.up = nn.ConvTranspose2d(3, 3, 4, stride=2, padding=1, output_padding=2)

                def forward(self, x):
                    return self.up(x)
            """,
            message="`up` has an output_padding that PyTorch refuses",
        ),
    )

    def check(self, context: Context) -> Iterator[Diagnostic]:
        from shapelint.rules.context import described, use_of

        for fault in context.faults:
            if fault.kind != "output_padding" or fault.call is None:
                continue
            yield self.finding(
                Severity.ERROR,
                f"{described(fault.call)} has an output_padding that PyTorch refuses",
                location=context.site(fault.call),
                use=use_of(fault.call),
                model=context.model,
                layer=fault.call.layer or None,
                sizes="every size",
                why=fault.failures[0].message(fault.example),
                certainty=context.certainty,
                fixes=context.fault_fixes(fault),
            )
