"""Valid convolutions on the way down, padded ones on the way up: no output_padding can mend that."""
# corpus: Net() at (N, 1, H, W) returns its size at multiples of 4 from 16

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.down1 = nn.Conv2d(1, 4, 5, stride=2)
        self.down2 = nn.Conv2d(4, 8, 5, stride=2)
        self.up2 = nn.ConvTranspose2d(8, 4, 4, stride=2, padding=1)
        self.up1 = nn.ConvTranspose2d(8, 4, 4, stride=2, padding=1)
        self.out = nn.Conv2d(5, 1, 1)

    def forward(self, x):
        a = self.down1(x)
        b = self.down2(a)
        c = torch.cat([self.up2(b), a], 1)
        d = torch.cat([self.up1(c), x], 1)
        return self.out(d)
