"""Taking elements by position: subscripts, select, gather and scatter, ordering, diagonals, embedding."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import nn

from shapelint.ops.broadcasting import broadcast, broadcast_into, repeated_by_expanding
from shapelint.ops.dimensions import (
    Shape,
    axis_index,
    fail,
    named,
    number_in,
    numpy_names,
    refuse_out,
    slice_length,
)
from shapelint.ops.dtypes import require_kinds
from shapelint.ops.extents import require_indices
from shapelint.ops.registry import DependsOnContents, Spec, TensorLike, Unsupported, is_tensor, shape_rule
from shapelint.sizes import Dim, Size, all_of, any_of, implied, product, require, smax, smin
from shapelint.sizes.path import content_count

# -- subscripts ----------------------------------------------------------------------------------------------

_OUT_OF_RANGE = "index {} is out of range for dimension {} of size {}"
_NOT_THERE = "index {} is looked up in a dimension of size {}"


@shape_rule("__getitem__")
def getitem(input: TensorLike, index: Any) -> Spec:
    """``x[...]`` with numbers, slices, ``None``, ``...`` and index tensors, as torch reads them."""
    return Spec(subscripted(input.shape, index))


@shape_rule("__setitem__")
def setitem(input: TensorLike, index: Any, value: Any) -> None:
    """``x[...] = value``: the value must broadcast to what the subscript selects."""
    if not is_tensor(value) or not value.ndim:
        subscripted(input.shape, index, counted=False)
        return
    target = subscripted(input.shape, index)
    given = value.shape
    while len(given) > len(target) and type(given[0]) is int and given[0] == 1:
        given = given[1:]
    broadcast_into(target, given)


@dataclasses.dataclass(frozen=True, slots=True)
class _Lookup:
    """An index tensor or list in a subscript: which dimension it looks up, and its place among the results.

    Attributes:
        exists: what is looked up is known to be there.
    """

    place: int
    axis: int
    size: Size
    shape: Shape
    items: Sequence[Size] = ()
    tensor: Any = None
    exists: bool = False


_LISTS_AS_TUPLES = 32
"""A list with fewer parts than this is read as a tuple, if it has parts that only a tuple would have."""


_ONLY_IN_TUPLES = (torch.Tensor, slice, list, tuple, type(None), type(...))


def _stands_for_tuple(index: Any) -> bool:
    """Whether torch reads a list as a tuple: ``x[[slice(0, 2), None]]``, ``x[[rows, columns]]``."""
    if type(index) is not list or len(index) >= _LISTS_AS_TUPLES:
        return False
    return any(
        part is None or part is ... or is_tensor(part) or isinstance(part, (slice, list, tuple)) for part in index
    )


def subscripted(shape: Shape, index: Any, *, counted: bool = True) -> Shape:
    """The shape of ``x[index]``.

    Args:
        counted: False where nobody asks how many elements masks select; they are taken to select one.
    """
    given = tuple(index) if isinstance(index, tuple) or _stands_for_tuple(index) else (index,)
    parts = tuple(part for each in given for part in _selecting(each, counted))
    consumed = sum(1 for part in parts if part is not None and part is not Ellipsis)
    if consumed > len(shape):
        fail("too many indices: {} for a tensor of {} dimensions", consumed, len(shape))
    result: list[Size] = []
    lookups: list[_Lookup] = []
    axis = 0
    for position, part in enumerate(parts):
        if part is None:
            result.append(1)
        elif part is Ellipsis:
            skipped = len(shape) - consumed
            result.extend(shape[axis : axis + skipped])
            axis += skipped
            if axis > len(shape) and position + 1 < len(parts):
                fail("an index after the second '...' is beyond the {} dimensions", len(shape))
        else:
            if type(part).__name__ == "ndarray" and part.ndim == 1 and part.dtype.kind == "i":
                part = part.tolist()
            if type(part) is slice:
                result.append(_sliced(shape[axis], part))
            elif type(part) is int or isinstance(part, Dim):
                _require_index(part, shape[axis], axis)
            elif isinstance(part, _Selected):
                part.require_fits(shape[axis], axis)
                lookups.append(_Lookup(len(result), axis, shape[axis], (part.count,), exists=True))
                result.append(-1)
            elif not _selects(part, shape[axis], axis):
                lookups.append(_lookup(part, len(result), axis, shape[axis]))
                result.append(-1)
            axis += 1
    result.extend(shape[axis:])
    return _placed(result, lookups) if lookups else tuple(result)


@dataclasses.dataclass(frozen=True, slots=True)
class _Selected:
    """One dimension's places that a mask selects, and how many these are."""

    count: Size
    length: Size

    def require_fits(self, size: Size, axis: int) -> None:
        if size is not self.length:
            reason = "a mask of {} elements selects from dimension {} of size {}"
            require(size == self.length, reason, self.length, axis, size)


