"""Lint one small file, so that what Python, torch and isl load and compute on first use is there before any fork."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from shapelint.linting import Question, check_file
from shapelint.loading.importing import forget_user_modules
from shapelint.loading.paths import Request

# What there is to say of these goes through the rules and their messages. None needs a fix: most files need none, and
# the library that edits source takes a third of the time that torch takes. The second time Python knows which
# instructions are to be fast.
_FILE: Final = """\
import torch
import torch.nn.functional as F
from torch import nn


class Autoencoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.BatchNorm2d(4), nn.ReLU())
        self.up = nn.ConvTranspose2d(4, 3, 3, stride=2, padding=1, output_padding=1)

    def forward(self, x):
        return self.up(self.down(x))


class Skipping(nn.Module):
    def __init__(self):
        super().__init__()
        self.inc = nn.Conv2d(3, 4, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.up = nn.Upsample(scale_factor=2)
        self.out = nn.Conv2d(8, 1, 1)

    def forward(self, x):
        y = torch.relu(self.inc(x))
        z = self.up(self.pool(y))
        if z.shape[-2:] != y.shape[-2:]:
            z = F.interpolate(z, size=y.shape[-2:])
        return self.out(torch.cat([y, z], dim=1))


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, stride=2)
        self.linear = nn.Linear(4 * 3 * 3, 10)

    def forward(self, x):
        return self.linear(torch.flatten(self.conv(x), 1))
"""
_TIMES: Final = 2


def warm(folder: Path) -> None:
    """Do everything that a worker does."""
    file = folder / "shapelint_warming.py"
    file.write_text(_FILE)
    for _ in range(_TIMES):
        check_file(Request(file), Question())
        forget_user_modules()
