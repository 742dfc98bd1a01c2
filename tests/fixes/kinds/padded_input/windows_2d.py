from torch import nn


# shapelint: input=(N, 1, H, W) size=H>=1
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.mix = nn.Linear(1, 1)

    def forward(self, x):
        n, c, h, w = x.shape
        y = x.reshape(n, c, h // 8, 8, w // 8, 8).permute(0, 2, 4, 3, 5, 1)
        y = self.mix(y).permute(0, 5, 1, 3, 2, 4)
        return y.reshape(n, c, h, w) + x
