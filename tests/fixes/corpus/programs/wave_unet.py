"""Source separation on the waveform: a one-dimensional U-Net with a stride of 4."""
# corpus: WaveUNet() at (N, 2, T) returns its size at multiples of 16

import torch
from torch import nn

STRIDE, KERNEL = 4, 7


class DownBlock(nn.Module):
    def __init__(self, n_in, n_out):
        super().__init__()
        self.pre = nn.Conv1d(n_in, n_out, 5, padding=2)
        self.down = nn.Conv1d(n_out, n_out, KERNEL, stride=STRIDE, padding=KERNEL // 2)

    def forward(self, x):
        shortcut = torch.nn.functional.leaky_relu(self.pre(x), 0.1)
        return self.down(shortcut), shortcut


class UpBlock(nn.Module):
    def __init__(self, n_in, n_skip, n_out):
        super().__init__()
        self.up = nn.ConvTranspose1d(n_in, n_in, KERNEL, stride=STRIDE, padding=KERNEL // 2)
        self.post = nn.Conv1d(n_in + n_skip, n_out, 5, padding=2)

    def forward(self, x, shortcut):
        upsampled = self.up(x)
        return self.post(torch.cat([shortcut, upsampled], dim=1))


class WaveUNet(nn.Module):
    def __init__(self, channels=(2, 12, 24)):
        super().__init__()
        self.downs = nn.ModuleList(DownBlock(i, o) for i, o in zip(channels[:-1], channels[1:]))
        self.ups = nn.ModuleList([UpBlock(24, 24, 12), UpBlock(12, 12, 2)])

    def forward(self, x):
        shortcuts = []
        for block in self.downs:
            x, short = block(x)
            shortcuts.append(short)
        for block in self.ups:
            x = block(x, shortcuts.pop())
        return x
