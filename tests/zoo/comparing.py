"""Compare an analysis with what was measured, size by size; both directions count."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shapelint.unknown import DATA_DEPENDENT, Unknown, holds_unknown
from tests.oracle import Answers, flatten_shapes, same_shapes
from tests.zoo.measured import Measured, Shape, Sweep


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One size at which the analysis and PyTorch differ."""

    sweep: str
    sizes: Mapping[str, int]
    measured: str
    analysed: str

    def __str__(self) -> str:
        at = ", ".join(f"{name}={size}" for name, size in self.sizes.items())
        return f"[{self.sweep}] {at}: PyTorch {self.measured}; the analysis {self.analysed}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """How many sizes were compared, where the two differ, and how often a size was said to depend on contents."""

    sizes: int
    disagreements: tuple[Disagreement, ...]
    unknown: int = 0


def compare(analysis: Answers, measured: Measured) -> Comparison:
    """Every measured size of every pass."""
    answers = [compare_size(analysis, sweep, size) for sweep in measured.sweeps for size in sweep.tested]
    differences = tuple(answer for answer in answers if isinstance(answer, Disagreement))
    return Comparison(len(answers), differences, sum(answer is DATA_DEPENDENT for answer in answers))


def compare_size(analysis: Answers, sweep: Sweep, size: int) -> Disagreement | Unknown | None:
    """A difference, if there is one; ``DATA_DEPENDENT`` if there is none, and the analysis leaves a size open."""
    sizes = sweep.sizes_at(size)
    runs = size in sweep.shapes
    try:
        accepted = analysis.accepts(**sizes)
        shapes = _measured_part(analysis.output_shape(**sizes), sweep, size) if accepted and runs else ()
    except Exception as error:  # whatever an analysis raises is one more wrong answer, and is counted
        return Disagreement(sweep.name, sizes, _outcome(sweep, size), f"raises {type(error).__name__}: {error}")
    if accepted != runs:
        return Disagreement(sweep.name, sizes, _outcome(sweep, size), "accepts it" if accepted else "refuses it")
    if runs and not same_shapes(shapes, sweep.shapes[size]):
        return Disagreement(sweep.name, sizes, _outcome(sweep, size), f"returns {list(shapes)}")
    return DATA_DEPENDENT if holds_unknown(shapes) else None


def _measured_part(output: Any, sweep: Sweep, size: int) -> tuple[Shape, ...]:
    """What can be compared; an empty tuple is a scalar only where one is expected, else an empty container."""
    expected = sweep.shapes[size]
    found = [shape for shape in flatten_shapes(output) if shape or () in expected]
    complete = len(found) == sweep.tensors[size]
    return tuple(found[: len(expected)]) if complete else tuple(found)


def _outcome(sweep: Sweep, size: int) -> str:
    if size in sweep.shapes:
        return f"returns {list(sweep.shapes[size])}"
    return f"raises {sweep.errors.get(size, 'an error')[:160]}"
