"""A backbone that returns a list of features, and a decoder that walks it backwards."""
# corpus: Model() at (N, 3, H, W) returns its size at multiples of 8

import torch
from torch import nn


class Backbone(nn.Module):
    def __init__(self, widths=(8, 16, 32)):
        super().__init__()
        ins = (3, *widths[:-1])
        self.blocks = nn.ModuleList([nn.Conv2d(i, o, 3, 2, 1) for i, o in zip(ins, widths)])

    def forward(self, x):
        features = [x]
        for block in self.blocks:
            features.append(torch.relu(block(features[-1])))
        return features


class DecoderBlock(nn.Module):
    def __init__(self, cin, cskip, cout):
        super().__init__()
        self.deconv = nn.ConvTranspose2d(cin, cout, kernel_size=3, stride=2, padding=1)
        self.conv = nn.Conv2d(cout + cskip, cout, 3, padding=1)

    def forward(self, x, skip=None):
        x = self.deconv(x)
        if skip is not None:
            x = torch.cat([x, skip], dim=1)
        return torch.relu(self.conv(x))


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = Backbone()
        self.decoder = nn.ModuleList([DecoderBlock(32, 16, 16), DecoderBlock(16, 8, 8), DecoderBlock(8, 3, 8)])
        self.head = nn.Conv2d(8, 2, 1)

    def forward(self, x):
        features = self.backbone(x)[::-1]
        x = features[0]
        skips = features[1:]
        for i, block in enumerate(self.decoder):
            skip = skips[i]
            x = block(x, skip)
        return self.head(x)
