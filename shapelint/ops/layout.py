"""What operations do to where a tensor's elements lie in memory.

A transposed, cut out or expanded tensor is described by its strides, found out only when ``view`` meets it. What no
function here follows is taken to be contiguous.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import torch

from shapelint.ops import conv, conversions, elementwise, fold, indexing, merge, norm, pad, pool, reshape, resize
from shapelint.ops.dimensions import Shape
from shapelint.ops.placement import Layout, Placement, common, contiguous, dense, is_number, same
from shapelint.ops.registry import Rule, function_rule, rules_in
from shapelint.sizes import Dim, Size, product

CHANNELS_LAST = {4: (0, 2, 3, 1), 5: (0, 2, 3, 4, 1)}
"""Dimensions from the outermost in memory to the innermost, by their number."""

_SPREAD, _MANY = 64, 10
"""Strides of a stand-in are powers of this, so that each tells which dimension it was; of so many at most."""

_UNTOUCHED = frozenset({"detach", "alias", "__get__", "cpu", "dropout", "dropout3d", "Dropout", "Dropout3d"})
"""Functions that share the rule of those that compute, and give the very elements (in eval mode)."""


def is_followed(rule: Rule, input: Any, kwargs: dict[str, Any]) -> bool:
    """Whether what an operation does to the layout of its first tensor is known, and may matter."""
    follow = FOLLOWED.get(rule)
    if follow is None:
        return False
    return input.strided is not None or follow not in _KEEPING or "memory_format" in kwargs


def layout_after(
    rule: Rule, name: str, input: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any
) -> Layout | None:
    """The layout of the tensor that an operation makes of its first one, ``None`` where it is contiguous.

    Args:
        rule: one that :func:`is_followed`.
        name: the function's.
        args: what it was called with besides that tensor.
    """
    follow = FOLLOWED[rule]
    sizes, before, made = input.sizes, input.strided, result.sizes
    wanted = kwargs.get("memory_format", torch.contiguous_format if name == "contiguous" else torch.preserve_format)
    if wanted is not torch.preserve_format:
        order = CHANNELS_LAST.get(len(made)) if wanted is not torch.contiguous_format else None
        return None if order is None else placed_in(made, order)
    if before is None and follow in _KEEPING:
        return None
    in_order = before is None or before.in_order
    if follow is _dense and (name in _UNTOUCHED or (rule in _CONVERSIONS and input.dtype == result.dtype)):
        follow = _same
    if in_order and follow in (_dense, _formatted):
        return None  # which takes no strides to tell
    in_order = in_order and (follow is _same or (follow is _moved and _only_cuts(rule, args)))
    return Layout(_found, follow, before, sizes, made, args, kwargs, rule, in_order=in_order)


def _only_cuts(rule: Rule, args: tuple[Any, ...]) -> bool:
    """Whether it is a subscript that leaves all dimensions where they are."""
    if rule is not indexing.getitem:
        return False
    parts = args[0] if type(args[0]) is tuple else (args[0],)
    return all(type(part) is slice or part is ... for part in parts)


def _found(
    follow: Callable[..., Placement | None],
    before: Layout | None,
    sizes: Shape,
    made: Shape,
    args: Any,
    kwargs: Any,
    rule: Rule,
) -> Placement | None:
    placement = (before.placement() if before is not None else None) or contiguous(sizes)
    if not placement.known:
        return placement
    after = follow(placement, sizes, made, args, kwargs, rule)
    return None if after is None or _is_contiguous(after, made) else after


def placed_in(sizes: Shape, order: Sequence[int]) -> Layout:
    """The layout of a tensor without gaps whose dimensions lie in this order."""
    return Layout(dense, sizes, order)


def placement_of(tensor: Any) -> Placement | None:
    """Where a traced tensor's elements lie, ``None`` if row by row."""
    return None if tensor.strided is None else tensor.strided.placement()


def joined(cases: Sequence[tuple[Shape, Layout | None]], sizes: Shape) -> Layout | None:
    """The layout of a tensor that is another one on each of several paths."""
    if all(layout is None for _, layout in cases):
        return None
    shapes, layouts = zip(*cases, strict=True)
    return Layout(_of_cases, sizes, shapes, *layouts)


def _of_cases(sizes: Shape, shapes: Sequence[Shape], *layouts: Layout | None) -> Placement | None:
    cases = zip(shapes, layouts, strict=True)
    return common(
        [(shape, (layout.placement() if layout else None) or contiguous(shape)) for shape, layout in cases], sizes
    )


def _is_contiguous(placement: Placement, sizes: Shape) -> bool:
    return all(map(same, placement.strides, contiguous(sizes).strides))


