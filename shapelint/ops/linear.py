"""Products of matrices: matmul and its like, linear layers, einsum, tensordot."""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import nn
from torch.nn import functional

from shapelint.ops.broadcasting import broadcast, broadcast_into, broadcast_size, promoted
from shapelint.ops.dimensions import Shape, agree, axis_indices, fail, refuse_out
from shapelint.ops.dtypes import same_dtypes
from shapelint.ops.registry import Spec, TensorLike, Unsupported, is_tensor, shape_rule
from shapelint.sizes import Size, require

_GROUPED = (getattr(torch, "_grouped_mm", None), getattr(functional, "grouped_mm", None))
"""Under the names that this PyTorch has for it."""

_INNER = "the inner sizes of a matrix product differ: {} columns against {} rows"


@shape_rule("linear")
def linear(input: TensorLike, weight: TensorLike, bias: Any = None) -> Spec:
    """The last dimension is in_features and becomes out_features."""
    shape, table = input.shape, weight.shape
    if len(table) not in (1, 2):
        fail("the weight of a linear layer is a matrix, and has {} dimensions", len(table))
    if not shape:
        fail("a linear layer needs at least one dimension")
    agree(shape[-1], table[-1], "the last dimension has size {}, but the linear layer has in_features={}")
    out = table[:-1]
    if bias is not None:
        broadcast_into(out, bias.shape)
    return Spec((*shape[:-1], *out))


@shape_rule(nn.Linear, nn.LazyLinear)
def linear_module(module: nn.Linear, input: TensorLike) -> Spec:
    """The module form of ``linear``; a lazy one takes what comes first."""
    shape = input.shape
    if not shape:
        fail("a linear layer needs at least one dimension")
    if shape[-1] is not module.in_features and not torch.nn.parameter.is_lazy(module.weight):
        agree(shape[-1], module.in_features, "the last dimension has size {}, but the Linear has in_features={}")
    return Spec((*shape[:-1], module.out_features))


@shape_rule("bilinear")
def bilinear(input1: TensorLike, input2: TensorLike, weight: TensorLike, bias: Any = None) -> Spec:
    """Two inputs of the same leading dimensions, combined by a table for each output."""
    a, b, table = input1.shape, input2.shape, weight.shape
    if len(a) != len(b):
        fail("bilinear: the inputs have {} and {} dimensions", len(a), len(b))
    lead: list[Size] = []
    for axis, (x, y) in enumerate(zip(a[:-1], b[:-1], strict=True)):
        lead.append(agree(x, y, "bilinear: dimension {} is {} in one input and {} in the other", axis, x, y))
    agree(a[-1], table[1], "bilinear: the first input has size {}, but in1_features={}")
    agree(b[-1], table[2], "bilinear: the second input has size {}, but in2_features={}")
    return Spec((*lead, table[0]))


@shape_rule(nn.Bilinear)
def bilinear_module(module: nn.Bilinear, input1: TensorLike, input2: TensorLike) -> Spec:
    """The module form of ``bilinear``."""
    return bilinear(input1, input2, module.weight)


# -- products ------------------------------------------------------------------------------------------------


@shape_rule("matmul", "__matmul__", "linalg.matmul")
def matmul(input: TensorLike, other: TensorLike, **options: Any) -> Spec:
    """Vectors, matrices and batches of matrices."""
    if options:
        refuse_out(options)
    return Spec(_matmul_shape(input.shape, other.shape))


@shape_rule("__rmatmul__")
def rmatmul(input: TensorLike, other: TensorLike) -> Spec:
    """``other @ input``."""
    return Spec(_matmul_shape(other.shape, input.shape))


def _matmul_shape(a: Shape, b: Shape) -> Shape:
    if not a or not b:
        fail("both sides of a matrix product need at least one dimension")
    agree(a[-1], b[-2] if len(b) > 1 else b[0], _INNER)
    if len(b) == 1:
        return a[:-1]
    if len(a) == 1:
        return (*b[:-2], b[-1])
    return (*broadcast(a[:-2], b[:-2]), a[-2], b[-1])


def _require_ndim(tensor: TensorLike, ndim: int, what: str) -> None:
    if tensor.ndim != ndim:
        fail("{} takes a tensor of {} dimensions, and got {}", what, ndim, tensor.ndim)


