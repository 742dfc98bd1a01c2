"""A decoder that doubles, for images of 65 x 65."""
# corpus: Net() at (N, 3, H, W) runs at multiples of 1 from 8
# shapelint: Net() input=(N, 3, H, W) size=65x65

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Conv2d(3, 8, 3, padding=1)
        self.body = nn.Conv2d(8, 8, 3, padding=1)
        self.pool = nn.AvgPool2d(2)
        self.up = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
        self.tail = nn.Conv2d(16, 1, 1)

    def forward(self, x):
        full = self.head(x)
        half = self.body(self.pool(full))
        return self.tail(torch.cat([full, self.up(half)], 1))
