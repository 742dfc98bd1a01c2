"""Bounds on the effort: how they are written, and that the analysis keeps to them and says so."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from torch import nn

import shapelint
from shapelint.cli import main
from shapelint.isolation.jobs import DEFAULT_TIMEOUT
from shapelint.limits import LimitError, Limits, Pairs, checked, limits_of, of_found, parse
from shapelint.linting import Question, check_file
from shapelint.loading.discover import Target
from shapelint.loading.paths import Request


def test_what_is_written_is_what_holds() -> None:
    assert parse("seconds=2.5") == ("seconds", 2.5)
    assert parse("paths = 7") == ("paths", 7)
    assert checked("set_complexity", 10) == ("set-complexity", 10)
    assert limits_of() == Limits()
    assert limits_of([("paths", 7), ("seconds", 1.0)], [("paths", 9)]) == Limits(paths=9, seconds=1.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("second=3", "there is no limit second; did you mean seconds?"),
        ("colour=3", "there is no limit colour; there are branches-per-path, enumeration-seconds, paths, "),
        ("paths=1.5", "paths must be a whole number, at least 1, not 1.5"),
        ("seconds=0", "seconds must be a number of seconds above 0, not 0.0"),
        ("seconds=soon", "seconds must be a number, not 'soon'"),
        ("seconds", "'seconds' is no limit: write NAME=NUMBER, such as seconds=10"),
    ],
)
def test_what_is_not_understood_is_told(text: str, message: str) -> None:
    with pytest.raises(LimitError) as caught:
        parse(text)
    assert str(caught.value).startswith(message)


class Branching(nn.Module):
    """A branch on each of several residues."""

    def forward(self, x):
        for divisor in (2, 3, 5, 7, 11):
            if x.shape[2] % divisor == 0:
                x = torch.relu(x)
        return x


class Coupled(nn.Module):
    """Sets that take isl some steps."""

    def forward(self, x):
        assert (3 * x.shape[2] + 5 * x.shape[3]) % 7 == 2
        return x[:, :, : (2 * x.shape[2] + 3 * x.shape[3]) // 5]


@pytest.mark.parametrize(
    ("model", "limits", "reason"),
    [
        (Branching(), Limits(paths_per_module=4), "has more than 4 paths"),
        (Branching(), Limits(branches_per_path=2), "more than 2 branches on sizes follow one another"),
        (Branching(), Limits(paths=3), "has more than 3 runs of modules to explore"),
        (Branching(), Limits(seconds=1e-9), "takes more than 1e-09 s"),
        (Coupled(), Limits(set_complexity=1), "the sets of sizes became too complex"),
    ],
    ids=["paths per module", "branches", "paths", "seconds", "sets"],
)
def test_each_limit_ends_honestly(model: nn.Module, limits: Limits, reason: str) -> None:
    # The limited one first: what is known of a set needs no further steps.
    analysis = shapelint.analyze(model, (1, 1, "H", "W"), limits=limits)
    assert analysis.certainty == "enumerated"
    assert reason in analysis.certainty_reasons[0]
    assert shapelint.analyze(model, (1, 1, "H", "W")).certainty == "proven"


MODEL = """
import torch
from torch import nn


class Branching(nn.Module):
    def forward(self, x):
        for divisor in (2, 3, 5):
            if x.shape[2] % divisor == 0:
                x = torch.relu(x)
        return x
"""


@pytest.mark.parametrize(
    ("settings", "options", "told"),
    [
        ("", [], "proven"),
        ("[tool.shapelint.limits]\npaths-per-module = 4\n", [], "enumerated, not proven: the model's forward has more"),
        ("[tool.shapelint.limits]\npaths-per-module = 4\n", ["--limit", "paths-per-module=50"], "proven"),
        ("", ["--limit", "paths=2", "--limit", "enumeration-seconds=1"], "more than 2 runs of modules"),
    ],
)
def test_settings_and_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: str, options: list[str], told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(MODEL)
    Path("pyproject.toml").write_text(settings)
    arguments = ["check", "net.py", "--no-cache", "--explain-certainty", "--input", "N,1,H,W", *options]
    result = CliRunner().invoke(main, arguments)
    assert told in result.output
    assert ("enumerated" in result.output) is ("proven" not in told or "not proven" in told)


def test_a_mistake_on_the_command_line_is_told() -> None:
    result = CliRunner().invoke(main, ["check", "net.py", "--limit", "pahts=3"])
    assert result.exit_code == 2
    assert "there is no limit pahts; did you mean paths?" in result.output


@pytest.mark.parametrize(
    ("given", "models", "named", "seconds"),
    [
        ((), 1, True, 8),
        ((), 4, True, 2),
        ((), 1, False, 1),
        ((), 16, False, 0.5),
        ((("enumeration-seconds", 30.0),), 16, False, 30),
    ],
)
def test_models_that_were_found_share_the_time_for_running_them(
    given: Pairs, models: int, named: bool, seconds: float
) -> None:
    limits = limits_of(of_found(given, models, named=named))
    assert limits.enumeration_seconds == seconds
    assert limits.seconds == (30 if named else 15) < DEFAULT_TIMEOUT


def test_a_model_that_is_named_has_the_time_for_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(
        f"{MODEL}\n\nclass Other(Branching):\n    # shapelint: Other input=(N, 1, H, W)\n    ...\n"
    )
    asked: dict[str, float] = {}

    def check(module: object, target: Target, path: Path, question: Question) -> tuple[tuple[()], None]:
        asked[target.name] = limits_of(question.limits).enumeration_seconds
        return (), None

    monkeypatch.setattr("shapelint.linting._check_target", check)
    check_file(Request(Path("net.py"), named=False))
    assert asked == {"Branching": 1, "Other": 8}
