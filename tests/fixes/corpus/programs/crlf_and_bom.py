"""Line endings of another system, and a byte order mark."""
# corpus: Net() at (N, 1, H, W) returns its size at multiples of 4

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.down1 = nn.Conv2d(1, 4, 3, stride=2, padding=1)
        self.down2 = nn.Conv2d(4, 8, 3, stride=2, padding=1)
        self.up2 = nn.ConvTranspose2d(
            8,
            4,
            3,
            stride=2,
            padding=1,  # half of the kernel
            # nothing else
        )
        self.up1 = nn.ConvTranspose2d(
            4,
            1,
            3,
            stride=2,
            padding=1  # half of the kernel
        )

    def forward(self, x):
        skip = self.down1(x)
        y = self.down2(skip)
        y = self.up2(y) + skip
        return self.up1(y) * x
