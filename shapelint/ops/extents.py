"""The least and the greatest number in a tensor of positions, and what it takes to look them up.

Where positions are more than a start and steps (clamped, taken modulo, put after one another), it is still known
between which numbers they lie, and often that both of these occur.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import torch

from shapelint.ops.placement import same
from shapelint.ops.ramps import INTEGERS, Ramp, ramp_of
from shapelint.ops.recipes import NotComputed, Recipe, Results, computed, samples, sizes_in, symbols_in
from shapelint.ops.registry import is_tensor
from shapelint.ops.tabulated import numbers_for_all_sizes
from shapelint.sizes import (
    Condition,
    Dim,
    Domain,
    Size,
    TooComplex,
    Undecided,
    all_of,
    any_of,
    implied,
    negate,
    product,
    require,
    select,
    smax,
    smin,
)
from shapelint.sizes.dim import dim, evaluate
from shapelint.sizes.expr import Expr
from shapelint.sizes.path import active, expressible

_MANY = 2**16
"""A real tensor with more elements is not looked through."""

_LARGEST = 2**18
"""Positions are computed where there are no more than so many."""

_CASES = 16
"""Positions are computed for each of no more combinations of sizes than this."""

_TRIED = (*range(1, 129), 160, 192, 224, 256, 320, 384, 512, 768, 1024)
"""Sizes at which positions are computed that no rule follows."""


@dataclasses.dataclass(frozen=True, slots=True)
class Extent:
    """Between which numbers the elements of a tensor lie that is not empty.

    Attributes:
        exact: both occur.
        dense: all numbers between them occur too.
        counted: the greatest occurs where the masks that it was counted from are true everywhere, as they are for
            token ids without padding.
    """

    low: Size
    high: Size
    exact: bool = False
    dense: bool = False
    counted: bool = False


# -- what an operation makes of them --------------------------------------------------------------------------

_MOVES = frozenset(
    {
        *("long", "int", "contiguous", "clone", "detach", "cpu", "to", "type_as", "type", "view", "reshape", "ravel"),
        "data",
        *("flatten", "unflatten", "squeeze", "unsqueeze", "view_as", "reshape_as", "t", "T", "mT", "transpose"),
        *("swapaxes", "swapdims", "permute", "movedim", "moveaxis", "flip", "fliplr", "flipud", "roll", "rot90"),
        *("expand", "expand_as", "broadcast_to", "repeat", "tile", "repeat_interleave", "sort", "msort", "atleast_2d"),
    }
)
"""Functions whose result has the same numbers, in other places or more often."""

_PARTS = frozenset(
    {
        *("__getitem__", "select", "narrow", "index_select", "gather", "take", "take_along_dim", "unbind", "split"),
        *("chunk", "tensor_split", "unfold", "diagonal", "topk", "max", "min", "amax", "amin", "cummax", "cummin"),
        *("masked_select", "kthvalue", "median", "mode", "split_with_sizes", "narrow_copy"),
    }
)
"""Functions whose result has some of the numbers."""

_WRITES = frozenset(
    {"__setitem__", "index_fill", "masked_fill", "index_put", "index_copy", "scatter", "masked_scatter"}
)
"""Functions that put their last argument's numbers in some places."""

_POSITIONS = frozenset({"sort", "argsort"})
_SOME_POSITIONS = frozenset({"topk", "max", "min", "median", "mode", "kthvalue", "cummax", "cummin"})
_EXTREMES = frozenset({"argmax", "argmin"})
_UNIONS = frozenset(
    {"cat", "concat", "concatenate", "stack", "hstack", "vstack", "dstack", "row_stack", "column_stack"}
)
_FLOOR = frozenset({"floor_divide", "__floordiv__", "__rshift__", "bitwise_right_shift"})
_MODULO = frozenset({"remainder", "__mod__", "fmod"})
_CLAMPS = frozenset({"clamp", "clip", "clamp_min", "clamp_max"})
_SUMS = {"add": 1, "__add__": 1, "__radd__": 1, "sub": -1, "__sub__": -1}
_BELOW = {"lt": 1, "__lt__": 1, "less": 1, "le": 0, "__le__": 0, "less_equal": 0}
_ABOVE = {"gt": 1, "__gt__": 1, "greater": 1, "ge": 0, "__ge__": 0, "greater_equal": 0}
"""Comparisons with a limit, and how far from it the last number is for which they are true."""
_PRODUCTS = frozenset({"mul", "multiply", "__mul__", "__rmul__"})


