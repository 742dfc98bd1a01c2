import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 4, padding=1)

    def forward(self, x):
        return torch.cat([x, self.conv(x)], dim=1)
