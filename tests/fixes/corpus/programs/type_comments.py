"""Pragmas at the ends of lines stay where they are."""
# corpus: Net(in_planes=1) at (N, 1, H, W) returns its size at multiples of 4

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

if TYPE_CHECKING:
    from torch import Tensor


class Net(nn.Module):
    def __init__(self, in_planes: int = 1, planes: int = 8) -> None:
        super().__init__()
        self.enc1 = nn.Conv2d(in_planes, planes, 3, stride=2, padding=1)  # type: ignore[arg-type]
        self.enc2 = nn.Conv2d(planes, planes, 3, stride=2, padding=1)  # noqa: E501
        self.dec2 = nn.ConvTranspose2d(planes, planes, 3, stride=2, padding=1)  # noqa: E501
        # fmt: off
        self.dec1 = nn.ConvTranspose2d(in_channels = planes,
                                       out_channels= in_planes,
                                       kernel_size = 3,
                                       stride      = 2,
                                       padding     = 1,   # pylint: disable=bad-whitespace
                                      )
        # fmt: on

    def forward(self, x: Tensor) -> Tensor:
        h: Tensor = self.enc1(x)
        h = self.enc2(h)
        h = self.dec2(h)
        return self.dec1(h)
