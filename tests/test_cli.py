"""The command line, as a user meets it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import shapelint
from shapelint.cli import main, wants_color

NET = "class Net(torch.nn.Module):\n    def forward(self, x): return x\n"
ROOT = Path(shapelint.__file__).parents[1]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def process(*arguments: str, cwd: Path, program: str = "") -> subprocess.CompletedProcess[str]:
    """A new interpreter, so that what is imported can be seen."""
    command = [sys.executable, *(["-c", program] if program else ["-m", "shapelint"]), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


TORCH_AFTER = """
import sys
from shapelint.cli import main
try:
    main(sys.argv[1:], prog_name="shapelint")
finally:
    print("torch" in sys.modules, file=sys.stderr)
"""


class TestTorchIsNotImported:
    """Where no model is analysed."""

    @pytest.mark.parametrize(
        "arguments",
        [["--help"], ["-h"], ["--version"], ["check", "--help"], ["formula", "conv", "-w", "100", "-k", "3"]],
    )
    def test_by_help_and_formulas(self, tmp_path: Path, arguments: list[str]) -> None:
        done = process(*arguments, cwd=tmp_path, program=TORCH_AFTER)
        assert (done.returncode, done.stderr.strip()) == (0, "False")

    def test_by_files_that_have_no_torch_in_them(self, tmp_path: Path) -> None:
        (tmp_path / "plain.py").write_text("import json\nclass Reader(json.JSONDecoder):\n    pass\n")
        (tmp_path / "uses.py").write_text("import torch\nprint(torch.ones(2))\n")
        done = process("check", ".", cwd=tmp_path, program=TORCH_AFTER)
        assert (done.returncode, done.stdout, done.stderr.strip()) == (0, "No models found in 2 files.\n", "False")

    def test_by_the_package(self, tmp_path: Path) -> None:
        program = "import sys, shapelint; shapelint.Diagnostic, shapelint.lint; print('torch' in sys.modules)"
        assert process(cwd=tmp_path, program=program).stdout == "False\n"


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_shows_examples_and_the_exit_status(option: str) -> None:
    result = run(option)
    assert result.exit_code == 0
    assert "shapelint check unet.py --model 'UNet(3, 2)'" in result.output
    assert "Exit status: 0 nothing found" in result.output
    assert "# shapelint: UNet(in_channels=1, base=32) input=(N, 1, H, W) size=512x512" in run("check", option).output


def test_version() -> None:
    assert run("--version").output == f"shapelint, version {shapelint.__version__}\n"


class TestBadInput:
    """Status 2, a sentence that names what is wrong, no traceback."""

    @pytest.mark.parametrize(
        ("source", "message"),
        [
            (None, "SL906 no such file or directory: net.py"),
            (
                "import torch\nclass Net(torch.nn.Module\n",
                "net.py:2:10: SL901 this is not valid Python: '(' was never closed",
            ),
            (
                f"import torch\nimport no_such_package\n{NET}",
                "net.py:2:1: SL901 it imports the package no_such_package, which is not installed here; install ",
            ),
            (
                f"import sys, torch\n{NET}sys.exit('bye')\n",
                "net.py:4:1: SL901 it ended the program with sys.exit('bye') while it was imported",
            ),
            (
                f"import torch\n{NET}    def __init__(self):\n        raise ValueError('no')\n",
                "net.py:5:9: SL902 Net() raised ValueError: no",
            ),
        ],
    )
    def test_is_told(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str | None, message: str) -> None:
        monkeypatch.chdir(tmp_path)
        if source is not None:
            Path("net.py").write_text(source)
        result = run("check", "net.py", "--output-format", "concise")
        assert result.output.startswith(message)
        assert result.output.count("\n") == 1
        assert result.exit_code == 2

    @pytest.mark.parametrize("data", [b"torch\0\xff", b"import torch\nname = '\xff\xfe'\n"])
    def test_binary_files_too(self, tmp_path: Path, data: bytes) -> None:
        (tmp_path / "net.py").write_bytes(data)
        result = run("check", str(tmp_path), "--output-format", "concise")
        assert "SL901" in result.output
        assert result.exit_code == 2

    def test_a_name_that_is_not_there(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        Path("net.py").write_text("import torch\nclass UNet(torch.nn.Module):\n    def forward(self, x): return x\n")
        result = run("check", "net.py:Unet", "--output-format", "concise")
        assert result.output == "net.py:1:1: SL906 there is no Unet in this file; did you mean UNet?\n"

    def test_options_that_are_not_understood(self, tmp_path: Path) -> None:
        (tmp_path / "net.py").write_text("x = 1\n")
        result = run("check", str(tmp_path), "--input", "N;3")
        assert result.exit_code == 2
        assert "shapelint: `N;3` in `N;3` is not a shape; write one as N,3,H,W" in result.output

    def test_an_output_format_that_does_not_exist(self) -> None:
        result = run("check", "--output-format", "txt")
        assert result.exit_code == 2
        assert "'txt'" in result.output


def test_a_directory_without_models_is_clean_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("torch")
    result = run("check", str(tmp_path))
    assert (result.exit_code, result.output) == (0, "No Python files found.\n")
    assert json.loads(run("check", str(tmp_path), "--output-format", "json").output) == []


def test_exit_zero_hides_findings_and_not_failures(tmp_path: Path) -> None:
    assert run("check", str(tmp_path / "missing.py"), "--exit-zero").exit_code == 2


class TestFormula:
    """The golden cases, each with its arithmetic."""

    @pytest.mark.parametrize(
        ("arguments", "result", "arithmetic"),
        [
            (
                "conv --width 100 --kernel-size 5 --padding 6 --dilation 7 --stride 2",
                "42",
                "(100 + 2·6 − 29) // 2 + 1 = 42",
            ),
            ("conv -w 100 -k 4", "97", "(100 + 2·0 − 4) // 1 + 1 = 97"),
            ("same -k 5 -d 6", "12", "6·(5 − 1) / 2 = 12"),
            ("downsample -k 7 -d 6 -s 5", "16", "max(0, ceil((37 − 5) / 2)) = 16"),
            ("downsample -k 3 -s 2", "1", "max(0, ceil((3 − 2) / 2)) = 1"),
            ("conv-transpose -w 100 -k 4 -p 5 -d 6 -s 7 -o 1", "703", "7·(100 − 1) − 2·5 + 19 + 1 = 703"),
            ("upsample -s 5 -k 4 -p 1", "3", "2·1 + 5 − 4 = 3"),
            ("remainder -w 100 -k 4 -p 4 -d 3 -s 2", "0", "(100 + 2·4 − 10) mod 2 = 0"),
        ],
    )
    def test_result_first_then_the_arithmetic(self, arguments: str, result: str, arithmetic: str) -> None:
        done = run("formula", *arguments.split())
        assert done.exit_code == 0
        assert done.output.splitlines()[:2] == [result, arithmetic]

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ("same -k 4", "no integer padding keeps the width"),
            ("conv -w 4 -k 5", "PyTorch raises here: the kernel covers 5 columns"),
            ("conv-transpose -w 4 -k 3 -s 2 -o 2", "output_padding must be at least 0 and smaller than"),
            ("conv-transpose -w 1 -k 1 -p 1", "the output would have -1 columns"),
            ("upsample -k 2 -s 2 -p 3", "which PyTorch refuses"),
            ("conv -w 4", "Missing option"),
            ("conv -w 4 -k 0", "0 is not in the range x>=1"),
        ],
    )
    def test_what_pytorch_refuses_is_refused_with_the_reason(self, arguments: str, message: str) -> None:
        done = run("formula", *arguments.split())
        assert done.exit_code == 2
        assert message in done.output


class TestColour:
    """NO_COLOR, then FORCE_COLOR, then the terminal."""

    @pytest.mark.parametrize(
        ("variables", "expected"),
        [
            ({}, False),
            ({"FORCE_COLOR": "1"}, True),
            ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
            ({"NO_COLOR": ""}, False),
        ],
    )
    def test_environment(self, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: bool) -> None:
        for name in ("NO_COLOR", "FORCE_COLOR"):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        assert wants_color() is expected

    def test_reaches_the_report_through_a_pipe(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("NO_COLOR", raising=False)
        monkeypatch.setenv("FORCE_COLOR", "1")
        assert "\x1b[" in run("check", "missing.py").output
        monkeypatch.setenv("NO_COLOR", "1")
        assert "\x1b[" not in run("check", "missing.py").output


def test_stdout_carries_the_report_alone(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(
        "import torch\nprint('hello')\nclass Net(torch.nn.Module):\n    def forward(self, x): 1\n1 / 0\n"
    )
    done = process("check", "net.py", "--output-format", "json", cwd=tmp_path)
    assert [finding["code"] for finding in json.loads(done.stdout)] == ["SL901"]
    assert done.stderr == ""
    assert done.returncode == 2


class TestRealModels:
    """The whole way: from a file to a verdict."""

    AUTOENCODER = """\
