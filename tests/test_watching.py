"""``--watch`` and the progress bar."""

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import shapelint
from shapelint.progress import Progress, bar
from shapelint.watching import snapshot

ROOT = Path(shapelint.__file__).parents[1]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_bar_shows_after_a_second_and_goes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shapelint.progress._FIRST_AFTER", 0.05)
    terminal = Terminal()
    with Progress(terminal) as progress:
        progress(61, 100)
        time.sleep(0.2)
    assert "61 of 100 files" in terminal.getvalue()
    assert terminal.getvalue().endswith("\r\x1b[K")


def test_a_quick_run_and_a_pipe_show_none() -> None:
    terminal, pipe = Terminal(), io.StringIO()
    for stream in (terminal, pipe):
        with Progress(stream) as progress:
            progress(1, 2)
    assert (terminal.getvalue(), pipe.getvalue()) == ("", "")


def test_the_bar_fits_its_line() -> None:
    assert bar(5, 10, 80) == f"linting {'█' * 20}{'░' * 20} 5 of 10 files"
    assert bar(0, 0, 80) == f"linting {'░' * 40} reading files"
    assert len(bar(1, 10, 20)) < 30


def test_what_is_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.py").touch()
    Path("notes.txt").touch()
    Path("pyproject.toml").touch()
    before = snapshot([])
    assert {path.name for path in before} == {"net.py", "pyproject.toml"}
    os.utime("net.py", (1, 1))
    assert snapshot([]) != before
    assert snapshot(["missing.py"]).keys() == before.keys()


def _heed_interrupts() -> None:
    # A shell starts what it runs in the background with interrupts ignored, and children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT")
def test_a_change_is_linted_again(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text("class Net(")
    command = subprocess.Popen(
        [sys.executable, "-m", "shapelint", "check", "net.py", "--watch", "--output-format", "concise"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=_heed_interrupts,
    )
    assert command.stdout is not None
    assert "SL901" in command.stdout.readline()
    assert command.stdout.readline() == "shapelint: watching 1 file; Ctrl-C ends this\n"
    (tmp_path / "net.py").write_text("x = 1\n")
    assert command.stdout.readline() == "shapelint: watching 1 file; Ctrl-C ends this\n"
    command.send_signal(signal.SIGINT)
    assert command.wait(10) == 130
