"""GitLab's code quality report."""

import json
from dataclasses import replace
from typing import Any

from shapelint.diagnostics import Diagnostic, Location
from shapelint.report import render
from shapelint.results import LintResult
from tests.report.findings import BAD_PATH, ERROR, FOUND


def entries(*findings: Diagnostic) -> list[dict[str, Any]]:
    data: list[dict[str, Any]] = json.loads(render("gitlab", LintResult(findings)))
    return data


def test_the_keys_that_gitlab_requires() -> None:
    (entry,) = entries(ERROR)
    assert len(entry.pop("fingerprint")) == 32
    assert entry == {
        "description": "SL101 `up` does not restore the size that `down` had",
        "check_name": "lossy-round-trip",
        "severity": "major",
        "location": {"path": "my nets/unet.py", "lines": {"begin": 8, "end": 8}},
    }


def test_severities() -> None:
    assert [entry["severity"] for entry in entries(*FOUND.diagnostics)] == ["major", "minor", "info"]


def test_fingerprints_stay_where_lines_move_and_differ_within_a_report() -> None:
    moved = replace(ERROR, location=Location("my nets/unet.py", 30), message="reworded")
    assert entries(ERROR)[0]["fingerprint"] == entries(moved)[0]["fingerprint"]
    first, second = entries(ERROR, moved)
    assert first["fingerprint"] != second["fingerprint"]


def test_what_stands_nowhere_is_told_of_the_project() -> None:
    assert entries(BAD_PATH)[0]["location"] == {"path": ".", "lines": {"begin": 1, "end": 1}}


def test_of_nothing_is_an_empty_list() -> None:
    assert entries() == []
