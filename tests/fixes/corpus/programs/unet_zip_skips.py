"""Levels in lists, skips popped from a stack in forward itself."""
# corpus: ResUNet(1, 1, (8, 16, 32)) at (N, 1, H, W) returns its size at multiples of 4

from typing import List, Sequence

import torch
import torch.nn as nn


class Residual(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.GroupNorm(4, channels),
            nn.SiLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.body(x)


class ResUNet(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, widths: Sequence[int] = (16, 32, 64)):
        super().__init__()
        self.stem = nn.Conv2d(in_channels, widths[0], 3, padding=1)
        self.encoder = nn.ModuleList()
        self.downs = nn.ModuleList()
        self.ups = nn.ModuleList()
        self.decoder = nn.ModuleList()
        for small, large in zip(widths[:-1], widths[1:]):
            self.encoder.append(Residual(small))
            self.downs.append(nn.Conv2d(small, large, 3, 2, 1))
        self.middle = Residual(widths[-1])
        for large, small in zip(widths[:0:-1], widths[-2::-1]):
            self.ups.append(nn.ConvTranspose2d(large, small, 3, 2, 1))
            self.decoder.append(Residual(small))
        self.head = nn.Conv2d(widths[0], out_channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        skips: List[torch.Tensor] = []
        x = self.stem(x)
        for block, down in zip(self.encoder, self.downs):
            x = block(x)
            skips.append(x)
            x = down(x)
        x = self.middle(x)
        for up, block in zip(self.ups, self.decoder):
            skip = skips.pop()
            x = up(x)
            x = block(x + skip)
        return self.head(x)
