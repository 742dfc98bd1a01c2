"""A decorator, a walrus and a starred call."""
# corpus: Net() at (N, 1, T) returns its size at multiples of 4

import functools

import torch
from torch import nn


def logged(function):
    @functools.wraps(function)
    def inner(*args, **kwargs):
        return function(*args, **kwargs)

    return inner


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.d1 = nn.Conv1d(1, 4, 3, stride=2, padding=1)
        self.d2 = nn.Conv1d(4, 8, 3, stride=2, padding=1)
        self.u2 = nn.ConvTranspose1d(8, 4, 3, stride=2, padding=1)
        self.u1 = nn.ConvTranspose1d(4, 1, 3, stride=2, padding=1)

    @logged
    def forward(self, x):
        z = self.d2(half := self.d1(x))
        y = self.u2(z)
        y = y + half
        return self.u1(*[y])
