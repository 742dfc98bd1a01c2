from __future__ import annotations

from typing import TYPE_CHECKING

from shapelint.rules.base import Example
from shapelint.rules.inexact import InexactStep

if TYPE_CHECKING:
    from shapelint.rules.context import Culprit


class InexactDownsample(InexactStep):
    """
    ## What it does
    Finds a strided convolution that does not divide the multiples of its stride exactly.

    ## Why is this bad
    Where it runs beside a pooling or another convolution, their results differ in size.

    ## Example
    ```python
    nn.Conv2d(8, 8, 3, stride=2)              # 64 -> 31
    ```

    ## Use instead
    ```python
    nn.Conv2d(8, 8, 3, stride=2, padding=1)   # 64 -> 32
    ```

    ## How it is decided
    The division is exact for 2*padding = K - stride + Res with 0 <= Res < stride, formula (3); the smallest such
    padding is ceil((K - stride) / 2). A layer is reported where a merge or the model's output is wrong because of
    it; chosen by name, the rule speaks of every such layer.

    ## Fix safety
    The smallest padding of formula (3). Safe where the expected sizes were declared or no size that is right today is
    lost, else unsafe.
    """

    code = "SL502"
    name = "inexact-downsample"
    summary = "a strided convolution does not divide by its stride exactly"

    VALID = (
        Example(
            """
            class Model(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.down = nn.Conv2d(3, 3, 3, stride=2, padding=1)

                def forward(self, x):
                    return torch.cat([F.max_pool2d(x, 2), self.down(x)], 1)
            """
        ),
        Example(
            """
            class Model(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.down = nn.Conv2d(3, 64, 11, stride=4, padding=2)

                def forward(self, x):
                    return self.down(x)
            """
        ),
    )
    INVALID = (
        Example(
            """
            class Model(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.down = nn.Conv2d(3, 3, 3, stride=2)

                def forward(self, x):
                    return torch.cat([F.max_pool2d(x, 2), self.down(x)], 1)
            """,
            message="`down` does not divide the size exactly by its stride",
        ),
    )

    def verb(self, culprit: Culprit) -> str:
        return "does not divide the size exactly by its stride"

    def reason(self, culprit: Culprit) -> str:
        from shapelint.sizes import formulas

        assert culprit.step is not None
        window = culprit.step.window
        assert window is not None
        needed = formulas.downsample_padding(window.kernel_size, window.stride, window.dilation)
        return (
            f"kernel {window.kernel_size} (effective {window.effective}), stride {window.stride}, padding "
            f"{window.padding}; exact from padding = ceil(({window.effective} - {window.stride}) / 2) = {needed} on"
        )
