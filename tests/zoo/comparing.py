"""Compare an analysis with what was measured, size by size; both directions count."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from tests.zoo.measured import Measured, Shape, Sweep


class Answers(Protocol):
    """What is compared of an analysis."""

    def accepts(self, **sizes: int) -> bool: ...
    def output_shape(self, **sizes: int) -> Any: ...


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
    """How many sizes were compared, and where the two differ."""

    sizes: int
    disagreements: tuple[Disagreement, ...]


def compare(analysis: Answers, measured: Measured) -> Comparison:
    """Every measured size of every pass."""
    found = [difference for sweep in measured.sweeps for difference in compare_sweep(analysis, sweep)]
    return Comparison(sum(len(sweep.tested) for sweep in measured.sweeps), tuple(found))


def compare_sweep(analysis: Answers, sweep: Sweep) -> Iterator[Disagreement]:
    for size in sweep.tested:
        difference = compare_size(analysis, sweep, size)
        if difference is not None:
            yield difference


def compare_size(analysis: Answers, sweep: Sweep, size: int) -> Disagreement | None:
    sizes = sweep.sizes_at(size)
    runs = size in sweep.shapes
    try:
        accepted = analysis.accepts(**sizes)
        shapes = _measured_part(analysis.output_shape(**sizes), sweep, size) if accepted and runs else ()
    except Exception as error:  # noqa: BLE001 - whatever an analysis raises is one more wrong answer, and is counted
        return Disagreement(sweep.name, sizes, _outcome(sweep, size), f"raises {type(error).__name__}: {error}")
    if accepted != runs:
        return Disagreement(sweep.name, sizes, _outcome(sweep, size), "accepts it" if accepted else "refuses it")
    if runs and shapes != sweep.shapes[size]:
        return Disagreement(sweep.name, sizes, _outcome(sweep, size), f"returns {list(shapes)}")
    return None


def flatten_shapes(output: Any) -> list[Shape]:
    """The tensors' shapes in an output structure, in order: a tuple of ints is one tensor."""
    if isinstance(output, tuple) and all(isinstance(size, int) and not isinstance(size, bool) for size in output):
        return [tuple(output)]
    return [shape for part in _parts(output) for shape in flatten_shapes(part)]


def _parts(output: Any) -> list[Any]:
    if isinstance(output, Mapping):
        return list(output.values())
    if isinstance(output, tuple | list):
        return list(output)
    if dataclasses.is_dataclass(output):
        return [getattr(output, field.name) for field in dataclasses.fields(output)]
    # An object of the user's own (a distribution with its mean and variance): its attributes, in order.
    return list(getattr(output, "__dict__", {}).values())


def _measured_part(output: Any, sweep: Sweep, size: int) -> tuple[Shape, ...]:
    """The shapes that can be compared: an empty tuple is a scalar or an empty container, so scalars need to be expected."""
    expected = sweep.shapes[size]
    found = [shape for shape in flatten_shapes(output) if shape or () in expected]
    complete = len(found) == sweep.tensors[size]
    return tuple(found[: len(expected)]) if complete else tuple(found)


def _outcome(sweep: Sweep, size: int) -> str:
    if size in sweep.shapes:
        return f"returns {list(sweep.shapes[size])}"
    return f"raises {sweep.errors.get(size, 'an error')[:160]}"
