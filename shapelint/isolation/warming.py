"""Lint one small file, so that what Python, torch and isl load and compute on first use is there before any fork."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from shapelint.linting import Question, check_file
from shapelint.loading.importing import forget_user_modules
from shapelint.loading.paths import Request

_FILE: Final = """\
import torch
from torch import nn


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.BatchNorm2d(4))
        self.up = nn.ConvTranspose2d(4, 3, 2, stride=2)

    def forward(self, x):
        return self.up(torch.relu(self.down(x))) + x
"""


def warm(folder: Path) -> None:
    """Do everything once that a worker does."""
    file = folder / "shapelint_warming.py"
    file.write_text(_FILE)
    check_file(Request(file), Question())
    forget_user_modules()