def _selecting(part: Any, counted: bool) -> tuple[Any, ...]:
    """A part of a subscript; a mask looks up places in as many dimensions as it has."""
    if isinstance(part, list) and part and all(type(item) is bool for item in part):
        part = torch.tensor(part, device="cpu")
    if not is_tensor(part) or not part.ndim or part.dtype not in (torch.bool, torch.uint8):
        return (part,)
    count = selected_by(part) if counted else 1
    return tuple(_Selected(count, length) for length in part.shape)


def selected_by(mask: TensorLike) -> Size:
    """How many elements of a tensor are not 0: a number, if its contents are known."""
    if isinstance(mask, torch.Tensor) and type(mask) in (torch.Tensor, nn.Parameter) and not mask.is_meta:
        return int(mask.count_nonzero())
    return cast(Size, content_count(mask=mask))


def _sliced(size: Size, part: slice) -> Size:
    start, stop, step = part.start, part.stop, part.step
    if start is None and stop is None and step is None:
        return size
    return slice_length(
        size,
        None if start is None else _number(start),
        None if stop is None else _number(stop),
        1 if step is None else _number(step),
    )


def _number(value: Any) -> Size:
    """A slice bound: an int, a size, a traced tensor of which the number is known, or what has ``__index__``."""
    if type(value) is int or isinstance(value, Dim):
        return value
    known = number_in(value)
    if known is not None:
        return known
    if is_tensor(value) or not hasattr(value, "__index__"):
        raise Unsupported(f"a slice bound given as {type(value).__name__}")
    return int(value.__index__())


def _require_index(index: Size, size: Size, axis: int) -> None:
    """Require that an integer index exists in a dimension."""
    if type(index) is int:
        if type(size) is int:
            if not -size <= index < size:
                fail(_OUT_OF_RANGE, index, axis, size)
            return
        enough = size > index if index >= 0 else size >= -index
        if not implied(enough):
            require(enough, _OUT_OF_RANGE, index, axis, size)
        return
    require(all_of(index < size, index >= -size), _OUT_OF_RANGE, index, axis, size)


def _selects(part: Any, size: Size, axis: int) -> bool:
    """Whether it is a single number after all: an integer tensor without dimensions, or a number of another type."""
    if is_tensor(part):
        if part.ndim or not _is_integer(part.dtype):
            return False
        require(size >= 1, _OUT_OF_RANGE, 0, axis, size)
        require_indices(part, size, _NOT_THERE, negative=True)
        return True
    if isinstance(part, (bool, list, range)) or not hasattr(part, "__index__"):
        return False
    _require_index(int(part.__index__()), size, axis)
    return True


def _is_integer(dtype: torch.dtype) -> bool:
    return not (dtype.is_floating_point or dtype.is_complex or dtype in (torch.bool, torch.uint8))


def _lookup(part: Any, place: int, axis: int, size: Size) -> _Lookup:
    if is_tensor(part):
        if part.dtype in (torch.bool, torch.uint8):
            raise DependsOnContents("how many elements a boolean mask selects depends on the contents of the tensors")
        if not _is_integer(part.dtype):
            fail("tensors used as indices must be integers or booleans, not {}", part.dtype)
        return _Lookup(place, axis, size, part.shape, tensor=part)
    if not isinstance(part, (list, tuple, range)):
        raise Unsupported(f"a subscript given as {type(part).__name__}")
    items = list(part)
    if any(isinstance(item, bool) or not (type(item) is int or isinstance(item, Dim)) for item in items):
        raise Unsupported("a subscript given as a list of other things than numbers")
    return _Lookup(place, axis, size, (len(items),), items)


def _surely_positive(size: Size) -> bool:
    return size >= 1 if type(size) is int else implied(size >= 1)


