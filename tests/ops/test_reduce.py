"""Reductions, norms, distances and losses against torch."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import shapelint.ops.reduce  # noqa: F401 - registers the rules
from tests.ops.against_torch import check, label, shaped

SIZES = {"H": range(4), "W": range(4)}
INTEGERS, TRUTHS = torch.int64, torch.bool
X = shaped("H", 3, "W")

REDUCTIONS = [
    torch.sum, torch.mean, torch.amax, torch.amin, torch.max, torch.min, torch.std, torch.var, torch.prod, torch.all,
    torch.argmax, torch.logsumexp, torch.median, torch.var_mean, torch.norm, torch.nansum, torch.count_nonzero,
    torch.linalg.vector_norm, torch.linalg.norm, torch.argmin, torch.any, torch.mode, torch.Tensor.sum,
    torch.Tensor.mean,
]  # fmt: skip
ONE_DIMENSION_ONLY = {torch.max, torch.min, torch.prod, torch.argmax, torch.argmin, torch.median, torch.mode}


@pytest.mark.parametrize("function", REDUCTIONS, ids=lambda function: function.__name__)
def test_reductions(function: Any) -> None:
    for dim in (0, 1, -1, 3):
        check(function, X, dim=dim, sizes=SIZES)
        if function is not torch.count_nonzero:
            check(function, X, dim=dim, keepdim=True, sizes=SIZES)
        if function not in (torch.count_nonzero, torch.norm):  # written in Python: no NumPy names
            check(function, X, axis=dim, keepdims=True, sizes=SIZES)
    if function not in ONE_DIMENSION_ONLY:
        for dims in ((0, 2), [1, -1], (0, 0)):
            check(function, X, dim=dims, sizes=SIZES)
    if function is not torch.logsumexp:
        check(function, X, sizes={"H": range(1, 4), "W": range(1, 4)})
        check(function, shaped())


@pytest.mark.parametrize("dtype", [INTEGERS, TRUTHS, torch.complex64, torch.float16, torch.uint8], ids=label)
def test_the_dtype_of_reductions(dtype: torch.dtype) -> None:
    for function in (torch.sum, torch.mean, torch.prod, torch.any, torch.cumsum):
        check(function, shaped(2, 3, dtype=dtype), dim=1)
    check(torch.sum, shaped(2, 3, dtype=dtype), dtype=torch.float64)
    if dtype.is_complex:
        check(torch.var, shaped(2, 3, dtype=dtype), 1)
        check(torch.linalg.norm, shaped(2, 3, dtype=dtype), dim=1)


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (torch.sum, (X, (0, 2), True)), (torch.Tensor.sum, (X, 1)), (torch.Tensor.mean, (X, (-2, -1), True)),
        (torch.max, (X, shaped("W"))), (torch.min, (X, X)), (torch.max, (X, 2, True)), (torch.std, (X, 1, False)),
        (torch.std, (X, False)), (torch.var_mean, (X, (0, 1))), (torch.var, (X, (1, 2), True, True)),
        (torch.cumsum, (X, 2)),
        (torch.cumsum, (X, 3)), (torch.cumprod, (X, -1)), (torch.cummax, (X, 1)), (torch.aminmax, (shaped("H", "W"),)),
        (torch.quantile, (shaped("H", 4), 0.5, 1)), (torch.diff, (X, 1)), (torch.diff, (X, 2, 0)),
        (torch.quantile, (shaped("H", 4), shaped(3), 1, True)), (torch.norm, (X, 2, 1)),
        (torch.norm, (X, "fro", (1, 2))),
        (torch.norm, (X, 2, 1, True)), (torch.linalg.matrix_norm, (X,)), (torch.linalg.norm, (X, 2, 1)),
        (torch.linalg.norm, (X, "fro", (0, 1))), (torch.amax, (X, ())), (torch.sum, (X, ())),
        (torch.logsumexp, (X, (0, 1))),
        (torch.softmax, (X, 1)), (torch.cdist, (shaped("H", 3), shaped("W", 3))),
        (torch.cdist, (shaped(2, "H", 3), shaped("W", 3))),
        (torch.cdist, (shaped("H", 3), shaped("W", 2))), (torch.cdist, (shaped("H"), shaped("W", 2))),
        (F.cosine_similarity, (X, X)), (F.cosine_similarity, (shaped("H", 1, 3), shaped("W", 3), -1)),
        (F.pairwise_distance, (shaped("H", 3), shaped("W", 3))), (F.pairwise_distance, (shaped("H"), shaped("H"))),
        (torch.histc, (X, "W")),
    ],
    ids=label,
)  # fmt: skip
def test_forms(function: Any, arguments: tuple[Any, ...]) -> None:
    check(function, *arguments, sizes={"H": range(1, 4), "W": range(1, 4)})


@pytest.mark.parametrize(
    "options",
    [
        {"dim": (0, 1)}, {"dim": 1, "edge_order": 2}, {"edge_order": 3}, {"spacing": [1.0]}, {"spacing": 0.5},
        {"spacing": [1.0, 2.0, 3.0]}, {"dim": 3}, {"dim": (0, 0)}, {"dim": ()},
    ],
    ids=str,
)  # fmt: skip
def test_gradients(options: dict[str, Any]) -> None:
    for dtype in (torch.float64, torch.complex64, INTEGERS):
        check(torch.gradient, shaped("H", 3, "W", dtype=dtype), sizes=SIZES, **options)


@pytest.mark.parametrize("function", [torch.trapezoid, torch.trapz, torch.cumulative_trapezoid])
def test_areas_below_curves(function: Any) -> None:
    for options in ({"dim": 0}, {"dim": -1, "dx": 0.5}, {"dim": 3}):
        check(function, shaped("H", 3, "W", dtype=torch.float64), sizes=SIZES, **options)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_losses(reduction: str) -> None:
    sizes = {"H": range(1, 4), "W": range(1, 4)}
    other = shaped("H", 3, "H")
    for function in (F.mse_loss, F.l1_loss, F.smooth_l1_loss, F.huber_loss, F.binary_cross_entropy, F.kl_div):
        check(function, X, other, reduction=reduction, sizes=sizes)
    for kind in (nn.MSELoss, nn.BCEWithLogitsLoss, nn.L1Loss):
        check(kind(reduction=reduction), X, other, sizes=sizes)
    scores = shaped("H", 5, "W")
    numbers = (shaped("H", "W", dtype=INTEGERS), shaped("W", "H", dtype=INTEGERS))
    for target in (*numbers, shaped("H", 5, "W"), shaped("H", 3, "W")):
        check(F.cross_entropy, scores, target, reduction=reduction, sizes=sizes)
        check(nn.CrossEntropyLoss(reduction=reduction), scores, target, sizes=sizes)
    check(F.nll_loss, shaped("H", 5), shaped("W", dtype=INTEGERS), reduction=reduction, sizes=sizes)
    check(F.cross_entropy, shaped(5), shaped(dtype=INTEGERS), reduction=reduction)
    check(F.cross_entropy, scores, shaped("H", "W", dtype=INTEGERS), shaped(4), reduction=reduction, sizes=sizes)


def test_dimensions_one_by_one() -> None:
    check(torch.Tensor.count_nonzero, shaped("H", "W", 3), 0, 2, sizes=SIZES)
    check(torch.Tensor.count_nonzero, shaped("H", "W", 3), 1, sizes=SIZES)
    check(torch.Tensor.count_nonzero, shaped("H", "W", 3), (0, 1), sizes=SIZES)
