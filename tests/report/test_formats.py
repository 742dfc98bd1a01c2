"""The formats for programs, and the registry."""

import json
from pathlib import Path

import pytest

from shapelint.diagnostics import Applicability, Diagnostic, Edit, Fix, Location, Severity
from shapelint.report import format_names, render, report_format
from shapelint.results import LintResult

KEYS = [
    *("code", "name", "severity", "message", "path", "line", "column", "end_line", "end_column"),
    *("model", "layer", "axis", "sizes", "example", "certainty", "fixes"),
]
FINDING = Diagnostic(
    code="SL101",
    name="lossy-round-trip",
    severity=Severity.ERROR,
    message="`up` does not restore the width",
    location=Location("unet.py", 8, 20, 8, 70),
    model="UNet",
    layer="up",
    axis="W",
    sizes="every even W",
    example="W = 64: 31",
    fixes=(Fix("add it", Applicability.SAFE, True, (Edit(Location("unet.py", 8, 69, 8, 69), ", output_padding=1"),)),),
)
NOTE = Diagnostic("SL905", "not-proven", Severity.NOTE, "probed", certainty="probed")


def test_formats_are_the_files_of_the_package_text_first() -> None:
    assert format_names() == (
        *("text", "complete", "concise", "github", "gitlab", "json", "json-lines", "junit", "markdown", "sarif"),
    )


def test_registering_a_format_twice_raises() -> None:
    with pytest.raises(ValueError, match="registered twice"):
        report_format("text")(lambda result, style: "")


def test_json_findings_have_exactly_the_documented_keys() -> None:
    first, second = json.loads(render("json", LintResult((FINDING, NOTE))))
    assert list(first) == list(second) == KEYS
    assert first == {
        "code": "SL101",
        "name": "lossy-round-trip",
        "severity": "error",
        "message": "`up` does not restore the width",
        "path": "unet.py",
        "line": 8,
        "column": 20,
        "end_line": 8,
        "end_column": 70,
        "model": "UNet",
        "layer": "up",
        "axis": "W",
        "sizes": "every even W",
        "example": "W = 64: 31",
        "certainty": "proven",
        "fixes": [
            {
                "description": "add it",
                "applicability": "safe",
                "verified": True,
                "edits": [
                    {
                        "path": "unet.py",
                        "line": 8,
                        "column": 69,
                        "end_line": 8,
                        "end_column": 69,
                        "text": ", output_padding=1",
                    }
                ],
            }
        ],
    }
    assert [second[key] for key in ("path", "line", "layer", "fixes")] == [None, None, None, []]


def test_json_of_nothing_is_an_empty_list() -> None:
    assert json.loads(render("json", LintResult())) == []


def test_concise_is_a_line_a_finding_and_nothing_else(tmp_path: Path) -> None:
    assert render("concise", LintResult((FINDING, NOTE))) == (
        "unet.py:8:20: SL101 [*] `up` does not restore the width\nSL905 note: probed\n"
    )
    assert render("concise", LintResult()) == ""


def test_json_lines_are_the_objects_of_json() -> None:
    result = LintResult((FINDING, NOTE))
    lines = render("json-lines", result).splitlines()
    assert [json.loads(line) for line in lines] == json.loads(render("json", result))
    assert render("json-lines", LintResult()) == ""


@pytest.mark.parametrize("name", format_names())
def test_every_format_is_the_same_twice_and_ends_in_a_newline(name: str) -> None:
    result = LintResult((FINDING, NOTE))
    assert render(name, result) == render(name, result)
    assert render(name, result).endswith("\n")
