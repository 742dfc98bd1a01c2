"""Analysis of all sizes, model by model over the zoo, against what else there is for one size.

    python -m benchmarks.zoo --jobs 2 --json zoo-times.json --write benchmarks/ZOO.md

Per network: the analysis with its valid sizes; one eager forward on the meta device; ``ShapeProp`` for one size, where
``symbolic_trace`` can follow the network; ``torch.export`` with dynamic sizes, as long as ``--export-seconds`` allow.
Every network has processes of its own, forked from one in which everything is imported and warmed up; times are the
best of several, taken in turns on networks built anew, and ``first`` is the first analysis in such a process.

Results are kept in the file that ``--json`` names as they come: a run that is stopped goes on where it was, and
``--only`` fills in or renews single networks. ``--merge`` takes over the results of other runs.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import functools
import io
import json
import logging
import math
import os
import platform
import re
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.guarded import Outcome, run_guarded
from tests.zoo import building
from tests.zoo.measured import Measured, load
from tests.zoo.published import published

ROUNDS = 4
PATIENCE_MS = 1000.0
"""What takes longer is not measured again."""
TARGET_MEAN, TARGET_WORST, TARGET_EXPORT = 0.5, 5.0, 100.0


@dataclass(frozen=True, slots=True)
class Job:
    """One network, and what is to be timed: all but ``torch.export``, or that."""

    network: Measured
    export: bool


@dataclass(frozen=True, slots=True)
class Row:
    """What is known of one network, in milliseconds; None where something does not work, with the reason.

    Attributes:
        first: the first analysis in a process.
        best: the best of several.
        missing: why nothing could be timed.
        shape_prop_fails, export_fails: why there is no such time.
    """

    id: str
    certainty: str = ""
    first: float | None = None
    best: float | None = None
    eager: float | None = None
    trace: float | None = None
    shape_prop: float | None = None
    shape_prop_fails: str = ""
    export: float | None = None
    export_fails: str = ""
    missing: str = ""

    def ratio(self, other: float | None) -> float | None:
        """The analysis against something else."""
        return None if self.best is None or not other else self.best / other


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    rows = {row.id: row for file in [*options.merge, *filter(None, [options.json])] for row in _read(file)}
    wanted = [network for network in load(options.measurements) or published() if re.search(options.only, network.id)]
    waiting = [network for network in wanted if options.only or network.id not in rows]
    if options.sample is not None:
        waiting = waiting[:: max(1, len(waiting) // max(1, options.sample))][: options.sample]
    if not options.table_only:
        _measure(waiting, rows, options)
    if options.write:
        options.write.write_text("\n".join(report([*rows.values()], options.export_seconds)) + "\n", encoding="utf-8")
    print("\n".join(summary([*rows.values()])))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.zoo", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", metavar="REGEX", help="networks whose id matches, also if they are known")
    parser.add_argument("--sample", type=int, metavar="N", help="so many of them, spread evenly")
    parser.add_argument("--jobs", type=int, default=1, help="networks at once; not more than there are idle cores")
    parser.add_argument("--limit-seconds", type=float, default=60.0, help="for everything but torch.export")
    parser.add_argument("--export-seconds", type=float, default=20.0, help="for torch.export; 0 leaves it out")
    parser.add_argument("--measurements", type=Path, help="another sizes.jsonl")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep results here, and go on from those it has")
    parser.add_argument(
        "--merge", type=Path, action="append", default=[], metavar="FILE", help="take these results over"
    )
    parser.add_argument("--table-only", action="store_true", help="measure nothing")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the table to this file")
    return parser


# --- measuring ------------------------------------------------------------------------------------------------


def _measure(networks: Sequence[Measured], rows: dict[str, Row], options: argparse.Namespace) -> None:
    for package in dict.fromkeys(network.package for network in networks):
        building.import_package(package)
    _warm_up(export=options.export_seconds > 0)
    for export, limit in ((False, options.limit_seconds), (True, options.export_seconds)):
        jobs = [
            Job(network, export) for network in networks if limit > 0 and not (export and rows[network.id].best is None)
        ]
        for outcome in run_guarded(_timed, jobs, at_once=options.jobs, limit_seconds=limit):
            known = rows.get(outcome.job.network.id, Row(outcome.job.network.id))
            rows[known.id] = _with(known, outcome)
            print(_line(rows[known.id], export), flush=True)
            if options.json:
                _write(options.json, rows.values())


def _with(known: Row, outcome: Outcome[Job, Mapping[str, Any]]) -> Row:
    """A network's row with what one process found out, or why it did not."""
    if outcome.result is not None:
        fresh = known if outcome.job.export else Row(known.id, export=known.export, export_fails=known.export_fails)
        return dataclasses.replace(fresh, **outcome.result)
    # A traceback's last line says what it was about.
    lines = (outcome.failure or "").strip().splitlines() or ["no answer"]
    if outcome.job.export:
        return dataclasses.replace(known, export=None, export_fails=lines[-1])
    return Row(known.id, missing=lines[-1])


