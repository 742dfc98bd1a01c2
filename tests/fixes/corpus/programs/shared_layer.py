"""One layer used at two scales."""
# corpus: Net() at (N, 4, H, W) returns its size at multiples of 4

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.shrink = nn.Conv2d(4, 4, 3, stride=2, padding=1)
        self.grow = nn.ConvTranspose2d(4, 4, 3, stride=2, padding=1)

    def forward(self, full):
        half = self.shrink(full)
        quarter = self.shrink(half)
        y = self.grow(quarter)
        y = y + half
        z = self.grow(y)
        return z + full
