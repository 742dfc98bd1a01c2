"""Joining tensors (cat, stack ...), taking them apart (split, chunk, unbind ...), and grids of several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from shapelint.ops.broadcasting import broadcast, broadcast_into, promoted
from shapelint.ops.dimensions import Shape, agree, axis_index, ceil_divide, fail, numpy_names, refuse_out, slice_length
from shapelint.ops.registry import Runs, Spec, TensorLike, Unsupported, is_tensor, shape_rule
from shapelint.sizes import Size, implied, negate, product, require, smax

_CAT_MISMATCH = "sizes must match except in dimension {2}: dimension {3} is {0} and {1}"


def _cat_shapes(shapes: Sequence[Shape], dim: int) -> Shape:
    """The shape of tensors one after the other; empty 1-d ones are skipped, as torch does for old code's sake."""
    shapes = [shape for shape in shapes if not (len(shape) == 1 and type(shape[0]) is int and shape[0] == 0)]
    if not shapes:
        return (0,)
    first = shapes[0]
    ndim = len(first)
    if not ndim:
        fail("a single number (0 dimensions) cannot be concatenated")
    axis = axis_index(dim, ndim)
    sizes = list(first)
    for shape in shapes[1:]:
        if len(shape) != ndim:
            fail("tensors must have the same number of dimensions: {} and {}", ndim, len(shape))
        for each, size in enumerate(shape):
            if each == axis:
                sizes[each] = sizes[each] + size
            elif size is not sizes[each]:
                sizes[each] = agree(sizes[each], size, _CAT_MISMATCH, sizes[each], size, axis, each)
    return tuple(sizes)


def _dtype_of(tensors: Sequence[TensorLike]) -> torch.dtype | None:
    first = tensors[0].dtype
    for tensor in tensors:
        if tensor.dtype is not first:
            return promoted(*tensors)
    return None


def _members(tensors: Any, what: str) -> list[TensorLike]:
    members = list(tensors) if not is_tensor(tensors) else _unavailable(what)
    if not members:
        fail("{} needs at least one tensor", what)
    for tensor in members:
        if not is_tensor(tensor):
            fail("{} takes tensors, and got {}", what, type(tensor).__name__)
    return members


def _unavailable(what: str) -> list[TensorLike]:
    raise Unsupported(f"{what} of one tensor instead of a list")


@shape_rule("cat", "concat", "concatenate")
@numpy_names
def cat(tensors: Sequence[TensorLike], dim: int = 0, **options: Any) -> Spec:
    """One after the other along a dimension; all others must match."""
    if options:
        refuse_out(options)
    members = _members(tensors, "cat")
    return Spec(_cat_shapes([tensor.shape for tensor in members], dim), _dtype_of(members))


@shape_rule("stack")
@numpy_names
def stack(tensors: Sequence[TensorLike], dim: int = 0, **options: Any) -> Spec:
    """Equal shapes along a new dimension."""
    if options:
        refuse_out(options)
    members = _members(tensors, "stack")
    shapes = [tensor.shape for tensor in members]
    axis = axis_index(dim, len(shapes[0]) + 1)
    sizes = list(shapes[0])
    for shape in shapes[1:]:
        if len(shape) != len(sizes):
            fail("stack expects tensors of equal size: {} and {} dimensions", len(sizes), len(shape))
        for each, size in enumerate(shape):
            reason = "stack expects tensors of equal size: dimension {2} is {0} and {1}"
            if size is not sizes[each]:
                sizes[each] = agree(sizes[each], size, reason, sizes[each], size, each)
    return Spec((*sizes[:axis], len(shapes), *sizes[axis:]), _dtype_of(members))


def _at_least(shape: Shape, ndim: int) -> Shape:
    """The shape padded with ones as ``atleast_1d``, ``atleast_2d`` and ``atleast_3d`` do."""
    if len(shape) >= ndim:
        return shape
    if ndim == 1:
        return (1,)
    if ndim == 2:
        return (1, *_at_least(shape, 1))
    return (*_at_least(shape, 2), 1)


@shape_rule("hstack")
def hstack(tensors: Sequence[TensorLike], **options: Any) -> Spec:
    """Side by side: along dimension 1, or 0 for vectors."""
    if options:
        refuse_out(options)
    members = _members(tensors, "hstack")
    shapes = [_at_least(tensor.shape, 1) for tensor in members]
    return Spec(_cat_shapes(shapes, 0 if len(shapes[0]) == 1 else 1), _dtype_of(members))


