"""No value has a name."""
# corpus: Autoencoder() at (N, 3, H, W) returns its size at multiples of 4

import torch
from torch import nn


class Autoencoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.down1 = nn.Conv2d(3, 8, 3, 2, 1)
        self.down2 = nn.Conv2d(8, 16, 3, 2, 1)
        self.up2 = nn.ConvTranspose2d(16, 8, 3, 2, 1)
        self.up1 = nn.ConvTranspose2d(8, 3, 3, 2, 1)

    def forward(self, x):
        return torch.sigmoid(self.up1(torch.relu(self.up2(torch.relu(self.down2(torch.relu(self.down1(x))))))))
