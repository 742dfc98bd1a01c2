"""One helper for layers that need different values: no one value does."""
# corpus: Net() at (N, 1, T) returns its size at multiples of 6

import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Parameter(torch.empty(4, 1, 3))
        self.b = nn.Parameter(torch.empty(8, 4, 5))

    def up(self, x, weight, stride):
        return F.conv_transpose1d(x, weight, stride=stride, padding=weight.shape[-1] // 2)

    def forward(self, x):
        y = F.conv1d(x, self.a, stride=2, padding=1)
        y = F.conv1d(y, self.b, stride=3, padding=2)
        return self.up(self.up(y, self.b, 3), self.a, 2)
