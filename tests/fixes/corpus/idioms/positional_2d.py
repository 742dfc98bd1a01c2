"""Parameters by position."""

from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.down1 = nn.Conv2d(1, 4, 3, stride=2, padding=1)
        self.down2 = nn.Conv2d(4, 8, 3, stride=2, padding=1)
        self.up2 = nn.ConvTranspose2d(8, 4, 3, 2, 1)
        self.up1 = nn.ConvTranspose2d(4, 1, 3, 2, 1)

    def forward(self, x):
        x = self.down1(x)
        x = self.down2(x)
        x = self.up2(x)
        return self.up1(x)
