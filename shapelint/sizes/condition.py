"""Conditions on sizes: what a comparison of symbolic sizes yields, and how products are turned into sets.

A ``Condition`` is a small tree of comparisons. It becomes a set (``placed``) when someone asks; comparisons
of products are rewritten first, each rewriting exact under the assumptions it lists (a size is not negative).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from itertools import product as cartesian
from math import gcd
from typing import Any, ClassVar

from shapelint.sizes import expr as ex
from shapelint.sizes import region as rg
from shapelint.sizes.expr import Env, Expr, Root
from shapelint.sizes.naming import named, sign
from shapelint.sizes.region import Placed, TooComplex

LARGEST_TENSOR = 2**31 - 2
"""Products of sizes (elements, bytes) are taken to be below 2**31: models ask (`x.numel() > 2**31`) and mean never."""

MAX_TIMES = 16
"""How many times a square may be divided by its own root's square."""

MAX_CASES = 4096
"""Most cases one product comparison may be split into."""

Truth = "bool | Condition"

_active_decider: Callable[[Condition], bool] | None = None


class Undecided(BaseException):
    """A condition on symbolic sizes was asked for its truth where nothing can decide it.

    Not an ``Exception``: a model's own ``except Exception`` must not swallow it. A bare ``except:`` does, so the
    last one is remembered for those who follow a model.
    """

    last: ClassVar[Undecided | None] = None

    def __init__(self, what: str) -> None:
        super().__init__(what)
        Undecided.last = self


class Condition:
    """A statement about sizes that holds for some of them.

    ``bool(condition)`` asks the current path, which decides, or explores both outcomes.
    """

    __slots__ = ("_placed",)

    _placed: Placed | None

    def evaluate(self, env: Env) -> bool:
        """Whether it holds for concrete sizes."""
        raise TypeError

    def placed(self) -> Placed:
        """The set of sizes where it holds.

        Raises:
            TooComplex: no set expresses it.
        """
        if self._placed is None:
            self._placed = self._find_placed()
        return self._placed

    def assumptions(self) -> tuple[Condition, ...]:
        """What must hold for ``placed`` to be right."""
        return ()

    def _find_placed(self) -> Placed:
        raise TypeError

    def support(self) -> tuple[str, ...]:
        raise TypeError

    def __bool__(self) -> bool:
        if _active_decider is None:
            raise Undecided(f"{self} depends on the input size")
        return _active_decider(self)

    def __and__(self, other: bool | Condition) -> bool | Condition:
        return all_of(self, other)

    def __or__(self, other: bool | Condition) -> bool | Condition:
        return any_of(self, other)

    def __xor__(self, other: bool | Condition) -> bool | Condition:
        return any_of(all_of(self, negate(other)), all_of(negate(self), other))

    __rand__ = __and__
    __ror__ = __or__
    __rxor__ = __xor__

    def __invert__(self) -> bool | Condition:
        return negate(self)

    # As a number a condition is 0 or 1, as a bool is: `stride * (h > 1)`.
    def __index__(self) -> int:
        return int(bool(self))

    __int__ = __index__

    def __mul__(self, other: Any) -> Any:
        return int(self) * other

    def __add__(self, other: Any) -> Any:
        return int(self) + other

    def __sub__(self, other: Any) -> Any:
        return int(self) - other

    def __rsub__(self, other: Any) -> Any:
        return other - int(self)

    __rmul__ = __mul__
    __radd__ = __add__

    def __repr__(self) -> str:
        return f"Condition({self})"


class Unsolvable(TooComplex):
    """No set of sizes expresses a comparison of products, whichever way it is written."""


