"""Sets of sizes as isl keeps them: Presburger sets of a few anonymous integers, with every operation remembered.

A ``Region`` knows its variables by position only, so what is learned about H holds for W at no cost:
the two axes of an image almost always ask the same questions. ``Placed`` puts names to the positions.
"""

from __future__ import annotations

import itertools
import operator
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from functools import lru_cache
from math import lcm
from typing import TypeVar

import islpy as isl

from shapelint.sizes import expr as ex
from shapelint.sizes.expr import Env, Expr, Rename

SCALED_LIMIT = 65_536
"""Up to this size a float scale factor's rounding is checked one size at a time."""

MAX_OPERATIONS = 3_000_000
"""Steps isl may take for one question (about a second)."""

MAX_DIVISIONS = 12
"""Of a formula with more floor divisions isl is not asked which values it takes: its own limit would not end that."""

_MAX_ROUNDING_RUNS = 64

_uids = itertools.count()
_SET = isl.dim_type.set
_IN = isl.dim_type.in_


class TooComplex(Exception):
    """A question isl cannot answer within the bounds this tool sets itself, or at all (products)."""


class Region:
    """A set of tuples of ``arity`` integers."""

    __slots__ = ("_memo", "arity", "isl_set", "uid")

    def __init__(self, arity: int, isl_set: isl.Set) -> None:
        self.arity = arity
        self.isl_set = isl_set
        self.uid = next(_uids)
        self._memo: dict[object, object] = {}

    def intersect(self, other: Region) -> Region:
        return self._binary("&", other, lambda: self.isl_set.intersect(other.isl_set))

    def unite(self, other: Region) -> Region:
        return self._binary("|", other, lambda: self.isl_set.union(other.isl_set))

    def subtract(self, other: Region) -> Region:
        return self._binary("-", other, lambda: self.isl_set.subtract(other.isl_set))

    def complement(self) -> Region:
        known = self._memo.get("~")
        if known is None:
            known = self._memo["~"] = Region(self.arity, self.isl_set.complement())
            known._memo["~"] = self
        assert isinstance(known, Region)
        return known

    def _binary(self, op: str, other: Region, compute: object) -> Region:
        key = (op, other.uid)
        known = self._memo.get(key)
        if known is None:
            assert callable(compute)
            result = bounded(lambda: compute().coalesce())
            known = Region(self.arity, result)
            if op == "&":
                if result.plain_is_equal(self.isl_set):
                    known = self
                elif result.plain_is_equal(other.isl_set):
                    known = other
            self._memo[key] = known
        assert isinstance(known, Region)
        return known

    def is_empty(self) -> bool:
        known = self._memo.get("empty")
        if known is None:
            known = self._memo["empty"] = bool(self.isl_set.is_empty())
        return bool(known)

    def is_subset(self, other: Region) -> bool:
        if self is other:
            return True
        key = ("<=", other.uid)
        known = self._memo.get(key)
        if known is None:
            known = self._memo[key] = bounded(lambda: bool(self.isl_set.is_subset(other.isl_set)))
        return bool(known)

    def is_disjoint(self, other: Region) -> bool:
        key = ("disjoint", other.uid)
        known = self._memo.get(key)
        if known is None:
            known = self._memo[key] = bounded(lambda: bool(self.isl_set.is_disjoint(other.isl_set)))
        return bool(known)

    def equals(self, other: Region) -> bool:
        return self is other or (self.is_subset(other) and other.is_subset(self))

    def embed(self, positions: tuple[int, ...], arity: int) -> Region:
        """The same set over more variables: variable ``i`` moves to ``positions[i]`` (increasing)."""
        if len(positions) == arity:
            return self
        key = ("embed", positions, arity)
        known = self._memo.get(key)
        if known is None:
            result = self.isl_set
            for position in range(arity):
                if position not in positions:
                    result = result.insert_dims(_SET, position, 1)
            known = self._memo[key] = Region(arity, result)
        assert isinstance(known, Region)
        return known

    def project(self, positions: tuple[int, ...]) -> Region:
        """The tuples that remain when only the variables at ``positions`` are looked at."""
        if len(positions) == self.arity:
            return self
        key = ("project", positions)
        known = self._memo.get(key)
        if known is None:
            result = self.isl_set
            for position in reversed(range(self.arity)):
                if position not in positions:
                    result = result.project_out(_SET, position, 1)
            known = self._memo[key] = Region(len(positions), result.compute_divs().coalesce())
        assert isinstance(known, Region)
        return known

    def fix(self, position: int, value: int) -> Region:
        """The tuples with this value at this position, which is dropped."""
        fixed = self.isl_set.fix_val(_SET, position, _val(value)).project_out(_SET, position, 1)
        return Region(self.arity - 1, fixed)

    def holds(self, point: tuple[int, ...]) -> bool:
        """Whether the tuple is in the set."""
        key = ("at", point)
        known = self._memo.get(key)
        if known is None:
            fixed = self.isl_set
            for position, value in enumerate(point):
                fixed = fixed.fix_val(_SET, position, _val(value))
            known = self._memo[key] = not fixed.is_empty()
        return bool(known)

    def sample(self) -> tuple[int, ...] | None:
        """The lexicographically least member, or ``None`` where there is none or no least one."""
        if self.is_empty():
            return None
        if not all(self.isl_set.dim_has_lower_bound(_SET, i) for i in range(self.arity)):
            point = self.isl_set.sample_point()
        else:
            point = self.isl_set.lexmin().sample_point()
        return tuple(point.get_coordinate_val(_SET, i).to_python() for i in range(self.arity))

    def closest(self, target: tuple[int, ...]) -> tuple[int, ...] | None:
        """The member with the least sum of distances to ``target``, the first in order among equals."""
        if self.is_empty():
            return None
        names = ", ".join(f"i{n}" for n in range(self.arity))
        far = [f"d{n}" for n in range(self.arity)]
        bounds = [f"d{n} >= i{n} - {t} and d{n} >= {t} - i{n}" for n, t in enumerate(target)]
        conditions = " and ".join([f"s = {' + '.join(far)}", *bounds])
        distance = isl.Map(f"{{ [{names}] -> [s, {names}] : exists {', '.join(far)} : {conditions} }}")
        point = self.isl_set.apply(distance).lexmin().sample_point()
        return tuple(point.get_coordinate_val(_SET, i + 1).to_python() for i in range(self.arity))

    def bounds(self, position: int) -> tuple[int | None, int | None]:
        """Least and greatest value of one variable; ``None`` where there is none."""
        key = ("bounds", position)
        known = self._memo.get(key)
        if known is None:
            single = self.project((position,)).isl_set
            low = single.dim_min_val(0) if not single.is_empty() else isl.Val.nan(single.get_ctx())
            high = single.dim_max_val(0) if not single.is_empty() else isl.Val.nan(single.get_ctx())
            known = self._memo[key] = (
                low.to_python() if low.is_int() else None,
                high.to_python() if high.is_int() else None,
            )
        assert isinstance(known, tuple)
        return known

    def is_finite(self) -> bool:
        known = self._memo.get("finite")
        if known is None:
            known = self._memo["finite"] = self.is_empty() or bool(self.isl_set.is_bounded())
        return bool(known)

    def points(self, limit: int) -> list[tuple[int, ...]] | None:
        """All members in order, or ``None`` when there are more than ``limit`` or infinitely many."""
        # remembered, as it is asked again and again whether a size is one of a few numbers
        key = ("points", limit)
        if key not in self._memo:
            self._memo[key] = self._find_points(limit)
        known = self._memo[key]
        assert known is None or isinstance(known, tuple)
        return None if known is None else list(known)

    def _find_points(self, limit: int) -> tuple[tuple[int, ...], ...] | None:
        if self.is_empty():
            return ()
        if not self.is_finite():
            return None
        count = self.isl_set.count_val()
        if not count.is_int() or count.to_python() > limit:
            return None
        found: list[tuple[int, ...]] = []

        def collect(point: isl.Point) -> None:
            found.append(tuple(point.get_coordinate_val(_SET, i).to_python() for i in range(self.arity)))

        self.isl_set.foreach_point(collect)
        return tuple(sorted(found))

    def members(self, low: int, high: int) -> list[int]:
        """The members of a one-variable set from ``low`` to ``high`` inclusive."""
        window = self.isl_set.intersect(_interval(low, high))
        found: list[int] = []
        window.foreach_point(lambda point: found.append(point.get_coordinate_val(_SET, 0).to_python()))
        return sorted(found)

    def modulus(self) -> int:
        """A number that the residues in this set's description divide into."""
        numbers = re.findall(r"mod (\d+)|/(\d+)\)|(\d+)e\d|(\d+)\*?floor", str(self.isl_set))
        result = 1
        for groups in numbers:
            result = lcm(result, *(int(n) for n in groups if n and int(n) > 0))
        return result

    def __str__(self) -> str:
        return str(self.isl_set)


