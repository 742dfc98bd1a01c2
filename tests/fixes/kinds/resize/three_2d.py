import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def forward(self, x):
        y = F.max_pool2d(x, 2)
        z = y[..., 1:, :]
        return torch.cat([y, z, y[..., 2:]], dim=1)
