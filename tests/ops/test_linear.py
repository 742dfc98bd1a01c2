"""Matrix products, linear layers and einsum against torch."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import shapelint
from shapelint.ops.linear import linear_module
from shapelint.sizes import SizeError
from tests import oracle
from tests.ops.against_torch import Symbolic, check, label, shaped

SIZES = {"H": range(1, 5), "W": range(1, 5)}


@pytest.mark.parametrize("shape", [("H", 4), ("H", "W"), ("H", 2, "W"), ("W",), (), ("H", "2*W")], ids=label)
def test_linear_layers(shape: tuple[Any, ...]) -> None:
    check(nn.Linear(4, 7), shaped(*shape), sizes=SIZES)
    check(F.linear, shaped(*shape), shaped(7, 4), shaped(7), sizes=SIZES)
    check(F.linear, shaped(*shape), shaped("H", "W"), sizes=SIZES)
    check(nn.Bilinear(4, 3, 7), shaped(*shape), shaped("H", 3), sizes=SIZES)


def test_the_message_of_linear_names_in_features() -> None:
    with pytest.raises(SizeError, match="the last dimension has size 400, but the Linear has in_features=256"):
        linear_module(nn.Linear(256, 10), Symbolic((1, 400), torch.float32))


PRODUCTS = (
    *(torch.matmul, torch.Tensor.__matmul__, torch.mm, torch.bmm, torch.mv, torch.dot, torch.outer, torch.kron),
    torch.inner,
)


RIGHT = [("W",), ("W", 5), (2, "W", 5), ("H", "W", 5), (1, 4, "W", "H"), (), ("H", "W")]


@pytest.mark.parametrize("a", [("W",), ("H", "W"), (2, "H", "W"), ("H", 1, 3, "W"), (), (3, "H")], ids=label)
@pytest.mark.parametrize("b", RIGHT, ids=label)
def test_products(a: tuple[Any, ...], b: tuple[Any, ...]) -> None:
    for function in PRODUCTS:
        check(function, shaped(*a), shaped(*b), sizes=SIZES)


@pytest.mark.parametrize(
    ("function", "shapes"),
    [
        (torch.addmm, [("H",), (2, 3), (3, "W")]), (torch.addmm, [("H", 1), (2, 3), ("H", "W")]),
        (torch.baddbmm, [("H", 1, 1), (2, 3, 4), (2, 4, "W")]), (torch.addbmm, [("H", 1), (2, 3, 4), (2, 4, "W")]),
        (torch.addmv, [("H",), ("W", 3), (3,)]), (torch.addr, [("H", 1), ("W",), (3,)]), (torch.linalg.multi_dot, None),
        (torch.Tensor.addmm_, [("H", 2), (2, 3), (3, "W")]), (torch.Tensor.addmv_, [("H",), ("W", 3), (3,)]),
        (torch.Tensor.baddbmm_, [("H", 3, "W"), (2, 3, 4), (2, 4, "W")]),
        (torch.Tensor.addr_, [("H", 1), ("W",), (3,)]),
    ],
    ids=label,
)  # fmt: skip
def test_products_that_add(function: Any, shapes: list[tuple[Any, ...]] | None) -> None:
    if shapes is None:
        check(function, [shaped("H", 3), shaped(3, "W"), shaped("W", 2)], sizes=SIZES)
    else:
        check(function, *(shaped(*shape) for shape in shapes), sizes=SIZES)


@pytest.mark.parametrize(
    "dims", [0, 1, 2, 3, ([1], [0]), ([0, 1], [1, 0]), ([-1], [0]), ([0], [0, 1]), ([4], [0])], ids=label
)
def test_tensordot(dims: Any) -> None:
    check(torch.tensordot, shaped("H", "W"), shaped("W", 3), dims, sizes=SIZES)
    check(torch.tensordot, shaped(2, "H", "W"), shaped("H", "W"), dims=dims, sizes=SIZES)


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("ij,jk->ik", [("H", "W"), ("W", 3)]), ("ij,jk->ik", [("H", "W"), (2, 3)]), ("ij,jk", [("H", "W"), ("W", 3)]),
        ("bhid,bhjd->bhij", [(2, 4, "H", 8), (2, 4, "W", 8)]), ("bij,bjk->bki", [("H", 2, "W"), ("W", "W", 5)]),
        ("...ij,...jk->...ik", [(2, "H", "W"), ("W", 3)]), ("...ij,...jk->...ik", [(2, 1, "H", 3), ("W", 3, 3)]),
        ("i...,i...->...", [("H", "W", 2), ("H", 2)]), ("ii->i", [("H", "W")]), ("ii", [("H", "H")]),
        ("ij->", [("H", "W")]),
        ("ij->ji", [("H", "W")]), ("ij", [("H", "W")]), ("ji", [("H", "W")]), ("i,j->ij", [("H",), ("W",)]),
        ("i,i->i", [("H",), ("W",)]), ("ij->ik", [("H", "W")]), ("ij->iij", [("H", "W")]),
        ("ijk,kl", [("H", "W"), ("W", 2)]),
        ("ij,jk->ik", [("H", "W")]), ("...d->d...", [("H", "W", 3)]), ("b...,b->...", [("H", 3, 2), ("W",)]),
        ("...->...", [("H", "W")]), ("...i->...", [("H", "W")]), ("ij...->...", [("H", "W", 4)]),
        ("Ab,bA->A", [("H", "W"), ("W", "H")]),
        ("bchw,bkhw->bck", [(1, 3, "H", "W"), (1, 5, "H", 4)]), ("...i,...i", [("H", 3), ("H", 3)]),
        ("i1->i", [("H", 1)]),
    ],
    ids=label,
)  # fmt: skip
def test_einsum(equation: str, shapes: list[tuple[Any, ...]]) -> None:
    check(torch.einsum, equation, *(shaped(*shape) for shape in shapes), sizes=SIZES)
    check(torch.einsum, equation, [shaped(*shape) for shape in shapes], sizes=SIZES)


def test_cross() -> None:
    check(torch.cross, shaped("H", "W"), shaped(1, 3), 1, sizes=SIZES)
    check(torch.linalg.cross, shaped("H", "W"), shaped("H", 3), sizes=SIZES)


GROUPED = getattr(F, "grouped_mm", None)


class Grouped(nn.Module):
    """Rows go to four experts, each of which has a matrix of its own, or two batches of matrices are multiplied."""

    def __init__(self, weight: tuple[int, ...], *, turned: bool = False, cut: bool = True) -> None:
        super().__init__()
        weights = torch.zeros(weight)
        self.weight = nn.Parameter(weights.transpose(-2, -1) if turned else weights)
        self.cut = cut

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        ends = torch.full((4,), 2, dtype=torch.int32) if self.cut else None
        return GROUPED(x, self.weight, offs=ends)  # type: ignore[misc]


@pytest.mark.skipif(GROUPED is None, reason="this PyTorch has no grouped_mm")
@pytest.mark.parametrize(
    ("model", "shape"),
    [
        (Grouped((4, 8, 12)), ("H", 8)), (Grouped((4, 12, 8), turned=True), ("H", "W")),
        (Grouped((3, 8, 12)), ("H", 8)),
        (Grouped((4, 8, 6)), ("H", 8)), (Grouped((8, 12)), (4, "H", "W")), (Grouped((8, 12)), (3, "H", 8)),
        (Grouped((4, 8, 12), cut=False), ("W", "H", 8)), (Grouped((4, 8, 12), cut=False), ("H", 8)),
        (Grouped((4, 8, 12)), (4, "H", 8)), (Grouped((5, 8)), (4, "W")), (Grouped((4, 8, 12)), ("W",)),
    ],
    ids=label,
)  # fmt: skip
def test_grouped_products(model: nn.Module, shape: tuple[Any, ...]) -> None:
    analysis = shapelint.analyze(model, shape)
    names = [name for name in shape if isinstance(name, str)]
    asked = oracle.Oracle(lambda: model, shape, device="cpu")
    numbers = itertools.product(range(1, 14), repeat=len(names))
    sizes = [dict(zip(names, chosen, strict=True)) for chosen in numbers]
    assert analysis.certainty == "proven", analysis.certainty_reasons
    assert not oracle.same_answer(analysis, asked, sizes)
