import torch
from torch import nn


# shapelint: size=15x17x19
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv3d(1, 4, 3, padding=1)
        self.down = nn.MaxPool3d(2)
        self.up = nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv3d(4, 4, 3, padding=1))
        self.last = nn.Conv3d(8, 1, 1)

    def forward(self, x):
        skip = self.first(x)
        x = self.up(self.down(skip))
        return self.last(torch.cat([skip, x], dim=1))