Answer = TypeVar("Answer")


def bounded(question: Callable[[], Answer]) -> Answer:
    """An answer of isl's, or the admission that it takes too long.

    Raises:
        TooComplex: more steps were needed than one question may take.
    """
    if _deadline is not None and time.monotonic() > _deadline:
        raise TooComplex("sets of sizes took too long")
    context = isl.DEFAULT_CONTEXT
    context.reset_operations()
    context.set_max_operations(_most_operations)
    try:
        return question()
    except isl.Error as error:
        raise TooComplex("a set of sizes became too complex") from error
    finally:
        context.reset_operations()
        context.set_max_operations(_standing_limit)


_standing_limit = 0
_most_operations = MAX_OPERATIONS
_deadline: float | None = None


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Many questions together may take so long; what takes longer is :class:`TooComplex`."""
    global _deadline
    before, _deadline = _deadline, time.monotonic() + seconds
    try:
        yield
    finally:
        _deadline = before


@contextmanager
def limited(operations: int = MAX_OPERATIONS) -> Iterator[None]:
    """Every isl operation within the block is bounded; one that takes too long raises ``isl.Error``.

    ``operations`` is what one question may take; several that are asked together, four times that.
    """
    global _most_operations, _standing_limit
    most, _most_operations = _most_operations, operations
    before, _standing_limit = _standing_limit, 4 * operations
    isl.DEFAULT_CONTEXT.reset_operations()
    isl.DEFAULT_CONTEXT.set_max_operations(_standing_limit)
    try:
        yield
    finally:
        _standing_limit, _most_operations = before, most
        isl.DEFAULT_CONTEXT.set_max_operations(before)


def universe(arity: int) -> Region:
    return _universe(arity)


@lru_cache(maxsize=64)
def _universe(arity: int) -> Region:
    return Region(arity, isl.Set.universe(_set_space(arity)))


@lru_cache(maxsize=64)
def empty(arity: int) -> Region:
    return Region(arity, isl.Set.empty(_set_space(arity)))


@lru_cache(maxsize=64)
def positive(arity: int) -> Region:
    """Every variable at least 1: what an input size is."""
    text = ",".join(f"i{n}" for n in range(arity))
    condition = " and ".join(f"i{n} >= 1" for n in range(arity)) or "true"
    return Region(arity, isl.Set(f"{{ [{text}] : {condition} }}"))


def possible(names: tuple[str, ...]) -> Region:
    """What these symbols can be at all: sizes at least 1; what a square root leaves, products and counts at least 0."""
    return _at_least_each(tuple(map(_least, names)))


def _least(name: str) -> int:
    may_be_zero = name in ex.products or ex.is_count(name) or (name in ex.roots and ex.roots[name].rest == name)
    return int(not may_be_zero)


@lru_cache(maxsize=256)
def _at_least_each(least: tuple[int, ...]) -> Region:
    if all(least):
        return positive(len(least))
    text = ",".join(f"i{n}" for n in range(len(least)))
    condition = " and ".join(f"i{n} >= {low}" for n, low in enumerate(least))
    return Region(len(least), isl.Set(f"{{ [{text}] : {condition} }}"))


@lru_cache(maxsize=1)
def root_and_rest() -> Region:
    """A square root (second) and what it leaves (first), which are named in this order."""
    return Region(2, isl.Set("{ [rest, root] : root >= 1 and 0 <= rest <= 2root }"))


def from_points(arity: int, points: Iterable[tuple[int, ...]]) -> Region:
    """Just these tuples."""
    return _of_points(arity, tuple(sorted(set(points))))


# remembered, and so is what is asked of it: the next condition leaves the same points, or the next path
@lru_cache(maxsize=64)
def _of_points(arity: int, points: tuple[tuple[int, ...], ...]) -> Region:
    if not points or not arity:
        return universe(0) if points else empty(arity)
    names = [f"i{n}" for n in range(arity)]
    # a few boxes are much less work for isl than many points
    texts = [
        " and ".join(f"{low} <= {name} <= {high}" for name, (low, high) in zip(names, box, strict=True))
        for box in _boxes(points)
    ]
    of = f"[{','.join(names)}]"
    return Region(arity, isl.Set(f"{{ {'; '.join(f'{of} : {text}' for text in texts)} }}").coalesce())


Ranges = tuple[tuple[int, int], ...]
"""For each variable the least and the largest number."""


def _boxes(points: Iterable[tuple[int, ...]]) -> list[Ranges]:
    """Points in order as boxes: neighbours that go on alike are one."""
    runs: list[tuple[int, int, list[Ranges]]] = []
    for number, group in itertools.groupby(points, key=operator.itemgetter(0)):
        others = [point[1:] for point in group]
        rest: list[Ranges] = _boxes(others) if others[0] else [()]
        if runs and runs[-1][1] == number - 1 and runs[-1][2] == rest:
            runs[-1] = (runs[-1][0], number, rest)
        else:
            runs.append((number, number, rest))
    return [((low, high), *box) for low, high, rest in runs for box in rest]


def residues(modulus: int, classes: Iterable[int], low: int) -> Region:
    """One variable, at least ``low``, whose remainder by ``modulus`` is one of ``classes``."""
    # neighbouring classes as one range: isl compares a few pieces much faster than many
    runs: list[list[int]] = []
    for r in sorted(classes):
        if runs and r == runs[-1][1] + 1:
            runs[-1][1] = r
        else:
            runs.append([r, r])
    parts = [f"[i] : i >= {low} and {first} <= i mod {modulus} <= {last}" for first, last in runs]
    return Region(1, isl.Set(f"{{ {'; '.join(parts)} }}")) if parts else empty(1)


def interval(low: int, high: int) -> Region:
    return Region(1, _interval(low, high))


def _interval(low: int, high: int) -> isl.Set:
    return isl.Set(f"{{ [i] : {low} <= i <= {high} }}")


def _val(number: int) -> isl.Val:
    # isl counts without bound, its Python constructor from an int only to 64 bits
    return isl.Val(number) if abs(number) < 2**62 else isl.Val(str(number))


@lru_cache(maxsize=64)
def _set_space(arity: int) -> isl.Space:
    return isl.Set(f"{{ [{','.join(f'i{n}' for n in range(arity))}] }}").get_space()


# --- named regions -----------------------------------------------------------------------------------


class Placed:
    """A region over named symbols (sorted by name)."""

    __slots__ = ("key", "region", "support")

    def __init__(self, support: tuple[str, ...], region: Region) -> None:
        self.support = support
        self.region = region
        self.key = (support, region.uid)

    def holds(self, env: Env) -> bool:
        return self.region.holds(tuple(ex.symbol_value(name, env) for name in self.support))

    def rename(self, names: Rename) -> Placed:
        """The same set over other symbols, whose names must keep their order, or with numbers for some of them."""
        kept: list[str] = []
        region = self.region
        for name in self.support:
            new = names.get(name, name)
            if isinstance(new, int):
                region = region.fix(len(kept), new)
            elif isinstance(new, Expr):
                raise TooComplex("a set of sizes is asked for other sizes")
            else:
                kept.append(new)
        return Placed(tuple(kept), region)

    def over(self, support: tuple[str, ...]) -> Region:
        """The region over more symbols."""
        if support == self.support:
            return self.region
        return self.region.embed(tuple(support.index(name) for name in self.support), len(support))

    def __str__(self) -> str:
        return describe(self.region, self.support)


def describe(region: Region, support: tuple[str, ...]) -> str:
    """The isl text with the symbols' names in place of the positions."""
    named = region.isl_set
    for position, name in enumerate(support):
        named = named.set_dim_name(_SET, position, name)
    text = str(named)
    return text[text.find(":") + 1 :].strip(" {}") if ":" in text else text


