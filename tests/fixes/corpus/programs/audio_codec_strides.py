"""A neural codec's encoder and decoder; strides come from a list, and 5 is odd."""
# corpus: Codec() at (N, 1, T) returns its size at multiples of 40 from 80

import math

import torch
from torch import nn


class Codec(nn.Module):
    def __init__(self, channels=8, strides=[2, 4, 5]):
        super().__init__()
        encoder = [nn.Conv1d(1, channels, 7, padding=3)]
        for stride in strides:
            encoder += [nn.ELU(), nn.Conv1d(channels, channels, 2 * stride, stride=stride,
                                            padding=math.ceil(stride / 2))]
        decoder = []
        for stride in strides[::-1]:
            decoder += [nn.ELU(), nn.ConvTranspose1d(channels, channels, 2 * stride, stride=stride,
                                                     padding=math.ceil(stride / 2))]
        decoder += [nn.Conv1d(channels, 1, 7, padding=3), nn.Tanh()]
        self.encoder = nn.Sequential(*encoder)
        self.decoder = nn.Sequential(*decoder)

    def forward(self, audio):
        return self.decoder(self.encoder(audio))
