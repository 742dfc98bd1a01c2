"""What a run over a project costs, cold and from the cache, against the import of torch that a cold one cannot avoid.

    python -m benchmarks.startup [--files 100] [--write benchmarks/STARTUP.md]

Every time is of a whole process, from its start to its end. Rounds are interleaved, figures are medians, and the ratios
are those of the medians.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
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
        seconds = _medians(project, rounds)
    versions = f"torch {version('torch')}, Python {platform.python_version()}, {cores()} cores, {platform.machine()}"
    importing = seconds["python -c 'import torch'"]
    rows = [f"| {name} | {value:.2f} | {value / importing:.2f} |" for name, value in seconds.items()]
    return [
        f"# A project of {files} files, each with a model",
        "",
        f"Written by `python -m benchmarks.startup`: {rounds} rounds, medians, whole processes. {versions}.",
        "",
        "| run | seconds | of an import of torch |",
        "|---|---:|---:|",
        *rows,
    ]


def _medians(project: Path, rounds: int) -> dict[str, float]:
    runs: dict[str, Callable[[], None]] = {
        "python -c pass": lambda: _python(project, "-c", "pass"),
        "python -c 'import torch'": lambda: _python(project, "-c", "import torch"),
        "`check`, cold": lambda: _python(project, *CHECK, "--no-cache"),
        "`check`, unchanged": lambda: _python(project, *CHECK),
    }
    _python(project, *CHECK)
    assert (project / FOLDER).is_dir()
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            started = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - started)
    return {name: statistics.median(values) for name, values in times.items()}


def _python(project: Path, *arguments: str) -> None:
    # Bytecode is written and used, as it is in an installed package.
    environment = {**os.environ, "PYTHONPATH": str(project / TOOL)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    environment["PYTHONPYCACHEPREFIX"] = str(project / ".bytecode")
    done = subprocess.run([sys.executable, *arguments], cwd=project, env=environment, capture_output=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.decode())


if __name__ == "__main__":
    main()
