"""What is common stands in a base class; its subclasses say how to go up."""
# corpus: TransposedNet() at (N, 1, D, H, W) returns its size at multiples of 4

from abc import abstractmethod

import torch
from torch import nn


class Base(nn.Module):
    width = 4

    def __init__(self):
        super().__init__()
        w = self.width
        self.inp = nn.Conv3d(1, w, 3, padding=1)
        self.down = nn.ModuleList([nn.Conv3d(w, w, 3, stride=2, padding=1), nn.Conv3d(w, w, 3, stride=2, padding=1)])
        self.up = nn.ModuleList([self.make_up(w), self.make_up(w)])
        self.out = nn.Conv3d(w, 1, 1)

    @abstractmethod
    def make_up(self, width): ...

    def forward(self, x):
        first = self.inp(x)
        second = self.down[0](first)
        third = self.down[1](second)
        y = self.up[0](third) + second
        y = self.up[1](y) + first
        return self.out(y)


class TransposedNet(Base):
    def make_up(self, width):
        return nn.ConvTranspose3d(width, width, 3, stride=2, padding=1)
