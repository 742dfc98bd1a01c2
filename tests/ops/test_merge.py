"""Joining and taking apart against torch."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import shapelint.ops.merge  # noqa: F401 - registers the rules
from shapelint.ops.registry import Runs, Spec, function_rule
from shapelint.sizes import Domain, Path, SizeError, following
from shapelint.sizes.dim import dim
from tests.ops.against_torch import Symbolic, check, label, shaped

SIZES = {"H": range(6), "W": range(6)}
INTEGERS = torch.int64


@pytest.mark.parametrize(
    ("shapes", "dim"),
    [
        ([(2, "H"), (2, "W")], 1), ([(2, "H"), (2, "W")], 0), ([(2, "H"), (2, "W")], -1), ([(2, "H"), (2, "W")], 2),
        ([("H", 3, "W"), ("H", 4, "W")], 1), ([("H", 3), ("H", 3), ("W", 3)], -2), ([("H",), ("W",)], 0),
        ([("H",), (0,)], 0), ([(0,), ("H", "W")], 1), ([(0,), (0,)], 0), ([(0,), ("H",)], 0), ([("H", 2), ("H",)], 0),
        ([()], 0), ([("H//2", 2), ("H - H//2", 2)], 0), ([(2, "H//2*2"), (2, "H")], 0), ([("H", "W")], 1),
    ],
    ids=label,
)  # fmt: skip
def test_cat_and_stack(shapes: list[tuple[Any, ...]], dim: int) -> None:
    tensors = [shaped(*shape) for shape in shapes]
    check(torch.cat, tensors, dim, sizes=SIZES)
    check(torch.concatenate, tensors, axis=dim, sizes=SIZES)
    check(torch.stack, tensors, dim, sizes=SIZES)


@pytest.mark.parametrize("function", [torch.hstack, torch.vstack, torch.dstack, torch.column_stack, torch.block_diag])
@pytest.mark.parametrize(
    "shapes",
    [[()], [(), ()], [("H",), ("W",)], [("H", 2), ("W", 2)], [(2, "H"), (2, "W")], [(2, 3, "H"), (2, 3, "W")]],
    ids=label,
)
def test_named_stacks(function: Any, shapes: list[tuple[Any, ...]]) -> None:
    tensors = [shaped(*shape) for shape in shapes]
    if function is torch.block_diag:
        check(function, *tensors, sizes=SIZES)
    else:
        check(function, tensors, sizes=SIZES)


def test_the_message_of_cat_names_the_dimension() -> None:
    with pytest.raises(SizeError, match="sizes must match except in dimension 1: dimension 2 is 4 and 5"):
        function_rule(torch.cat)([Symbolic((1, 2, 4), torch.float32), Symbolic((1, 2, 5), torch.float32)], 1)


def test_cat_promotes() -> None:
    check(torch.cat, [shaped(2, dtype=INTEGERS), shaped(3)])
    check(torch.stack, [shaped(2), shaped(2, dtype=torch.float64)])


@pytest.mark.parametrize("at", [0, 1, -1, 2])
@pytest.mark.parametrize("chunks", [0, 1, 2, 3, 4, 5])
def test_chunk(chunks: int, at: int) -> None:
    check(torch.chunk, shaped("H", 5), chunks, at, sizes={"H": range(12)}, symbolic=False)
    check(torch.tensor_split, shaped("H", 5), chunks, at, sizes={"H": range(12)})


@pytest.mark.parametrize(("least", "chunks"), [(2, 2), (3, 1), (9, 3), (12, 4)])
def test_chunk_of_a_size_that_leaves_no_doubt(least: int, chunks: int) -> None:
    check(torch.chunk, shaped(f"H + {least - 1}", "H"), chunks, sizes={"H": range(1, 9)})
    check(torch.chunk, shaped("H", f"{chunks}*H"), chunks, -1, sizes={"H": range(1, 9)})


@pytest.mark.parametrize(
    "sizes", [1, 2, 5, 7, 0, [2, 3], [5], [1, 1, 3], [2, 2], [-1, 6], ["H", "5 - H"], ["H", 2]], ids=label
)
def test_split(sizes: Any) -> None:
    check(torch.split, shaped("H", 5), sizes, 1, sizes={"H": range(7)})
    check(torch.Tensor.split, shaped(5, "H"), sizes, sizes={"H": range(7)})


def test_split_into_pieces_of_a_symbolic_size() -> None:
    check(torch.split, shaped("2*H"), "1*H", sizes={"H": range(1, 6)})
    check(torch.split, shaped(4, "2*H + 1"), "H + 1", 1, sizes={"H": range(1, 6)})
    check(torch.split, shaped("H"), ["H//2", "H - H//2"], sizes={"H": range(6)})


@pytest.mark.parametrize("indices", [(1,), (1, 3), (3, 1), (-1,), (0, 9), ("H", 4), (1, "W")], ids=label)
def test_tensor_split_at_indices(indices: Any) -> None:
    check(torch.tensor_split, shaped(2, "H"), indices, 1, sizes=SIZES)


def test_equal_splits() -> None:
    for function in (torch.hsplit, torch.vsplit, torch.dsplit):
        for shape in ((), ("H",), ("H", "W"), (4, "W", "H")):
            check(function, shaped(*shape), 2, sizes=SIZES)


@pytest.mark.parametrize("at", [0, 1, -1, 2])
def test_unbind(at: int) -> None:
    check(torch.unbind, shaped(3, 0), at)
    check(torch.unbind, shaped(3, "H"), 0, sizes={"H": range(4)})
    check(torch.unbind, shaped(), at)


def test_as_many_tensors_as_a_size_says() -> None:
    size = dim("H")
    tensor = Symbolic((size, 3), torch.float32)
    domain = Domain.positive(["H"]).restrict(size > 2)
    with following(Path(domain)):
        assert function_rule(torch.unbind)(tensor) == Runs(((Spec((3,)), size),))
    with following(Path(domain.restrict(size % 2 == 0))):
        assert function_rule(torch.split)(tensor, 2) == Runs(((Spec((2, 3)), size // 2),))
    with following(Path(domain.restrict(size % 2 == 1))):
        rest = (Spec((size % 2, 3)), 1)
        assert function_rule(torch.split)(tensor, 2) == Runs(((Spec((2, 3)), size // 2), rest))


@pytest.mark.parametrize("indexing", ["ij", "xy"])
def test_meshgrid(indexing: str) -> None:
    check(torch.meshgrid, shaped("H"), shaped("W"), shaped(), indexing=indexing, sizes=SIZES)
    check(torch.meshgrid, shaped("H"), shaped("W", dtype=INTEGERS), indexing=indexing, sizes=SIZES)
    check(torch.meshgrid, [shaped("H"), shaped("W")], indexing=indexing, sizes=SIZES)
    check(torch.meshgrid, shaped("H"), indexing=indexing, sizes=SIZES)
    check(torch.meshgrid, shaped("H", 2), indexing=indexing, sizes=SIZES)


@pytest.mark.parametrize(
    "shapes",
    [
        [("H", 3), ("W", 3)],
        [("H",), (2,), ("W",)],
        [(2, "H"), (3, "W")],
        [("H", "W")],
        [(2, 3), (2,)],
        [(2, 3), (3,)],
        [()],
        [],
    ],
    ids=label,
)
@pytest.mark.parametrize("batch_first", [False, True])
def test_pad_sequence(shapes: list[tuple[Any, ...]], batch_first: bool) -> None:
    check(torch._C._nn.pad_sequence, [shaped(*shape) for shape in shapes], batch_first, sizes=SIZES)


def test_other_joins() -> None:
    check(torch.broadcast_tensors, shaped("H", 1), shaped("W"), shaped(2, 1, 1), sizes=SIZES)
    check(torch.cartesian_prod, shaped("H"), shaped("W"), sizes=SIZES)
    for function in (torch.atleast_1d, torch.atleast_2d, torch.atleast_3d):
        for shape in ((), ("H",), ("H", 2), ("H", 2, "W", 1)):
            check(function, shaped(*shape), sizes=SIZES)
        check(function, shaped("H"), shaped(), sizes=SIZES)
