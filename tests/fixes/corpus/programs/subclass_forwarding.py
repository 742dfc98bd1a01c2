"""A layer with a norm of its own, derived from the transposed convolution; its arguments are passed on."""
# corpus: Net() at (N, 1, T) returns its size at multiples of 4

from torch import nn


class NormedUp(nn.ConvTranspose1d):
    def __init__(self, in_channels, out_channels, kernel_size=3, **kwargs):
        super().__init__(in_channels, out_channels, kernel_size, stride=2, padding=1, **kwargs)
        self.norm = nn.BatchNorm1d(out_channels)

    def forward(self, x, output_size=None):
        return self.norm(super().forward(x, output_size))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.squeeze = nn.Conv1d(1, 8, 3, stride=2, padding=1)
        self.squeeze_again = nn.Conv1d(8, 16, 3, stride=2, padding=1)
        self.expand = NormedUp(16, 8)
        self.expand_again = NormedUp(8, 1, bias=False)

    def forward(self, signal):
        code = self.squeeze_again(self.squeeze(signal))
        out = self.expand(code)
        out = self.expand_again(out)
        return out
