"""The report for people: golden output, and the details of its layout."""

from pathlib import Path
from textwrap import dedent

import pytest

from shapelint.diagnostics import Applicability, Diagnostic, Fix, Location, Severity
from shapelint.report import Style, render
from shapelint.results import Assumption, LintResult, ModelResult

SOURCE = """\
import torch
from torch import nn


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.up2 = nn.ConvTranspose2d(64, 32, 3, stride=2, padding=1)
        self.up1 = nn.ConvTranspose2d(
            32, 16, 3, stride=2,
            padding=1,
        )
\tself.größe = nn.Conv2d(3, 8, 3)

    def forward(self, x):
        return self.up2(x)
"""


@pytest.fixture(autouse=True)
def _in_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "unet.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)


LOSSY = Diagnostic(
    code="SL101",
    name="lossy-round-trip",
    severity=Severity.ERROR,
    message="`decoder.up2` does not restore the width that `encoder.down2` had",
    location=Location("unet.py", 8, 20, 8, 70),
    use=Location("unet.py", 15, 16, 15, 27),
    model="UNet",
    layer="decoder.up2",
    sizes="every even H or W",
    example="For 64 × 64: encoder had 32, decoder returns 31",
    why="down2 drops a remainder of 1 (Res), up2 adds output_padding = 0",
    fixes=(
        Fix(
            "output_padding=1 makes the even sizes round-trip (the odd ones, right today, then do not)",
            Applicability.UNSAFE,
            verified=True,
        ),
        Fix("output_size=skip.shape[-2:] in forward serves every size", Applicability.SAFE, verified=True),
    ),
)
NOTE = Diagnostic(
    code="SL303",
    name="pinned-size",
    severity=Severity.NOTE,
    message="`fc` fixes the input to 32 × 32",
    model="UNet",
    certainty="enumerated",
)


def text(*findings: Diagnostic, models: tuple[ModelResult, ...] = (), style: Style | None = None) -> str:
    return render("text", LintResult(findings, models, files=1), style)


def test_a_whole_report() -> None:
    model = ModelResult(
        "UNet",
        Location("unet.py", 5),
        "UNet(n_channels=3, n_classes=2)",
        (Assumption("n_channels", "3"), Assumption("n_classes", "2")),
        "H and W multiples of 16, at least 16; output = input; proven",
    )
    assert text(LOSSY, NOTE, models=(model,)) == dedent(
        """\
        unet.py:8:20: SL101 [*] `decoder.up2` does not restore the width that `encoder.down2` had
          |
        8 |         self.up2 = nn.ConvTranspose2d(64, 32, 3, stride=2, padding=1)
          |                    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ (used in forward, line 15)
          |
          = sizes: every even H or W. For 64 × 64: encoder had 32, decoder returns 31
          = why:   down2 drops a remainder of 1 (Res), up2 adds output_padding = 0
          = fix:   output_padding=1 makes the even sizes round-trip (the odd ones, right today, then do not)
                   output_size=skip.shape[-2:] in forward serves every size

        SL303 note: `fc` fixes the input to 32 × 32
          = note:  enumerated, not proven: found by running the model at each size of a range (see --explain-certainty)

        UNet: H and W multiples of 16, at least 16; output = input; proven
          assumed n_channels=3, n_classes=2

        Found 1 error and 1 note in 1 model.
        [*] 1 finding with a fix that was tried on the model and works.
        """
    )


def test_a_construction_over_several_lines_is_bracketed() -> None:
    finding = Diagnostic("SL101", "lossy-round-trip", Severity.ERROR, "lossy", Location("unet.py", 9, 20, 12, 10))
    assert text(finding).startswith(
        dedent(
            """\
            unet.py:9:20: SL101 lossy
               |
             9 | / self.up1 = nn.ConvTranspose2d(
            10 | |     32, 16, 3, stride=2,
            11 | |     padding=1,
            12 | | )
               | |_^
               |
            """
        )
    )


def test_a_long_construction_is_shortened_in_the_middle() -> None:
    Path("long.py").write_text("x = f(\n" + "    1,\n" * 20 + ")\n")
    finding = Diagnostic("SL101", "lossy-round-trip", Severity.ERROR, "lossy", Location("long.py", 1, 5, 22, 2))
    lines = text(finding).splitlines()
    assert lines[2:9] == [
        " 1 | / x = f(",
        " 2 | |     1,",
        " 3 | |     1,",
        " 4 | |     1,",
        "   | | ...",
        "22 | | )",
        "   | |_^",
    ]


