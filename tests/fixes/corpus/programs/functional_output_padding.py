# corpus: Net() at (N, 1, H, W) runs at multiples of 1, on the CPU

import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    """Transposed convolutions called as functions, with output_paddings that PyTorch refuses."""

    def __init__(self):
        super().__init__()
        self.first = nn.Parameter(torch.zeros(1, 4, 4, 4))
        self.second = nn.Parameter(torch.zeros(4, 4, 3, 3))
        self.register_buffer("kernel", torch.ones(1, 1, 2, 2))

    def forward(self, x):
        x = F.conv_transpose2d(x, self.first, stride=2, padding=1, output_padding=2)
        extra = (2, 3)
        x = F.conv_transpose2d(x, self.second, None, (2, 3), 1, extra)
        channels = x.shape[1]
        return F.conv_transpose2d(x, self.kernel.expand(channels, 1, 2, 2), None, 2, 0, 2, groups=channels)
