"""Which of several fixes is made."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from shapelint.diagnostics import Applicability
from shapelint.linting import lint
from tests.fixes import golden


def test_a_name_in_scope_is_used_for_the_size(tmp_path: Path) -> None:
    file = tmp_path / "net.py"
    shutil.copy(golden.IDIOMS / "skip_2d.py", file)
    (fix,) = [fix for fix in lint([file])[0].fixes if fix.applicability is Applicability.SAFE]
    assert [edit.text for edit in fix.edits] == [", output_size=skip.shape[-2:]"]


def test_through_a_sequential_it_is_by_hand() -> None:
    fixes = lint([golden.IDIOMS / "sequential_2d.py"])[0].fixes
    assert [(fix.applicability, bool(fix.edits)) for fix in fixes] == [
        (Applicability.UNSAFE, True), (Applicability.MANUAL, False),
    ]  # fmt: skip


UPSAMPLING = """import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.c1 = nn.Conv2d(1, 8, 3, padding=1)
        self.c2 = nn.Conv2d(8, 8, 3, padding=1)
        self.up = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
        self.out = nn.Conv2d(16, 1, 1)

    def forward(self, x):
        a = self.c1(x)
        b = self.c2(F.max_pool2d(a, 2))
        return self.out(torch.cat([a, {call}], 1))
"""


@pytest.mark.parametrize(
    ("call", "mended"),
    [
        ("self.up(b)", 'F.interpolate(b, size=a.shape[-2:], mode="bilinear", align_corners=True)'),
        ('F.interpolate(b, scale_factor=2, mode="area")', 'F.interpolate(b, size=a.shape[-2:], mode="area")'),
    ],
)
def test_upsampling_is_told_the_size(tmp_path: Path, call: str, mended: str) -> None:
    file = tmp_path / "net.py"
    file.write_text(UPSAMPLING.format(call=call))
    (finding,) = lint([file], sizes="65x65")
    next(fix for fix in finding.fixes if fix.edits).apply()
    assert file.read_text() == UPSAMPLING.format(call=mended)
    assert lint([file], sizes="65x65") == []
