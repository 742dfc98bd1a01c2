"""The path that is being followed: it decides conditions on sizes and keeps the sizes that are still on it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from shapelint.sizes import condition as conditions
from shapelint.sizes.condition import Condition, Undecided
from shapelint.sizes.domain import Domain
from shapelint.sizes.expr import Expr
from shapelint.sizes.region import TooComplex, within
from shapelint.sizes.settling import Settling

Found = TypeVar("Found")

MOST_CASES = 16
"""So many cases of piecewise sizes may be settled on one path for one condition."""

MOST_SECONDS = 4.0
"""So long a whole analysis may settle cases, after which it gives up as it would without."""

_BY_CONTENTS = "how many elements there are depends on the contents of the tensors"

_active: Path | None = None


class SizeError(RuntimeError):
    """What PyTorch would raise: every size on the path violates a requirement."""


class Path:
    """One way through a computation, and the sizes that take it.

    This one explores nothing: what the domain does not decide is :class:`Undecided`. The tracer's
    subclass explores both outcomes.

    Attributes:
        domain: the sizes that reach the present point.
        doubts: what was taken to be so without a proof.
        keys: the texts with sizes in them that something is looked up by, if they are followed.
        results: what was computed last at some sizes to try, for whoever asks for the same.
    """

    keys: Any = None
    results: Any = None

    def __init__(self, domain: Domain) -> None:
        self.domain = domain
        self.doubts: list[str] = []
        self._settling: Settling | None = None
        self._seconds = 0.0

    @property
    def follows_loops(self) -> bool:
        """Whether a round of some loop stands for many, so that cases of its ends multiply with others."""
        return False

    @property
    def is_in_round(self) -> bool:
        """Whether a round is run now that stands for many."""
        return False

    def decide(self, condition: Condition) -> bool:
        """The truth of a condition, exploring both outcomes where both are possible."""
        settled, known = self._told(condition)
        if known is not None:
            return known
        assert isinstance(settled, Condition)
        outcome = self.either()
        return self.fork(settled) if outcome is None else outcome

    def either(self) -> bool | None:
        """The outcome to take of the condition that is asked for now, if it makes no difference."""
        return None

    def _told(self, condition: bool | Condition) -> tuple[bool | Condition, bool | None]:
        """A condition and its truth on the path; what no set expresses is told case by case.

        Raises:
            Undecided: that cannot be found out.
        """
        try:
            return condition, self.domain.status(condition)
        except TooComplex as limit:
            found = self._by_cases(lambda settling: self._settled(condition, settling))
            if found is not None:
                return found
            return condition, self.naming_products(condition, limit).status(condition)

    def naming_products(self, condition: bool | Condition, limit: TooComplex) -> Domain:
        """The sizes on the path, with symbols for the products in a condition.

        Raises:
            Undecided: they do not make it one that a set of sizes expresses.
        """
        raise Undecided(str(limit)) from limit

    def _settled(self, condition: bool | Condition, settling: Settling) -> tuple[bool | Condition, bool | None]:
        settled = settling.condition(condition)
        return settled, self.domain.status(settled)

    def by_cases(self, limit: TooComplex, attempt: Callable[[Settling], Found]) -> Found:
        """What ``attempt`` finds, with one case after the other of piecewise sizes being settled until it does.

        Raises:
            Undecided: no case is left to settle.
        """
        found = self._by_cases(attempt)
        if found is None:
            raise Undecided(str(limit)) from limit
        return found

    def _by_cases(self, attempt: Callable[[Settling], Found]) -> Found | None:
        for _ in range(MOST_CASES):
            if self._settling is None or self._settling.domain is not self.domain:
                self._settling = Settling(self.domain)
            self._settling.open = None
            started = time.monotonic()
            found: Found | None = None
            with within(MOST_SECONDS - self._seconds), suppress(TooComplex):
                found = attempt(self._settling)
            self._seconds += time.monotonic() - started
            if self._seconds > MOST_SECONDS:
                break  # what was found may be for lack of time, and would be otherwise when the path is run again
            if found is not None:
                return found
            if self._settling.open is None:
                break
            self.fork(self._settling.open)
        return None

    def fork(self, condition: Condition) -> bool:
        """Take one outcome of an undecided condition."""
        raise Undecided(f"{condition} holds for some sizes only")

    def require(self, condition: bool | Condition, reason: str, arguments: tuple[object, ...]) -> None:
        """Drop the sizes for which the condition fails.

        Raises:
            SizeError: it fails for all of them.
        """
        condition, known = self._told(condition)
        if known is True:
            return
        if known is False:
            raise SizeError(reason.format(*arguments))
        assert isinstance(condition, Condition)
        self.failing(condition, reason, arguments)
        self.domain = self.domain.restrict(condition)

    def failing(self, condition: bool | Condition, reason: str, arguments: tuple[object, ...]) -> None:
        """Called before sizes leave the path (all of them, for False); the tracer records where and why."""

    def accident(self, condition: bool | Condition, a: object, b: object) -> None:
        """Called where sizes broadcast only because one of them happens to be 1."""

    def doubt(self, what: str) -> None:
        """Note what is taken to be so without a proof."""
        if what not in self.doubts:
            self.doubts.append(what)

    def data_branch(self, what: str) -> bool:
        """One outcome of a branch on contents, which sizes do not decide."""
        raise Undecided(what)

    def branch_on(self, tensor: Any, what: str) -> bool:
        """As ``data_branch``, for the truth of this tensor."""
        return self.data_branch(what)

    def number_in(self, tensor: Any) -> Any:
        """The number that a tensor without dimensions holds, if contents decide it; ``None`` if it is not followed."""
        return None

    def content_count(self, most: Any, least: Any, mask: Any) -> Any:
        """A number that the contents of tensors decide, as :func:`content_count` has it."""
        raise Undecided(_BY_CONTENTS)

    def joined_size(self) -> Any:
        """A size that is another one on the paths that contents choose between."""
        raise Undecided(_BY_CONTENTS)

    def few_values(self, size: Expr) -> bool:
        """Whether a size can only be one of a few numbers on this path."""
        return size.is_constant

    def can_be_tried(self, size: Expr) -> bool:
        """Whether a size can only be one of so few numbers on this path that each may be tried."""
        return size.is_constant

    def concrete(self, size: Expr) -> int:
        """A plain int for a size that must be one (``range(h)``, an index)."""
        if size.is_constant:
            return size.const
        raise Undecided(f"a plain number is needed where the size is {size}")


def active() -> Path | None:
    """The path being followed, if any."""
    return _active


@contextmanager
def following(path: Path) -> Iterator[Path]:
    """Follow ``path`` within the block."""
    before = _active
    activate(path)
    try:
        yield path
    finally:
        activate(before)


def activate(path: Path | None) -> None:
    """Make ``path`` the one that decides conditions."""
    global _active
    _active = path
    conditions._active_decider = None if path is None else path.decide


def require(condition: bool | Condition, reason: str, *arguments: object) -> None:
    """State what PyTorch requires; sizes for which it fails leave the path.

    Args:
        reason: a format string for ``arguments``, filled in only when someone reads it.

    Raises:
        SizeError: no size on the path satisfies it.
    """
    if condition is True:
        return
    if not isinstance(condition, Condition):
        if not condition:
            raise SizeError(reason.format(*arguments))
        return
    if _active is None:
        raise Undecided(f"{condition} depends on the input size")
    _active.require(condition, reason, arguments)


def implied(condition: bool | Condition) -> bool:
    """Whether the condition is known to hold for every size on the path."""
    if not isinstance(condition, Condition):
        return bool(condition)
    return _status(condition) is True


def possible(condition: bool | Condition) -> bool:
    """Whether the condition may hold for some size on the path."""
    if not isinstance(condition, Condition):
        return bool(condition)
    return _status(condition) is not False


def _status(condition: Condition) -> bool | None:
    if _active is None:
        return None
    try:
        return _active.domain.status(condition)
    except TooComplex:
        # Neither proven nor excluded: whoever relies on it will state it as a requirement, which reports.
        return None


def expressible(condition: bool | Condition) -> bool:
    """Whether a set of sizes can be made of a condition."""
    if _active is None or not isinstance(condition, Condition):
        return True
    try:
        _active.domain.status(condition)
    except TooComplex:
        return False
    return True


def bounds(size: Expr) -> tuple[int | None, int | None]:
    """Bounds on a size for every size on the path, not always the tightest; ``None`` for none known."""
    if _active is None:
        return None, None
    try:
        return _active.domain.bounds(size)
    except TooComplex:
        return None, None  # not knowing a bound only costs the shortcut it would have allowed


def note_accident(condition: bool | Condition, a: object, b: object) -> None:
    """Tell the path that sizes broadcast by accident where the condition holds."""
    if _active is not None:
        _active.accident(condition, a, b)


def content_count(most: Any = None, least: Any = 0, mask: Any = None) -> Any:
    """A number that the contents of tensors decide, and not their sizes.

    Args:
        most: it is no more than this; ``None`` if that is not known.
        least: it is at least this.
        mask: it is the number of elements in this tensor that are not 0.
    """
    if _active is None:
        raise Undecided(_BY_CONTENTS)
    return _active.content_count(most, least, mask)


def joined_size() -> Any:
    """A size that is another one on the paths that contents choose between."""
    if _active is None:
        raise Undecided(_BY_CONTENTS)
    return _active.joined_size()


def few_values(size: Expr) -> bool:
    """Whether a size can only be one of a few numbers on the active path."""
    return _active is not None and _active.few_values(size)


def can_be_tried(size: Expr) -> bool:
    """Whether :func:`concrete` can give a number for a size, by trying each that it can be."""
    return _active is not None and _active.can_be_tried(size)


def follows_loops() -> bool:
    """Whether a round of some loop stands for many on the active path."""
    return _active is not None and _active.follows_loops


def is_in_round() -> bool:
    """Whether a round of a loop is run now that stands for many."""
    return _active is not None and _active.is_in_round


def concrete(size: Expr) -> int:
    """A plain int for a symbolic size, from the active path."""
    if _active is None:
        raise Undecided(f"a plain number is needed where the size is {size}")
    return _active.concrete(size)
