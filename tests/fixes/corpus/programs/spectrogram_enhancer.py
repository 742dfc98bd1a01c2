"""Speech enhancement on spectrograms: only the frequency axis is strided."""
# corpus: Enhancer() at (N, 1, F, T) returns its size at multiples of 4, 1

import torch
import torch.nn as nn


class Enhancer(nn.Module):
    def __init__(self):
        super().__init__()
        kernel, stride, pad = (5, 3), (2, 1), (2, 1)
        self.enc_a = nn.Conv2d(1, 8, kernel, stride, pad)
        self.enc_b = nn.Conv2d(8, 16, kernel, stride, pad)
        self.gru_free_bottleneck = nn.Conv2d(16, 16, 1)
        self.dec_b = nn.ConvTranspose2d(16, 8, kernel, stride, pad)
        self.dec_a = nn.ConvTranspose2d(16, 1, kernel, stride, pad)

    def forward(self, spec):
        B, C, F, T = spec.shape  # F is a number here
        a = self.enc_a(spec)
        b = self.enc_b(a)
        h = self.gru_free_bottleneck(b)
        h = self.dec_b(h)
        h = torch.cat([h, a], dim=1)
        mask = torch.sigmoid(self.dec_a(h))
        return spec * mask
