"""What is known of the numbers in tensors: noted after each function, and where paths join."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import torch

from shapelint.ops.extents import Extent, extent_after, extent_of, extent_of_contents
from shapelint.ops.ramps import CONSTANT, EXACT, Ramp, ramp_after
from shapelint.ops.recipes import ON_SIZES_ONLY, Blank, Cases, Recipe, Unfollowed, recipe_after, written_through
from shapelint.sizes import Condition, Dim, Domain, Ratio
from shapelint.sizes import dim as dims
from shapelint.sizes.dim import FloatProduct
from shapelint.sizes.expr import Expr
from shapelint.tracing.joining import join_sizes
from shapelint.tracing.record import Call
from shapelint.tracing.tensor import SymbolicTensor

_IN_PLACE = frozenset({"add", "sub", "mul", "div", "truediv", "floordiv", "mod", "pow", "and", "or", "xor"})

_VIEWS = frozenset(
    {
        *(
            "__getitem__",
            "view",
            "view_as",
            "reshape",
            "flatten",
            "unflatten",
            "squeeze",
            "unsqueeze",
            "transpose",
            "t",
        ),
        *("permute", "movedim", "select", "narrow", "expand", "expand_as", "diagonal", "unbind", "split", "chunk"),
        *("detach", "contiguous", "swapaxes", "unfold", "T", "mT", "ravel", "moveaxis", "swapdims", "reshape_as"),
        *("broadcast_to", "tensor_split", "to", "type", "type_as", "bool", "int", "long", "float", "double", "cpu"),
        *("data", "real", "H", "mH"),
    }
)
"""Functions whose result may share its elements with their first argument; conversions too, where none is needed."""


@functools.lru_cache(maxsize=4096)
def is_in_place(func: Any) -> bool:
    """Whether a function changes its first argument, by its name."""
    name = getattr(func, "__name__", "")
    return (name.endswith("_") and not name.endswith("__")) or (name.startswith("__i") and name[3:-2] in _IN_PLACE)


def note_contents(call: Call, made: Any, first: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Note what is known of the numbers in what a function gave, or in what it changed.

    Args:
        first: what it was called with first.
    """
    name = getattr(call.target, "__name__", "")
    if name == "__get__":
        name = getattr(call.target.__self__, "__name__", "")  # a property's
    if kwargs and kwargs.get("inplace"):
        note_unknown_change(first)
    if name not in _ANEW and not call.in_place and _are_data(first, made):
        return
    if name == "__setitem__" or is_in_place(call.target):
        if type(first) is SymbolicTensor:
            _note_change(call, first, args, kwargs)
    elif type(made) is SymbolicTensor:
        _note(made, name, call.target, args, kwargs, None)
    elif type(made) in (list, tuple) or hasattr(made, "_fields"):
        for part, tensor in enumerate(made):
            if type(tensor) is SymbolicTensor:
                _note(tensor, name, call.target, args, kwargs, part)


_FLOATING = frozenset({torch.float16, torch.bfloat16, torch.float32, torch.float64})
_NO_POSITIONS = (Ratio, FloatProduct, Condition)
"""What is not known to be a whole number: no ramp and no extent says more of it,"""
_OF_NO_POSITIONS = _FLOATING | {torch.bool}
"""in tensors of these dtypes."""

_ANEW = frozenset({*ON_SIZES_ONLY, *CONSTANT})
"""Functions whose result need not hang on what their first argument holds."""


def _are_data(first: Any, made: Any) -> bool:
    """Whether a function computes with what the input holds, as nearly all of a network does: none of it is known."""
    if type(first) in (list, tuple) and first:
        first = first[0]
    if type(first) is not SymbolicTensor or type(made) is not SymbolicTensor or made.kind not in _FLOATING:
        return False
    return first.recipe is None and first.value is None and first.ramp is None and first.extent is None


def _note(
    tensor: SymbolicTensor, name: str, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any], part: int | None
) -> None:
    kind = type(tensor.value)
    if kind is int or issubclass(kind, Dim):
        note_number(tensor)
    else:
        tensor.recipe = recipe_after(target, args, kwargs, in_place=False, part=part)
        if not (issubclass(kind, _NO_POSITIONS) and tensor.kind in _OF_NO_POSITIONS):
            _note_positions(tensor, name, args, kwargs, part)
    if name in _VIEWS and (tensor.recipe is not None or tensor.ramp is not None) and type(args[0]) is SymbolicTensor:
        tensor.base = args[0]
        tensor.sharing = args[0].sharing = args[0].sharing or [args[0]]
        tensor.sharing.append(tensor)


