"""A table of rows with the output_padding as one of its columns; the rows need different values."""
# corpus: Net() at (N, 1, T) returns its size at multiples of 6

from torch import nn

UPS = [
    # in, out, kernel, stride, padding, output_padding
    (16, 8, 5, 3, 2, 0),
    (8, 1, 3, 2, 1, 0),
]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.down1 = nn.Conv1d(1, 8, 3, 2, 1)
        self.down2 = nn.Conv1d(8, 16, 5, 3, 2)
        layers = []
        for i, o, k, s, p, op in UPS:
            layers.append(nn.ConvTranspose1d(i, o, kernel_size=k, stride=s, padding=p, output_padding=op))
        self.ups = nn.Sequential(*layers)

    def forward(self, x):
        return self.ups(self.down2(self.down1(x)))
