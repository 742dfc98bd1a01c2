"""The summary in Markdown."""

from dataclasses import replace

from shapelint.report import render
from shapelint.results import LintResult
from tests.report.findings import CLEAN, ERROR, FOUND, NOTE, UNET


def test_the_count_the_findings_and_the_models() -> None:
    lines = render("markdown", FOUND).splitlines()
    assert lines[:6] == [
        "# shapelint",
        "",
        "Found 1 error, 1 warning and 1 note in 2 models.",
        "",
        "| where | severity | code | what |",
        "|---|---|---|---|",
    ]
    assert lines[-4:] == [
        "| model | sizes |",
        "|---|---|",
        "| `UNet` | any (assumed n\\_classes=2) |",
        "| `LeNet` | H and W: 32 |",
    ]


def test_a_finding_is_one_row_with_its_details_folded_away() -> None:
    (row,) = [line for line in render("markdown", LintResult((ERROR,))).splitlines() if "SL101" in line]
    assert row == (
        "| `my nets/unet.py:8` | error | SL101 | `up` does not restore the size that `down` had"
        "<details><summary>details</summary>sizes: every even W<br>example: For 64 × 64: 31 \\| 32<br>"
        "why: 2\\*(32 - 1) = 62<br>fix: output\\_padding=1: then even sizes come back<br>"
        "fix: output\\_size=skip.shape\\[-2:\\] in forward</details> |"
    )


def test_what_would_break_the_table_is_escaped() -> None:
    note = replace(NOTE, message="a|b `c|d` <e>\nf")
    assert "| note | SL905 | a\\|b `c\\|d` \\<e\\> f |" in render("markdown", LintResult((note,)))


def test_a_backtick_alone_is_not_left_open() -> None:
    assert "| a'b\\_c |" in render("markdown", LintResult((replace(NOTE, message="a`b_c"),)))


def test_of_clean_models() -> None:
    assert render("markdown", LintResult((), (CLEAN,), files=1)) == (
        "# shapelint\n\nNo problems found in 1 model.\n\n| model | sizes |\n|---|---|\n| `LeNet` | H and W: 32 |\n"
    )
    assert UNET.name not in render("markdown", LintResult())
