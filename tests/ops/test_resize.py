"""Resizing and sampling against torch."""

from __future__ import annotations

from typing import Any

import pytest
import torch.nn.functional as F
from torch import nn

from shapelint.ops import resize
from tests.ops.against_torch import check, shaped

assert resize.__name__  # importing it registers the rules


@pytest.mark.parametrize(
    "options",
    [
        {"size": 5},
        {"size": 0},
        {"size": 2.0},
        {"size": (4, 5)},
        {"size": 3, "scale_factor": 2},
        {"size": 3, "recompute_scale_factor": True},
        {"scale_factor": 2},
        {"scale_factor": 0.5},
        {"scale_factor": 1 / 3},
        {"scale_factor": 1.7, "recompute_scale_factor": True},
        {"scale_factor": 2.0, "align_corners": True},
        {"scale_factor": (2, 0.3)},
        {"scale_factor": -1.0},
        {"size": 4, "antialias": True},
        {"scale_factor": 0.25, "antialias": True, "align_corners": False},
        {},
    ],
)
def test_interpolate(options: dict[str, Any]) -> None:
    modes = ("nearest", "nearest-exact", "area", "linear", "bilinear", "bicubic", "trilinear", "lanczos", "cubic")
    for mode in modes:
        for shape in (("N", 2, "W"), (1, 2, 3, "W"), (1, "C", 2, 3, "W"), ("N", 2)):
            sizes = {name: range(13) if name == "W" else range(1, 3) for name in shape if isinstance(name, str)}
            check(F.interpolate, shaped(*shape), mode=mode, sizes=sizes, **options)


@pytest.mark.parametrize("mode", ["nearest", "bilinear", "area"])
def test_interpolate_to_the_size_of_another(mode: str) -> None:
    sizes = {name: range(5) for name in "HWST"}
    check(F.interpolate, shaped(1, 2, "H", "W"), ("S*1", "T + W"), mode=mode, sizes=sizes)


@pytest.mark.parametrize(
    "module",
    [
        nn.Upsample(scale_factor=2),
        nn.Upsample((4, 5)),
        nn.Upsample(scale_factor=(1.5, 2), mode="bilinear", align_corners=True),
        nn.Upsample(scale_factor=1.3, mode="bicubic", recompute_scale_factor=True),
        nn.UpsamplingNearest2d(scale_factor=2),
        nn.UpsamplingBilinear2d(size=7),
    ],
)
def test_upsample(module: nn.Module) -> None:
    check(module, shaped(1, 2, "H", "W"), sizes={"H": range(9), "W": range(9)})


@pytest.mark.parametrize("factor", [0, 1, 2, 3])
@pytest.mark.parametrize("shape", [(1, "C", "H", "W"), ("C", "H", "W"), ("H", "W"), (1, 1, "C", "H", 2)])
def test_shuffles(shape: tuple[Any, ...], factor: int) -> None:
    sizes = {name: range(1, 19 if name == "C" else 8) for name in shape if isinstance(name, str)}
    for function in (F.pixel_shuffle, F.pixel_unshuffle, F.channel_shuffle):
        check(function, shaped(*shape), factor, sizes=sizes)
    modules = [nn.PixelShuffle(factor), nn.PixelUnshuffle(factor)] + ([nn.ChannelShuffle(factor)] if factor else [])
    for module in modules:
        check(module, shaped(*shape), sizes=sizes)


@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic", "cubic"])
@pytest.mark.parametrize(
    ("shape", "grid"),
    [
        (("N", 2, "H", "W"), ("M", 4, 5, 2)),
        (("N", 2, "H", 3), (1, "M", "W", 2)),
        (("N", 2, "H", 3), (1, "M", "W", 3)),
        (("N", 2, "H", 3, 3), (1, "M", "W", 3, 3)),
        ((1, "H", 3, 3), (1, "W", "W", 2)),
        ((1, 2, "H", 3, 3), (1, "W", "W", 2)),
        (("N", "H", 3), ("N", "W", 1)),
    ],
)
def test_grid_sample(shape: tuple[Any, ...], grid: tuple[Any, ...], mode: str) -> None:
    sizes = {name: range(4) for name in "NMHW" if name in shape + grid}
    check(F.grid_sample, shaped(*shape), shaped(*grid), mode, sizes=sizes)


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize(
    ("theta", "size"),
    [
        (("N", 2, 3), ("M", 3, "H", "W")),
        (("N", 3, 4), ("M", 3, "H", 2, "W")),
        (("N", 2, 3), ("M", 3, "H", "W", 3)),
        (("N", "H", 3), ("M", 3, "H", "W")),
        (("N", 2, 3), ("M", "W")),
    ],
)
def test_affine_grid(theta: tuple[Any, ...], size: tuple[Any, ...], align_corners: bool) -> None:
    sizes = {name: range(1, 4) for name in "NMHW" if name in theta + size}
    check(F.affine_grid, shaped(*theta), size, align_corners, sizes=sizes)
