"""What numbers are in a tensor of positions: ``torch.arange(length)``, and what models make of it.

A table of positions refuses a sequence that is longer than the table, but only where the numbers are looked up. So the
numbers are followed as long as they are a start plus a step along each dimension. What no function here follows is not
known, and nothing is required of it.
"""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Callable, Sequence
from typing import Any

import torch

from shapelint.ops.dimensions import Shape
from shapelint.ops.placement import same
from shapelint.ops.registry import is_tensor
from shapelint.sizes import Dim, Ratio, Size, implied, smax
from shapelint.sizes.dim import of
from shapelint.sizes.expr import constant

INTEGERS = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)
EXACT = (torch.int64, torch.int32, torch.float64, torch.float32, torch.bool)
"""What holds whole numbers as they are, as large as positions get; truth values are the numbers 0 and 1."""

_MANY = 2**16
"""A real tensor with more elements is not looked through."""

_COPIES = frozenset({"to", "long", "int", "type_as", "contiguous", "clone", "detach", "cpu", "type", "data"})
_RESHAPES = frozenset({"view", "reshape", "unsqueeze", "squeeze", "flatten"})
_ROUNDINGS = frozenset({"float", "double", "floor", "ceil", "round", "trunc"})
"""Functions that leave whole numbers as they are."""

CONSTANT: dict[str, int | None] = {
    **dict.fromkeys(("zeros", "zeros_like", "new_zeros", "zero"), 0),
    **dict.fromkeys(("ones", "ones_like", "new_ones"), 1),
    **dict.fromkeys(("full", "full_like", "new_full", "fill")),
}
"""Functions that put one number everywhere; ``None``: the one they are given."""

_TO_TRUTH = frozenset({"to", "bool", "type", "type_as", "contiguous", "clone", "detach", "cpu"})
_NOT = frozenset({"logical_not", "bitwise_not", "__invert__"})
_OF_TRUTHS: dict[str, Callable[[Any, Any], Any]] = {
    **{name: getattr(operator, name) for name in ("eq", "ne", "lt", "le", "gt", "ge")},
    **{f"__{name}__": getattr(operator, name) for name in ("eq", "ne", "lt", "le", "gt", "ge")},
    **dict.fromkeys(("__and__", "__rand__", "logical_and", "bitwise_and"), lambda a, b: a and b),
    **dict.fromkeys(("__or__", "__ror__", "logical_or", "bitwise_or"), lambda a, b: a or b),
}
"""Functions of two numbers that give a truth value."""

_ROUNDED_ABOVE = 2**24
"""Single precision has all whole numbers up to this."""

_EXPANSIONS = frozenset({"expand", "expand_as", "broadcast_to", "repeat"})
_SUMS = {"add": (1, 1), "__add__": (1, 1), "__radd__": (1, 1), "sub": (1, -1), "__sub__": (1, -1), "__rsub__": (-1, 1)}


@dataclasses.dataclass(frozen=True, slots=True)
class Ramp:
    """The element at ``i, j, ...`` is ``start + steps[0] * i + steps[1] * j + ...``."""

    start: Size
    steps: tuple[int, ...]


def ramp_after(
    name: str, args: Sequence[Any], kwargs: dict[str, Any], result: Any, part: int | None = None
) -> Ramp | None:
    """The numbers in a function's result, ``None`` if they are not known.

    Args:
        name: the function's.
        part: which of its results is meant, if there are several.
        result: the tensor, of which shape and dtype are known.
    """
    if result.dtype not in EXACT:
        return None
    if result.dtype is torch.bool:
        truth = _truth_after(name, args, kwargs, result, part)
        return None if truth is None else Ramp(truth, (0,) * len(result.shape))
    number = result.value
    if type(number) is int or isinstance(number, Dim):
        return Ramp(number, ())
    if name == "arange":
        return _arange(args, kwargs)
    if name in CONSTANT:
        return _constant(name, args, kwargs, len(result.shape))
    if name in _SUMS and len(args) == 2 and not kwargs:
        return _sum(args[0], args[1], _SUMS[name], result.shape)
    if name in ("mul", "__mul__", "__rmul__") and len(args) == 2:
        return _multiple(args[0], args[1], result.shape) or _multiple(args[1], args[0], result.shape)
    if name == "meshgrid" and args and part is not None:
        return _of_grid(args, kwargs, part)
    if name == "diff":
        return _differences(*args, **kwargs)
    source = ramp_of(args[0]) if args and is_tensor(args[0]) and part is None else None
    return None if source is None else _made_of(source, name, args, kwargs, result)


