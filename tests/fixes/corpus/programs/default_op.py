"""A block whose default is wrong, and one use that says otherwise."""
# corpus: Net() at (N, 1, T) returns its size at multiples of 4

from torch import nn


class UpBlock(nn.Module):
    def __init__(self, cin, cout, k=3, s=2, p=1, op=0):
        super().__init__()
        self.deconv = nn.ConvTranspose1d(cin, cout, k, s, p, op)
        self.act = nn.PReLU()

    def forward(self, x):
        return self.act(self.deconv(x))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = nn.Sequential(nn.Conv1d(1, 4, 3, 2, 1), nn.PReLU(), nn.Conv1d(4, 8, 3, 2, 1), nn.PReLU())
        self.up2 = UpBlock(8, 4)
        self.up1 = UpBlock(4, 1, op=1)

    def forward(self, x):
        return self.up1(self.up2(self.down(x)))
