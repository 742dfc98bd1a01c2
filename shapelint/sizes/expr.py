"""Integer expressions over size symbols in a normal form: equal formulas are, nearly always, the same object.

An ``Expr`` is ``const + sum(coefficient * Term)``. The terms are symbols, floor divisions, positive
parts, piecewise values and products; all are interned, so identity is the fast test for equality and
every derived fact (an isl function, a set) is computed once per formula in a process.

Canonical rules that make a strided network collapse into one division per axis::

    (d*x + r) // d              ->  x + r // d
    ((x // a) + b) // c         ->  (x + a*b) // (a*c)
    (3*x) // 4                  ->  x - (x + 3) // 4      (what padding to a multiple writes)
    x - x // 2                  ->  (x + 1) // 2
    max(a, b)                   ->  b + Pos(a - b)

Products stay factored (``C*H*W``), so that a later view or division cancels them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import gcd, isqrt
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shapelint.sizes.region import Placed

LONGEST_TEXT = 2_000
"""Most characters of a formula that are written out."""

_uids = itertools.count()
_terms: dict[Any, Term] = {}
_exprs: dict[Any, Expr] = {}

Env = Mapping[str, int]
Rename = Mapping[str, "str | int | Expr"]
"""Other names for symbols, or numbers in their place."""


class Term:
    """A non-constant building block of an ``Expr``. Made by the functions below only, which intern it.

    Attributes:
        support: names of the symbols it depends on, sorted.
        affine: whether isl can express it (no products of symbols, no symbolic divisors).
    """

    __slots__ = ("affine", "support", "uid")

    uid: int
    support: tuple[str, ...]
    affine: bool

    def evaluate(self, env: Env) -> int:
        raise TypeError(f"{type(self).__name__} has no value")

    def rename(self, names: Rename) -> Expr:
        raise TypeError(f"{type(self).__name__} has no symbols")

    def parts(self) -> tuple[Expr, ...]:
        """The expressions it is made of."""
        return ()


class Symbol(Term):
    """An unknown input size, at least 1."""

    __slots__ = ("name",)

    name: str

    def evaluate(self, env: Env) -> int:
        return symbol_value(self.name, env)

    def rename(self, names: Rename) -> Expr:
        new = names.get(self.name, self.name)
        return new if isinstance(new, Expr) else constant(new) if isinstance(new, int) else symbol(new)

    def __str__(self) -> str:
        return self.name


class FloorDiv(Term):
    """``numerator // divisor`` with an integer ``divisor`` of at least 2."""

    __slots__ = ("divisor", "numerator")

    numerator: Expr
    divisor: int

    def evaluate(self, env: Env) -> int:
        return self.numerator.evaluate(env) // self.divisor

    def rename(self, names: Rename) -> Expr:
        return floordiv(self.numerator.rename(names), self.divisor)

    def parts(self) -> tuple[Expr, ...]:
        return (self.numerator,)

    def __str__(self) -> str:
        return f"{_in_brackets(self.numerator)}//{self.divisor}"


class Quotient(Term):
    """``numerator // divisor`` with a symbolic divisor that does not cancel: opaque to isl."""

    __slots__ = ("divisor", "numerator")

    numerator: Expr
    divisor: Expr

    def evaluate(self, env: Env) -> int:
        return self.numerator.evaluate(env) // self.divisor.evaluate(env)

    def rename(self, names: Rename) -> Expr:
        return quotient(self.numerator.rename(names), self.divisor.rename(names))

    def parts(self) -> tuple[Expr, ...]:
        return (self.numerator, self.divisor)

    def __str__(self) -> str:
        return f"{_in_brackets(self.numerator)}//{_in_brackets(self.divisor)}"


class Pos(Term):
    """The positive part ``max(inner, 0)``: min, max and abs are written with it."""

    __slots__ = ("inner",)

    inner: Expr

    def evaluate(self, env: Env) -> int:
        return max(self.inner.evaluate(env), 0)

    def rename(self, names: Rename) -> Expr:
        return positive_part(self.inner.rename(names))

    def parts(self) -> tuple[Expr, ...]:
        return (self.inner,)

    def __str__(self) -> str:
        return f"max({self.inner}, 0)"