@shape_rule("mm")
def mm(input: TensorLike, mat2: TensorLike, **options: Any) -> Spec:
    """Two matrices."""
    if options:
        refuse_out(options)
    _require_ndim(input, 2, "mm")
    _require_ndim(mat2, 2, "mm")
    return Spec(_matmul_shape(input.shape, mat2.shape))


@shape_rule("bmm")
def bmm(input: TensorLike, mat2: TensorLike, **options: Any) -> Spec:
    """Two batches of matrices, equally many."""
    if options:
        refuse_out(options)
    return Spec(_bmm_shape(input, mat2))


def _bmm_shape(input: TensorLike, mat2: TensorLike) -> Shape:
    _require_ndim(input, 3, "bmm")
    _require_ndim(mat2, 3, "bmm")
    a, b = input.shape, mat2.shape
    batch = agree(a[0], b[0], "bmm: {} matrices against {}")
    agree(a[2], b[1], _INNER)
    return (batch, a[1], b[2])


@shape_rule(*filter(None, _GROUPED))
def grouped_mm(mat_a: TensorLike, mat_b: TensorLike, offs: Any = None, bias: Any = None, **options: Any) -> Spec:
    """One matrix product a group: rows, columns or the inner dimension are cut into groups at ``offs``."""
    for matrix in (mat_a, mat_b):
        if matrix.ndim not in (2, 3):
            fail("grouped_mm: a matrix of 2 or 3 dimensions is expected, and this one has {}", matrix.ndim)
        _require_aligned(matrix)
    a, b = mat_a.shape, mat_b.shape
    if not mat_a.ndim == mat_b.ndim == 2:  # where the inner dimension is cut, it is not compared
        agree(a[-1], b[-2], _INNER)
    if (offs is None) != (mat_a.ndim == mat_b.ndim == 3):
        fail("grouped_mm takes offs= if one of the matrices has two dimensions, and not otherwise")
    if bias is not None:
        fail("grouped_mm takes no bias")
    groups: list[Size] = [matrix.shape[0] for matrix in (mat_a, mat_b) if matrix.ndim == 3]
    groups += () if offs is None else (offs.shape[0],)
    for count in groups[1:]:
        agree(groups[0], count, "grouped_mm: {} groups against {}")
    lead = groups[:1] if mat_a.ndim == mat_b.ndim else ()
    return Spec((*lead, a[-2], b[-1]), options.get("out_dtype"))


def _require_aligned(matrix: TensorLike) -> None:
    """Rows, or columns, begin every 16 bytes."""
    *_, first, second = cast(Any, matrix).stride()
    step = first if type(second) is int and second == 1 else second
    least = 16 // matrix.dtype.itemsize
    require(step % least == 0, "grouped_mm: rows lie {} elements apart, which is no multiple of {}", step, least)


@shape_rule("mv")
def mv(input: TensorLike, vec: TensorLike) -> Spec:
    """A matrix and a vector."""
    _require_ndim(input, 2, "mv")
    _require_ndim(vec, 1, "mv")
    return Spec(_matmul_shape(input.shape, vec.shape))


@shape_rule("dot", "vdot")
def dot(input: TensorLike, other: Any = None, **names: Any) -> Spec:
    """The inner product of two vectors."""
    other = names.get("tensor", other)
    _require_ndim(input, 1, "dot")
    _require_ndim(other, 1, "dot")
    return Spec(_inner_shape(input.shape, other.shape))


@shape_rule("inner")
def inner(input: TensorLike, other: TensorLike) -> Spec:
    """The inner product over the last dimension."""
    return Spec(_inner_shape(input.shape, other.shape))


def _inner_shape(a: Shape, b: Shape) -> Shape:
    if not a or not b:
        return a or b
    agree(a[-1], b[-1], "an inner product of vectors of {} and {} elements")
    return (*a[:-1], *b[:-1])


@shape_rule("outer", "ger")
def outer(input: TensorLike, vec2: TensorLike) -> Spec:
    """Every element of one vector times every one of another."""
    _require_ndim(input, 1, "outer")
    _require_ndim(vec2, 1, "outer")
    return Spec((input.shape[0], vec2.shape[0]))


