"""The last line is the one that changes, and has no end."""
# corpus: Net() at (N, 1, T) returns its size at multiples of 4
from torch import nn


class Block(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.down, self.up = nn.Conv1d(i, o, 3, 2, 1), nn.ConvTranspose1d(o, i, 3, 2, 1)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.outer, self.inner = Block(1, 4), Block(4, 8)

    def forward(self, x):
        mid = self.outer.down(x)
        low = self.inner.down(mid)
        back = self.inner.up(low)
        return self.outer.up(back)