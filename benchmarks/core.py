"""Analysis of all sizes against ShapeProp for one size and ``torch.export`` with dynamic sizes.

    python -m benchmarks.core [--write benchmarks/RESULTS.md]

Same model, same process, rounds interleaved, medians. ``ShapeProp.propagate`` is timed on a graph that
``symbolic_trace`` has made already; the tracing is a column of its own. An analysis includes its valid sizes.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LENGTHS = (10, 100, 500, 1000, 2000)
INPUT = ("N", 3, "H", "W")

TORCHLESS = '''"""A file with no network in it."""

import math


def area(radius: float) -> float:
    return math.pi * radius**2
'''


@dataclass(frozen=True, slots=True)
class Model:
    """A fixture to time, and the concrete input for what needs one."""

    title: str
    file: str
    expression: str
    size: int


MODELS = (
    Model("U-Net (fixtures/unet.py)", "unet", "UNet(3, 2)", 256),
    Model("ResNet-50 (fixtures/resnet50.py)", "resnet50", "ResNet()", 224),
)


@dataclass(frozen=True, slots=True)
class Timing:
    """Medians in milliseconds."""

    layers: int
    cold: float
    warm: float
    trace: float
    shape_prop: float
    export: float


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.core", description=__doc__.splitlines()[0])
    parser.add_argument("--write", type=Path, help="also write the tables to this file")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--exports", type=int, default=3)
    parser.add_argument("--cold", metavar="FILE", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.cold:
        print(_milliseconds(_analysis(build(_named(options.cold)))))
        return
    text = "\n".join(report(options.rounds, options.exports))
    print(text)
    if options.write:
        options.write.write_text(text + "\n", encoding="utf-8")


def report(rounds: int, exports: int) -> list[str]:
    import torch

    torch.set_num_threads(1)
    return [
        "# Benchmarks: the core",
        "",
        "Written by `python -m benchmarks.core --write benchmarks/RESULTS.md`. Milliseconds, medians.",
        f"Python {platform.python_version()}, torch {torch.__version__}, {os.cpu_count()} cores, one thread.",
        "",
        *_models_section(rounds, exports),
        "",
        *_linear_section(rounds),
        "",
        *_start_section(rounds),
    ]


def build(model: Model) -> Any:
    """The fixture's model, on the meta device: parameters cost nothing and no method computes anything."""
    import torch

    from tests.catalogue import load

    with torch.device("meta"):
        return eval(model.expression, vars(load(model.file))).eval()


def _named(file: str) -> Model:
    return next(model for model in MODELS if model.file == file)


def _models_section(rounds: int, exports: int) -> list[str]:
    lines = [
        "## All sizes at once, against one size",
        "",
        "The analysis is for every N, H and W; ShapeProp for one input on meta tensors (256 x 256, 224 x 224);",
        "`torch.export` with automatic dynamic batch, height and width. Cold: the first analysis of a process,",
        "imports not counted.",
        "",
        _row(
            "model",
            "layers",
            "analysis, cold",
            "analysis, warm",
            "ShapeProp",
            "symbolic_trace",
            "torch.export",
            "warm / ShapeProp",
            "torch.export / warm",
        ),
        _row("---", *["---:"] * 8),
    ]
    for model in MODELS:
        t = time_model(model, rounds, exports)
        times = [f"{value:.1f}" for value in (t.cold, t.warm, t.shape_prop, t.trace)]
        ratios = [f"{t.warm / t.shape_prop:.2f}", f"{t.export / t.warm:.0f}"]
        lines.append(_row(model.title, str(t.layers), *times, f"{t.export:.0f}", *ratios))
    return lines


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def time_model(model: Model, rounds: int, exports: int) -> Timing:
    """Time everything on one model, one method after the other in every round."""
    import torch
    from torch import fx
    from torch.fx.passes.shape_prop import ShapeProp

    network = build(model)
    x = torch.empty(1, 3, model.size, model.size, device="meta")
    graph = fx.symbolic_trace(network)
    analysis = _analysis(network)
    analysis()
    with torch.no_grad():
        turns = [
            (
                _milliseconds(analysis),
                _milliseconds(lambda: ShapeProp(graph).propagate(x)),
                _milliseconds(lambda: fx.symbolic_trace(network)),
            )
            for _ in range(rounds)
        ]
    warm, shape_prop, trace = (statistics.median(column) for column in zip(*turns, strict=True))
    return Timing(
        layers=sum(not list(module.children()) for module in network.modules()),
        cold=statistics.median(_cold(model) for _ in range(5)),
        warm=warm,
        trace=trace,
        shape_prop=shape_prop,
        export=statistics.median(_milliseconds(_export(network, x)) for _ in range(exports)),
    )


