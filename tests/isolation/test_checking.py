"""Each misbehaving file costs its own result alone: all of them in one run."""

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

import shapelint
from shapelint.isolation.checking import Checker, isolated
from shapelint.isolation.jobs import Answer, End, Failure, Job, Limits, Permission
from shapelint.isolation.pool import Pool
from shapelint.linting import lint_detailed
from shapelint.loading.errors import LoadError
from shapelint.results import LintResult

NET = """\
import torch
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.c = torch.nn.Conv2d(3, 8, 3)
    def forward(self, x):
        return self.c(x)
"""
DOWNLOADING = NET.replace("self.c =", "__import__('urllib.request').request.urlopen('https://weights.example/w.pt')  #")

# What stands below the model, and how its finding begins; line 8 is the first below.
FILES = {
    "hanging/runs": ("while True: pass\n", "8:1: SL907 linting this file took longer than 3 s and was stopped"),
    "hanging/sleeps": ("import time\ntime.sleep(1000)\n", "9:1: SL907 linting this file took longer than 3 s"),
    "exits": ("import os\nos._exit(3)\n", "9:1: SL901 it ended the program with os._exit(3) while it was imported"),
    "leaves": ("import sys\nsys.exit(4)\n", "9:1: SL901 it ended the program with sys.exit(4)"),
    "crashes": ("import ctypes\nctypes.string_at(0)\n", "9:1: SL907 linting this file ended Python with SIGSEGV"),
    "kills": (
        "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n",
        "1:1: SL907 linting this file ended Python with SIGKILL",
    ),
    "eats": (
        "keep = []\nwhile True:\n    keep.append(b'x' * (1 << 24))\n",
        "10:1: SL907 linting this file took more than 700 MB of memory and was stopped",
    ),
    "connects": (
        "import socket\nsocket.create_connection(('weights.example', 80))\n",
        "9:1: SL901 importing this file tried to reach weights.example",
    ),
    "downloads": (
        "from urllib.request import urlopen\nurlopen('https://weights.example/w.pt')\n",
        "9:1: SL901 importing this file tried to reach weights.example, and downloads are refused",
    ),
    "starts": (
        "import subprocess\nsubprocess.run(['git', 'status'])\n",
        "9:1: SL901 importing this file tried to start a process (git)",
    ),
    "shells": ("import os\nos.system('ls')\n", "9:1: SL901 importing this file tried to start a process (ls)"),
    "replaces": (
        "import os\nos.execv('/bin/true', ['true'])\n",
        "9:1: SL901 importing this file tried to start a process (/bin/true)",
    ),
    "forks": ("import os\nos.fork()\n", "9:1: SL901 importing this file tried to start a process (os.fork)"),
    "writes": ("open('log.txt', 'w')\n", "8:1: SL901 importing this file tried to write "),
    "removes": ("import os\nos.remove('fine.py')\n", "9:1: SL901 importing this file tried to write "),
    "folder": ("import os\nos.makedirs('runs/1')\n", "9:1: SL901 importing this file tried to write "),
    "unpickles": ("torch.load('w.pt')\n", "8:1: SL901 importing this file raised WeightsRefusedError: torch.load "),
}
HARMLESS = {
    "patches": "torch.nn.Conv2d.forward = None\ntorch.nn.Module.__call__ = None\n",
    "threads": "import threading, time\nthreading.Thread(target=time.sleep, args=(1000,)).start()\n",
    "prints": "import os\nprint('hello')\nos.write(1, b'direct')\nos.write(2, b'direct')\n",
    "temporary": "import tempfile\nwith tempfile.TemporaryFile() as f: f.write(b'x')\n",
    "finds": "import ctypes.util\nctypes.util.find_library('c')\nimport platform\nplatform.processor()\n",
    "retries": (
        "import socket, time\nfor _ in range(4):\n    try: socket.create_connection(('weights.example', 80))\n"
        "    except OSError: time.sleep(1000)\n"
    ),
    "fine": "",
}


@pytest.fixture(scope="module")
def linted(tmp_path_factory: pytest.TempPathFactory) -> tuple[LintResult, Path]:
    project = tmp_path_factory.mktemp("project")
    # Only these are in a hurry: the others take as long as they need, on a busy machine too.
    (project / "hanging").mkdir()
    (project / "hanging" / "shapelint.toml").write_text("timeout = 3\n")
    for name, (rest, _) in FILES.items():
        (project / f"{name}.py").write_text(NET + rest)
    for name, rest in HARMLESS.items():
        (project / f"{name}.py").write_text(NET + rest)
    (project / "builds.py").write_text(DOWNLOADING)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        return lint_detailed(["."], check_all=Checker(jobs=4, memory=700)), project