def _placed(result: list[Size], lookups: list[_Lookup]) -> Shape:
    """The broadcast index shape in the place of the indexed dimensions: there if they are neighbours, else in front."""
    places = [lookup.place for lookup in lookups]
    found = broadcast(*(lookup.shape for lookup in lookups))
    kept = [size for place, size in enumerate(result) if place not in places]
    for lookup in lookups:
        _require_lookup(lookup, kept, found)
    first = places[0] if places[-1] - places[0] == len(places) - 1 else 0
    return (*kept[:first], *found, *kept[first:])


def _require_lookup(lookup: _Lookup, kept: Sequence[Size], found: Shape) -> None:
    """Require that the indices exist, which torch checks only where it takes an element."""
    axis, size = lookup.axis, lookup.size
    if lookup.exists:
        return
    if not _surely_positive(size):
        require(any_of(size >= 1, *_empty(found)), _OUT_OF_RANGE, 0, axis, size)
    if lookup.tensor is not None:
        require_indices(lookup.tensor, size, _NOT_THERE, negative=True, kept=(*kept, *found))
    for item in lookup.items:
        exists = all_of(item < size, item >= -size)
        if not implied(exists):
            require(any_of(exists, *_empty((*kept, *found))), _OUT_OF_RANGE, item, axis, size)


def _empty(shape: Sequence[Size]) -> list[Any]:
    """The conditions, those that can hold, that a dimension is empty."""
    return [size == 0 for size in shape if not _surely_positive(size)]


# -- one piece of a dimension --------------------------------------------------------------------------------


@shape_rule("narrow", "narrow_copy")
@numpy_names
def narrow(input: TensorLike, dim: int, start: Any, length: Size) -> Spec:
    """``length`` elements of a dimension from ``start`` on."""
    shape = input.shape
    if not shape:
        fail("narrow needs at least one dimension")
    axis = axis_index(dim, len(shape))
    size = shape[axis]
    require(length >= 0, "narrow: the length {} is negative", length)
    if is_tensor(start):
        require(length <= size, "narrow: length {} is more than dimension {} has: {}", length, axis, size)
    else:
        reason = "narrow: {} elements from {} on exceed dimension {} of size {}"
        if type(start) is int:
            first = start if start >= 0 else size + start
            require(all_of(first >= 0, first + length <= size), reason, length, start, axis, size)
        else:
            ahead = all_of(start >= 0, start + length <= size)
            behind = all_of(start < 0, start >= -size, start + length <= 0)
            require(any_of(ahead, behind), reason, length, start, axis, size)
    return Spec((*shape[:axis], length, *shape[axis + 1 :]))


@shape_rule("select")
@numpy_names
def select_index(input: TensorLike, dim: int, index: Any) -> Spec:
    """One element of a dimension, which disappears."""
    shape = input.shape
    if not shape:
        fail("select() cannot be applied to a single number (0 dimensions)")
    axis = axis_index(dim, len(shape))
    if is_tensor(index):
        require_indices(index, shape[axis], _NOT_THERE, negative=True)
    else:
        _require_index(index, shape[axis], axis)
    return Spec(shape[:axis] + shape[axis + 1 :])


@shape_rule("index_select")
@numpy_names
def index_select(input: TensorLike, dim: int, index: TensorLike, **options: Any) -> Spec:
    """The listed elements of a dimension."""
    if options:
        refuse_out(options)
    if index.ndim > 1:
        fail("index_select: the index must be a vector, and has {} dimensions", index.ndim)
    shape = input.shape
    axis = axis_index(dim, len(shape))
    count = index.shape[0] if index.ndim else 1
    if not shape:
        require(count == 1, "index_select of a single number takes one index, and got {}", count)
        return Spec(())
    require_indices(index, shape[axis], _NOT_THERE)
    return Spec((*shape[:axis], count, *shape[axis + 1 :]))


# -- gather and scatter --------------------------------------------------------------------------------------


def _require_fits(index: Shape, other: Shape, spared: int | None, what: str) -> None:
    """Require that an index is no larger than a tensor, except in the dimension that is looked up."""
    index, other = index or (1,), other or (1,)
    if len(index) != len(other):
        fail("{}: the index has {} dimensions and the tensor {}", what, len(index), len(other))
    for axis, (size, limit) in enumerate(zip(index, other, strict=True)):
        if axis != spared and size is not limit:
            reason = "{}: the index has size {} in dimension {}, more than the tensor's {}"
            require(_within(size, limit, index), reason, what, size, axis, limit)


