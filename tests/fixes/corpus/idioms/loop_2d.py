"""Layers made in a loop."""

from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.down1 = nn.Conv2d(1, 4, 3, stride=2, padding=1)
        self.down2 = nn.Conv2d(4, 8, 3, stride=2, padding=1)
        self.ups = nn.ModuleList()
        for i, o in [(8, 4), (4, 1)]:
            self.ups.append(nn.ConvTranspose2d(i, o, 3, stride=2, padding=1))

    def forward(self, x):
        x = self.down1(x)
        x = self.down2(x)
        for up in self.ups:
            x = up(x)
        return x
