"""Lists where others write tuples."""
# corpus: Net() at (N, 1, H, W) returns its size at multiples of 4
import torch
import torch.nn as nn


class Net(nn.Module):
    def __init__(self, k=[3, 3], s=[2, 2], p=[1, 1], op=[0, 0]):
        nn.Module.__init__(self)
        self.a = nn.Conv2d(1, 6, k, s, p)
        self.b = nn.Conv2d(6, 6, k, s, p)
        self.c = nn.ConvTranspose2d(6, 6, k, s, p, op)
        self.d = nn.ConvTranspose2d(6, 1, k, s, p, op)

    def forward(self, x):
        return self.d(torch.tanh(self.c(torch.tanh(self.b(torch.tanh(self.a(x)))))))
