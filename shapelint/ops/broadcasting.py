"""How torch brings shapes together, and what the dtype of the result is."""

from __future__ import annotations

import functools
import operator
from typing import Any

import torch

from shapelint.ops.dimensions import Shape, fail
from shapelint.sizes import (
    Dim,
    Size,
    all_of,
    any_of,
    implied,
    negate,
    note_accident,
    possible,
    product,
    require,
    select,
)

_MISMATCH = "sizes {} and {} meet in dimension {}: they differ and neither is 1, so they cannot broadcast"


def broadcast(*shapes: Shape) -> Shape:
    """The shape torch broadcasts all shapes to; sizes for which it raises leave the path.

    Where two sizes agree only because one happens to be 1, the sizes that do so are noted as an
    accident on the current path, for the lint rules.
    """
    result = shapes[0]
    for shape in shapes[1:]:
        if shape is not result:
            result = _broadcast_two(result, shape)
    return result


def broadcast_into(target: Shape, other: Shape) -> None:
    """Require that ``other`` broadcasts to exactly ``target``: an in-place operation may not grow its tensor."""
    if other is target:
        return
    offset = len(target) - len(other)
    if offset < 0:
        fail("a tensor with {} dimensions cannot be written into one with {}", len(other), len(target))
    for axis, size in enumerate(other, offset):
        if size is not target[axis]:
            _expand_size(size, target[axis], axis - len(target))


def _broadcast_two(a: Shape, b: Shape) -> Shape:
    more = len(a) - len(b)
    if more > 0:
        return a[:more] + _broadcast_two(a[more:], b)
    if more < 0:
        return b[:-more] + _broadcast_two(a, b[-more:])
    if all(map(operator.is_, a, b)):
        return a
    ndim = len(a)
    return tuple([x if x is y else broadcast_size(x, y, at - ndim) for at, (x, y) in enumerate(zip(a, b, strict=True))])


def broadcast_size(a: Size, b: Size, axis: int = -1) -> Size:
    """The size two sizes of one dimension broadcast to."""
    if a is b:
        return a
    if type(a) is int:
        if a == 1:
            return b
        if type(b) is int:
            if a == b or b == 1:
                return a
            fail(_MISMATCH, a, b, axis)
    elif type(b) is int and b == 1:
        return a
    return _broadcast_symbolic(a, b, axis)


def _broadcast_symbolic(a: Size, b: Size, axis: int) -> Size:
    """Two different sizes of which at least one is a symbol and neither is the number 1."""
    same = a == b
    if implied(same):
        return b if type(b) is int else a
    differ = negate(same)
    grows_a = False if type(a) is int else all_of(a == 1, differ)
    grows_b = False if type(b) is int else all_of(b == 1, differ)
    may_grow_a, may_grow_b = possible(grows_a), possible(grows_b)
    if not (may_grow_a or may_grow_b):
        require(same, _MISMATCH, a, b, axis)
        return b if type(b) is int else a
    if may_grow_a and implied(a == 1):
        return b
    if may_grow_b and implied(b == 1):
        return a
    require(any_of(same, grows_a, grows_b), _MISMATCH, a, b, axis)
    note_accident(any_of(grows_a, grows_b), a, b)
    if type(a) is int or type(b) is int:
        return a if type(a) is int else b
    return select(a == 1, b, a) if may_grow_a else a


def _expand_size(size: Size, target: Size, axis: int) -> None:
    """Require that one size equals the target's or is 1."""
    reason = "size {} does not fit the size {} of dimension {} that it is written into"
    if type(size) is int:
        if size == 1:
            return
        if type(target) is int:
            if size != target:
                fail(reason, size, target, axis)
            return
    same = size == target
    if implied(same):
        return
    is_one = size == 1
    grows = all_of(is_one, negate(same))
    if type(size) is int or not possible(grows):
        require(same, reason, size, target, axis)
        return
    if implied(is_one):
        return
    require(any_of(same, is_one), reason, size, target, axis)
    note_accident(grows, size, target)


def expand_size(size: Size, target: Size, axis: int) -> Size:
    """What ``expand`` makes of one size: the target, where the size equals it or is 1."""
    if size is not target:
        _expand_size(size, target, axis)
    return target


