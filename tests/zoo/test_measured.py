"""The zoo's own arithmetic: measurements are read right, and a wrong answer is seen in either direction."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from torch import nn

from shapelint import DATA_DEPENDENT
from tests.oracle import flatten_shapes
from tests.zoo import building
from tests.zoo.comparing import compare
from tests.zoo.measured import load, parse, parse_ranges

ROW: dict[str, Any] = {
    "id": "pool",
    "package": "torch",
    "factory": "nn.Sequential(nn.MaxPool2d(2), nn.Conv2d(1, 4, 1))",
    "input": ["N=1", 1, "H", "W"],
    "good": [8, 6],
    "tags": [],
    "device": "meta",
    "good_out": [[1, 4, 4, 3]],
    "eager_ms": 1.0,
    "passes": {
        "axis:H": {
            "tested": "1-9",
            "ok": "2-9",
            "held": [None, 6],
            "errors": [{"cls": "RuntimeError", "eg_size": 1, "eg": "Output size is too small", "sizes": "1"}],
            "out": [
                {"sizes": "2-3", "tensors": [[1, 4, {"v": [1, 1]}, 3]]},
                {"sizes": "4-9", "tensors": [[1, 4, "1*((s+0)//2)+0", 3]]},
            ],
        }
    },
}


class Pool:
    """What an analysis of ``ROW`` answers; ``least`` and ``extra`` make it wrong."""

    def __init__(self, least: int = 2, extra: int = 0) -> None:
        self.least = least
        self.extra = extra

    def accepts(self, **sizes: int) -> bool:
        return sizes["H"] >= self.least

    def output_shape(self, **sizes: int) -> Any:
        return (1, 4, sizes["H"] // 2 + self.extra, sizes["W"] // 2)


def test_ranges_and_formulas_are_read() -> None:
    (sweep,) = parse(ROW).sweeps
    assert parse_ranges("7-8,15") == (7, 8, 15)
    assert parse_ranges("") == ()
    assert sweep.tested == tuple(range(1, 10))
    assert sweep.shapes[3] == ((1, 4, 1, 3),)
    assert sweep.shapes[9] == ((1, 4, 4, 3),)
    assert 1 not in sweep.shapes


def test_a_right_analysis_has_no_disagreement() -> None:
    comparison = compare(Pool(), parse(ROW))
    assert comparison.sizes == 9
    assert comparison.disagreements == ()


@pytest.mark.parametrize(("wrong", "count"), [(Pool(least=1), 1), (Pool(least=4), 2), (Pool(extra=1), 8)])
def test_a_wrong_analysis_is_seen(wrong: Pool, count: int) -> None:
    assert len(compare(wrong, parse(ROW)).disagreements) == count


def test_a_raising_analysis_is_a_disagreement_at_every_size() -> None:
    class Broken(Pool):
        def accepts(self, **sizes: int) -> bool:
            raise KeyError("H")

    assert len(compare(Broken(), parse(ROW)).disagreements) == 9


def test_structures_are_flattened_in_order() -> None:
    output = {"a": (1, 2), "b": [(3,), None, ((4, 5), ())], "c": SimpleNamespace(mean=(6,), deterministic=False)}
    assert flatten_shapes(output) == [(1, 2), (3,), (4, 5), (), (6,)]


def test_extra_arguments_become_objects_or_expressions() -> None:
    row = {**ROW, "extra": "dict(steps=3, t=torch.ones(1), c=torch.zeros(1, x.shape[2] * 2, x.shape[3] + 1))"}
    found = building.extra_inputs(parse(row))
    assert found["steps"] == 3
    assert tuple(found["t"].shape) == (1,)
    assert found["c"] == (1, "2*H", "W + 1")


def test_the_factory_builds_what_was_measured() -> None:
    measured = parse(ROW)
    model = building.build(measured)
    assert isinstance(model, nn.Module)
    assert next(model.parameters()).device.type == "meta"
    assert tuple(building.run_eagerly(measured, model, measured.good, "meta").shape) == measured.good_shapes[0]


@pytest.mark.skipif(not load(), reason="no measurements: set SHAPELINT_ZOO")
def test_every_measurement_is_consistent() -> None:
    for measured in load():
        for sweep in measured.sweeps:
            assert set(sweep.shapes) <= set(sweep.tested)
            for size in sweep.shapes:
                if sweep.sizes_at(size) == measured.good:
                    assert sweep.shapes[size] == measured.good_shapes[: len(sweep.shapes[size])]


def test_what_the_contents_decide_is_counted_and_no_disagreement() -> None:
    class Open(Pool):
        def output_shape(self, **sizes: int) -> Any:
            return (1, 4, DATA_DEPENDENT, sizes["W"] // 2)

    class WronglyOpen(Pool):
        def output_shape(self, **sizes: int) -> Any:
            return (1, 5, DATA_DEPENDENT, sizes["W"] // 2)

    comparison = compare(Open(), parse(ROW))
    assert (comparison.disagreements, comparison.unknown) == ((), 8)
    assert len(compare(WronglyOpen(), parse(ROW)).disagreements) == 8
