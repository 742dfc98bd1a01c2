"""Wrapped layers, as audio networks have them."""
# corpus: Net() at (N, 1, T) returns its size at multiples of 8

import torch
from torch import nn
from torch.nn.utils.parametrizations import weight_norm


def WNConv1d(*args, **kwargs):
    return weight_norm(nn.Conv1d(*args, **kwargs))


def WNConvTranspose1d(*args, **kwargs):
    return weight_norm(nn.ConvTranspose1d(*args, **kwargs))


class Net(nn.Module):
    def __init__(self, d=8):
        super().__init__()
        self.block = nn.Sequential(
            WNConv1d(1, d, kernel_size=7, padding=3),
            WNConv1d(d, d, kernel_size=3, stride=2, padding=1),
            WNConv1d(d, d, kernel_size=5, stride=4, padding=2),
        )
        self.back = nn.Sequential(
            WNConvTranspose1d(d, d, kernel_size=5, stride=4, padding=2),
            WNConvTranspose1d(d, 1, kernel_size=3, stride=2, padding=1),
        )

    def forward(self, x):
        return self.back(self.block(x))
