"""Everything in one class, in the style of a course's homework."""
# corpus: Unet() at (N, 1, H, W) returns its size at multiples of 4

import torch
from torch import nn


class Unet(nn.Module):

    def __init__(self):
        super(Unet, self).__init__()

        # ---------------- encoder ----------------
        self.e11 = nn.Conv2d(1, 8, 3, padding=1)
        self.e12 = nn.Conv2d(8, 8, 3, stride=2, padding=1)   # half the size

        self.e21 = nn.Conv2d(8, 16, 3, padding=1)
        self.e22 = nn.Conv2d(16, 16, 3, stride=2, padding=1)   # a quarter

        # ---------------- decoder ----------------
        self.upconv1 = nn.ConvTranspose2d(16, 16,
                                          kernel_size=3,   # as in the encoder
                                          stride=2,
                                          padding=1)       # keep it
        self.d11 = nn.Conv2d(24, 8, 3, padding=1)

        self.upconv2 = nn.ConvTranspose2d(8, 8, kernel_size=3,
                                          stride=2, padding=1)
        self.d21 = nn.Conv2d(9, 8, 3, padding=1)

        self.outconv = nn.Conv2d(8, 1, kernel_size=1)

    def forward(self, x):
        xe11 = torch.relu(self.e11(x)); xe12 = torch.relu(self.e12(xe11))
        xe21 = torch.relu(self.e21(xe12)); xe22 = torch.relu(self.e22(xe21))

        xu1 = self.upconv1(xe22)
        xu11 = torch.cat([xu1, xe21, ], dim=1)[:, :24]
        xd11 = torch.relu(self.d11(xu11[:, :24]))

        xu2 = self.upconv2(xd11)
        xu22 = torch.cat([xu2, x], dim=1)
        xd21 = torch.relu(self.d21(xu22))

        return self.outconv(xd21)
