"""A dict of keyword arguments that does not name it."""

from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.down1 = nn.Conv1d(1, 4, 3, stride=2, padding=1)
        self.down2 = nn.Conv1d(4, 8, 3, stride=2, padding=1)
        options = dict(kernel_size=3, stride=2, padding=1)
        self.up2 = nn.ConvTranspose1d(8, 4, **options)
        self.up1 = nn.ConvTranspose1d(4, 1, **options)

    def forward(self, x):
        x = self.down1(x)
        x = self.down2(x)
        x = self.up2(x)
        return self.up1(x)
