"""Lists with as many items as a size says: what a loop over ``x.shape[1]`` frames collects, what ``unbind`` gives.

Such a list holds each kind of item once, with how often it stands there in a row. Joining its items (``stack``,
``cat``) needs no more than that; a loop over it takes all items that are alike in one round.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NoReturn

from shapelint.sizes import Dim, Size, Undecided

_rounds: Callable[[Repeated], Iterator[Any]] = iter


def use_rounds(make: Callable[[Repeated], Iterator[Any]]) -> None:
    """Make ``make`` what goes through such a list in a loop."""
    global _rounds
    _rounds = make


class Repeated(list[Any]):
    """A list in which an item may stand for many that have the same shape.

    Attributes:
        times: how often each item is repeated, in the items' order.
    """

    def __init__(self, items: Iterable[Any], times: Iterable[Size]) -> None:
        super().__init__(items)
        self.times: list[Size] = list(times)

    @property
    def runs(self) -> list[tuple[Any, Size]]:
        """The items, each with how often it is repeated."""
        return list(zip(list.__iter__(self), self.times, strict=True))

    @property
    def total(self) -> Any:
        """How many items there are, repetitions counted."""
        return sum(self.times)

    def without(self, is_left_out: Callable[[Any, Any], Any]) -> Repeated:
        """The list without some items, which are told by themselves and by how often they are repeated."""
        kept = [(item, times) for item, times in self.runs if not is_left_out(item, times)]
        return Repeated((item for item, _ in kept), (times for _, times in kept))

    def append(self, item: Any) -> None:
        super().append(item)
        self.times.append(1)

    def extend(self, items: Iterable[Any]) -> None:
        if isinstance(items, Repeated):
            runs = items.runs
        else:
            runs = [(item, 1) for item in items]
        for item, times in runs:
            super().append(item)
            self.times.append(times)

    def clear(self) -> None:
        super().clear()
        self.times.clear()

    def reverse(self) -> None:
        super().reverse()
        self.times.reverse()

    def copy(self) -> Repeated:
        return Repeated(list.__iter__(self), self.times)

    def __add__(self, other: Any) -> Any:
        if not isinstance(other, list):
            return NotImplemented
        result = self.copy()
        result.extend(other)
        return result

    def __radd__(self, other: Any) -> Any:
        if not isinstance(other, list):
            return NotImplemented
        return Repeated(other, [1] * len(other)) + self

    def __iadd__(self, other: Any) -> Any:
        self.extend(other)
        return self

    def __reversed__(self) -> Iterator[Any]:
        reverse = self.copy()
        reverse.reverse()
        return iter(reverse)

    def __getitem__(self, index: Any) -> Any:
        if type(index) is int or isinstance(index, Dim):
            return self._item(index)
        if type(index) is slice and index.start is None and index.stop is None and index.step == -1:
            reverse = self.copy()
            reverse.reverse()
            return reverse
        if type(index) is slice and index == slice(None):
            return self.copy()
        return self._unknown("is sliced")

    def _item(self, index: Any) -> Any:
        """The item at a distance from the beginning (or, if negative, the end), where every path has only one there."""
        from_end = bool(index < 0)
        left = -1 - index if from_end else index
        for item, times in reversed(self.runs) if from_end else self.runs:
            if left < times:
                return item
            left = left - times
        raise IndexError("list index out of range")

    def __iter__(self) -> Iterator[Any]:
        return _rounds(self)

    def __len__(self) -> int:
        return int(self.total)

    def __bool__(self) -> bool:
        return bool(self.total > 0)

    def __repr__(self) -> str:
        return " + ".join(f"[{item!r}] * ({times})" for item, times in self.runs)

    def __deepcopy__(self, memo: dict[int, Any]) -> Repeated:
        return self.copy()

    def __reduce__(self) -> Any:
        return Repeated, (list(list.__iter__(self)), self.times)

    def _unknown(self, what: str) -> NoReturn:
        raise Undecided(f"a list with {self.total} items {what}, which depends on how many there are")


def _refusing(name: str, what: str, refuse: Callable[[Any, str], NoReturn]) -> Any:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return refuse(self, what)

    method.__name__ = name
    return method


_CHANGES_AND_QUESTIONS = {
    "__contains__": "is searched",
    "__delitem__": "loses an item",
    "__eq__": "is compared",
    "__imul__": "is repeated",
    "__mul__": "is repeated",
    "__ne__": "is compared",
    "__rmul__": "is repeated",
    "__setitem__": "is given another item",
    "count": "is searched",
    "index": "is searched",
    "insert": "is given an item in its middle",
    "pop": "loses an item",
    "remove": "loses an item",
    "sort": "is sorted",
}
for _name, _what in _CHANGES_AND_QUESTIONS.items():
    setattr(Repeated, _name, _refusing(_name, _what, Repeated._unknown))
Repeated.__hash__ = None


class Collecting(list[Any]):
    """The list that a loop appends to, while one of its rounds stands for many: what is in it then is not known.

    Attributes:
        known: what was in it at the round's beginning.
        looked_at: the last item, if the round asked for it.
        ended: what to do once the loop is over and the list has become another one, if something still has this one.
    """

    def __init__(
        self, known: list[Any], on_empty: Callable[[], NoReturn], on_question: Callable[[str], NoReturn]
    ) -> None:
        super().__init__()
        self.known = known.copy() if isinstance(known, Repeated) else Repeated(known, [1] * len(known))
        self.looked_at: Any = None
        self.ended: Callable[[], NoReturn] | None = None
        self._on_empty = on_empty
        self._on_question = on_question
        self.repeats: list[Size] = []

    def append(self, item: Any) -> None:
        if self.ended is not None:
            self.ended()
        super().append(item)
        self.repeats.append(1)

    def extend(self, items: Iterable[Any]) -> None:
        if self.ended is not None:
            self.ended()
        added = Repeated([], [])
        added.extend(items)
        super().extend(list.__iter__(added))
        self.repeats.extend(added.times)

    def __iadd__(self, items: Any) -> Any:  # type: ignore[misc]
        self.extend(items)
        return self

    def __getitem__(self, index: Any) -> Any:
        if self.ended is None and type(index) is int and index == -1 and not list.__len__(self):
            if not list.__len__(self.known):
                self._on_empty()
            self.looked_at = self.known[-1]
            return self.looked_at
        return self.refuse(f"is asked for item {index}")

    @property
    def added(self) -> Repeated:
        """What the round has added."""
        return Repeated(list.__iter__(self), self.repeats)

    def after(self, rounds: Any) -> Repeated:
        """The list after all the rounds that this one stands for."""
        result = self.known.copy()
        result.extend(Repeated(list.__iter__(self), [times * rounds for times in self.repeats]))
        return result

    def refuse(self, what: str) -> NoReturn:
        """What depends on the items in it has no answer yet."""
        if self.ended is not None:
            self.ended()
        self._on_question(f"a list that is being filled by a loop over a size {what}")


_NOT_KNOWN_YET = {
    "__add__": "is added to another",
    "__bool__": "is tested",
    "__iter__": "is gone through",
    "__len__": "is asked for its length",
    "__radd__": "is added to another",
    "__reversed__": "is gone through",
    "clear": "is emptied",
    "copy": "is copied",
    "reverse": "is turned round",
}
for _name, _what in (_CHANGES_AND_QUESTIONS | _NOT_KNOWN_YET).items():
    setattr(Collecting, _name, _refusing(_name, _what, Collecting.refuse))
Collecting.__hash__ = None
