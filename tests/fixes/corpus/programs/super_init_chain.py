"""The value goes up two constructors before it reaches the layer."""
# corpus: Net() at (N, 1, H, W) returns its size at multiples of 4

from torch import nn


class Stage(nn.Module):
    def __init__(self, i, o, extra):
        super().__init__()
        self.layer = nn.ConvTranspose2d(i, o, 3, 2, 1, output_padding=extra)

    def forward(self, x):
        return self.layer(x)


class ActiveStage(Stage):
    def __init__(self, i, o, extra=0):
        super().__init__(i, o, extra)
        self.act = nn.Hardswish()

    def forward(self, x):
        return self.act(super().forward(x))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = nn.Sequential(nn.Conv2d(1, 4, 3, 2, 1), nn.Hardswish(), nn.Conv2d(4, 8, 3, 2, 1))
        self.up = nn.Sequential(ActiveStage(8, 4), ActiveStage(4, 1))

    def forward(self, x):
        return self.up(self.down(x))
