"""The sizes that are still possible on a path: a product of sets over separate symbols, less some boxes.

H and W stay apart as long as nothing couples them; a condition on both joins their factors, and factors
that turn out to be independent again are split. What the most common coupling leaves out ("more than one value
per channel": not both H ≤ 7 and W ≤ 7) is kept as a box beside the factors, so that H and W stay apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from shapelint.sizes import expr as ex
from shapelint.sizes import pointwise
from shapelint.sizes import region as rg
from shapelint.sizes.boxes import Box, boxes_of, covers
from shapelint.sizes.condition import (
    Both,
    Comparison,
    Condition,
    Either,
    Member,
    Not,
    Undecided,
    all_of,
    in_products,
    negate,
)
from shapelint.sizes.expr import Expr
from shapelint.sizes.naming import free_symbol
from shapelint.sizes.region import Placed, Region, TooComplex

MAX_SPLIT_PIECES = 32
"""A factor of more pieces than this is not looked through for independent parts."""


class UnknownSymbol(Undecided):
    """A size depends on a symbol that the domain does not have."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is not among the sizes")
        self.name = name


class _Factors(dict[str, Placed]):
    """Factors by symbol; a square root's two symbols are free until something restricts them, and so are counts."""

    def __missing__(self, name: str) -> Placed:
        if name in ex.products or ex.is_count(name):
            return free_symbol(name)
        found = ex.roots.get(name)
        if found is None:
            raise UnknownSymbol(name)
        return Placed((found.rest, found.root), rg.root_and_rest())


