"""Padding against torch, in all modes, with crops and with amounts computed from sizes."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch.nn.functional as F
from torch import nn

from shapelint.ops import pad
from shapelint.ops.registry import Unsupported
from tests.ops.against_torch import check, shaped

assert pad.__name__  # importing it registers the rules

MODES = ["constant", "reflect", "replicate", "circular"]
WIDTHS = {"W": range(9)}
SQUARE = {"H": range(6), "W": range(6)}


@pytest.mark.parametrize("mode", MODES)
def test_one_axis(mode: str) -> None:
    for before, after in itertools.product((-4, -3, -1, 0, 1, 2, 3, 5), repeat=2):
        if mode == "circular" and (before < 0) != (after < 0):
            with pytest.raises(Unsupported):
                check(F.pad, shaped(1, 2, "W"), (before, after), mode, sizes=WIDTHS)
            continue
        check(F.pad, shaped(1, 2, "W"), (before, after), mode, sizes=WIDTHS)
        check(F.pad, shaped(2, "W"), (before, after), mode, sizes=WIDTHS)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "shape",
    [(1, 2, "H", "W"), (2, "H", "W"), (1, 2, 3, "H", "W"), ("H", "W"), ("W", "H", 3, 4), (1, 1, 1, 1, "H", "W")],
)
def test_several_axes(shape: tuple[Any, ...], mode: str) -> None:
    for amounts in ((1, 2, 3, 4), (2, 2, 0, 0), (1,), (1, 2, 3), (1, 2, 3, 4, 5, 6), ()):
        check(F.pad, shaped(*shape), amounts, mode, sizes=SQUARE)


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate"])
@pytest.mark.parametrize(
    "amounts", [("T - W", 0), ("T//2 - W//2", "T - W - (T//2 - W//2)"), ("0 - W % 4", 0), (0, "W % 4")]
)
def test_amounts_from_sizes(amounts: tuple[Any, Any], mode: str) -> None:
    check(F.pad, shaped(1, 2, "W"), amounts, mode, sizes={"W": range(9), "T": range(9)})


def test_values_and_modes() -> None:
    check(F.pad, shaped(1, 2, "W"), (1, 1), "constant", 2.0, sizes=WIDTHS)
    check(F.pad, shaped(1, 2, "W"), (1, 1), "reflect", 2.0, sizes=WIDTHS)
    check(F.pad, shaped(1, 2, "W"), (1, 1), "mirror", sizes=WIDTHS)


@pytest.mark.parametrize("family", ["ZeroPad", "ReflectionPad", "ReplicationPad", "CircularPad"])
def test_modules(family: str) -> None:
    for amounts in (1, (2, 0)):
        for shape in ((1, 2, "W"), (2, "W"), (1, 2, 3, "W")):
            check(getattr(nn, f"{family}1d")(amounts), shaped(*shape), sizes=WIDTHS)
    for amounts in (1, (2, 0, 1, 3)):
        check(getattr(nn, f"{family}2d")(amounts), shaped(1, 2, "H", "W"), sizes=SQUARE)
    check(getattr(nn, f"{family}3d")((2, 0, 1, 3, 1, 1)), shaped(1, 2, 3, "H", "W"), sizes=SQUARE)


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_constant_modules(axes: int) -> None:
    check(getattr(nn, f"ConstantPad{axes}d")(2, 1.5), shaped(1, 2, *(3, 3)[: axes - 1], "W"), sizes=WIDTHS)