def _note_positions(
    tensor: SymbolicTensor, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], part: int | None
) -> None:
    tensor.ramp = ramp_after(name, args, kwargs, tensor, part)
    if tensor.ramp is not None and type(tensor.recipe) is Recipe:
        made = tensor.recipe
        like = Blank(tensor.sizes, tensor.kind)
        # as dataclasses.replace does it, which is slow
        tensor.recipe = Recipe(made.function, made.args, made.kwargs, made.in_place, part, tensor.ramp, like)
    if tensor.ramp is None:
        contents = extent_of_contents(tensor.value)
        tensor.extent = contents or extent_after(name, args, kwargs, tensor, part or 0)


def note_number(tensor: SymbolicTensor) -> None:
    """Note that a 0-d tensor holds a known size."""
    number = tensor.value
    tensor.recipe, tensor.ramp = _of_number(number if type(number) is int else number.expr, tensor.kind)


@functools.lru_cache(maxsize=4096)
def _of_number(number: int | Expr, kind: torch.dtype) -> tuple[Recipe, Ramp | None]:
    """How a 0-d tensor with this number comes about, and what it holds. Audio codecs have hundreds of them."""
    size = number if isinstance(number, int) else dims.of(number)
    ramp = Ramp(size, ()) if kind in EXACT and kind is not torch.bool else None
    return Recipe(torch.tensor, (size,), {"dtype": kind}), ramp


def _note_change(call: Call, tensor: SymbolicTensor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Note what a function left in the tensor it changed; the tensor that this one is a view of is changed too."""
    name = getattr(call.target, "__name__", "")
    plain, seen = _out_of_place(name), tensor.recipe
    recipe = recipe_after(call.target, args, kwargs, in_place=True)
    ramp = ramp_after(plain, args, kwargs, tensor)
    extent = None if ramp is not None else extent_after(plain, args, kwargs, tensor)
    tensor.recipe, tensor.ramp, tensor.extent = recipe, ramp, extent
    base = tensor.base
    through = Unfollowed() if base is None or base.recipe is None else written_through(base.recipe, seen, recipe)
    for other in tensor.sharing:
        if other is not tensor:
            other.recipe = through if other is base else Unfollowed()
            other.ramp = other.extent = other.value = None


def note_unknown_change(tensor: Any) -> None:
    """Forget what was known of a tensor, and of those that share its elements: something was written into it."""
    if type(tensor) is SymbolicTensor and not (tensor.recipe is None and tensor.ramp is None and tensor.extent is None):
        for each in tensor.sharing or (tensor,):
            each.recipe, each.ramp, each.extent, each.value = Unfollowed(), None, None, None


def _out_of_place(name: str) -> str:
    if name.startswith("__i") and name[3:-2] in _IN_PLACE:
        return f"__{name[3:]}"
    return name.rstrip("_") if name.endswith("_") and not name.endswith("__") else name


def join_contents(joined: SymbolicTensor, cases: Sequence[tuple[Domain, SymbolicTensor]]) -> None:
    """Note what is known of a tensor that comes from several paths."""
    tensors = [tensor for _, tensor in cases]
    ramp = tensors[0].ramp
    if all(tensor.ramp == ramp for tensor in tensors):
        joined.ramp = ramp
    extents = [(domain, extent_of(tensor)) for domain, tensor in cases]
    known = [(domain, extent) for domain, extent in extents if extent is not None]
    if joined.ramp is None and len(known) == len(cases):
        low = join_sizes([(domain, extent.low) for domain, extent in known])
        high = join_sizes([(domain, extent.high) for domain, extent in known])
        exact, dense = (all(flags) for flags in zip(*((e.exact, e.dense) for _, e in known), strict=True))
        joined.extent = Extent(low, high, exact, dense)
    if any(tensor.recipe is not None for tensor in tensors):
        joined.recipe = Cases(tuple((domain, tensor.recipe or Unfollowed()) for domain, tensor in cases))
