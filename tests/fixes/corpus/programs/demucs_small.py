"""Music source separation; skips are added in the time domain."""
# corpus: Demucs(sources=2) at (N, 2, T) returns its size at multiples of 16 from 16

import torch
from torch import nn


class Demucs(nn.Module):
    def __init__(self, sources=4, audio_channels=2, channels=16, depth=2, kernel_size=8, stride=4, growth=2):
        super().__init__()
        self.encoder = nn.ModuleList()
        self.decoder = nn.ModuleList()
        self.depth = depth

        in_channels = audio_channels
        for index in range(depth):
            encode = []
            encode += [nn.Conv1d(in_channels, channels, kernel_size, stride, padding=2), nn.ReLU()]
            encode += [nn.Conv1d(channels, 2 * channels, 1), nn.GLU(1)]
            self.encoder.append(nn.Sequential(*encode))

            decode = []
            if index > 0:
                out_channels = in_channels
            else:
                out_channels = audio_channels
            decode += [nn.Conv1d(channels, 2 * channels, 3, padding=1), nn.GLU(1)]
            decode += [nn.ConvTranspose1d(channels, out_channels, kernel_size, stride)]
            if index > 0:
                decode.append(nn.ReLU())
            self.decoder.insert(0, nn.Sequential(*decode))
            in_channels = channels
            channels = int(growth * channels)

    def forward(self, mix):
        x = mix
        saved = []
        for encode in self.encoder:
            x = encode(x)
            saved.append(x)
        for decode in self.decoder:
            skip = saved.pop(-1)
            x = x + skip
            x = decode(x)
        return x