def _same(placement: Placement, *_: Any) -> Placement:
    """A piece of a tensor lies as the whole does."""
    return placement


def _dense(placement: Placement, sizes: Shape, result: Shape, *_: Any) -> Placement | None:
    """A function of each element keeps the order of the dimensions, without gaps."""
    if not placement.order or len(result) != len(sizes) or not all(map(same, sizes, result)):
        return None
    return dense(sizes, placement.order)


def _formatted(placement: Placement, sizes: Shape, result: Shape, *_: Any) -> Placement | None:
    """Layers of images keep to channels that lie innermost; whatever lies otherwise they make row by row."""
    order = CHANNELS_LAST.get(len(sizes))
    return dense(result, order) if placement.order == order and len(result) == len(sizes) else None


def _moved(placement: Placement, sizes: Shape, result: Shape, args: Any, kwargs: Any, rule: Rule) -> Placement | None:
    """torch itself moves the dimensions of a stand-in, whose strides tell where each went."""
    if len(sizes) > _MANY:
        return None
    stand_in = _StandIn([1 if is_number(size, 1) else 3 for size in sizes])
    try:
        with torch._C.DisableTorchFunction():
            moved = _MOVES[rule](stand_in.tensor, *args, **kwargs)
    except (RuntimeError, TypeError, IndexError):
        return None
    moved = moved[0] if isinstance(moved, tuple) else moved
    if moved.ndim != len(result):
        return None
    came_from, steps = zip(*map(stand_in.dimension, moved.stride()), strict=True) if moved.ndim else ((), ())
    strides = [
        1 if axis is None else product((placement.strides[axis], step))
        for axis, step in zip(came_from, steps, strict=True)
    ]
    # a new dimension counts as innermost
    rank: dict[int | None, int] = {axis: at for at, axis in enumerate(placement.order)}
    at = sorted(range(len(result)), key=lambda new: rank.get(came_from[new], len(rank)))
    return Placement(tuple(strides), tuple(at) if placement.order else ())


class _StandIn:
    """A small meta tensor whose strides name its dimensions."""

    def __init__(self, sizes: Sequence[int]) -> None:
        strides = [_SPREAD ** (len(sizes) - at) for at in range(len(sizes))]
        self._dimensions = len(sizes)
        self.tensor = torch.empty_strided(sizes, strides, device="meta")

    def dimension(self, stride: int) -> tuple[int | None, int]:
        """Which dimension had the stride, ``None`` for a new one, and the step it is gone through with."""
        power = 0
        while stride % _SPREAD == 0 and stride:
            stride //= _SPREAD
            power += 1
        return (self._dimensions - power, stride) if 1 <= power <= self._dimensions else (None, 1)


def _subscripted(stand_in: torch.Tensor, index: Any) -> torch.Tensor:
    """Which dimensions a subscript takes away, whichever elements it takes."""
    parts = index if isinstance(index, tuple) else (index,)
    return stand_in[tuple(map(_part, parts))]


def _selected(stand_in: torch.Tensor, dim: int, index: Any) -> torch.Tensor:
    return stand_in.select(dim, 0)


def _part(part: Any) -> Any:
    if isinstance(part, slice) and (part.step is None or (type(part.step) is int and part.step < _SPREAD)):
        return slice(None, None, part.step)
    if type(part) is int or isinstance(part, Dim):
        return 0
    if part is None or part is ...:
        return part
    raise TypeError("a subscript that does not only cut")


def _expanded(placement: Placement, sizes: Shape, result: Shape, *_: Any) -> Placement:
    """Repeated dimensions have no extent in memory."""
    more = len(result) - len(sizes)
    kept = [s if same(a, b) else 0 for s, a, b in zip(placement.strides, sizes, result[more:], strict=True)]
    return Placement((*[0] * more, *kept), ())


def _windowed(
    placement: Placement, sizes: Shape, result: Shape, args: Any, kwargs: dict[str, Any], *_: Any
) -> Placement | None:
    """``Tensor.unfold``: the next element of a window is the next of the dimension, the next window some steps on."""
    given = dict(zip(("dimension", "size", "step"), args, strict=False)) | kwargs
    if not sizes:
        return None
    axis = given["dimension"] % len(sizes)
    strides = list(placement.strides)
    strides[axis] = product((strides[axis], given["step"]))
    at = placement.order.index(axis) + 1 if placement.order else 0
    order = (*placement.order[:at], len(sizes), *placement.order[at:]) if placement.order else ()
    return Placement((*strides, placement.strides[axis]), order)