from torch import nn

class Autoencoder(nn.Module):
    def __init__(self, channels=8):
        super().__init__()
        self.down = nn.Conv2d(3, channels, 3, stride=2, padding=1)
        self.up = nn.ConvTranspose2d(channels, 3, 3, stride=2, padding=1{option})

    def forward(self, x):
        return self.up(self.down(x))
"""

    @pytest.fixture(autouse=True)
    def _files(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        Path("broken.py").write_text(self.AUTOENCODER.format(option=""))
        Path("mended.py").write_text(self.AUTOENCODER.format(option=", output_padding=1"))

    def test_a_broken_one_is_found_at_its_line(self) -> None:
        result = run("check", "broken.py")
        assert result.exit_code == 1
        assert "broken.py:7:19: SL101 " in result.output
        assert "\n7 |         self.up = nn.ConvTranspose2d(channels, 3, 3, stride=2, padding=1)\n" in result.output
        assert "\n  |                   " + "^" * 55 in result.output
        assert "Found 1 error" in result.output
        assert run("check", "broken.py", "--exit-zero").exit_code == 0

    def test_a_mended_one_passes_with_a_summary(self) -> None:
        result = run("check", "mended.py:Autoencoder(16)", "--size", "64x64")
        assert result.exit_code == 0
        assert "Autoencoder: " in result.output
        assert "; proven\n" in result.output

    def test_what_is_ignored_is_not_told(self) -> None:
        result = run("check", "broken.py", "--ignore", "SL1,SL3", "--output-format", "concise")
        assert (result.exit_code, result.output) == (0, "")

    def test_findings_as_data(self) -> None:
        (finding, *_) = json.loads(run("check", "broken.py", "--output-format", "json").output)
        assert (finding["code"], finding["path"], finding["line"], finding["layer"]) == ("SL101", "broken.py", 7, "up")

    def test_the_size_after_every_layer(self) -> None:
        result = run("show", "mended.py", "--input", "N,3,H,W")
        assert result.exit_code == 0
        assert "Autoencoder()" in result.output
        assert "Conv2d at down" in result.output
        assert "mended.py:10" in result.output

    def test_showing_what_is_not_there(self) -> None:
        assert run("show", "missing.py").exit_code == 2
        Path("plain.py").write_text("x = 1\n")
        result = run("show", "plain.py")
        assert result.exit_code == 2
        assert "there is no model in plain.py" in result.output


class TestRuleDocumentation:
    """From the rules' own files."""

    def test_every_code_is_listed(self) -> None:
        lines = run("rules").output.splitlines()
        codes = [line.split()[0] for line in lines]
        assert codes == sorted(codes)
        assert {"SL101", "SL201", "SL302", "SL901", "SL906"} <= set(codes)

    @pytest.mark.parametrize("code", ["SL101", "sl101", "lossy-round-trip"])
    def test_a_code_is_explained_by_its_code_or_name(self, code: str) -> None:
        result = run("explain", code)
        assert result.exit_code == 0
        assert result.output.startswith("# SL101 lossy-round-trip\n")

    def test_what_the_analysis_could_not_do_is_explained_too(self) -> None:
        assert "--model 'UNet(n_channels=3, n_classes=2)'" in run("explain", "SL902").output

    def test_an_unknown_code_is_told_with_the_nearest(self) -> None:
        result = run("explain", "SL110")
        assert result.exit_code == 2
        assert "there is no rule SL110; did you mean SL1" in result.output
