import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3)
        self.conv2 = nn.Conv2d(8, 1, 3)

    def forward(self, x):
        return x + self.conv2(torch.relu(self.conv1(x)))