# --- conditions on expressions ------------------------------------------------------------------------

_ANON = [f"_{n:02d}" for n in range(100)]


def anonymous(a: Expr) -> Expr:
    """``a`` over positional symbols, so that formulas that differ in names only share what is known of them."""
    known = a.memo.get("anonymous")
    if known is None:
        names = dict(zip(a.support, _ANON, strict=False))
        known = a.memo["anonymous"] = a.rename(names)
        known.memo["anonymous"] = known
    assert isinstance(known, Expr)
    return known


def region_where(a: Expr, op: str) -> Region:
    """The sizes where affine ``a`` satisfies ``op`` ("==", "!=" or ">=") 0, by position in ``a.support``."""
    general = anonymous(a)
    key = ("where", op)
    known = general.memo.get(key)
    if known is None:
        known = general.memo[key] = Region(len(general.support), bounded(lambda: _set_where(general, op)))
    assert isinstance(known, Region)
    return known


def _set_where(general: Expr, op: str) -> isl.Set:
    function = affine_function(general, len(general.support))
    if op == "==":
        return function.zero_set().coalesce()
    return (function.nonneg_set() if op == ">=" else function.non_zero_set()).coalesce()


def affine_function(a: Expr, arity: int) -> isl.PwAff:
    """An affine expression over positional symbols as isl's piecewise quasi-affine function."""
    key = ("isl", arity)
    known = a.memo.get(key)
    if known is not None:
        assert isinstance(known, isl.PwAff)
        return known
    result = isl.PwAff.from_aff(isl.Aff.val_on_domain(isl.LocalSpace.from_space(_set_space(arity)), _val(a.const)))
    for term, coefficient in a.items:
        piece = _term_function(term, arity)
        result = result.add(piece.scale_val(_val(coefficient)) if coefficient != 1 else piece)
    a.memo[key] = result
    return result


