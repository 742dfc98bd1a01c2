import torch.nn.functional as F
from torch import nn


# shapelint: size=33x33
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 1, 3, padding=1)

    def forward(self, x):
        y = F.avg_pool2d(self.conv(x), 2)
        return x + F.interpolate(y, None, 2, "bilinear")
