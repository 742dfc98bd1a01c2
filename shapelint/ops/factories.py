"""Tensors made from sizes: zeros, ones, ranges, grids, copies of a shape."""

from __future__ import annotations

import math
from typing import Any

import torch

from shapelint.ops.dimensions import Shape, agree, fail, refuse_out, size_argument, sizes_argument
from shapelint.ops.registry import Spec, TensorLike, Unsupported, is_tensor, shape_rule
from shapelint.sizes import Dim, Size, all_of, any_of, implied, require


def _checked(shape: Shape) -> Shape:
    """Sizes that a tensor can have."""
    for size in shape:
        if type(size) is int:
            if size < 0:
                fail("a tensor cannot have the negative size {} in {}", size, shape)
        elif not implied(size >= 0):
            require(size >= 0, "a tensor cannot have the negative size {} in {}", size, shape)
    return shape


@shape_rule("zeros", "ones", "empty", "rand", "randn")
def filled(*sizes: Any, size: Any = None, dtype: torch.dtype | None = None, **options: Any) -> Spec:
    """A tensor of the given shape."""
    refuse_out(options)
    shape = sizes_argument(sizes if size is None else (size,))
    return Spec(_checked(shape), dtype or torch.get_default_dtype())


@shape_rule("full")
def full(size: Any, fill_value: Any, *, dtype: torch.dtype | None = None, **options: Any) -> Spec:
    """A tensor of one value, whose type it takes."""
    refuse_out(options)
    return Spec(_checked(sizes_argument((size,))), dtype or _dtype_of_number(fill_value))


def _dtype_of_number(value: Any) -> torch.dtype:
    if is_tensor(value):
        return value.dtype
    if isinstance(value, bool):
        return torch.bool
    if isinstance(value, (int, Dim)):
        return torch.int64
    if isinstance(value, complex):
        return torch.complex64 if torch.get_default_dtype() is torch.float32 else torch.complex128
    return torch.get_default_dtype()


@shape_rule("randint")
def randint(*args: Any, size: Any = None, dtype: torch.dtype | None = None, **options: Any) -> Spec:
    """Random integers: ``randint(high, size)`` or ``randint(low, high, size)``."""
    refuse_out(options)
    if size is None:
        size = next((each for each in args if isinstance(each, (tuple, list))), None)
    if size is None:
        fail("randint needs a size")
    return Spec(_checked(sizes_argument((size,))), dtype or torch.int64)


@shape_rule("normal")
def normal(mean: Any, std: Any = 1.0, size: Any = None, *, dtype: Any = None, **options: Any) -> Spec:
    """Random numbers of a shape, or around given means."""
    refuse_out(options)
    if size is not None:
        return Spec(_checked(sizes_argument((size,))), dtype or torch.get_default_dtype())
    if is_tensor(mean):
        return Spec(mean.shape, mean.dtype)
    return Spec(std.shape, std.dtype)


@shape_rule("randperm")
def randperm(n: Size, *, dtype: torch.dtype | None = None, **options: Any) -> Spec:
    """The numbers below ``n`` in random order."""
    refuse_out(options)
    return Spec(_checked((size_argument(n),)), dtype or torch.int64)


# -- ranges --------------------------------------------------------------------------------------------------


@shape_rule("arange")
def arange(*args: Any, dtype: torch.dtype | None = None, **options: Any) -> Spec:
    """ceil((end - start) / step) numbers."""
    refuse_out(options)
    start, end, step = _bounds(args, options)
    numbers = (start, end, step)
    if dtype is None:
        whole = all(_dtype_of_number(each) is torch.int64 for each in numbers)
        dtype = torch.int64 if whole else torch.get_default_dtype()
    return Spec((_range_length(start, end, step),), dtype)


