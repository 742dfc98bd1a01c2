"""The oracle: PyTorch itself, run at a size to see what happens.

Runs are on the meta device for speed; on the CPU where meta is laxer (MaxUnpool's indices, an ``output_padding``
that is too large, ``istft``). An :class:`Oracle` remembers its answers, so that several tests can ask it.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import nn

from shapelint.unknown import DATA_DEPENDENT

Shape = tuple[int, ...]
Sizes = Mapping[str, int]


class Answers(Protocol):
    """What is asked of an analysis."""

    def accepts(self, **sizes: int) -> bool: ...
    def output_shape(self, **sizes: int) -> Any: ...


@dataclass(frozen=True, slots=True)
class Failure:
    """PyTorch raised."""

    exception: Exception

    def __str__(self) -> str:
        return f"{type(self.exception).__name__}: {' '.join(str(self.exception).split())[:160]}"


def run(
    model: nn.Module, inputs: Any, *, device: str = "meta", fresh: bool = False, kwargs: Mapping[str, Any] | None = None
) -> Any:
    """One forward in eval mode: the output's structure with a tuple of ints for every tensor, or a :class:`Failure`.

    Args:
        model: on the device already.
        inputs: one shape, or a list of shapes and other positional arguments.
        device: where the inputs are made; on the CPU they are random, since zeros hide what depends on a maximum.
        fresh: run a copy, for a model that keeps state between calls.
        kwargs: arguments by name; tuples of ints are shapes here too.
    """
    positional = [inputs] if isinstance(inputs, tuple) else list(inputs)
    model = copy.deepcopy(model) if fresh else model
    model.eval()
    try:
        # A size that is negative or huge fails where the input is made, and PyTorch's refusal is the answer as well.
        arguments = [_tensor(argument, device) for argument in positional]
        named = {name: _tensor(argument, device) for name, argument in (kwargs or {}).items()}
        with torch.no_grad():
            output = model(*arguments, **named)
    except Exception as error:  # any exception at all is this size's answer
        return Failure(error)
    return shapes_of(output)


def _tensor(argument: Any, device: str) -> Any:
    if not isinstance(argument, tuple):
        return argument
    if device == "meta":
        return torch.empty(argument, device="meta")
    return torch.randn(argument, generator=torch.Generator().manual_seed(0))


def shapes_of(output: Any) -> Any:
    """The output with every tensor replaced by its shape, a tuple of ints."""
    if isinstance(output, torch.Tensor):
        return tuple(int(size) for size in output.shape)
    if isinstance(output, Mapping):
        return {name: shapes_of(part) for name, part in output.items()}
    if isinstance(output, tuple | list):
        return [shapes_of(part) for part in output]
    if dataclasses.is_dataclass(output):
        return {entry.name: shapes_of(getattr(output, entry.name)) for entry in dataclasses.fields(output)}
    return output


def flatten_shapes(output: Any) -> list[Shape]:
    """The tensors' shapes in an output structure, in order: a tuple of sizes is one tensor."""
    if isinstance(output, tuple) and all(map(_is_size, output)):
        return [tuple(output)]
    return [shape for part in _parts(output) for shape in flatten_shapes(part)]


def _is_size(value: Any) -> bool:
    return (isinstance(value, int) and not isinstance(value, bool)) or value is DATA_DEPENDENT


def same_shapes(found: Sequence[Shape], measured: Sequence[Shape]) -> bool:
    """Are they equal wherever the analysis names a number? What it says the contents decide may be any."""
    return len(found) == len(measured) and all(
        len(have) == len(want) and all(x == y or x is DATA_DEPENDENT for x, y in zip(have, want, strict=True))
        for have, want in zip(found, measured, strict=True)
    )


def _parts(output: Any) -> list[Any]:
    if isinstance(output, Mapping):
        return list(output.values())
    if isinstance(output, tuple | list):
        return list(output)
    if dataclasses.is_dataclass(output):
        return [getattr(output, entry.name) for entry in dataclasses.fields(output)]
    if isinstance(output, torch.Tensor | nn.Module) or output is DATA_DEPENDENT:
        return []
    # An object of the user's own (a distribution with its mean and variance): its attributes, in order.
    return list(getattr(output, "__dict__", {}).values())


@dataclass(slots=True)
class Oracle:
    """A model, what to feed it, and every answer given so far.

    Attributes:
        factory: builds the model; called once, on ``device``.
        inputs: one shape or a list of shapes, ints and symbols ("H") or expressions ("2*H").
        device: "meta" or "cpu".
        fresh: run each size on a copy.
    """

    factory: Callable[[], nn.Module]
    inputs: Any
    device: str = "meta"
    fresh: bool = False
    _model: nn.Module | None = None
    _answers: dict[tuple[tuple[str, int], ...], Any] = field(default_factory=dict)

    @property
    def model(self) -> nn.Module:
        if self._model is None:
            with torch.device(self.device):
                self._model = self.factory().eval()
        return self._model

    def __call__(self, **sizes: int) -> Any:
        """What PyTorch does at these sizes."""
        key = tuple(sorted(sizes.items()))
        if key not in self._answers:
            shapes = substituted(self.inputs, sizes)
            self._answers[key] = run(self.model, shapes, device=self.device, fresh=self.fresh)
        return self._answers[key]


def substituted(inputs: Any, sizes: Sizes) -> Any:
    """Numbers for the symbols of an input description."""
    if isinstance(inputs, list):
        return [substituted(shape, sizes) for shape in inputs]
    if isinstance(inputs, tuple):
        return tuple(eval(dim, {}, dict(sizes)) if isinstance(dim, str) else dim for dim in inputs)
    return inputs


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One size at which an analysis and PyTorch differ."""

    sizes: Sizes
    pytorch: str
    analysis: str

    def __str__(self) -> str:
        at = ", ".join(f"{name}={size}" for name, size in self.sizes.items())
        return f"{at}: PyTorch {self.pytorch}; the analysis {self.analysis}"


def same_answer(analysis: Answers, oracle: Oracle, every: Iterable[Sizes]) -> list[Disagreement]:
    """Ask both at every size: the sizes where ``accepts`` or ``output_shape`` differs from PyTorch."""
    asked = ((sizes, compare(analysis, oracle(**sizes), sizes)) for sizes in every)
    return [difference for _, difference in asked if difference is not None]


def compare(analysis: Answers, actual: Any, sizes: Sizes) -> Disagreement | None:
    """One size: ``actual`` is what the oracle answered."""
    expected = None if isinstance(actual, Failure) else flatten_shapes(actual)
    outcome = f"raises {actual}" if expected is None else f"returns {expected}"
    try:
        accepted = analysis.accepts(**sizes)
        shapes = flatten_shapes(analysis.output_shape(**sizes)) if accepted and expected is not None else None
    except Exception as error:  # whatever an analysis raises is one more wrong answer, and is told
        return Disagreement(sizes, outcome, f"raises {type(error).__name__}: {error}")
    if accepted != (expected is not None):
        return Disagreement(sizes, outcome, "accepts it" if accepted else "refuses it")
    if expected is not None and not same_shapes(shapes or [], expected):
        return Disagreement(sizes, outcome, f"returns {shapes}")
    return None


def alone_and_together(good: Sizes, sizes: Iterable[int]) -> list[dict[str, int]]:
    """Each axis varied with the others held at a good size, and all of them together."""
    values = list(sizes)
    alone = [{**good, axis: value} for axis in good for value in values]
    together = [dict.fromkeys(good, value) for value in values] if len(good) > 1 else []
    return alone + together
