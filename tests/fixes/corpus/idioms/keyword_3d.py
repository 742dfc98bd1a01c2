"""Parameters by name."""

from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.down1 = nn.Conv3d(1, 4, 3, stride=2, padding=1)
        self.down2 = nn.Conv3d(4, 8, 3, stride=2, padding=1)
        self.up2 = nn.ConvTranspose3d(8, 4, kernel_size=3, stride=2, padding=1)
        self.up1 = nn.ConvTranspose3d(4, 1, kernel_size=3, stride=2, padding=1)

    def forward(self, x):
        x = self.down1(x)
        x = self.down2(x)
        x = self.up2(x)
        return self.up1(x)