@shape_rule("vstack", "row_stack")
def vstack(tensors: Sequence[TensorLike], **options: Any) -> Spec:
    """One below the other: vectors become rows."""
    if options:
        refuse_out(options)
    members = _members(tensors, "vstack")
    return Spec(_cat_shapes([_at_least(tensor.shape, 2) for tensor in members], 0), _dtype_of(members))


@shape_rule("dstack")
def dstack(tensors: Sequence[TensorLike], **options: Any) -> Spec:
    """Behind each other: along dimension 2."""
    if options:
        refuse_out(options)
    members = _members(tensors, "dstack")
    return Spec(_cat_shapes([_at_least(tensor.shape, 3) for tensor in members], 2), _dtype_of(members))


@shape_rule("column_stack")
def column_stack(tensors: Sequence[TensorLike], **options: Any) -> Spec:
    """Side by side: vectors become columns."""
    if options:
        refuse_out(options)
    members = _members(tensors, "column_stack")
    shapes = [shape if len(shape) > 1 else (*_at_least(shape, 1), 1) for shape in (each.shape for each in members)]
    return Spec(_cat_shapes(shapes, 1), _dtype_of(members))


@shape_rule("block_diag")
def block_diag(*tensors: TensorLike) -> Spec:
    """Blocks on the diagonal of a matrix."""
    shapes = [_at_least(tensor.shape, 2) for tensor in tensors]
    for shape in shapes:
        if len(shape) > 2:
            fail("block_diag takes tensors of at most 2 dimensions, and got {}", len(shape))
    if not shapes:
        return Spec((1, 0), torch.get_default_dtype())
    rows, columns = shapes[0]
    for shape in shapes[1:]:
        rows, columns = rows + shape[0], columns + shape[1]
    return Spec((rows, columns), _dtype_of(tensors))


def _atleast(tensors: Sequence[Any], ndim: int) -> Any:
    if len(tensors) == 1:
        only = tensors[0]
        if is_tensor(only):
            return only if only.ndim >= ndim else Spec(_at_least(only.shape, ndim))
        tensors = only
    return tuple(each if each.ndim >= ndim else Spec(_at_least(each.shape, ndim), each.dtype) for each in tensors)


@shape_rule("atleast_1d")
def atleast_1d(*tensors: Any) -> Any:
    """A dimension for single numbers."""
    return _atleast(tensors, 1)


@shape_rule("atleast_2d")
def atleast_2d(*tensors: Any) -> Any:
    """Dimensions in front until there are two."""
    return _atleast(tensors, 2)


@shape_rule("atleast_3d")
def atleast_3d(*tensors: Any) -> Any:
    """Dimensions around until there are three."""
    return _atleast(tensors, 3)


# -- apart ---------------------------------------------------------------------------------------------------

_MOST_PIECES = 16


def _with_size(shape: Shape, axis: int, size: Size) -> Spec:
    return Spec((*shape[:axis], size, *shape[axis + 1 :]))