def _term_function(term: ex.Term, arity: int) -> isl.PwAff:
    if isinstance(term, ex.Symbol):
        local = isl.LocalSpace.from_space(_set_space(arity))
        return isl.PwAff.from_aff(isl.Aff.var_on_domain(local, _SET, _ANON.index(term.name)))
    if isinstance(term, ex.FloorDiv):
        inner = affine_function(term.numerator, arity)
        return inner.scale_down_val(_val(term.divisor)).floor()
    if isinstance(term, ex.Pos):
        inner = affine_function(term.inner, arity)
        return inner.max(isl.PwAff.zero_on_domain(isl.LocalSpace.from_space(_set_space(arity))))
    if isinstance(term, ex.Scaled):
        return _scaled_function(affine_function(term.inner, arity), term.factor)
    if isinstance(term, ex.Piece):
        return _piece_function(term, arity)
    raise TooComplex(f"{term} is not an affine function of the sizes")


def _piece_function(term: ex.Piece, arity: int) -> isl.PwAff:
    everywhere = tuple(_ANON[:arity])
    result: isl.PwAff | None = None
    for where, value in term.cases:
        piece = affine_function(value, arity).intersect_domain(where.over(everywhere).isl_set)
        result = piece if result is None else result.union_add(piece)
    assert result is not None
    return result.coalesce()


