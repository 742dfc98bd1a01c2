# -*- coding: latin-1 -*-
"""Für Bilder beliebiger Größe."""
# corpus: Netz() at (N, 1, H, W) returns its size at multiples of 4

from torch import nn


class Netz(nn.Module):
    def __init__(self, größe=8):
        super().__init__()
        self.abwärts = nn.Sequential(nn.Conv2d(1, größe, 3, 2, 1), nn.ReLU(), nn.Conv2d(größe, größe, 3, 2, 1))
        größer = [nn.ConvTranspose2d(größe, größe, 3, 2, 1), nn.ReLU(), nn.ConvTranspose2d(größe, 1, 3, 2, 1)]  # öfter
        self.aufwärts = nn.Sequential(*größer)

    def forward(self, bild):
        return self.aufwärts(self.abwärts(bild))