def _line(row: Row, export: bool) -> str:
    if row.missing:
        return f"{row.id:38} {row.missing[:80]}"
    if export:
        return f"{row.id:38} export {_cell(row.export)} ms {row.export_fails[:80]}"
    return f"{row.id:38} {row.certainty:11} {_cell(row.best)} ms, eager {_cell(row.eager)} ms"


def _warm_up(*, export: bool) -> None:
    """What is paid once a process, whatever the network is, is paid here: lazy imports, isl's context."""
    import torch
    from torch import nn

    import shapelint

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    with torch.device("meta"):
        small = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.MaxPool2d(2)).eval()
        x = torch.empty(1, 1, 8, 8)
    assert not shapelint.analyze(small, (1, 1, "H", "W")).valid_sizes.is_empty()
    small(x)
    if export:
        auto = torch.export.Dim.AUTO
        torch.export.export(small, (x,), dynamic_shapes=({2: auto, 3: auto},))


def _timed(job: Job) -> dict[str, Any]:
    return _time_export(job.network) if job.export else _time_analysis(job.network)


def _time_analysis(network: Measured) -> dict[str, Any]:
    """In turns: an analysis and a forward, each of a network built anew, so that neither finds anything remembered."""
    import shapelint

    certainty = ""

    def analyse(model: Any, inputs: Any) -> None:
        nonlocal certainty
        analysis = shapelint.analyze(model, inputs)
        _ = analysis.valid_sizes  # known lazily: what has not computed them has answered nothing yet
        certainty = analysis.certainty

    device = network.device
    times: list[float] = []
    forwards: list[float] = []
    while len(times) < ROUNDS and (not times or times[-1] < PATIENCE_MS):
        model = building.build(network)
        times.append(_milliseconds(functools.partial(analyse, model, building.inputs(network, model))))
        model = building.build(network).to(device)
        forwards.append(_milliseconds(functools.partial(building.run_eagerly, network, model, network.good, device)))
    # The first forward loads what PyTorch loads lazily; a second is there even if the analysis was slow.
    model = building.build(network).to(device)
    forwards.append(_milliseconds(functools.partial(building.run_eagerly, network, model, network.good, device)))
    found = {"certainty": certainty, "first": times[0], "best": min(times), "eager": min(forwards)}
    return {**found, **_time_shape_prop(network)}


def _time_shape_prop(network: Measured) -> dict[str, Any]:
    import torch
    from torch import fx
    from torch.fx.passes.shape_prop import ShapeProp

    if network.extra:
        return {"shape_prop_fails": "takes arguments by name"}
    model = building.build(network).to(network.device)
    x = torch.zeros(building.concrete(network, network.good), device=network.device)
    traces: list[float] = []
    walks: list[float] = []
    try:
        # ShapeProp prints the traceback of what it raises.
        with torch.no_grad(), contextlib.redirect_stderr(io.StringIO()):
            for _ in range(ROUNDS):
                started = time.perf_counter()
                graph = fx.symbolic_trace(model)
                traces.append((time.perf_counter() - started) * 1000)
                walks.append(_milliseconds(functools.partial(ShapeProp(graph).propagate, x)))
    except Exception as error:  # whatever a tracer raises: it cannot follow this network, which is the answer
        return {"shape_prop_fails": f"{type(error).__name__}: {_first_line(error)}"}
    return {"trace": min(traces), "shape_prop": min(walks)}


def _time_export(network: Measured) -> dict[str, Any]:
    import torch

    # On the CPU, as people export: nothing is computed there either, and buffers have contents.
    model = building.build(network, "cpu")
    x = torch.zeros(building.concrete(network, network.good))
    extra = building.evaluate(network.extra, x=x, dev="cpu") if network.extra else {}
    moving = {axis: torch.export.Dim.AUTO for axis, size in enumerate(network.input) if isinstance(size, str)}
    others = {
        name: dict.fromkeys(range(value.dim()), torch.export.Dim.AUTO) if isinstance(value, torch.Tensor) else None
        for name, value in extra.items()
    }
    if isinstance(model, building.Meth):
        shapes: dict[str, Any] = {"args": (moving,), **({"kwargs": others} if others else {})}
    else:
        shapes = {building.first_argument(model): moving, **others}
    # An export that fails logs and prints its graph.
    logging.disable(logging.CRITICAL)
    try:
        with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
            work = functools.partial(torch.export.export, model, (x,), extra, dynamic_shapes=shapes)
            return {"export": _milliseconds(work), "export_fails": ""}
    except Exception as error:  # whatever an export raises: it cannot do this network, which is the answer
        return {"export": None, "export_fails": f"{type(error).__name__}: {_first_line(error)}"}


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), "")[:160]


def _milliseconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1000


def _read(file: Path) -> list[Row]:
    return [Row(**entry) for entry in json.loads(file.read_text(encoding="utf-8"))] if file.is_file() else []


