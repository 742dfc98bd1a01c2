"""Numbers kept in small tensors: lengths and paddings that models compute with torch functions.

``torch.ceil(n_frames).to(torch.int64)`` on a 0-d tensor is arithmetic on a size; its result is known as
long as everything it is computed from is.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable
from typing import Any

import torch

from shapelint.ops.ramps import INTEGERS
from shapelint.sizes import Dim, all_of, implied, product, smax, smin
from shapelint.tracing.tensor import SymbolicSize, SymbolicTensor


def _quotient(a: Any, b: Any, rounding_mode: str | None = None) -> Any:
    if rounding_mode == "floor":
        return a // b
    return math.trunc(a / b) if rounding_mode == "trunc" else a / b


def _same(a: Any) -> Any:
    return a


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "add": operator.add,
    "__add__": operator.add,
    "__radd__": operator.add,
    "sub": operator.sub,
    "__sub__": operator.sub,
    "__rsub__": lambda a, b: b - a,
    "rsub": lambda a, b: b - a,
    "mul": operator.mul,
    "__mul__": operator.mul,
    "__rmul__": operator.mul,
    "multiply": operator.mul,
    "div": _quotient,
    "divide": _quotient,
    "true_divide": _quotient,
    "__truediv__": _quotient,
    "__rtruediv__": lambda a, b: b / a,
    "__rdiv__": lambda a, b: b / a,
    "floor_divide": operator.floordiv,
    "__floordiv__": operator.floordiv,
    "__rfloordiv__": lambda a, b: b // a,
    "remainder": operator.mod,
    "__mod__": operator.mod,
    "__rmod__": lambda a, b: b % a,
    "neg": operator.neg,
    "__neg__": operator.neg,
    "ceil": math.ceil,
    "floor": math.floor,
    "trunc": math.trunc,
    "round": round,
    "maximum": smax,
    "minimum": smin,
    "eq": operator.eq,
    "__eq__": operator.eq,
    "ne": operator.ne,
    "__ne__": operator.ne,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
    "detach": _same,
    "clone": _same,
    "cpu": _same,
    "float": _same,
}

_INTEGERS = frozenset({"long", "int"})


MANY = 64
"""A tensor with more elements is no list of sizes."""

_ARRANGEMENTS = (
    "stack",
    "cat",
    "concat",
    "concatenate",
    "hstack",
    "vstack",
    "flip",
    "roll",
    "tile",
    "repeat",
    "expand",
)
_ORDERS = ("t", "T", "transpose", "swapaxes", "permute", "movedim", "select", "narrow", "index_select", "__getitem__")
_FORMS = ("flatten", "unflatten", "reshape", "view", "ravel", "squeeze", "unsqueeze")
_COPIES = ("detach", "clone", "contiguous", "cpu")
_MOVES = frozenset({*_ARRANGEMENTS, *_ORDERS, *_FORMS, *_COPIES})
"""Functions that put elements in other places, and compute nothing."""

_REDUCTIONS: dict[str, Callable[..., Any]] = {"prod": product, "sum": sum, "max": smax, "min": smin}


_OF_ALL = frozenset({"all", "any", "sum"})


def known_result(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The contents of an operation's result, nested lists or a number, ``None`` if they are not known."""
    name = getattr(func, "__name__", "")
    if not any(map(_has_contents, args)):
        if name in _OF_ALL and len(args) == 1 and not kwargs:
            return _of_constant(name, args[0])
        return scalar_result(name, args, kwargs)
    if name in _MOVES:
        return _moved(func, args, kwargs)
    if name in _REDUCTIONS:
        return None if args[1:] or kwargs else _REDUCTIONS[name](_elements(args[0].value))
    if name in _FUNCTIONS or name in _INTEGERS or name == "to":
        return _element_by_element(name, args, kwargs)
    return None


def _of_constant(name: str, tensor: Any) -> Any:
    """What a function says of all elements, where they are the same: masks that mask nothing, above all.

    Models ask ``mask.all()`` before they mask anything. Where that is known, the other branch, with all layers below
    it, is not walked through: a quarter to a third of the time for a transformer.
    """
    ramp = getattr(tensor, "ramp", None)
    if ramp is None or any(ramp.steps):
        return None
    if name == "sum":
        return product((ramp.start, *tensor.sizes)) if tensor.kind in (*INTEGERS, torch.bool) else None
    if type(ramp.start) is not int:
        return None
    decisive = name == "any"  # one element is enough to decide, if there is one
    if bool(ramp.start) is not decisive:
        return not decisive
    return decisive if implied(all_of(*(size >= 1 for size in tensor.sizes))) else None


def _has_contents(value: Any) -> bool:
    if type(value) in (list, tuple):
        return any(_has_contents(v) or (type(v) is SymbolicTensor and v.value is not None) for v in value)
    return type(value) is SymbolicTensor and isinstance(value.value, (list, tuple))


