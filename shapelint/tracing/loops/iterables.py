"""What gives a loop as many rounds as a size says: ``range``, tensors, lists of them, and what stands before these."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import Any, NoReturn

from shapelint.sizes import Dim, Undecided
from shapelint.sizes import path as paths
from shapelint.sizes.expr import is_count
from shapelint.tracing.loops.repeated import Repeated, use_rounds
from shapelint.tracing.loops.rounds import Stretch, rounds
from shapelint.tracing.tensor import SymbolicTensor, use_rows


class Alike:
    """Something that loops go through, most of it alike."""

    def __init__(self, stretches: list[Stretch], otherwise: Callable[[], Any]) -> None:
        self.stretches, self._otherwise = stretches, otherwise

    @property
    def count(self) -> Any:
        """How many items there are."""
        return sum(stretch.times for stretch in self.stretches)

    def __iter__(self) -> Any:
        return rounds(self.stretches, lambda: iter(self._otherwise()))

    def __len__(self) -> int:
        return int(self.count)

    def __reversed__(self) -> Any:
        return iter(backwards(self))


class SymbolicRange(Alike):
    """``range`` with symbolic bounds, and a step that is a number."""

    def __init__(self, start: Any, stop: Any, step: int) -> None:
        away = stop - start if step > 0 else start - stop
        count = -(-away // abs(step))
        super().__init__([Stretch(count, lambda position: start + position * step)], self._plain)
        self._start, self._step = start, step

    def __getitem__(self, index: Any) -> Any:
        return self._plain()[index]

    def __contains__(self, value: Any) -> bool:
        return value in self._plain()

    def _plain(self) -> list[Any]:
        """All numbers one by one, if on each path it is known how many there are."""
        return [self._start + position * self._step for position in range(int(self.count))]


def stretches_of(items: Any) -> list[Stretch] | None:
    """The stretches of what has as many items as a size says; ``None`` for everything else."""
    if isinstance(items, Alike):
        return items.stretches
    if type(items) is Repeated:
        return [Stretch(times, functools.partial(_same, item)) for item, times in items.runs]
    if type(items) is SymbolicTensor and items.sizes and isinstance(items.sizes[0], Dim):
        # of few rows each number of them is walked through, but for those that contents choose among others
        few = not any(map(is_count, items.sizes[0].symbols)) and paths.can_be_tried(items.sizes[0].expr)
        return None if few else [Stretch(items.sizes[0], items.__getitem__)]
    return None


def _same(item: Any, position: Any) -> Any:
    return item


def _refuse(count: Any) -> NoReturn:
    raise Undecided(f"{count} items are gone through by other code than a loop")


def _going_through(stretches: list[Stretch]) -> Alike:
    return Alike(stretches, functools.partial(_refuse, sum(stretch.times for stretch in stretches)))


def numbered(items: Any, start: Any = 0) -> Any:
    """``enumerate``."""
    stretches = stretches_of(items)
    if stretches is None:
        return enumerate(items, start)
    starts = itertools.accumulate((stretch.times for stretch in stretches), initial=start)
    return _going_through(
        [Stretch(s.times, functools.partial(_numbered, s, first)) for s, first in zip(stretches, starts, strict=False)]
    )


def _numbered(stretch: Stretch, first: Any, position: Any) -> Any:
    return first + position, stretch.at(position)


def side_by_side(*several: Any, strict: bool = False) -> Any:
    """``zip``, of things that are alike in the same stretches."""
    known = [stretches_of(items) for items in several]
    if all(stretches is None for stretches in known):
        return zip(*several, strict=strict)
    first, *others = [stretches or [] for stretches in known]
    for other in others:
        if len(other) != len(first) or not all(a.times == b.times for a, b in zip(first, other, strict=True)):
            raise Undecided("`zip` goes through lists of different lengths, of which one depends on a size")
    together = zip(first, *others, strict=True)
    return _going_through([Stretch(parts[0].times, functools.partial(_side_by_side, parts)) for parts in together])


def _side_by_side(parts: tuple[Stretch, ...], position: Any) -> Any:
    return tuple(part.at(position) for part in parts)


def backwards(items: Any) -> Any:
    """``reversed``."""
    stretches = None if type(items) is SymbolicTensor else stretches_of(items)
    if stretches is None:
        return reversed(items)
    return _going_through([Stretch(s.times, functools.partial(_from_the_end, s)) for s in reversed(stretches)])


def _from_the_end(stretch: Stretch, position: Any) -> Any:
    return stretch.at(stretch.times - 1 - position)


def _loop_over(items: Any) -> Any:
    return iter(_going_through(stretches_of(items) or []))


def _loop_over_rows(tensor: SymbolicTensor) -> Any:
    if stretches_of(tensor) is None:
        return iter([tensor[position] for position in range(int(tensor.sizes[0]))])
    return _loop_over(tensor)


use_rounds(_loop_over)
use_rows(_loop_over_rows)