@pytest.mark.parametrize("name", FILES)
def test_a_misbehaving_file_is_told_at_its_line(linted: tuple[LintResult, Path], name: str) -> None:
    (finding,) = (f for f in linted[0].diagnostics if f.location and f.location.path == f"{name}.py")
    assert f"{finding.location.line}:{finding.location.column}: {finding.code} {finding.message}".startswith(  # type: ignore[union-attr]
        FILES[name][1]
    )


def test_what_a_constructor_tries_is_told_with_the_model(linted: tuple[LintResult, Path]) -> None:
    (finding,) = (f for f in linted[0].diagnostics if f.location and f.location.path == "builds.py")
    assert finding.code == "SL902"
    assert finding.message == (
        "Net() tried to reach weights.example, and downloads are refused: construct it without weights (weights=None, "
        "pretrained=False) or set the argument in [tool.shapelint]; --allow network lifts this"
    )
    assert finding.location is not None
    assert finding.location.line == 5


def test_the_others_have_their_results(linted: tuple[LintResult, Path]) -> None:
    assert {model.location.path for model in linted[0].models} == {f"{name}.py" for name in HARMLESS}


def test_nothing_is_left_behind(linted: tuple[LintResult, Path]) -> None:
    names = {"hanging", "hanging/shapelint.toml"} | {f"{name}.py" for name in (*FILES, *HARMLESS, "builds")}
    left = {path.relative_to(linted[1]) for path in linted[1].rglob("*") if "__pycache__" not in path.parts}
    assert left == {Path(name) for name in names}


def test_what_is_allowed_is_not_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(NET + "open('log.txt', 'w').write('x')\n")
    allowed = Checker(jobs=1, allow=frozenset({Permission.WRITE}))
    assert lint_detailed(["net.py"], check_all=allowed).diagnostics == ()
    assert Path("log.txt").read_text() == "x"


def test_progress_is_told_from_the_start(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"empty{number}.py").touch()
    told: list[tuple[int, int]] = []
    lint_detailed([str(tmp_path)], check_all=Checker(on_progress=lambda *count: told.append(count)))
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_workers_are_spawned_where_fork_is_missing(tmp_path: Path) -> None:
    with Pool(1, method="spawn") as pool:
        pool.submit(Job(0, os.path.basename, ("a/b",), tmp_path / "net.py", Limits()))
        pool.submit(Job(1, time.sleep, (1000,), tmp_path / "net.py", Limits(timeout=0.5)))
        outcomes = {outcome.number: outcome.result for outcome in pool.outcomes()}
    assert isinstance(outcomes[0], Answer)
    assert outcomes[0].value == "b"
    assert isinstance(outcomes[1], Failure)
    assert outcomes[1].end is End.TIMEOUT


def test_a_result_that_cannot_be_sent_is_told(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="failed inside shapelint"):
        isolated(partial(open, os.devnull), tmp_path / "net.py")


def test_the_files_that_were_read_come_back(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "net.py").write_text("import helper\nopen('sizes.json')\n")
    (tmp_path / "sizes.json").touch()
    (tmp_path / "helper.py").touch()
    program = f"import os; os.chdir({str(tmp_path)!r}); import sys; sys.path.insert(0, '.'); import net"
    with Pool(1) as pool:
        pool.submit(Job(0, exec, (program, {}), tmp_path / "net.py", Limits()))
        (outcome,) = pool.outcomes()
    assert isinstance(outcome.result, Answer)
    assert set(outcome.result.files) >= {str(tmp_path / name) for name in ("net.py", "helper.py", "sizes.json")}


def _started_below(pid: int) -> list[int]:
    children = [int(part) for part in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return children + [grandchild for child in children for grandchild in _started_below(child)]


def _heed_interrupts() -> None:
    # A shell starts what it runs in the background with interrupts ignored, and children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="reads /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_run_ends_all_workers(tmp_path: Path, number: signal.Signals) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.py").write_text(NET + "import time\ntime.sleep(1000)\n")
    environment = {**os.environ, "PYTHONPATH": str(Path(shapelint.__file__).parents[1])}
    command = subprocess.Popen(
        [sys.executable, "-m", "shapelint", "check", ".", "--jobs", "2"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_heed_interrupts,
    )
    deadline = time.monotonic() + 30
    while len(started := _started_below(command.pid)) < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(started) == 3
    command.send_signal(number)
    out, err = command.communicate(timeout=20)
    while any(_alive(pid) for pid in started) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(_alive(pid) for pid in started)
    assert out == ""
    if number == signal.SIGINT:
        assert command.returncode == 130
        assert err.strip() == "shapelint: interrupted"


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
