"""Comments that suppress findings, and those that have nothing to suppress."""

from dataclasses import replace
from pathlib import Path
from textwrap import dedent

import pytest

from shapelint.diagnostics import Diagnostic, Edit, Location, Severity
from shapelint.results import Assumption, LintResult, ModelResult
from shapelint.suppressions import unsuppressed

FILE = Path("net.py")
KNOWN = {
    "SL101": "lossy-round-trip",
    "SL102": "invalid-output-padding",
    "SL601": "dropped-border",
    "SL905": "not-proven",
}
OFF = frozenset({"SL601"})
SOURCE = """
from torch import nn

class Net(nn.Module):{at_class}
    def __init__(self):{at_init}
        super().__init__()
        self.up = nn.ConvTranspose2d({at_open}
            8, 3, 3,
            stride=2,
        ){at_close}

    def forward(self, x):
        return self.up(x){at_use}
"""
FINDING = Diagnostic(
    "SL101",
    "lossy-round-trip",
    Severity.ERROR,
    "up",
    location=Location("net.py", 7, 19, 10, 10),
    use=Location("net.py", 13, 16, 13, 26),
    model="Net",
    layer="up",
)
MODEL = ModelResult("Net", Location("net.py", 4, 1, 4, 10), "Net()")


@pytest.fixture(autouse=True)
def _in_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def left(*findings: Diagnostic, model: ModelResult = MODEL, source: str = "", **comments: str) -> list[Diagnostic]:
    """What is reported of these findings in a file with these comments."""
    places = ("at_class", "at_init", "at_open", "at_close", "at_use")
    written = {place: f"  {comments[place]}" if place in comments else "" for place in places}
    FILE.write_text(dedent(source) or SOURCE.format(**written))
    result = LintResult(findings, (model,), files=1)
    return list(unsuppressed([(FILE, result)], lambda: KNOWN, lambda path, code: code not in OFF))


def codes(*findings: Diagnostic, **comments: str) -> list[str]:
    return [finding.code for finding in left(*findings, **comments)]  # type: ignore[arg-type]


@pytest.mark.parametrize("place", ["at_class", "at_init", "at_open", "at_close", "at_use"])
def test_on_the_lines_of_the_finding_or_at_a_heading_around_it(place: str) -> None:
    assert codes(FINDING, **{place: "# noqa: SL101"}) == []


@pytest.mark.parametrize(
    "comment",
    [
        "# noqa",
        "# NOQA",
        "#noqa:SL101",
        "# noqa: sl101",
        "# noqa: E501, SL101",
        "# noqa: SL101 it is meant so",
        "# the decoder  # noqa: SL101",
        "# shapelint: ignore",
        "# shapelint: ignore[SL101]",
        "# shapelint: ignore[SL1]",
        "# shapelint: ignore[lossy-round-trip]",
        "#shapelint:ignore[ SL101 ]",
        "# shapelint: ignore[SL101]  # as in the paper",
    ],
)
def test_ways_to_write_it(comment: str) -> None:
    assert codes(FINDING, at_close=comment) == []


@pytest.mark.parametrize("comment", ["# noqa: E501", "# noqa: SLF001", "# nothing", "# shapelint: ignored"])
def test_comments_that_speak_of_something_else(comment: str) -> None:
    assert codes(FINDING, at_close=comment) == ["SL101"]


def test_a_text_that_looks_like_a_comment_is_none() -> None:
    source = """
    class Net:
        up = "# noqa: SL101"
    """
    assert [d.code for d in left(replace(FINDING, location=Location("net.py", 3)), source=source)] == ["SL101"]


def test_a_heading_holds_for_a_model_whose_layers_are_made_elsewhere() -> None:
    Path("blocks.py").write_text("class Up:\n    pass\n")
    elsewhere = replace(FINDING, location=Location("blocks.py", 2), use=None)
    assert codes(elsewhere, at_class="# noqa: SL101") == []
    assert codes(replace(elsewhere, model="Other"), at_class="# shapelint: ignore[SL101]") == ["SL101", "SL903"]


def test_the_file_of_a_layer_has_a_say_too() -> None:
    Path("blocks.py").write_text("class Up:\n    pass  # noqa: SL101\n")
    assert codes(replace(FINDING, location=Location("blocks.py", 2))) == []


