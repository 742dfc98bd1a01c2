"""What most rules share: normalising dimension and size arguments, and requiring that two sizes are one."""

from __future__ import annotations

import collections
import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn, TypeVar

import torch

from shapelint.ops.registry import Unsupported
from shapelint.sizes import Dim, Size, SizeError, divide, divides, implied, require, select, smax, smin
from shapelint.sizes.path import active

Shape = tuple[Size, ...]
AnyRule = TypeVar("AnyRule", bound=Callable[..., Any])


def fail(reason: str, *values: object) -> NoReturn:
    """No size passes here: PyTorch raises whatever the symbols are."""
    require(False, reason, *values)
    raise SizeError(reason.format(*values))


def axis_index(dim: int, ndim: int) -> int:
    """A torch dimension argument as an index from the front; a 0-d tensor passes as 1-d, as in torch."""
    bound = ndim or 1
    if -bound <= dim < bound:
        return dim + bound if dim < 0 else dim
    fail("dimension {} is out of range: the tensor has {} dimension(s)", dim, ndim)


def axis_indices(dims: Iterable[int], ndim: int) -> list[int]:
    """Several dimension arguments as indices from the front, none of them twice."""
    found = [axis_index(dim, ndim) for dim in dims]
    if len(set(found)) != len(found):
        fail("a dimension appears twice in {}", tuple(found))
    return found


def agree(a: Size, b: Size, reason: str, *values: object) -> Size:
    """Require that two sizes are equal and return the simpler one; the reason is formatted with both or the values."""
    if a is b:
        return a
    if type(a) is int and type(b) is int:
        if a != b:
            fail(reason, *(values or (a, b)))
        return a
    same = a == b
    if not implied(same):
        require(same, reason, *(values or (a, b)))
    return b if type(b) is int else a


def identical(a: Shape, b: Shape) -> bool:
    """Whether two shapes are visibly the same, without asking about the sizes on the path."""
    if a is b:
        return True
    return len(a) == len(b) and all(map(_is_same, a, b))


def _is_same(x: Size, y: Size) -> bool:
    return x is y or (type(x) is int and type(y) is int and x == y)


def sizes_argument(sizes: Sequence[Any]) -> Shape:
    """Sizes given one by one (``x.view(2, 3)``) or as one sequence (``x.view((2, 3))``)."""
    if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)):
        sizes = sizes[0]
    for size in sizes:
        if type(size) is not int and not isinstance(size, Dim):
            return tuple(size_argument(each) for each in sizes)
    return tuple(sizes)


def number_in(value: Any) -> Size | None:
    """The number in a traced tensor of one integer, which torch takes for a size: ``torch.ones(lengths.max(), 3)``."""
    path = active()
    if path is None or not hasattr(value, "sizes") or value.dtype is torch.bool:
        return None
    number: Size | None = path.number_in(value)
    return number


def size_argument(value: Any) -> Size:
    """A number that torch takes for a size."""
    if isinstance(value, Dim):
        return value
    if hasattr(value, "__index__") and not hasattr(value, "dtype"):
        return int(value.__index__())
    number = number_in(value)
    if number is not None:
        return number
    raise Unsupported(f"a size given as {type(value).__name__} cannot be followed")


def ceil_divide(a: Any, b: Any) -> Any:
    """The quotient rounded up, for a positive divisor."""
    if type(b) is int and b == 1:
        return a
    return -(-a // b)


def exact_divide(a: Size, b: Size, reason: str, *values: object) -> Any:
    """Require that ``b`` divides ``a`` and return the quotient."""
    if type(b) is int and b == 1:
        return a
    require(divides(b, a), reason, *(values or (a, b)))
    return divide(a, b)


def slice_length(size: Size, start: Size | None, stop: Size | None, step: Size = 1) -> Size:
    """How many elements ``start:stop:step`` takes out of ``size``, as Python and torch count."""
    if type(step) is not int or step < 1:
        require(step >= 1, "a slice's step is {}; torch takes positive steps only", step)
    first = _clamped(size, start) if start is not None else 0
    last = _clamped(size, stop) if stop is not None else size
    if type(first) is int and first == 0:
        length = last
    elif first is last:
        return 0
    else:
        length = last - first
        if type(length) is int or not implied(length >= 0):
            length = smax(length, 0)
    return length if type(step) is int and step == 1 else ceil_divide(length, step)


def _clamped(size: Any, bound: Any) -> Any:
    """A slice bound, counted from the end if negative, kept within 0 and the size."""
    if bound is size:
        return size
    if implied(bound >= 0):
        return bound if implied(bound <= size) else smin(bound, size)
    if implied(bound < 0):
        return size + bound if implied(size + bound >= 0) else smax(size + bound, 0)
    return select(bound >= 0, smin(bound, size), smax(size + bound, 0))


def named(names: str, *specs: Any) -> Any:
    """Several results under the names that torch gives them ("values indices")."""
    return _named_tuple(names)(*specs)


@functools.cache
def _named_tuple(names: str) -> Any:
    return collections.namedtuple("Results", names)


def refuse_out(options: dict[str, Any]) -> None:
    """A result that is written into another tensor is beyond the rules."""
    if options.get("out") is not None:
        raise Unsupported("the out= argument is not followed")


_NUMPY_NAMES = {"axis": "dim", "keepdims": "keepdim", "x": "input", "x1": "input", "x2": "other"}


def numpy_names(rule: AnyRule) -> AnyRule:
    """Let a rule be called with NumPy's keyword names, as torch's own functions can (``axis=1``)."""

    @functools.wraps(rule)
    def renamed(*args: Any, **kwargs: Any) -> Any:
        if kwargs and not _NUMPY_NAMES.keys().isdisjoint(kwargs):
            kwargs = {_NUMPY_NAMES.get(name, name): value for name, value in kwargs.items()}
        return rule(*args, **kwargs)

    return renamed  # type: ignore[return-value]
