"""Methods that make blocks, as ResNets have them."""
# corpus: ResAutoencoder() at (N, 3, H, W) returns its size at multiples of 8

import torch
from torch import nn


class ResAutoencoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.inplanes = 8
        self.stem = nn.Conv2d(3, 8, 7, stride=2, padding=3, bias=False)
        self.layer1 = self._make_layer(16, stride=2)
        self.layer2 = self._make_layer(32, stride=2)
        self.deconv2 = self._make_deconv(16)
        self.deconv1 = self._make_deconv(8)
        self.final = self._make_deconv(3, kernel=7, pad=3)

    def _make_layer(self, planes: int, stride: int) -> nn.Module:
        layer = nn.Sequential(
            nn.Conv2d(self.inplanes, planes, 3, stride=stride, padding=1), nn.BatchNorm2d(planes), nn.ReLU()
        )
        self.inplanes = planes
        return layer

    def _make_deconv(self, planes: int, kernel: int = 3, pad: int = 1, extra: int = 0) -> nn.Module:
        layer = nn.ConvTranspose2d(self.inplanes, planes, kernel, stride=2, padding=pad, output_padding=extra)
        self.inplanes = planes
        return layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.layer2(self.layer1(self.stem(x)))
        y = torch.relu(self.deconv2(y))
        y = torch.relu(self.deconv1(y))
        return self.final(y)