def test_tabs_and_wide_characters_do_not_shift_the_underline() -> None:
    Path("wide.py").write_text("\tx = '漢字'; y = nn.ReLU()\n")
    finding = Diagnostic("SL101", "n", Severity.ERROR, "m", Location("wide.py", 1, 16, 1, 25))
    line, underline = text(finding).splitlines()[2:4]
    assert line == "1 |     x = '漢字'; y = nn.ReLU()"
    assert underline == "  | " + " " * 20 + "^" * 9


@pytest.mark.parametrize("location", [Location("gone.py", 3, 1, 3, 4), Location("unet.py", 999, 1)])
def test_source_that_is_not_there_is_left_out(location: Location) -> None:
    finding = Diagnostic("SL101", "n", Severity.ERROR, "m", location, why="because")
    assert text(finding).splitlines()[:2] == [
        f"{location}: SL101 m",
        f"{' ' * len(str(location.line))} = why:   because",
    ]


def test_a_use_in_another_file_names_it() -> None:
    finding = Diagnostic("SL101", "n", Severity.ERROR, "m", Location("unet.py", 8, 20, 8, 70), Location("net.py", 3))
    assert "(used in forward, net.py:3)" in text(finding)


@pytest.mark.parametrize(
    ("fix", "line"),
    [
        (Fix("crop it", Applicability.MANUAL, verified=True), "= fix:   crop it (by hand)"),
        (Fix("pad it", Applicability.UNSAFE, verified=False), "= fix:   pad it (not verified)"),
    ],
)
def test_a_fix_that_no_program_may_apply_is_not_marked(fix: Fix, line: str) -> None:
    report = text(Diagnostic("SL101", "n", Severity.ERROR, "m", fixes=(fix,)))
    assert line in report
    assert "[*]" not in report


def test_how_the_file_builds_a_model_is_told_where_it_is_no_plain_call() -> None:
    own = ModelResult("Net", Location("unet.py", 5), "Net(3, nn.ReLU)", summary="any size; proven")
    plain = ModelResult("Plain", Location("unet.py", 5), "Plain()", summary="any size; proven")
    report = text(models=(own, plain))
    assert "Net: any size; proven\n  built as Net(3, nn.ReLU)\nPlain: any size; proven\n\n" in report
    assert report.endswith("No problems found in 2 models.\n")


def test_certainty_is_explained_on_request() -> None:
    model = ModelResult("Net", Location("unet.py", 5), "Net()", (), "s", "probed", ("my_op has no shape rule",))
    assert "my_op" not in text(models=(model,))
    assert "  probed, not proven: my_op has no shape rule" in text(models=(model,), style=Style(explain_certainty=True))


def test_nothing_to_lint_is_said() -> None:
    assert render("text", LintResult(files=2)) == "No models found in 2 files.\n"


def test_colours_are_added_only_when_wanted() -> None:
    plain = text(LOSSY)
    coloured = text(LOSSY, style=Style(color=True))
    assert "\x1b[" not in plain
    assert "\x1b[31m\x1b[1mSL101" in coloured
    assert "\x1b[31m^^^" in coloured


def test_models_of_several_files_are_told_apart() -> None:
    one = ModelResult("UNet", Location("a.py", 5), "UNet()", summary="any size; proven")
    two = ModelResult("UNet", Location("b.py", 5), "UNet()", summary="any size; proven")
    assert "UNet (a.py): any size; proven\nUNet (b.py): any size; proven\n" in text(models=(one, two))


def test_on_a_terminal_long_explanations_are_wrapped_and_indented() -> None:
    report = text(LOSSY, style=Style(width=70)).splitlines()
    start = next(position for position, line in enumerate(report) if "= sizes:" in line)
    assert report[start : start + 4] == [
        "  = sizes: every even H or W. For 64 × 64: encoder had 32, decoder",
        "             returns 31",
        "  = why:   down2 drops a remainder of 1 (Res), up2 adds",
        "             output_padding = 0",
    ]
