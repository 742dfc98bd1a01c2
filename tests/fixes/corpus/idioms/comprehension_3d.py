"""Layers made in a comprehension."""

from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.down1 = nn.Conv3d(1, 4, 3, stride=2, padding=1)
        self.down2 = nn.Conv3d(4, 8, 3, stride=2, padding=1)
        self.ups = nn.ModuleList(nn.ConvTranspose3d(4 * (i - 1), 4 if i == 3 else 1, 3, 2, 1) for i in (3, 2))

    def forward(self, x):
        x = self.down1(x)
        x = self.down2(x)
        for up in self.ups:
            x = up(x)
        return x
