"""Layers named by number."""
# corpus: Stack(depth=3) at (N, 1, T) returns its size at multiples of 8

import torch
from torch import nn


class Stack(nn.Module):
    def __init__(self, depth=3):
        super().__init__()
        self.depth = depth
        for i in range(depth):
            setattr(self, f"down{i}", nn.Conv1d(2 ** i, 2 ** (i + 1), 3, stride=2, padding=1))
            setattr(self, f"up{i}", nn.ConvTranspose1d(2 ** (i + 1), 2 ** i, 3, stride=2, padding=1))

    def forward(self, x):
        skips = []
        for i in range(self.depth):
            skips.append(x)
            x = getattr(self, f"down{i}")(x)
        for i in reversed(range(self.depth)):
            x = getattr(self, f"up{i}")(x) + skips[i]
        return x
