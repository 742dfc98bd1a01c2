"""How many model files a second are linted, by number of workers, and what a hub of a million models would cost.

python -m benchmarks.throughput [--count 2000] [--workers 1,2,4] [--write benchmarks/THROUGHPUT.md]

The files are generated: U-Nets, autoencoders, classifiers and generators of varying depth and width, a third of them
with a mistake. Every file is a task of a process pool, as ``shapelint.lint(paths, executor=...)`` runs it; the first
task of a worker, which imports torch, is counted.
"""

from __future__ import annotations

import argparse
import platform
import random
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path

from shapelint.distributing import on_executor
from shapelint.isolation.checking import cores
from shapelint.linting import lint_detailed

HUB = 1_000_000
_HEAD = "import torch\nfrom torch import nn\nimport torch.nn.functional as F\n\n\n"

UNET = """class UNet{number}(nn.Module):
    def __init__(self, channels=3, width={width}):
        super().__init__()
        widths = [width * 2 ** i for i in range({depth} + 1)]
        self.stem = nn.Conv2d(channels, width, 3, padding=1)
        self.down = nn.ModuleList(nn.Conv2d(a, b, {kernel}, 2, 1) for a, b in zip(widths, widths[1:]))
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(b, a, {kernel}, 2, 1{output_padding}) for a, b in zip(widths, widths[1:])
        )
        self.merge = nn.ModuleList(nn.Conv2d(2 * a, a, 3, padding=1) for a in widths[:-1])

    def forward(self, x):
        x = self.stem(x)
        skips = []
        for layer in self.down:
            skips.append(x)
            x = F.relu(layer(x))
        for up, merge in zip(reversed(self.up), reversed(self.merge)):
            x = F.relu(merge(torch.cat([skips.pop(), up(x)], 1)))
        return x
"""

AUTOENCODER = """class Autoencoder{number}(nn.Module):
    def __init__(self, width={width}):
        super().__init__()
        layers = []
        widths = [3, *(width * 2 ** i for i in range({depth}))]
        for a, b in zip(widths, widths[1:]):
            layers += [nn.Conv2d(a, b, {kernel}, 2, 1), nn.BatchNorm2d(b), nn.ReLU()]
        for a, b in reversed(list(zip(widths, widths[1:]))):
            layers += [nn.ConvTranspose2d(b, a, {kernel}, 2, 1{output_padding}), nn.ReLU()]
        self.layers = nn.Sequential(*layers)

    def forward(self, x):
        return self.layers(x)
"""

CLASSIFIER = """class Classifier{number}(nn.Module):
    def __init__(self, classes=10, width={width}):
        super().__init__()
        widths = [3, *(width * 2 ** i for i in range({depth}))]
        self.blocks = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in zip(widths, widths[1:]))
        self.head = nn.Linear(widths[-1], classes)

    def forward(self, x):
        for block in self.blocks:
            x = F.max_pool2d(F.relu(block(x)), 2)
        return self.head(x.mean((2, 3)))
"""


def write_files(folder: Path, count: int) -> list[Path]:
    """Model files, the same ones for the same count."""
    chance = random.Random(0)
    paths = []
    for number in range(count):
        kernel = chance.choice([3, 4])
        # with kernel 4 nothing is left over; with kernel 3 the missing output_padding is the mistake
        output_padding = ", 1" if kernel == 3 and chance.random() < 0.4 else ""
        source = chance.choice([UNET, AUTOENCODER, CLASSIFIER]).format(
            number=number,
            width=chance.choice([8, 16, 32]),
            depth=chance.randint(2, 4),
            kernel=kernel,
            output_padding=output_padding,
        )
        paths.append(folder / f"model_{number}.py")
        paths[-1].write_text(_HEAD + source)
    return paths


@dataclass(frozen=True)
class Measured:
    """One run."""

    workers: int
    files: int
    findings: int
    seconds: float

    @property
    def rate(self) -> float:
        return self.files / self.seconds

    def row(self) -> str:
        hours = HUB / self.rate / 3600
        return (
            f"| {self.workers} | {self.seconds:.1f} | {self.rate:.1f} | {1000 * self.workers / self.rate:.0f} "
            f"| {hours:.1f} | {hours * self.workers:.1f} |"
        )


def measure(paths: list[Path], workers: int) -> Measured:
    start = time.perf_counter()
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as executor:
        result = lint_detailed(paths, check_all=on_executor(executor))
    seconds = time.perf_counter() - start
    assert len(result.models) == len(paths), f"{len(paths)} models in, {len(result.models)} out"
    return Measured(workers, len(paths), len(result.diagnostics), seconds)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2000, help="how many files (2000)")
    parser.add_argument("--workers", default="1,2", help="numbers of workers, by commas (1,2)")
    parser.add_argument("--write", type=Path, metavar="FILE", help="also write the table to this file")
    options = parser.parse_args(arguments)
    lines = head(options.count)
    print("\n".join(lines))
    with tempfile.TemporaryDirectory() as folder:
        paths = write_files(Path(folder), options.count)
        for workers in map(int, options.workers.split(",")):
            lines.append(measure(paths, workers).row())
            print(lines[-1], flush=True)
    if options.write:
        options.write.write_text("\n".join(lines) + "\n", encoding="utf-8")


def head(count: int) -> list[str]:
    """What stands above the rows."""
    versions = f"torch {version('torch')}, Python {platform.python_version()}, {cores()} cores, {platform.machine()}"
    return [
        "# Many model files",
        "",
        f"Written by `python -m benchmarks.throughput --count {count} --write benchmarks/THROUGHPUT.md`. {versions}.",
        "",
        f"{count} generated files with a model each, linted as `shapelint.lint(paths, executor=...)` does on a process",
        "pool, the start of the workers counted. The last two columns are what a hub of a million models would take at",
        "that rate, by the clock and in hours of workers.",
        "",
        "| workers | seconds | files a second | ms a file and worker | a million: hours | worker hours |",
        "|---:|---:|---:|---:|---:|---:|",
    ]


if __name__ == "__main__":
    main()
