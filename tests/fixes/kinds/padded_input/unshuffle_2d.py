import torch.nn.functional as F
from torch import nn


# shapelint: size=65x66
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Conv2d(16, 16, 3, padding=1)

    def forward(self, x):
        return F.pixel_shuffle(self.body(F.pixel_unshuffle(x, 4)), 4)
