import torch
from torch import nn


def center_crop(x, length):
    start = (x.shape[-1] - length) // 2
    return x[..., start : start + length]


# shapelint: input=(N, 1, T)
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Conv1d(1, 4, 8, dilation=2)
        self.b = nn.Conv1d(4, 1, 8)

    def forward(self, x):
        return torch.cat([x, self.b(self.a(x))], dim=1)
