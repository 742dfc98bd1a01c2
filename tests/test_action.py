"""The scripts of the GitHub Action, run as GitHub runs them."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import shapelint

yaml = pytest.importorskip("yaml")

ROOT = Path(shapelint.__file__).parents[1]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
STEPS = {step["name"]: step for step in ACTION["runs"]["steps"]}
BROKEN = """\
from torch import nn


class Autoencoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.up = nn.ConvTranspose2d(8, 3, 3, stride=2, padding=1)

    def forward(self, x):
        return self.up(self.down(x))
"""

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")


def run(step: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """A step's script, with the commands of `bin`, and the variables that the step sets."""
    declared = STEPS[step]["env"]
    assert set(environment) == set(declared)
    for name, value in environment.items():
        assert "${{" in declared[name], value
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", STEPS[step]["run"]],
        cwd=folder,
        env={
            **os.environ,
            **environment,
            "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "GITHUB_OUTPUT": str(folder / "output"),
        },
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with a `shapelint` to call, and a `python` that only says what it is asked."""
    (tmp_path / "bin").mkdir()
    for name, text in {
        "shapelint": f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m shapelint "$@"\n',
        "python": '#!/bin/sh\nprintf "%s\\n" "$@"\n',
    }.items():
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "net.py").write_text(BROKEN)
    return tmp_path


def check(project: Path, paths: str, arguments: str) -> subprocess.CompletedProcess[str]:
    return run("Check", project, PATHS=paths, ARGS=arguments, REPORT=str(project / "report.sarif"))


def test_findings_go_to_the_diff_and_into_the_report(project: Path) -> None:
    done = check(project, "net.py", "--select SL1 --fail-on error")
    assert done.returncode == 1
    assert done.stdout.startswith(
        "::error file=net.py,line=8,col=19,endColumn=67,title=SL101 lossy-round-trip::`up` does"
    )
    assert (project / "output").read_text() == f"sarif={project / 'report.sarif'}\n"
    report = json.loads((project / "report.sarif").read_text())
    assert [result["ruleId"] for result in report["runs"][0]["results"]] == ["SL101"]


def test_names_and_options_may_hold_spaces(project: Path) -> None:
    (project / "my nets").mkdir()
    (project / "net.py").rename(project / "my nets" / "a net.py")
    done = check(project, "'my nets/a net.py'", "--size 'H%2==0, W%2==0' --model \"Autoencoder()\"")
    assert done.returncode == 1
    assert done.stdout.startswith("::error file=my nets/a net.py,line=8,")
    report = json.loads((project / "report.sarif").read_text())
    (result,) = report["runs"][0]["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "my%20nets/a%20net.py"


@pytest.mark.parametrize("paths", ["*.py", "net.py\nother.py\n"])
def test_several_files(project: Path, paths: str) -> None:
    (project / "other.py").write_text(BROKEN)
    done = check(project, paths, "")
    assert [line.split(",")[0] for line in done.stdout.splitlines() if line.startswith("::error")] == [
        "::error file=net.py",
        "::error file=other.py",
    ]


def test_nothing_is_executed_and_an_open_quote_is_told(project: Path) -> None:
    done = check(project, "$(touch${IFS}executed)", "'--select SL1")
    assert done.returncode == 2
    assert "quote" in done.stderr
    assert not (project / "executed").exists()
    assert check(project, "`touch\texecuted`;touch executed", "").returncode == 2
    assert not (project / "executed").exists()


def test_nothing_is_uploaded_where_there_is_no_report(project: Path) -> None:
    done = check(project, ".", "--select NOTHING")
    assert done.returncode == 2
    assert "no rule is called NOTHING" in done.stderr
    assert not (project / "output").exists()


@pytest.mark.parametrize(("version", "wanted"), [("", "/the/action"), ("==0.1.0", "shapelint==0.1.0")])
def test_what_is_installed(project: Path, version: str, wanted: str) -> None:
    done = run("Install", project, VERSION=version, ACTION="/the/action")
    assert done.stdout.split("\n")[:4] == ["-m", "pip", "install", wanted]
