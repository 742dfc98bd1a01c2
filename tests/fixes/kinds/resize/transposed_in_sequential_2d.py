from torch import nn


# shapelint: size=W%2==0
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = nn.Sequential(nn.Conv2d(1, 4, 3, stride=2, padding=1), nn.ReLU())
        self.up = nn.Sequential(nn.ConvTranspose2d(4, 1, 4, stride=2, padding=1), nn.ReLU())

    def forward(self, x):
        return x + self.up(self.down(x))