def _within(size: Size, limit: Size, index: Shape) -> Any:
    """An index without elements fits everywhere."""
    fits = size <= limit
    if fits is True:
        return True
    return any_of(fits, *_empty(index))


@shape_rule("gather")
@numpy_names
def gather(input: TensorLike, dim: int, index: TensorLike, **options: Any) -> Spec:
    """One element for each of the index, looked up along a dimension."""
    if options:
        refuse_out(options)
    axis = axis_index(dim, input.ndim)
    _require_fits(index.shape, input.shape, axis, "gather")
    if input.ndim:
        require_indices(index, input.shape[axis], _NOT_THERE)
    return Spec(index.shape)


def _require_scatter(input: TensorLike, dim: int, index: TensorLike, src: Any) -> None:
    axis = axis_index(dim, input.ndim)
    _require_fits(index.shape, input.shape, axis, "scatter")
    if input.ndim:
        require_indices(index, input.shape[axis], _NOT_THERE)
    if is_tensor(src) and (src.ndim or not index.ndim):
        _require_fits(index.shape, src.shape, None, "scatter (source)")


@shape_rule("scatter", "scatter_add", "scatter_reduce")
@numpy_names
def scatter(input: TensorLike, dim: int, index: TensorLike, src: Any = None, *args: Any, **options: Any) -> Spec:
    """Values written to places along a dimension; the shape stays."""
    _require_scatter(input, dim, index, src)
    return Spec(input.shape)


@shape_rule("scatter_", "scatter_add_", "scatter_reduce_")
@numpy_names
def scatter_in_place(
    input: TensorLike, dim: int, index: TensorLike, src: Any = None, *args: Any, **options: Any
) -> TensorLike:
    """The in-place forms of scatter."""
    _require_scatter(input, dim, index, src)
    return input


@shape_rule("take_along_dim")
@numpy_names
def take_along_dim(input: TensorLike, indices: TensorLike, dim: int | None = None) -> Spec:
    """``gather`` with broadcasting, or from all elements. Numbers that do not exist are taken modulo the size."""
    if dim is None:
        return Spec((product(indices.shape),))
    if input.ndim != indices.ndim:
        fail("take_along_dim: {} dimensions, but the indices have {}", input.ndim, indices.ndim)
    axis = axis_index(dim, input.ndim)
    shape, wanted = list(input.shape), list(indices.shape)
    count = wanted[axis]
    shape[axis] = wanted[axis] = 1
    result = list(broadcast(tuple(shape), tuple(wanted)))
    result[axis] = count
    return Spec(tuple(result))


@shape_rule("take")
def take(input: TensorLike, index: TensorLike) -> Spec:
    """Elements by their number among all."""
    require_indices(index, product(input.shape), "index {} is taken of {} elements", negative=True)
    return Spec(index.shape)


# -- what contents decide ------------------------------------------------------------------------------------


@shape_rule("equal", "allclose")
def depends_on_contents(*args: Any, **kwargs: Any) -> Spec:
    """Answers that only the values decide."""
    raise DependsOnContents("what it returns depends on the contents of the tensors, not only on their sizes")


@shape_rule("nonzero", "argwhere")
def nonzero(input: TensorLike, as_tuple: bool = False, **options: Any) -> Any:
    """The places of what is not 0: as many as the contents say."""
    if options:
        refuse_out(options)
    count = selected_by(input)
    if as_tuple:
        return tuple(Spec((count,), torch.int64) for _ in input.shape or (1,))
    return Spec((count, input.ndim), torch.int64)


@shape_rule("nonzero_static")
def nonzero_static(input: TensorLike, size: Size, fill_value: int = -1, **options: Any) -> Spec:
    """As many places as are asked for."""
    if options:
        refuse_out(options)
    require(size >= 0, "nonzero_static: the size {} is negative", size)
    return Spec((size, input.ndim), torch.int64)


@shape_rule("masked_select")
@numpy_names
def masked_select(input: TensorLike, mask: TensorLike, **options: Any) -> Spec:
    """The elements at which a mask is true, where both are broadcast to each other."""
    if options:
        refuse_out(options)
    if mask.dtype is not torch.bool:
        fail("masked_select needs a mask of booleans, and not of {}", mask.dtype)
    together = broadcast(input.shape, mask.shape)
    times = repeated_by_expanding(mask.shape, together)
    return Spec((content_count(product(together)) if times is None else selected_by(mask) * times,))


