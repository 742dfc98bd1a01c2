"""Volumes with a short first axis; kernels and strides differ by axis and are written as tuples."""
# corpus: Seismic() at (N, 1, D, H, W) returns its size at multiples of 3, 2, 2

import torch.nn as nn
from torch import Tensor


class Seismic(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.squeeze = nn.Conv3d(
            in_channels=1, out_channels=4, kernel_size=(5, 3, 3), stride=(3, 2, 2), padding=(2, 1, 1)
        )
        self.mix = nn.Conv3d(4, 4, 1)
        self.expand = nn.ConvTranspose3d(
            in_channels=4, out_channels=1, kernel_size=(5, 3, 3), stride=(3, 2, 2), padding=(2, 1, 1)
        )

    def forward(self, traces: Tensor) -> Tensor:
        hidden = self.mix(self.squeeze(traces).relu()).relu()
        out = self.expand(hidden)
        return out
