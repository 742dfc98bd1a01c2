import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1, 1, 5, 5))

    def forward(self, x):
        small = F.conv2d(x, self.weight, None, stride=2, padding=1)
        return torch.cat([small, F.max_pool2d(x, 2)], dim=1)
