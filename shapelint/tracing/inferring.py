"""What a model is given where nobody says: inferred from its layers and from the names of its arguments."""

from __future__ import annotations

import functools
import inspect
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import nn

from shapelint.sizes import Dim
from shapelint.sizes.dim import dim
from shapelint.tracing.inputs import Inputs, usual_dtype
from shapelint.tracing.replaying import own_call
from shapelint.tracing.tensor import symbolic_tensor

NAMES_BY_RANK: dict[int, tuple[str, ...]] = {
    1: ("N",),
    2: ("N", "C"),
    3: ("N", "C", "T"),
    4: ("N", "C", "H", "W"),
    5: ("N", "C", "D", "H", "W"),
}

_RANKS: tuple[tuple[tuple[str, ...], int], ...] = (
    (("Conv3d", "ConvTranspose3d", "MaxPool3d", "AvgPool3d", "BatchNorm3d", "InstanceNorm3d"), 5),
    (("Conv2d", "ConvTranspose2d", "MaxPool2d", "AvgPool2d", "BatchNorm2d", "InstanceNorm2d", "PixelShuffle"), 4),
    (("Conv1d", "ConvTranspose1d", "MaxPool1d", "AvgPool1d", "InstanceNorm1d"), 3),
)


_MOST = 6
"""So many arguments are tried; of a model that takes masks, whose shapes are others, three times as many."""


def candidates(model: nn.Module) -> list[Inputs]:
    """Arguments to try when nobody declared any, likeliest first."""
    tensors = _required_parameters(model)
    masked = any(map(_is_mask, tensors[1:]))
    shapes = dict.fromkeys(_likely_shapes(model, usual_dtype(model), masked))
    found = (inputs for names, dtype in shapes for inputs in _with_shape(tensors, names, dtype))
    return list(itertools.islice(found, 3 * _MOST if masked else _MOST))


def integer_candidates(model: nn.Module) -> Iterator[Inputs]:
    """Arguments to try where the likely ones have a dtype that is refused: indices, classes, token ids."""
    tensors = _required_parameters(model)
    for names in (("N",), ("N", "T")):
        yield from _with_shape(tensors, names, torch.int64)


def _likely_shapes(model: nn.Module, usual: torch.dtype, masked: bool) -> Iterator[tuple[tuple[str, ...], torch.dtype]]:
    for module in model.modules():
        kinds = {base.__name__ for base in type(module).__mro__}
        for layers, rank in _RANKS:
            if kinds & set(layers):
                yield NAMES_BY_RANK[rank], usual
        if kinds & {"LSTM", "GRU", "RNN"}:
            yield (("N", "T", "C") if getattr(module, "batch_first", False) else ("T", "N", "C")), usual
        if kinds & {"MultiheadAttention", "TransformerEncoderLayer"}:
            attention = getattr(module, "self_attn", module)
            # a mask is one for each of a batch, wherever that is
            first = not masked or getattr(attention, "batch_first", True)
            yield (("N", "T", "C") if first else ("T", "N", "C")), usual
        if kinds & {"Embedding"}:
            yield ("N", "T"), torch.long
        if kinds & {"Linear", "BatchNorm1d"}:
            if masked:  # of the steps of a sequence
                yield ("N", "T", "C"), usual
            yield ("N", "C"), usual
    for rank in (4, 3, 5, 2, 1):
        yield NAMES_BY_RANK[rank], usual


def _taking_inputs(model: nn.Module) -> Callable[..., Any]:
    """The method that names a model's arguments: ``forward``, or the call of a class that has none."""
    call = own_call(model)
    if call is None or type(model).forward is not nn.Module.forward:
        return model.forward
    return functools.partial(call, model)


def _required_parameters(model: nn.Module) -> list[inspect.Parameter]:
    parameters = inspect.signature(_taking_inputs(model)).parameters.values()
    required = [
        p for p in parameters if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    if required:
        return required
    return [p for p in parameters if p.kind not in (p.VAR_KEYWORD, p.KEYWORD_ONLY)][:1]


_TIMES = frozenset({"t", "time", "times", "timestep", "timesteps", "noise_level", "sigma"})


def _with_shape(parameters: list[inspect.Parameter], names: tuple[str, ...], dtype: torch.dtype) -> Iterator[Inputs]:
    """All tensors alike, but for times and lengths; then, beside token ids, masks of booleans."""
    sizes = tuple(dim(n) for n in names)
    first, *others = parameters
    if first.name in _TIMES and len(names) == 2:
        yield Inputs((symbolic_tensor(sizes[:1], dtype), *_beside(others, sizes, dtype)), {}, names[:1], inferred=True)
    masks = any(_is_mask(parameter) for parameter in others)
    for shape in _mask_shapes(names) if masks else (sizes,):
        for mask_dtype in dict.fromkeys((dtype, torch.bool) if masks else (dtype,)):
            mask = symbolic_tensor(shape, mask_dtype) if masks else None
            args = (symbolic_tensor(sizes, dtype), *_beside(others, sizes, dtype, mask))
            yield Inputs(args, {}, names, inferred=True)


def _mask_shapes(names: tuple[str, ...]) -> Iterator[tuple[Any, ...]]:
    """The shapes that a mask may have: without channels, or of one, and the batch first; or that of the input."""
    if len(names) > 2:
        yield (dim("N"), *(dim(name) for name in names if name not in ("N", "C")))
        if names[1] == "C":
            yield (dim("N"), 1, *map(dim, names[2:]))
    yield tuple(map(dim, names))


def _beside(
    parameters: Iterable[inspect.Parameter], sizes: tuple[Dim, ...], dtype: torch.dtype, mask: Any = None
) -> Iterator[Any]:
    for parameter in parameters:
        if parameter.name in _TIMES:
            yield symbolic_tensor(sizes[:1], torch.float32)
        elif "len" in parameter.name.lower():
            yield symbolic_tensor(sizes[:1], torch.int64)
        elif parameter.annotation is int:
            yield 1
        elif mask is not None and _is_mask(parameter):
            yield symbolic_tensor(mask.sizes, mask.kind)
        else:
            yield symbolic_tensor(sizes, dtype)


def _is_mask(parameter: inspect.Parameter) -> bool:
    return "mask" in parameter.name.lower()