def _scaled_function(inner: isl.PwAff, factor: float) -> isl.PwAff:
    ratio, exceptions = _rounding(factor)
    scaled = inner.scale_val(_val(ratio.numerator)).scale_down_val(_val(ratio.denominator)).floor()
    space = isl.LocalSpace.from_space(inner.get_domain_space())
    for correction, where in exceptions:
        at = where.apply(isl.Map.from_pw_aff(inner).reverse())
        fixed = isl.PwAff.from_aff(isl.Aff.val_on_domain(space, _val(correction)))
        scaled = scaled.add(fixed.intersect_domain(at).union_add(isl.PwAff.zero_on_domain(space).subtract_domain(at)))
    return scaled.coalesce()


@lru_cache(maxsize=256)
def _rounding(factor: float) -> tuple[Fraction, tuple[tuple[int, isl.Set], ...]]:
    """A ratio whose floor is that of the float's product, and by how much and where double precision departs.

    Departures lie among the multiples of the ratio's denominator and, since rounding is relative, fill one
    interval in every range between powers of two: so a few intervals describe them.

    Raises:
        TooComplex: there are more departures than a set can carry.
    """
    for ratio in (Fraction(factor).limit_denominator(4096), Fraction(factor)):
        a, b = ratio.numerator, ratio.denominator
        runs: dict[int, list[list[int]]] = {}
        for w in range(SCALED_LIMIT):
            difference = int(float(w) * factor // 1) - a * w // b
            if difference:
                found = runs.setdefault(difference, [])
                if found and found[-1][1] + b == w:
                    found[-1][1] = w
                else:
                    found.append([w, w])
        if sum(map(len, runs.values())) <= _MAX_ROUNDING_RUNS:
            return ratio, tuple((d, _stepped(found, b)) for d, found in runs.items())
    raise TooComplex(f"the scale factor {factor!r} rounds differently at too many sizes")


def _stepped(runs: list[list[int]], step: int) -> isl.Set:
    parts = [f"[i] : {low} <= i <= {high} and (i - {low}) mod {step} = 0" for low, high in runs]
    return isl.Set(f"{{ {'; '.join(parts)} }}")


def value_region(a: Expr, where: Placed) -> Region:
    """The values an affine expression takes over a set of sizes, as a set of one variable.

    Raises:
        TooComplex: it is made of so many floor divisions that isl may take hours to tell.
    """
    if len(divisions(a)) > MAX_DIVISIONS:
        raise TooComplex(f"{a} has more than {MAX_DIVISIONS} floor divisions in it")
    general = anonymous(a)
    region = where.region.project(tuple(where.support.index(name) for name in a.support))
    key = ("values", region.uid)
    known = general.memo.get(key)
    if known is None:
        graph = isl.Map.from_pw_aff(affine_function(general, len(a.support)))
        image = region.isl_set.apply(graph).compute_divs().coalesce()
        known = general.memo[key] = Region(1, image)
    assert isinstance(known, Region)
    return known


def divisions(a: Expr) -> frozenset[int]:
    """The floor divisions (and other terms than symbols) in a formula, each counted once."""
    known = a.memo.get("divisions")
    if known is None:
        found: set[int] = set()
        for term, _ in a.items:
            if not isinstance(term, ex.Symbol):
                found |= {term.uid}.union(*(divisions(part) for part in term.parts()))
        known = a.memo["divisions"] = frozenset(found)
    assert isinstance(known, frozenset)
    return known


def divisors(number: int) -> Iterator[int]:
    """Positive divisors in increasing order."""
    number = abs(number)
    small = [d for d in range(1, int(number**0.5) + 1) if number % d == 0]
    yield from small
    yield from (number // d for d in reversed(small) if d * d != number)


def as_env(support: Iterable[str], point: Iterable[int]) -> Mapping[str, int]:
    return dict(zip(support, point, strict=True))


def parse(arity: int, text: str) -> Region:
    """A region from isl's text form."""
    return Region(arity, isl.Set(text))


def at_least(low: int) -> Region:
    return half_line(low, upwards=True)


@lru_cache(maxsize=256)
def half_line(bound: int, *, upwards: bool) -> Region:
    """One variable, from ``bound`` upwards or downwards."""
    return Region(1, isl.Set(f"{{ [i] : i {'>=' if upwards else '<='} {bound} }}"))


@lru_cache(maxsize=1)
def diagonal() -> Region:
    return Region(2, isl.Set("{ [i, j] : i = j }"))


def alike(arity: int) -> Region:
    """All variables equal."""
    names = [f"i{position}" for position in range(arity)]
    return parse(arity, f"{{ [{', '.join(names)}] : {' = '.join(names)} }}")
