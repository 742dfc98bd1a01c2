"""Analyse one measured network and judge every answer; the work of one guarded process."""

from __future__ import annotations

import functools
import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

import shapelint
from tests.zoo import building
from tests.zoo.comparing import Comparison, compare
from tests.zoo.measured import Measured
from tests.zoo.published import measured_here

_KEPT = 12
"""Disagreements sent back in full; one cause usually repeats at hundreds of sizes."""


@dataclass(frozen=True, slots=True)
class Missing:
    """The network could not be built because a package is not installed; nothing was judged."""

    reason: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the analysis of one network came to."""

    id: str
    certainty: str
    reasons: tuple[str, ...]
    sizes: int
    disagreements: int
    examples: tuple[str, ...]
    first_ms: float
    best_ms: float
    eager_ms: float
    compare_seconds: float
    unknown: int = 0
    """At so many sizes it says that some size of the output depends on the contents of the tensors."""

    @property
    def ratio(self) -> float:
        return self.best_ms / self.eager_ms


def examine(
    measured: Measured, *, device: str | None = None, analyse: Callable[..., Any] | None = None
) -> Verdict | Missing:
    """Build, analyse, compare at every measured size, and time against one eager forward on the meta device."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    analyse = analyse or shapelint.analyze
    _warm_up(analyse)
    try:
        model = building.build(measured, device)
    except ImportError as error:
        return Missing(str(error).splitlines()[0])
    measured = measured_here(measured)
    first_ms, analysis = _analyse(analyse, measured, model)
    started = time.perf_counter()
    comparison = compare(analysis, measured)
    compare_seconds = time.perf_counter() - started
    # A model built anew each time: nothing remembered about this very object makes the analysis look faster.
    anew = [building.build(measured, device) for _ in range(3 if first_ms < 1000 else 0)]
    repeats = [_analyse(analyse, measured, fresh)[0] for fresh in anew]
    return _verdict(
        measured,
        analysis,
        comparison,
        first_ms,
        min([first_ms, *repeats]),
        _eager_ms(measured, device),
        compare_seconds,
    )


def _analyse(analyse: Callable[..., Any], measured: Measured, model: nn.Module) -> tuple[float, Any]:
    """Milliseconds until the valid sizes are known, and the analysis."""
    inputs = building.inputs(measured, model)
    started = time.perf_counter()
    analysis = analyse(model, inputs)
    # Known lazily; an analysis that has not computed them has answered nothing yet.
    _ = analysis.valid_sizes
    return (time.perf_counter() - started) * 1000, analysis


def _verdict(
    measured: Measured,
    analysis: Any,
    comparison: Comparison,
    first_ms: float,
    best_ms: float,
    eager_ms: float,
    compare_seconds: float,
) -> Verdict:
    return Verdict(
        id=measured.id,
        certainty=str(analysis.certainty),
        reasons=tuple(analysis.certainty_reasons),
        sizes=comparison.sizes,
        disagreements=len(comparison.disagreements),
        examples=tuple(str(difference) for difference in comparison.disagreements[:_KEPT]),
        first_ms=first_ms,
        best_ms=best_ms,
        eager_ms=eager_ms,
        compare_seconds=compare_seconds,
        unknown=comparison.unknown,
    )


def _warm_up(analyse: Callable[..., Any]) -> None:
    """What only the first analysis of a process pays (imports, isl's context) is not the network's cost."""
    analyse(nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.MaxPool2d(2)).eval(), (1, 1, "H", "W"))


def _eager_ms(measured: Measured, device: str | None) -> float:
    """One ordinary forward at the good size, measured here, on meta (the CPU for the few that meta cannot run)."""
    fresh = [building.build(measured, device).to(measured.device) for _ in range(3)]
    forwards = [functools.partial(building.run_eagerly, measured, net, measured.good, measured.device) for net in fresh]
    return statistics.median(map(_milliseconds, forwards))


def _milliseconds(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1000
