"""What numbers are in a tensor of positions: ``torch.arange(length)``, and what models make of it.

A table of positions refuses a sequence that is longer than the table, but only where the numbers are looked up. So the
numbers are followed as long as they are a start plus a step along each dimension. What no function here follows is not
known, and nothing is required of it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import torch

from shapelint.ops.dimensions import Shape
from shapelint.ops.placement import same
from shapelint.ops.registry import is_tensor
from shapelint.sizes import Dim, Size, all_of, any_of, implied, require

_INTEGERS = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)
_MANY = 2**16
"""A real tensor with more elements is not looked through."""

_COPIES = frozenset({"to", "long", "int", "type_as", "contiguous", "clone", "detach", "cpu", "type"})
_RESHAPES = frozenset({"view", "reshape", "unsqueeze", "squeeze", "flatten"})
_EXPANSIONS = frozenset({"expand", "expand_as", "broadcast_to", "repeat"})
_SUMS = {"add": (1, 1), "__add__": (1, 1), "__radd__": (1, 1), "sub": (1, -1), "__sub__": (1, -1), "__rsub__": (-1, 1)}


@dataclasses.dataclass(frozen=True, slots=True)
class Ramp:
    """The element at ``i, j, ...`` is ``start + steps[0] * i + steps[1] * j + ...``."""

    start: Size
    steps: tuple[int, ...]


def ramp_after(name: str, args: Sequence[Any], kwargs: dict[str, Any], result: Any) -> Ramp | None:
    """The numbers in a function's result, ``None`` if they are not known.

    Args:
        name: the function's.
        result: the tensor, of which shape and dtype are known.
    """
    if result.dtype not in _INTEGERS:
        return None
    number = result.value
    if type(number) is int or isinstance(number, Dim):
        return Ramp(number, ())
    if name == "arange":
        return _arange(args, kwargs)
    if name in _SUMS and len(args) == 2 and not kwargs:
        return _sum(args[0], args[1], _SUMS[name], result.shape)
    if name in ("mul", "__mul__", "__rmul__") and len(args) == 2:
        return _multiple(args[0], args[1]) or _multiple(args[1], args[0])
    source = ramp_of(args[0]) if args and is_tensor(args[0]) else None
    if source is None:
        return None
    before, after = tuple(args[0].shape), tuple(result.shape)
    if name in _COPIES:
        return source
    if name in ("neg", "__neg__"):
        return _times(source, -1)
    if name == "__getitem__":
        return _subscripted(source, args[1], len(before))
    if name in _RESHAPES:
        return _regrouped(source, before, after)
    return _expanded(source, before, after) if name in _EXPANSIONS else None


def ramp_of(tensor: Any) -> Ramp | None:
    """The numbers in a tensor, traced or real, if a start and steps make them up."""
    if type(tensor) in (torch.Tensor, torch.nn.Parameter):
        return _real_ramp(tensor) if _is_readable(tensor) else None
    found: Ramp | None = getattr(tensor, "ramp", None)
    return found


def require_indices(index: Any, size: Size, reason: str, *, negative: bool = False, kept: Sequence[Size] = ()) -> None:
    """Require that an index tensor's numbers exist in a dimension of this size, where any is looked up.

    Args:
        reason: a format string for the number and the size.
        negative: numbers below 0 count from the end.
        kept: other sizes of the result: nothing is looked up if one is 0.
    """
    extremes = _extremes(index)
    if extremes is None:
        return
    empty = [n == 0 for n in (*index.shape, *kept) if not (n >= 1 if type(n) is int else implied(n >= 1))]
    for number in dict.fromkeys(extremes) if all(type(e) is int for e in extremes) else extremes:
        exists = all_of(number < size, number >= (-size if negative else 0))
        if not implied(exists):
            require(any_of(exists, *empty), reason, number, size)


def _extremes(tensor: Any) -> tuple[Size, Size] | None:
    """The least and the greatest number in a tensor that is not empty."""
    ramp = ramp_of(tensor)
    if ramp is None:
        readable = type(tensor) in (torch.Tensor, torch.nn.Parameter) and _is_readable(tensor)
        return (int(tensor.min()), int(tensor.max())) if readable else None
    low: Any = ramp.start
    high: Any = ramp.start
    for step, size in zip(ramp.steps, tensor.shape, strict=True):
        if step > 0:
            high = high + step * (size - 1)
        elif step < 0:
            low = low + step * (size - 1)
    return low, high


def _is_readable(tensor: torch.Tensor) -> bool:
    return not tensor.is_meta and tensor.dtype in _INTEGERS and 0 < tensor.numel() <= _MANY


def _real_ramp(tensor: torch.Tensor) -> Ramp | None:
    start = int(tensor[(0,) * tensor.ndim])
    steps = []
    made = torch.full_like(tensor, start)
    for axis, size in enumerate(tensor.shape):
        step = int(tensor.select(axis, 1)[(0,) * (tensor.ndim - 1)]) - start if size > 1 else 0
        steps.append(step)
        shape = [-1 if other == axis else 1 for other in range(tensor.ndim)]
        made = made + (torch.arange(size, dtype=tensor.dtype) * step).view(shape).to(tensor.device)
    return Ramp(start, tuple(steps)) if torch.equal(made, tensor) else None


def _arange(args: Sequence[Any], kwargs: dict[str, Any]) -> Ramp | None:
    start = args[0] if len(args) > 1 else kwargs.get("start", 0)
    step = args[2] if len(args) > 2 else kwargs.get("step", 1)
    known = (type(start) is int or isinstance(start, Dim)) and type(step) is int
    return Ramp(start, (step,)) if known else None


def _sum(a: Any, b: Any, signs: tuple[int, int], shape: Shape) -> Ramp | None:
    parts = [_times(_as_ramp(term, shape), sign) for term, sign in zip((a, b), signs, strict=True)]
    first, second = parts
    if first is None or second is None:
        return None
    start: Any = first.start
    return Ramp(start + second.start, tuple(x + y for x, y in zip(first.steps, second.steps, strict=True)))


def _as_ramp(term: Any, shape: Shape) -> Ramp | None:
    """A term of a sum, broadcast to the sum's shape."""
    if is_tensor(term):
        ramp = ramp_of(term)
        return _expanded(ramp, tuple(term.shape), tuple(shape)) if ramp is not None else None
    return Ramp(term, (0,) * len(shape)) if type(term) is int or isinstance(term, Dim) else None


