import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.up = nn.ConvTranspose3d(1, 4, 3, stride=2, padding=1)

    def forward(self, x):
        return torch.cat([F.interpolate(x, scale_factor=2), self.up(x)], 1)