def _truth_after(name: str, args: Sequence[Any], kwargs: dict[str, Any], result: Any, part: int | None) -> int | None:
    """The truth value in all of a function's result, ``None`` if there may be different ones."""
    if type(result.value) is bool and not result.shape:
        return int(result.value)
    if name in CONSTANT:
        made = _constant(name, args, kwargs, 0)
        return None if made is None else _truth(made)
    of_two = _OF_TRUTHS.get(name)
    if of_two is not None:
        numbers = [_same_everywhere(each) for each in args]
        return None if kwargs or len(args) != 2 or None in numbers else int(bool(of_two(*numbers)))
    source = ramp_of(args[0]) if args and is_tensor(args[0]) and part is None else None
    if source is None:
        return None
    if name in _NOT:
        truth = _truth(source)
        return None if truth is None else 1 - truth
    if name in _TO_TRUTH:
        return _truth(source)
    made = _made_of(source, name, args, kwargs, result) if args[0].dtype is torch.bool and name != "cumsum" else None
    return None if made is None else _truth(made)


def _truth(ramp: Ramp) -> int | None:
    return None if any(ramp.steps) or type(ramp.start) is not int else int(ramp.start != 0)


def _same_everywhere(value: Any) -> int | None:
    """The plain number that a value is, or that all elements of a tensor are."""
    ramp = ramp_of(value) if is_tensor(value) else None
    number = value if ramp is None else ramp.start
    known = type(number) in (int, bool) and abs(number) <= _ROUNDED_ABOVE
    return int(number) if known and (ramp is None or not any(ramp.steps)) else None


def _made_of(source: Ramp, name: str, args: Sequence[Any], kwargs: dict[str, Any], result: Any) -> Ramp | None:
    """What a function makes of its first argument's numbers."""
    before, after = tuple(args[0].shape), tuple(result.shape)
    if any(isinstance(argument, torch.dtype) for argument in args) and name == "view":
        return None
    if name in _COPIES or name in _ROUNDINGS:
        return source
    if name in ("neg", "__neg__"):
        return _times(source, -1)
    if name == "__getitem__":
        return _subscripted(source, args[1], before)
    if name in _RESHAPES:
        return _regrouped(source, before, after)
    if name in _EXPANSIONS:
        return _expanded(source, before, after)
    if name == "interpolate":
        return _resized(source, *args, **kwargs)
    rearranged = _REARRANGEMENTS.get(name)
    return None if rearranged is None else rearranged(source, args, kwargs)


def ramp_of(tensor: Any) -> Ramp | None:
    """The numbers in a tensor, traced or real, if a start and steps make them up."""
    if type(tensor) in (torch.Tensor, torch.nn.Parameter):
        return _real_ramp(tensor) if _is_readable(tensor) else None
    found: Ramp | None = getattr(tensor, "ramp", None)
    return found


def _is_readable(tensor: torch.Tensor) -> bool:
    return not tensor.is_meta and tensor.dtype in INTEGERS and 0 < tensor.numel() <= _MANY


def _real_ramp(tensor: torch.Tensor) -> Ramp | None:
    start = int(tensor[(0,) * tensor.ndim])
    if not tensor.ndim:
        return Ramp(start, ())
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
    start, step = _whole(start), _whole(step)
    return Ramp(start, (step,)) if start is not None and type(step) is int else None


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
    number = _whole(term)
    return None if number is None else Ramp(number, (0,) * len(shape))