def _multiple(a: Any, b: Any) -> Ramp | None:
    return _times(ramp_of(a), b) if is_tensor(a) and type(b) is int else None


def _times(ramp: Ramp | None, factor: int) -> Ramp | None:
    if ramp is None or factor == 1:
        return ramp
    start: Any = ramp.start
    return Ramp(start * factor, tuple(step * factor for step in ramp.steps))


def _expanded(ramp: Ramp, before: Shape, after: Shape) -> Ramp | None:
    """Numbers repeated along new dimensions, and along those of size 1."""
    steps = [0] * len(after)
    for axis in range(1, len(before) + 1):
        if same(before[-axis], after[-axis]):
            steps[-axis] = ramp.steps[-axis]
        elif not same(before[-axis], 1):
            return None
    return Ramp(ramp.start, tuple(steps))


def _regrouped(ramp: Ramp, before: Shape, after: Shape) -> Ramp | None:
    """Numbers of which only dimensions of size 1 come and go."""
    kept = [(size, step) for size, step in zip(before, ramp.steps, strict=True) if not same(size, 1)]
    places = [axis for axis, size in enumerate(after) if not same(size, 1)]
    if len(kept) != len(places) or not all(same(size, after[a]) for (size, _), a in zip(kept, places, strict=True)):
        return None
    steps = [0] * len(after)
    for (_, step), axis in zip(kept, places, strict=True):
        steps[axis] = step
    return Ramp(ramp.start, tuple(steps))


def _subscripted(ramp: Ramp, index: Any, ndim: int) -> Ramp | None:
    parts = list(index) if isinstance(index, tuple) else [index]
    if any(part is not None and part is not Ellipsis and type(part) not in (slice, int) for part in parts):
        return None
    consumed = sum(part is not None and part is not Ellipsis for part in parts)
    if Ellipsis not in parts:
        parts.append(Ellipsis)
    place = parts.index(Ellipsis)
    parts[place : place + 1] = [slice(None)] * (ndim - consumed)
    start: Any = ramp.start
    steps, remaining = [], iter(ramp.steps)
    for part in parts:
        if part is None:
            steps.append(0)
            continue
        step = next(remaining)
        if part == slice(None) or (type(part) is slice and part.start in (None, 0) and part.step in (None, 1)):
            steps.append(step)
        elif type(part) is int and part >= 0:
            start = start + step * part
        else:
            return None
    return Ramp(start, tuple(steps))
