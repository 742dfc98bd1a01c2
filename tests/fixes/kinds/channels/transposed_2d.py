from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = nn.Conv2d(1, 16, 2, stride=2)
        self.up = nn.ConvTranspose2d(in_channels=8, out_channels=1, kernel_size=2, stride=2)

    def forward(self, x):
        return self.up(self.down(x))
