from __future__ import annotations

from typing import TYPE_CHECKING

from shapelint.rules.base import Example
from shapelint.rules.inexact import InexactStep

if TYPE_CHECKING:
    from shapelint.rules.context import Culprit


class InexactUpsample(InexactStep):
    """
    ## What it does
    Finds a transposed convolution that does not multiply the size by exactly its stride.

    ## Why is this bad
    Where its result meets one that was multiplied exactly, the sizes differ.

    ## Example
    ```python
    nn.ConvTranspose2d(8, 8, 3, stride=2, padding=1)                     # 32 -> 63
    ```

    ## Use instead
    ```python
    nn.ConvTranspose2d(8, 8, 3, stride=2, padding=1, output_padding=1)   # 32 -> 64
    ```

    ## How it is decided
    It multiplies exactly for output_padding = 2*padding + stride - K, formula (5). A layer is reported where a merge
    or the model's output is wrong because of it, and no encoder step is paired with it (that is SL101); chosen by
    name, the rule speaks of every such layer.

    ## Fix safety
    `output_padding` of formula (5), with another `padding` where it would be out of range. Safe where the expected
    sizes were declared or every size serves, else unsafe.
    """

    code = "SL503"
    name = "inexact-upsample"
    summary = "a transposed convolution does not multiply by its stride exactly"

    VALID = (
        Example(
            """
            class Model(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.up = nn.ConvTranspose2d(3, 3, 4, stride=2, padding=1)

                def forward(self, x):
                    return torch.cat([F.interpolate(x, scale_factor=2), self.up(x)], 1)
            """
        ),
    )
    INVALID = (
        Example(
            """
            class Model(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.up = nn.ConvTranspose2d(3, 3, 3, stride=2, padding=1)

                def forward(self, x):
                    return torch.cat([F.interpolate(x, scale_factor=2), self.up(x)], 1)
            """,
            message="`up` does not multiply the size by exactly its stride",
        ),
    )

    def verb(self, culprit: Culprit) -> str:
        return "does not multiply the size by exactly its stride"

    def reason(self, culprit: Culprit) -> str:
        assert culprit.step is not None
        window = culprit.step.window
        assert window is not None
        needed = 2 * window.padding + window.stride - window.effective
        return (
            f"exact for output_padding = 2*{window.padding} + {window.stride} - {window.effective} = {needed}, "
            f"and it is {window.output_padding}"
        )
