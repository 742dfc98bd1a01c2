"""Linting on executors, and in shards: the same findings, none lost, none twice."""

import json
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import shapelint
from shapelint.cli import main
from shapelint.distributing import Shard, on_executor, parse_shard
from shapelint.linting import lint_detailed
from shapelint.loading.errors import LoadError
from shapelint.merging import merge

NET = """
from torch import nn
class Net{number}(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.up = nn.ConvTranspose2d(8, 3, 3, stride=2, padding=1, output_padding={padding})
    def forward(self, x):
        return self.up(self.down(x))
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for number in range(6):
        (tmp_path / f"net{number}.py").write_text(NET.format(number=number, padding=number % 2))
    (tmp_path / "broken.py").write_text("from torch import nn\nclass Net(nn.Module: pass\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_process_pool_finds_the_same(folder: Path) -> None:
    here = lint_detailed(["."])
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as executor:
        there = lint_detailed(["."], check_all=on_executor(executor))
    assert there == here
    assert [finding.code for finding in here.diagnostics].count("SL101") == 3


class Dropping(ThreadPoolExecutor):
    """Some tasks come back as from a worker that was killed, and then it takes no more."""

    def __init__(self) -> None:
        super().__init__(1)
        self.count = 0

    def submit(self, task: Any, /, *arguments: Any, **keywords: Any) -> Future[Any]:
        self.count += 1
        if self.count > 4:
            raise BrokenProcessPool("no more")
        if self.count % 2:
            lost: Future[Any] = Future()
            lost.set_exception(BrokenProcessPool("killed"))
            return lost
        return super().submit(task, *arguments, **keywords)


def test_what_a_broken_pool_lost_is_done_again(folder: Path) -> None:
    executor: Executor
    with Dropping() as executor:
        found = shapelint.lint(["."], executor=executor)
    assert found == shapelint.lint(["."])


@pytest.fixture
def cluster() -> Iterator[Any]:
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as running,
        distributed.Client(running) as client,
    ):
        yield client


@pytest.mark.slow
def test_dask_with_a_worker_killed_midway(folder: Path, cluster: Any) -> None:
    for number in range(6):
        source = (folder / f"net{number}.py").read_text()
        (folder / f"net{number}.py").write_text(f"import time\ntime.sleep(1)\n{source}")
    with ThreadPoolExecutor(1) as apart:
        linting = apart.submit(lint_detailed, ["."], check_all=on_executor(cluster.get_executor(pure=False)))
        deadline = time.monotonic() + 60
        while not any(cluster.processing().values()) and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(1)
        victim = next(iter(cluster.run(os.getpid).values()))
        os.kill(victim, signal.SIGKILL)
        found = linting.result()
    assert found == lint_detailed(["."])
    assert found.files == 7
    assert len(found.models) == 6


def test_shards_cover_everything_once() -> None:
    items = list(range(20))
    for count in (1, 3, 8, 30):
        parts = [Shard(number, count).of(items) for number in range(1, count + 1)]
        assert sorted(item for part in parts for item in part) == items
        assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize("text", ["", "3", "0/8", "9/8", "a/b", "1/0", "-1/3"])
def test_no_shard(text: str) -> None:
    with pytest.raises(LoadError, match="is no shard; write 3/8"):
        parse_shard(text)


def test_shards_are_merged_to_the_whole(folder: Path) -> None:
    runner = CliRunner()
    reports = []
    for number in (1, 2, 3):
        result = runner.invoke(main, ["check", ".", "--shard", f"{number}/3", "--output-format", "json", "-j", "1"])
        reports.append(folder / f"{number}.json")
        reports[-1].write_text(result.stdout)
    whole = runner.invoke(main, ["check", ".", "--output-format", "json", "-j", "1"])
    merged = runner.invoke(main, ["merge", *map(str, reports), str(reports[0]), "--output-format", "json"])
    assert json.loads(merged.stdout) == json.loads(whole.stdout)
    assert merged.exit_code == whole.exit_code == 2  # one file is no Python
    assert len(merge(reports).diagnostics) == len(json.loads(whole.stdout)) == 7
    text = runner.invoke(main, ["merge", *map(str, reports)])
    assert "net0.py:7:19: SL101 [*]" in text.stdout
    assert runner.invoke(main, ["merge", str(reports[1]), "--exit-zero"]).exit_code == 0


def test_complete_reports_are_merged_to_all_that_one_run_says(folder: Path) -> None:
    (folder / "pyproject.toml").write_text("[tool.shapelint]\nfail-on = 'note'\n")
    runner = CliRunner()
    arguments = ["check", ".", "-j", "1", "--explain-certainty"]
    reports = []
    for number in (1, 2, 3):
        shard = ["--shard", f"{number}/3", "--output-format", "complete"]
        reports.append(folder / f"{number}.json")
        reports[-1].write_text(runner.invoke(main, [*arguments, *shard]).stdout)
    whole = runner.invoke(main, arguments)
    merged = runner.invoke(main, ["merge", *map(str, reports), str(reports[0]), "--explain-certainty"])
    assert merged.stdout == whole.stdout
    assert "= why:" in merged.stdout
    assert "Net1 (net1.py): H and W: " in merged.stdout
    assert merge(reports) == lint_detailed(["."])
    for name in ("json", "junit", "sarif", "markdown"):
        one = runner.invoke(main, [*arguments, "--output-format", name]).stdout
        assert runner.invoke(main, ["merge", *map(str, reports), "--output-format", name]).stdout == one


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        '{"format": 99, "result": {}}',
        '{"format": 1, "result": {"files": "x"}}',
        "[1]",
        '[{"code": "SL101"}]',
        "42",
    ],
)
def test_other_files_are_not_merged(tmp_path: Path, text: str) -> None:
    (tmp_path / "report.json").write_text(text)
    result = CliRunner().invoke(main, ["merge", str(tmp_path / "report.json")])
    assert result.exit_code == 2
    assert "is no report of `shapelint check --output-format complete` or `json`" in result.stderr
    assert CliRunner().invoke(main, ["merge", str(tmp_path / "none.json")]).exit_code == 2


def test_threads_take_turns(folder: Path) -> None:
    with ThreadPoolExecutor(4) as executor:
        found = shapelint.lint(["."], executor=executor)
    assert found == shapelint.lint(["."])