class Scaled(Term):
    """``floor(float(inner) * factor)`` in double precision, as torch's resize computes it."""

    __slots__ = ("factor", "inner")

    inner: Expr
    factor: float

    def evaluate(self, env: Env) -> int:
        return int(float(self.inner.evaluate(env)) * self.factor // 1)

    def rename(self, names: Rename) -> Expr:
        return scaled(self.inner.rename(names), self.factor)

    def parts(self) -> tuple[Expr, ...]:
        return (self.inner,)

    def __str__(self) -> str:
        return f"floor({_in_brackets(self.inner)} * {self.factor:.6g})"


class Piece(Term):
    """A piecewise value: that of the first case whose set holds the sizes."""

    __slots__ = ("cases",)

    cases: tuple[tuple[Placed, Expr], ...]

    def evaluate(self, env: Env) -> int:
        for where, value in self.cases:
            if where.holds(env):
                return value.evaluate(env)
        raise ValueError(f"no case of {self} holds at {dict(env)}")

    def rename(self, names: Rename) -> Expr:
        return piecewise(tuple((where.rename(names), value.rename(names)) for where, value in self.cases))

    def parts(self) -> tuple[Expr, ...]:
        return tuple(value for _, value in self.cases)

    def __str__(self) -> str:
        inner = "; ".join(f"{value} if {where}" for where, value in self.cases)
        return f"({inner})"


class Product(Term):
    """A product of two or more primitive non-constant factors."""

    __slots__ = ("factors",)

    factors: tuple[Expr, ...]

    def evaluate(self, env: Env) -> int:
        result = 1
        for factor in self.factors:
            result *= factor.evaluate(env)
        return result

    def rename(self, names: Rename) -> Expr:
        return multiply_all(factor.rename(names) for factor in self.factors)

    def parts(self) -> tuple[Expr, ...]:
        return self.factors

    def __str__(self) -> str:
        return "*".join(_in_brackets(factor) for factor in self.factors)


class Expr:
    """``const + sum(coefficient * term)``, interned.

    Attributes:
        items: pairs of term and coefficient, by the term's age.
        const: the constant part.
        support: names of the symbols it depends on, sorted.
        affine: whether isl can express it.
        memo: derived facts (set by other modules), keyed by what they are.
    """

    __slots__ = ("affine", "const", "items", "memo", "support", "uid")

    items: tuple[tuple[Term, int], ...]
    const: int
    support: tuple[str, ...]
    affine: bool
    uid: int
    memo: dict[Any, Any]

    def evaluate(self, env: Env) -> int:
        """The value for sizes ``env``, in exact integers."""
        # The last value is remembered, as what is written out may be exponentially longer than what is shared.
        sizes = [symbol_value(name, env) for name in self.support]
        known = self.memo.get("value")
        if known is None or known[0] != sizes:
            value = self.const + sum(coefficient * term.evaluate(env) for term, coefficient in self.items)
            known = self.memo["value"] = (sizes, value)
        return int(known[1])

    def rename(self, names: Rename) -> Expr:
        """The same formula over other symbols, or with numbers or formulas for some of them.

        Raises:
            TooComplex: formulas are to take the place of symbols that the cases of a piecewise value are told apart by.
        """
        # remembered, as a term that stands in several places would be renamed at each of them, and so what it holds
        key = ("rename", tuple(names.get(name, name) for name in self.support))
        known: Expr | None = self.memo.get(key)
        if known is None:
            known = constant(self.const)
            for term, coefficient in self.items:
                known = add(known, scale(term.rename(names), coefficient))
            self.memo[key] = known
        return known

    @property
    def is_constant(self) -> bool:
        return not self.items

    def __repr__(self) -> str:
        return f"Expr({self})"

    def __str__(self) -> str:
        text = self.memo.get("text")
        if text is None:
            text = _format(self)
            if len(text) > LONGEST_TEXT:
                text = f"{text[: LONGEST_TEXT // 2]} … {text[-LONGEST_TEXT // 2 :]}"
            self.memo["text"] = text
        return str(text)


def make(coefficients: Iterable[tuple[Term, int]], const: int) -> Expr:
    """The interned expression with these coefficients; zero ones are dropped."""
    items = tuple(sorted(((t, c) for t, c in coefficients if c), key=_by_age))
    return _intern(items, const)


def _intern(items: tuple[tuple[Term, int], ...], const: int) -> Expr:
    key = (items, const)
    known = _exprs.get(key)
    if known is not None:
        return known
    expr = Expr()
    expr.items = items
    expr.const = const
    expr.uid = next(_uids)
    expr.memo = {}
    if len(items) == 1:
        expr.support, expr.affine = items[0][0].support, items[0][0].affine
    else:
        expr.support = tuple(sorted({name for term, _ in items for name in term.support}))
        expr.affine = all(term.affine for term, _ in items)
    _exprs[key] = expr
    return expr


def _by_age(item: tuple[Term, int]) -> int:
    return item[0].uid


def constant(value: int) -> Expr:
    return _intern((), value)


def symbol(name: str) -> Expr:
    """The size called ``name``."""

    def build() -> Symbol:
        term = Symbol()
        term.name = name
        term.support = (name,)
        term.affine = True
        return term

    return _of_term(("symbol", name), build)


@dataclass(frozen=True, slots=True)
class Root:
    """An integer square root as two symbols of its own: ``square == root**2 + rest`` with ``0 <= rest <= 2*root``.

    Models recover a square's side from its number of tokens. No set of sizes says "is a square number", but
    everything that follows is affine in these two, and their values are computed where sizes are known.
    """

    square: Expr
    root: str
    rest: str


roots: dict[str, Root] = {}
"""The square roots in use, by the names of their two symbols."""


def square_root(square: Expr) -> Root:
    """The symbols that stand for ``isqrt(square)`` and what it leaves."""
    text = str(square)
    name = f"√({text if len(text) < LONGEST_TEXT else square.uid})"
    if name not in roots:
        found = Root(square, name, f"rest of {name}")
        roots[found.root] = roots[found.rest] = found
    return roots[name]


products: dict[str, Expr] = {}
"""Products that have a symbol of their own, by its name: what is compared with a number no set of factors expresses."""


def product_symbol(product: Expr) -> Expr:
    """The symbol that stands for a product."""
    text = str(product)
    name = f"({text if len(text) < LONGEST_TEXT else product.uid})"
    products.setdefault(name, product)
    return symbol(name)


COUNT = "?"
"""What the names of numbers begin with that the contents of tensors decide (of elements that a mask selects)."""


def is_count(name: str) -> bool:
    """Whether a symbol is a number that contents decide, and no size."""
    return name.startswith(COUNT)


def is_derived(name: str) -> bool:
    """Whether a symbol's value follows from those of input sizes."""
    return name in roots or name in products


def origin(name: str) -> Expr:
    """What a derived symbol is computed from."""
    return roots[name].square if name in roots else products[name]


def symbol_value(name: str, env: Env) -> int:
    """A symbol's value for concrete input sizes; one that they do not decide is taken to be 1."""
    if name in env or not is_derived(name):
        return env.get(name, 1) if is_count(name) else env[name]
    if name in products:
        return products[name].evaluate(env)
    found = roots[name]
    square = found.square.evaluate(env)
    root = isqrt(square)
    return root if name == found.root else square - root * root


def _of_term(key: Any, build: Callable[[], Term]) -> Expr:
    term = _terms.get(key)
    if term is None:
        term = build()
        term.uid = next(_uids)
        _terms[key] = term
    return _intern(((term, 1),), 0)


def add(a: Expr, b: Expr) -> Expr:
    if not b.items:
        return _intern(a.items, a.const + b.const) if b.const else a
    if not a.items:
        return _intern(b.items, a.const + b.const) if a.const else b
    return _combine(a, b, 1)


def subtract(a: Expr, b: Expr) -> Expr:
    if a is b:
        return constant(0)
    if not b.items:
        return _intern(a.items, a.const - b.const) if b.const else a
    return _combine(a, b, -1)


def _combine(a: Expr, b: Expr, sign: int) -> Expr:
    key = (sign, b)
    known: Expr | None = a.memo.get(key)
    if known is None:
        known = a.memo[key] = _combined(a, b, sign)
    return known


def _combined(a: Expr, b: Expr, sign: int) -> Expr:
    coefficients = dict(a.items)
    for term, coefficient in b.items:
        coefficients[term] = coefficients.get(term, 0) + sign * coefficient
    return _halves(make(coefficients.items(), a.const + sign * b.const))


def _halves(a: Expr) -> Expr:
    """``c*x - c*(x//2)`` as ``c*((x + 1)//2)``, so that rounding up to even has one form."""
    for term, coefficient in a.items:
        if not isinstance(term, FloorDiv) or term.divisor % 2:
            continue
        half = floordiv(term.numerator, term.divisor // 2)
        # x is `half`: it must be there with the opposite coefficient
        present = dict(a.items)
        if all(present.get(t, 0) == -coefficient * c for t, c in half.items):
            up = floordiv(add_constant(term.numerator, term.divisor // 2), term.divisor)
            rest = {t: c for t, c in a.items if t is not term}
            for t, c in half.items:
                rest[t] = rest[t] + coefficient * c
            return add(make(rest.items(), a.const + coefficient * half.const), scale(up, -coefficient))
    return a


def add_constant(a: Expr, value: int) -> Expr:
    return _intern(a.items, a.const + value) if value else a


def scale(a: Expr, factor: int) -> Expr:
    if factor == 1:
        return a
    if factor == 0:
        return constant(0)
    return _intern(tuple((t, c * factor) for t, c in a.items), a.const * factor)


def content(a: Expr) -> int:
    """The greatest integer that divides every coefficient and the constant; negative if all are."""
    result = abs(a.const)
    for _, coefficient in a.items:
        result = gcd(result, coefficient)
    if a.const <= 0 and all(c < 0 for _, c in a.items):
        return -result
    return result


def factorize(a: Expr) -> tuple[int, tuple[Expr, ...]]:
    """``a`` as an integer times primitive factors (no factor is a product or a constant)."""
    if not a.items:
        return a.const, ()
    c = content(a)
    primitive = a if c == 1 else _intern(tuple((t, k // c) for t, k in a.items), a.const // c)
    if primitive.const == 0 and len(primitive.items) == 1:
        term, coefficient = primitive.items[0]
        if coefficient == 1 and isinstance(term, Product):
            return c, term.factors
    return c, (primitive,)


def unfactorize(number: int, factors: Iterable[Expr]) -> Expr:
    """The inverse of :func:`factorize`."""
    ordered = tuple(sorted(factors, key=lambda f: f.uid))
    if not ordered:
        return constant(number)
    if len(ordered) == 1:
        return scale(ordered[0], number)

    def build() -> Product:
        term = Product()
        term.factors = ordered
        term.support = tuple(sorted({name for f in ordered for name in f.support}))
        term.affine = False
        return term

    return scale(_of_term(("product", ordered), build), number)


def multiply(a: Expr, b: Expr) -> Expr:
    if not b.items:
        return scale(a, b.const)
    if not a.items:
        return scale(b, a.const)
    for number, other in ((a, b), (b, a)):
        cases = constant_cases(number)
        if cases is not None and other.affine:
            return piecewise(tuple((where, scale(other, value)) for where, value in cases))
    ca, fa = factorize(a)
    cb, fb = factorize(b)
    return unfactorize(ca * cb, fa + fb)


def constant_cases(a: Expr) -> list[tuple[Placed, int]] | None:
    """The cases of a piecewise constant, ``None`` for any other expression."""
    if len(a.items) != 1 or not isinstance(a.items[0][0], Piece):
        return None
    cases, coefficient = a.items[0][0].cases, a.items[0][1]
    if any(value.items for _, value in cases):
        return None
    return [(where, coefficient * value.const + a.const) for where, value in cases]


def mapped(a: Expr, function: Callable[[int], Any]) -> Expr | None:
    """A function of a piecewise constant, ``None`` for any other expression or where it gives no ints."""
    values = [(where, function(value)) for where, value in constant_cases(a) or ()]
    if not values or any(type(value) is not int for _, value in values):
        return None
    return piecewise(tuple((where, constant(value)) for where, value in values))


def multiply_all(factors: Iterable[Expr]) -> Expr:
    result = constant(1)
    for factor in factors:
        result = multiply(result, factor)
    return result


def expand(a: Expr) -> Expr:
    """``a`` with every product multiplied out, so that equal polynomials become the same object."""
    if all(not isinstance(term, Product) for term, _ in a.items):
        return a
    result = constant(a.const)
    for term, coefficient in a.items:
        if not isinstance(term, Product):
            result = add(result, make([(term, coefficient)], 0))
            continue
        partial: list[tuple[int, tuple[Expr, ...]]] = [(coefficient, ())]
        for factor in term.factors:
            partial = [(c * k, f + g) for c, f in partial for k, g in _addends(expand(factor))]
        for number, atoms in partial:
            result = add(result, scale(multiply_all(atoms), number))
    return result


def _addends(a: Expr) -> list[tuple[int, tuple[Expr, ...]]]:
    parts: list[tuple[int, tuple[Expr, ...]]] = [(a.const, ())] if a.const else []
    for term, coefficient in a.items:
        factors = term.factors if isinstance(term, Product) else (_intern(((term, 1),), 0),)
        parts.append((coefficient, factors))
    return parts


def floordiv(a: Expr, divisor: int) -> Expr:
    """``a // divisor`` rounded down, as Python's ints do it; a negative divisor is allowed.

    Raises:
        ZeroDivisionError: the divisor is 0.
    """
    if divisor < 0:
        return floordiv(scale(a, -1), -divisor)
    if divisor == 0:
        raise ZeroDivisionError("integer division or modulo by zero")
    if divisor == 1 or not a.items:
        return a if divisor == 1 else constant(a.const // divisor)
    key = ("//", divisor)
    known = a.memo.get(key)
    if known is None:
        known = a.memo[key] = _floordiv(a, divisor)
    result: Expr = known
    return result


def _floordiv(a: Expr, divisor: int) -> Expr:
    # of the two ways to write it, floor(a/d) and -floor((d - 1 - a)/d), the one with the smaller coefficients
    if sum(-c % divisor for _, c in a.items) < sum(c % divisor for _, c in a.items):
        return scale(floordiv(add_constant(scale(a, -1), divisor - 1), divisor), -1)
    whole = [(t, c // divisor) for t, c in a.items]
    rest = [(t, c % divisor) for t, c in a.items if c % divisor]
    outside = make(whole, a.const // divisor)
    inside_const = a.const % divisor
    if not rest:
        return outside
    common = divisor
    for _, c in rest:
        common = gcd(common, c)
    if common > 1:
        rest = [(t, c // common) for t, c in rest]
        inside_const //= common
        divisor //= common
        if divisor == 1:
            return add(outside, make(rest, inside_const))
    if len(rest) == 1:
        term, coefficient = rest[0]
        if coefficient == 1 and isinstance(term, FloorDiv):
            merged = add_constant(term.numerator, inside_const * term.divisor)
            return add(outside, floordiv(merged, divisor * term.divisor))
    numerator = make(rest, inside_const)

    def build() -> FloorDiv:
        term = FloorDiv()
        term.numerator, term.divisor = numerator, divisor
        term.support, term.affine = numerator.support, numerator.affine
        return term

    return add(outside, _of_term(("floordiv", numerator, divisor), build))


def modulo(a: Expr, divisor: int) -> Expr:
    """``a % divisor`` with the divisor's sign, as Python's ints do it."""
    return subtract(a, scale(floordiv(a, divisor), divisor))


def cancel(numerator: Expr, divisor: Expr) -> tuple[Expr, Expr]:
    """Numerator and divisor with common factors removed (the cancelled ones must not be 0)."""
    if not divisor.items and divisor.const > 0:
        # what most divisors are; there is only a number to cancel
        common = gcd(content(numerator), divisor.const)
        if common == 1:
            return numerator, divisor
        items = tuple((t, c // common) for t, c in numerator.items)
        return _intern(items, numerator.const // common), constant(divisor.const // common)
    cn, fn = factorize(numerator)
    cd, fd = factorize(divisor)
    left, remaining = list(fn), []
    for factor in fd:
        if factor in left:
            left.remove(factor)
        else:
            remaining.append(factor)
    common = gcd(cn, cd) or 1
    if cd < 0:
        common = -common
    return unfactorize(cn // common, left), unfactorize(cd // common, remaining)


def quotient(numerator: Expr, divisor: Expr) -> Expr:
    """``numerator // divisor``, cancelled where the factors allow."""
    if not divisor.items:
        return floordiv(numerator, divisor.const)
    n, d = cancel(numerator, divisor)
    if not d.items:
        return floordiv(n, d.const)
    whole, n = divided(n, d)
    if whole.items or whole.const:
        return add(whole, quotient(n, d)) if n.items or n.const else whole

    def build() -> Quotient:
        term = Quotient()
        term.numerator, term.divisor = n, d
        term.support = tuple(sorted({*n.support, *d.support}))
        term.affine = False
        return term

    return _of_term(("quotient", n, d), build)


def divided(a: Expr, divisor: Expr) -> tuple[Expr, Expr]:
    """How often a symbolic divisor goes into the addends that it divides, and the other addends."""
    whole = rest = constant(0)
    for number, factors in _addends(a):
        addend = unfactorize(number, factors)
        part, left = cancel(addend, divisor)
        if not left.items and abs(left.const) == 1:
            whole = add(whole, scale(part, left.const))
        else:
            rest = add(rest, addend)
    return whole, rest


def positive_part(a: Expr) -> Expr:
    """``max(a, 0)``."""
    if not a.items:
        return constant(max(a.const, 0))
    c = abs(content(a))
    inner = a if c == 1 else _intern(tuple((t, k // c) for t, k in a.items), a.const // c)

    def build() -> Pos:
        term = Pos()
        term.inner, term.support, term.affine = inner, inner.support, inner.affine
        return term

    return scale(_of_term(("pos", inner), build), c)


def maximum(a: Expr, b: Expr) -> Expr:
    return add(b, positive_part(subtract(a, b)))


def minimum(a: Expr, b: Expr) -> Expr:
    return subtract(b, positive_part(subtract(b, a)))


def scaled(a: Expr, factor: float) -> Expr:
    """``floor(float(a) * factor)`` in double precision; an exact floor division where that is the same."""
    if not a.items:
        return constant(int(float(a.const) * factor // 1))
    exact = Fraction(factor)
    # A double times an integer below 2**21 is exact when its own mantissa leaves 21 bits free.
    if exact.denominator & (exact.denominator - 1) == 0 and abs(exact.numerator) < 2**31:
        return floordiv(scale(a, exact.numerator), exact.denominator)

    def build() -> Scaled:
        term = Scaled()
        term.inner, term.factor = a, factor
        term.support, term.affine = a.support, a.affine
        return term

    return _of_term(("scaled", a, factor), build)


def piecewise(cases: tuple[tuple[Placed, Expr], ...]) -> Expr:
    """The value of the first case that holds; cases are meant to be disjoint."""
    if all(value is cases[0][1] for _, value in cases):
        return cases[0][1]

    def build() -> Piece:
        term = Piece()
        term.cases = cases
        names = {name for where, value in cases for name in (*where.support, *value.support)}
        term.support = tuple(sorted(names))
        term.affine = all(value.affine for _, value in cases)
        return term

    return _of_term(("piece", tuple((w.key, v) for w, v in cases)), build)


def slope(a: Expr) -> Fraction | None:
    """How ``a`` grows with its only symbol in the long run; ``None`` if that is not a fixed rate."""
    if len(a.support) > 1:
        return None
    total = Fraction(0)
    for term, coefficient in a.items:
        rate = _term_slope(term)
        if rate is None:
            return None
        total += coefficient * rate
    return total


def _term_slope(term: Term) -> Fraction | None:
    if isinstance(term, Symbol):
        return Fraction(1)
    if isinstance(term, FloorDiv):
        inner = slope(term.numerator)
        return None if inner is None else inner / term.divisor
    if isinstance(term, Pos):
        inner = slope(term.inner)
        return None if inner is None else max(inner, Fraction(0))
    return None


# --- as text ---------------------------------------------------------------------------------------


def _in_brackets(a: Expr) -> str:
    text = str(a)
    simple = len(a.items) == 1 and a.const == 0 and a.items[0][1] == 1
    return text if simple and isinstance(a.items[0][0], (Symbol, Pos, Scaled)) else f"({text})"


def _format(a: Expr) -> str:
    parts: list[tuple[int, str]] = []
    const = a.const
    whole: dict[Term, int] = {}
    remainders: list[tuple[int, str]] = []
    for term, coefficient in a.items:
        # c*((x + b)//c) reads better as (x + b) - (x + b) mod c: "T - (T + 112) mod 320"
        if isinstance(term, FloorDiv) and coefficient == term.divisor and len(term.numerator.items) == 1:
            for inner, k in term.numerator.items:
                whole[inner] = whole.get(inner, 0) + k
            const += term.numerator.const
            remainders.append((-1, f"{_in_brackets(term.numerator)} mod {term.divisor}"))
        else:
            whole[term] = whole.get(term, 0) + coefficient
    for term, coefficient in sorted(whole.items(), key=lambda item: (len(item[0].support), item[0].support)):
        if coefficient:
            parts.append((coefficient, _with_coefficient(abs(coefficient), term)))
    parts += remainders
    if const or not parts:
        parts.append((const, str(abs(const))))
    parts.sort(key=lambda part: part[0] < 0)
    text = ("-" if parts[0][0] < 0 else "") + parts[0][1]
    for sign, part in parts[1:]:
        text += (" - " if sign < 0 else " + ") + part
    return text


def _with_coefficient(coefficient: int, term: Term) -> str:
    if coefficient == 1:
        return str(term)
    inner = str(term)
    return f"{coefficient}*({inner})" if isinstance(term, FloorDiv) else f"{coefficient}*{inner}"
