"""Pooling against torch on the CPU."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import shapelint
from shapelint.ops import pool
from shapelint.ops.registry import module_rule
from shapelint.sizes import Domain, Path, SizeError, following
from shapelint.sizes.dim import dim
from tests import oracle
from tests.ops.against_torch import Symbolic, check, shaped

assert pool.__name__  # importing it registers the rules

WIDTHS = {"W": range(25)}
SQUARE = {"H": range(7), "W": range(7)}
PADDED = [(1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2), (4, 2), (7, 3)]


@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize(("kernel", "padding"), PADDED)
def test_one_axis(kernel: int, padding: int, ceil_mode: bool) -> None:
    for stride in (None, 1, 2, 3, 5):
        check(F.avg_pool1d, shaped(1, 2, "W"), kernel, stride, padding, ceil_mode, sizes=WIDTHS)
        for dilation in (1, 2, 3):
            options = (kernel, stride, padding, dilation, ceil_mode)
            check(F.max_pool1d, shaped(1, 2, "W"), *options, sizes=WIDTHS)
    check(nn.LPPool1d(2, kernel, ceil_mode=ceil_mode), shaped(1, 2, "W"), sizes=WIDTHS)
    check(nn.AvgPool1d(kernel, 2, padding, ceil_mode), shaped(2, "W"), sizes=WIDTHS)


@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize("axes", [2, 3])
def test_several_axes(axes: int, ceil_mode: bool) -> None:
    shape = shaped(1, 2, *(5,) * (axes - 2), "H", "W")
    kernels = (2, 3, (3, 5) if axes == 2 else (2, 3, 5))
    strides = (None, 2, (3, 1) if axes == 2 else (1, 3, 2))
    for kernel, stride, padding in itertools.product(kernels, strides, (0, 1, (1,) + (0,) * (axes - 1))):
        check(getattr(nn, f"MaxPool{axes}d")(kernel, stride, padding, 1, True, ceil_mode), shape, sizes=SQUARE)
        check(getattr(nn, f"AvgPool{axes}d")(kernel, stride, padding, ceil_mode), shape, sizes=SQUARE)
    for kernel in kernels:
        check(getattr(F, f"max_pool{axes}d"), shape, kernel, dilation=2, ceil_mode=ceil_mode, sizes=SQUARE)
        check(getattr(F, f"max_pool{axes}d_with_indices"), shape, kernel, ceil_mode=ceil_mode, sizes=SQUARE)
        check(getattr(F, f"lp_pool{axes}d"), shape, 2.0, kernel, ceil_mode=ceil_mode, sizes=SQUARE)
        check(getattr(nn, f"LPPool{axes}d")(2, kernel, 2, ceil_mode), shape, sizes=SQUARE)


@pytest.mark.parametrize("function", [F.max_pool2d, F.avg_pool2d])
@pytest.mark.parametrize(
    "shape", [(0, 2, 4, "W"), (1, 0, 4, "W"), (2, 4, "W"), (4, "W"), (1, 1, 2, 4, "W"), ("N", "C", 4, 4)]
)
def test_ranks_and_empty_tensors(function: Any, shape: tuple[Any, ...]) -> None:
    names = {name: range(4) for name in shape if isinstance(name, str)}
    check(function, shaped(*shape), 2, sizes=names)


@pytest.mark.parametrize(
    "options",
    [
        {"padding": 2},
        {"padding": -1},
        {"stride": 0},
        {"stride": []},
        {"stride": (2,)},
        {"stride": (1, 2, 3)},
        {"padding": (1, 2)},
        {"dilation": 0},
        {"dilation": 3, "padding": 2},
    ],
)
def test_parameters(options: dict[str, Any]) -> None:
    check(F.max_pool2d, shaped(1, 2, "W", 9), 3, sizes={"W": range(9)}, **options)
    check(F.max_pool2d, shaped(1, 2, "W", 9), 0, sizes={"W": (4,)})
    check(F.avg_pool2d, shaped(1, 2, "W", 9), 2, divisor_override=0, sizes={"W": (4,)})


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_adaptive(axes: int) -> None:
    functions = [getattr(F, f"adaptive_{kind}_pool{axes}d") for kind in ("avg", "max")]
    outputs: list[Any] = [0, 1, 3, -1]
    if axes > 1:
        outputs += [(None, 2, 1)[:axes], (2, None, None)[:axes]]
    rest = (3, 4)[: axes - 1]
    shapes = [(1, 2, *rest, "W"), (2, *rest, "W"), ("W", 2, *rest, 3), ("W", *rest, 3), (1, "W", *rest, 3), ("W",)]
    for function, shape, output in itertools.product(functions, shapes, outputs):
        check(function, shaped(*shape), output, sizes={"W": range(6)})
    for output in outputs[:-1]:
        for kind in ("Avg", "Max"):
            layer = getattr(nn, f"Adaptive{kind}Pool{axes}d")(output)
            check(layer, shaped(1, 2, *rest, "W"), sizes={"W": range(6)})


class Shrinking(nn.Module):
    """A pool that may get nothing, and asks for one value there."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.pool = getattr(F, f"adaptive_{kind}_pool2d")

    def forward(self, x: Any) -> Any:
        return self.pool(x[..., : x.shape[-1] // 3], (1, x.shape[-1] // 6 + 1))


@pytest.mark.parametrize("kind", ["avg", "max"])
def test_the_mean_of_nothing_where_the_size_asked_for_happens_to_be_one(kind: str) -> None:
    analysis = shapelint.analyze(Shrinking(kind), (1, 2, 3, "W"))
    assert analysis.certainty == "proven"
    for width in range(1, 20):
        expected = oracle.run(Shrinking(kind), (1, 2, 3, width), device="cpu")
        if isinstance(expected, oracle.Failure):
            assert not analysis.accepts(W=width)
        else:
            assert analysis.output_shape(W=width) == expected


def test_adaptive_indices() -> None:
    check(torch.adaptive_max_pool1d, shaped(1, 2, "W"), 3, sizes={"W": range(6)})
    check(F.adaptive_max_pool2d, shaped(1, 2, "W", 3), 3, True, sizes={"W": range(6)})
    check(nn.AdaptiveMaxPool3d(2, return_indices=True), shaped(1, 2, "W", 3, 3), sizes={"W": range(6)})


@pytest.mark.parametrize("kernel", [1, 2, (3, 2)])
@pytest.mark.parametrize("output", [{"output_size": 1}, {"output_size": (2, 3)}, {"output_ratio": (0.5, 0.75)}, {}])
def test_fractional(kernel: Any, output: dict[str, Any]) -> None:
    sizes = {"H": range(9), "W": range(9)}
    check(F.fractional_max_pool2d, shaped(1, 2, "H", "W"), kernel, sizes=sizes, **output)
    if not output:
        return
    check(nn.FractionalMaxPool2d(kernel, return_indices=True, **output), shaped(2, "H", "W"), sizes=sizes)
    if isinstance(kernel, int):
        over_three = {name: value if isinstance(value, int) else (*value, value[0]) for name, value in output.items()}
        check(nn.FractionalMaxPool3d(kernel, **over_three), shaped(1, 2, 5, "H", "W"), sizes=sizes)


@pytest.mark.parametrize(("kernel", "stride", "padding"), [(2, None, 0), (3, 2, 1), (2, 3, 0), (3, 1, 1)])
def test_unpooling(kernel: int, stride: int | None, padding: int) -> None:
    sizes = {"H": range(6), "W": range(6)}
    for axes in (1, 2, 3):
        shape = ("N", 2, *(2,) * (axes - 2), *("H", "W")[-axes:])
        names = {"N": (1, 2)} | {name: sizes[name] for name in ("H", "W")[-axes:]}
        indices = shaped(*shape, dtype=torch.int64)
        layer = getattr(nn, f"MaxUnpool{axes}d")(kernel, stride, padding)
        function = getattr(F, f"max_unpool{axes}d")
        for wanted in (None, (7, 4, 9)[-axes:], (1, 2, *(4, 7, 4)[-axes:]), (0,) * axes, (1, 2)):
            check(layer, shaped(*shape), indices, wanted, sizes=names)
        check(function, shaped(*shape), indices, kernel, stride, padding, sizes=names)


def test_unpooling_with_indices_of_another_shape() -> None:
    indices = shaped(1, 2, 3, "W", dtype=torch.int64)
    check(F.max_unpool2d, shaped(1, 2, "H", 3), indices, 2, sizes={"H": range(5), "W": range(5)})


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "ceil_mode"),
    [
        (2, None, 0, False),
        (3, None, 0, False),
        (2, None, 0, True),
        (3, 2, 1, False),
        (2, 3, 0, False),
        (3, 2, 0, False),
    ],
)
@pytest.mark.parametrize("axes", [1, 2, 3])
def test_unpooling_what_was_pooled(axes: int, kernel: int, stride: int | None, padding: int, ceil_mode: bool) -> None:
    """Torch raises as soon as one index lies outside, which in this many random planes one does if it can."""
    down = getattr(nn, f"MaxPool{axes}d")(kernel, stride, padding, return_indices=True, ceil_mode=ceil_mode)
    up = getattr(nn, f"MaxUnpool{axes}d")(kernel, stride, padding)
    pool_rule, unpool_rule = module_rule(down), module_rule(up)
    assert pool_rule is not None
    assert unpool_rule is not None
    generator = torch.Generator().manual_seed(0)
    for spatial in itertools.product(range(kernel, kernel + 5 - axes), repeat=axes):
        x = torch.rand(8, 64, *spatial, generator=generator)
        pooled, indices = pool_rule(down, Symbolic(x.shape, x.dtype))
        given = Symbolic(indices.shape, torch.int64)
        given.value = indices.value
        for wanted in (None, spatial):
            try:
                expected: Any = tuple(up(*down(x), output_size=wanted).shape)
            except (RuntimeError, ValueError):
                expected = None
            try:
                actual = unpool_rule(up, Symbolic(pooled.shape, x.dtype), given, wanted).shape
            except SizeError:
                actual = None
            assert actual == expected, (spatial, wanted)


def test_unpooling_what_was_pooled_at_all_sizes_at_once() -> None:
    down, up = nn.MaxPool2d(2, return_indices=True), nn.MaxUnpool2d(2)
    pool_rule, unpool_rule = module_rule(down), module_rule(up)
    assert pool_rule is not None
    assert unpool_rule is not None
    path = Path(Domain.positive(["H", "W"]))
    with following(path):
        pooled, indices = pool_rule(down, Symbolic((1, 8, dim("H"), dim("W")), torch.float32))
        given = Symbolic(indices.shape, torch.int64)
        given.value = indices.value
        unpool_rule(up, Symbolic(pooled.shape, torch.float32), given)
    for height, width in itertools.product(range(1, 9), repeat=2):
        assert path.domain.contains({"H": height, "W": width}) == (height >= 2 and width >= 2 and width % 2 == 0)
