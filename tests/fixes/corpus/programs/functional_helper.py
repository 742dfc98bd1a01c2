"""The function is called in a helper, once for all steps."""
# corpus: Net() at (N, 1, T) returns its size at multiples of 4

import torch
from torch import nn
from torch.nn.functional import conv1d, conv_transpose1d


def upsample(x, weight, bias=None):
    return conv_transpose1d(x, weight, bias, 2, 1)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Parameter(torch.empty(4, 1, 3))
        self.b = nn.Parameter(torch.empty(8, 4, 3))

    def forward(self, x):
        x = conv1d(x, self.a, stride=2, padding=1)
        x = conv1d(x, self.b, stride=2, padding=1)
        x = upsample(x, self.b).relu()
        return upsample(x, self.a)