class Domain:
    """A set of sizes, factored. Immutable.

    Every size that a factor has is left by the holes, whatever the factor: each hole is bounded in two symbols at
    least whose factors are not. So a question about one symbol never needs the holes.

    Attributes:
        parts: every symbol's factor, before the holes; symbols that are coupled share one.
        holes: boxes of symbols with factors of their own that are left out.
        void: nothing is in it, where there are no symbols whose factors could be empty.
    """

    __slots__ = ("_restricted", "_settled", "_statuses", "holes", "parts", "void")

    parts: Mapping[str, Placed]
    holes: tuple[Box, ...]
    void: bool
    _settled: Domain | None
    _statuses: dict[Comparison, bool | None]
    _restricted: dict[Comparison, Domain]

    def __init__(self, parts: Mapping[str, Placed], holes: tuple[Box, ...] = (), *, void: bool = False) -> None:
        self.parts = parts if type(parts) is _Factors else _Factors(parts)
        self.holes = holes
        self.void = void
        self._settled = None
        # A network asks the same again and again; comparisons are interned, other conditions are made anew.
        self._statuses = {}
        self._restricted = {}

    @classmethod
    def positive(cls, symbols: Iterable[str]) -> Domain:
        """Every size at least 1."""
        return cls({name: Placed((name,), rg.positive(1)) for name in symbols})

    @property
    def symbols(self) -> tuple[str, ...]:
        """The input sizes (not the square roots of expressions of them, nor products, nor what contents decide)."""
        return tuple(name for name in self.parts if not (ex.is_derived(name) or ex.is_count(name)))

    @property
    def counts(self) -> list[str]:
        """The symbols of what contents decide."""
        return [name for name in self.parts if ex.is_count(name)]

    def without_counts(self) -> Domain:
        """These sizes, whatever the contents decide."""
        if not any(map(ex.is_count, self.parts)):
            return self
        return self.project(name for name in self.parts if not ex.is_count(name))

    def with_count(self, name: str) -> Domain:
        """These sizes, and every number of at least 0 that contents may decide."""
        return Domain(_Factors({**self.parts, name: free_symbol(name)}), self.holes, void=self.void)

    @property
    def has_roots(self) -> bool:
        """Whether square roots restrict these sizes, which is beyond what a set alone can say."""
        return any(name in ex.roots for name in self.parts)

    @property
    def restricted_products(self) -> list[str]:
        """The symbols of products that restrict these sizes, which is beyond what a set alone can say."""
        return [name for name in self.parts if name in ex.products and not self._is_free(name)]

    def _is_free(self, product: str) -> bool:
        placed = self.parts[product]
        return len(placed.support) == 1 and free_symbol(product).region.is_subset(placed.region)

    def naming_products(self, condition: bool | Condition) -> Domain | None:
        """The same sizes, with symbols for the products in a condition; ``None`` where that does not help."""
        named = in_products(condition)
        if not isinstance(named, Condition):
            return None
        products = [name for name in named.support() if name in ex.products]
        new = {name: free_symbol(name) for name in products if name not in self.parts}
        if not new or any(name not in self.parts for product in new for name in ex.products[product].support):
            return None
        result = Domain(_Factors({**self.parts, **new}), self.holes, void=self.void)
        try:
            result.status(condition)
        except TooComplex:
            return None
        return result

    def without_products(self) -> Domain:
        """These sizes, whatever the products are that have a symbol of their own."""
        if not any(name in ex.products for name in self.parts):
            return self
        return self.project(name for name in self.parts if name not in ex.products)

    def _forgetting_free(self) -> Domain:
        """The same without the symbols of products that restrict nothing."""
        free = {name for name in self.parts if name in ex.products and self._is_free(name)}
        if not free:
            return self
        parts = {name: placed for name, placed in self.parts.items() if name not in free}
        return Domain(_Factors(parts), self.holes, void=self.void)

    @property
    def factors(self) -> Mapping[str, Placed]:
        """Every symbol's factor with nothing left out; symbols that are coupled share one."""
        return self.settled().parts

    def settled(self) -> Domain:
        """The same sizes without holes: the symbols that a hole couples share a factor."""
        if not self.holes:
            return self
        if self._settled is None:
            settled = Domain(self.parts)
            for hole in self.holes:
                names = tuple(hole)
                here = settled.over(names)
                box = rg.universe(len(here.support))
                for placed in hole.values():
                    box = box.intersect(placed.over(here.support))
                settled = settled._with(here.support, here.region.subtract(box))
            self._settled = settled
        return self._settled

    def distinct(self) -> list[Placed]:
        """Each factor once, in the order of the symbols."""
        return _distinct(self.factors)

    def is_empty(self) -> bool:
        return self.void or any(placed.region.is_empty() for placed in self.parts.values())

    def over(self, support: Sequence[str]) -> Placed:
        """The joint factor of all symbols that ``support`` touches."""
        first = self.parts[support[0]]
        if all(self.parts[name] is first for name in support):
            return first
        if any(sum(name in hole for name in support) > 1 for hole in self.holes):
            return self.settled().over(support)
        return self._outside_holes(support)

    def _outside_holes(self, support: Sequence[str]) -> Placed:
        """As :meth:`over`, with what the holes leave out."""
        touched = _distinct({name: self.parts[name] for name in support})
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
        if type(condition) is not Comparison:
            return self._status(condition)
        if condition not in self._statuses:
            self._statuses[condition] = self._status(condition)
        return self._statuses[condition]

    def _status(self, condition: Condition) -> bool | None:
        known = self._by_bounds(condition)
        if known is not None:
            return known
        apart = self._apart(condition)
        if apart is not None:
            return True if apart is self else False if apart.is_empty() else None
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
        if len(rg.divisions(a)) > rg.MAX_DIVISIONS:
            return None, None
        return rg.value_region(a, self._outside_holes(a.support)).bounds(0)

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
        if type(condition) is not Comparison:
            return self._restrict(condition)
        if condition not in self._restricted:
            self._restricted[condition] = self._restrict(condition)
        return self._restricted[condition]

    def _restrict(self, condition: Condition) -> Domain:
        apart = self._apart(condition)
        if apart is not None:
            return apart
        here, where = self._meet(condition)
        if not condition.support():
            return self._emptied() if where.is_empty() else self
        if len(here.support) > 1 and any(name in hole for hole in self.holes for name in here.support):
            return self.settled().restrict(condition)
        return self._with(here.support, here.region.intersect(where))

    def _apart(self, condition: Condition) -> Domain | None:
        """The sizes where it holds, if that leaves the symbols apart; itself where it holds for all of them."""
        names = condition.support()
        if len(names) < 2 or any(len(self.parts[name].support) > 1 for name in names):
            return None
        try:
            boxes = boxes_of(condition, holding=False)
        except TooComplex:
            return None  # the general way will say so, or go through the sizes one by one
        if boxes is None or not all(self.status(a) is True for a in condition.assumptions()):
            return None
        return self._without(boxes)

    def _without(self, boxes: Iterable[Box]) -> Domain | None:
        """These sizes less some boxes, ``None`` if the symbols cannot be kept apart then."""
        parts = _Factors(self.parts)
        holes = list(self.holes)
        changed = False
        for box in boxes:
            if any(parts[name].region.is_disjoint(placed.region) for name, placed in box.items()):
                continue
            if any(covers(hole, box, parts) for hole in holes):
                continue
            changed = True
            open_in = [n for n, placed in box.items() if not parts[n].region.is_subset(placed.region)]
            if not open_in:
                return self._emptied()
            if len(open_in) == 1:
                name = open_in[0]
                parts[name] = Placed((name,), parts[name].region.subtract(box[name].region))
            else:
                holes = [hole for hole in holes if not covers(box, hole, parts)]
                holes.append({name: box[name] for name in open_in})
        if not changed:
            return self
        result = Domain(parts, tuple(holes))
        return result if all(result._is_proper(hole) for hole in holes) else None

    def _is_proper(self, hole: Box) -> bool:
        """Whether it is bounded in two symbols at least whose factors are not."""
        return len(self._bounded_in(hole)) > 1

    def _bounded_in(self, hole: Box) -> set[str]:
        return {n for n, placed in hole.items() if placed.region.is_finite() and not self.parts[n].region.is_finite()}

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
            named = self._in_known_products(condition)
            return (here, pointwise.where(here, condition)) if named is None else self._meet(named)
        return here, placed.over(here.support)

    def _in_known_products(self, condition: Condition) -> Condition | None:
        """A condition on products as one on their symbols, if these sizes have them."""
        if not any(name in ex.products for name in self.parts):
            return None
        named = in_products(condition)
        if not isinstance(named, Condition) or named is condition:
            return None
        return named if all(name in self.parts for name in named.support() if name in ex.products) else None

    def _with(self, support: tuple[str, ...], region: Region) -> Domain:
        """Another region for these symbols: for one symbol, or for symbols that no hole touches."""
        parts = _Factors(self.parts)
        for placed in split(Placed(support, region)):
            for name in placed.support:
                parts[name] = placed
        result = Domain(parts, self.holes)
        if all(result._is_proper(hole) or result._is_outside(hole) for hole in self.holes if support[0] in hole):
            return result
        # a hole that now spans all of this symbol's sizes may leave out sizes of another symbol alone
        return Domain(parts)._without(self.holes) or result.settled()

    def _is_outside(self, hole: Box) -> bool:
        """Whether none of these sizes is in the hole (it is kept, so that the sides of a branch stay alike)."""
        return any(self.parts[name].region.is_disjoint(placed.region) for name, placed in hole.items())

    def _emptied(self) -> Domain:
        return Domain({name: Placed((name,), rg.empty(1)) for name in self.parts}, void=True)

    def intersect(self, other: Domain) -> Domain:
        result = self
        for placed in _distinct(other.parts):
            result = result.restrict(Member(placed))
        for hole in other.holes:
            result = result.restrict(negate(all_of(*map(Member, hole.values()))))
        return result

    def subtract(self, other: Domain) -> Domain:
        """The sizes among these that are not among the others."""
        changed = [p for p in other.distinct() if self.status(Member(p)) is not True]
        if not changed:
            return self._emptied()
        return self.restrict(_outside(changed))

    def with_symbol(self, name: str) -> Domain:
        """These sizes, and every positive value of one more symbol."""
        return Domain({**self.parts, name: Placed((name,), rg.positive(1))}, self.holes, void=self.void)

    def for_all(self, names: Iterable[str], condition: Condition) -> bool | Condition:
        """What must hold of the other symbols so that the condition holds whatever these symbols are."""
        others = [name for name in self.parts if name not in set(names)]
        failing = self.restrict(negate(condition)).project(others)
        if failing.is_empty():
            return True
        here = self.project(others)
        changed = [p for p in failing.distinct() if here.status(Member(p)) is not True]
        return _outside(changed) if changed else False

    def unite(self, other: Domain) -> Domain:
        """The sizes of either."""
        return self._unite(other)._forgetting_free()

    def _unite(self, other: Domain) -> Domain:
        if other.is_empty():
            return self
        if self.is_empty():
            return other
        differing = self.differing([other])
        if not differing:
            return self
        if len(differing) == 1 and self.holes == other.holes:
            mine, theirs = self.parts[differing[0]], other.parts[differing[0]]
            if mine.support == theirs.support:
                return self._with(mine.support, mine.region.unite(theirs.region))
        a, b = self.settled(), other.settled()
        differing = a.differing([b])
        mine, theirs = a.over(differing), b.over(differing)
        while set(mine.support) != set(theirs.support):
            joint = tuple(sorted({*mine.support, *theirs.support}))
            mine, theirs = a.over(joint), b.over(joint)
        return a._with(mine.support, mine.region.unite(theirs.region))

    def differing(self, others: Iterable[Domain]) -> list[str]:
        """The symbols whose factors are not the same in all of these."""
        domains = [self, *others]
        if any(domain.holes != self.holes for domain in domains):
            domains = [domain.settled() for domain in domains]
        names = dict.fromkeys(name for domain in domains for name in domain.parts)
        return [name for name in names if len({domain.parts[name].key for domain in domains}) > 1]

    def contains(self, env: Mapping[str, int]) -> bool:
        inside = all(placed.holds(env) for placed in _distinct(self.parts))
        return inside and not self.void and not any(all(p.holds(env) for p in hole.values()) for hole in self.holes)

    def project(self, names: Iterable[str]) -> Domain:
        """What remains when only these symbols are looked at."""
        wanted = set(names)
        if self.is_empty():
            return Domain({name: Placed((name,), rg.empty(1)) for name in self.parts if name in wanted}, void=True)
        # large sizes of a symbol that is not looked at are outside a hole that is bounded in it
        within = tuple(hole for hole in self.holes if hole.keys() <= wanted)
        if any(self._bounded_in(hole) <= wanted for hole in self.holes if hole not in within):
            return self.settled().project(wanted)
        parts: dict[str, Placed] = {}
        for placed in _distinct(self.parts):
            kept = tuple(name for name in placed.support if name in wanted)
            if kept:
                region = placed.region.project(tuple(placed.support.index(name) for name in kept))
                for part in split(Placed(kept, region)):
                    for name in part.support:
                        parts[name] = part
        return Domain({name: parts[name] for name in self.parts if name in wanted}, within)

    def fix(self, env: Mapping[str, int]) -> Domain:
        """The sizes of the remaining symbols once some are known."""
        settled = self.settled()
        if settled is not self:
            return settled.fix(env)
        factors: dict[str, Placed] = {}
        computable = {n: ex.symbol_value(n, env) for n in self.parts if ex.is_derived(n) and _is_known(n, env)}
        env = {**env, **computable}
        emptied = False
        for placed in _distinct(self.parts):
            region, names = placed.region, list(placed.support)
            for name in placed.support:
                if name in env:
                    region = region.fix(names.index(name), env[name])
                    names.remove(name)
            if not names and region.is_empty():
                emptied = True
            for name in names:
                factors[name] = Placed(tuple(names), region)
        remaining = Domain({name: factors[name] for name in self.parts if name not in env})
        return remaining._emptied() if emptied or self.void else remaining

    def sample(self) -> dict[str, int] | None:
        """The least sizes in the set, or ``None`` where it is empty."""
        env: dict[str, int] = {}
        for placed in self.distinct():
            point = placed.region.sample()
            if point is None:
                return None
            env.update(zip(placed.support, point, strict=True))
        return {name: env[name] for name in self.parts}

    def is_subset(self, other: Domain) -> bool:
        wanted = [Member(placed) for placed in _distinct(other.parts)]
        left_out = [negate(all_of(*map(Member, hole.values()))) for hole in other.holes]
        return self.is_empty() or all(self.status(condition) is True for condition in (*wanted, *left_out))

    def equals(self, other: Domain) -> bool:
        return self.is_subset(other) and other.is_subset(self)

    def __str__(self) -> str:
        return "; ".join(f"{','.join(p.support)}: {p}" for p in self.distinct())


def _distinct(parts: Mapping[str, Placed]) -> list[Placed]:
    return list({placed.key: placed for placed in parts.values()}.values())


def _is_known(name: str, env: Mapping[str, int]) -> bool:
    return all(n in env or (ex.is_derived(n) and _is_known(n, env)) for n in ex.origin(name).support)


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
