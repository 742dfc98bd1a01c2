"""Findings in notebooks, for tools that know files and lines alone."""

import json
from dataclasses import replace

from shapelint.diagnostics import Location
from shapelint.report import render
from shapelint.results import LintResult
from tests.report.findings import ERROR

IN_CELL = LintResult((replace(ERROR, location=Location("nets/unet.ipynb:cell 3", 8, 20, 8, 70), use=None, fixes=()),))
MESSAGE = "cell 3, line 8: `up` does not restore the size that `down` had"


def test_github() -> None:
    command, _, message = render("github", IN_CELL).partition("lossy-round-trip::")
    assert command == "::error file=nets/unet.ipynb,title=SL101 "
    assert message.startswith(MESSAGE)


def test_gitlab() -> None:
    (entry,) = json.loads(render("gitlab", IN_CELL))
    assert entry["location"] == {"path": "nets/unet.ipynb", "lines": {"begin": 1, "end": 1}}
    assert entry["description"] == f"SL101 {MESSAGE}"


def test_sarif() -> None:
    (result,) = json.loads(render("sarif", IN_CELL))["runs"][0]["results"]
    assert result["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "nets/unet.ipynb", "uriBaseId": "%SRCROOT%"}
    }
    assert result["message"]["text"].startswith(MESSAGE)
