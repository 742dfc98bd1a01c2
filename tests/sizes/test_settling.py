"""Products of piecewise sizes, told case by case: exact, against plain ints."""

from __future__ import annotations

import pytest
import torch.nn.functional as F
from torch import Tensor, nn

import shapelint
from shapelint.sizes import Dim, Domain, Path, Undecided, divides, following, require
from shapelint.sizes import expr as ex
from shapelint.sizes.dim import dim, of
from shapelint.sizes.settling import Settling
from tests import oracle


def _formula(size: Dim) -> ex.Expr:
    return size.expr


def test_the_case_that_a_domain_keeps_to_is_what_a_size_reads_as() -> None:
    h = dim("H")
    with following(Path(Domain.positive(["H"]))) as path:
        window = of(ex.maximum(_formula(h - 8), ex.constant(2)))
        require(h >= 20, "")
        assert of(Settling(path.domain).size(_formula(window))) is h - 8


def test_a_case_that_is_open_is_named() -> None:
    h = dim("H")
    settling = Settling(Domain.positive(["H"]))
    settling.size(ex.maximum(_formula(h), ex.constant(9)))
    assert str(settling.open) == "H ≥ 9"


def test_a_case_within_a_case_that_is_open_is_no_branch() -> None:
    h, w = _formula(dim("H")), _formula(dim("W"))
    # numbers of this test's own: the older of two formulas is looked at first
    inner = ex.add(ex.maximum(h, ex.constant(1009)), ex.maximum(w, ex.constant(1007)))
    with following(Path(Domain.positive(["H", "W"]))) as path:  # which a branch would end
        settling = Settling(path.domain)
        settling.size(ex.multiply(inner, inner))
        settling.size(ex.add(inner, w))
    assert str(settling.open) == "H ≥ 1009"


def test_without_a_case_to_settle_it_stays_undecided() -> None:
    h, w = dim("H"), dim("W")
    with (
        following(Path(Domain.positive(["H", "W"]))),
        pytest.raises(Undecided, match="beyond what a set"),
    ):
        require(h * w + h == 7 * w + 3, "")


class Windows(nn.Module):
    """A regional network: windows as wide as whole numbers of regions, which is another number for some sizes."""

    def forward(self, x: Tensor) -> Tensor:
        regions = F.avg_pool2d(x, 4)
        local = F.max_pool2d(x, 2, stride=2)
        height, width = local.shape[-2] // regions.shape[-2], local.shape[-1] // regions.shape[-1]
        rows, columns = regions.shape[-2:]
        windows = local.reshape(6, rows, height, columns, width).transpose(2, 3).flatten(1, 2)
        return windows.flatten(2).reshape(6, rows * columns, height, width)


class Joined(nn.Module):
    """Sizes that differ by a branch, multiplied."""

    def forward(self, x: Tensor) -> Tensor:
        height = x.shape[2] // 4 if x.shape[2] % 8 == 0 else 2
        width = x.shape[3] // 2 if x.shape[3] > 6 else x.shape[3]
        return x[:, :, :height, :width].reshape(-1, 2 * height, width)


@pytest.mark.parametrize("model", [Windows(), Joined()])
def test_products_of_piecewise_sizes_are_proven(model: nn.Module) -> None:
    analysis = shapelint.analyze(model, (1, 6, "H", "W"))
    assert analysis.certainty == "proven", analysis.certainty_reasons
    for height in range(1, 40):
        for width in (1, 4, 6, 7, 8, 9, 12, 13, 15, 16, 24):
            result = oracle.run(model, (1, 6, height, width))
            accepted = analysis.accepts(H=height, W=width)
            assert accepted != isinstance(result, oracle.Failure), (height, width, result)
            assert not accepted or analysis.output_shape(H=height, W=width) == result


def test_factors_that_are_multiples_of_one_another_cancel() -> None:
    h, w = dim("H"), dim("W")
    with following(Path(Domain.positive(["H", "W"]))) as path:
        require(h % 16 == 0, "")
        require(w % 16 == 0, "")
        condition = ((h + 8) // 16) * ((w + 8) // 16) * 4 == ((h + 6) // 8) * ((w + 6) // 8)
        assert path.decide(condition) is True
        assert divides(2, h)


def test_a_quotient_takes_out_the_addends_that_its_divisor_divides() -> None:
    h, w = dim("H"), dim("W")
    with following(Path(Domain.positive(["H", "W"]))):
        rows = (h * (w // 2 + 1) + 1) // (w // 2 + 1)
    assert [rows.at(H=h, W=w) for h in (1, 4) for w in (1, 2, 3, 9)] == [
        (h * (w // 2 + 1) + 1) // (w // 2 + 1) for h in (1, 4) for w in (1, 2, 3, 9)
    ]
    assert str(rows).startswith("H + ")


def test_a_product_of_three_that_a_power_of_two_divides_is_told_by_its_factors() -> None:
    d, h, w = dim("D"), dim("H"), dim("W")
    with following(Path(Domain.positive(["D", "H", "W"]))) as path:
        require((d * (h // 8) * (w // 8)) % 16 == 0, "")
        sizes = [(2, 16, 33), (4, 32, 8), (3, 130, 8), (1, 1, 1), (16, 8, 9), (5, 40, 39)]
        assert [path.domain.contains({"D": d, "H": h, "W": w}) for d, h, w in sizes] == [
            d * (h // 8) * (w // 8) % 16 == 0 for d, h, w in sizes
        ]
