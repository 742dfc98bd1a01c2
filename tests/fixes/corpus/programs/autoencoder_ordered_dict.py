"""A Sequential with names."""
# corpus: Autoencoder() at (N, 1, H, W) returns its size at multiples of 4

from collections import OrderedDict

import torch.nn as nn


class Autoencoder(nn.Module):
    def __init__(self, hidden=16):
        super().__init__()
        self.encoder = nn.Sequential(OrderedDict([
            ("conv1", nn.Conv2d(1, hidden, 5, stride=2, padding=2)),
            ("act1", nn.ELU()),
            ("conv2", nn.Conv2d(hidden, hidden * 2, 5, stride=2, padding=2)),
        ]))
        self.decoder = nn.Sequential(OrderedDict([
            ("deconv2", nn.ConvTranspose2d(hidden * 2, hidden, 5, stride=2, padding=2)),
            ("act2", nn.ELU()),
            ("deconv1", nn.ConvTranspose2d(
                hidden,
                1,
                5,
                stride=2,
                padding=2,  # as the encoder
            )),
        ]))

    def forward(self, x):
        return self.decoder(self.encoder(x))