def _different(among: Size) -> Size:
    """How many different ones there are among so many."""
    return cast(Size, content_count(among, 1 if _surely_positive(among) else 0))


@shape_rule("unique")
def unique(
    input: TensorLike, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False, dim: Any = None
) -> Any:
    """The different elements, or slices along a dimension."""
    return _unique(input, return_inverse, return_counts, dim, all_three=False)


@shape_rule("_unique2")
def unique_all(
    input: TensorLike, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False
) -> Any:
    """What ``torch.unique`` calls, which always gives the three tensors."""
    return _unique(input, return_inverse, return_counts, None, all_three=True)


@shape_rule("unique_consecutive")
def unique_consecutive(
    input: TensorLike, return_inverse: bool = False, return_counts: bool = False, dim: Any = None
) -> Any:
    """The elements, or slices along a dimension, without what repeats the one before."""
    return _unique(input, return_inverse, return_counts, dim, all_three=False)


def _unique(input: TensorLike, return_inverse: bool, return_counts: bool, dim: Any, *, all_three: bool) -> Any:
    shape = input.shape
    if dim is None:
        count = _different(product(shape))
        found: Shape = (count,)
        inverse: Shape = shape
    else:
        axis = axis_index(dim, len(shape))
        for other, size in enumerate(shape):
            if other != axis:
                require(any_of(size != 0, product(shape) != 0), "unique along dimension {} of what is empty", axis)
        count = _different(shape[axis])
        found, inverse = (*shape[:axis], count, *shape[axis + 1 :]), (shape[axis],)
    parts = [Spec(found)]
    if return_inverse or all_three:
        parts.append(Spec(inverse if return_inverse or not all_three else (0,), torch.int64))
    if return_counts or all_three:
        parts.append(Spec((count,) if return_counts else (0,), torch.int64))
    return parts[0] if len(parts) == 1 else tuple(parts)


@shape_rule("bincount")
def bincount(input: TensorLike, weights: Any = None, minlength: Size = 0) -> Spec:
    """How often each number occurs: as many as the greatest says, and no fewer than ``minlength``."""
    if input.ndim != 1:
        fail("bincount takes a vector, and got {} dimensions", input.ndim)
    require(minlength >= 0, "bincount: minlength {} is negative", minlength)
    if is_tensor(weights):
        given, size = weights.shape[0] if weights.ndim == 1 else None, input.shape[0]
        if given is None:
            fail("bincount: the weights have {} dimensions, not 1", weights.ndim)
        require(given == size, "bincount: {} weights for {} numbers", given, size)
    dtype = torch.int64 if not is_tensor(weights) else torch.float64
    if is_tensor(weights) and weights.dtype is torch.float32:
        dtype = torch.float32
    return Spec((content_count(None, minlength),), dtype)


def _require_indexed(input: TensorLike, dim: int, index: TensorLike, source: Any, what: str) -> None:
    """The source of index_add and its like: the tensor's shape, with as many elements along ``dim`` as indices."""
    if index.ndim > 1:
        fail("{}: the index must be a vector, and has {} dimensions", what, index.ndim)
    axis = axis_index(dim, input.ndim)
    if input.ndim:
        require_indices(index, input.shape[axis], _NOT_THERE, negative=True)
    if not is_tensor(source) or not source.ndim:
        return
    if source.ndim != input.ndim:
        fail("{}: the source has {} dimensions and the tensor {}", what, source.ndim, input.ndim)
    count = index.shape[0] if index.ndim else 1
    for each, (given, size) in enumerate(zip(source.shape, input.shape, strict=True)):
        wanted = count if each == axis else size
        if given is not wanted:
            require(given == wanted, "{}: the source has size {} in dimension {}, not {}", what, given, each, wanted)


@shape_rule("index_add", "index_copy", "index_reduce")
@numpy_names
def index_add(input: TensorLike, dim: int, index: TensorLike, source: Any = None, *args: Any, **options: Any) -> Spec:
    """Slices written to the listed places; the shape stays."""
    _require_indexed(input, dim, index, options.get("tensor", source), "index_add")
    return Spec(input.shape)