class Comparison(Condition):
    """``expr op 0`` with op one of "==", "!=", ">="."""

    __slots__ = ("expr", "op", "solved", "unsolvable")

    expr: Expr
    op: str
    solved: Condition | bool | None
    unsolvable: str

    def evaluate(self, env: Env) -> bool:
        value = self.expr.evaluate(env)
        return value == 0 if self.op == "==" else value != 0 if self.op == "!=" else value >= 0

    def support(self) -> tuple[str, ...]:
        return self.expr.support

    def _find_placed(self) -> Placed:
        if self.expr.affine:
            return Placed(self.expr.support, rg.region_where(self.expr, self.op))
        return placed_of(self.solution())

    def solution(self) -> Condition | bool:
        """A comparison of products as comparisons of their factors, right where the assumptions hold.

        Raises:
            TooComplex: no set expresses it.
        """
        if self.unsolvable:
            # it is asked in vain again for each of the sizes that a branch leaves, and each part of a larger one
            raise Unsolvable(self.unsolvable)
        if self.solved is None:
            try:
                solution = _solve(self.expr, self.op)
            except Unsolvable as reason:
                self.unsolvable = str(reason)
                raise
            if isinstance(solution, Comparison) and solution.expr is self.expr:
                self.unsolvable = f"{self} compares quotients of products, which no set of sizes expresses"
                raise Unsolvable(self.unsolvable)
            self.solved = solution
        return self.solved

    def assumptions(self) -> tuple[Condition, ...]:
        if self.expr.affine:
            return ()
        solution = self.solution()
        return _nonnegative_factors(self.expr) + (solution.assumptions() if isinstance(solution, Condition) else ())

    def __str__(self) -> str:
        sign_text = {"==": "=", "!=": "≠", ">=": "≥"}[self.op]
        positive = [(t, c) for t, c in self.expr.items if c > 0]
        negative = [(t, -c) for t, c in self.expr.items if c < 0]
        const = self.expr.const
        left = ex.make(positive, max(const, 0) if positive else 0)
        right = ex.make(negative, max(-const, 0) if positive else -const)
        return f"{left} {sign_text} {right}"


class Both(Condition):
    """Every part holds."""

    __slots__ = ("parts",)

    parts: tuple[Condition, ...]

    def evaluate(self, env: Env) -> bool:
        return all(part.evaluate(env) for part in self.parts)

    def support(self) -> tuple[str, ...]:
        return _joint_support(self.parts)

    def _find_placed(self) -> Placed:
        return _fold(self.parts, rg.Region.intersect)

    def assumptions(self) -> tuple[Condition, ...]:
        return tuple(a for part in self.parts for a in part.assumptions())

    def __str__(self) -> str:
        return " and ".join(map(str, self.parts))


class Either(Condition):
    """Some part holds."""

    __slots__ = ("parts",)

    parts: tuple[Condition, ...]

    def evaluate(self, env: Env) -> bool:
        return any(part.evaluate(env) for part in self.parts)

    def support(self) -> tuple[str, ...]:
        return _joint_support(self.parts)

    def _find_placed(self) -> Placed:
        return _fold(self.parts, rg.Region.unite)

    def assumptions(self) -> tuple[Condition, ...]:
        return tuple(a for part in self.parts for a in part.assumptions())

    def __str__(self) -> str:
        return "(" + " or ".join(map(str, self.parts)) + ")"


class Not(Condition):
    """The part does not hold."""

    __slots__ = ("part",)

    part: Condition

    def evaluate(self, env: Env) -> bool:
        return not self.part.evaluate(env)

    def support(self) -> tuple[str, ...]:
        return self.part.support()

    def _find_placed(self) -> Placed:
        inner = self.part.placed()
        return Placed(inner.support, inner.region.complement())

    def assumptions(self) -> tuple[Condition, ...]:
        return self.part.assumptions()

    def __str__(self) -> str:
        return f"not ({self.part})"


class Member(Condition):
    """The sizes lie in a given set."""

    __slots__ = ()

    def __init__(self, placed: Placed) -> None:
        self._placed = placed

    def evaluate(self, env: Env) -> bool:
        return self.placed().holds(env)

    def support(self) -> tuple[str, ...]:
        return self.placed().support

    def __str__(self) -> str:
        return str(self._placed)


def compare(a: Expr, op: str) -> bool | Condition:
    """``a op 0`` with op one of "==", "!=", ">="; a plain bool where no size changes it."""
    if not a.items:
        return a.const == 0 if op == "==" else a.const != 0 if op == "!=" else a.const >= 0
    key = ("condition", op)
    known = a.memo.get(key)
    if known is None:
        known = a.memo[key] = _compare(a, op)
    assert isinstance(known, (bool, Condition))
    return known


def _compare(a: Expr, op: str) -> bool | Condition:
    condition = Comparison()
    condition._placed = None
    condition.solved = None
    condition.unsolvable = ""
    condition.expr, condition.op = a, op
    return condition


