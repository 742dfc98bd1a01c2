"""Workflow commands of GitHub Actions."""

from dataclasses import replace

from shapelint.diagnostics import Location
from shapelint.report import render
from shapelint.results import LintResult
from tests.report.findings import BAD_PATH, ERROR, FOUND, NOTE, WARNING


def test_a_line_each_in_order() -> None:
    lines = render("github", FOUND).splitlines()
    assert [line.partition(" ")[0] for line in lines] == ["::error", "::warning", "::notice"]


def test_the_message_holds_the_details() -> None:
    assert render("github", LintResult((ERROR,))) == (
        "::error file=my nets/unet.py,line=8,col=20,endColumn=70,title=SL101 lossy-round-trip::"
        "`up` does not restore the size that `down` had%0Asizes: every even W%0Aexample: For 64 × 64: 31 | 32"
        "%0Awhy: 2*(32 - 1) = 62%0Afix: output_padding=1: then even sizes come back"
        "%0Afix: output_size=skip.shape[-2:] in forward\n"
    )


def test_columns_are_left_out_over_several_lines_and_special_characters_are_escaped() -> None:
    assert render("github", LintResult((WARNING,))) == (
        "::warning file=my nets/unet.py,line=20,endLine=22,title=SL501 not-same::`a` is off by 100 %25, at%0Amost\n"
    )
    odd = replace(NOTE, location=Location("a,b:c%.py", 1))
    assert render("github", LintResult((odd,))).startswith("::notice file=a%2Cb%3Ac%25.py,line=1,col=1,title=")


def test_what_stands_nowhere_has_a_title_alone() -> None:
    assert render("github", LintResult((BAD_PATH,))).startswith("::error title=SL906 bad-input::no such file")


def test_of_nothing_is_nothing() -> None:
    assert render("github", LintResult()) == ""
