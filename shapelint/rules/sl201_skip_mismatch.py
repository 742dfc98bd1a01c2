from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from shapelint.diagnostics import Diagnostic, Severity
from shapelint.rules import wording
from shapelint.rules.base import Example, Rule

if TYPE_CHECKING:
    from shapelint.rules.context import Context, Fault


class SkipMismatch(Rule):
    """
    ## What it does
    Finds a concatenation, addition or other merge of two feature maps whose sizes differ at expected sizes.

    ## Why is this bad
    PyTorch raises: "Sizes of tensors must match except in dimension 1".

    ## Example
    ```python
    down = F.max_pool2d(x, 2)                  # 64 -> 32
    side = self.conv(x)                        # kernel 4, stride 2: 64 -> 31
    return torch.cat([down, side], dim=1)
    ```

    ## Use instead
    Make both the same size: padding for the convolution, or resize one to the other.
    ```python
    side = F.interpolate(self.conv(x), size=down.shape[-2:])
    ```

    ## How it is decided
    The sizes of the merged tensors are formulas of the input's size; they are compared for every expected size.
    Where one layer is to blame, that layer is reported instead (SL101, SL501, SL502, SL503).

    ## Fix safety
    Padding by the formulas, for the convolutions on only one of the ways to the merge, is safe where the expected
    sizes were declared or no size that is right today is lost. Resizing the deeper of the feature maps to the other
    one's size changes nothing at the sizes that run already, and cropping the larger ones about their middle neither;
    both are unsafe, since what is merged at the other sizes is something new.
    """

    code = "SL201"
    name = "skip-mismatch"
    summary = "merged feature maps differ in size"

    VALID = (
        Example(
            """
            class Model(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.side = nn.Conv2d(3, 3, 2, stride=2)

                def forward(self, x):
                    return torch.cat([F.max_pool2d(x, 2), self.side(x)], 1)
            """
        ),
    )
    INVALID = (
        Example(
            """
            class Model(nn.Module):
                def forward(self, x):
                    a = F.max_pool2d(x, 2)
                    b = x[..., 1::2, 2::2]
                    return torch.cat([a, b], 1)
            """,
            inputs=("N", 3, "H", "W"),
            message="`cat` gets feature maps of different width",
        ),
    )

    def check(self, context: Context) -> Iterator[Diagnostic]:
        for fault in context.faults:
            if fault.kind == "merge" and not fault.culprits:
                yield self._tell(context, fault)

    def _tell(self, context: Context, fault: Fault) -> Diagnostic:
        from shapelint.rules.context import described, label, use_of

        call = fault.call
        assert call is not None
        what = wording.axis_word(fault.symbols, context.symbols)
        return self.finding(
            Severity.ERROR,
            f"{described(call)} gets feature maps of different {what}",
            location=use_of(call) or context.class_site(),
            use=use_of(call),
            model=context.model,
            layer=call.layer or label(call),
            axis=", ".join(fault.symbols),
            sizes=context.spatial(fault.sizes).sentence(),
            example=f"For {wording.at(fault.example, context.symbols)}: {_met(context, fault)}",
            why=fault.failures[0].message() if fault.failures else "",
            certainty=context.certainty,
            fixes=context.fault_fixes(fault),
        )


def _met(context: Context, fault: Fault) -> str:
    """The spatial sizes of the operands that meet: ``31 × 31 and 32 × 32``."""
    from shapelint.rules.context import spatial_operands

    assert fault.call is not None
    shapes = [
        " × ".join(str(context.size_at(s, fault.example)) for s in sizes)
        for sizes in spatial_operands(fault.call, fault.symbols)
    ]
    return f"the sizes are {wording.listed(shapes)}"
