"""A block that gets the skip."""

import torch
from torch import nn


class Up(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.layer = nn.ConvTranspose1d(i, o, 3, stride=2, padding=1)
        self.join = nn.Conv1d(2 * o, o, 1)

    def forward(self, x, skip):
        x = self.layer(x)
        return self.join(torch.cat([x, skip], 1))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.down1 = nn.Conv1d(1, 4, 3, stride=2, padding=1)
        self.down2 = nn.Conv1d(4, 8, 3, stride=2, padding=1)
        self.up2 = Up(8, 4)
        self.up1 = Up(4, 1)

    def forward(self, x):
        a = self.down1(x)
        b = self.down2(a)
        return self.up1(self.up2(b, a), x)
