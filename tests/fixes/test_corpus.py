"""Every file of the corpus is mended as its patch says, and the mended model does in PyTorch what is promised."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

import shapelint
from tests.fixes import golden

SIZES = range(1, 49)
TOTAL_STRIDE = 4


def returned(model: nn.Module, size: int, axes: int) -> tuple[int, ...] | None:
    try:
        return tuple(model(torch.empty(1, 1, *[size] * axes, device="meta")).shape[2:])
    except (RuntimeError, ValueError):
        return None


@pytest.mark.parametrize("path", golden.cases(), ids=lambda path: path.stem)
def test_patches(path: Path) -> None:
    axes = int(path.stem[-2])
    found = golden.findings(path)
    assert found
    for style in golden.STYLES:
        file = golden.patched(path, found, style)
        target = golden.golden(path, style)
        assert (file is not None) == target.exists()
        if file is None:
            continue
        assert golden.diff(file) == target.read_text()
        with torch.device("meta"):
            before = golden.executed(path, file.before).Net()
            model = golden.executed(path, file.after).Net()
        shapes = {name: value.shape for name, value in before.state_dict().items()}
        assert {name: value.shape for name, value in model.state_dict().items()} == shapes
        analysis = shapelint.analyze(model)
        for size in SIZES:
            given = dict.fromkeys([s for s in analysis.symbols if s not in ("N", "C")], size)
            actual = returned(model, size, axes)
            assert (given in analysis.valid_sizes) == (actual is not None)
            assert (given in analysis.round_trip_sizes) == (actual == (size,) * axes)
            if size % TOTAL_STRIDE == 0:
                assert actual == (size,) * axes


def test_every_file_has_a_patch() -> None:
    assert len(golden.cases()) >= 60
    assert all(golden.golden(path, "parameter").exists() for path in golden.cases())