def _multiple(a: Any, b: Any, shape: Shape) -> Ramp | None:
    """A tensor's numbers times a number, or times a tensor that has one number everywhere."""
    factor = _same_everywhere(b) if is_tensor(b) else _whole(b)
    return _times(_as_ramp(a, shape), factor) if is_tensor(a) and type(factor) is int else None


def _whole(number: Any) -> Any:
    """The whole number that a number is, also as a float: ``(k - 1) * max(q / k, 1.0)`` where q is k."""
    if type(number) is int or isinstance(number, Dim):
        return number
    if isinstance(number, Ratio):
        return of(number.number) if number.divisor == constant(1) else None
    return int(number) if type(number) is float and number.is_integer() and abs(number) <= _ROUNDED_ABOVE else None


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
    """Numbers of which only dimensions of size 1 come and go, or that are all the same."""
    if not any(ramp.steps):
        return Ramp(ramp.start, (0,) * len(after))
    kept = [(size, step) for size, step in zip(before, ramp.steps, strict=True) if not same(size, 1)]
    places = [axis for axis, size in enumerate(after) if not same(size, 1)]
    if len(kept) != len(places) or not all(same(size, after[a]) for (size, _), a in zip(kept, places, strict=True)):
        return None
    steps = [0] * len(after)
    for (_, step), axis in zip(kept, places, strict=True):
        steps[axis] = step
    return Ramp(ramp.start, tuple(steps))


def _running_sum(ramp: Ramp, args: Sequence[Any], kwargs: dict[str, Any]) -> Ramp | None:
    """The running sum of the same number again and again."""
    axis = args[1] if len(args) > 1 else kwargs.get("dim")
    if any(ramp.steps) or type(ramp.start) is not int or type(axis) is not int or not ramp.steps:
        return None
    steps = [0] * len(ramp.steps)
    steps[axis] = ramp.start
    return Ramp(ramp.start, tuple(steps))


def _differences(input: Any, n: int = 1, dim: int = -1, prepend: Any = None, append: Any = None) -> Ramp | None:
    """The steps of a ramp, with one more before it where what is prepended goes on the same way."""
    ramp = ramp_of(input)
    if ramp is None or not ramp.steps or n != 1 or type(dim) is not int or append is not None:
        return None
    step, others = ramp.steps[dim], list(ramp.steps)
    if prepend is not None:
        first = ramp_of(prepend)
        if first is None or len(first.steps) != len(others) or not same(prepend.shape[dim], 1):
            return None
        others[dim] = first.steps[dim]
        start: Any = ramp.start
        jump = start - first.start
        if list(first.steps) != others or type(jump) is not int or jump != step:
            return None
    return Ramp(step, (0,) * len(others))


def _resized(ramp: Ramp, input: Any, *args: Any, mode: str = "nearest", **options: Any) -> Ramp | None:
    """A picture of one colour, of which the nearest pixel is taken."""
    mode = next((each for each in args if type(each) is str), mode)
    return None if any(ramp.steps) or not mode.startswith("nearest") else ramp


def _constant(name: str, args: Sequence[Any], kwargs: dict[str, Any], ndim: int) -> Ramp | None:
    number: Any = CONSTANT[name]
    if number is None:
        given = [kwargs[key] for key in ("fill_value", "value") if key in kwargs] or list(args[1:])
        number = given[-1] if given else None
        number = getattr(number, "value", None) if is_tensor(number) else number
    number = int(number) if type(number) is bool else number
    return Ramp(number, (0,) * ndim) if type(number) is int or isinstance(number, Dim) else None


def _selected(ramp: Ramp, args: Sequence[Any], kwargs: dict[str, Any]) -> Ramp | None:
    if len(args) != 3 or kwargs or type(args[1]) is not int:
        return None
    sizes = tuple(args[0].shape)
    return _subscripted(ramp, (*(slice(None),) * (args[1] % len(sizes)), args[2]), sizes)


