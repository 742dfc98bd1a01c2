"""What the command line does with a result: where it goes, what it is counted as, and the exit status."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from shapelint.cli import main
from shapelint.loading.errors import LoadError
from shapelint.report import format_names, render
from shapelint.results import LintResult
from tests.report.findings import BAD_PATH, CLEAN, ERROR, FOUND, NOTE, UNET, WARNING

Finding = Callable[..., None]


@pytest.fixture(autouse=True)
def _in_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def finding(monkeypatch: pytest.MonkeyPatch) -> Callable[[LintResult], dict[str, Any]]:
    """Makes every run find this; the options that it was asked with come back."""

    def find(result: LintResult) -> dict[str, Any]:
        asked: dict[str, Any] = {}

        def lint_detailed(paths: object, **options: Any) -> LintResult:
            asked.update(options, paths=paths)
            return result

        monkeypatch.setattr("shapelint.linting.lint_detailed", lint_detailed)
        return asked

    return find


def check(*options: str) -> Result:
    return CliRunner().invoke(main, ["check", "--no-cache", *options])


class TestExitStatus:
    """0, 1 or 2."""

    @pytest.mark.parametrize(
        ("found", "options", "status"),
        [
            ((), "", 0),
            ((NOTE,), "", 0),
            ((NOTE,), "--fail-on note", 1),
            ((WARNING,), "", 1),
            ((WARNING,), "--fail-on error", 0),
            ((WARNING,), "--fail-on note", 1),
            ((ERROR,), "--fail-on error", 1),
            ((ERROR,), "--exit-zero", 0),
            ((BAD_PATH,), "--exit-zero", 2),
            ((BAD_PATH,), "--fail-on error", 2),
        ],
    )
    def test_is_what_the_findings_and_the_options_say(
        self, finding: Finding, found: tuple[Any, ...], options: str, status: int
    ) -> None:
        finding(LintResult(found, (CLEAN,)))
        assert check(*options.split()).exit_code == status


class TestOutputFile:
    """``--output-file``."""

    @pytest.mark.parametrize("name", format_names())
    def test_has_the_report_and_standard_output_has_nothing(self, finding: Finding, name: str) -> None:
        finding(FOUND)
        result = check("--output-format", name, "--output-file", "report.out")
        assert (result.exit_code, result.output) == (1, "")
        assert Path("report.out").read_text(encoding="utf-8") == render(name, FOUND)

    def test_has_no_colour(self, finding: Finding, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("NO_COLOR", raising=False)
        monkeypatch.setenv("FORCE_COLOR", "1")
        finding(FOUND)
        check("--output-file", "report.txt")
        assert "\x1b" not in Path("report.txt").read_text()

    def test_that_cannot_be_written_is_told(self, finding: Finding) -> None:
        finding(FOUND)
        result = check("--output-file", "none/report.txt")
        assert result.exit_code == 2
        assert "shapelint: cannot write none/report.txt: No such file or directory" in result.output


class TestStatistics:
    """``--statistics``."""

    def test_counts_take_the_place_of_findings(self, finding: Finding) -> None:
        finding(FOUND)
        result = check("--statistics", "--output-format", "concise")
        assert result.output == ("1  SL101  [*] lossy-round-trip\n1  SL501      not-same\n1  SL905      not-proven\n")
        assert result.exit_code == 1

    def test_a_format_that_has_none_is_a_wrong_option(self) -> None:
        result = check("--statistics", "--output-format", "sarif")
        assert result.exit_code == 2
        assert "--statistics counts in text, concise, json, not in sarif" in result.output


class TestBaseline:
    """``--write-baseline`` and ``--baseline``."""

    def test_writing_reports_nothing_and_is_a_success(self, finding: Finding) -> None:
        asked = finding(LintResult((ERROR, NOTE), (UNET,)))
        result = check("--write-baseline", "old.json")
        assert (result.exit_code, result.stdout) == (0, "")
        assert result.stderr == "shapelint: wrote 2 findings to old.json\n"
        assert Path("old.json").exists()
        assert asked["baseline"] is None

    def test_writing_does_not_hide_a_path_that_is_not_there(self, finding: Finding) -> None:
        finding(LintResult((BAD_PATH,)))
        result = check("--write-baseline", "old.json")
        assert result.exit_code == 2
        assert "SL906 no such file or directory" in result.stderr

    def test_it_is_handed_on_and_its_remarks_go_to_standard_error(self, finding: Finding) -> None:
        asked = finding(LintResult((), (CLEAN,), remarks=("3 findings of the baseline not shown",)))
        result = check("--baseline", "old.json", "--output-format", "json")
        assert asked["baseline"] == Path("old.json")
        assert (result.exit_code, result.stdout) == (0, "[]\n")
        assert result.stderr == "shapelint: 3 findings of the baseline not shown\n"

    def test_one_that_is_not_there_is_told(self) -> None:
        Path("plain.py").write_text("x = 1\n")
        result = check("plain.py", "--baseline", "old.json")
        assert result.exit_code == 2
        assert "shapelint: cannot read the baseline old.json: No such file or directory" in result.stderr


class TestConfiguration:
    """Mistakes end the run before any file is read."""

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("[tool.shapelint]\nselct = []\n", "pyproject.toml:2:1: unknown key selct; did you mean select?"),
            ("[tool.shapelint]\njobs = \n", "pyproject.toml:2:8: this is not valid TOML: Invalid value"),
            ('[tool.shapelint]\nselect = ["SL9999"]\n', "pyproject.toml:2:12: no rule is called SL9999"),
        ],
    )
    def test_are_told_with_file_and_line(self, text: str, message: str) -> None:
        Path("pyproject.toml").write_text(text)
        result = check()
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr.startswith(f"shapelint: {message}")

    def test_a_given_file_takes_the_place_of_others(self, finding: Finding) -> None:
        Path("pyproject.toml").write_text("[tool.shapelint]\nselct = []\n")
        asked = finding(LintResult())
        assert check("--config", "ci.toml").exit_code == 0
        assert asked["config"] == Path("ci.toml")

    def test_a_given_file_that_is_not_there(self) -> None:
        result = check("--config", "ci.toml")
        assert (result.exit_code, result.stderr) == (
            2,
            "shapelint: cannot read ci.toml: No such file or directory\n",
        )


def test_other_failures_are_told_without_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def lint_detailed(paths: object, **options: object) -> LintResult:
        raise LoadError("SL906", "N;3 is not a shape")

    monkeypatch.setattr("shapelint.linting.lint_detailed", lint_detailed)
    assert check().stderr == "shapelint: N;3 is not a shape\n"


class TestHelp:
    """What a reader of ``--help`` finds."""

    @pytest.mark.parametrize("command", ["check", "explain", "rules", "show"])
    def test_every_command_has_examples(self, command: str) -> None:
        output = CliRunner().invoke(main, [command, "--help"]).output
        assert "Examples:" in output
        assert f"  shapelint {command} " in output

    def test_options_stand_under_headings(self) -> None:
        lines = CliRunner().invoke(main, ["check", "--help"]).output.splitlines()
        headings = [line for line in lines if line.endswith(":") and not line.startswith(" ")]
        assert headings == [
            *("What is analysed:", "What is reported:", "The report:", "Exit status:", "The run:", "Other options:")
        ]
        assert lines[-1].split() == ["-h,", "--help", "Show", "this", "message", "and", "exit."]

    def test_every_format_is_named(self) -> None:
        output = " ".join(CliRunner().invoke(main, ["check", "--help"]).output.split()).replace("- ", "-")
        assert f"One of {', '.join(format_names())}." in output

    @pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
    def test_completion_is_documented(self, shell: str) -> None:
        assert f"_SHAPELINT_COMPLETE={shell}_source shapelint" in CliRunner().invoke(main, ["--help"]).output


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("explain SL60", ["plain,SL601", "plain,SL602"]),
        ("explain lossy", ["plain,lossy-round-trip"]),
        ("check --select sl60", ["plain,SL601", "plain,SL602"]),
        ("check --ignore SL1,SL601,check", ["plain,SL1,SL601,checkerboard"]),
        ("check --fail-on w", ["plain,warning"]),
        ("check une", ["file,une"]),
        ("show une", ["file,une"]),
    ],
)
def test_what_the_shell_completes(words: str, completed: list[str]) -> None:
    environment = {
        **os.environ,
        "_SHAPELINT_COMPLETE": "bash_complete",
        "COMP_WORDS": f"shapelint {words}",
        "COMP_CWORD": str(len(words.split())),
        "PYTHONPATH": str(Path(__file__).parents[1]),
    }
    command = [sys.executable, "-m", "shapelint"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.split() == completed
