"""What the reports for people sum up, and what they never do."""

from dataclasses import replace

import pytest

from shapelint.diagnostics import Diagnostic, Location, Severity
from shapelint.report import Style, render
from shapelint.results import LintResult, ModelResult

PLACE = Location("nets.py", 3, 1)
NOT_BUILT = Diagnostic("SL902", "cannot-construct", Severity.NOTE, "cannot construct A", PLACE, assumed=True)
NOT_RUN = Diagnostic("SL904", "cannot-trace", Severity.NOTE, "A does not run", PLACE, model="A", assumed=True)
NOT_PROVEN = Diagnostic("SL905", "not-proven", Severity.NOTE, "A is enumerated", PLACE, certainty="enumerated")
PINNED = Diagnostic("SL303", "pinned-size", Severity.NOTE, "`fc` fixes the input to 32 × 32", PLACE)
UNJUDGED = ModelResult("A", PLACE, "A()", summary="not judged", judged=False)
JUDGED = ModelResult("B", PLACE, "B()", summary="all sizes")


def result_with(*findings: Diagnostic, times: int) -> LintResult:
    told = [replace(finding, message=f"{finding.message} {number}") for finding in findings for number in range(times)]
    return LintResult(tuple(told), (UNJUDGED, JUDGED), files=9)


@pytest.mark.parametrize("form", ["text", "markdown"])
def test_many_notes_of_one_kind_are_a_sentence(form: str) -> None:
    report = render(form, result_with(NOT_BUILT, NOT_RUN, NOT_PROVEN, PINNED, times=4))
    assert "SL90" not in report
    assert "SL303" not in report
    assert "Found 16 notes in 2 models." in report
    assert "4 notes on models that take certain sizes only, as their lines say." in report
    assert "4 models could not be built with the arguments that were assumed." in report
    assert "4 notes on what does not fit the inputs or arguments that were assumed." in report
    assert "4 models enumerated or probed, not proven." in report
    assert "not judged" not in report
    assert "all sizes" in report
    assert "--verbose" in report


@pytest.mark.parametrize(
    ("result", "style"),
    [
        (result_with(NOT_BUILT, NOT_RUN, NOT_PROVEN, times=3), Style()),
        (result_with(NOT_BUILT, NOT_RUN, NOT_PROVEN, times=4), Style(verbose=True)),
    ],
    ids=["few", "verbose"],
)
def test_few_are_told_and_all_where_that_is_asked_for(result: LintResult, style: Style) -> None:
    report = render("text", result, style)
    assert all(finding.message in report for finding in result.diagnostics)
    assert "not judged" in report
    assert "--verbose" not in report


@pytest.mark.parametrize(
    "finding",
    [
        replace(NOT_RUN, severity=Severity.ERROR),
        replace(NOT_BUILT, severity=Severity.ERROR, assumed=False),
        replace(NOT_BUILT, assumed=False),
        Diagnostic("SL301", "output-size-differs", Severity.NOTE, "A returns another size", PLACE),
    ],
)
def test_what_is_a_finding_about_the_code_is_always_told(finding: Diagnostic) -> None:
    result = result_with(finding, times=9)
    assert all(entry.message in render("text", result) for entry in result.diagnostics)


def test_what_several_models_share_is_told_once() -> None:
    shared = Diagnostic("SL303", "pinned-size", Severity.WARNING, "`norm` pins", PLACE, model="A", why="7 is not 8")
    found = [replace(shared, model=model) for model in "ABC"] + [replace(shared, model="D", why="")]
    report = render("text", LintResult(tuple(found)))
    assert report.count("SL303") == 2
    assert "= why:   7 is not 8; the same in B and C" in report
    assert "Found 4 warnings." in report
    assert render("text", LintResult(tuple(found)), Style(verbose=True)).count("SL303") == 4


@pytest.mark.parametrize("form", ["concise", "json", "json-lines", "sarif", "gitlab", "junit", "github", "complete"])
def test_what_programs_read_has_everything(form: str) -> None:
    result = result_with(NOT_BUILT, NOT_RUN, NOT_PROVEN, times=4)
    assert all(finding.message in render(form, result) for finding in result.diagnostics)
