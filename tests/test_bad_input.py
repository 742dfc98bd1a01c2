"""Input that is not as one would wish: told in a sentence, in good time, and at no cost to the other files."""

import os
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from shapelint.cli import main
from shapelint.isolation import pool

HEAD = "import torch\nfrom torch import nn\n"
NET = f"""{HEAD}class Net(nn.Module):
    def forward(self, x):
        return x
"""

ENDLESS = """class Deep(nn.Module):
    def __init__(self):
        super().__init__()
        self.deep = Deep()
    def forward(self, x):
        return x
"""


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pyproject.toml").touch()


@pytest.fixture
def _no_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(self: pool.Pool) -> None:
        raise AssertionError("nothing here has to be imported")

    monkeypatch.setattr(pool.Pool, "_start", start)


def write(name: str, text: str) -> None:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text(text)


def check(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["check", "--output-format", "concise", *arguments])


@pytest.mark.usefixtures("_no_workers")
class TestWithoutTorch:
    """Where reading the files is enough."""

    def test_ten_thousand_files(self) -> None:
        for folder in range(100):
            Path(f"d{folder}").mkdir()
            for number in range(100):
                Path(f"d{folder}/f{number}.py").write_text("import os\nprint(os.name)\n")
        started = time.monotonic()
        result = CliRunner().invoke(main, ["check"])
        assert result.output == "No models found in 10000 files.\n"
        assert time.monotonic() - started < 30

    def test_links_in_circles(self) -> None:
        write("nets/plain.py", "x = 1\n")
        Path("nets/again").symlink_to("..", target_is_directory=True)
        Path("nets/self.py").symlink_to("self.py")
        Path("nets/gone.py").symlink_to("nowhere.py")
        result = CliRunner().invoke(main, ["check"])
        assert (result.exit_code, result.output) == (0, "No models found in 1 file.\n")

    @pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
    def test_an_unreadable_file(self) -> None:
        write("net.py", NET)
        Path("net.py").chmod(0)
        assert check().output == "net.py:1:1: SL901 cannot read the file: Permission denied\n"

    def test_a_file_that_may_not_be_read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        write("net.py", NET)

        read = Path.read_bytes

        def denied(path: Path) -> bytes:
            if path.name == "net.py":
                raise PermissionError(13, "Permission denied")
            return read(path)

        monkeypatch.setattr(Path, "read_bytes", denied)
        result = check("net.py")
        assert result.output == "net.py:1:1: SL901 cannot read the file: Permission denied\n"
        assert result.exit_code == 2

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["missing.py"], "SL906 no such file or directory: missing.py"),
            (["missing.py:Net"], "SL906 no such file: missing.py"),
            (["."], ""),
        ],
    )
    def test_paths(self, arguments: list[str], message: str) -> None:
        result = check(*arguments)
        assert result.output.startswith(message)
        assert result.exit_code == (2 if message else 0)

    def test_a_directory_called_like_a_file(self) -> None:
        Path("folder.py").mkdir()
        assert check().exit_code == 0


@pytest.mark.usefixtures("_no_workers")
@pytest.mark.parametrize("known", [True, False])
def test_that_memory_is_not_limited_is_told(known: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shapelint.isolation.memory.resident_megabytes", lambda pid: 9 * known)
    write("plain.py", "x = 1\n")
    result = CliRunner().invoke(main, ["check", "--verbose"])
    told = "memory is not limited: this system does not say how much a process holds\n"
    assert result.stderr == "0 names passed over\n" + ("" if known else told)


def test_what_only_running_it_can_tell() -> None:
    """All in one run: each costs its own result alone."""
    write("circular_a.py", f"from circular_b import b\n{NET}a = 1\n")
    write("circular_b.py", "from circular_a import a\nb = 1\n")
    write("misses.py", f"import no_such_package\n{NET}")
    write(
        "raises.py",
        NET.replace("    def forward", "    def __init__(self):\n        raise ValueError('no')\n    def forward"),
    )
    write("never.py", NET.replace("return x", "raise ValueError('never')"))
    write("odd_inputs.py", NET.replace("self, x", "self, graph, *, adjacency"))
    write("latin.py", "")
    Path("latin.py").write_bytes(f"{NET}# caf\xe9\n".encode("latin-1"))
    write(
        "endless.py",
        NET + ENDLESS,
    )
    write("fine.py", NET)
    result = check("--timeout", "30")
    lines = {line.partition(":")[0]: line for line in result.output.splitlines()}
    assert set(lines) == {
        "circular_a.py",
        "endless.py",
        "latin.py",
        "misses.py",
        "never.py",
        "odd_inputs.py",
        "raises.py",
    }
    assert "never.py:3:1: SL" in lines["never.py"]
    assert "odd_inputs.py:3:1: SL904" in lines["odd_inputs.py"]
    assert (
        "SL901 importing this file raised ImportError: cannot import name 'a' from partially initialized"
        in lines["circular_a.py"]
    )
    assert "circular_a.py:1:1: " in lines["circular_a.py"]
    assert (
        "misses.py:1:1: SL901 it imports the package no_such_package, which is not installed here" in lines["misses.py"]
    )
    assert "raises.py:5:9: SL902 Net() raised ValueError: no" in lines["raises.py"]
    assert "latin.py:6: SL901 byte 0xe9 is not UTF-8 text" in lines["latin.py"].replace("6:1:", "6:")
    assert "SL902 Deep() raised RecursionError" in lines["endless.py"]
    assert result.exit_code == 2


@pytest.mark.usefixtures("_no_workers")
def test_what_is_skipped_is_listed_and_counted() -> None:
    write(
        "losses.py",
        f"{HEAD}class DiceLoss(nn.Module):\n    def forward(self, x, y): return x\nclass Base(nn.Module): pass\n",
    )
    result = CliRunner().invoke(main, ["check", "--verbose"])
    assert result.stderr.splitlines() == [
        "losses.py:3: DiceLoss is not analysed by itself: it is a loss or a metric, not a network",
        "losses.py:5: Base is not analysed by itself: it has no forward",
        "2 names passed over",
    ]
