"""A VAE without linear layers, so that it takes images of many sizes."""
# corpus: ConvVAE(latent_channels=4) at (N, 3, H, W) returns its size at multiples of 8

import torch
import torch.nn as nn


class ConvVAE(nn.Module):
    def __init__(self, latent_channels: int = 4):
        super().__init__()
        self.enc1 = nn.Conv2d(3, 16, kernel_size=3, stride=2, padding=1)
        self.enc2 = nn.Conv2d(16, 32, kernel_size=3, stride=2, padding=1)
        self.enc3 = nn.Conv2d(32, 64, kernel_size=3, stride=2, padding=1)
        self.to_mu = nn.Conv2d(64, latent_channels, 1)
        self.to_logvar = nn.Conv2d(64, latent_channels, 1)
        self.from_z = nn.Conv2d(latent_channels, 64, 1)
        self.dec3 = nn.ConvTranspose2d(64, 32, kernel_size=3, stride=2, padding=1)
        self.dec2 = nn.ConvTranspose2d(32, 16, kernel_size=3, stride=2, padding=1)
        self.dec1 = nn.ConvTranspose2d(16, 3, kernel_size=3, stride=2, padding=1)
        self.act = nn.ReLU()

    def encode(self, x):
        h = self.act(self.enc1(x))
        h = self.act(self.enc2(h))
        h = self.act(self.enc3(h))
        return self.to_mu(h), self.to_logvar(h)

    def reparameterize(self, mu, logvar):
        std = (0.5 * logvar).exp()
        return mu + std * torch.randn_like(std)

    def decode(self, z):
        h = self.act(self.from_z(z))
        h = self.act(self.dec3(h))
        h = self.act(self.dec2(h))
        return torch.sigmoid(self.dec1(h))

    def forward(self, x):
        mu, logvar = self.encode(x)
        z = self.reparameterize(mu, logvar)
        return self.decode(z)
