import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.up = nn.ConvTranspose2d(1, 4, 4, stride=2)

    def forward(self, x):
        return torch.cat([F.interpolate(x, scale_factor=2), self.up(x)], 1)
