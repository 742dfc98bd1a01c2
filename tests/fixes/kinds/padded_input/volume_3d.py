from torch import nn


# shapelint: size=15x17x20
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv3d(1, 4, 3, padding=1),
            nn.MaxPool3d((1, 2, 4)),
            nn.Upsample(scale_factor=(1, 2, 4)),
            nn.Conv3d(4, 1, 3, padding=1),
        )

    def forward(self, x):
        return self.net(x)
