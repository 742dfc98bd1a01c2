from torch import nn


# shapelint: size=51x51
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Conv2d(4, 16, 3, padding=1)

    def forward(self, x):
        height, width = x.shape[2], x.shape[3]
        y = nn.functional.pixel_unshuffle(x, 2)
        assert y.shape[2:] == (height // 2, width // 2)
        return nn.functional.pixel_shuffle(self.body(y), 4)