def _pieces(shape: Shape, axis: int, size: Size, step: Size, most: int | None = None) -> tuple[Spec, ...] | Runs:
    """Pieces of ``step``, the last one smaller; a size that leaves a small number of them open forks."""
    if type(size) is int and type(step) is int:
        count = max(1, -(-size // step))
    elif most is None and not implied(size <= step * _MOST_PIECES):
        return _many_pieces(shape, axis, size, step)
    else:
        count = _count_pieces(size, step, most)
    whole = _with_size(shape, axis, step if count > 1 else size)
    return (*(whole for _ in range(count - 1)), _with_size(shape, axis, size - step * (count - 1)))


def _count_pieces(size: Size, step: Size, most: int | None) -> int:
    """The least ``k`` with ``size <= k * step``, at least 1."""
    if most is not None:
        for count in range(most, 1, -1):
            if size > step * (count - 1):
                return count
        return 1
    count = 1
    while size > step * count:
        count += 1
    return count


def _many_pieces(shape: Shape, axis: int, size: Size, step: Size) -> tuple[Spec, ...] | Runs:
    """As many pieces as a size says."""
    if size <= step:
        return (_with_size(shape, axis, size),)
    whole = (_with_size(shape, axis, step), size // step)
    rest = size % step
    return Runs((whole,)) if rest == 0 else Runs((whole, (_with_size(shape, axis, rest), 1)))


@shape_rule("split", "split_with_sizes", "unsafe_split", "unsafe_split_with_sizes")
@numpy_names
def split(
    tensor: TensorLike, split_size_or_sections: Any = None, dim: int = 0, **names: Any
) -> tuple[Spec, ...] | Runs:
    """Pieces of one size (the last may be smaller), or of listed sizes that must add up."""
    wanted = split_size_or_sections
    if wanted is None:
        wanted = names.get("split_size", names.get("split_sizes"))
    shape = tensor.shape
    if not shape:
        fail("split needs at least one dimension")
    axis = axis_index(dim, len(shape))
    size = shape[axis]
    if isinstance(wanted, (tuple, list)):
        total: Size = 0
        for section in wanted:
            require(section >= 0, "split: a section of size {} is negative", section)
            total = total + section
        agree(total, size, "split: the sections add up to {} and dimension {} has size {}", total, axis, size)
        return tuple(_with_size(shape, axis, section) for section in wanted)
    require(wanted >= 0, "split: the size of a piece is {}; it may not be negative", wanted)
    if type(wanted) is int and wanted == 0:
        require(size == 0, "split: pieces of size 0 cannot make up dimension {} of size {}", axis, size)
        return (_with_size(shape, axis, 0),)
    if type(wanted) is not int:
        require(wanted >= 1, "split: pieces of size {} cannot make up dimension {} of size {}", wanted, axis, size)
    return _pieces(shape, axis, size, wanted)


@shape_rule("chunk", "unsafe_chunk")
@numpy_names
def chunk(input: TensorLike, chunks: int, dim: int = 0) -> tuple[Spec, ...] | Runs:
    """At most so many pieces, all but the last of the size rounded up: 5 in 4 gives 2 + 2 + 1."""
    shape = input.shape
    if not shape:
        fail("chunk needs at least one dimension")
    if chunks < 1:
        fail("chunk: the number of chunks is {}; it must be positive", chunks)
    axis = axis_index(dim, len(shape))
    size = shape[axis]
    if _is_zero(size):
        return tuple(_with_size(shape, axis, 0) for _ in range(chunks))
    return _pieces(shape, axis, size, ceil_divide(size, chunks), most=chunks)


def _is_zero(size: Size) -> bool:
    """Whether a size is 0; one that may be forks the path."""
    if type(size) is int:
        return size == 0
    empty = size == 0
    return not implied(negate(empty)) and bool(empty)


@shape_rule("tensor_split")
@numpy_names
def tensor_split(input: TensorLike, indices_or_sections: Any = None, dim: int = 0, **names: Any) -> tuple[Spec, ...]:
    """So many nearly equal pieces, or cuts at indices."""
    wanted = indices_or_sections
    if wanted is None:
        wanted = names.get("sections", names.get("indices"))
    shape = input.shape
    if not shape:
        fail("tensor_split needs at least one dimension")
    if is_tensor(wanted):
        raise Unsupported("tensor_split at positions given by a tensor")
    axis = axis_index(dim, len(shape))
    size = shape[axis]
    if isinstance(wanted, (tuple, list)):
        return _cut_at(shape, axis, size, wanted)
    if type(wanted) is not int:
        raise Unsupported("tensor_split into a number of pieces that depends on a size")
    if wanted < 1:
        fail("tensor_split: the number of sections is {}; it must be positive", wanted)
    return tuple(_with_size(shape, axis, (size + wanted - 1 - each) // wanted) for each in range(wanted))


def _cut_at(shape: Shape, axis: int, size: Size, indices: Sequence[Size]) -> tuple[Spec, ...]:
    specs = []
    start: Size = 0
    for index in indices:
        specs.append(_with_size(shape, axis, slice_length(size, start, index)))
        start = index
    specs.append(_with_size(shape, axis, slice_length(size, start, None)))
    return tuple(specs)


@shape_rule("hsplit")
def hsplit(input: TensorLike, indices_or_sections: Any) -> tuple[Spec, ...]:
    """``tensor_split`` along dimension 1 (0 for vectors), into equal pieces."""
    if not input.ndim:
        fail("hsplit needs at least one dimension")
    return _equal_split(input, indices_or_sections, 0 if input.ndim == 1 else 1, "hsplit")


@shape_rule("vsplit")
def vsplit(input: TensorLike, indices_or_sections: Any) -> tuple[Spec, ...]:
    """``tensor_split`` along dimension 0, into equal pieces."""
    if input.ndim < 2:
        fail("vsplit needs at least 2 dimensions, and got {}", input.ndim)
    return _equal_split(input, indices_or_sections, 0, "vsplit")


@shape_rule("dsplit")
def dsplit(input: TensorLike, indices_or_sections: Any) -> tuple[Spec, ...]:
    """``tensor_split`` along dimension 2, into equal pieces."""
    if input.ndim < 3:
        fail("dsplit needs at least 3 dimensions, and got {}", input.ndim)
    return _equal_split(input, indices_or_sections, 2, "dsplit")


def _equal_split(input: TensorLike, wanted: Any, axis: int, what: str) -> tuple[Spec, ...]:
    if type(wanted) is int and wanted > 0:
        size = input.shape[axis]
        require(size % wanted == 0, "{}: size {} does not divide into {} equal pieces", what, size, wanted)
    return tensor_split(input, wanted, axis)


@shape_rule("unbind")
@numpy_names
def unbind(input: TensorLike, dim: int = 0) -> tuple[Spec, ...] | Runs:
    """Every slice along a dimension."""
    shape = input.shape
    if not shape:
        fail("a single number (0 dimensions) cannot be taken apart with unbind")
    axis = axis_index(dim, len(shape))
    size = shape[axis]
    piece = Spec(shape[:axis] + shape[axis + 1 :])
    if type(size) is int:
        return (piece,) * size
    return () if _is_zero(size) else Runs(((piece, size),))


# -- several -------------------------------------------------------------------------------------------------


@shape_rule("meshgrid")
def meshgrid(*tensors: Any, indexing: str | None = None) -> tuple[Spec, ...]:
    """One dimension for each vector; with "xy" the first two change places."""
    vectors: Sequence[TensorLike] = tensors[0] if len(tensors) == 1 and not is_tensor(tensors[0]) else tensors
    if not vectors:
        fail("meshgrid needs at least one tensor")
    for vector in vectors:
        if vector.ndim > 1:
            fail("meshgrid takes vectors, and got a tensor of {} dimensions", vector.ndim)
        if vector.dtype is not vectors[0].dtype:
            fail("meshgrid takes vectors of one dtype, and got {} and {}", vectors[0].dtype, vector.dtype)
    if indexing not in (None, "ij", "xy"):
        fail("meshgrid: indexing must be 'ij' or 'xy', not {!r}", indexing)
    sizes = [vector.shape[0] if vector.ndim else 1 for vector in vectors]
    if indexing == "xy" and len(sizes) > 1:
        sizes[0], sizes[1] = sizes[1], sizes[0]
    shape = tuple(sizes)
    return (Spec(shape),) * len(vectors)


@shape_rule("pad_sequence")
def pad_sequence(
    sequences: Sequence[TensorLike], batch_first: bool = False, padding_value: float = 0.0, padding_side: str = "right"
) -> Spec:
    """Sequences side by side, each padded to the longest."""
    if not sequences:
        fail("pad_sequence of an empty list")
    first = sequences[0].shape
    for sequence in sequences:
        if not sequence.ndim:
            fail("pad_sequence: a sequence has 0 dimensions")
        broadcast_into((sequence.shape[0], *first[1:]), sequence.shape)
    longest, many = smax([sequence.shape[0] for sequence in sequences]), len(sequences)
    return Spec((many, longest, *first[1:]) if batch_first else (longest, many, *first[1:]))


@shape_rule("broadcast_tensors")
def broadcast_tensors(*tensors: Any) -> tuple[Spec, ...]:
    """Every tensor in the shape of all."""
    members: Sequence[TensorLike] = tensors[0] if len(tensors) == 1 and not is_tensor(tensors[0]) else tensors
    shape = broadcast(*(tensor.shape for tensor in members))
    return tuple(Spec(shape, tensor.dtype) for tensor in members)


@shape_rule("cartesian_prod")
def cartesian_prod(*tensors: TensorLike) -> Spec:
    """All combinations of the elements of vectors, one a row."""
    for tensor in tensors:
        if tensor.ndim != 1:
            fail("cartesian_prod takes vectors, and got a tensor of {} dimensions", tensor.ndim)
    if len(tensors) == 1:
        return Spec(tensors[0].shape)
    return Spec((product([tensor.shape[0] for tensor in tensors]), len(tensors)))