@shape_rule("addmm")
def addmm(input: TensorLike, mat1: TensorLike, mat2: TensorLike, **options: Any) -> Spec:
    """A matrix product plus what broadcasts to it."""
    shape = mm(mat1, mat2).shape
    broadcast_into(shape, input.shape)
    return Spec(shape)


@shape_rule("addmv")
def addmv(input: TensorLike, mat: TensorLike, vec: TensorLike, **options: Any) -> Spec:
    """A matrix times a vector plus what broadcasts to it."""
    shape = mv(mat, vec).shape
    broadcast_into(shape, input.shape)
    return Spec(shape)


@shape_rule("baddbmm")
def baddbmm(input: TensorLike, batch1: TensorLike, batch2: TensorLike, **options: Any) -> Spec:
    """Matrix products plus what broadcasts to them."""
    shape = _bmm_shape(batch1, batch2)
    broadcast_into(shape, input.shape)
    return Spec(shape)


@shape_rule("addbmm")
def addbmm(input: TensorLike, batch1: TensorLike, batch2: TensorLike, **options: Any) -> Spec:
    """The sum of matrix products plus what broadcasts to it."""
    shape = _bmm_shape(batch1, batch2)[1:]
    broadcast_into(shape, input.shape)
    return Spec(shape)


@shape_rule("addr")
def addr(input: TensorLike, vec1: TensorLike, vec2: TensorLike, **options: Any) -> Spec:
    """An outer product plus what broadcasts to it."""
    shape = outer(vec1, vec2).shape
    broadcast_into(shape, input.shape)
    return Spec(shape)


@shape_rule("addmm_", "baddbmm_", "addmv_", "addr_")
def added_in_place(input: TensorLike, first: TensorLike, second: TensorLike, **options: Any) -> TensorLike:
    """The in-place forms, whose result has the shape of the tensor that is added to."""
    lead, last = first.shape, second.shape
    if input.ndim == 3:
        shape = _bmm_shape(first, second)
    elif first.ndim == 1:
        shape = (lead[0], last[0])
    else:
        shape = _matmul_shape(lead, last)
    for axis, (size, given) in enumerate(zip(shape, input.shape, strict=True)):
        agree(given, size, "the product has size {} in dimension {}, and the tensor {}", size, axis, given)
    return input


@shape_rule("chain_matmul")
def chain_matmul(*matrices: TensorLike) -> Spec:
    """Several matrices in a row."""
    return _chain(matrices)


@shape_rule("linalg.multi_dot")
def multi_dot(tensors: Sequence[TensorLike]) -> Spec:
    """Several matrices in a row, with a vector at either end."""
    return _chain(tensors)


def _chain(matrices: Sequence[TensorLike]) -> Spec:
    shape = matrices[0].shape
    for matrix in matrices[1:]:
        shape = _matmul_shape(shape, matrix.shape)
    return Spec(shape)


@shape_rule("kron")
def kron(input: TensorLike, other: TensorLike) -> Spec:
    """Every element of one times the whole other."""
    a, b = input.shape, other.shape
    ndim = max(len(a), len(b))
    a, b = (1,) * (ndim - len(a)) + tuple(a), (1,) * (ndim - len(b)) + tuple(b)
    return Spec(tuple(x * y for x, y in zip(a, b, strict=True)), promoted(input, other))


@shape_rule("cross")
def cross(input: TensorLike, other: TensorLike, dim: int | None = None) -> Spec:
    """The product of vectors in space."""
    return _cross(input, other, dim)


@shape_rule("linalg.cross")
def linalg_cross(input: TensorLike, other: TensorLike, *, dim: int = -1) -> Spec:
    """The product of vectors in space."""
    return _cross(input, other, dim)


def _cross(input: TensorLike, other: TensorLike, dim: int | None) -> Spec:
    if dim is None:
        raise Unsupported("cross without a dimension looks for one of size 3")
    if input.ndim != other.ndim:
        fail("cross: {} dimensions against {}", input.ndim, other.ndim)
    axis_indices((dim,), input.ndim)
    for tensor in (input, other):
        agree(tensor.shape[dim], 3, "cross: the vectors have {} components, not {}")
    return Spec(broadcast(input.shape, other.shape))


