import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = nn.Conv2d(1, 4, 7, 4, 1)

    def forward(self, x):
        return torch.cat([F.avg_pool2d(x, 4), self.down(x)], 1)