class TestUnused:
    """SL903."""

    @pytest.mark.parametrize(
        ("comment", "message"),
        [
            ("# shapelint: ignore[SL101]", "there is no SL101 here to suppress"),
            ("# shapelint: ignore", "this comment suppresses nothing"),
            ("# noqa: SL101", "there is no SL101 here to suppress"),
            ("# noqa: SL101, SL102", "there is no SL101, SL102 here to suppress"),
            ("# shapelint: ignore[lossy-round-trip]", "there is no lossy-round-trip here to suppress"),
            ("# shapelint: ignore[SL999]", "there is no rule SL999"),
            ("# shapelint: ignore[lossy]", "there is no rule lossy"),
        ],
    )
    def test_is_told(self, comment: str, message: str) -> None:
        (finding,) = left(at_close=comment)
        assert (finding.code, finding.severity, finding.message) == ("SL903", Severity.WARNING, message)

    @pytest.mark.parametrize("comment", ["# noqa", "# noqa: E501", "# noqa: SLF001"])
    def test_other_linters_comments_are_not_judged(self, comment: str) -> None:
        assert left(at_close=comment) == []

    def test_of_several_codes_the_useless_are_named(self) -> None:
        (finding,) = left(FINDING, at_close="# shapelint: ignore[SL101, SL102]")
        assert finding.message == "there is no SL102 here to suppress"
        assert finding.fixes == ()

    @pytest.mark.parametrize("comment", ["# noqa: SL601", "# shapelint: ignore[SL6]"])
    def test_rules_that_were_not_checked_are_not_judged(self, comment: str) -> None:
        assert left(at_close=comment) == []

    def test_a_file_that_was_not_analysed_in_full_is_not_judged(self) -> None:
        failure = Diagnostic("SL902", "cannot-construct", Severity.NOTE, "no", Location("net.py", 20))
        assert codes(failure, at_close="# noqa: SL101") == ["SL902"]

    def test_a_file_without_an_analysed_model_is_not_judged(self) -> None:
        FILE.write_text(SOURCE.format(at_class="# noqa: SL101", at_init="", at_open="", at_close="", at_use=""))
        assert list(unsuppressed([(FILE, LintResult(files=1))], lambda: KNOWN, lambda path, code: True)) == []

    def test_with_assumed_arguments_it_is_a_note(self) -> None:
        (finding,) = left(model=replace(MODEL, assumptions=(Assumption("c", "3"),)), at_close="# noqa: SL101")
        assert finding.severity is Severity.NOTE

    @pytest.mark.parametrize(
        ("line", "mended"),
        [
            ("x = 1  # noqa: SL101", "x = 1"),
            ("x = 1  # é # shapelint: ignore[SL101]", "x = 1  # é # shapelint: ignore[SL101]"),
            ("x = 'é'  # shapelint: ignore[SL101]", "x = 'é'"),
            ("x = 1  # noqa: SL101, E501", "x = 1  # noqa: SL101, E501"),
        ],
    )
    def test_the_fix_removes_a_comment_that_says_nothing_else(self, line: str, mended: str) -> None:
        (finding,) = left(source=line)
        for fix in finding.fixes:
            (edit,) = fix.edits
            line = applied(line, edit)
        assert line == mended


def applied(line: str, edit: Edit) -> str:
    assert edit.location.end_column is not None
    return line[: edit.location.column - 1] + edit.text + line[edit.location.end_column - 1 :]


@pytest.mark.parametrize("comment", ["# shapelint: ignore[SL101", "# shapelint: ignore[]"])
def test_a_comment_that_is_not_understood_is_told(comment: str) -> None:
    first, second = left(FINDING, at_close=comment)
    assert (first, second.code, second.location and second.location.line) == (FINDING, "SL906", 10)
    assert second.message.endswith("write # shapelint: ignore[SL101] or # noqa: SL101")


def test_a_file_that_cannot_be_read_suppresses_nothing() -> None:
    FILE.write_bytes(b"\0 # noqa")
    result = LintResult((FINDING,), (), files=1)
    assert list(unsuppressed([(FILE, result)], lambda: KNOWN, lambda path, code: True)) == [FINDING]