def _elements(contents: Any) -> list[Any]:
    """Nested lists as one."""
    if isinstance(contents, (list, tuple)):
        return [element for part in contents for element in _elements(part)]
    return [contents]


SIZES = frozenset({int, SymbolicSize})
"""What most arguments are. isinstance would ask a symbolic size's class, which says that it is an int."""


class _Unknown(Exception):
    """A tensor whose contents are not known is among the arguments."""


def _numbered(value: Any, known: list[Any]) -> Any:
    """Arguments with a tensor of places in ``known`` for every tensor."""
    if isinstance(value, torch.Tensor):
        contents = value.value if isinstance(value, SymbolicTensor) else None if value.is_meta else value.tolist()
        elements = _elements(contents)
        if contents is None or isinstance(contents, SymbolicTensor) or len(elements) > MANY:
            raise _Unknown
        first = len(known)
        known += elements
        shape: Any = value.sizes if isinstance(value, SymbolicTensor) else value.shape
        return torch.arange(first, first + len(elements), device="cpu").reshape(shape)
    if isinstance(value, Dim):
        raise _Unknown  # so many elements that they cannot be listed
    if isinstance(value, slice):
        return slice(*_numbered((value.start, value.stop, value.step), known))
    if isinstance(value, (list, tuple)):
        inside = [_numbered(v, known) for v in value]
        return inside if isinstance(value, list) else tuple(inside)
    return value


