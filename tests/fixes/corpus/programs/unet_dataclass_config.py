"""The layers' parameters are fields of a dataclass."""
# corpus: UNet(Config()) at (N, 1, H, W) returns its size at multiples of 4

from dataclasses import dataclass

import torch
from torch import nn


@dataclass
class Config:
    in_channels: int = 1
    width: int = 8
    kernel_size: int = 3
    stride: int = 2
    padding: int = 1
    output_padding: int = 0  # of the decoder


class UNet(nn.Module):
    def __init__(self, config: Config = Config()):
        super().__init__()
        self.config = config
        c = config.width
        self.down1 = nn.Conv2d(config.in_channels, c, config.kernel_size, config.stride, config.padding)
        self.down2 = nn.Conv2d(c, 2 * c, config.kernel_size, config.stride, config.padding)
        self.up2 = nn.ConvTranspose2d(
            2 * c, c, config.kernel_size, config.stride, config.padding, config.output_padding
        )
        self.up1 = nn.ConvTranspose2d(
            c, c, config.kernel_size, config.stride, config.padding, output_padding=config.output_padding
        )
        self.out = nn.Conv2d(c + config.in_channels, config.in_channels, 1)

    def forward(self, x):
        mid = self.down1(x)
        low = self.down2(mid)
        y = self.up2(low) + mid
        return self.out(torch.cat([x, self.up1(y)], 1))