def _strided(_: Placement, sizes: Shape, result: Shape, args: Any, kwargs: dict[str, Any], *rest: Any) -> Placement:
    """``as_strided`` says it."""
    return Placement(tuple(args[1] if len(args) > 1 else kwargs["stride"]), ())


def _regrouped(placement: Placement, sizes: Shape, result: Shape, *_: Any) -> Placement | None:
    """Dimensions folded together or split; ``None`` where that takes a copy."""
    strides: dict[int, Size] = {}
    order: list[tuple[int, int]] = []
    rank = {axis: at for at, axis in enumerate(placement.order)}
    for old, new in _groups(sizes, result):
        counted = [axis for axis in old if not is_number(sizes[axis], 1)]
        pairs = itertools.pairwise(counted)
        if not all(same(placement.strides[a], product((sizes[b], placement.strides[b]))) for a, b in pairs):
            return None
        step: Size = placement.strides[counted[-1]] if counted else 1
        for axis in reversed(new):
            strides[axis] = step
            step = product((step, result[axis]))
        order += [(rank.get(counted[-1], 0) if counted else len(sizes), axis) for axis in new]
    if len(strides) != len(result):
        return None
    sorted_order = tuple(axis for _, axis in sorted(order))
    return Placement(tuple(strides[axis] for axis in range(len(result))), sorted_order if placement.order else ())


def _groups(old: Shape, new: Shape) -> list[tuple[range, range]]:
    """The dimensions of two shapes that make up one another, as few at a time as can be told."""
    borders = {id(product(new[:at])) if at else 0: at for at in range(len(new), -1, -1)}
    numbers = {product(new[:at]): at for at in range(len(new), -1, -1) if type(product(new[:at])) is int}
    groups = []
    start, begun = 0, 0
    for at in range(1, len(old) + 1):
        total = product(old[:at])
        end = numbers.get(total) if type(total) is int else borders.get(id(total))
        if at == len(old):
            end = len(new)
        if end is not None and end >= begun:
            groups.append((range(start, at), range(begun, end)))
            start, begun = at, end
    return groups


_MOVES: dict[Rule, Callable[..., Any]] = {
    reshape.permute: torch.Tensor.permute,
    reshape.transpose: torch.Tensor.transpose,
    reshape.t: torch.Tensor.t,
    reshape.reverse_dimensions: lambda x: x.permute(*reversed(range(x.ndim))),
    reshape.matrix_transpose: lambda x: x.transpose(-2, -1),
    reshape.movedim: torch.Tensor.movedim,
    reshape.unsqueeze: torch.Tensor.unsqueeze,
    reshape.squeeze: torch.Tensor.squeeze,
    indexing.getitem: _subscripted,
    indexing.select_index: _selected,
    merge.unbind: torch.Tensor.unbind,
}

_ELEMENTWISE: tuple[Rule, ...] = (
    elementwise.same_shape,
    elementwise.real_function,
    elementwise.activation,
    elementwise.arithmetic,
    elementwise.division,
    elementwise.dropout,
    elementwise.dropout_module,
    elementwise.hardtanh,
    elementwise.hardtanh_module,
    reshape.flip,
)
_METHODS = ("float", "double", "half", "bfloat16", "int", "long")
_CONVERSIONS = tuple(
    rule
    for rule in (conversions.to, conversions.type_as, *(function_rule(getattr(torch.Tensor, n)) for n in _METHODS))
    if rule is not None
)

_NORMS: tuple[Rule, ...] = (
    norm.batch_norm,
    norm.torch_batch_norm,
    norm.batch_norm_module,
    norm.sync_batch_norm_module,
    norm.group_norm,
    norm.torch_group_norm,
    norm.group_norm_module,
)

_REGROUPING: tuple[Rule, ...] = (
    reshape.view,
    reshape.view_as,
    reshape.reshape,
    reshape.reshape_as,
    reshape.flatten,
    reshape.unflatten,
)

_KEEPING = (_dense, _regrouped, _formatted)
"""What leaves a contiguous tensor contiguous, unless it is asked otherwise."""

FOLLOWED: dict[Rule, Callable[..., Placement | None]] = {
    **dict.fromkeys((*rules_in(conv, pool, pad, resize), *_NORMS), _formatted),
    **dict.fromkeys(_MOVES, _moved),
    **dict.fromkeys((indexing.narrow, merge.split, merge.chunk, merge.tensor_split), _same),
    **dict.fromkeys((reshape.expand, reshape.broadcast_to), _expanded),
    fold.windows: _windowed,
    fold.as_strided: _strided,
    **dict.fromkeys(_REGROUPING, _regrouped),
    **dict.fromkeys((*_ELEMENTWISE, *_CONVERSIONS), _dense),
}
