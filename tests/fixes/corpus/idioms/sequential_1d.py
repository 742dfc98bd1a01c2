"""Layers in an nn.Sequential."""

from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv1d(1, 4, 3, stride=2, padding=1), nn.ReLU(), nn.Conv1d(4, 8, 3, stride=2, padding=1)
        )
        self.decoder = nn.Sequential(
            nn.ConvTranspose1d(8, 4, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose1d(4, 1, 3, stride=2, padding=1),
        )

    def forward(self, x):
        return self.decoder(self.encoder(x))