def _analysis(network: Any) -> Callable[[], object]:
    # Looked up here, because shapelint imports its analysis (and torch) only when it is asked for.
    from shapelint import analyze

    return lambda: analyze(network, INPUT).valid_sizes


def _export(network: Any, x: Any) -> Callable[[], object]:
    import torch

    dynamic = dict.fromkeys((0, 2, 3), torch.export.Dim.AUTO)
    # A batch of one would be taken for a constant.
    example = torch.empty(2, *x.shape[1:], device="meta")
    return lambda: torch.export.export(network, (example,), dynamic_shapes=(dynamic,))


def _cold(model: Model) -> float:
    command = [sys.executable, "-m", "benchmarks.core", "--cold", model.file]
    answer = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return float(answer.stdout)


def _linear_section(rounds: int) -> list[str]:
    lines = [
        "## Cost against the number of layers",
        "",
        "Chains of Conv2d(8, 8, 3, padding=1) and ReLU, with a stride of 2 and a matching ConvTranspose2d every tenth.",
        "",
        "| layers | analysis | per layer |",
        "|---:|---:|---:|",
    ]
    for length in LENGTHS:
        analysis = _analysis_of_chain(length)
        analysis()
        median = statistics.median(_milliseconds(analysis) for _ in range(max(3, rounds // 3)))
        lines.append(f"| {length} | {median:.1f} | {median / length:.3f} |")
    return lines


def _analysis_of_chain(length: int) -> Callable[[], object]:
    import torch

    from shapelint import analyze

    with torch.device("meta"):
        network = chain(length).eval()
    return lambda: analyze(network, ("N", 8, "H", "W")).valid_sizes


def chain(length: int) -> Any:
    """A network of exactly so many layers."""
    from torch import nn

    layers: list[nn.Module] = []
    while len(layers) < length:
        layers += [nn.Conv2d(8, 8, 3, stride=2, padding=1), nn.ReLU(), nn.ConvTranspose2d(8, 8, 2, stride=2)]
        layers += [nn.Conv2d(8, 8, 3, padding=1) if place % 2 else nn.ReLU() for place in range(7)]
    return nn.Sequential(*layers[:length])


def _start_section(rounds: int) -> list[str]:
    with tempfile.TemporaryDirectory() as directory:
        plain = Path(directory) / "geometry.py"
        plain.write_text(TORCHLESS, encoding="utf-8")
        commands = {
            "`shapelint --help`": ["--help"],
            "`shapelint check` on a file without torch": ["check", str(plain)],
        }
        rows = [
            f"| {title} | {statistics.median(_start(arguments) for _ in range(rounds)):.0f} |"
            for title, arguments in commands.items()
        ]
    bare = statistics.median(_milliseconds(lambda: _run([sys.executable, "-c", ""])) for _ in range(rounds))
    return [
        "## Start-up",
        "",
        "Wall time of the whole process.",
        "",
        "| command | ms |",
        "|---|---:|",
        *rows,
        f"| (Python alone) | {bare:.0f} |",
    ]


def _start(arguments: list[str]) -> float:
    return _milliseconds(lambda: _run([sys.executable, "-m", "shapelint", *arguments]))


def _run(command: list[str]) -> None:
    answer = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    if answer.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {answer.returncode}: {answer.stderr[-500:]}")


def _milliseconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1000


if __name__ == "__main__":
    main()