@shape_rule("index_add_", "index_copy_", "index_reduce_")
@numpy_names
def index_add_in_place(
    input: TensorLike, dim: int, index: TensorLike, source: Any = None, *args: Any, **options: Any
) -> TensorLike:
    """The in-place forms of ``index_add``."""
    _require_indexed(input, dim, index, options.get("tensor", source), "index_add")
    return input


@shape_rule("index_fill")
@numpy_names
def index_fill(input: TensorLike, dim: int, index: TensorLike, value: Any) -> Spec:
    """One value in the listed places."""
    _require_indexed(input, dim, index, None, "index_fill")
    return Spec(input.shape)


@shape_rule("index_fill_")
@numpy_names
def index_fill_in_place(input: TensorLike, dim: int, index: TensorLike, value: Any) -> TensorLike:
    """The in-place form of ``index_fill``."""
    _require_indexed(input, dim, index, None, "index_fill")
    return input


def _require_put(input: TensorLike, indices: Sequence[Any], values: TensorLike) -> None:
    index = tuple(slice(None) if each is None else each for each in indices)
    broadcast_into(subscripted(input.shape, index, counted=values.ndim > 0), values.shape)


@shape_rule("index_put")
def index_put(input: TensorLike, indices: Sequence[Any], values: TensorLike, accumulate: bool = False) -> Spec:
    """``x[indices] = values`` on a copy."""
    _require_put(input, indices, values)
    return Spec(input.shape)


@shape_rule("index_put_")
def index_put_in_place(
    input: TensorLike, indices: Sequence[Any], values: TensorLike, accumulate: bool = False
) -> TensorLike:
    """``x[indices] = values``."""
    _require_put(input, indices, values)
    return input


@shape_rule("slice_scatter")
@numpy_names
def slice_scatter(
    input: TensorLike, src: TensorLike, dim: int = 0, start: Any = None, end: Any = None, step: int = 1
) -> Spec:
    """A slice replaced by another tensor of its shape."""
    axis = axis_index(dim, input.ndim)
    part = slice(start, end, step)
    wanted = subscripted(input.shape, (*(slice(None),) * axis, part))
    if len(wanted) != src.ndim:
        fail("slice_scatter: the source has {} dimensions, not {}", src.ndim, len(wanted))
    for each, (given, size) in enumerate(zip(src.shape, wanted, strict=True)):
        if given is not size:
            require(given == size, "slice_scatter: the source has size {} in dimension {}, not {}", given, each, size)
    return Spec(input.shape)


@shape_rule("select_scatter")
@numpy_names
def select_scatter(input: TensorLike, src: TensorLike, dim: int, index: Size) -> Spec:
    """One element of a dimension replaced by another tensor."""
    wanted = select_index(input, dim, index).shape
    if len(wanted) != src.ndim:
        fail("select_scatter: the source has {} dimensions, not {}", src.ndim, len(wanted))
    for each, (given, size) in enumerate(zip(src.shape, wanted, strict=True)):
        if given is not size:
            require(given == size, "select_scatter: the source has size {} in dimension {}, not {}", given, each, size)
    return Spec(input.shape)


# -- order ---------------------------------------------------------------------------------------------------


@shape_rule("topk")
@numpy_names
def topk(input: TensorLike, k: Size, dim: int = -1, largest: bool = True, sorted: bool = True, **options: Any) -> Any:
    """The ``k`` largest along a dimension, which must have as many."""
    if options:
        refuse_out(options)
    shape = input.shape
    axis = axis_index(dim, len(shape))
    size = shape[axis] if shape else 1
    require(all_of(k >= 0, k <= size), "topk: {} of dimension {}, which has size {}", k, axis, size)
    result = (*shape[:axis], k, *shape[axis + 1 :]) if shape else ()
    return named("values indices", Spec(result), Spec(result, torch.int64))


@shape_rule("sort")
@numpy_names
def sort(input: TensorLike, dim: int = -1, descending: bool = False, **options: Any) -> Any:
    """In order along a dimension, with the positions."""
    refuse_out(options)
    axis_index(dim, input.ndim)
    return named("values indices", Spec(input.shape), Spec(input.shape, torch.int64))


@shape_rule("argsort")
@numpy_names
def argsort(input: TensorLike, dim: int = -1, descending: bool = False, **options: Any) -> Spec:
    """The positions that put a dimension in order."""
    axis_index(dim, input.ndim)
    return Spec(input.shape, torch.int64)


