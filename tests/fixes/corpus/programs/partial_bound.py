from functools import partial

import torch
import torch.nn as nn

# corpus: Linknet(3) at (N, 3, H, W) returns its size at multiples of 4

Down = partial(nn.Conv2d, kernel_size=3, stride=2, padding=1, bias=False)
Up = partial(nn.ConvTranspose2d, kernel_size=3, stride=2, padding=1)


class Linknet(nn.Module):
    """Skips are added, so both sides must be of one size."""

    def __init__(self, classes: int):
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.down1, self.down2 = Down(8, 16), Down(16, 32)
        self.up2, self.up1 = Up(32, 16), Up(16, 8)
        self.last = nn.Conv2d(8, classes, 1)

    def forward(self, image):
        one = torch.relu(self.first(image))
        two = torch.relu(self.down1(one))
        three = torch.relu(self.down2(two))
        two = two + self.up2(three)
        one = one + self.up1(two)
        return self.last(one)