def extent_after(name: str, args: Sequence[Any], kwargs: dict[str, Any], result: Any, part: int = 0) -> Extent | None:
    """Between which numbers a function's result lies, ``None`` if that is not known.

    Args:
        name: the function's.
        part: which of its results is meant.
    """
    if result.dtype not in INTEGERS or not (args or kwargs) or _is_reinterpreted(name, args, result):
        return None
    try:
        return _extent_after(name, args, kwargs, part)
    except TooComplex:
        return None


def _is_reinterpreted(name: str, args: Sequence[Any], result: Any) -> bool:
    """Whether numbers may not be what they were: their bits are read as another type, or are too few for them."""
    if name == "view" and any(isinstance(argument, torch.dtype) for argument in args):
        return True
    kinds = {argument.dtype for argument in args if is_tensor(argument)}
    return result.dtype not in (torch.int64, torch.int32) and not kinds <= {result.dtype}


def _extent_after(name: str, args: Sequence[Any], kwargs: dict[str, Any], part: int) -> Extent | None:
    if name in _UNIONS:
        return _union(args[0] if args else kwargs["tensors"])
    if name == "where":
        return _either(_chosen(*args)) if len(args) == 3 else None
    if name in ("randint", "randperm"):
        return _by_chance(name, args, kwargs)
    if name in ("bucketize", "searchsorted") and len(args) > 1:
        edges = args[name == "bucketize"]
        return Extent(0, edges.shape[-1]) if is_tensor(edges) and edges.ndim else None
    if name == "new_tensor" and len(args) == 2:
        return extent_of(args[1]) if is_tensor(args[1]) else None
    if args and is_tensor(args[0]):
        return _of_tensor(name, args[0], args, kwargs, part)
    return _of_number(args[0], name, args[1]) if len(args) == 2 and is_tensor(args[1]) else None


def _of_tensor(name: str, source: Any, args: Sequence[Any], kwargs: dict[str, Any], part: int) -> Extent | None:
    if name in _EXTREMES or (name in _POSITIONS | _SOME_POSITIONS and (part == 1 or name == "argsort")):
        return _positions(name, source, args, kwargs)
    if name in _CLAMPS:
        return _clamped(extent_of(source), *_limits(name, args, kwargs))
    known = extent_of(source)
    if known is None:
        return None
    if name in _MOVES:
        return known
    if name in _PARTS and not (len(args) > 1 and name in ("max", "min") and is_tensor(args[1])):
        return Extent(known.low, known.high)
    if name in _WRITES and not kwargs:
        return _either((Extent(known.low, known.high), args[-1]))
    if name == "cumsum":
        return _accumulated(known, source, args, kwargs)
    if name in ("neg", "__neg__", "negative"):
        return _negated(known)
    if name in ("abs", "__abs__", "absolute"):
        return _absolute(known)
    return _of_two(name, known, source, args, kwargs)


def _of_number(number: Any, name: str, tensor: Any) -> Extent | None:
    """A number and a tensor, in that order: ``rsub`` and its like come with the tensor first."""
    known = extent_of(tensor)
    if known is None or not _is_size(number):
        return None
    if name in ("add", "mul", "multiply"):
        return _of_two(name, known, tensor, (tensor, number), {})
    return _sum(_negated(known), number, 1) if name == "sub" else None