def _bounds(args: tuple[Any, ...], options: dict[str, Any]) -> tuple[Any, Any, Any]:
    bounds = list(args)
    if len(bounds) == 1 and "end" not in options:
        bounds.insert(0, 0)
    start = bounds[0] if bounds else options.get("start", 0)
    end = bounds[1] if len(bounds) > 1 else options["end"]
    step = bounds[2] if len(bounds) > 2 else options.get("step", 1)
    for bound in (start, end, step):
        if is_tensor(bound):
            raise Unsupported("a range whose bounds are tensors")
    return start, end, step


def _range_length(start: Any, end: Any, step: Any) -> Any:
    distance = end - start
    if type(step) in (int, float):
        ahead = step != 0 and (distance >= 0 if step > 0 else distance <= 0)
    else:
        ahead = any_of(all_of(step > 0, distance >= 0), all_of(step < 0, distance <= 0))
    require(ahead, "arange from {} to {} cannot go in steps of {}", start, end, step)
    if type(step) is not int or not isinstance(distance, int):
        return math.ceil(distance / step)
    return distance if step == 1 else -(-distance // step)


@shape_rule("range")
def inclusive_range(start: Any = 0, end: Any = None, step: Any = 1, *, dtype: Any = None, **options: Any) -> Spec:
    """The old range that includes its end."""
    if end is None:
        start, end = 0, start
    return Spec((math.floor((end - start) / step) + 1,), dtype or torch.get_default_dtype())


@shape_rule("linspace", "logspace")
def linspace(start: Any, end: Any, steps: Size, *args: Any, dtype: torch.dtype | None = None, **options: Any) -> Spec:
    """So many numbers between two."""
    refuse_out(options)
    tensors = [bound.dtype for bound in (start, end) if is_tensor(bound)]
    require(steps >= 0, "the number of steps {} must not be negative", steps)
    floats = [each for each in tensors if each.is_floating_point]
    return Spec((size_argument(steps),), dtype or (floats[0] if floats else torch.get_default_dtype()))


@shape_rule("eye")
def eye(n: Size, m: Size | None = None, *, dtype: torch.dtype | None = None, **options: Any) -> Spec:
    """The identity matrix."""
    refuse_out(options)
    rows = size_argument(n)
    columns = rows if m is None else size_argument(m)
    return Spec(_checked((rows, columns)), dtype or torch.get_default_dtype())


@shape_rule("tril_indices")
def lower_indices(row: Size, col: Size, offset: Any = 0, **options: Any) -> Spec:
    """Row and column numbers of a lower triangle."""
    return Spec((2, _lower_count(row, col, offset)), options.get("dtype") or torch.int64)


@shape_rule("triu_indices")
def upper_indices(row: Size, col: Size, offset: Any = 0, **options: Any) -> Spec:
    """Row and column numbers of an upper triangle: all that the lower one leaves."""
    return Spec((2, row * col - _lower_count(row, col, offset - 1)), options.get("dtype") or torch.int64)


def _lower_count(rows: Any, columns: Any, offset: Any) -> int:
    if not all(type(each) is int for each in (rows, columns, offset)):
        raise Unsupported("the number of elements of a triangle is quadratic in its size")
    return sum(min(max(offset + row + 1, 0), columns) for row in range(rows))


# -- from data -----------------------------------------------------------------------------------------------


@shape_rule("tensor", "as_tensor", "asarray", "scalar_tensor")
def tensor(data: Any, dtype: torch.dtype | None = None, **options: Any) -> Spec:
    """A tensor of numbers; sizes among them stay readable as the value."""
    if is_tensor(data):
        return Spec(data.shape, dtype or data.dtype)
    if hasattr(data, "dtype") and hasattr(data, "shape"):
        return Spec(tuple(data.shape), dtype or torch.as_tensor(data).dtype)
    shape, found = _nested(data)
    value = data if all(type(size) is int for size in shape) else None
    return Spec(shape, dtype or found or torch.get_default_dtype(), value)


_RANK = (torch.bool, torch.int64, torch.float32, torch.float64, torch.complex64, torch.complex128)


def _nested(data: Any) -> tuple[Shape, torch.dtype | None]:
    """The shape of nested lists, all of one length at each depth, and the dtype of their numbers."""
    if is_tensor(data):
        return data.shape, data.dtype
    if not isinstance(data, (tuple, list)):
        return (), _dtype_of_number(data)
    shape: Shape | None = None
    dtype: torch.dtype | None = None
    for each in data:
        inner, kind = _nested(each)
        if shape is None:
            shape = inner
        elif len(shape) != len(inner):
            fail("rows of different depth make no tensor")
        else:
            for a, b in zip(shape, inner, strict=True):
                agree(a, b, "rows of {} and {} elements make no tensor")
        dtype = kind if dtype is None else torch.promote_types(dtype, kind or dtype)
    return (len(data), *(shape or ())), dtype


@shape_rule("from_numpy")
def from_numpy(ndarray: Any) -> Spec:
    """The array's shape."""
    return Spec(tuple(ndarray.shape), torch.as_tensor(ndarray).dtype)


# -- like another --------------------------------------------------------------------------------------------


@shape_rule("zeros_like", "ones_like", "empty_like", "rand_like", "randn_like", "full_like", "randint_like")
def like(input: TensorLike, *args: Any, dtype: torch.dtype | None = None, **options: Any) -> Spec:
    """Another tensor of the same shape."""
    return Spec(input.shape, dtype)


@shape_rule("new_zeros", "new_ones", "new_empty")
def new_filled(
    input: TensorLike, *sizes: Any, size: Any = None, dtype: torch.dtype | None = None, **options: Any
) -> Spec:
    """A tensor of another shape and the same dtype."""
    return Spec(_checked(sizes_argument(sizes if size is None else (size,))), dtype)


@shape_rule("new")
def new(input: TensorLike, *args: Any, size: Any = None, **options: Any) -> Spec:
    """A tensor of the same dtype: of sizes, of the numbers in a list, or as another tensor."""
    if size is None and args:
        given = args[0]
        if is_tensor(given):
            return Spec(given.shape)
        if isinstance(given, (list, tuple)) and not isinstance(given, torch.Size):
            return Spec(_nested(given)[0])
    sizes = args if size is None else (size,)
    return Spec(_checked(sizes_argument(sizes)) if sizes else (0,))


@shape_rule("resize_")
def resize_in_place(input: TensorLike, *sizes: Any, **options: Any) -> Spec:
    """Another shape for a tensor, which gets as much room as that needs."""
    return Spec(_checked(_resized(input, sizes)))


@shape_rule("resize_as_")
def resize_as_in_place(input: TensorLike, other: TensorLike, **options: Any) -> Spec:
    """The shape of another tensor."""
    return Spec(_resized(input, (other.shape,)))


def _resized(input: TensorLike, sizes: Any) -> Shape:
    if type(input) is torch.Tensor:
        raise Unsupported("gives a tensor another shape")
    return sizes_argument(sizes)


@shape_rule("new_full")
def new_full(input: TensorLike, size: Any, fill_value: Any, *, dtype: Any = None, **options: Any) -> Spec:
    """One value in another shape and the same dtype."""
    return Spec(_checked(sizes_argument((size,))), dtype)


@shape_rule("new_empty_strided")
def new_empty_strided(input: TensorLike, size: Any, stride: Any, dtype: Any = None, **options: Any) -> Spec:
    """Room for another shape."""
    return Spec(_checked(sizes_argument((size,))), dtype)


@shape_rule("new_tensor")
def new_tensor(input: TensorLike, data: Any, *, dtype: Any = None, **options: Any) -> Spec:
    """Data in the dtype of a tensor."""
    made = tensor(data)
    return Spec(made.shape, dtype or (made.dtype if is_tensor(data) else input.dtype), made.value)
