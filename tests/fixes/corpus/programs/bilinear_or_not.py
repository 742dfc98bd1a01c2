"""A switch between two ways up; the default is the transposed convolution."""
# corpus: UNet() at (N, 3, H, W) returns its size at multiples of 4

import torch
from torch import nn


class Up(nn.Module):
    def __init__(self, channels, bilinear):
        super().__init__()
        if bilinear:
            self.up = nn.Sequential(
                nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True), nn.Conv2d(channels, channels // 2, 1)
            )
        else:
            self.up = nn.ConvTranspose2d(channels, channels // 2, kernel_size=3, stride=2, padding=1)
        self.fuse = nn.Conv2d(channels, channels // 2, 3, padding=1)

    def forward(self, deep, shallow):
        return self.fuse(torch.cat([self.up(deep), shallow], dim=1))


class UNet(nn.Module):
    def __init__(self, bilinear=False):
        super().__init__()
        self.inc = nn.Conv2d(3, 8, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.c1 = nn.Conv2d(8, 16, 3, padding=1)
        self.c2 = nn.Conv2d(16, 32, 3, padding=1)
        self.up1 = Up(32, bilinear)
        self.up2 = Up(16, bilinear)
        self.outc = nn.Conv2d(8, 1, 1)

    def forward(self, x):
        a = self.inc(x)
        b = self.c1(self.pool(a))
        c = self.c2(self.pool(b))
        return self.outc(self.up2(self.up1(c, b), a))
