# -*- coding: utf-8 -*-
"""A V-Net-like network for scans whose slices are thick: depth is only halved once."""
# corpus: VNet(in_ch=1, n_classes=3) at (N, 1, D, H, W) returns its size at multiples of 2, 4, 4 from 4

import torch
import torch.nn as nn


def conv_block(i, o):
    return nn.Sequential(nn.Conv3d(i, o, 3, padding=1), nn.InstanceNorm3d(o), nn.LeakyReLU(0.01, inplace=True))


class VNet(nn.Module):
    def __init__(self, in_ch: int = 1, n_classes: int = 2, base: int = 8) -> None:
        super().__init__()
        self.enc1 = conv_block(in_ch, base)
        self.down1 = nn.Conv3d(base, base * 2, kernel_size=(1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1))
        self.enc2 = conv_block(base * 2, base * 2)
        self.down2 = nn.Conv3d(base * 2, base * 4, kernel_size=(3, 3, 3), stride=(2, 2, 2), padding=(1, 1, 1))
        self.bottom = conv_block(base * 4, base * 4)
        self.up2 = nn.ConvTranspose3d(base * 4, base * 2, (3, 3, 3), (2, 2, 2), (1, 1, 1), (0, 0, 0))
        self.dec2 = conv_block(base * 4, base * 2)
        self.up1 = nn.ConvTranspose3d(
            base * 2, base, kernel_size=(1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1), bias=False
        )
        self.dec1 = conv_block(base * 2, base)
        self.head = nn.Conv3d(base, n_classes, 1)

    def forward(self, volume: torch.Tensor) -> torch.Tensor:
        s1 = self.enc1(volume)
        s2 = self.enc2(self.down1(s1))
        y = self.bottom(self.down2(s2))
        y = self.dec2(torch.cat((self.up2(y), s2), 1))
        y = self.dec1(torch.cat((self.up1(y), s1), 1))
        return self.head(y)
