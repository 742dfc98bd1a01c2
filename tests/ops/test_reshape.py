"""View and its like, permutations and repetitions against torch."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

import shapelint.ops.reshape  # noqa: F401 - registers the rules
from shapelint.ops.registry import function_rule
from shapelint.sizes import Domain, Path, SizeError, following
from shapelint.sizes.dim import dim
from tests.ops.against_torch import Symbolic, check, label, shaped

SIZES = {"H": range(7), "W": range(7)}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (("H", "W"), ("H", "W")), (("H", "W"), ("W", "H")), (("H", "W"), (-1,)), (("H", "W"), ("H", -1)),
        (("H", "W"), (-1, "H")), (("H", "W"), (3, -1)), (("H", "W"), (-1, 2)), (("H", "W"), (12,)),
        (("H", "W"), (6, 2)), (("H", "W", 4), ("H", "W", 2, 2)), (("H", "W", 4), ("H*W", 4)),
        (("H", "W", 4), ("H*W", -1)), (("H", "W", 4), (-1, "W")), (("H", "W", 4), ("H*4", "W")),
        (("H", "W", 4), (2, -1)), (("H", "W", 4), (8, -1)), (("H", "W"), ("H//2", 2, "W//2", 2)),
        (("H", "W"), ("H//2", 2, "W//3", 3)), (("H", 3, "W"), ("H//2", 2, 3, "W")), (("H", "W"), (-1, -1)),
        (("H", "W"), ("H", -2)), (("H", "W"), ("H", 0)), ((0, "H"), (-1, "H")), ((0, "H"), ("W", 0)),
        (("H", "W"), ("H", "W", 1, -1)), (("H",), ("W",)), ((4, "H"), (2, -1)), ((4, "H"), (3, -1)), ((), (1, -1)),
        (("H//2", 2, "W"), ("H", "W")), (("H*2", "W*3"), (6, "H", "W")), (("H*2", "W*3"), (-1, 6)),
        (("H//3", "W"), ("W", -1)), (("H//3", "W"), ("H//3", "W")), (("H//3", "W"), (-1, 4)),
        (("H//3", "W"), ("H//3", -1)), (("H", "H"), (9,)),
        (("H", "W", 6), ("H", "W//2", 2, 3, 2)), (("H", "H"), ("H", "W")), ((2, 3), ("H", "W"))
    ],
    ids=label,
)  # fmt: skip
def test_view(old: tuple[Any, ...], new: tuple[Any, ...]) -> None:
    check(torch.Tensor.view, shaped(*old), *new, sizes=SIZES)
    check(torch.reshape, shaped(*old), new, sizes={"H": range(1, 4), "W": range(1, 4)})


def test_the_forms_of_view() -> None:
    for call in (torch.Tensor.view, torch.Tensor.reshape):
        check(call, shaped(2, "H"), ("H", 2), sizes={"H": range(4)})
        check(call, shaped(2, "H"), ["H", 2], sizes={"H": range(4)})
    check(torch.Tensor.view, shaped(2, "H"), size=("H", 2), sizes={"H": range(4)})
    check(torch.Tensor.view_as, shaped("H", "W"), shaped("W", 2), sizes=SIZES)
    check(torch.Tensor.reshape_as, shaped("H", "W"), shaped("W", 2), sizes=SIZES)


def test_rows_and_columns_in_the_batch_come_apart_again() -> None:
    height, width, batch = dim("H"), dim("W"), dim("N")
    view = function_rule(torch.Tensor.view)
    with following(Path(Domain.positive(["N", "H", "W"]))) as path:
        path.require(height % 8 == 0, "", ())
        path.require(width % 8 == 0, "", ())
        cells = Symbolic((batch * ((height + 7) // 8) * ((width + 7) // 8), 1, 7, 7), torch.float32)
        spec = view(cells, batch, height // 8, width // 8, -1)
    assert spec.shape[3] == 49
    assert path.domain.contains({"N": 2, "H": 16, "W": 24})


def test_multiples_that_are_known_on_the_path_are_cancelled() -> None:
    height, width = (dim("H") + 15) // 16, (dim("W") + 15) // 16
    view = function_rule(torch.Tensor.view)
    with following(Path(Domain.positive(["H", "W"]))) as path:
        for size in (height, width):
            path.require(size % 8 == 0, "", ())
        blocks = view(Symbolic((height * width, 3), torch.float32), height // 8, 8, width // 8, -1)
        assert blocks.shape[3] == 24
        whole = view(Symbolic((64 * ((height * width) // 64), 3), torch.float32), height, width, -1)
        assert whole.shape[2] == 3


def test_a_window_partition_needs_multiples() -> None:
    height, width, batch = dim("H"), dim("W"), dim("N")
    view = function_rule(torch.Tensor.view)
    with following(Path(Domain.positive(["N", "H", "W"]))) as path:
        x = Symbolic((batch, height, width, 96), torch.float32)
        spec = view(x, batch, height // 7, 7, width // 7, 7, 96)
        windows = view(Symbolic(tuple(spec.shape[axis] for axis in (0, 1, 3, 2, 4, 5)), torch.float32), -1, 7, 7, 96)
        back = view(Symbolic(windows.shape, torch.float32), batch, height // 7, width // 7, 7, 7, -1)
    assert path.domain.contains({"N": 2, "H": 14, "W": 21})
    assert not path.domain.contains({"N": 2, "H": 14, "W": 20})
    assert back.shape[-1] == 96


def test_the_message_of_view_names_both_shapes() -> None:
    with pytest.raises(SizeError, match=r"shape \(1, 400\) is invalid for an input of shape \(1, 16, 6, 6\)"):
        function_rule(torch.Tensor.view)(Symbolic((1, 16, 6, 6), torch.float32), 1, 400)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64, torch.int64])
def test_view_as_another_dtype(dtype: torch.dtype) -> None:
    check(torch.Tensor.view, shaped("H", "W"), dtype, sizes=SIZES)
    check(torch.Tensor.view, shaped("H", dtype=torch.float64), dtype=dtype, sizes=SIZES)


def test_sizes_one_by_one_as_methods_take_them() -> None:
    check(torch.Tensor.broadcast_to, shaped("H", 1), 2, "H", "W", sizes=SIZES)
    for swap in (torch.Tensor.swapaxes_, torch.Tensor.swapdims_, torch.Tensor.transpose_):
        check(swap, shaped("H", "W", 3), 0, -1, sizes=SIZES)


@pytest.mark.parametrize("arguments", [(), (1,), (1, 2), (-2,), (2, 1), (0, 3), (0, -2), (4,)], ids=label)
def test_flatten(arguments: tuple[int, ...]) -> None:
    check(torch.flatten, shaped("H", 3, "W", 2), *arguments, sizes=SIZES)
    check(torch.flatten, shaped(), *arguments)
    if len(arguments) != 1:
        check(nn.Flatten(*arguments), shaped("H", 3, "W", 2), sizes=SIZES)


@pytest.mark.parametrize(
    ("at", "sizes"),
    [(1, (2, -1)), (1, (3, 2)), (-1, ("H", 1)), (0, ("H", 1)), (1, (-1,)), (2, (1,)), (1, ()), (1, [2, 3])],
    ids=label,
)  # fmt: skip
def test_unflatten(at: int, sizes: Any) -> None:
    check(torch.unflatten, shaped("H", "W"), at, sizes, sizes=SIZES)
    if "H" not in sizes and isinstance(sizes, tuple):
        check(nn.Unflatten(at, sizes), shaped("H", "W"), sizes=SIZES)


X = shaped("H + 1", 3, "W + 1", 1)
EXACT = {"H": range(1, 4), "W": range(1, 4)}


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (torch.permute, ((3, 0, -2, 1),)), (torch.Tensor.permute, (3, 0, 2, 1)), (torch.permute, ((0, 1),)),
        (torch.permute, ((0, 0, 1, 2),)), (torch.transpose, (1, 2)), (torch.transpose, (-1, 0)),
        (torch.transpose, (0, 4)),
        (torch.swapaxes, (1, 2)), (torch.movedim, (1, -1)), (torch.movedim, ((0, 1), (2, 3))),
        (torch.movedim, ((0,), (1, 2))),
        (torch.movedim, ((0, 0), (1, 2))), (torch.moveaxis, ((0, 2), (-1, 0))), (torch.squeeze, ()),
        (torch.squeeze, (3,)),
        (torch.squeeze, (1,)), (torch.squeeze, ((1, 3),)), (torch.squeeze, (4,)), (torch.unsqueeze, (0,)),
        (torch.unsqueeze, (-1,)), (torch.unsqueeze, (4,)), (torch.unsqueeze, (5,)), (torch.Tensor.adjoint, ()),
        (torch.Tensor.repeat, (2, 1, 1, 3)), (torch.Tensor.repeat, (2, 2, 1, 1, 3)), (torch.Tensor.repeat, (2, 1)),
        (torch.Tensor.repeat, ("H", 1, 0, "W")), (torch.tile, ((2, 3),)), (torch.tile, ((2, 1, 1, 1, 3),)),
        (torch.Tensor.repeat, (-1, 1, 1, 3)), (torch.repeat_interleave, (2, 0)), (torch.repeat_interleave, (3,)),
        (torch.repeat_interleave, ("H", -1)), (torch.repeat_interleave, (-1, 0)), (torch.roll, (1, 0)),
        (torch.roll, (1,)),
        (torch.roll, ((1, 2), (0, 2))), (torch.roll, ((1, 2), 0)), (torch.roll, (1, 5)), (torch.flip, ((0, -1),)),
        (torch.flip, ((0, 0),)), (torch.flip, ((5,),)), (torch.rot90, (1, (0, 2))), (torch.rot90, (2, (0, 2))),
        (torch.rot90, ()), (torch.rot90, (1, (0, 0))), (torch.fliplr, ()), (torch.flipud, ()), (torch.ravel, ()),
        (torch.Tensor.expand, (-1, -1, -1, 5)), (torch.Tensor.expand, ("H", 3, "W", "W")),
        (torch.Tensor.expand, (2, -1, 3, -1, 5)),
        (torch.Tensor.expand, (-1, -1, -1, -1, 5)), (torch.Tensor.expand, (2, 3)), (torch.Tensor.expand, (3, 3, 3, 3)),
        (torch.broadcast_to, ((2, "H", 3, "W", 4),)), (torch.Tensor.expand, (-1, -1, -1, 0)),
        (torch.Tensor.expand, (4, 4, -1, -2)),
    ],
    ids=label,
)  # fmt: skip
def test_order_and_repetition(function: Any, arguments: tuple[Any, ...]) -> None:
    check(function, X, *arguments, sizes=EXACT)


def test_functions_of_two_dimensions() -> None:
    for shape in ((), ("H",), ("H", "W")):
        check(torch.t, shaped(*shape), sizes=SIZES)
    check(torch.t, shaped("H", "W", 2), sizes=SIZES)
    check(torch.Tensor.expand_as, shaped("H", 1), shaped("W", "W", 3), sizes=SIZES)
    check(torch.Tensor.expand_as, shaped("H", "W"), shaped(3, 1), sizes=SIZES)
    check(torch.Tensor.mT.__get__, shaped("H", "W", 2), sizes=SIZES)
    check(torch.Tensor.T.__get__, shaped("H", "W"), sizes=SIZES)
    check(torch.Tensor.mT.__get__, shaped("H"), sizes=SIZES)
    check(torch.Tensor.H.__get__, shaped("H", "W"), sizes=SIZES)
    check(torch.squeeze, shaped(1, "H + 1", 1), sizes=SIZES)
    check(torch.squeeze, shaped("H", "W", 1), sizes=SIZES, symbolic=False)
