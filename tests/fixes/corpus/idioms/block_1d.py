"""A block's own parameter."""

from torch import nn


class Up(nn.Module):
    def __init__(self, i, o, extra=0):
        super().__init__()
        self.layer = nn.ConvTranspose1d(i, o, 3, 2, 1, extra)

    def forward(self, x):
        return self.layer(x)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.down1 = nn.Conv1d(1, 4, 3, stride=2, padding=1)
        self.down2 = nn.Conv1d(4, 8, 3, stride=2, padding=1)
        self.up2 = Up(8, 4)
        self.up1 = Up(4, 1)

    def forward(self, x):
        x = self.down1(x)
        x = self.down2(x)
        x = self.up2(x)
        return self.up1(x)