def promoted(*operands: Any) -> torch.dtype | None:
    """The dtype torch promotes operands to; ``None`` where it is that of the first tensor."""
    first: torch.dtype | None = None
    simple = True
    for operand in operands:
        if isinstance(operand, torch.Tensor):
            dtype = operand.dtype
            if first is None:
                first = dtype
            elif dtype is not first:
                simple = False
        elif operand is not None and not (first is not None and _fits(operand, first)):
            simple = False
    if simple:
        return None
    return _promote(tuple(_operand_kind(operand) for operand in operands if operand is not None))


def _fits(scalar: Any, dtype: torch.dtype) -> bool:
    """Whether a Python number leaves a tensor's dtype alone."""
    kind = type(scalar)
    if kind is bool:
        return True
    if kind is int or issubclass(kind, Dim):
        return dtype is not torch.bool
    return kind is float and (dtype.is_floating_point or dtype.is_complex)


_DIMENSIONED, _ZERO_DIM, _NUMBER = 2, 1, 0


def _operand_kind(operand: Any) -> tuple[torch.dtype, int]:
    if isinstance(operand, torch.Tensor):
        return operand.dtype, _DIMENSIONED if operand.shape else _ZERO_DIM
    if isinstance(operand, bool):
        return torch.bool, _NUMBER
    if isinstance(operand, (int, Dim)):
        return torch.int64, _NUMBER
    if isinstance(operand, complex):
        return _COMPLEX_OF.get(torch.get_default_dtype(), torch.complex64), _NUMBER
    return torch.get_default_dtype(), _NUMBER


_COMPLEX_OF = {torch.float16: torch.complex32, torch.float32: torch.complex64, torch.float64: torch.complex128}
_WITH_COMPLEX = _COMPLEX_OF | ({torch.bfloat16: torch.bcomplex32} if hasattr(torch, "bcomplex32") else {})
"""What a tensor of a dtype becomes with a complex operand of a lower priority; from PyTorch 2.14 on bfloat16 too."""


@functools.lru_cache(maxsize=1024)
def _promote(kinds: tuple[tuple[torch.dtype, int], ...]) -> torch.dtype:
    result: torch.dtype | None = None
    for priority in (_DIMENSIONED, _ZERO_DIM, _NUMBER):
        among: torch.dtype | None = None
        for dtype, level in kinds:
            if level == priority:
                among = dtype if among is None else torch.promote_types(among, dtype)
        result = _combine(result, among)
    assert result is not None
    return result


def _combine(higher: torch.dtype | None, lower: torch.dtype | None) -> torch.dtype | None:
    """A lower priority changes the dtype only by its category: bool, integer, floating, complex."""
    if higher is None or lower is None:
        return higher or lower
    if higher.is_complex:
        return higher
    if higher.is_floating_point:
        return _WITH_COMPLEX.get(higher, torch.complex64) if lower.is_complex else higher
    if higher is torch.bool or lower.is_floating_point or lower.is_complex:
        return torch.promote_types(higher, lower)
    return higher


def floating(dtype: torch.dtype) -> torch.dtype:
    """What a function with real results makes of a dtype: integers become the default dtype."""
    return dtype if dtype.is_floating_point or dtype.is_complex else torch.get_default_dtype()


def real_of(dtype: torch.dtype) -> torch.dtype:
    """The dtype of a complex dtype's parts."""
    return _REAL_OF.get(dtype, dtype)


def complex_of(dtype: torch.dtype) -> torch.dtype:
    """The complex dtype whose parts have a dtype."""
    return dtype if dtype.is_complex else _COMPLEX_OF.get(dtype, torch.complex64)


_REAL_OF = {number: part for part, number in _COMPLEX_OF.items()}


def repeated_by_expanding(before: Shape, after: Shape) -> Size | None:
    """How often each element is there once a shape is expanded to another; ``None`` if the sizes do not say."""
    added = len(after) - len(before)
    repeated = list(after[:added])
    for old, new in zip(before, after[added:], strict=True):
        if type(old) is int and old == 1:
            repeated.append(new)
        elif not (old is new or implied(old == new)):
            return None
    total: Size = product(repeated)
    return total
