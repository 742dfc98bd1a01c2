"""Every argument by position, with a group and a bias behind the output_padding."""
# corpus: Net() at (N, 2, H, W) returns its size at multiples of 2, 3

from torch import nn
import torch


class Net(nn.Module):
    def __init__(self):
        super(Net, self).__init__()
        self.down = nn.Conv2d(2, 4, (3, 5), (2, 3), (1, 2))
        self.up = nn.ConvTranspose2d(4, 2, (3, 5), (2, 3), (1, 2), (0, 0), 2, False, 1)

    def forward(self, x):
        y = self.down(x)
        y = self.up(y)
        return torch.cat((x, y), dim=1)
