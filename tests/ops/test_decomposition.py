"""Functions of matrices against torch, which on meta tensors looks at their sizes only."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import shapelint.ops.decomposition  # noqa: F401 - registers the rules
from tests.ops.against_torch import check, shaped

SIZES = {"H": range(1, 5), "W": range(1, 5)}
L = torch.linalg


@pytest.mark.parametrize(
    "function",
    [
        L.inv, L.cholesky, L.det, L.slogdet, L.pinv, L.eigh, L.eigvalsh, L.svd, L.svdvals, L.qr, L.matrix_exp,
        torch.inverse, torch.svd, torch.logdet,
    ],
)  # fmt: skip
def test_functions_of_matrices(function: Any) -> None:
    for shape in (("H", "W"), (2, "H", "W"), ("H", "H"), ("H",)):
        check(function, shaped(*shape), sizes=SIZES, device="meta")


def test_options() -> None:
    check(L.svd, shaped("H", "W"), full_matrices=False, sizes=SIZES, device="meta")
    check(torch.svd, shaped("H", "W"), some=False, sizes=SIZES, device="meta")
    for mode in ("complete", "r"):
        check(L.qr, shaped("H", "W"), mode=mode, sizes=SIZES, device="meta")
    check(L.matrix_power, shaped("H", "W"), 3, sizes=SIZES, device="meta")
    for right in (("H",), ("H", 2), (2, "H", 3), ("W", 2)):
        check(L.solve, shaped("H", "H"), shaped(*right), sizes=SIZES, device="meta")
        check(L.solve_triangular, shaped("H", "H"), shaped(*right), upper=True, sizes=SIZES)
        check(L.solve_triangular, shaped(2, "H", "W"), shaped(*right), upper=False, left=False, sizes=SIZES)
        check(L.solve, shaped(2, "H", "H"), shaped(*right), sizes={"H": range(3, 5), "W": range(1, 5)}, device="meta")
