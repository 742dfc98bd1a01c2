"""Every layer's arguments in a list, handed on with a star."""
# corpus: Net() at (N, 1, T) returns its size at multiples of 6

from torch import nn

#         in  out  kernel  stride  padding
DOWNS = [( 1,  8,  3,      2,      1),
         ( 8, 16,  5,      3,      2)]
UPS   = [(16,  8,  5,      3,      2),
         ( 8,  1,  3,      2,      1)]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.downs = nn.Sequential(*[nn.Conv1d(*row) for row in DOWNS])
        self.ups = nn.Sequential(*[nn.ConvTranspose1d(*row) for row in UPS])

    def forward(self, x):
        return self.ups(self.downs(x))
