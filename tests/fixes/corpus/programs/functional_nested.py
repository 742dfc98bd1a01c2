"""Weights of its own, calls of the function within one another."""
# corpus: Tied() at (N, 1, H, W) returns its size at multiples of 4

import torch
import torch.nn.functional as F
from torch import nn


class Tied(nn.Module):
    """The decoder uses the encoder's weights."""

    def __init__(self):
        super().__init__()
        self.w1 = nn.Parameter(torch.empty(8, 1, 3, 3))
        self.w2 = nn.Parameter(torch.empty(16, 8, 3, 3))

    def forward(self, x):
        code = F.relu(F.conv2d(F.relu(F.conv2d(x, self.w1, stride=2, padding=1)), self.w2, stride=2, padding=1))
        return F.conv_transpose2d(
            F.relu(F.conv_transpose2d(code, self.w2, stride=2, padding=1)),  # inner
            self.w1,
            stride=2,
            padding=1,
        )
