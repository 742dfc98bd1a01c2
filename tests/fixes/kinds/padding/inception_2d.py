import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.one = nn.Conv2d(1, 4, 1)
        self.three = nn.Conv2d(1, 4, 3)
        self.five = nn.Sequential(nn.Conv2d(1, 4, 1), nn.ReLU(), nn.Conv2d(4, 4, 5, padding=1))

    def forward(self, x):
        return torch.cat([self.one(x), self.three(x), self.five(x)], dim=1)
