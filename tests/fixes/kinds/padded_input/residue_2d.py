from torch import nn


# shapelint: size=64x64
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = nn.Sequential(nn.Conv2d(1, 4, 3, 2), nn.Conv2d(4, 8, 3, 2))
        self.up = nn.Sequential(
            nn.Upsample(scale_factor=2),
            nn.ConvTranspose2d(8, 4, 2),
            nn.Upsample(scale_factor=2),
            nn.ConvTranspose2d(4, 1, 2),
        )

    def forward(self, x):
        return self.up(self.down(x))
