"""Rules that an installed package brings: a real dist-info on sys.path, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

HALVING = """
import torch

import shapelint
from shapelint.ops.registry import Spec


@torch.library.custom_op("halves::halve", mutates_args=(), schema="(Tensor x) -> Tensor")
def halve(x: torch.Tensor) -> torch.Tensor:
    return x[..., ::2].clone()


@halve.register_fake
def _(x):
    return x.new_empty((*x.shape[:-1], (x.shape[-1] + 1) // 2))


def register():
    @shapelint.shape_rule(torch.ops.halves.halve, torch.ops.halves.halve.default, halve)
    def halve_shape(x):
        return Spec((*x.shape[:-1], (x.shape[-1] + 1) // 2))
"""

MODEL = """
import halves
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Conv1d(1, 1, 3)

    def forward(self, x):
        return halves.halve(self.layer(x))
"""

ASK = """
import net, shapelint
analysis = shapelint.analyze(net.Net().eval())
print(analysis.certainty)
assert analysis.output_shape(T=12) == (1, 1, 5)
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder on sys.path with a package, and a model that uses it."""
    (tmp_path / "halves.py").write_text(HALVING)
    (tmp_path / "net.py").write_text(MODEL)
    (tmp_path / "pyproject.toml").write_text("[tool.shapelint]\n")
    return tmp_path


def install(place: Path, value: str, name: str = "halves-rules") -> None:
    folder = place / f"{name.replace('-', '_')}-1.5.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.5\n")
    (folder / "entry_points.txt").write_text(f"[shapelint.shape_rules]\nhalves = {value}\n")


def python(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": f"{place}{os.pathsep}{ROOT}", "NO_COLOR": "1"}
    return subprocess.run(
        [sys.executable, *arguments], cwd=place, env=environment, capture_output=True, text=True, check=False
    )


def check(place: Path) -> subprocess.CompletedProcess[str]:
    return python(place, "-m", "shapelint", "check", "net.py", "--no-cache", "--explain-certainty")


def test_without_a_rule_the_operation_is_probed_and_named(place: Path) -> None:
    assert python(place, "-c", ASK).stdout.strip() == "probed"
    assert "probed, not proven: halves::halve has no shape rule" in check(place).stdout


@pytest.mark.parametrize("value", ["halves:register", "registering"])
def test_an_installed_rule_is_used(place: Path, value: str) -> None:
    (place / "registering.py").write_text("import halves\n\nhalves.register()\n")
    install(place, value)
    asked = python(place, "-c", ASK)
    assert (asked.stdout.strip(), asked.stderr) == ("proven", "")
    checked = check(place)
    assert "Net: T: at least 3; output = T/2 - 1; proven" in checked.stdout
    assert checked.stderr == ""


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("halves:registre", "AttributeError: module 'halves' has no attribute 'registre'"),
        ("not_there", "ModuleNotFoundError: No module named 'not_there'"),
        ("again", "ValueError: <built-in method relu of type object"),
    ],
)
def test_a_broken_one_is_told_once_with_its_package(place: Path, value: str, reason: str) -> None:
    (place / "again.py").write_text("import shapelint\n\n\n@shapelint.shape_rule('relu')\ndef relu(x): ...\n")
    install(place, value)
    told = f"the shape rules of the package halves-rules 1.5 ({value}) cannot be loaded, and are left out: {reason}"
    asked = python(place, "-c", ASK + "shapelint.analyze(net.Net().eval())")
    assert asked.stdout.strip() == "probed"
    assert asked.stderr.count(told) == 1, asked.stderr
    (place / "more.py").write_text(MODEL)
    checked = python(place, "-m", "shapelint", "check", "--no-cache", "--jobs", "2", "net.py", "more.py")
    assert checked.returncode == 0
    assert checked.stderr.count(told) == 1
    assert checked.stderr.startswith(f"shapelint: {told}")


NAMING = """
import shapelint
from shapelint.ops.registry import Spec


@shapelint.shape_rule("halves::halve")
def halve_shape(x):
    return Spec((*x.shape[:-1], (x.shape[-1] + 1) // 2))
"""


def test_an_operator_is_named_without_its_package(place: Path) -> None:
    (place / "naming.py").write_text(NAMING)
    install(place, "naming")
    assert python(place, "-c", "import naming, sys; assert 'halves' not in sys.modules").returncode == 0
    asked = python(place, "-c", ASK)
    assert (asked.stdout.strip(), asked.stderr) == ("proven", "")