def all_of(*parts: bool | Condition) -> bool | Condition:
    """Every part, plain bools folded away."""
    return _join(parts, Both, absorbing=False)


def any_of(*parts: bool | Condition) -> bool | Condition:
    """Some part, plain bools folded away."""
    return _join(parts, Either, absorbing=True)


def _join(parts: Iterable[bool | Condition], kind: type[Both] | type[Either], *, absorbing: bool) -> bool | Condition:
    kept: list[Condition] = []
    for part in parts:
        if isinstance(part, Condition):
            kept.append(part)
        elif bool(part) is absorbing:
            return absorbing
    if not kept:
        return not absorbing
    if len(kept) == 1:
        return kept[0]
    result = kind()
    result._placed = None
    result.parts = tuple(kept)
    return result


def negate(condition: bool | Condition) -> bool | Condition:
    if not isinstance(condition, Condition):
        return not condition
    if isinstance(condition, Not):
        return condition.part
    if isinstance(condition, Comparison) and condition.op != ">=":
        return compare(condition.expr, "!=" if condition.op == "==" else "==")
    if isinstance(condition, Comparison):
        return compare(ex.add_constant(ex.scale(condition.expr, -1), -1), ">=")
    result = Not()
    result._placed = None
    result.part = condition
    return result


def placed_of(condition: bool | Condition) -> Placed:
    """The set of a condition or a plain bool."""
    if isinstance(condition, Condition):
        return condition.placed()
    return Placed((), rg.universe(0) if condition else rg.empty(0))


def in_products(condition: bool | Condition) -> bool | Condition:
    """The same condition, with the symbols of products in their place."""
    if isinstance(condition, Comparison):
        return compare(named(condition.expr), condition.op)
    if isinstance(condition, Both):
        return all_of(*map(in_products, condition.parts))
    if isinstance(condition, Either):
        return any_of(*map(in_products, condition.parts))
    if isinstance(condition, Not):
        return negate(in_products(condition.part))
    return condition


def _joint_support(parts: Sequence[Condition]) -> tuple[str, ...]:
    return tuple(sorted({name for part in parts for name in part.support()}))


def _fold(parts: Sequence[Condition], combine: Callable[[rg.Region, rg.Region], rg.Region]) -> Placed:
    placed = [part.placed() for part in parts]
    support = tuple(sorted({name for p in placed for name in p.support}))
    result = placed[0].over(support)
    for other in placed[1:]:
        result = combine(result, other.over(support))
    return Placed(support, result)


# --- products ------------------------------------------------------------------------------------------


def _nonnegative_factors(a: Expr) -> tuple[Condition, ...]:
    found: list[Condition] = []
    for term, _ in a.items:
        if isinstance(term, ex.Product):
            for factor in term.factors:
                condition = compare(factor, ">=")
                if isinstance(condition, Condition):
                    found.append(condition)
    return tuple(found)


def _solve(a: Expr, op: str) -> bool | Condition:
    """``a op 0`` for an ``a`` with products, as comparisons of its factors, which are taken to be ≥ 0."""
    if op == "!=":
        return negate(_solve(a, "=="))
    without = _without_squared_roots(a)
    if without is not a:
        return compare(without, op)
    for solve in (_solve_remainder, _solve_floor, _solve_cases):
        solution = solve(a, op)
        if solution is not None:
            return solution
    shared, rest = _common_factors(a)
    if shared:
        return any_of(*(compare(f, "==") for f in shared), compare(rest, op))
    product_items = [(t, c) for t, c in a.items if isinstance(t, ex.Product)]
    if len(a.items) == 1 and product_items:
        term, coefficient = product_items[0]
        return _solve_single(term.factors, coefficient, a.const, op)
    if len(product_items) == 2 and len(a.items) == 2 and a.const == 0 and op == "==":
        solution = _solve_pair(product_items)
        if solution is not None:
            return solution
    expanded = ex.expand(a)
    if expanded is not a:
        return compare(expanded, op)
    raise Unsolvable(f"{a} is a product of sizes that no set of sizes expresses")


