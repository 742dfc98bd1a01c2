import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1, 1, 4, 4))

    def forward(self, x):
        return x + F.conv2d(x, self.weight, padding=2)
