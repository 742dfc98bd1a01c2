"""Padding an input to a size that runs, and cropping the output back: ``shapelint.pad_to_valid``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch.nn.functional as F
from torch import Tensor

from shapelint.api import Analysis, analyze
from shapelint.sizes import Dim

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, slots=True)
class Crop:
    """Undoes a padding on an output. Call it with what the model returned.

    Attributes:
        original: the spatial size that was padded.
        padded: the spatial size that the model got.
    """

    original: tuple[int, ...]
    padded: tuple[int, ...]

    def __call__(self, output: Any) -> Any:
        """The output without what the padding added; in a structure, every tensor that has these axes.

        An output of another scale than the input is cropped in proportion, rounded up.
        """
        if isinstance(output, Tensor):
            return self._cropped(output)
        if isinstance(output, Mapping):
            return type(output)((key, self(value)) for key, value in output.items())  # type: ignore[call-arg]
        if isinstance(output, tuple) and hasattr(output, "_fields"):
            return type(output)(*map(self, output))
        if isinstance(output, (list, tuple)):
            return type(output)(map(self, output))
        return output

    def _cropped(self, tensor: Tensor) -> Tensor:
        axes = len(self.original)
        if tensor.ndim != axes + 2:
            return tensor
        for position, (had, got) in enumerate(zip(self.original, self.padded, strict=True)):
            axis = position - axes
            size = -(-tensor.shape[axis] * had // got)
            tensor = tensor.narrow(axis, 0, size)
        return tensor


def pad_to_valid(
    model: nn.Module | Analysis, x: Tensor, *, inputs: Any = None, mode: str = "constant", value: float | None = None
) -> tuple[Tensor, Crop]:
    """Pad an input, at the end of each axis, to the nearest size that the model runs on and returns as it was.

    Where the model never returns its input's size, the nearest size that runs. To pad many inputs, analyse the
    model once and give the analysis: ``pad_to_valid(shapelint.analyze(model), x)``.

    Args:
        model: the model, or its analysis.
        x: its input, with batch and channels.
        inputs: as ``shapelint.analyze`` takes them.
        mode, value: as ``torch.nn.functional.pad`` takes them.

    Returns:
        The padded tensor, and what crops the model's output.

    Raises:
        ValueError: no larger size runs, or the tensor is not the model's input.
    """
    analysis = model if isinstance(model, Analysis) else analyze(model, inputs)
    had = _spatial(analysis, x)
    target = _next(analysis, had)
    names = list(had)
    shape = analysis.input_shape
    padding: list[int] = []
    for axis in reversed(range(2, len(shape))):
        name = str(shape[axis])
        padding += [0, target[name] - had[name] if name in names else 0]
    original = tuple(x.shape[2:])
    padded = x if not any(padding) else F.pad(x, padding, mode, value)
    return padded, Crop(original, tuple(padded.shape[2:]))


def _spatial(analysis: Analysis, x: Tensor) -> dict[str, int]:
    shape: Sequence[Any] = analysis.input_shape
    if len(shape) != x.ndim:
        wanted = ", ".join(map(str, shape))
        raise ValueError(f"{analysis.name} takes ({wanted}), and the tensor has the shape {tuple(x.shape)}")
    return {
        str(size): x.shape[axis]
        for axis, size in enumerate(shape)
        if isinstance(size, Dim) and str(size) in analysis.network.symbols
    }


def _next(analysis: Analysis, had: Mapping[str, int]) -> dict[str, int]:
    if not had:
        return {}
    for sizes in (analysis.round_trip_sizes, analysis.valid_sizes):
        found = sizes.project(*had).next_at_least(**had)
        if found is not None:
            return found
    text = " × ".join(map(str, had.values()))
    raise ValueError(f"{analysis.name} runs at no size from {text} on; it runs at: {analysis.valid_sizes}")