@shape_rule("msort")
def msort(input: TensorLike) -> Spec:
    """In order along dimension 0."""
    return Spec(input.shape)


@shape_rule("kthvalue")
@numpy_names
def kthvalue(input: TensorLike, k: Size, dim: int = -1, keepdim: bool = False) -> Any:
    """The ``k``-th smallest along a dimension."""
    shape = input.shape
    axis = axis_index(dim, len(shape))
    size = shape[axis] if shape else 1
    require(all_of(k >= 1, k <= size), "kthvalue: element {} of dimension {}, which has size {}", k, axis, size)
    kept = (1,) if keepdim and shape else ()
    result = (*shape[:axis], *kept, *shape[axis + 1 :])
    return named("values indices", Spec(result), Spec(result, torch.int64))


@shape_rule("bucketize")
def bucketize(input: Any, boundaries: TensorLike, *, out_int32: bool = False, right: bool = False) -> Spec:
    """The bucket of each element."""
    if boundaries.ndim != 1:
        fail("bucketize: the boundaries must be a vector, and have {} dimensions", boundaries.ndim)
    return Spec(input.shape if is_tensor(input) else (), torch.int32 if out_int32 else torch.int64)


@shape_rule("searchsorted")
def searchsorted(
    sorted_sequence: TensorLike, input: Any, *, out_int32: bool = False, right: bool = False, **options: Any
) -> Spec:
    """The place of each element in a sorted row."""
    dtype = torch.int32 if out_int32 else torch.int64
    if not is_tensor(input):
        return Spec((), dtype)
    if sorted_sequence.ndim != 1:
        rows, others = sorted_sequence.shape[:-1], input.shape[:-1]
        if len(rows) != len(others):
            fail("searchsorted: {} dimensions, but the values have {}", len(rows) + 1, input.ndim)
        for axis, (a, b) in enumerate(zip(rows, others, strict=True)):
            if a is not b:
                require(a == b, "searchsorted: dimension {} is {} in one and {} in the other", axis, a, b)
    return Spec(input.shape, dtype)


# -- diagonals -----------------------------------------------------------------------------------------------


@shape_rule("tril", "triu")
def triangle(input: TensorLike, diagonal: Any = 0, **options: Any) -> Spec:
    """A triangle of each matrix, zero elsewhere."""
    if input.ndim < 2:
        fail("tril and triu take matrices, and got {} dimension(s)", input.ndim)
    return Spec(input.shape)


@shape_rule("tril_", "triu_")
def triangle_in_place(input: TensorLike, diagonal: Any = 0) -> TensorLike:
    """The in-place forms of ``tril`` and ``triu``."""
    if input.ndim < 2:
        fail("tril and triu take matrices, and got {} dimension(s)", input.ndim)
    return input


def _diagonal_length(rows: Any, columns: Any, offset: Any) -> Any:
    if type(offset) is int:
        return smax(smin(rows, columns - offset) if offset >= 0 else smin(rows + offset, columns), 0)
    return smax(smin(rows + smin(offset, 0), columns - smax(offset, 0)), 0)


@shape_rule("diagonal")
def diagonal(input: TensorLike, offset: Any = 0, dim1: int = 0, dim2: int = 1) -> Spec:
    """The diagonal of two dimensions, as the last one."""
    shape = input.shape
    first, second = axis_index(dim1, len(shape)), axis_index(dim2, len(shape))
    if first == second:
        fail("diagonal: the two dimensions are the same: {} and {}", dim1, dim2)
    rest = [size for axis, size in enumerate(shape) if axis not in (first, second)]
    return Spec((*rest, _diagonal_length(shape[first], shape[second], offset)))


@shape_rule("linalg.diagonal")
def linalg_diagonal(A: TensorLike, *, offset: Any = 0, dim1: int = -2, dim2: int = -1) -> Spec:  # noqa: N803
    """The diagonal of each matrix."""
    return diagonal(A, offset, dim1, dim2)


@shape_rule("diag")
def diag(input: TensorLike, diagonal: int = 0) -> Spec:
    """A vector on the diagonal of a matrix, or a matrix's diagonal."""
    shape = input.shape
    if len(shape) == 1:
        side = shape[0] + abs(diagonal)
        return Spec((side, side))
    if len(shape) != 2:
        fail("diag takes a vector or a matrix, and got {} dimensions", len(shape))
    return Spec((_diagonal_length(shape[0], shape[1], diagonal),))


