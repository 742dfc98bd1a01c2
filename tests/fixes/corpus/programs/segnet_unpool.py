"""Unpooling with the indices of the pooling."""
# corpus: SegNet(4) at (N, 3, H, W) returns its size at multiples of 4 from 4, on the CPU

import torch
import torch.nn as nn
import torch.nn.functional as F


class SegNet(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 2, 3, padding=1)
        self.conv2 = nn.Conv2d(2, 4, 3, padding=1)
        self.pool = nn.MaxPool2d(2, stride=2, return_indices=True)
        self.unpool = nn.MaxUnpool2d(2, stride=2)
        self.mid = nn.Conv2d(4, 4, 3, stride=2, padding=1)
        self.mid_up = nn.ConvTranspose2d(4, 4, 3, stride=2, padding=1)
        self.deconv2 = nn.Conv2d(4, 2, 3, padding=1)
        self.deconv1 = nn.Conv2d(2, classes, 3, padding=1)

    def forward(self, x):
        x1 = F.relu(self.conv1(x))
        p1, idx1 = self.pool(x1)
        x2 = F.relu(self.conv2(p1))
        m = self.mid(x2)
        m = self.mid_up(m) + x2
        y = self.unpool(self.deconv2(m), idx1, output_size=x1.shape[-2:])
        return self.deconv1(y)
