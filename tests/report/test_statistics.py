"""``--statistics``: counts in the place of findings."""

import json

import pytest

from shapelint.report.statistics import FORMATS, statistics
from shapelint.results import LintResult
from tests.report.findings import CLEAN, ERROR, NOTE, UNET, WARNING

RESULT = LintResult((ERROR, WARNING, WARNING, NOTE), (UNET,))


def test_the_most_frequent_first_with_a_mark_where_there_is_a_fix() -> None:
    assert statistics(RESULT, "concise").splitlines() == [
        "2  SL501      not-same",
        "1  SL101  [*] lossy-round-trip",
        "1  SL905      not-proven",
    ]


def test_text_closes_with_the_count_of_all() -> None:
    assert statistics(RESULT, "text").endswith("Found 1 error, 2 warnings and 1 note in 1 model.\n")
    assert statistics(LintResult((), (CLEAN,)), "text") == "No problems found in 1 model.\n"


def test_as_data() -> None:
    assert json.loads(statistics(RESULT, "json"))[:2] == [
        {"code": "SL501", "name": "not-same", "count": 2, "fixable": 0},
        {"code": "SL101", "name": "lossy-round-trip", "count": 1, "fixable": 1},
    ]


def test_there_are_none_in_other_formats() -> None:
    with pytest.raises(KeyError):
        statistics(RESULT, "sarif")
    assert set(FORMATS) == {"text", "concise", "json"}