def _moved(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """torch itself moves numbers in the elements' stead."""
    known: list[Any] = []
    try:
        places = func(*_numbered(args, known), **{n: _numbered(v, known) for n, v in kwargs.items()})
    except _Unknown:
        return None
    return _looked_up(places.tolist(), known) if isinstance(places, torch.Tensor) else None


def _looked_up(places: Any, known: list[Any]) -> Any:
    return [_looked_up(p, known) for p in places] if isinstance(places, list) else known[places]


_broadcast: Any = torch.broadcast_tensors


def _element_by_element(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The function of numbers, on each element; the arguments broadcast as torch's do."""
    known: list[Any] = []
    try:
        tensors = [_numbered(a, known) for a in args if isinstance(a, torch.Tensor)]
    except _Unknown:
        return None
    broadcast: Any = _broadcast(*tensors)
    together = iter([t.flatten().tolist() for t in broadcast])
    columns = [next(together) if isinstance(a, torch.Tensor) else a for a in args]
    results = []
    for at in range(broadcast[0].numel()):
        row = tuple(known[column[at]] if type(column) is list else column for column in columns)
        result = scalar_result(name, row, kwargs)
        if result is None:
            return None
        results.append(result)
    return _looked_up(torch.arange(len(results), device="cpu").reshape(broadcast[0].shape).tolist(), results)


def scalar_result(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The value of a function of known 0-d tensors and numbers, ``None`` if it is not known."""
    if name == "to" or name in _INTEGERS:
        return _converted(scalar(args[0]), name, args, kwargs)
    function = _FUNCTIONS.get(name)
    if function is None or (kwargs and not kwargs.keys() <= {"rounding_mode"}):
        return None
    values = []
    for argument in args:
        value = scalar(argument)
        if value is None:
            return None
        values.append(value)
    return function(*values, **kwargs)


def _converted(value: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if value is None:
        return None
    wanted = [a for a in (*args[1:], *kwargs.values()) if isinstance(a, torch.dtype)]
    if torch.bool in wanted:
        return value != 0
    integral = name in _INTEGERS or any(not d.is_floating_point and not d.is_complex for d in wanted)
    return math.trunc(value) if integral else value


def scalar(value: Any) -> Any:
    """The number in a 0-d tensor, or the number itself; ``None`` if it is unknown."""
    kind = type(value)
    if kind in SIZES:
        return value
    if kind is SymbolicTensor:
        return value.value if not value.sizes and not isinstance(value.value, (list, tuple)) else None
    if isinstance(value, torch.Tensor):
        if value.is_meta or value.ndim:
            return None
        return value.item()
    return None if isinstance(value, (list, tuple, str, torch.dtype)) else value


_GIVE_THE_SAME = frozenset({"detach", "clone", "cpu", "float"})
_MEANINGS: dict[Any, Callable[..., Any]] = {
    function: meaning
    for name, meaning in _FUNCTIONS.items()
    for owner in (torch.Tensor, torch)
    if name not in _GIVE_THE_SAME and getattr(function := getattr(owner, name, None), "__name__", "") == name
}
"""What functions that make a new 0-d tensor do to the numbers in others, by the function itself."""

MAY_BE_OF_NUMBERS = frozenset({*_MEANINGS, torch.Tensor.to})
"""Functions of which :func:`only_numbers` may know something."""

_CONVERSIONS = {torch.int64: math.trunc, torch.int32: math.trunc, torch.float32: _same, torch.float64: _same}
_kinds: dict[Any, torch.dtype] = {}
"""Dtypes of results, by the function and what it was called with."""

Numbers = tuple[Callable[..., Any], list[Any], Any]
"""What a function does, the numbers it does it to, and what its result's dtype hangs on."""


def only_numbers(func: Any, args: tuple[Any, ...]) -> Numbers | None:
    """A function's call on known numbers alone, ``None`` for any other: audio codecs compute paddings this way.

    Rule, promotion and search for contents can be left out then: the result is one number, and its dtype the one
    that it had the last time for arguments of the same kinds (:func:`kind_of`). That takes a third of the time, and
    EnCodec, half of whose operations are such, a fifth less.
    """
    first = args[0] if args else None
    if type(first) is SymbolicTensor and first.value is None:
        return None  # as nearly all of a network's
    meaning = _MEANINGS.get(func)
    if meaning is None:
        if len(args) != 2 or type(args[1]) is not torch.dtype:
            return None
        meaning = _CONVERSIONS.get(args[1])
        if meaning is None or args[0].dtype is args[1]:
            return None
    numbers: list[Any] = []
    kinds: list[Any] = [func, torch.get_default_dtype()]
    for argument in args:
        kind = type(argument)
        if kind is SymbolicTensor:
            number = argument.value
            if number is None or argument.sizes or argument.strided is not None or type(number) in _NESTED:
                return None
            kinds.append(argument.kind)
            numbers.append(number)
        elif kind in SIZES or kind is float:
            kinds.append(kind)
            numbers.append(argument)
        elif kind is torch.dtype:
            kinds.append(argument)
        elif kind is torch.Tensor and not argument.ndim and not argument.is_meta:
            kinds.append(argument.dtype)
            numbers.append(argument.item())
        else:
            return None
    return meaning, numbers, tuple(kinds)


def kind_of(numbers: Numbers) -> torch.dtype | None:
    """The dtype of a function's result, if it has been seen."""
    return _kinds.get(numbers[2])


def learn_kind(numbers: Numbers, result: Any) -> None:
    """Remember the dtype of a function's result."""
    if type(result) is SymbolicTensor:
        _kinds[numbers[2]] = result.kind


_FACTORIES = frozenset({"zeros", "ones", "empty", "rand", "randn", "full"})
_TAKE_SIZES = frozenset(
    {
        *("view", "reshape", "unflatten", "expand", "repeat", "tile", "narrow", "chunk", "split", "unfold"),
        *("new_zeros", "new_ones", "new_empty", "new_full"),
    }
)
"""Methods whose sizes may be written one by one; any of them may be a tensor with one number."""

_TAKE_TENSORS = frozenset(
    {
        *("stack", "cat", "concat", "concatenate", "hstack", "vstack", "dstack", "column_stack", "row_stack"),
        *("meshgrid", "broadcast_tensors", "block_diag", "cartesian_prod", "einsum", "atleast_1d", "atleast_2d"),
    }
)
"""Functions of lists of tensors: a tensor with one number is a tensor there."""


@functools.lru_cache(maxsize=4096)
def _takes(func: Any) -> frozenset[str] | None:
    """Which of these kinds a function is of, by its name."""
    name = getattr(func, "__name__", "")
    return next((kind for kind in (_TAKE_TENSORS, _FACTORIES, _TAKE_SIZES) if name in kind), None)


def plain_numbers(func: Any, args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Arguments with the numbers of known 0-d tensors among sizes, where torch would take them too."""
    takes = _takes(func)
    if takes is _TAKE_TENSORS:
        return args
    if takes is _FACTORIES:
        return tuple(map(_plain, args))
    if takes is _TAKE_SIZES:
        return tuple([_plain(a) if at or type(a) in _NESTED else a for at, a in enumerate(args)])
    for argument in args:
        if type(argument) in _NESTED:
            return tuple(_plain(a) if type(a) in _NESTED else a for a in args)
    return args


_NESTED = frozenset({list, tuple, slice})


def _plain(value: Any) -> Any:
    kind = type(value)
    if kind in SIZES:
        return value
    if isinstance(value, torch.Tensor):
        number = scalar(value)
        return value if number is None else number
    if kind is slice:
        bounds = (value.start, value.stop, value.step)
        return slice(*map(_plain, bounds)) if any(isinstance(b, torch.Tensor) for b in bounds) else value
    if kind in (list, tuple):
        for item in value:
            if type(item) not in SIZES and isinstance(item, (torch.Tensor, slice)):
                return kind(map(_plain, value))
    return value
