"""A module that holds a smaller one of itself."""
# shapelint: Hourglass(2, 8) input=(N, 8, H, W)
# corpus: Hourglass(2, 8) at (N, 8, H, W) returns its size at multiples of 4

import torch
import torch.nn.functional as F
from torch import nn


class Hourglass(nn.Module):
    def __init__(self, n, f):
        super().__init__()
        self.up1 = nn.Conv2d(f, f, 3, padding=1)
        self.low1 = nn.Conv2d(f, f, 3, stride=2, padding=1)
        self.low2 = Hourglass(n - 1, f) if n > 1 else nn.Conv2d(f, f, 3, padding=1)
        self.low3 = nn.ConvTranspose2d(f, f, 3, stride=2, padding=1)

    def forward(self, x):
        up1 = self.up1(x)
        low1 = F.relu(self.low1(x))
        low2 = self.low2(low1)
        low3 = self.low3(low2)
        return up1 + low3
