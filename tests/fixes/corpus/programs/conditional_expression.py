"""The value is chosen when the model is built."""
# corpus: Net() at (N, 1, T) returns its size at multiples of 4

from torch import nn


class Net(nn.Module):
    def __init__(self, exact: bool = False):
        super().__init__()
        extra = 1 if exact else 0
        self.down1 = nn.Conv1d(1, 4, 3, stride=2, padding=1)
        self.down2 = nn.Conv1d(4, 8, 3, stride=2, padding=1)
        self.up2 = nn.ConvTranspose1d(8, 4, 3, stride=2, padding=1, output_padding=extra)
        self.up1 = nn.ConvTranspose1d(4, 1, 3, stride=2, padding=1, output_padding=extra)

    def forward(self, x):
        return self.up1(self.up2(self.down2(self.down1(x))))
