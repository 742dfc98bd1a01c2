"""The sizes that are still possible on a path: a product of sets over separate symbols.

H and W stay apart as long as nothing couples them; a condition on both joins their factors, and factors
that turn out to be independent again are split.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from shapelint.sizes import expr as ex
from shapelint.sizes import region as rg
from shapelint.sizes.condition import Both, Comparison, Condition, Either, Member, Not
from shapelint.sizes.expr import Expr
from shapelint.sizes.region import Placed, Region, TooComplex

MAX_SPLIT_PIECES = 32
"""A factor of more pieces than this is not looked through for independent parts."""

MAX_POINTS = 20_000
"""A finite domain of at most this many points answers what no set expresses, point by point."""


class _Factors(dict[str, Placed]):
    """Factors by symbol; a square root's two symbols are free until something restricts them."""

    def __missing__(self, name: str) -> Placed:
        found = ex.roots[name]
        return Placed((found.rest, found.root), rg.root_and_rest())


class Domain:
    """A set of sizes, factored. Immutable.

    Attributes:
        factors: every symbol's factor; symbols that are coupled share one.
    """

    __slots__ = ("factors",)

    factors: Mapping[str, Placed]

    def __init__(self, factors: Mapping[str, Placed]) -> None:
        self.factors = factors if type(factors) is _Factors else _Factors(factors)

    @classmethod
    def positive(cls, symbols: Iterable[str]) -> Domain:
        """Every size at least 1."""
        return cls({name: Placed((name,), rg.positive(1)) for name in symbols})

    @property
    def symbols(self) -> tuple[str, ...]:
        """The input sizes (not the square roots of expressions of them)."""
        return tuple(name for name in self.factors if name not in ex.roots)

    @property
    def has_roots(self) -> bool:
        """Whether square roots restrict these sizes, which is beyond what a set alone can say."""
        return any(name in ex.roots for name in self.factors)

    def distinct(self) -> list[Placed]:
        """Each factor once, in the order of the symbols."""
        return list({placed.key: placed for placed in self.factors.values()}.values())

    def is_empty(self) -> bool:
        return any(placed.region.is_empty() for placed in self.factors.values())

    def over(self, support: Sequence[str]) -> Placed:
        """The joint factor of all symbols that ``support`` touches."""
        first = self.factors[support[0]]
        if all(self.factors[name] is first for name in support):
            return first
        touched = list({self.factors[name].key: self.factors[name] for name in support}.values())
        joint = tuple(sorted(name for placed in touched for name in placed.support))
        result = touched[0].over(joint)
        for placed in touched[1:]:
            result = result.intersect(placed.over(joint))
        return Placed(joint, result)

    def status(self, condition: bool | Condition) -> bool | None:
        """True where the condition holds for all these sizes, False for none, ``None`` for some.

        Raises:
            TooComplex: that cannot be found out.
        """
        if not isinstance(condition, Condition):
            return condition
        known = self._by_bounds(condition)
        if known is not None:
            return known
        here, where = self._meet(condition)
        if here.region.is_subset(where):
            return True
        return False if here.region.is_disjoint(where) else None

    def _by_bounds(self, condition: Condition) -> bool | None:
        """The answer where the bounds of a product's factors decide already, which saves splitting it into cases."""
        if isinstance(condition, Comparison):
            if condition.expr.affine:
                return None
            low, high = self.bounds(condition.expr)
            above, below = low is not None and low > 0, high is not None and high < 0
            if condition.op == ">=":
                return True if low is not None and low >= 0 else False if below else None
            return condition.op == "!=" if above or below else None
        if isinstance(condition, (Both, Either)):
            decisive = isinstance(condition, Either)
            answers = [self._by_bounds(part) for part in condition.parts]
            if decisive in answers:
                return decisive
            return None if None in answers else not decisive
        if isinstance(condition, Not):
            inner = self._by_bounds(condition.part)
            return None if inner is None else not inner
        return None

    def bounds(self, a: Expr) -> tuple[int | None, int | None]:
        """Bounds on an expression's values over these sizes, not always the tightest; ``None`` for none known."""
        affine = ex.make([(t, c) for t, c in a.items if t.affine], a.const)
        low, high = self._affine_bounds(affine)
        for term, coefficient in a.items:
            if term.affine:
                continue
            part = self._product_bounds(term)
            first, second = part if coefficient > 0 else (part[1], part[0])
            low = None if low is None or first is None else low + coefficient * first
            high = None if high is None or second is None else high + coefficient * second
        return low, high

    def _affine_bounds(self, a: Expr) -> tuple[int | None, int | None]:
        if not a.items:
            return a.const, a.const
        return rg.value_region(a, self.over(a.support)).bounds(0)

    def _product_bounds(self, term: ex.Term) -> tuple[int | None, int | None]:
        if not isinstance(term, ex.Product):
            return None, None
        low, high = 1, 1
        bounded = True
        for factor in term.factors:
            least, most = self.bounds(factor)
            if least is None or least < 0:
                return None, None
            low *= least
            if most is None:
                bounded = False
            else:
                high *= most
        return low, high if bounded else None

    def restrict(self, condition: bool | Condition) -> Domain:
        """The sizes among these for which the condition holds."""
        if not isinstance(condition, Condition):
            return self if condition else self._emptied()
        here, where = self._meet(condition)
        if not condition.support():
            return self._emptied() if where.is_empty() else self
        return self._with(here.support, here.region.intersect(where))

    def _meet(self, condition: Condition) -> tuple[Placed, Region]:
        """The factors that a condition touches, and where it holds, over the same symbols."""
        support = condition.support()
        if not support:
            return Placed((), rg.universe(0)), condition.placed().region
        here = self.over(support)
        try:
            placed = condition.placed()
            if not set(placed.support) <= set(here.support):
                # it was restated with a square root's own symbols
                here = self.over(sorted({*support, *placed.support}))
            for assumed in condition.assumptions():
                if self.status(assumed) is not True:
                    raise TooComplex(f"{assumed} is not known, which {condition} rests on")
        except TooComplex:
            return here, self._pointwise(here, condition)
        return here, placed.over(here.support)

    def _pointwise(self, here: Placed, condition: Condition) -> Region:
        points = here.region.points(MAX_POINTS)
        if points is None:
            raise TooComplex(f"{condition} is beyond what a set of sizes can express")
        kept: list[tuple[int, ...]] = []
        dropped: list[tuple[int, ...]] = []
        for point in points:
            (kept if condition.evaluate(rg.as_env(here.support, point)) else dropped).append(point)
        if not dropped:
            return here.region
        if len(dropped) < len(kept):
            return here.region.subtract(rg.from_points(len(here.support), dropped))
        return rg.from_points(len(here.support), kept)

    def _with(self, support: tuple[str, ...], region: Region) -> Domain:
        factors = _Factors(self.factors)
        for placed in split(Placed(support, region)):
            for name in placed.support:
                factors[name] = placed
        return Domain(factors)

    def _emptied(self) -> Domain:
        return Domain({name: Placed((name,), rg.empty(1)) for name in self.factors})

    def intersect(self, other: Domain) -> Domain:
        result = self
        for placed in other.distinct():
            result = result.restrict(Member(placed))
        return result

    def subtract(self, other: Domain) -> Domain:
        """The sizes among these that are not among the others."""
        changed = [p for p in other.distinct() if self.status(Member(p)) is not True]
        if not changed:
            return self._emptied()
        return self.restrict(_outside(changed))

    def unite(self, other: Domain) -> Domain:
        if other.is_empty():
            return self
        if self.is_empty():
            return other
        names = dict.fromkeys((*self.factors, *other.factors))
        differing = [name for name in names if self.factors[name].key != other.factors[name].key]
        if not differing:
            return self
        mine, theirs = self.over(differing), other.over(differing)
        while set(mine.support) != set(theirs.support):
            joint = tuple(sorted({*mine.support, *theirs.support}))
            mine, theirs = self.over(joint), other.over(joint)
        return self._with(mine.support, mine.region.unite(theirs.region))

    def contains(self, env: Mapping[str, int]) -> bool:
        return all(placed.holds(env) for placed in self.distinct())

    def project(self, names: Iterable[str]) -> Domain:
        """What remains when only these symbols are looked at."""
        wanted = set(names)
        factors: dict[str, Placed] = {}
        for placed in self.distinct():
            kept = tuple(name for name in placed.support if name in wanted)
            if placed.region.is_empty():
                return Domain({name: Placed((name,), rg.empty(1)) for name in self.factors if name in wanted})
            if kept:
                region = placed.region.project(tuple(placed.support.index(name) for name in kept))
                for part in split(Placed(kept, region)):
                    for name in part.support:
                        factors[name] = part
        return Domain({name: factors[name] for name in self.factors if name in wanted})

    def fix(self, env: Mapping[str, int]) -> Domain:
        """The sizes of the remaining symbols once some are known."""
        factors: dict[str, Placed] = {}
        computable = {n: ex.symbol_value(n, env) for n in self.factors if n in ex.roots and _is_known(n, env)}
        env = {**env, **computable}
        emptied = False
        for placed in self.distinct():
            region, names = placed.region, list(placed.support)
            for name in placed.support:
                if name in env:
                    region = region.fix(names.index(name), env[name])
                    names.remove(name)
            if not names and region.is_empty():
                emptied = True
            for name in names:
                factors[name] = Placed(tuple(names), region)
        remaining = Domain({name: factors[name] for name in self.factors if name not in env})
        return remaining._emptied() if emptied else remaining

    def sample(self) -> dict[str, int] | None:
        """The least sizes in the set, or ``None`` where it is empty."""
        env: dict[str, int] = {}
        for placed in self.distinct():
            point = placed.region.sample()
            if point is None:
                return None
            env.update(zip(placed.support, point, strict=True))
        return {name: env[name] for name in self.factors}

    def is_subset(self, other: Domain) -> bool:
        return self.is_empty() or all(self.status(Member(placed)) is True for placed in other.distinct())

    def equals(self, other: Domain) -> bool:
        return self.is_subset(other) and other.is_subset(self)

    def __str__(self) -> str:
        return "; ".join(f"{','.join(p.support)}: {p}" for p in self.distinct())


