"""Changing the shape but not the elements: view and its like, permutations, repetitions."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from shapelint.ops.broadcasting import expand_size
from shapelint.ops.dimensions import (
    Shape,
    axis_index,
    axis_indices,
    fail,
    identical,
    numpy_names,
    size_argument,
    sizes_argument,
)
from shapelint.ops.placement import Layout, require_viewable
from shapelint.ops.registry import Spec, TensorLike, Unsupported, is_tensor, shape_rule
from shapelint.sizes import (
    Size,
    TooComplex,
    all_of,
    any_of,
    divide,
    divides,
    factors_of,
    implied,
    in_terms_of,
    product,
    require,
)
from shapelint.sizes.path import content_count

_NUMBER_DIFFERS = "shape {} is invalid for an input of shape {}: it has another number of elements"

# -- view ----------------------------------------------------------------------------------------------------


def reshaped(old: Shape, new: Shape) -> Shape:
    """The shape ``view`` gives: ``new`` with its -1 filled in; the number of elements must be the same."""
    hole = next((axis for axis, size in enumerate(new) if type(size) is int and size < 0), None)
    if hole is None:
        _require_same_number(old, new)
        return new
    if new[hole] != -1:
        fail("invalid size {} in the shape {}", new[hole], new)
    known: Sequence[Size] = [*new[:hole], *new[hole + 1 :]]
    for size in known:
        if type(size) is int and size < 0:
            fail("only one size can be inferred (-1) in the shape {}", new)
        if type(size) is int and size == 0:
            fail("the -1 in the shape {} could be any size, as another is 0", new)
        if type(size) is not int and not implied(size >= 1):
            require(size != 0, "the -1 in the shape {} could be any size, as another is 0", new)
    inferred = _inferred(old, known, new)
    if type(inferred) is int and inferred == 1:
        known = _as_in(old, known)
    return (*known[:hole], inferred, *known[hole:])


def _as_in(old: Shape, known: Sequence[Size]) -> Sequence[Size]:
    """The given sizes with the only symbolic one written as the input has it: its factors show what divides it."""
    symbolic = [at for at, size in enumerate(known) if type(size) is not int]
    if len(symbolic) != 1:
        return known
    number = math.prod(size for size in known if type(size) is int)
    return [*known[: symbolic[0]], divide(product(old), number), *known[symbolic[0] + 1 :]]


def _inferred(old: Shape, known: Sequence[Size], new: Shape) -> Any:
    """The size that -1 stands for: equal factors are cancelled first, so that most cases need no division."""
    have, want = _cancelled(old, known, operator.is_)
    total, part = product(have), product(want)
    if type(part) is int and part == 1:
        return total
    fits = _divides(part, total)
    if fits is not True:
        have, want = _cancelled(_apart(have), _apart(want), _equal_on_path)
        have = _apart([in_terms_of(size, want) for size in have])
        have, want = _cancelled(have, _apart([in_terms_of(size, have) for size in want]), operator.is_)
        total, part = product(have), product(want)
        fits = divides(part, total)
    require(fits, "shape {} is invalid for an input of shape {}: {} does not divide {}", new, old, part, total)
    return divide(total, part)


def _apart(sizes: Sequence[Size]) -> list[Size]:
    """Products taken apart: rows and columns folded into the batch still equal those that are not."""
    return [factor for size in sizes for factor in factors_of(size)]


def _divides(part: Size, total: Size) -> Any:
    """The condition, ``None`` if it takes what is known on the path to find one."""
    try:
        return divides(part, total)
    except TooComplex:
        return None


def _cancelled(
    old: Sequence[Size], new: Sequence[Size], same: Callable[[Size, Size], bool]
) -> tuple[list[Size], list[Size]]:
    """Both without the factors that they have in common; the plain numbers of each multiplied to one, and reduced."""
    left, left_number = _factors(old)
    right, right_number = _factors(new)
    left = [size for size in left if not _take(right, size, same)]
    common = math.gcd(left_number, right_number) or 1
    return [*left, left_number // common], [*right, right_number // common]


def _factors(shape: Sequence[Size]) -> tuple[list[Size], int]:
    """The symbolic sizes, and the product of the plain numbers."""
    symbolic: list[Size] = []
    number = 1
    for size in shape:
        if type(size) is int:
            number *= size
        else:
            symbolic.append(size)
    return symbolic, number


def _take(sizes: list[Size], wanted: Size, same: Callable[[Size, Size], bool]) -> bool:
    """Remove one size that is the wanted one, if there is one."""
    for at, size in enumerate(sizes):
        if same(size, wanted):
            del sizes[at]
            return True
    return False


def _equal_on_path(a: Size, b: Size) -> bool:
    return implied(a == b)


def _require_same_number(old: Shape, new: Shape) -> None:
    """Require equal numbers of elements: exactly, and stated by dimension where that says the same."""
    if identical(old, new):
        return
    have, want = _cancelled(old, new, operator.is_)
    total, wanted = product(have), product(want)
    if total is wanted or (type(total) is int and type(wanted) is int and total == wanted):
        return
    if not all(implied(size >= 1) for size in old):
        # a factor that may be 0 cannot be cancelled: 0 elements have every shape that holds none
        require(product(old) == product(new), _NUMBER_DIFFERS, new, old)
        return
    groups = _grouped(old, new) if len(have) > 2 or len(want) > 2 else None
    require(total == wanted if groups is None else groups, _NUMBER_DIFFERS, new, old)


def _grouped(old: Shape, new: Shape) -> Any:
    """The condition of equal number by dimension, for a view that splits dimensions (a window partition).

    If the parts of every dimension make up at most that dimension (``h // w * w``), and none is empty, all must make
    it up exactly. ``None`` where the new shape is not such a splitting.
    """
    at = 0
    conditions = []
    for position, size in enumerate(old):
        left = len(old) - position - 1
        parts = _parts_of(size, new, at, left)
        if parts is None:
            return None
        at += len(parts)
        together = product(parts)
        if together is not size:
            conditions.append(together == size)
    return all_of(*conditions) if at == len(new) else None


def _parts_of(size: Size, new: Shape, at: int, others: int) -> Shape | None:
    """The parts of one dimension in the new shape from ``at`` on: one equal to it, or several at most as large."""
    if at < len(new) and (new[at] is size or implied(new[at] == size)):
        return (new[at],)
    for count in range(2, len(new) - at - others + 1):
        parts = new[at : at + count]
        if implied(product(parts) <= size):
            return parts
    return None


@shape_rule("view")
def view(input: TensorLike, *shape: Any, size: Any = None, dtype: torch.dtype | None = None) -> Spec:
    """Another shape with as many elements, or the same memory as another dtype."""
    if size is not None:
        shape = (size,)
    if len(shape) == 1 and isinstance(shape[0], torch.dtype):
        dtype, shape = shape[0], ()
    if dtype is not None:
        return _view_dtype(input, dtype)
    return _viewed(input, sizes_argument(shape))


def _viewed(input: TensorLike, shape: Shape) -> Spec:
    """``view`` takes no copy: what does not lie row by row may not have every shape."""
    result = reshaped(input.shape, shape)
    strided: Layout | None = getattr(input, "strided", None)
    placement = None if strided is None else strided.placement()
    if placement is not None:
        require_viewable(input.shape, placement, result)
    return Spec(result)


def _view_dtype(input: TensorLike, dtype: torch.dtype) -> Spec:
    """The last dimension counts elements of the new dtype."""
    have, want = input.dtype.itemsize, dtype.itemsize
    if have == want:
        return Spec(input.shape, dtype)
    if not input.ndim:
        fail("a single number cannot be viewed as a dtype of another size")
    *before, last = input.shape
    if have > want:
        return Spec((*before, last * (have // want)), dtype)
    ratio = want // have
    reason = "the last dimension {} must be divisible by {} to be viewed as {}"
    require(last % ratio == 0, reason, last, ratio, dtype)
    if before:
        require(last != 0, reason, last, ratio, dtype)
    return Spec((*before, last // ratio), dtype)


@shape_rule("reshape")
def reshape(input: TensorLike, *sizes: Any, shape: Any = None) -> Spec:
    """Another shape with as many elements."""
    return Spec(reshaped(input.shape, sizes_argument(sizes if shape is None else (shape,))))


@shape_rule("view_as")
def view_as(input: TensorLike, other: TensorLike) -> Spec:
    """The shape of another tensor with as many elements."""
    return _viewed(input, other.shape)


@shape_rule("reshape_as")
def reshape_as(input: TensorLike, other: TensorLike) -> Spec:
    """The shape of another tensor with as many elements, in a copy if need be."""
    return Spec(reshaped(input.shape, other.shape))


@shape_rule("flatten")
@numpy_names
def flatten(input: TensorLike, start_dim: int = 0, end_dim: int = -1) -> Spec:
    """Several dimensions become one."""
    shape = input.shape
    start, end = axis_index(start_dim, len(shape)), axis_index(end_dim, len(shape))
    if start > end:
        fail("flatten: start_dim {} comes after end_dim {}", start_dim, end_dim)
    if not shape:
        return Spec((1,))
    if start == end:
        return Spec(shape)
    return Spec((*shape[:start], product(shape[start : end + 1]), *shape[end + 1 :]))


@shape_rule("ravel")
def ravel(input: TensorLike) -> Spec:
    """All elements in one dimension."""
    return flatten(input)


@shape_rule(nn.Flatten)
def flatten_module(module: nn.Flatten, input: TensorLike) -> Spec:
    """The module form of ``flatten``."""
    return flatten(input, module.start_dim, module.end_dim)


@shape_rule("unflatten")
@numpy_names
def unflatten(input: TensorLike, dim: int, sizes: Any) -> Spec:
    """One dimension becomes several with the same product."""
    shape = input.shape
    if not shape:
        fail("unflatten needs at least one dimension")
    axis = axis_index(dim, len(shape))
    parts = sizes_argument((sizes,))
    if not parts:
        fail("unflatten needs at least one size")
    return Spec((*shape[:axis], *reshaped((shape[axis],), parts), *shape[axis + 1 :]))


@shape_rule(nn.Unflatten)
def unflatten_module(module: nn.Unflatten, input: TensorLike) -> Spec:
    """The module form of ``unflatten``."""
    if not isinstance(module.dim, int):
        raise Unsupported("Unflatten by dimension name")
    return unflatten(input, module.dim, tuple(module.unflattened_size))


# -- order of the dimensions ---------------------------------------------------------------------------------


@shape_rule("permute")
def permute(input: TensorLike, *dims: Any, **names: Any) -> Spec:
    """The dimensions in another order."""
    if "dims" in names:
        dims = (names["dims"],)
    order = dims[0] if len(dims) == 1 and isinstance(dims[0], (tuple, list)) else dims
    shape = input.shape
    if len(order) != len(shape):
        fail("permute: {} dimensions are listed for a tensor of {}", len(order), len(shape))
    return Spec(tuple(shape[axis] for axis in axis_indices(order, len(shape))))


@shape_rule("transpose", "swapaxes", "swapdims", "transpose_", "swapaxes_", "swapdims_")
@numpy_names
def transpose(input: TensorLike, dim0: int = 0, dim1: int = 0, **names: int) -> Spec:
    """Two dimensions change places."""
    dim0, dim1 = names.get("axis0", dim0), names.get("axis1", dim1)
    shape = list(input.shape)
    first, second = axis_index(dim0, len(shape)), axis_index(dim1, len(shape))
    if shape:
        shape[first], shape[second] = shape[second], shape[first]
    return Spec(tuple(shape))


@shape_rule("t", "t_")
def t(input: TensorLike) -> Spec:
    """The transpose of a matrix; vectors stay."""
    if input.ndim > 2:
        fail("t() takes a tensor of at most 2 dimensions, and got {}", input.ndim)
    return Spec(input.shape[::-1])


@shape_rule("T")
def reverse_dimensions(input: TensorLike) -> Spec:
    """All dimensions in reverse order."""
    return Spec(input.shape[::-1])


@shape_rule("mT", "mH", "adjoint")
def matrix_transpose(input: TensorLike) -> Spec:
    """The last two dimensions change places."""
    shape = input.shape
    if len(shape) < 2:
        fail("the transpose of matrices needs at least 2 dimensions, and got {}", len(shape))
    return Spec((*shape[:-2], shape[-1], shape[-2]))


@shape_rule("H")
def conjugate_transpose(input: TensorLike) -> Spec:
    """The conjugate transpose of a matrix."""
    if input.ndim not in (0, 2):
        fail(".H takes a matrix, and got {} dimensions", input.ndim)
    return Spec(input.shape[::-1])


@shape_rule("movedim", "moveaxis")
def movedim(input: TensorLike, source: Any, destination: Any) -> Spec:
    """Dimensions move to other places; the rest keep their order."""
    sources = (source,) if isinstance(source, int) else tuple(source)
    targets = (destination,) if isinstance(destination, int) else tuple(destination)
    shape = input.shape
    if len(sources) != len(targets):
        fail("movedim: {} dimensions are moved to {} places", len(sources), len(targets))
    taken, places = axis_indices(sources, len(shape)), axis_indices(targets, len(shape))
    if not shape:
        return Spec(shape)
    rest = iter([axis for axis in range(len(shape)) if axis not in taken])
    moved = dict(zip(places, taken, strict=True))
    return Spec(tuple(shape[moved[at] if at in moved else next(rest)] for at in range(len(shape))))


# -- ones ----------------------------------------------------------------------------------------------------


@shape_rule("squeeze", "squeeze_")
@numpy_names
def squeeze(input: TensorLike, *dims: Any, dim: Any = None) -> Spec:
    """Without dimensions of size 1. A size that may be 1 forks the path: the rank differs."""
    shape = input.shape
    if dim is not None:
        dims = (dim,)
    if not dims:
        return Spec(tuple(size for size in shape if not _is_one(size)))
    listed = dims[0] if len(dims) == 1 and isinstance(dims[0], (tuple, list)) else dims
    axes = set(axis_indices(listed, len(shape)))
    return Spec(tuple(size for axis, size in enumerate(shape) if axis not in axes or not _is_one(size)))


def _is_one(size: Size) -> bool:
    return bool(size == 1)


@shape_rule("unsqueeze", "unsqueeze_")
@numpy_names
def unsqueeze(input: TensorLike, dim: int) -> Spec:
    """A new dimension of size 1."""
    shape = input.shape
    axis = axis_index(dim, len(shape) + 1)
    return Spec((*shape[:axis], 1, *shape[axis:]))


@shape_rule("expand")
def expand(input: TensorLike, *sizes: Any, size: Any = None, implicit: bool = False) -> Spec:
    """Dimensions of size 1 repeated to the sizes given; -1 keeps one as it is."""
    wanted = sizes_argument(sizes if size is None else (size,))
    shape = input.shape
    more = len(wanted) - len(shape)
    if more < 0:
        fail("expand: {} sizes for a tensor of {} dimensions", len(wanted), len(shape))
    result: list[Size] = []
    for axis, target in enumerate(wanted):
        if type(target) is int and target < 0:
            if target != -1 or axis < more:
                fail("expand: size {} is not allowed for dimension {}, which is new or not -1", target, axis)
            result.append(shape[axis - more])
        elif axis < more:
            result.append(target)
        else:
            result.append(expand_size(shape[axis - more], target, axis - len(wanted)))
    return Spec(tuple(result))


@shape_rule("broadcast_to")
def broadcast_to(input: TensorLike, *sizes: Any, size: Any = None, **names: Any) -> Spec:
    """``expand`` to a shape."""
    return expand(input, *sizes, size=names.get("shape", size))


@shape_rule("expand_as")
def expand_as(input: TensorLike, other: TensorLike) -> Spec:
    """``expand`` to the shape of another tensor."""
    return expand(input, other.shape)


# -- repetitions ---------------------------------------------------------------------------------------------


def _repeated(shape: Shape, times: Shape) -> Spec:
    more = len(times) - len(shape)
    padded = (1,) * more + tuple(shape)
    sizes: list[Size] = []
    for size, count in zip(padded, times, strict=True):
        require(count >= 0, "a dimension cannot be repeated {} times", count)
        sizes.append(size if type(count) is int and count == 1 else size * count)
    return Spec(tuple(sizes))


@shape_rule("repeat")
def repeat(input: TensorLike, *sizes: Any, **names: Any) -> Spec:
    """Every dimension repeated so many times; new ones in front."""
    times = sizes_argument((names["repeats"],) if "repeats" in names else sizes)
    if len(times) < input.ndim:
        fail("repeat: {} counts for a tensor of {} dimensions", len(times), input.ndim)
    return _repeated(input.shape, times)


@shape_rule("tile")
def tile(input: TensorLike, *dims: Any, **names: Any) -> Spec:
    """Like ``repeat``, with ones for counts that are not given."""
    times = sizes_argument((names["dims"],) if "dims" in names else dims)
    return _repeated(input.shape, (1,) * (input.ndim - len(times)) + times)


@shape_rule("repeat_interleave")
@numpy_names
def repeat_interleave(
    input: TensorLike, repeats: Any = None, dim: int | None = None, *, output_size: Size | None = None
) -> Spec:
    """Every element so many times in a row."""
    shape = input.shape if dim is not None else (product(input.shape),)
    axis = axis_index(dim or 0, len(shape))
    total: Size | None = None
    if repeats is None:
        return Spec((content_count() if output_size is None else output_size,), torch.int64)
    if is_tensor(repeats):
        if repeats.ndim > 1:
            fail("repeat_interleave: the counts are a vector, and not a tensor of {} dimensions", repeats.ndim)
        many = repeats.shape[0] if repeats.ndim else 1
        size = shape[axis] if shape else 1
        reason = "repeat_interleave: {} counts for dimension {} of size {}"
        require(any_of(many == 1, many == size), reason, many, axis, size)
        total = content_count() if output_size is None else output_size
    if not shape:
        shape = (1,)
    if total is None:
        count = size_argument(repeats)
        require(count >= 0, "repeat_interleave: elements cannot be repeated {} times", count)
        total = shape[axis] * count
    return Spec((*shape[:axis], total, *shape[axis + 1 :]))


@shape_rule("roll")
@numpy_names
def roll(input: TensorLike, shifts: Any, dims: Any = None, dim: Any = None) -> Spec:
    """Elements move round; the shape stays."""
    dims = dim if dims is None else dims
    if dims is None or dims == ():
        return Spec(input.shape)
    axes = dims if isinstance(dims, (tuple, list)) else (dims,)
    count = len(shifts) if isinstance(shifts, (tuple, list)) else 1
    if count != len(axes):
        fail("roll: {} shifts for {} dimensions", count, len(axes))
    for axis in axes:
        axis_index(axis, input.ndim)
    return Spec(input.shape)


@shape_rule("flip")
def flip(input: TensorLike, *dims: Any, **names: Any) -> Spec:
    """Elements in reverse order along dimensions; the shape stays."""
    if "dims" in names:
        dims = (names["dims"],)
    listed = dims[0] if len(dims) == 1 and isinstance(dims[0], (tuple, list)) else dims
    axis_indices(listed, input.ndim)
    return Spec(input.shape)


@shape_rule("fliplr")
def fliplr(input: TensorLike) -> Spec:
    """Reversed from left to right."""
    if input.ndim < 2:
        fail("fliplr needs at least 2 dimensions, and got {}", input.ndim)
    return Spec(input.shape)


@shape_rule("flipud")
def flipud(input: TensorLike) -> Spec:
    """Reversed from top to bottom."""
    if input.ndim < 1:
        fail("flipud needs at least 1 dimension")
    return Spec(input.shape)


@shape_rule("rot90")
def rot90(input: TensorLike, k: int = 1, dims: Sequence[int] = (0, 1)) -> Spec:
    """Quarter turns in the plane of two dimensions."""
    if len(dims) != 2 or input.ndim < 2:
        fail("rot90 turns a plane of two dimensions, and got {} of {}", len(dims), input.ndim)
    first, second = axis_indices(dims, input.ndim)
    shape = list(input.shape)
    if k % 2:
        shape[first], shape[second] = shape[second], shape[first]
    return Spec(tuple(shape))
