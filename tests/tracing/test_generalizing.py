"""What a call does for some sizes is told from what it does for whatever sizes, and is what PyTorch does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import shapelint
from shapelint.ops.layout import placed_in
from shapelint.sizes import Dim, Domain, TooComplex
from shapelint.sizes import expr as ex
from shapelint.sizes.dim import dim
from shapelint.tracing.generalizing import Generalizer, NotGeneral, among, with_formulas
from shapelint.tracing.loops.symbols import names_in
from shapelint.tracing.tensor import symbolic_tensor
from tests import oracle, tile_grammar
from tests.test_random_loops import QUICK, load

SIZES = Domain.positive(["T", "S"])


@pytest.mark.parametrize("seed", range(40))
def test_a_random_model_of_tiles_is_as_pytorch_has_it(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # the parts are small, and all of their calls shall be followed for whatever sizes
    monkeypatch.setattr("shapelint.tracing.recalling.MANY_PARTS", 0)
    model = load(tmp_path / f"tiles_{seed}.py", tile_grammar.source(seed)).Model().eval()
    analysis = shapelint.analyze(model, ("N", 2, "T"), limits=QUICK)
    if analysis.certainty != "proven":
        assert analysis.certainty_reasons
        return
    for n, t in [(2, t) for t in range(1, 25)] + [(3, t) for t in (1, 2, 5)]:
        result = oracle.run(model, (n, 2, t), device="cpu", fresh=True)
        assert oracle.compare(analysis, result, {"N": n, "T": t}) is None, tile_grammar.source(seed)


WALKED: list[str] = []


class Part(nn.Module):
    """A part of many parts, which needs three columns and treats long inputs otherwise."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(*(nn.Conv1d(2, 2, 1) for _ in range(14)))
        self.last = nn.Conv1d(2, 2, 3)

    def forward(self, x: Tensor) -> Tensor:
        WALKED.append("part")
        x = self.last(self.layers(x))
        return x[..., 1:] if x.shape[-1] > 4 else x


class Tiles(nn.Module):
    """Two methods with tiles, both of which use one part."""

    def __init__(self) -> None:
        super().__init__()
        self.part = Part()

    def blend(self, a: Tensor, b: Tensor) -> Tensor:
        extent = min(a.shape[-1], b.shape[-1], 2)
        for at in range(extent):
            b[..., at] = b[..., at] + a[..., at - extent]
        return b

    def tiled(self, x: Tensor, step: int) -> Tensor:
        tiles = []
        for at in range(0, x.shape[-1], step):
            tiles.append(self.part(x[..., at : at + step + 2]))
        result = []
        for i, tile in enumerate(tiles):
            result.append(self.blend(tiles[i - 1], tile) if i else tile)
        return torch.cat(result, -1)

    def forward(self, x: Tensor) -> Tensor:
        return self.tiled(self.tiled(x, 7), 5)