@shape_rule("diag_embed")
def diag_embed(input: TensorLike, offset: Any = 0, dim1: int = -2, dim2: int = -1) -> Spec:
    """The last dimension on the diagonal of new matrices."""
    shape = input.shape
    if not shape:
        fail("diag_embed needs at least one dimension")
    first, second = axis_index(dim1, len(shape) + 1), axis_index(dim2, len(shape) + 1)
    if first == second:
        fail("diag_embed: the two dimensions are the same: {} and {}", dim1, dim2)
    side = shape[-1] + abs(offset)
    rest = iter(shape[:-1])
    return Spec(tuple(side if axis in (first, second) else next(rest) for axis in range(len(shape) + 1)))


@shape_rule("diagflat")
def diagflat(input: TensorLike, offset: Any = 0) -> Spec:
    """All elements on the diagonal of a matrix."""
    side = product(input.shape) + abs(offset)
    return Spec((side, side))


@shape_rule("trace")
def trace(input: TensorLike) -> Spec:
    """The sum of a matrix's diagonal."""
    if input.ndim != 2:
        fail("trace takes a matrix, and got {} dimensions", input.ndim)
    dtype = input.dtype
    return Spec((), dtype if dtype.is_floating_point or dtype.is_complex else torch.int64)


# -- embedding -----------------------------------------------------------------------------------------------


_NOT_IN_TABLE = "index {} is looked up in an embedding of {} rows (num_embeddings)"


@shape_rule("embedding")
def embedding(input: TensorLike, weight: TensorLike, *args: Any, **options: Any) -> Spec:
    """A row of the table for each index."""
    require_kinds("embedding", input, "ij")
    if weight.ndim != 2:
        fail("the table of an embedding is a matrix, and has {} dimensions", weight.ndim)
    require_indices(input, weight.shape[0], _NOT_IN_TABLE)
    return Spec((*input.shape, weight.shape[1]), weight.dtype)


@shape_rule(nn.Embedding)
def embedding_module(module: nn.Embedding, input: TensorLike) -> Spec:
    """The module form of ``embedding``."""
    return embedding(input, module.weight)


@shape_rule("embedding_bag")
def embedding_bag(input: TensorLike, weight: TensorLike, offsets: Any = None, *args: Any, **options: Any) -> Spec:
    """The sum or mean of the rows of each bag."""
    require_kinds("embedding_bag", input, "ij")
    if weight.ndim != 2:
        fail("the table of an embedding is a matrix, and has {} dimensions", weight.ndim)
    if options.get("per_sample_weights") is not None:
        weights = options["per_sample_weights"].shape
        if len(weights) != input.ndim:
            fail("embedding_bag: the weights have {} dimensions and the indices {}", len(weights), input.ndim)
        for given, wanted in zip(weights, input.shape, strict=True):
            require(given == wanted, "embedding_bag: {} weights for {} indices", given, wanted)
    require_indices(input, weight.shape[0], _NOT_IN_TABLE)
    width = weight.shape[1]
    if input.ndim == 2 and offsets is None:
        return Spec((input.shape[0], width), weight.dtype)
    if input.ndim != 1 or not is_tensor(offsets):
        fail("an embedding bag takes a matrix of indices, or a vector with offsets")
    bags = offsets.shape[0] - 1 if options.get("include_last_offset") else offsets.shape[0]
    return Spec((bags, width), weight.dtype)


@shape_rule(nn.EmbeddingBag)
def embedding_bag_module(
    module: nn.EmbeddingBag, input: TensorLike, offsets: Any = None, per_sample_weights: Any = None
) -> Spec:
    """The module form of ``embedding_bag``."""
    last = module.include_last_offset
    return embedding_bag(input, module.weight, offsets, include_last_offset=last, per_sample_weights=per_sample_weights)


@shape_rule("one_hot")
def one_hot(tensor: TensorLike, num_classes: Size = -1) -> Spec:
    """A new last dimension with one element for each class."""
    if type(num_classes) is int and num_classes < 0:
        raise Unsupported("one_hot without num_classes gives a size that depends on the data")
    require_kinds("one_hot", tensor, "i")
    require_indices(tensor, num_classes, "class {} is one of {} classes (num_classes)")
    return Spec((*tensor.shape, num_classes), torch.int64)
