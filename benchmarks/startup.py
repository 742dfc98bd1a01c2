"""What a run over a project costs, cold and from the cache, against the import of torch that a cold one cannot avoid.

    python -m benchmarks.startup [--files 100] [--write benchmarks/STARTUP.md]

Every time is of a whole process, from its start to its end, and of all that it started. Rounds are interleaved, each
figure is the best of its rounds, and the ratios are those of the figures.

What a cold run takes beyond the import and the files' own work is told as pages of memory, since that is what it is. A
file's process was timed step by step (two cores, a virtual machine, milliseconds of a processor): fork 1.5, what Python
and the worker do before the file is looked at 2.4, the file 13.2 where a process that has linted takes 6.0, the end of
the process 3.2, the server's part 1.1. Most of it is 2,800 pages touched for the first time, half a dozen microseconds
each with what their end takes. A call counts references in the function, its code, its names and its class, and one
page of Python objects in twelve holds one of them. It is the copying that costs, not the asking for it: a worker
that is told beforehand which pages it will need (MADV_POPULATE_WRITE) takes as long.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from shapelint.caching import FOLDER
from shapelint.isolation.checking import cores

ROOT = Path(__file__).resolve().parent.parent
MODEL = '''"""An autoencoder that returns every even size."""

from torch import nn


class Autoencoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Sequential(nn.Conv2d(3, {width}, 3, stride=2, padding=1), nn.BatchNorm2d({width}), nn.ReLU())
        self.up = nn.ConvTranspose2d({width}, 3, 3, stride=2, padding=1, output_padding=1)

    def forward(self, x):
        return self.up(self.down(x))
'''
TOOL = ".tool"
CHECK = ["-m", "shapelint", "check", "--output-format", "concise"]
IMPORT, COLD, WARM = "python -c 'import torch'", "`check`, cold", "`check`, unchanged"
# All files one after the other, in a process that has linted before: no isolation, and nothing for the first time.
OWN_WORK = """
import sys, time
from shapelint import lint
lint(["net0.py"])
started = time.process_time()
lint(["."])
print(time.process_time() - started)
"""


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds on the clock, and of processors; pages of memory that were touched for the first time."""

    wall: float
    cpu: float
    pages: int


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", type=Path)
    options = parser.parse_args(arguments)
    text = "\n".join(report(options.files, options.rounds)) + "\n"
    print(text)
    if options.write:
        options.write.write_text(text, encoding="utf-8")


def report(files: int, rounds: int) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        (project / "pyproject.toml").touch()
        # A copy, since the cache rightly distrusts results of a shapelint that is edited between two runs.
        shutil.copytree(ROOT / "shapelint", project / TOOL / "shapelint")
        for number in range(files):
            (project / f"net{number}.py").write_text(MODEL.format(width=number + 1), encoding="utf-8")
        spent, own = _measure(project, rounds)
    versions = f"torch {version('torch')}, Python {platform.python_version()}, {cores()} cores, {platform.machine()}"
    unit, cold = spent[IMPORT], spent[COLD]
    rest, pages = cold.cpu - unit.cpu - own, (cold.pages - unit.pages) // files
    rows = [
        f"| {name} | {one.wall:.2f} | {one.wall / unit.wall:.2f} | {one.cpu:.2f} | {one.cpu / unit.cpu:.2f} |"
        for name, one in spent.items()
    ]
    return [
        f"# A project of {files} files, each with a model",
        "",
        f"Written by `python -m benchmarks.startup`: the best of {rounds} rounds, whole processes. {versions}.",
        f"Processes that wanted to run meanwhile, on average: {os.getloadavg()[1]:.0f}, these included.",
        "",
        "| run | seconds | of an import of torch | processor seconds | of an import of torch |",
        "|---|---:|---:|---:|---:|",
        *rows,
        "",
        f"The files' own work, in one process that has linted before: {own:.2f} processor seconds.",
        f"An import of torch and that work divided by the cores: {unit.cpu + own / cores():.2f}.",
        f"The rest of a cold run, {rest:.2f} processor seconds, is a process for each file. It finds torch imported",
        "and everything computed that need be only once; but whatever page of memory it touches, if only to count a",
        f"reference, is copied for it: {pages} pages a file, with those that the process which forks it has to copy.",
    ]


def _measure(project: Path, rounds: int) -> tuple[dict[str, Spent], float]:
    """The best of every run, and the processor seconds of the files' own work."""
    runs = {
        "python -c pass": ("-c", "pass"),
        IMPORT: ("-c", "import torch"),
        COLD: (*CHECK, "--no-cache"),
        WARM: tuple(CHECK),
    }
    _python(project, *CHECK)
    assert (project / FOLDER).is_dir()
    spent: dict[str, list[Spent]] = {name: [] for name in runs}
    own: list[float] = []
    for _ in range(rounds):
        for name, arguments in runs.items():
            started, (cpu, pages) = time.perf_counter(), _used()
            _python(project, *arguments)
            wall, now = time.perf_counter() - started, _used()
            spent[name].append(Spent(wall, now[0] - cpu, now[1] - pages))
        own.append(float(_python(project, "-c", OWN_WORK)))
    best = {
        name: Spent(min(one.wall for one in ones), min(one.cpu for one in ones), min(one.pages for one in ones))
        for name, ones in spent.items()
    }
    return best, min(own)


def _used() -> tuple[float, int]:
    """Processor seconds and pages of all processes that this one has started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime, used.ru_minflt


def _python(project: Path, *arguments: str) -> str:
    # Bytecode is written and used, as it is in an installed package.
    environment = {**os.environ, "PYTHONPATH": str(project / TOOL)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    environment["PYTHONPYCACHEPREFIX"] = str(project / ".bytecode")
    done = subprocess.run([sys.executable, *arguments], cwd=project, env=environment, capture_output=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.decode())
    return done.stdout.decode()


if __name__ == "__main__":
    main()
