"""Module-level constants, some of them computed."""
# corpus: Autoencoder() at (N, 1, H, W) returns its size at multiples of 4

import torch.nn as nn

KERNEL = 5
STRIDE = 2
PADDING = (KERNEL - 1) // 2
OUTPUT_PADDING = 0


class Autoencoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.c1 = nn.Conv2d(1, 8, KERNEL, STRIDE, PADDING)
        self.c2 = nn.Conv2d(8, 16, KERNEL, STRIDE, PADDING)
        self.t2 = nn.ConvTranspose2d(16, 8, KERNEL, STRIDE, PADDING, OUTPUT_PADDING)
        self.t1 = nn.ConvTranspose2d(8, 1, KERNEL, STRIDE, PADDING, OUTPUT_PADDING)

    def forward(self, x):
        z = self.c2(self.c1(x).relu()).relu()
        return self.t1(self.t2(z).relu()).sigmoid()