def _without_squared_roots(a: Expr) -> Expr:
    """``root * root`` written as the square less the rest."""
    for term, coefficient in a.items:
        if not isinstance(term, ex.Product):
            continue
        for factor in term.factors:
            name = factor.support[0]
            if factor is ex.symbol(name) and name in ex.roots and term.factors.count(factor) > 1:
                found = ex.roots[name]
                others = list(term.factors)
                others.remove(factor)
                others.remove(factor)
                square = ex.subtract(found.square, ex.symbol(found.rest))
                rest = ex.subtract(a, ex.make([(term, coefficient)], 0))
                return ex.add(rest, ex.scale(ex.multiply(square, ex.multiply_all(others)), coefficient))
    return a


def divided_by_root(a: Expr, by: Expr) -> tuple[Root, int] | None:
    """``a`` as a multiple of a square whose root ``by`` is: that root, and how many times the square."""
    name = by.support[0] if len(by.support) == 1 else ""
    if name not in ex.roots or by is not ex.symbol(ex.roots[name].root):
        return None
    times, rest = ex.cancel(a, ex.roots[name].square)
    return (ex.roots[name], times.const) if not times.items and rest.is_constant and rest.const == 1 else None


def divided_by_squared_root(a: Expr, by: Expr) -> tuple[Root, int] | None:
    """As :func:`divided_by_root`, for a ``by`` that is the root's square."""
    number, factors = ex.factorize(by)
    if number != 1 or len(factors) != 2 or factors[0] is not factors[1]:
        return None
    found = divided_by_root(a, factors[0])
    return found if found is not None and 0 < found[1] <= MAX_TIMES else None


