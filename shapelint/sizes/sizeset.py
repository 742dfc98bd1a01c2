"""``SizeSet``: a set of input sizes that a person can read, ask and compare."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shapelint.sizes import expr as ex
from shapelint.sizes import region as rg
from shapelint.sizes.condition import Condition, Member
from shapelint.sizes.domain import Domain
from shapelint.sizes.region import Placed, Region, TooComplex

MAX_MODULUS = 50_000
MAX_LISTED = 24
"""A finite set of at most this many sizes is listed one by one."""


@dataclass(frozen=True, slots=True)
class AxisSizes:
    """One axis in normal form: from ``start`` on the ``residues`` by ``modulus``, and ``exceptions`` below.

    Attributes:
        start: least size of the regular part; ``None`` if there is none (a finite set).
        modulus: least period of the regular part.
        residues: remainders by the modulus that occur, increasing.
        exceptions: sizes below ``start`` that belong to the set too, increasing.
    """

    start: int | None
    modulus: int
    residues: tuple[int, ...]
    exceptions: tuple[int, ...]

    def sentence(self) -> str:
        """In words: "multiples of 16, at least 16"."""
        if self.start is None:
            return _finite_sentence(self.exceptions)
        first = f", at least {self.start}" if self.start > 2 else ""
        if self.modulus == 1:
            text = "all sizes" if self.start <= 1 else f"at least {self.start}"
        elif self.residues == (0,):
            text = "even sizes" if self.modulus == 2 else f"multiples of {self.modulus}"
            text += first
        elif self.modulus == 2:
            text = f"odd sizes{first}"
        elif len(self.residues) == 1:
            text = f"{self.residues[0]} more than a multiple of {self.modulus}{first}"
        else:
            text = f"size mod {self.modulus} in {_ranges(self.residues)}{first}"
        return f"{text}, and {_ranges(self.exceptions)}" if self.exceptions else text


def _finite_sentence(sizes: Sequence[int]) -> str:
    if not sizes:
        return "none"
    if len(sizes) == 1:
        return f"exactly {sizes[0]}"
    step = sizes[1] - sizes[0]
    regular = len(sizes) > 3 and all(b - a == step for a, b in itertools.pairwise(sizes))
    if regular and step > 1 and sizes[0] % step == 0:
        return f"multiples of {step} from {sizes[0]} to {sizes[-1]}"
    return _ranges(sizes)


def _ranges(values: Sequence[int]) -> str:
    parts: list[str] = []
    ordered = list(values)
    position = 0
    while position < len(ordered):
        end = position
        while end + 1 < len(ordered) and ordered[end + 1] == ordered[end] + 1:
            end += 1
        low, high = ordered[position], ordered[end]
        parts.append(str(low) if low == high else f"{low}, {high}" if high == low + 1 else f"{low} to {high}")
        position = end + 1
    if len(parts) > MAX_LISTED:
        parts = [*parts[: MAX_LISTED - 1], "…", parts[-1]]
    return ", ".join(parts)


class SizeSet:
    """A set of input sizes over named symbols.

    ``{"H": 64, "W": 64} in sizes``, ``(64, 64) in sizes`` (in the order of ``sizes.symbols``); ``&``, ``|``,
    ``-``; ``str(sizes)`` is a sentence, the same for equal sets.
    """

    __slots__ = ("_sentence", "domain")

    def __init__(self, domain: Domain) -> None:
        self.domain = domain
        self._sentence: str | None = None

    @classmethod
    def where(cls, symbols: Iterable[str], *conditions: bool | Condition) -> SizeSet:
        """The sizes, all at least 1, for which every condition holds."""
        domain = Domain.positive(symbols)
        for condition in conditions:
            domain = domain.restrict(condition)
        return cls(domain)

    @classmethod
    def from_points(cls, symbols: Sequence[str], points: Iterable[tuple[int, ...]]) -> SizeSet:
        """A finite set."""
        support = tuple(sorted(symbols))
        ordered = [tuple(p[symbols.index(name)] for name in support) for p in points]
        region = Placed(support, rg.from_points(len(support), ordered))
        return cls(Domain.positive(symbols).restrict(Member(region)))

    @property
    def symbols(self) -> tuple[str, ...]:
        return self.domain.symbols

    def __contains__(self, sizes: Mapping[str, int] | Sequence[int] | int) -> bool:
        env = self._env(sizes)
        missing = [name for name in self.symbols if name not in env]
        if missing:
            return not self.domain.fix(env).is_empty()
        return self.domain.contains(env)

    def _env(self, sizes: Mapping[str, int] | Sequence[int] | int) -> dict[str, int]:
        if isinstance(sizes, Mapping):
            unknown = [name for name in sizes if name not in self.symbols]
            if unknown:
                raise KeyError(f"no size is called {unknown[0]}; the sizes are {', '.join(self.symbols)}")
            return dict(sizes)
        values = (sizes,) if isinstance(sizes, int) else tuple(sizes)
        names = self.symbols
        if len(values) == len(names) - 1 and names[0] == "N":
            names = names[1:]
        if len(values) != len(names):
            raise ValueError(f"{len(values)} numbers given for the sizes {', '.join(self.symbols)}")
        return dict(zip(names, values, strict=True))

    def is_empty(self) -> bool:
        return self.domain.is_empty()

    def __bool__(self) -> bool:
        return not self.is_empty()

    def is_finite(self) -> bool:
        return self.is_empty() or all(p.region.is_finite() for p in self.domain.distinct())

    def __and__(self, other: SizeSet) -> SizeSet:
        mine, theirs = _aligned(self, other)
        return SizeSet(mine.intersect(theirs))

    def __or__(self, other: SizeSet) -> SizeSet:
        mine, theirs = _aligned(self, other)
        return SizeSet(mine.unite(theirs))

    def __sub__(self, other: SizeSet) -> SizeSet:
        mine, theirs = _aligned(self, other)
        return SizeSet(mine.subtract(theirs))

    def __le__(self, other: SizeSet) -> bool:
        mine, theirs = _aligned(self, other)
        return mine.is_subset(theirs)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SizeSet) and self <= other and other <= self

    def __hash__(self) -> int:
        return hash(str(self))

    def project(self, *symbols: str) -> SizeSet:
        """What remains when only these symbols are looked at."""
        return SizeSet(self.domain.project(symbols))

    def fixed(self, **sizes: int) -> SizeSet:
        """The sizes of the other symbols once these are known."""
        return SizeSet(self.domain.fix(sizes))

    def axis(self, symbol: str) -> AxisSizes:
        """One symbol's sizes, whatever the others are, in normal form.

        Raises:
            TooComplex: no period of reasonable length describes it.
        """
        return normal_form(
            self.domain.over((symbol,)).region.project((self.domain.over((symbol,)).support.index(symbol),))
        )

    def least(self) -> dict[str, int] | None:
        """The smallest member, ``None`` if the set is empty (or, with square roots, has none up to 256)."""
        if self.is_empty():
            return None
        if self.domain.has_roots:
            return next(iter(self.enumerate(256)), None)
        return self.domain.sample()

    def enumerate(self, limit: int = 512) -> Iterator[dict[str, int]]:
        """Members with every size at most ``limit``, in order."""
        axes: list[list[tuple[tuple[str, ...], tuple[int, ...]]]] = []
        for placed in self.domain.project(self.symbols).distinct():
            box = placed.region
            for position in range(len(placed.support)):
                box = box.intersect(rg.interval(1, limit).embed((position,), len(placed.support)))
            points = box.points(10_000_000) or []
            axes.append([(placed.support, p) for p in points])
        for combination in itertools.product(*axes):
            env = {n: v for names, point in combination for n, v in zip(names, point, strict=True)}
            if not self.domain.has_roots or self.domain.contains(env):
                yield {name: env[name] for name in self.symbols}

    def next_at_least(self, **sizes: int) -> dict[str, int] | None:
        """The least member that is nowhere below these sizes (by total growth, then in order)."""
        return self._nearest(sizes, upwards=True)

    def last_at_most(self, **sizes: int) -> dict[str, int] | None:
        """The greatest member that is nowhere above these sizes."""
        return self._nearest(sizes, upwards=False)

    def nearest(self, **sizes: int) -> tuple[dict[str, int], ...]:
        """The members next below and next above these sizes."""
        found = (self.last_at_most(**sizes), self.next_at_least(**sizes))
        return tuple(s for i, s in enumerate(found) if s is not None and s not in found[:i])

    def _nearest(self, sizes: Mapping[str, int], *, upwards: bool) -> dict[str, int] | None:
        env = self._env(sizes)
        result: dict[str, int] = {}
        domain = self.domain
        for placed in domain.distinct():
            region = placed.region
            for position, name in enumerate(placed.support):
                if name not in env:
                    continue
                bound = rg.half_line(env[name], upwards=upwards)
                region = region.intersect(bound.embed((position,), len(placed.support)))
            point = region.closest(tuple(env.get(name, 1) for name in placed.support))
            if point is None:
                return None
            result.update(zip(placed.support, point, strict=True))
        return {name: result[name] for name in self.symbols if name in env or name != "N"}

    def sentence(self, ignoring: Iterable[str] = ("N",)) -> str:
        """In words: "H and W: multiples of 16, at least 16"."""
        if self.is_empty():
            return "no sizes"
        if self.domain.has_roots:
            squares = dict.fromkeys(str(ex.roots[n].square) for n in self.domain.factors if n in ex.roots)
            text = SizeSet(self.domain.project(self.symbols)).sentence(ignoring)
            return f"{text}; of these, some only: it depends on the square root of {_and(list(squares))}"
        names = [n for n in self.symbols if n not in set(ignoring) or not self._is_unrestricted(n)]
        if not names:
            return "all sizes"
        parts: list[str] = []
        coupled: list[str] = []
        by_text: dict[str, list[str]] = {}
        for placed in SizeSet(self.domain.project(names)).domain.distinct():
            if len(placed.support) == 1:
                by_text.setdefault(_axis_sentence(placed.region), []).append(placed.support[0])
            else:
                coupled.append(_coupled_sentence(placed))
        order = {name: i for i, name in enumerate(self.symbols)}
        for text, axes in by_text.items():
            axes.sort(key=order.__getitem__)
            parts.append(f"{_and(axes)}: {text}")
        return "; ".join(parts + coupled)

    def _is_unrestricted(self, name: str) -> bool:
        placed = self.domain.factors[name]
        return len(placed.support) == 1 and rg.positive(1).is_subset(placed.region)

    def __str__(self) -> str:
        if self._sentence is None:
            self._sentence = self.sentence()
        return self._sentence

    def __repr__(self) -> str:
        return f"SizeSet({self})"

    def to_data(self) -> dict[str, Any]:
        """The set as plain data, exactly; ``text`` is for people."""
        factors = [[list(p.support), str(p.region)] for p in self.domain.distinct()]
        return {"symbols": list(self.symbols), "factors": factors, "text": str(self)}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> SizeSet:
        """The set that ``to_data`` wrote."""
        domain = Domain.positive(data["symbols"])
        for support, text in data["factors"]:
            domain = domain.restrict(Member(Placed(tuple(support), rg.parse(len(support), text))))
        return cls(domain)

    def __reduce__(self) -> Any:
        return SizeSet.from_data, (self.to_data(),)


def _aligned(a: SizeSet, b: SizeSet) -> tuple[Domain, Domain]:
    """Both over the symbols of either; a symbol that one does not mention is free in it."""
    names = tuple(dict.fromkeys((*a.symbols, *b.symbols)))
    free = Domain.positive(names).factors
    return (
        Domain({n: a.domain.factors.get(n, free[n]) for n in names}),
        Domain({n: b.domain.factors.get(n, free[n]) for n in names}),
    )


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _axis_sentence(region: Region) -> str:
    try:
        return normal_form(region).sentence()
    except TooComplex:
        return rg.describe(region, ("size",))


def normal_form(region: Region) -> AxisSizes:
    """A set of single sizes as threshold, modulus, residues and exceptions. The form is proven equal to the set.

    Raises:
        TooComplex: no period up to a bound describes it.
    """
    known = region._memo.get("normal form")
    if known is None:
        known = region._memo["normal form"] = _normal_form(region)
    assert isinstance(known, AxisSizes)
    return known


def _normal_form(region: Region) -> AxisSizes:
    region = region.intersect(rg.at_least(0))
    if region.is_empty():
        return AxisSizes(None, 1, (), ())
    if region.is_finite():
        low, high = region.bounds(0)
        assert low is not None
        assert high is not None
        return AxisSizes(None, 1, (), tuple(region.members(low, high)))
    modulus = region.modulus()
    if modulus > MAX_MODULUS:
        raise TooComplex(f"the set's period is {modulus}")
    # The irregular part ends at an unknown size: look further until the tail's description is proven.
    for reach in (64, 1024, 16_384, 131_072):
        start = max(reach, 2 * modulus)
        members = region.members(0, start + 2 * modulus - 1)
        present = set(members)
        tail = tuple(r for r in range(modulus) if start - start % modulus + modulus + r in present)
        # the least period first: isl compares few classes much faster than many
        smallest = _least_period(modulus, frozenset(tail))
        classes = tuple(sorted({r % smallest for r in tail}))
        regular = rg.residues(smallest, classes, start)
        if not regular.equals(region.intersect(rg.at_least(start))):
            continue
        first = start
        while first > 0 and (first - 1 in present) == ((first - 1) % smallest in classes):
            first -= 1
        below = tuple(m for m in members if m < first)
        begin = min(m for m in range(first, first + smallest) if m % smallest in classes)
        return AxisSizes(begin, smallest, classes, below)
    raise TooComplex("the set becomes regular only beyond the sizes looked at")


def _least_period(modulus: int, residues: frozenset[int]) -> int:
    for period in rg.divisors(modulus):
        if all(((r + period) % modulus) in residues for r in residues):
            return period
    return modulus


def _coupled_sentence(placed: Placed) -> str:
    names, region = placed.support, placed.region
    points = region.points(MAX_LISTED)
    label = " × ".join(names)
    if points is not None:
        return f"{label}: " + ", ".join(" × ".join(map(str, p)) for p in points)
    if region.is_finite():
        count = region.isl_set.count_val().to_python()
        alike = region.intersect(rg.alike(len(names))).sample()
        example = alike or region.sample()
        assert example is not None
        which = "among them" if alike else "the first is"
        spans = []
        for position, name in enumerate(names):
            low, high = region.bounds(position)
            spans.append(f"{name} from {low} to {high}")
        return f"{label}: {count} combinations ({', '.join(spans)}; {which} {' × '.join(map(str, example))})"
    box = rg.universe(len(names))
    axes: dict[str, list[str]] = {}
    for position, name in enumerate(names):
        alone = region.project((position,))
        axes.setdefault(_axis_sentence(alone), []).append(name)
        box = box.intersect(alone.embed((position,), len(names)))
    text = "; ".join(f"{_and(group)}: {sentence}" for sentence, group in axes.items())
    missing = box.subtract(region)
    absent = missing.points(MAX_LISTED)
    if absent is not None:
        return f"{text}; but not {label} = " + ", ".join(" × ".join(map(str, p)) for p in absent)
    if missing.is_finite():
        corner = " and ".join(f"{n} ≤ {missing.bounds(i)[1]}" for i, n in enumerate(names))
        if all(missing.bounds(i)[1] is not None for i in range(len(names))) and _is_corner(missing, box):
            return f"{text}; but not {corner} together"
        return f"{text}; but not some pairs with {corner}"
    if len(names) == 2 and region.equals(box.intersect(rg.diagonal())):
        return f"{names[0]} = {names[1]}, {text}"
    return f"{text}; where {rg.describe(region, names)}"


def _is_corner(missing: Region, box: Region) -> bool:
    corner = box
    for position in range(missing.arity):
        high = missing.bounds(position)[1]
        assert high is not None
        corner = corner.intersect(rg.interval(0, high).embed((position,), missing.arity))
    return corner.equals(missing)