@shape_rule("tensordot")
def tensordot(a: TensorLike, b: TensorLike, dims: Any = 2, out: Any = None) -> Spec:
    """Sums over pairs of dimensions, or over so many last ones of one and first ones of the other."""
    if is_tensor(dims):
        raise Unsupported("tensordot over dimensions given by a tensor")
    if isinstance(dims, int):
        if dims < 0 or dims > min(a.ndim, b.ndim):
            fail("tensordot over {} dimensions of tensors that have {} and {}", dims, a.ndim, b.ndim)
        first, second = list(range(a.ndim - dims, a.ndim)), list(range(dims))
    else:
        first, second = ([each] if isinstance(each, int) else list(each) for each in dims)
    if len(first) != len(second):
        fail("tensordot: {} dimensions against {}", len(first), len(second))
    first, second = axis_indices(first, a.ndim), axis_indices(second, b.ndim)
    for x, y in zip(first, second, strict=True):
        broadcast_size(a.shape[x], b.shape[y], x)
    rest = [size for axis, size in enumerate(a.shape) if axis not in first]
    rest += [size for axis, size in enumerate(b.shape) if axis not in second]
    return Spec(tuple(rest))


# -- einsum --------------------------------------------------------------------------------------------------


@shape_rule("einsum")
def einsum(equation: Any, *operands: Any) -> Spec:
    """Sums over named dimensions; equal names mean equal sizes, or 1, which broadcasts."""
    if not isinstance(equation, str):
        raise Unsupported("einsum with lists of numbers instead of an equation")
    tensors = list(operands[0]) if len(operands) == 1 and not is_tensor(operands[0]) else list(operands)
    terms, result = _parse(equation, len(tensors))
    sizes: dict[str, Size] = {}
    ellipsis: Shape = ()
    for term, tensor in zip(terms, tensors, strict=True):
        ellipsis = _bind(term, tensor.shape, sizes, ellipsis)
    if result is None:
        result = _implicit(terms)
    if len(tensors) == 2 and set(terms[0]) & set(terms[1]) - set(result):
        same_dtypes(torch.einsum, *tensors)
    if result.count("...") > 1:
        fail("einsum: '...' appears twice in the result")
    before, dots, after = result.partition("...")
    for name in before + after:
        if name not in sizes or (before + after).count(name) > 1:
            fail("einsum: '{}' of the result is in no operand, or twice in the result", name)
    middle = ellipsis if dots else ()
    return Spec((*(sizes[name] for name in before), *middle, *(sizes[name] for name in after)))


def _parse(equation: str, count: int) -> tuple[list[str], str | None]:
    """The operands' terms and the result's, ``None`` where it is left out."""
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != count:
        fail("einsum: {} operands for {} terms in '{}'", count, len(terms), equation)
    for term in (*terms, right):
        if set(term.replace("...", "")) - set(string.ascii_letters):
            fail("einsum: '{}' may hold letters and one '...' only", term)
    return terms, right if arrow else None


def _implicit(terms: Sequence[str]) -> str:
    """The names that appear once, in order, after the ellipsis."""
    letters = "".join(terms).replace("...", "")
    once = sorted(name for name in set(letters) if letters.count(name) == 1)
    return ("..." if any("..." in term for term in terms) else "") + "".join(once)


def _bind(term: str, shape: Shape, sizes: dict[str, Size], ellipsis: Shape) -> Shape:
    """Bind a term's names to a shape's sizes; the sizes under the ellipsis so far."""
    before, dots, after = term.partition("...")
    named = len(before) + len(after)
    if len(shape) < named or (not dots and len(shape) != named):
        fail("einsum: the term '{}' does not fit a tensor of {} dimensions", term, len(shape))
    last = len(shape) - len(after)
    seen: dict[str, Size] = {}
    for name, size in (*zip(before, shape[: len(before)], strict=True), *zip(after, shape[last:], strict=True)):
        if name in seen:
            reason = "einsum: '{}' stands for the sizes {} and {} of one operand"
            seen[name] = agree(seen[name], size, reason, name, seen[name], size)
        else:
            seen[name] = size
    for name, size in seen.items():
        sizes[name] = broadcast_size(sizes[name], size) if name in sizes else size
    return broadcast(ellipsis, shape[len(before) : last]) if dots else ellipsis
