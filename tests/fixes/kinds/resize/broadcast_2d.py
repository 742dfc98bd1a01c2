import torch.nn.functional as F
from torch import nn


# shapelint: size=3x3
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.mix = nn.Conv2d(1, 1, 1)

    def forward(self, x):
        y = F.max_pool2d(x, 3)
        return self.mix(x)[..., 1:, 1:] * y
