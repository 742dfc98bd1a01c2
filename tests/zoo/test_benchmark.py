"""The benchmark over the zoo: one real network measured, results kept and gone on from, the table's arithmetic."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from benchmarks import zoo
from benchmarks.zoo import Row
from tests.zoo.test_measured import ROW

EXPORTED = (
    "- `torch.export` works on 1 and fails on 1. It takes 400 × as long: geometric mean; median 400, least 400 "
    "(aim: at least 100; 0 are below)"
)
ROWS = [
    Row("a", "proven", first=4.0, best=1.0, eager=4.0, trace=1.0, shape_prop=2.0, export=400.0),
    Row("b", "enumerated", first=9.0, best=9.0, eager=1.0, shape_prop_fails="TraceError", export_fails="ValueError"),
    Row("c", missing="no answer within 1 s"),
]


def test_the_summary() -> None:
    assert zoo.summary(ROWS) == [
        "- 2 networks (1 proven); 1 without a time.",
        "- / one eager forward: geometric mean 1.50, median 9.00, worst 9.0 (b), of 2 (aim: mean at most 0.5)",
        "- / one eager forward, proven ones: geometric mean 0.25, median 0.25, worst 0.2 (a), of 1",
        "- above 5 × one eager forward: 1 (aim: none); b 9.0",
        "- / ShapeProp for one size: geometric mean 0.50, median 0.50, worst 0.5 (a), of 1",
        EXPORTED,
    ]


def test_the_table_has_a_row_for_each() -> None:
    lines = zoo.report(ROWS, 20)
    assert "| a | proven | 4.0 | 1.0 | 4.0 | 0.25 | 2.0 | 0.50 | 400 | 400 |" in lines
    assert "| c | no answer within 1 s | – | – | – | – | – | – | – | – |" in lines
    assert len({line.count("|") for line in lines if line.startswith("|")}) == 1


@pytest.fixture
def measurements(tmp_path: Path) -> Path:
    file = tmp_path / "sizes.jsonl"
    broken = {**ROW, "id": "broken", "factory": "nn.Nothing()"}
    file.write_text("".join(json.dumps(row) + "\n" for row in ({**ROW, "package": "torch"}, broken)))
    return file


def test_a_run_measures_keeps_and_goes_on(
    tmp_path: Path, measurements: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    kept, table = tmp_path / "times.json", tmp_path / "ZOO.md"
    arguments = ["--measurements", str(measurements), "--json", str(kept), "--export-seconds", "0"]
    assert zoo.main([*arguments, "--write", str(table)]) == 0
    pool, broken = zoo._read(kept)
    assert (pool.id, pool.certainty) == ("pool", "proven")
    assert all(value and value > 0 for value in (pool.first, pool.best, pool.eager, pool.trace, pool.shape_prop))
    assert "no attribute 'Nothing'" in broken.missing
    assert "| pool | proven |" in table.read_text()

    kept.write_text(json.dumps([dataclasses.asdict(Row("pool", "proven", best=1.0, eager=2.0))]))
    assert zoo.main(arguments) == 0
    assert [row.id for row in zoo._read(kept)] == ["pool", "broken"]
    assert zoo._read(kept)[0].best == 1.0, "what is known is not measured again"
    assert zoo.main([*arguments, "--only", "^pool$"]) == 0
    assert zoo._read(kept)[0].first is not None, "what is named is"
