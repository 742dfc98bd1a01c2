"""Analyses as plain data."""

import json
import pickle

import pytest
from torch import nn

import shapelint
from shapelint.helpers.records import FORMAT

LOSSY = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.ConvTranspose2d(8, 3, 3, 2, 1))


def test_json_and_back() -> None:
    analysis = shapelint.analyze(LOSSY)
    record = shapelint.Analysis.from_json(analysis.to_json())
    assert record.name == "Sequential"
    assert record.symbols == analysis.symbols
    assert record.input_shape == ("N", 3, "H", "W")
    assert record.outputs == (("N", 3, *map(str, analysis.trace.outcomes[0][1].sizes[2:])),)
    assert record.valid_sizes == analysis.valid_sizes
    assert record.round_trip_sizes == analysis.round_trip_sizes
    assert str(record.round_trip_sizes) == "H and W: odd sizes"
    assert [str(finding) for finding in record.diagnostics] == [str(finding) for finding in analysis.diagnostics]
    assert [f.why for f in record.diagnostics] == [f.why for f in analysis.diagnostics]
    assert [f.description for f in record.diagnostics[0].fixes] == [
        f.description for f in analysis.diagnostics[0].fixes
    ]
    assert record.diagnostics[0].fixes
    assert record.summary() == analysis.summary()
    assert record.certainty == "proven"
    assert record.version == shapelint.__version__
    assert record.to_json() == analysis.to_json()


def test_pickling_keeps_the_plain_data() -> None:
    analysis = shapelint.analyze(LOSSY)
    record = pickle.loads(pickle.dumps(analysis))
    assert isinstance(record, shapelint.AnalysisRecord)
    assert record == shapelint.Analysis.from_json(analysis.to_json())
    assert pickle.loads(pickle.dumps(record)) == record
    assert pickle.loads(pickle.dumps(analysis.diagnostics)) == analysis.diagnostics


def test_a_record_answers() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(), nn.Linear(8 * 16 * 16, 10))
    analysis = shapelint.analyze(model)
    record = pickle.loads(pickle.dumps(analysis))
    for height in range(1, 60):
        for width in (10, 18, 34):
            assert record.accepts(H=height, W=width) == analysis.accepts(H=height, W=width)


def test_newer_formats_and_other_files_are_refused() -> None:
    data = json.loads(shapelint.analyze(LOSSY).to_json())
    with pytest.raises(ValueError, match="newer than this shapelint"):
        shapelint.Analysis.from_json(json.dumps({**data, "format": FORMAT + 1}))
    for text in ("[]", "{}", "no JSON", '{"format": 1}'):
        with pytest.raises(ValueError, match=r"analysis of shapelint|Expecting value"):
            shapelint.Analysis.from_json(text)