def _is_known(name: str, env: Mapping[str, int]) -> bool:
    return all(n in env or (n in ex.roots and _is_known(n, env)) for n in ex.roots[name].square.support)


def _outside(factors: Sequence[Placed]) -> Condition:
    support = tuple(sorted({name for placed in factors for name in placed.support}))
    region = rg.empty(len(support))
    for placed in factors:
        region = region.unite(
            placed.region.complement().embed(tuple(support.index(name) for name in placed.support), len(support))
            if placed.support != support
            else placed.region.complement()
        )
    return Member(Placed(support, region))


def _is_subset_if_quick(a: Region, b: Region) -> bool:
    try:
        return a.is_subset(b)
    except TooComplex:
        return False  # two factors that stay together are as right as one apart


def split(placed: Placed) -> list[Placed]:
    """The factor as independent factors, where it is a product."""
    if len(placed.support) == 1 or placed.region.isl_set.n_basic_set() > MAX_SPLIT_PIECES:
        return [placed]
    for position, name in enumerate(placed.support):
        others = tuple(i for i in range(len(placed.support)) if i != position)
        alone, rest = placed.region.project((position,)), placed.region.project(others)
        box = alone.embed((position,), len(placed.support)).intersect(rest.embed(others, len(placed.support)))
        if _is_subset_if_quick(box, placed.region):
            rest_names = tuple(placed.support[i] for i in others)
            return [Placed((name,), alone), *split(Placed(rest_names, rest))]
    return [placed]