class Short(Part):
    """A part of many parts that needs seven columns."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Conv1d(2, 2, 7)

    def forward(self, x: Tensor) -> Tensor:
        WALKED.append("part")
        return self.last(self.layers(x))


class Widths(nn.Module):
    """Uses one part for eight widths, after a loop."""

    def __init__(self) -> None:
        super().__init__()
        self.part = Short()

    def forward(self, x: Tensor) -> Tensor:
        last = None
        for t in range(x.shape[-1]):
            last = x[..., t : t + 1] if last is None else torch.cat([last, x[..., t : t + 1]], -1)
        return torch.cat([self.part(F.pad(x, (6, more))) for more in range(8)], -1)


def test_parts_are_not_walked_through_for_each_size() -> None:
    WALKED.clear()
    analysis = shapelint.analyze(Widths(), ("N", 2, "T"))
    assert analysis.certainty == "proven", analysis.certainty_reasons
    # for one width, and for whatever width
    assert WALKED.count("part") == 2
    asked = oracle.Oracle(Widths, ("N", 2, "T"))
    assert not oracle.same_answer(analysis, asked, [{"N": 1, "T": t} for t in range(1, 20)])


class Row(nn.Module):
    """One loop over tiles that overlap, of a part that needs three columns."""

    def __init__(self) -> None:
        super().__init__()
        self.part = nn.Sequential(Counted(), *(nn.Conv1d(2, 2, 1) for _ in range(14)), nn.Conv1d(2, 2, 3))

    def forward(self, x: Tensor) -> Tensor:
        tiles = []
        for at in range(0, x.shape[-1], 6):
            tiles.append(self.part(x[..., at : at + 8]))
        return torch.cat(tiles, -1)


class Counted(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        WALKED.append("tile")
        return x


def test_tiles_of_a_loop_are_followed_once_whatever_they_need() -> None:
    WALKED.clear()
    analysis = shapelint.analyze(Row(), ("N", 2, "T"))
    assert analysis.certainty == "proven", analysis.certainty_reasons
    assert WALKED == ["tile"]
    asked = oracle.Oracle(Row, ("N", 2, "T"))
    assert not oracle.same_answer(analysis, asked, [{"N": n, "T": t} for n in (1, 2) for t in range(1, 40)])


def test_tiles_are_as_pytorch_has_them() -> None:
    analysis = shapelint.analyze(Tiles(), ("N", 2, "T"))
    assert analysis.certainty == "proven", analysis.certainty_reasons
    asked = oracle.Oracle(Tiles, ("N", 2, "T"))
    assert not oracle.same_answer(analysis, asked, [{"N": 1, "T": t} for t in range(1, 60)])


def test_what_takes_too_long_for_whatever_sizes_is_made_for_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shapelint.tracing.anysize.SHARE", 1e12)  # no time at all
    analysis = shapelint.analyze(Tiles(), ("N", 2, "T"))
    assert analysis.certainty == "proven", analysis.certainty_reasons
    asked = oracle.Oracle(Tiles, ("N", 2, "T"))
    assert not oracle.same_answer(analysis, asked, [{"N": 1, "T": t} for t in range(1, 30)])


def test_what_is_written_down_is_about_the_sizes_of_the_input() -> None:
    trace = shapelint.analyze(Tiles(), ("N", 2, "T")).trace
    assert trace is not None
    known = set(trace.symbols)
    calls = set(map(id, trace.calls))
    assert {"part.layers.0", "part.last"} <= {call.layer for call in trace.calls}
    for call in trace.calls:
        assert set(names_in((call.arguments, call.keywords, call.outputs))) <= known
        assert set(call.domain.symbols) <= known
        if call.kind == "module":
            assert call.outputs
            assert id(call.arguments[1].call) in calls
    assert len({call.index for call in trace.calls}) == len(trace.calls)


def test_every_size_that_is_refused_has_a_reason_and_a_layer() -> None:
    analysis = shapelint.analyze(Tiles(), ("N", 2, "T"))
    for t in range(1, 60):
        if not analysis.accepts(T=t):
            why = analysis.why_not(T=t)
            assert why is not None
            assert why.layer == "part.last"
            assert "given#" not in why.message


class Twice(nn.Module):
    """Uses a part for six columns more than there are, and for those that there are, which may be too few."""

    def __init__(self) -> None:
        super().__init__()
        self.part = Short()

    def forward(self, x: Tensor) -> Tensor:
        last = None
        for t in range(x.shape[-1]):
            last = x[..., t : t + 1] if last is None else torch.cat([last, x[..., t : t + 1]], -1)
        return torch.cat([self.part(F.pad(x, (6, 0))), self.part(F.pad(x, (4, 0))[..., :-4])], -1)


def test_what_other_sizes_refuse_is_written_down() -> None:
    trace = shapelint.analyze(Twice(), ("N", 2, "T")).trace
    assert trace is not None
    for t in range(1, 12):
        refused = [failure for failure in trace.failures if failure.holds({"N": 1, "T": t})]
        assert bool(refused) is (t < 7)
        assert all(failure.layer == "part.last" for failure in refused)
        assert all("given#" not in failure.message({"N": 1, "T": t}) for failure in refused)


def _general(*values: Any, domain: Domain = SIZES) -> tuple[Any, dict[str, ex.Expr]]:
    generalizer = Generalizer(domain)
    return generalizer.general(values), generalizer.formulas


def test_factors_of_sizes_become_symbols() -> None:
    t = dim("T")
    tensor = symbolic_tensor((1, 2 * t * dim("S"), t, t // 2 + 1), torch.float32)
    (general, number, again), formulas = _general(tensor, 3 * t, tensor)
    first, second, third = (dim(name) for name in formulas)
    by_name = {str(formula): name for name, formula in formulas.items()}
    assert set(by_name) == {"T", "S", "T//2 + 1"}
    assert again is general
    assert general.sizes[0] == 1
    assert str(general.sizes[2]) == by_name["T"]
    assert str(number) == f"3*{by_name['T']}"
    assert with_formulas(general.sizes, formulas) == tensor.sizes
    assert {str(first), str(second), str(third)} == set(formulas)


def test_the_order_in_memory_goes_along() -> None:
    tensor = symbolic_tensor((1, dim("T"), dim("S")), torch.float32)
    tensor.strided = placed_in(tensor.sizes, (0, 2, 1))
    (general,), formulas = _general(tensor)
    placement = general.strided.placement()
    assert placement.order == (0, 2, 1)
    assert with_formulas(placement.strides, formulas) == placed_in(tensor.sizes, (0, 2, 1)).placement().strides


def test_a_list_that_is_handed_over_twice_stays_one() -> None:
    items = [dim("T")]
    (one, other), _ = _general(items, items)
    assert one is other
    assert one is not items


def test_a_size_that_may_be_nothing_has_no_symbol() -> None:
    with pytest.raises(NotGeneral):
        _general(dim("T") - 1)
    few = SIZES.restrict(dim("T") >= 3)
    assert _general(dim("T") - 2, domain=few)[1]


def _expr(size: Any) -> ex.Expr:
    assert isinstance(size, Dim)
    return size.expr


def test_the_sizes_for_which_formulas_have_values_in_a_set() -> None:
    t, s = dim("T"), dim("S")
    formulas = {"given#1": _expr(t + 2), "given#2": _expr(s * 3)}
    wanted = Domain.positive(formulas).restrict(dim("given#1") >= 7).restrict(dim("given#1") + dim("given#2") <= 30)
    left = among(SIZES, wanted, formulas)
    assert set(left.parts) == {"T", "S"}
    for at_t in range(1, 40):
        for at_s in range(1, 12):
            inside = at_t + 2 >= 7 and at_t + 2 + at_s * 3 <= 30
            assert left.contains({"T": at_t, "S": at_s}) is inside
    assert among(SIZES, Domain.positive(formulas), formulas) is SIZES


def test_formulas_take_the_place_of_symbols() -> None:
    given = dim("given#1")
    formulas = {"given#1": _expr(2 * dim("T") + 1)}
    size = with_formulas((given // 2, 5, given * given), formulas)
    assert [str(each) for each in size[:2]] == ["T", "5"]
    assert all(size[2].expr.evaluate({"T": t}) == (2 * t + 1) ** 2 for t in range(1, 9))


def test_a_value_by_cases_takes_no_formulas() -> None:
    given = dim("given#1")
    few = Domain.positive(["given#1"]).restrict(given <= 4).over(["given#1"])
    many = Domain.positive(["given#1"]).restrict(given >= 5).over(["given#1"])
    cases = ex.piecewise(((few, ex.symbol("given#1")), (many, ex.constant(3))))
    with pytest.raises(TooComplex):
        cases.rename({"given#1": _expr(dim("T") + 1)})
    assert cases.rename({"given#1": "T"}).evaluate({"T": 9}) == 3


def test_sets_with_a_symbol_of_their_own_take_no_formulas() -> None:
    wanted = Domain.positive(["given#1", "root#1"]).restrict(dim("root#1") >= 2)
    with pytest.raises(TooComplex):
        among(SIZES, wanted, {"given#1": _expr(dim("T") + 1)})
