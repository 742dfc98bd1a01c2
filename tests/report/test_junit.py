"""JUnit XML: models are cases."""

from dataclasses import replace
from xml.etree import ElementTree as ET

from shapelint.diagnostics import Location
from shapelint.report import render
from shapelint.results import LintResult
from tests.report.findings import BAD_PATH, CLEAN, ERROR, FAILED, FOUND, NOTE, UNET, WARNING


def suite(result: LintResult) -> ET.Element:
    text = render("junit", result)
    assert text.startswith('<?xml version="1.0" encoding="UTF-8"?>\n<testsuites')
    found = ET.fromstring(text.encode()).find("testsuite")
    assert found is not None
    return found


def cases(result: LintResult) -> dict[tuple[str | None, str | None], list[str]]:
    return {(case.get("file"), case.get("name")): [part.tag for part in case] for case in suite(result)}


def test_a_case_for_every_model_by_file() -> None:
    assert cases(FOUND) == {
        ("", "not-proven"): ["system-out"],
        ("lenet.py", "LeNet"): [],
        ("my nets/unet.py", "UNet"): ["failure"],
    }
    counts = suite(FOUND).attrib
    assert (counts["tests"], counts["failures"], counts["errors"]) == ("3", "1", "0")


def test_a_failure_holds_all_errors_and_warnings_of_its_model() -> None:
    failure = suite(FOUND).find(".//failure")
    assert failure is not None
    assert failure.get("type") == "SL101, SL501"
    assert failure.get("message") == ERROR.message
    assert failure.text is not None
    assert "my nets/unet.py:8:20: SL101 [*] `up` does not" in failure.text
    assert "  why: 2*(32 - 1) = 62\n" in failure.text


def test_notes_do_not_fail_a_model() -> None:
    note = replace(NOTE, model="LeNet", location=Location("lenet.py", 4))
    assert cases(LintResult((note,), (CLEAN,))) == {("lenet.py", "LeNet"): ["system-out"]}


def test_a_layer_of_another_file_counts_for_its_model() -> None:
    elsewhere = replace(WARNING, location=Location("blocks.py", 3))
    assert cases(LintResult((elsewhere,), (UNET,))) == {("my nets/unet.py", "UNet"): ["failure"]}


def test_what_could_not_be_done_is_an_error() -> None:
    assert cases(FAILED)["", "bad-input"] == ["error"]
    assert suite(FAILED).get("errors") == "1"


def test_what_xml_cannot_hold_is_replaced() -> None:
    error = suite(LintResult((replace(BAD_PATH, message="\x1b[31m <&> é"),))).find(".//error")
    assert error is not None
    assert error.get("message") == "\ufffd[31m <&> é"
