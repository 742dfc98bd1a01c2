"""Normalisation against torch, in training and evaluation."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from shapelint.ops import norm
from shapelint.ops.registry import module_rule
from tests.ops.against_torch import Symbolic, check, shaped

assert norm.__name__  # importing it registers the rules


def ranges(*shapes: tuple[Any, ...]) -> dict[str, range]:
    return {name: range(1, 7) for name in "NCHW" if any(name in shape for shape in shapes)}


@pytest.mark.parametrize(("affine", "statistics", "training"), itertools.product((False, True), repeat=3))
@pytest.mark.parametrize(
    ("family", "shape"),
    [
        (nn.BatchNorm1d, ("N", 4)),
        (nn.BatchNorm1d, ("N", "C")),
        (nn.BatchNorm1d, ("N", 4, "W")),
        (nn.BatchNorm1d, (4,)),
        (nn.BatchNorm2d, ("N", 4, "H", "W")),
        (nn.BatchNorm2d, ("N", "C", 2, 1)),
        (nn.BatchNorm2d, ("N", 4, "W")),
        (nn.BatchNorm3d, ("N", 4, 1, "W", 1)),
        (nn.SyncBatchNorm, ("N", 4, "W")),
        (nn.SyncBatchNorm, (4,)),
        (nn.InstanceNorm1d, ("N", 4, "W")),
        (nn.InstanceNorm1d, (4, "W")),
        (nn.InstanceNorm1d, ("N", "C", 3)),
        (nn.InstanceNorm1d, ("C", 1)),
        (nn.InstanceNorm2d, ("N", 4, "H", "W")),
        (nn.InstanceNorm2d, (4, "H", "W")),
        (nn.InstanceNorm2d, (4, "W")),
        (nn.InstanceNorm3d, ("N", 4, 1, "W", 1)),
    ],
)
def test_modules(family: Any, shape: tuple[Any, ...], affine: bool, statistics: bool, training: bool) -> None:
    module = family(4, affine=affine, track_running_stats=statistics).train(training)
    check(module, shaped(*shape), sizes=ranges(shape) or {"W": (1,)})


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("weight", [None, shaped(4)])
@pytest.mark.parametrize("statistics", [None, shaped(4)])
def test_functions(statistics: Any, weight: Any, training: bool) -> None:
    for shape in (("N", 4, "W"), ("N", 4), ("N", "C"), (4,), ("N", 4, "H", "W")):
        sizes = ranges(shape) or {"W": (1,)}
        for function in (F.batch_norm, F.instance_norm):
            check(function, shaped(*shape), statistics, statistics, weight, weight, training, sizes=sizes)
        for function in (torch.batch_norm, torch.instance_norm):
            numbers = (training, 0.1, 1e-5, False)
            if function is torch.instance_norm and len(shape) < 3:
                continue
            check(function, shaped(*shape), weight, weight, statistics, statistics, *numbers, sizes=sizes)


@pytest.mark.parametrize("groups", [1, 2, 3, 4, 12])
@pytest.mark.parametrize("shape", [("N", 4, "W"), ("N", 12, "W", 1), ("N", "C"), (4,), ("N", "C", "W")])
def test_groups(shape: tuple[Any, ...], groups: int) -> None:
    sizes = ranges(shape) or {"W": (1,)}
    check(F.group_norm, shaped(*shape), groups, sizes=sizes)
    check(F.group_norm, shaped(*shape), groups, shaped(4), shaped(4), sizes=sizes)
    check(torch.group_norm, shaped(*shape), groups, sizes=sizes)
    check(nn.GroupNorm(groups, 12), shaped(*shape), sizes=sizes)
    check(nn.GroupNorm(groups, 12, affine=False), shaped(*shape), sizes=sizes)


@pytest.mark.parametrize("normalized", [(4,), (3, 4), (2, 3, 4), ()])
@pytest.mark.parametrize("shape", [("N", "W", 4), ("N", 3, "W"), ("N", "W"), ("N",), (1, 2, "N", "W")])
def test_trailing_dimensions(shape: tuple[Any, ...], normalized: tuple[int, ...]) -> None:
    sizes = ranges(shape)
    check(F.layer_norm, shaped(*shape), normalized, sizes=sizes)
    check(F.layer_norm, shaped(*shape), normalized, shaped(4), sizes=sizes)
    check(F.rms_norm, shaped(*shape), normalized, shaped(*normalized), sizes=sizes)
    if normalized:
        check(nn.LayerNorm(normalized), shaped(*shape), sizes=sizes)
        check(nn.RMSNorm(normalized), shaped(*shape), sizes=sizes)


def test_local_response() -> None:
    for size, shape in itertools.product((1, 2, 3, 5), (("N", "C", "W"), ("N", "C", 2, "W"), ("N", "C"))):
        check(
            F.local_response_norm, shaped(*shape), size, sizes={name: range(4) for name in shape if type(name) is str}
        )
    check(nn.LocalResponseNorm(2), shaped("N", 3, "W"), sizes=ranges(("N", "W")))


@pytest.mark.parametrize("dim", [1, -1, 2, (1, 2), 5])
def test_normalize(dim: Any) -> None:
    check(F.normalize, shaped("N", "C", "W"), 2.0, dim, sizes={name: range(3) for name in "NCW"})


@pytest.mark.parametrize("name", ["LazyBatchNorm2d", "LazyInstanceNorm2d"])
def test_lazy_modules_take_any_channels(name: str) -> None:
    module = getattr(nn, name)(affine=True)
    rule = module_rule(module)
    assert rule is not None
    assert rule(module, Symbolic((2, 7, 3, 3), torch.float32)).shape == (2, 7, 3, 3)
