"""Where a tensor's elements lie in memory, as far as ``view`` asks: it takes no copy, so not every shape can be had."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from typing import Any

from shapelint.ops.dimensions import Shape
from shapelint.sizes import Condition, Size, TooComplex, all_of, any_of, implied, possible, product, require


@dataclass(frozen=True, slots=True)
class Placement:
    """Strides, and the dimensions from the outermost in memory to the innermost (empty if some overlap)."""

    strides: tuple[Size, ...]
    order: tuple[int, ...]
    known: bool = True


UNKNOWN = Placement((), (), known=False)
"""That of a tensor that lies otherwise on every path it comes from."""


class Layout:
    """The placement of a tensor, found out when someone asks; ``None`` where it is contiguous.

    Attributes:
        in_order: it is known beforehand that the dimensions lie one in the other as they are numbered, gaps or not.
        askers: sets that are to have this object's id once someone has asked.
    """

    __slots__ = ("_find", "_found", "_given", "askers", "in_order")

    def __init__(self, find: Callable[..., Placement | None], *given: Any, in_order: bool = False) -> None:
        """What is to be asked of what is given: no layout that the answer depends on may be hidden in there."""
        # no closure: of one for each tensor of a network, the collector would have ten objects to look at
        self.in_order = in_order
        self._find: Callable[..., Placement | None] | None = find
        self._given = given
        self._found: Placement | None = None
        self.askers: list[set[int]] = []

    def placement(self) -> Placement | None:
        for ids in self.askers:
            ids.add(id(self))
        return self.peek()

    def peek(self) -> Placement | None:
        """The placement, for one who does not ask on the model's behalf."""
        if self._find is not None:
            self._found, self._find, self._given = self._find(*self._given), None, ()
        return self._found

    def comes_from(self, layouts: Set[int]) -> bool:
        """Whether the answer may depend on one of these layouts, which are told by their ids."""
        met: set[int] = set()
        waiting = [self]
        while waiting:
            layout = waiting.pop()
            if id(layout) in layouts:
                return True
            if id(layout) not in met:
                met.add(id(layout))
                waiting += [given for given in layout._given if type(given) is Layout]
        return False


def contiguous(sizes: Shape) -> Placement:
    """Row by row."""
    strides: list[Size] = [1]
    for size in reversed(sizes[1:]):
        strides.append(product((size, strides[-1])))
    return Placement(tuple(reversed(strides))[: len(sizes)], tuple(range(len(sizes))))


def dense(sizes: Shape, order: Sequence[int]) -> Placement:
    """Without gaps, the dimensions in this order."""
    strides: dict[int, Size] = {}
    step: Size = 1
    for axis in reversed(order):
        strides[axis] = step
        step = product((step, sizes[axis]))
    return Placement(tuple(strides[axis] for axis in range(len(sizes))), tuple(order))


def common(placements: Sequence[tuple[Shape, Placement]], sizes: Shape) -> Placement | None:
    """How a tensor of these sizes lies that is one of several, ``None`` if row by row whichever it is."""
    orders = {placement.order for _, placement in placements}
    order = orders.pop()
    tight = order and not orders and all(is_same(p, dense(shape, order)) for shape, p in placements)
    return UNKNOWN if not tight else None if order == tuple(range(len(sizes))) else dense(sizes, order)


def is_same(a: Placement, b: Placement) -> bool:
    return a.known and b.known and all(map(same, a.strides, b.strides))


def is_row_by_row(sizes: Shape, placement: Placement) -> bool | Condition:
    """Whether the elements lie row by row; dimensions of size 1 do not count."""
    wanted = contiguous(sizes).strides
    strides = zip(sizes, placement.strides, wanted, strict=True)
    return all_of(*(any_of(size == 1, have == want) for size, have, want in strides if not same(have, want)))


def require_viewable(old: Shape, placement: Placement, new: Shape) -> None:
    """Require that a shape can be had without a copy.

    Wherever two neighbouring dimensions (those of size 1 do not count) do not follow one another in memory, the new
    shape must have a border too.
    """
    if not placement.known:
        raise TooComplex("how its elements lie in memory is another for other sizes")
    borders = [product(new[:at]) for at in range(1, len(new))]
    # nothing at all has every shape that holds nothing
    empty = [size == 0 for size in old if not implied(size >= 1)]
    for first in range(len(old)):
        for second in range(first + 1, len(old)):
            if not is_number(old[first], 1) and not is_number(old[second], 1):
                fits = any_of(_fits(old, placement.strides, first, second, borders), *empty)
                reason = "shape {} would need a copy of an input of shape {}, whose elements lie in another order"
                require(fits, reason, new, old)
                if type(old[second]) is int:
                    break


def _fits(old: Shape, strides: Sequence[Size], first: int, second: int, borders: Sequence[Size]) -> Any:
    """Whether two dimensions may be where they are, if those between them, should there be some, are of size 1."""
    counted = [axis for axis in range(first, second + 1) if not is_number(old[axis], 1)]
    steps = itertools.pairwise(counted)
    if all(same(strides[a], product((old[b], strides[b]))) for a, b in steps):
        return True
    # a border on the other side of dimensions of size 1 is the same border
    between = [product(old[:at]) for at in range(first + 1, second + 1)]
    if any(same(border, other) for border in between for other in borders):
        return True
    options = [
        *(border == other for border in between for other in borders),
        *(size != 1 for size in old[first + 1 : second]),
        strides[first] == product((old[second], strides[second])),
        old[first] == 1,
        old[second] == 1,
    ]
    # one that is known to hold is enough, where all of them together may be too much for a set of sizes
    return True if any(map(implied, options)) else any_of(*filter(possible, options))


def is_number(size: Size, number: int) -> bool:
    """Whether a size is a plain number, and this one."""
    return type(size) is int and size == number


def same(a: Size, b: Size) -> bool:
    """Whether two sizes are written alike."""
    return a is b or (type(a) is int and type(b) is int and a == b)
