"""Analyse one small network, so that what torch and isl load and compute on first use is there before any fork."""

from __future__ import annotations

import torch
from torch import nn

from shapelint.api import analyze
from shapelint.rules import all_rules


class _Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(3, 4, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.up = nn.ConvTranspose2d(4, 3, 2, stride=2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.up(torch.relu(self.norm(self.down(x)))) + x  # type: ignore[no-any-return]


with torch.device("meta"):
    _model = _Small()
all_rules()
_ = analyze(_model.eval()).diagnostics