def _write(file: Path, rows: Iterable[Row]) -> None:
    """Whole or not at all: a run may be stopped at any moment."""
    temporary = file.with_name(f"{file.name}.{os.getpid()}")
    temporary.write_text(json.dumps([dataclasses.asdict(row) for row in rows], indent=1) + "\n", encoding="utf-8")
    temporary.replace(file)


# --- the table ------------------------------------------------------------------------------------------------


def report(rows: Sequence[Row], export_seconds: float) -> list[str]:
    """The file that is written to the repository."""
    import torch

    return [
        "# Benchmarks: the zoo",
        "",
        "Written by `python -m benchmarks.zoo --write benchmarks/ZOO.md`. Milliseconds, best of several.",
        f"Python {platform.python_version()}, torch {torch.__version__}, {os.cpu_count()} cores, one thread a network.",
        "",
        "The analysis is for all sizes at once, with its valid sizes; eager is one forward on the meta device at one",
        "size; ShapeProp is for one size, on the graph of `symbolic_trace` where that can follow the network;",
        f"`torch.export` has automatic dynamic sizes and at most {export_seconds:.0f} s. Ratios are of the analysis to",
        "what is named; the last column says how many times longer `torch.export` takes. `first` is the first analysis",
        "of a process in which everything is imported.",
        "",
        *summary(rows),
        "",
        _cells(
            "network", "certainty", "first", "analysis", "eager", "/ eager", "ShapeProp", "/ ShapeProp", "export", "×"
        ),
        _cells("---", "---", *["---:"] * 8),
        *(_table_row(row) for row in sorted(rows, key=lambda row: row.id)),
    ]


_HEADINGS = ("network", "certainty", "first", "analysis", "eager", "/ eager", "ShapeProp", "/ ShapeProp", "export", "×")


def _table_row(row: Row) -> str:
    if row.best is None:
        return _cells(row.id, row.missing[:60], *["–"] * 8)
    longer = None if row.export is None else row.export / row.best
    times = [_cell(row.first), _cell(row.best), _cell(row.eager), _cell(row.ratio(row.eager), 2)]
    times += [_cell(row.shape_prop), _cell(row.ratio(row.shape_prop), 2)]
    return _cells(row.id, row.certainty, *times, _cell(row.export, 0), _cell(longer, 0))


def _cells(*values: str) -> str:
    return f"| {' | '.join(value.replace('|', '/') for value in values)} |"


def _cell(value: float | None, digits: int = 1) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def summary(rows: Sequence[Row]) -> list[str]:
    """The figures that are to be reached, and what was."""
    timed = [row for row in rows if row.best is not None]
    proven = [row for row in timed if row.certainty == "proven"]
    above = sorted((row for row in timed if (row.ratio(row.eager) or 0) > TARGET_WORST), key=lambda row: row.id)
    lines = [
        f"- {len(timed)} networks ({len(proven)} proven); {len(rows) - len(timed)} without a time.",
        _compared("one eager forward", timed, lambda row: row.ratio(row.eager), f"aim: mean at most {TARGET_MEAN}"),
        _compared("one eager forward, proven ones", proven, lambda row: row.ratio(row.eager), ""),
        f"- above {TARGET_WORST:g} × one eager forward: {len(above)} (aim: none)"
        + "".join(f"; {row.id} {row.ratio(row.eager) or 0:.1f}" for row in above),
        _compared("ShapeProp for one size", timed, lambda row: row.ratio(row.shape_prop), ""),
    ]
    exported = [row for row in timed if row.export is not None and row.best]
    factors = sorted((row.export or 0) / (row.best or 1) for row in exported)
    failing = [row for row in timed if row.export_fails]
    if factors:
        below = sum(factor < TARGET_EXPORT for factor in factors)
        lines.append(
            f"- `torch.export` works on {len(factors)} and fails on {len(failing)}. It takes {_mean(factors):.0f} × as "
            f"long: geometric mean; median {factors[len(factors) // 2]:.0f}, least {factors[0]:.0f} (aim: at least "
            f"{TARGET_EXPORT:.0f}; {below} are below)"
        )
    return lines


def _compared(what: str, rows: Sequence[Row], ratio: Callable[[Row], float | None], aim: str) -> str:
    found = sorted((value, row.id) for row in rows if (value := ratio(row)) is not None)
    if not found:
        return f"- / {what}: nothing to compare"
    values = [value for value, _ in found]
    return (
        f"- / {what}: geometric mean {_mean(values):.2f}, median {values[len(values) // 2]:.2f}, worst "
        f"{values[-1]:.1f} ({found[-1][1]}), of {len(values)}{f' ({aim})' if aim else ''}"
    )


def _mean(values: Sequence[float]) -> float:
    return math.exp(sum(map(math.log, values)) / len(values))


if __name__ == "__main__":
    sys.exit(main())
