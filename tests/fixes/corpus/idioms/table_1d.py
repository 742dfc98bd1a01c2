"""A list of parameters."""

from torch import nn


SPECS = [
    (8, 4, 0),
    (4, 1, 0),
]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.down1 = nn.Conv1d(1, 4, 3, stride=2, padding=1)
        self.down2 = nn.Conv1d(4, 8, 3, stride=2, padding=1)
        self.ups = nn.ModuleList([nn.ConvTranspose1d(i, o, 3, 2, 1, extra) for i, o, extra in SPECS])

    def forward(self, x):
        x = self.down1(x)
        x = self.down2(x)
        for up in self.ups:
            x = up(x)
        return x