def _of_two(name: str, known: Extent, source: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Extent | None:
    if len(args) != 2 or (kwargs and name != "div"):
        return None
    other = args[1]
    number = _constant(other)
    if name in ("__rsub__", "rsub"):
        known, name = _negated(known), "add"
    if name in _SUMS:
        return _sum(known, number, _SUMS[name]) if number is not None else _sum_of_two(known, args, _SUMS[name])
    if name in _PRODUCTS:
        return _multiplied(known, number) if number is not None else _product_of_two(known, args)
    if name in ("minimum", "maximum", "min", "max"):
        if number is None:
            return _between(known, extent_of(other), smin if name.startswith("min") else smax)
        return _clamped(known, None, number) if name.startswith("min") else _clamped(known, number, None)
    if number is None:
        return None
    if name in ("__lshift__", "bitwise_left_shift"):
        return _multiplied(known, 2**number) if type(number) is int and 0 <= number < 32 else None
    if "shift" in name:
        number = 2**number if type(number) is int and 0 <= number < 32 else 0
    if name in _FLOOR or (name == "div" and kwargs.get("rounding_mode") in ("floor", "trunc")):
        towards_zero = kwargs.get("rounding_mode") == "trunc"
        return _divided(known, number, towards_zero=towards_zero)
    if name in _MODULO:
        return _modulo(known, number) if name != "fmod" or implied(known.low >= 0) else None
    return None


def _is_size(value: Any) -> bool:
    return type(value) is int or isinstance(value, Dim)


def _constant(value: Any) -> Any:
    """The one number that a value is, or that all elements of a tensor are."""
    if _is_size(value):
        return value
    known = extent_of(value) if is_tensor(value) else None
    return known.low if known is not None and known.exact and same(known.low, known.high) else None


def _sum(known: Extent | None, number: Any, sign: int) -> Extent | None:
    if known is None:
        return None
    low: Any = known.low
    high: Any = known.high
    return dataclasses.replace(known, low=low + sign * number, high=high + sign * number)


def _negated(known: Extent) -> Extent:
    low: Any = known.low
    high: Any = known.high
    return dataclasses.replace(known, low=-high, high=-low, counted=False)


def _sum_of_two(known: Extent, args: Sequence[Any], sign: int) -> Extent | None:
    other = extent_of(args[1]) if is_tensor(args[1]) else None
    if other is None:
        return None
    other = _negated(other) if sign < 0 else other
    low: Any = known.low
    high: Any = known.high
    return Extent(low + other.low, high + other.high, known.exact and other.exact and _are_apart(*args))


def _product_of_two(known: Extent, args: Sequence[Any]) -> Extent | None:
    other = extent_of(args[1]) if is_tensor(args[1]) else None
    if other is None or not implied(all_of(known.low >= 0, other.low >= 0)):
        return None
    exact = known.exact and other.exact and _are_apart(*args)
    counted = known.counted and other.counted
    return Extent(product((known.low, other.low)), product((known.high, other.high)), exact, counted=counted)


def _are_apart(a: Any, b: Any) -> bool:
    """Whether every element of one tensor meets every element of the other."""
    axes = zip(reversed(tuple(a.shape)), reversed(tuple(b.shape)), strict=False)
    return all(same(one, 1) or same(two, 1) for one, two in axes)


def _multiplied(known: Extent, number: Any) -> Extent | None:
    if implied(number < 0):
        known, number = _negated(known), -number
    elif not implied(number >= 0):
        return None
    return Extent(product((known.low, number)), product((known.high, number)), known.exact, counted=known.counted)


def _divided(known: Extent, number: Any, *, towards_zero: bool) -> Extent | None:
    if not implied(number >= 1):
        return None
    if not towards_zero or implied(known.low >= 0):
        return dataclasses.replace(known, low=known.low // number, high=known.high // number)
    ends: tuple[Any, ...] = tuple(select(end >= 0, end // number, -(-end // number)) for end in (known.low, known.high))
    return dataclasses.replace(known, low=ends[0], high=ends[1])


def _modulo(known: Extent, number: Any) -> Extent | None:
    if not implied(number >= 1):
        return None
    if implied(all_of(known.low >= 0, known.high < number)):
        return known
    if not known.dense or type(number) is not int:
        return Extent(0, number - 1)
    low: Any = known.low
    within = low // number == known.high // number
    return Extent(select(within, low % number, 0), select(within, known.high % number, number - 1), exact=True)


def _accumulated(known: Extent, source: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Extent | None:
    """Running sums of numbers that are not negative: at most as many of the greatest as there are in the dimension."""
    axis = args[1] if len(args) > 1 else kwargs.get("dim", kwargs.get("axis"))
    if type(axis) is not int or not source.ndim or not implied(known.low >= 0):
        return None
    return Extent(known.low, product((known.high, source.shape[axis])), counted=known.counted)


def _absolute(known: Extent) -> Extent:
    if implied(known.low >= 0):
        return known
    negated = _negated(known)
    low, high = smax(0, known.low, negated.low), smax(known.high, negated.high)
    return Extent(low, high, known.dense, known.dense)


def _limits(name: str, args: Sequence[Any], kwargs: dict[str, Any]) -> tuple[Any, Any]:
    if name == "clamp_min":
        return (args[1] if len(args) > 1 else kwargs["min"]), None
    if name == "clamp_max":
        return None, (args[1] if len(args) > 1 else kwargs["max"])
    low = args[1] if len(args) > 1 else kwargs.get("min")
    return low, (args[2] if len(args) > 2 else kwargs.get("max"))


def _clamped(known: Extent | None, low: Any, high: Any) -> Extent | None:
    least, most = (None if limit is None else _constant(limit) for limit in (low, high))
    if (low is not None and least is None) or (high is not None and most is None):
        return None
    if known is None:
        return None if least is None or most is None else Extent(smin(least, most), most)
    ends = (known.low, known.high)
    if least is not None:
        ends = (smax(ends[0], least), smax(ends[1], least))
    if most is not None:
        ends = (smin(ends[0], most), smin(ends[1], most))
    return dataclasses.replace(known, low=ends[0], high=ends[1])


def _between(a: Extent, b: Extent | None, choose: Callable[..., Any]) -> Extent | None:
    return None if b is None else Extent(choose(a.low, b.low), choose(a.high, b.high))


def _either(values: Sequence[Any]) -> Extent | None:
    """One of these numbers, or numbers of these tensors, for each element."""
    parts = [value if isinstance(value, Extent) else extent_of(value) for value in values]
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    return Extent(smin([part.low for part in known]), smax([part.high for part in known]))


def _chosen(condition: Any, input: Any, other: Any) -> tuple[Any, Any]:
    """What ``torch.where`` chooses from; numbers that are taken only where they are below a limit, or above, are."""
    recipe = getattr(condition, "recipe", None)
    if type(recipe) is not Recipe or len(recipe.args) != 2 or not is_tensor(input):
        return input, other
    compared, limit = recipe.args
    known = extent_of(input) if compared is getattr(input, "recipe", None) and _is_size(limit) else None
    below = _BELOW.get(recipe.function.__name__)
    above = _ABOVE.get(recipe.function.__name__)
    if known is None or (below is None and above is None):
        return input, other
    known = Extent(known.low, known.high)
    return (_clamped(known, None, limit - below) if below is not None else _clamped(known, limit + above, None)), other


def _union(tensors: Any) -> Extent | None:
    found = _either(tensors)
    if found is None:
        return None
    parts = [(extent_of(tensor), tensor.shape) for tensor in tensors]
    exact = all(part is not None and part.exact and implied(all_of(*(n >= 1 for n in sizes))) for part, sizes in parts)
    return dataclasses.replace(found, exact=exact)


def _by_chance(name: str, args: Sequence[Any], kwargs: dict[str, Any]) -> Extent | None:
    if name == "randperm":
        count = args[0] if args else kwargs["n"]
        return Extent(0, count - 1, exact=True, dense=True) if _is_size(count) else None
    bounds = [a for a in (*args, kwargs.get("low"), kwargs.get("high")) if _is_size(a)]
    low, high = (0, bounds[0]) if len(bounds) == 1 else bounds[:2] if bounds else (0, None)
    return None if high is None else Extent(low, high - 1)


def _positions(name: str, source: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Extent | None:
    """Places along a dimension."""
    place = 2 if name in ("topk", "kthvalue") else 1
    axis = kwargs.get("dim", kwargs.get("axis", args[place] if len(args) > place else None))
    if axis is None and name in _EXTREMES:
        return Extent(0, product(source.shape) - 1)
    axis = -1 if axis is None else axis
    if type(axis) is not int or not source.ndim:
        return None
    every = name in _POSITIONS
    return Extent(0, source.shape[axis] - 1, exact=every, dense=every)


# -- reading them ---------------------------------------------------------------------------------------------


def extent_of(value: Any) -> Extent | None:
    """Between which numbers a tensor's elements lie, or a number."""
    if _is_size(value):
        return Extent(value, value, exact=True, dense=True)
    if not is_tensor(value):
        return None
    ramp = ramp_of(value)
    if ramp is not None:
        return _of_ramp(ramp, value.shape)
    if isinstance(value, torch.Tensor) and type(value) in (torch.Tensor, torch.nn.Parameter):
        return _of_real(value)
    found: Extent | None = getattr(value, "extent", None)
    if found is None and value.dtype is torch.bool and getattr(value, "recipe", None) is None:
        return Extent(0, 1, counted=True)
    return found


def _of_real(tensor: torch.Tensor) -> Extent | None:
    if tensor.is_meta or tensor.dtype not in INTEGERS or not 0 < tensor.numel() <= _MANY:
        return None
    return Extent(int(tensor.min()), int(tensor.max()), exact=True)


def extent_of_contents(contents: Any) -> Extent | None:
    """Between which numbers the numbers in nested lists lie."""
    if _is_size(contents):
        return extent_of(contents)
    if not isinstance(contents, (list, tuple)):
        return None
    parts = [extent_of_contents(part) for part in contents]
    known = [part for part in parts if part is not None]
    if not known or len(known) < len(parts):
        return None
    return Extent(smin([p.low for p in known]), smax([p.high for p in known]), exact=True)


def _of_ramp(ramp: Ramp, shape: Sequence[Size]) -> Extent:
    low: Any = ramp.start
    high: Any = ramp.start
    for step, size in zip(ramp.steps, shape, strict=True):
        if step > 0:
            high = high + step * (size - 1)
        elif step < 0:
            low = low + step * (size - 1)
    return Extent(low, high, exact=True, dense=all(-1 <= step <= 1 for step in ramp.steps))


# -- looking them up ------------------------------------------------------------------------------------------


def require_indices(index: Any, size: Size, reason: str, *, negative: bool = False, kept: Sequence[Size] = ()) -> None:
    """Require that an index tensor's numbers exist in a dimension of this size, where any is looked up.

    Args:
        reason: a format string for the number and the size.
        negative: numbers below 0 count from the end.
        kept: other sizes of the result: nothing is looked up if one is 0.
    """
    known = extent_of(index)
    empty = [n == 0 for n in (*index.shape, *kept) if not (n >= 1 if type(n) is int else implied(n >= 1))]
    if known is not None and known.counted and not known.exact and _require_counted(known, size, reason, empty):
        return
    if known is None or not known.exact:
        if known is None and getattr(index, "recipe", None) is None:
            return
        if not _all_exist(known, size, negative, empty) and not _all_exist(_of_table(index), size, negative, empty):
            _try_out(index, size, reason, negative, empty)
        return
    ends = (known.low, known.high)
    for number in dict.fromkeys(ends) if all(type(e) is int for e in ends) else ends:
        exists = all_of(number < size, number >= (-size if negative else 0))
        if not expressible(exists):
            _try_out(index, size, reason, negative, empty)
            return
        if not implied(exists):
            require(any_of(exists, *empty), reason, number, size)


def _require_counted(known: Extent, size: Size, reason: str, empty: list[Any]) -> bool:
    """Require that what is counted at most exists; not to be said where less than nothing may be counted."""
    exists = known.high < size
    if not implied(known.low >= 0) or not expressible(exists):
        return False
    if not implied(exists):
        require(any_of(exists, *empty), reason, known.high, size)
    return True


def _all_exist(known: Extent | None, size: Size, negative: bool, empty: list[Any]) -> bool:
    """Whether a dimension of this size is known to have all numbers that lie in the extent."""
    if known is None:
        return False
    within = all_of(known.low >= (-size if negative else 0), known.high < size)
    return implied(within) or implied(any_of(within, *empty))


def _of_table(index: Any) -> Extent | None:
    found = numbers_for_all_sizes(index)
    return None if found is None else Extent(*found)


_ON_DATA = "which positions are looked up depends on the contents of the tensors; they are taken to exist"
_NOT_FOLLOWED = "which positions are looked up is computed in a way that is not followed, {}"
_MISSING_AT_SOME = "and at some of the sizes tried one does not exist"


def _try_out(index: Any, size: Size, reason: str, negative: bool, empty: list[Any]) -> None:
    """Positions that no rule follows are computed at some sizes; this is no proof, and said to be none."""
    path = active()
    if path is None:
        return
    recipe = getattr(index, "recipe", None)
    if recipe is None:
        path.doubt(_ON_DATA)
        return
    if _tried_each(path.domain, index, size, reason, negative, empty):
        return
    names = sorted({*symbols_in(recipe), *symbols_in(size)})
    tried = []
    if path.results is None or not path.results.are_of(recipe):
        path.results = Results(recipe)
    for sizes in _along(path.domain, names):
        if evaluate(product(index.shape), sizes) > _LARGEST:
            continue
        try:
            numbers = path.results.at(sizes)
        except NotComputed:
            path.doubt(_NOT_FOLLOWED.format("and cannot be computed"))
            return
        tried.append((sizes, _outside(numbers, evaluate(size, sizes), negative)))
    if names:
        path.doubt(_NOT_FOLLOWED.format(f"only tried at {len(tried)} sizes"))
    wrong = [(sizes, outside) for sizes, outside in tried if outside is not None]
    if wrong:
        _require_tried(tried, wrong[0], names, size, reason, empty)


def _tried_each(domain: Domain, index: Any, size: Size, reason: str, negative: bool, empty: list[Any]) -> bool:
    """Positions that hang on a few sizes of few numbers each (a window's) are computed for all of these: a proof."""
    found: dict[Expr, Dim] = {}
    if not sizes_in((index.recipe, size), found, set()):
        return False
    wrong = []
    try:
        for which, here in _each(domain, [*found.values()]):
            sizes = here.sample() or {}
            if evaluate(product(index.shape), sizes) > _LARGEST:
                return False
            outside = _outside(computed(index.recipe, sizes), evaluate(size, sizes), negative)
            if outside is not None:
                wrong.append((which, outside, evaluate(size, sizes)))
    except (TooComplex, NotComputed):
        return False
    for which, *told in wrong:
        require(any_of(negate(which), *empty), reason, *told)
    return True


def _each(domain: Domain, chosen: Sequence[Dim]) -> list[tuple[bool | Condition, Domain]]:
    """The sizes of a domain for which some of them are the same numbers, for each of the numbers they can be.

    Raises:
        TooComplex: these are too many.
    """
    if domain.has_roots or domain.restricted_products or domain.counts:
        raise TooComplex("sizes that others decide cannot be chosen on their own")
    cases: list[tuple[bool | Condition, Domain]] = [(True, domain)]
    for size in chosen:
        cases = [case for which, here in cases for case in _split(which, here, size)]
        if len(cases) > _CASES:
            raise TooComplex("positions hang on sizes that can be many numbers")
    return cases


def _split(which: bool | Condition, here: Domain, size: Dim) -> list[tuple[bool | Condition, Domain]]:
    low, high = here.bounds(size.expr)
    if low is None or high is None or high - low >= _CASES:
        raise TooComplex(f"{size} can be many numbers")
    if low == high:
        return [(which, here)]
    each = [(number, here.restrict(size == number)) for number in range(low, high + 1)]
    return [(all_of(which, size == number), within) for number, within in each if not within.is_empty()]


def _along(domain: Domain, names: Sequence[str]) -> list[dict[str, int]]:
    """Sizes to try: one after the other, if all hangs on one."""
    base = domain.sample()
    if len(names) > 1 or base is None:
        return samples(domain)
    found = [{**base, **dict.fromkeys(names, number)} for number in _TRIED] if names else [base]
    return [sizes for sizes in found if domain.contains(sizes)] or [base]


def _outside(numbers: torch.Tensor, size: int, negative: bool) -> int | None:
    """A number that does not exist in a dimension of this size."""
    if not numbers.numel() or numbers.dtype not in INTEGERS:
        return None
    low, high = int(numbers.min()), int(numbers.max())
    if high >= size:
        return high
    return low if low < (-size if negative else 0) else None


def _require_tried(
    tried: list[tuple[dict[str, int], int | None]],
    first_wrong: tuple[dict[str, int], int | None],
    names: Sequence[str],
    size: Size,
    reason: str,
    empty: list[Any],
) -> None:
    """Require what was seen, if that was one bound on one size."""
    path = active()
    if path is None:
        return
    if len(names) != 1:
        raise Undecided(_NOT_FOLLOWED.format(_MISSING_AT_SOME))
    at = [(sizes[names[0]], outside is None) for sizes, outside in tried]
    good = [number for number, fine in at if fine]
    bad = [number for number, fine in at if not fine]
    number = dim(names[0])
    told = (first_wrong[1], evaluate(size, first_wrong[0]))
    if not good:
        require(any_of(False, *empty), reason, *told)
    elif max(good) < min(bad):
        require(any_of(number <= max(good), *empty), reason, *told)
    elif max(bad) < min(good):
        require(any_of(number >= min(good), *empty), reason, *told)
    else:
        raise Undecided(_NOT_FOLLOWED.format(_MISSING_AT_SOME))