def _solve_floor(a: Expr, op: str) -> bool | Condition | None:
    """``c * (x // d) + k op 0`` for an ``x`` with products, as bounds on ``x``."""
    if len(a.items) != 1 or not isinstance(a.items[0][0], ex.FloorDiv):
        return None
    term, coefficient = a.items[0]
    assert isinstance(term, ex.FloorDiv)
    x, d = term.numerator, term.divisor
    if op == "==":
        value, remainder = divmod(-a.const, coefficient)
        low, high = ex.add_constant(x, -d * value), ex.add_constant(ex.scale(x, -1), d * (value + 1) - 1)
        return remainder == 0 and all_of(compare(low, ">="), compare(high, ">="))
    if coefficient > 0:
        return compare(ex.add_constant(x, d * (a.const // coefficient)), ">=")
    return compare(ex.add_constant(ex.scale(x, -1), d * (a.const // -coefficient + 1) - 1), ">=")


def _solve_cases(a: Expr, op: str) -> bool | Condition | None:
    """A positive part or a piecewise value of products, case by case."""
    for term, coefficient in a.items:
        if term.affine:
            continue
        rest = ex.subtract(a, ex.make([(term, coefficient)], 0))
        if isinstance(term, ex.Pos):
            positive = compare(term.inner, ">=")
            return any_of(
                all_of(positive, compare(ex.add(rest, ex.scale(term.inner, coefficient)), op)),
                all_of(negate(positive), compare(rest, op)),
            )
        if isinstance(term, ex.Piece):
            return any_of(
                *(
                    all_of(Member(where), compare(ex.add(rest, ex.scale(value, coefficient)), op))
                    for where, value in term.cases
                )
            )
    return None


def _common_factors(a: Expr) -> tuple[tuple[Expr, ...], Expr]:
    """Factors that every addend has, and what is left of ``a`` without them."""
    if a.const:
        return (), a
    parts = [(c, ex.factorize(ex.make([(t, 1)], 0))[1]) for t, c in a.items]
    shared = list(parts[0][1])
    for _, factors in parts[1:]:
        remaining = list(factors)
        kept = []
        for factor in shared:
            if factor in remaining:
                remaining.remove(factor)
                kept.append(factor)
        shared = kept
    if not shared:
        return (), a
    rest = ex.constant(0)
    for coefficient, factors in parts:
        left = list(factors)
        for factor in shared:
            left.remove(factor)
        rest = ex.add(rest, ex.unfactorize(coefficient, left))
    return tuple(shared), rest


def _solve_single(factors: Sequence[Expr], coefficient: int, const: int, op: str) -> bool | Condition:
    """``coefficient * product(factors) + const op 0``."""
    if op == "==":
        target, remainder = divmod(-const, coefficient)
        return remainder == 0 and target >= 0 and _product_equals(factors, target)
    if coefficient > 0 and -const > LARGEST_TENSOR:
        return False
    if coefficient < 0 and const >= LARGEST_TENSOR:
        return True
    if coefficient > 0:
        least = -(const // coefficient)
        return True if least <= 0 else negate(_product_at_most(factors, least - 1))
    most = const // -coefficient
    return most >= 0 and _product_at_most(factors, most)


def _product_equals(factors: Sequence[Expr], target: int) -> bool | Condition:
    if target == 0:
        return any_of(*(compare(f, "==") for f in factors))
    first, rest = factors[0], factors[1:]
    if not rest:
        return compare(ex.add_constant(first, -target), "==")
    return any_of(
        *(
            all_of(compare(ex.add_constant(first, -d), "=="), _product_equals(rest, target // d))
            for d in rg.divisors(target)
        )
    )


def _product_at_most(factors: Sequence[Expr], most: int) -> bool | Condition:
    first, rest = factors[0], factors[1:]
    upper = compare(ex.add_constant(ex.scale(first, -1), most), ">=")
    if not rest:
        return upper
    if most > MAX_CASES:
        raise TooComplex(f"a product of sizes is compared with {most}")
    cases: list[bool | Condition] = [compare(first, "==")]
    low = 1
    while low <= most:
        quotient = most // low
        high = most // quotient
        cases.append(
            all_of(
                compare(ex.add_constant(first, -low), ">="),
                compare(ex.add_constant(ex.scale(first, -1), high), ">="),
                _product_at_most(rest, quotient),
            )
        )
        low = high + 1
    if most >= 0:
        cases.extend(compare(f, "==") for f in rest)
    return any_of(*cases)


def _solve_pair(items: Sequence[tuple[ex.Product, int]]) -> bool | Condition | None:
    """Two products of factors over separate symbols, one factor at least (or at most) its partner everywhere.

    ``a*b == c*d`` with ``a >= c >= 0`` over one symbol and ``b >= d >= 0`` over another holds exactly where
    both pairs are equal or both products vanish: how a window partition states that windows fill the image.
    """
    (left, cl), (right, cr) = items
    if (cl > 0) == (cr > 0):
        return None
    differences = _one_sided(_factor_differences(left, cl, right, cr))
    if differences is None and cl == -cr:
        differences = _one_sided(_factor_differences(left, cl, right, cr, alike=False))
    if differences is None:
        return None
    equal = all_of(*(compare(d, "==") for d in differences))
    empty_left = any_of(*(compare(f, "==") for f in left.factors))
    empty_right = any_of(*(compare(f, "==") for f in right.factors))
    return any_of(equal, all_of(empty_left, empty_right))


def _one_sided(differences: list[Expr] | None) -> list[Expr] | None:
    """Differences of which none is positive for some sizes and none negative for some."""
    signs = {sign(d) for d in differences or ()}
    return None if None in signs or {1, -1} <= signs else differences


def never_above(a: Expr, b: Expr) -> bool:
    """Whether a product ``a`` is at most ``b`` for all sizes of at least 1, factor by factor."""
    items = [item for part in (a, b) for item in part.items if part.const == 0 and len(part.items) == 1]
    if len(items) != 2 or not all(isinstance(term, ex.Product) for term, _ in items):
        return False
    (left, cl), (right, cr) = items
    assert isinstance(left, ex.Product)
    assert isinstance(right, ex.Product)
    differences = _factor_differences(left, cl, right, -cr)
    return differences is not None and all(sign(d) in (0, -1) for d in differences)


def _factor_differences(
    left: ex.Product, cl: int, right: ex.Product, cr: int, *, alike: bool = True
) -> list[Expr] | None:
    """Per symbol, one product's factor less the other's, scaled so that both grow alike; ``None`` without a match.

    Args:
        alike: whether they are scaled; as they are, they say something where both products have the same coefficient.
    """
    by_symbol_left = {f.support: f for f in left.factors}
    by_symbol_right = {f.support: f for f in right.factors}
    if len(by_symbol_left) != len(left.factors) or len(by_symbol_right) != len(right.factors):
        return None
    if by_symbol_left.keys() != by_symbol_right.keys() or not all(f.affine for f in left.factors + right.factors):
        return None
    differences = []
    numerators, denominators = abs(cl), abs(cr)
    for support, factor in by_symbol_left.items():
        partner = by_symbol_right[support]
        grows, other = ex.slope(factor), ex.slope(partner)
        ratio = grows / other if alike and grows and other else Fraction(1)
        numerators *= ratio.numerator
        denominators *= ratio.denominator
        differences.append(ex.subtract(ex.scale(factor, ratio.denominator), ex.scale(partner, ratio.numerator)))
    return differences if not alike or numerators == denominators else None


def unify(a: Expr, b: Expr) -> Expr:
    """``a`` with the factors that equal one of ``b``'s for all sizes written as in ``b``, so that they cancel."""
    _, wanted = ex.factorize(b)
    number, factors = ex.factorize(a)
    if not wanted or set(wanted) <= set(factors):
        return a
    return ex.unfactorize(number, [_written_as(f, wanted) for f in factors])


def _written_as(factor: Expr, wanted: Sequence[Expr]) -> Expr:
    for other in wanted:
        if (
            factor is not other
            and factor.affine
            and other.affine
            and factor.support == other.support
            and rg.possible(factor.support).is_subset(rg.region_where(ex.subtract(factor, other), "=="))
        ):
            return other
    return factor


def _solve_remainder(a: Expr, op: str) -> bool | Condition | None:
    """``k * (x mod d) + c op 0`` for an ``x`` with products, over the residues of its factors."""
    for term, coefficient in a.items:
        if not isinstance(term, ex.FloorDiv) or term.affine or coefficient % term.divisor:
            continue
        factor = -coefficient // term.divisor
        rest = ex.subtract(a, ex.scale(ex.modulo(term.numerator, term.divisor), factor))
        if factor and not rest.items:
            wanted = _residues(factor, rest.const, op, term.divisor)
            if wanted == range(1):
                return divides(term.divisor, term.numerator)
            return any_of(*(remainder_is(term.numerator, term.divisor, r) for r in wanted))
    return None


def _residues(factor: int, const: int, op: str, divisor: int) -> range:
    """The numbers r below a divisor for which ``factor * r + const op 0``."""
    if op == "==":
        exact, rest = divmod(-const, factor)
        return range(exact, exact + 1) if not rest and 0 <= exact < divisor else range(0)
    if factor > 0:
        return range(max(-(const // factor), 0), divisor)
    return range(min(const // -factor + 1, divisor))


def divides(divisor: int, a: Expr) -> bool | Condition:
    """Whether ``a % divisor == 0``; for a product, over the ways to share the divisor among its factors."""
    if divisor in (1, -1):
        return True
    if a.affine:
        return compare(ex.modulo(a, divisor), "==")
    number, factors = ex.factorize(a)
    if len(factors) > 1 or number != 1:
        return _product_divisible(abs(divisor) // gcd(number, divisor), factors)
    return remainder_is(a, abs(divisor), 0)


def _product_divisible(divisor: int, factors: Sequence[Expr]) -> bool | Condition:
    if divisor == 1:
        return True
    first, rest = factors[0], factors[1:]
    if not rest:
        return divides(divisor, first)
    return any_of(*(all_of(divides(d, first), _product_divisible(divisor // d, rest)) for d in rg.divisors(divisor)))


def remainder_is(a: Expr, modulus: int, remainder: int) -> bool | Condition:
    """Whether ``a % modulus == remainder`` for any polynomial, over the residues of its atoms."""
    if a.affine:
        return compare(ex.add_constant(ex.modulo(a, modulus), -remainder), "==")
    expanded = ex.expand(a)
    atoms: list[Expr] = []
    for _, factors in ex._addends(expanded):
        atoms.extend(f for f in factors if f not in atoms)
    if modulus ** len(atoms) > MAX_CASES or not all(f.affine for f in atoms):
        raise TooComplex(f"{a} modulo {modulus} has too many cases")
    cases: list[bool | Condition] = []
    for values in cartesian(range(modulus), repeat=len(atoms)):
        assigned = dict(zip(atoms, values, strict=True))
        total = 0
        for number, factors in ex._addends(expanded):
            for factor in factors:
                number *= assigned[factor]
            total += number
        if total % modulus == remainder:
            cases.append(
                all_of(*(compare(ex.add_constant(ex.modulo(f, modulus), -v), "==") for f, v in assigned.items()))
            )
    return any_of(*cases)
