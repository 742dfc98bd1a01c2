"""A vocoder's generator: mel frames in, samples out, each frame `8 * 8 * 2` samples long. PyTorch refuses the output_padding."""
# corpus: Generator(80) at (N, 80, T) runs at multiples of 1 from 2

import torch
import torch.nn as nn
import torch.nn.functional as F

LRELU_SLOPE = 0.1
UPSAMPLE_RATES = [8, 8, 2]
UPSAMPLE_KERNEL_SIZES = [16, 16, 4]


class ResBlock(nn.Module):
    def __init__(self, channels, kernel_size=3, dilation=(1, 3)):
        super().__init__()
        self.convs = nn.ModuleList([
            nn.Conv1d(channels, channels, kernel_size, 1, dilation=d, padding=d * (kernel_size - 1) // 2)
            for d in dilation
        ])

    def forward(self, x):
        for c in self.convs:
            xt = F.leaky_relu(x, LRELU_SLOPE)
            x = c(xt) + x
        return x


class Generator(nn.Module):
    def __init__(self, n_mels=80, initial=32):
        super().__init__()
        self.conv_pre = nn.Conv1d(n_mels, initial, 7, 1, padding=3)
        self.ups = nn.ModuleList()
        self.resblocks = nn.ModuleList()
        for i, (u, k) in enumerate(zip(UPSAMPLE_RATES, UPSAMPLE_KERNEL_SIZES)):
            self.ups.append(
                nn.ConvTranspose1d(initial // (2 ** i), initial // (2 ** (i + 1)), k, u, padding=(k - u) // 2, output_padding=u))
            self.resblocks.append(ResBlock(initial // (2 ** (i + 1))))
        self.conv_post = nn.Conv1d(initial // 8, 1, 7, 1, padding=3)

    def forward(self, x):
        x = self.conv_pre(x)
        for up, block in zip(self.ups, self.resblocks):
            x = F.leaky_relu(x, LRELU_SLOPE)
            x = up(x)
            x = block(x)
        return torch.tanh(self.conv_post(F.leaky_relu(x)))