def _flipped(ramp: Ramp, args: Sequence[Any], kwargs: dict[str, Any]) -> Ramp | None:
    dims = args[1:] or (kwargs.get("dims", ()),)
    axes = dims[0] if len(dims) == 1 and isinstance(dims[0], (list, tuple)) else dims
    if any(type(axis) is not int for axis in axes):
        return None
    start: Any = ramp.start
    steps = list(ramp.steps)
    for axis in axes:
        last = args[0].shape[axis] - 1
        start = start + steps[axis] * last if steps[axis] else start
        steps[axis] = -steps[axis]
    return Ramp(start, tuple(steps))


def _transposed(ramp: Ramp, args: Sequence[Any], kwargs: dict[str, Any]) -> Ramp | None:
    first, second = args[1:] if len(args) == 3 else (0, -1)
    if kwargs or type(first) is not int or type(second) is not int or not ramp.steps:
        return None
    steps = list(ramp.steps)
    steps[first], steps[second] = steps[second], steps[first]
    return Ramp(ramp.start, tuple(steps))


def _permuted(ramp: Ramp, args: Sequence[Any], kwargs: dict[str, Any]) -> Ramp | None:
    dims = args[1:] or (kwargs.get("dims", ()),)
    axes = dims[0] if len(dims) == 1 and isinstance(dims[0], (list, tuple)) else dims
    if len(axes) != len(ramp.steps) or any(type(axis) is not int for axis in axes):
        return None
    return Ramp(ramp.start, tuple(ramp.steps[axis] for axis in axes))


_REARRANGEMENTS: dict[str, Callable[[Ramp, Sequence[Any], dict[str, Any]], Ramp | None]] = {
    "cumsum": _running_sum,
    "select": _selected,
    "flip": _flipped,
    "transpose": _transposed,
    "swapaxes": _transposed,
    "t": _transposed,
    "T": lambda ramp, *_: Ramp(ramp.start, ramp.steps[::-1]),
    "mT": lambda ramp, args, kwargs: _transposed(ramp, (*args, -2, -1), kwargs),
    "permute": _permuted,
}


def _of_grid(args: Sequence[Any], kwargs: dict[str, Any], part: int) -> Ramp | None:
    """One of the tensors of a grid: a vector's numbers along one of the grid's dimensions."""
    tensors = args[0] if isinstance(args[0], (list, tuple)) else args
    vector = ramp_of(tensors[part])
    if vector is None or len(vector.steps) != 1 or any(tensor.ndim != 1 for tensor in tensors):
        return None
    axis = 1 - part if kwargs.get("indexing") == "xy" and part < 2 and len(tensors) > 1 else part
    return Ramp(vector.start, tuple(vector.steps[0] if at == axis else 0 for at in range(len(tensors))))


def _subscripted(ramp: Ramp, index: Any, sizes: Shape) -> Ramp | None:
    parts = list(index) if isinstance(index, tuple) else [index]
    if any(not (part is None or part is Ellipsis or _is_number(part) or type(part) is slice) for part in parts):
        return None
    consumed = sum(part is not None and part is not Ellipsis for part in parts)
    if not any(part is Ellipsis for part in parts):
        parts.append(Ellipsis)
    place = next(at for at, part in enumerate(parts) if part is Ellipsis)
    parts[place : place + 1] = [slice(None)] * (len(sizes) - consumed)
    start: Any = ramp.start
    steps, remaining = [], iter(zip(ramp.steps, sizes, strict=True))
    for part in parts:
        if part is None:
            steps.append(0)
            continue
        step, size = next(remaining)
        first = _first(part, size)
        if first is None:
            return None
        start = start + step * first if step else start
        if type(part) is slice:
            steps.append(step * (1 if part.step is None else part.step))
    return Ramp(start, tuple(steps))


def _is_number(value: Any) -> bool:
    return type(value) is int or isinstance(value, Dim)


def _first(part: Any, size: Any) -> Any:
    """Where a number or a slice begins in a dimension; ``None`` if that is not known."""
    if type(part) is slice:
        if part.step is not None and type(part.step) is not int:
            return None
        begin = 0 if part.start is None else part.start
        if not _is_number(begin):
            return None
        if implied(begin >= 0):
            return begin
        return smax(size + begin, 0) if implied(begin < 0) else None
    if implied(part >= 0):
        return part
    return size + part if implied(part < 0) else None
