"""Keyword arguments pass through two functions before they reach the layer."""
# corpus: Net() at (N, 1, D, H, W) returns its size at multiples of 4

import torch.nn as nn


def deconv(i, o, **kwargs):
    return nn.ConvTranspose3d(i, o, **kwargs)


def up(i, o, act=nn.ReLU, **kwargs):
    """A step up, and what follows it."""
    return nn.Sequential(deconv(i, o, kernel_size=3, stride=2, padding=1, **kwargs), act())


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = nn.Sequential(
            nn.Conv3d(1, 4, 3, stride=2, padding=1), nn.ReLU(), nn.Conv3d(4, 8, 3, stride=2, padding=1)
        )
        self.up2 = up(8, 4, output_padding=0)
        self.up1 = up(4, 1, nn.Sigmoid, output_padding=0)

    def forward(self, x):
        return self.up1(self.up2(self.down(x)))
