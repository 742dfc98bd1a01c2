from __future__ import annotations

from typing import TYPE_CHECKING

from shapelint.rules.base import Example
from shapelint.rules.inexact import InexactStep

if TYPE_CHECKING:
    from shapelint.rules.context import Culprit


class NotSame(InexactStep):
    """
    ## What it does
    Finds a convolution of stride 1 that is padded as if to keep the size, and is off by one.

    ## Why is this bad
    With an even kernel no padding keeps the size: one column too few or too many. The next skip does not fit.

    ## Example
    ```python
    nn.Conv2d(8, 8, 4, padding=1)        # 64 -> 63
    ```

    ## Use instead
    ```python
    nn.Conv2d(8, 8, 3, padding=1)        # 64 -> 64
    nn.Conv2d(8, 8, 4, padding="same")   # 64 -> 64, one column more on the right
    ```

    ## How it is decided
    The size is kept for padding = dilation*(kernel_size - 1) / 2, formula (2). A layer is reported where a merge or
    the model's output is wrong because of it; chosen by name, the rule speaks of every such layer.

    ## Fix safety
    An even number of columns becomes `padding`. An odd one becomes `padding="same"`, which pads one more at the end;
    where that is not possible (another axis has a stride, or the convolution is transposed) `F.pad` adds or takes the
    odd column in `forward`. Safe where the expected sizes were declared or no size that is right today is lost.
    """

    code = "SL501"
    name = "not-same"
    summary = "a stride-1 convolution padded as if to keep the size is off by one"

    VALID = (
        Example(
            """
            class Model(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.conv = nn.Conv2d(3, 3, 4, padding="same")

                def forward(self, x):
                    return x + self.conv(x)
            """
        ),
        Example(
            """
            class Model(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.conv = nn.Conv2d(3, 3, 4, padding=1)

                def forward(self, x):
                    return self.conv(x)
            """
        ),
    )
    INVALID = (
        Example(
            """
            class Model(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.conv = nn.Conv2d(3, 3, 4, padding=1)

                def forward(self, x):
                    return torch.cat([x, self.conv(x)], 1)
            """,
            message="`conv` does not keep the size",
        ),
    )

    def verb(self, culprit: Culprit) -> str:
        return "does not keep the size, and is padded as if to"

    def reason(self, culprit: Culprit) -> str:
        assert culprit.step is not None
        window = culprit.step.window
        assert window is not None
        needed = window.effective - 1
        text = f"dilation*(kernel_size - 1) = {needed}"
        if needed % 2:
            return f"{text} is odd: padding {needed // 2} loses a column, padding {needed // 2 + 1} adds one"
        return f"{text}, so padding = {needed // 2} would keep it, and it is {window.padding}"
