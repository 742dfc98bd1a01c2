"""Subscripts, gather and scatter, ordering, diagonals and embeddings against torch."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import shapelint
from shapelint.ops.indexing import getitem, setitem, subscripted
from shapelint.ops.registry import Unsupported, function_rule
from shapelint.sizes import Domain, Path, SizeError, Undecided, following
from shapelint.sizes.dim import dim, evaluate
from tests import oracle
from tests.ops.against_torch import Symbolic, check, label, shaped

INTEGERS, TRUTHS = torch.int64, torch.bool
SIZES = {"H": range(1, 6), "W": range(1, 6)}


class Take:
    """Gives back what it is subscripted with."""

    def __getitem__(self, index: Any) -> Any:
        return index


def index_of(source: str, names: dict[str, Any], tensor: Any) -> Any:
    return eval(f"take[{source}]", {"take": Take(), "I": tensor, **names})


def real_index(*shape: int) -> torch.Tensor:
    return torch.zeros(shape, dtype=INTEGERS)


def symbolic_index(*shape: Any) -> Symbolic:
    return Symbolic(shape, INTEGERS)


def taken(shape: tuple[int, ...], index: Any) -> tuple[int, ...] | None:
    try:
        return tuple(torch.zeros(shape)[index].shape)
    except (IndexError, RuntimeError, ValueError):
        return None


def ruled(shape: tuple[Any, ...], index: Any) -> Any:
    try:
        return tuple(getitem(Symbolic(shape, torch.float32), index).shape)
    except SizeError:
        return None


SUBSCRIPTS = [
    "0", "-1", "2", "-3", "H", "H - 1", "-H", "H//2", "1:", "2:4", ":-1", "-2:", "-3:-1", "1:100", "-100:2", "4:2",
    "::2",
    "1::3", "5:", ":H", "H:", ":H//2", "H//2:", "H//2:H", "H - 2:", ":W", "W:", "-W:", ":-W", "W - 3:", ":W - 3",
    "W:W + 2",
    "W//2:W//2 + H//2", "1:-1:2", "::W", "..., 0", "..., 1:", "0, ...", ":, 1", ":, :, None", "None", "..., None",
    "None, ..., None",
    ":, None, 0", "..., ...", "0, 0, 0, 0", ":, :, :, :", "I(2)", "I(2, 3)", "I()", ":, I(2)", "I(2), I(2)",
    "I(2), :, I(2)",
    "I(2), I(3)", "I(2, 1), I(3)", ":, I(2), I(2)", "0, :, I(2)", "I(2), 0, I(2)", "I(2), None, I(2)", "..., I(2)",
    "I(2), ...",
    ":, None, I(2)", "I(2), :, 0", "I(), :, I(2)", "[0, 0]", "[0, 1]", "[]", ":, [0, -1, 0]", "[0], [0]", "I(H)",
    "I(H), I(W)",
    ":, I(H, 1), I(W)", "0, 1:, I(2)", "I(0)", "None, I(2), None, I(2)", "True", "range(2)", "I(2), I(), :", "-H:H",
    "W - H:",
    ":W - H", "W - H:H - W", "::H", "W - 1::W",
    "[slice(1, None), None]", "[..., slice(0, 2)]", "[[0, 1], [1, 1]]", "[I(2), I(2)]",
    "H//2::2", "slice(1, None)", "(0, 1)",
]  # fmt: skip


@pytest.mark.parametrize("source", SUBSCRIPTS)
def test_subscripts(source: str) -> None:
    try:
        expected = {}
        for height, width in itertools.product(range(6), range(6)):
            names = {"H": height, "W": width}
            index = index_of(source, names, real_index)
            expected[height, width] = taken((height, width, 3), index)
            index = index_of(source, names, symbolic_index)
            assert ruled((height, width, 3), index) == expected[height, width], names
        path = Path(Domain.positive(["H", "W"]))
        symbols = {"H": dim("H"), "W": dim("W")}
        with following(path):
            result = ruled((symbols["H"], symbols["W"], 3), index_of(source, symbols, symbolic_index))
    except Unsupported:
        assert source == "True"
        return
    for (height, width), shape in expected.items():
        at = {"H": height, "W": width}
        if height and width:
            runs = result is not None and path.domain.contains(at)
            assert runs == (shape is not None), at
            assert not runs or tuple(evaluate(size, at) for size in result) == shape, at


@pytest.mark.parametrize(
    "source", ["0", "1:", ":, 0", "I(2)", "I(2), :, I(2)", "..., None", "0, 0, 0", ":H - 1", "..., :W"]
)
@pytest.mark.parametrize(
    "value", [(), (1,), (3,), (1, 1, 1, 3), (2, 3), (4, 3), (4, 5, 3), (2, 5), (4, 5, 3, 1), (0, 3)], ids=label
)
def test_assignment_to_a_subscript(source: str, value: tuple[int, ...]) -> None:
    names = {"H": 4, "W": 2}
    try:
        torch.zeros(4, 5, 3)[index_of(source, names, real_index)] = torch.zeros(value)
        runs = True
    except (RuntimeError, IndexError):
        runs = False
    try:
        setitem(
            Symbolic((4, 5, 3), torch.float32), index_of(source, names, symbolic_index), Symbolic(value, torch.float32)
        )
        assert runs
    except SizeError:
        assert not runs


def test_what_depends_on_the_data_needs_somebody_to_name_it() -> None:
    x, mask = Symbolic((4, 5), torch.float32), Symbolic((4, 5), TRUTHS)
    for function, arguments in (
        (torch.masked_select, (mask,)),
        (torch.nonzero, ()),
        (torch.Tensor.__getitem__, (mask,)),
    ):
        with pytest.raises(Undecided, match="depends on the contents"):
            function_rule(function)(x, *arguments)
    with pytest.raises(Unsupported):
        function_rule(torch.equal)(x, x)


@pytest.mark.parametrize(("shape", "fits"), [((4, 5), True), ((4,), True), ((4, 1), False), ((5,), False)])
def test_a_mask_has_the_sizes_of_what_it_selects_from(shape: tuple[int, ...], fits: bool) -> None:
    x, mask = Symbolic((4, 5), torch.float32), Symbolic(shape, TRUTHS)
    for value in (0.0, Symbolic((), torch.float32)):
        try:
            torch.zeros(4, 5)[torch.ones(shape, dtype=torch.bool)] = 0.0
            assert fits
            assert setitem(x, mask, value) is None
        except IndexError:
            assert not fits
            with pytest.raises(SizeError, match="a mask of"):
                setitem(x, mask, value)


def test_a_whole_slice_is_the_same_size() -> None:
    height = dim("H")
    with following(Path(Domain.positive(["H"]))):
        assert subscripted((height, 3), (slice(None, height), slice(0, None)))[0] is height


X = shaped("H", "W", 3)
INDEX = shaped(2, dtype=INTEGERS)


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (torch.narrow, (X, 0, 1, 2)), (torch.narrow, (X, 0, -2, 2)), (torch.narrow, (X, 1, 0, "H")),
        (torch.narrow, (X, 1, "H", 1)),
        (torch.narrow, (X, 0, 0, -1)), (torch.narrow, (X, 3, 0, 1)), (torch.narrow, (X, 0, "W - 2", 1)),
        (torch.narrow, (X, 0, 0, 0)),
        (torch.select, (X, 0, 2)), (torch.select, (X, 1, -2)), (torch.select, (X, 1, "H")), (torch.select, (X, -4, 0)),
        (torch.index_select, (X, 2, INDEX)), (torch.index_select, (X, 1, shaped("H", dtype=INTEGERS))),
        (torch.index_select, (X, 1, shaped(2, 2, dtype=INTEGERS))),
        (torch.index_select, (X, 1, shaped(dtype=INTEGERS))),
        (torch.gather, (X, 2, shaped("H", "W", 5, dtype=INTEGERS))),
        (torch.gather, (X, 2, shaped("W", 1, 5, dtype=INTEGERS))),
        (torch.gather, (X, 2, shaped("W", 1, dtype=INTEGERS))),
        (torch.gather, (X, 2, shaped("W", 9, 0, dtype=INTEGERS))),
        (torch.scatter, (X, 1, shaped("W", 1, 2, dtype=INTEGERS), 1.0)),
        (torch.scatter, (X, 1, shaped("W", 2, 2, dtype=INTEGERS), X)),
        (torch.Tensor.scatter_add_, (X, 1, shaped("H", 2, 2, dtype=INTEGERS), shaped("W", 2, 3))),
        (torch.take_along_dim, (X, shaped(1, "W", 5, dtype=INTEGERS), 2)),
        (torch.take_along_dim, (X, shaped("W", 1, 1, dtype=INTEGERS), 2)),
        (torch.take_along_dim, (X, shaped(2, 2, dtype=INTEGERS))),
        (torch.take, (X, shaped(2, "H", dtype=INTEGERS))), (torch.topk, (X, 2, 0)), (torch.topk, (X, "H", 1)),
        (torch.topk, (X, 4)),
        (torch.topk, (X, 1, 3)), (torch.topk, (X, -1)), (torch.topk, (X, 0)), (torch.sort, (X, 1)),
        (torch.sort, (X, 3)),
        (torch.argsort, (X,)), (torch.kthvalue, (X, 2, 0)), (torch.kthvalue, (X, 2, 0, True)),
        (torch.kthvalue, (X, 0, 0)),
        (torch.msort, (X,)), (torch.tril, (X,)), (torch.triu, (shaped("H"),)), (torch.Tensor.tril_, (X, -1)),
        (torch.index_add, (X, 0, INDEX, shaped(2, "H", 3))), (torch.index_add, (X, 1, INDEX, shaped("H", 2, 3))),
        (torch.Tensor.index_copy_, (X, 2, INDEX, shaped("H", "W", 2))), (torch.index_fill, (X, 2, INDEX, 0.0)),
        (torch.index_fill, (X, 3, INDEX, 0.0)), (torch.index_put, (X, (shaped("W", dtype=INTEGERS),), shaped(3))),
        (torch.slice_scatter, (X, shaped("H", 2, 3), 1, 0, 2)), (torch.slice_scatter, (X, shaped("H", "W", 3), 1)),
        (torch.select_scatter, (X, shaped("H", 3), 1, 0)), (torch.select_scatter, (X, shaped("W", 3), 1, 0)),
    ],
    ids=label,
)  # fmt: skip
def test_pieces(function: Any, arguments: tuple[Any, ...]) -> None:
    check(function, *arguments, sizes=SIZES)


@pytest.mark.parametrize("offset", [0, 1, -2, 3])
def test_diagonals(offset: int) -> None:
    check(torch.diagonal, shaped("H", "W"), offset, sizes=SIZES)
    check(torch.diagonal, shaped("H", 2, "W"), offset, 0, -1, sizes=SIZES)
    check(torch.diagonal, shaped("H", 2, "W"), offset, 0, 0, sizes=SIZES)
    check(torch.diag, shaped("H", "W"), offset, sizes=SIZES)
    check(torch.diag, shaped("H"), offset, sizes=SIZES)
    check(torch.diag, shaped("H", 1, 1), offset, sizes=SIZES)
    check(torch.diag_embed, shaped("H", "W"), offset, sizes=SIZES)
    check(torch.diag_embed, shaped("H", "W"), offset, 0, 2, sizes=SIZES)
    check(torch.diagflat, shaped("H", "W"), offset, sizes=SIZES)
    check(torch.linalg.diagonal, shaped("H", "W", 2), offset=offset, sizes=SIZES)
    check(torch.trace, shaped("H", "W"), sizes=SIZES)


def test_embeddings() -> None:
    indices = shaped("H", "W", dtype=INTEGERS)
    check(nn.Embedding(10, 4), indices, sizes=SIZES)
    check(nn.Embedding(10, 4), shaped("H"), sizes=SIZES)
    check(nn.EmbeddingBag(10, 4), indices, sizes=SIZES)
    check(nn.EmbeddingBag(10, 4), shaped("H", dtype=INTEGERS), shaped("W", dtype=INTEGERS), sizes=SIZES)
    check(F.embedding, indices, shaped(10, "W"), sizes=SIZES)
    check(F.one_hot, indices, 7, sizes=SIZES)
    check(torch.bucketize, shaped("H", "W"), shaped(3), sizes=SIZES)
    check(torch.searchsorted, shaped("H", 3), shaped("W", 5), sizes=SIZES)
    check(torch.searchsorted, shaped(3), shaped("W", 5), right=True, out_int32=True, sizes=SIZES)


KEPT = torch.tensor([True, False, True])
CORNERS = torch.eye(3, 5) > 0


def _changed(x: torch.Tensor, mask: torch.Tensor, value: Any) -> torch.Tensor:
    changed = x.clone()
    changed[:, mask] = value
    return changed


MASKED: dict[str, Any] = {
    "a constant mask": lambda x: x[:, KEPT],
    "a list of truths": lambda x: x[..., [True, False, True, True], :],
    "with other indices": lambda x: x[:, KEPT, [0, 2]],
    "of two dimensions": lambda x: x[CORNERS],
    "selecting nothing": lambda x: x[:, torch.zeros(3, dtype=torch.bool), 7:],
    "set": lambda x: _changed(x, KEPT, 1.0),
    "set to a tensor": lambda x: _changed(x, KEPT, x[:, :2]),
    "set to one that does not fit": lambda x: _changed(x, KEPT, x),
}


class Masking(nn.Module):
    def __init__(self, forward: Any) -> None:
        super().__init__()
        self._forward = forward

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self._forward(x)
        return found


@pytest.mark.parametrize("forward", MASKED.values(), ids=MASKED)
def test_masks_of_known_contents_select_what_they_select(forward: Any) -> None:
    inputs = ("A", "B", "C")
    analysis = shapelint.analyze(Masking(forward), inputs)
    assert analysis.certainty == "proven", analysis.certainty_reasons
    asked = oracle.Oracle(lambda: Masking(forward), inputs, device="cpu")
    sizes = [dict(zip("ABC", each, strict=True)) for each in itertools.product((1, 2, 3, 4), (2, 3, 4), (2, 4, 5, 9))]
    assert oracle.same_answer(analysis, asked, sizes) == []
