"""Positions computed element by element from one ramp, found out for every number that the ramp can hold.

Buckets of relative positions (``log``, ``min``, ``where`` of ``j - i``) are beyond formulas. But each is a function of
one whole number, and a tensor of n x n elements, of which there are fewer than 2**31, holds few different ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from shapelint.ops.ramps import INTEGERS, Ramp
from shapelint.ops.recipes import Blank, NotComputed, Recipe, computed_from
from shapelint.sizes import Dim, Size
from shapelint.sizes.condition import LARGEST_TENSOR
from shapelint.sizes.path import bounds

_MANY = 2**20
"""More numbers are not tried."""

_EACH = frozenset(
    {
        *("add", "sub", "rsub", "mul", "multiply", "div", "divide", "true_divide", "floor_divide", "remainder", "neg"),
        *("abs", "sign", "log", "log2", "log10", "log1p", "exp", "sqrt", "pow", "square", "floor", "ceil", "round"),
        *("trunc", "minimum", "maximum", "where", "clamp", "clip", "clamp_min", "clamp_max", "gt", "ge", "lt", "le"),
        *("eq", "ne", "logical_and", "logical_or", "logical_not", "float", "double", "long", "int", "bool", "to"),
        *("type", "type_as", "clone", "contiguous", "detach", "cpu", "full_like", "zeros_like", "ones_like"),
        *(f"__{name}__" for name in ("add", "radd", "sub", "rsub", "mul", "rmul", "truediv", "rtruediv", "floordiv")),
        *(f"__{name}__" for name in ("mod", "neg", "abs", "gt", "ge", "lt", "le", "eq", "ne", "and", "or", "invert")),
        *(f"__{name}__" for name in ("iadd", "isub", "imul", "itruediv", "ifloordiv", "pow")),
    }
)
"""Functions whose every element comes from those at the same place."""

_OF_TWO = frozenset({"min", "max"})
"""These, of two tensors; of one they go along a dimension."""

_MOVES = frozenset(
    {
        *("view", "reshape", "flatten", "unsqueeze", "squeeze", "transpose", "t", "permute", "expand", "expand_as"),
        *("contiguous", "clone", "detach", "__getitem__", "select", "narrow"),
    }
)
"""Functions that put the same numbers, or some of them, in other places. A conversion makes others of them (of -inf, of
what is too large), and is computed."""


def numbers_for_all_sizes(index: Any) -> tuple[int, int] | None:
    """The least and the greatest number in a tensor of positions, whatever the sizes; ``None`` if that is not known."""
    recipe = getattr(index, "recipe", None)
    if index.dtype not in INTEGERS:
        return None
    while type(recipe) is Recipe and _name(recipe) in _MOVES and type(recipe.args[0]) is Recipe:
        recipe = recipe.args[0]
    parts: dict[int, Recipe | Blank] = {}
    if type(recipe) is not Recipe or not _is_each(recipe, parts):
        return None
    ramps = [part for part in parts.values() if isinstance(part, Recipe)]
    if len(ramps) != 1 or ramps[0].like is None:
        return None
    like = ramps[0].like
    extent = _extent(ramps[0].ramp, like.sizes)
    if extent is None:
        return None
    done = {at: torch.empty((), dtype=part.dtype) for at, part in parts.items() if isinstance(part, Blank)}
    done[id(ramps[0])] = torch.arange(extent[0], extent[1] + 1).to(like.dtype)
    try:
        numbers = computed_from(recipe, {}, done)
    except NotComputed:
        return None
    return (int(numbers.min()), int(numbers.max())) if numbers.dtype in INTEGERS else None


def _name(recipe: Recipe) -> str:
    name = getattr(recipe.function, "__name__", "")
    return name.rstrip("_") if recipe.in_place and not name.startswith("_") else name


def _is_each(value: Any, parts: dict[int, Recipe | Blank]) -> bool:
    """Whether a value's every element comes from those of ramps at the same place, which are collected."""
    if type(value) is Blank:
        parts[id(value)] = value
        return True
    if type(value) is Recipe:
        if value.ramp is not None and any(value.ramp.steps):
            parts[id(value)] = value
            return True
        name = _name(value)
        known = name in _EACH or (name in _OF_TWO and len(value.args) == 2 and type(value.args[1]) is Recipe)
        given = (*value.args, *value.kwargs.values())
        return known and value.part is None and all(_is_each(each, parts) for each in given)
    if isinstance(value, torch.Tensor):
        return value.ndim == 0
    return isinstance(value, (int, float, torch.dtype, torch.device, str)) and not isinstance(value, Dim)


def _extent(ramp: Ramp, shape: Sequence[Size]) -> tuple[int, int] | None:
    """The least and the greatest number of a ramp in any tensor of this shape that there can be."""
    symbolic = [size for size in shape if isinstance(size, Dim)]
    if type(ramp.start) is not int or not symbolic or any(size.expr is not symbolic[0].expr for size in symbolic):
        return None
    most = int(LARGEST_TENSOR ** (1 / len(symbolic))) + 1
    known = bounds(symbolic[0].expr)[1]
    most = most if known is None else min(most, known)
    if most > _MANY:
        return None
    low = high = ramp.start
    for step, size in zip(ramp.steps, shape, strict=True):
        reach = step * ((most if isinstance(size, Dim) else size) - 1)
        low, high = low + min(reach, 0), high + max(reach, 0)
    return (low, high) if high - low < _MANY else None
