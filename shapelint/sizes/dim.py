"""``Dim``: a symbolic size that behaves as an int; ``Ratio``: an exact fraction of sizes that behaves as a float."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import Any, TypeVar

from shapelint.sizes import condition as cond
from shapelint.sizes import expr as ex
from shapelint.sizes import path
from shapelint.sizes import region as rg
from shapelint.sizes.condition import Condition
from shapelint.sizes.expr import Env, Expr
from shapelint.sizes.naming import sign_everywhere
from shapelint.sizes.region import TooComplex
from shapelint.sizes.steps import stepped


class _Logarithms:
    """What ``numpy.log(size)`` and its like call."""

    __slots__ = ()

    def log(self) -> Any:
        return _logarithm("log", self)

    def log2(self) -> Any:
        return _logarithm("log2", self)

    def log10(self) -> Any:
        return _logarithm("log10", self)

    def log1p(self) -> Any:
        return _logarithm("log1p", self)


class Dim(_Logarithms):
    """A size that depends on the input's: arithmetic is exact, comparisons give conditions.

    ``Dim("H")`` is the unknown size H, at least 1. Results that depend on no symbol are plain ints.
    """

    __slots__ = ("expr",)

    expr: Expr

    def __init__(self, name: str) -> None:
        self.expr = ex.symbol(name)

    # isinstance(size, int) is how models tell a size from a tuple of sizes; the real type is found first,
    # so isinstance(size, Dim) works too, and C code that checks for a real int does not mistake this for one.
    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return int

    @property
    def symbols(self) -> tuple[str, ...]:
        """The names it depends on."""
        return self.expr.support

    def at(self, **sizes: int) -> int:
        """The value for concrete sizes."""
        return self.expr.evaluate(sizes)

    def __add__(self, other: Any) -> Any:
        if type(other) is int:
            return of(ex.add_constant(self.expr, other))
        return _arithmetic(self, other, ex.add, Ratio.__add__)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        if type(other) is int:
            return of(ex.add_constant(self.expr, -other))
        return _arithmetic(self, other, ex.subtract, Ratio.__sub__)

    def __rsub__(self, other: Any) -> Any:
        return _arithmetic(self, other, lambda a, b: ex.subtract(b, a), Ratio.__rsub__)

    def __mul__(self, other: Any) -> Any:
        if type(other) is int:
            return of(ex.scale(self.expr, other))
        if type(other) is float and not _short(other):
            return FloatProduct(self.expr, other)
        return _arithmetic(self, other, ex.multiply, Ratio.__mul__)

    __rmul__ = __mul__

    def __floordiv__(self, other: Any) -> Any:
        if _is_itself(self, other):
            return 1
        return _arithmetic(self, _divisor(other), _floordiv, Ratio.__floordiv__)

    def __rfloordiv__(self, other: Any) -> Any:
        divisor = _divisor(self)
        if not isinstance(divisor, Dim):
            return other // divisor
        return _arithmetic(divisor, other, lambda a, b: _floordiv(b, a), Ratio.__rfloordiv__)

    def __mod__(self, other: Any) -> Any:
        if _is_itself(self, other):
            return 0
        return _arithmetic(self, _divisor(other), _modulo, Ratio.__mod__)

    def __rmod__(self, other: Any) -> Any:
        divisor = _divisor(self)
        if not isinstance(divisor, Dim):
            return other % divisor
        return _arithmetic(divisor, other, lambda a, b: _modulo(b, a), Ratio.__rmod__)

    def __divmod__(self, other: Any) -> Any:
        return self // other, self % other

    def __rdivmod__(self, other: Any) -> Any:
        return other // self, other % self

    def __truediv__(self, other: Any) -> Any:
        if type(other) is int and other > 0:
            # codecs divide the same length by the same stride for every layer
            return _remembered_ratio(self.expr, ("/", other), lambda: (self.expr, ex.constant(other)))
        return _as_ratio(self) / other

    def __rtruediv__(self, other: Any) -> Any:
        return other / _as_ratio(self)

    def __pow__(self, exponent: Any, modulus: int | None = None) -> Any:
        if exponent == 0.5 and modulus is None:
            return _square_root(self.expr)
        if type(exponent) is not int or exponent < 0 or modulus is not None:
            return pow(path.concrete(self.expr), exponent, modulus)
        return of(ex.multiply_all([self.expr] * exponent))

    def __rpow__(self, base: Any) -> Any:
        found = _power(base, self.expr)
        return base ** path.concrete(self.expr) if found is None else of(found)

    def __lshift__(self, bits: int) -> Any:
        return self * (1 << bits)

    def __rshift__(self, bits: int) -> Any:
        return self // (1 << bits)

    def __and__(self, mask: Any) -> Any:
        # x & (2**n - 1) is how some code writes x % 2**n
        if type(mask) is int and mask >= 0 and (mask + 1) & mask == 0:
            return self % (mask + 1)
        # and x & -2**n, or x & ~(2**n - 1), how it writes x // 2**n * 2**n
        if type(mask) is int and mask < 0 and -mask & (-mask - 1) == 0:
            return self // -mask * -mask
        return path.concrete(self.expr) & mask

    def __or__(self, mask: Any) -> Any:
        return self + mask - (self & mask) if type(mask) is int else path.concrete(self.expr) | mask

    def __xor__(self, mask: Any) -> Any:
        return self + mask - 2 * (self & mask) if type(mask) is int else path.concrete(self.expr) ^ mask

    # a SymInt's own would ask each other for ever
    __rand__, __ror__, __rxor__ = __and__, __or__, __xor__

    def __rlshift__(self, number: Any) -> Any:
        found = _power(2, self.expr)
        return number << path.concrete(self.expr) if found is None else number * of(found)

    def __rrshift__(self, number: Any) -> Any:
        return number >> path.concrete(self.expr)

    def __invert__(self) -> Any:
        return -self - 1

    def __neg__(self) -> Any:
        return of(ex.scale(self.expr, -1))

    def __pos__(self) -> Any:
        return self

    def __abs__(self) -> Any:
        return of(ex.maximum(self.expr, ex.scale(self.expr, -1)))

    def __eq__(self, other: Any) -> Any:
        return _comparison(self, other, "==", lambda r, o: r == o)

    def __ne__(self, other: Any) -> Any:
        return _comparison(self, other, "!=", lambda r, o: r != o)

    def __ge__(self, other: Any) -> Any:
        return _comparison(self, other, ">=", lambda r, o: r >= o)

    def __gt__(self, other: Any) -> Any:
        return _comparison(self, other, ">", lambda r, o: r > o)

    def __le__(self, other: Any) -> Any:
        return _comparison(self, other, "<=", lambda r, o: r <= o)

    def __lt__(self, other: Any) -> Any:
        return _comparison(self, other, "<", lambda r, o: r < o)

    def __bool__(self) -> bool:
        return bool(cond.compare(self.expr, "!="))

    def __index__(self) -> int:
        return path.concrete(self.expr)

    def __int__(self) -> int:
        return path.concrete(self.expr)

    def __float__(self) -> float:
        return float(path.concrete(self.expr))

    def __hash__(self) -> int:
        # A dict or set compares hashes before it compares values, so it needs the number itself.
        return hash(path.concrete(self.expr))

    def __floor__(self) -> Any:
        return self

    __ceil__ = __trunc__ = __floor__

    def __round__(self, digits: int | None = None) -> Any:
        if digits is not None and digits < 0:
            return round(path.concrete(self.expr), digits)
        return self

    @property
    def real(self) -> Any:
        return self

    @property
    def numerator(self) -> Any:
        return self

    @property
    def denominator(self) -> int:
        return 1

    def sqrt(self) -> Any:
        """What ``numpy.sqrt`` calls."""
        return self**0.5

    def item(self) -> Any:
        """What numpy's ints have, for one that a rounded ``numpy.log(size)`` is."""
        return self

    def bit_length(self) -> Any:
        found = stepped(self.expr, int.bit_length, 0) if path.implied(self >= 0) else None
        return path.concrete(self.expr).bit_length() if found is None else of(found)

    def is_integer(self) -> bool:
        return True

    def __copy__(self) -> Dim:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Dim:
        return self

    def __reduce__(self) -> Any:
        return _restore, (_terms_of(self.expr),)

    def __repr__(self) -> str:
        return str(self.expr)

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(str(self.expr), spec.rstrip("d"))


Known = TypeVar("Known")
Size = int | Dim
"""A size: a plain int, or symbolic."""

_class: type[Dim] = Dim


def use_classes(size: type[Dim], ratio: type[Ratio], float_product: type[FloatProduct]) -> None:
    """Make results instances of subclasses: the tracer's are ints and floats to torch's C code as well."""
    global _class, _ratio_class, _product_class
    _class, _ratio_class, _product_class = size, ratio, float_product


def _number_root(a: Expr) -> Any:
    return path.concrete(a) ** 0.5


_square_root: Any = _number_root


def use_square_root(make: Any) -> None:
    """Make ``size ** 0.5`` what the tracer follows."""
    global _square_root
    _square_root = make


def _number_logarithm(name: str, value: Any) -> Any:
    return getattr(math, name)(float(value))


_logarithm: Callable[[str, Any], Any] = _number_logarithm


def use_logarithm(make: Callable[[str, Any], Any]) -> None:
    """Make numpy's logarithms of a size what the tracer follows."""
    global _logarithm
    _logarithm = make


def of(expr: Expr) -> Any:
    """The size with this formula: a plain int if it is constant."""
    if not expr.items:
        return expr.const
    known = expr.memo.get("dim")
    if known is None or type(known) is not _class:
        known = _class.__new__(_class)
        known.expr = expr
        expr.memo["dim"] = known
    return known


def dim(name: str) -> Any:
    """The symbolic size called ``name``."""
    return of(ex.symbol(name))


def expr_of(size: Any) -> Expr | None:
    """The formula of a size, ``None`` for what is none."""
    if isinstance(size, Dim):
        return size.expr
    if type(size) is int:
        return ex.constant(size)
    kind = type(size)
    # A tensor has __index__ too, but arithmetic with one gives a tensor. Asked first: fractions take longest to tell.
    if hasattr(kind, "__torch_function__") or not hasattr(kind, "__index__") or issubclass(kind, _FRACTIONAL):
        return None
    return ex.constant(int(size.__index__()))


def _arithmetic(a: Dim, b: Any, on_exprs: Any, on_ratios: Any) -> Any:
    other = expr_of(b)
    if other is not None:
        return of(on_exprs(a.expr, other))
    if not hasattr(type(b), "__torch_function__") and issubclass(type(b), _FRACTIONAL):
        return on_ratios(_as_ratio(a), b)
    return NotImplemented


def _power(base: Any, exponent: Expr) -> Expr | None:
    """``base ** exponent``, if the exponent is one of a few numbers of at least 0."""
    return ex.mapped(exponent, lambda power: base**power) if type(base) is int and base > 0 else None


def _divisor(size: Any) -> Any:
    """A symbolic divisor, told apart from 0; a plain int on each path if it can only be one of a few."""
    if not isinstance(size, Dim):
        return size
    if path.possible(size == 0) and bool(size == 0):
        raise ZeroDivisionError("integer division or modulo by zero")
    few = path.few_values(size.expr)
    return path.concrete(size.expr) if few else size


def _is_itself(size: Dim, divisor: Any) -> bool:
    """Whether a size that is never 0 is divided by itself: the answer takes no number."""
    return isinstance(divisor, Dim) and divisor.expr is size.expr and path.implied(size != 0)


def _floordiv(a: Expr, b: Expr) -> Expr:
    if not b.items:
        return ex.floordiv(a if a.affine else _divided_out(a, b.const), b.const)
    number, divisor = ex.cancel(a, b)
    if not divisor.items:
        return ex.floordiv(number, divisor.const)
    whole, rest = ex.divided(number, divisor)
    if whole.items or whole.const:
        return ex.add(whole, _floordiv(rest, divisor))
    if not number.items and number.const < 0 and path.implied(of(divisor) >= 1):
        # -1 // n is -1 however large n is, which the quotient of numbers above 0 tells: -c // n = -1 - (c - 1) // n
        return ex.subtract(ex.constant(-1), _floordiv(ex.constant(-1 - number.const), divisor))
    found = cond.divided_by_root(number, divisor)
    if found is not None:
        return _quotient_by_root(*found)
    if cond.never_above(number, divisor):
        equal = cond.compare(ex.subtract(number, divisor), "==")
        where, elsewhere = cond.placed_of(equal), cond.placed_of(cond.negate(equal))
        return ex.piecewise(((where, ex.constant(1)), (elsewhere, ex.constant(0))))
    return bounded_quotient(number, divisor) or ex.quotient(number, divisor)


def _divided_out(a: Expr, divisor: int) -> Expr:
    """A product with what is known to divide its factors taken out: 8*(H//8) * 8*(W//8), where 8 divides H and W."""
    number, factors = ex.factorize(a)
    left = divisor // math.gcd(number, divisor)
    written = []
    for factor in factors:
        shares = (share for share in reversed([*rg.divisors(left)]) if share > 1)
        share = next((s for s in shares if path.implied(cond.divides(s, factor))), 1) if factor.affine else 1
        left //= share
        written.append(ex.scale(ex.floordiv(factor, share), share) if share > 1 else factor)
    return ex.multiply_all([ex.constant(number), *written])


MAX_QUOTIENT = 64
"""A quotient of sizes that never exceeds this is written case by case: q where q*b <= a < (q+1)*b."""


def bounded_quotient(a: Expr, b: Expr) -> Expr | None:
    """``a // b`` for positive ``b`` as a piecewise constant, if it is one with few values."""
    if not (a.affine and b.affine):
        return None
    key = ("bounded quotient", b)
    if key not in a.memo:
        a.memo[key] = _bounded_quotient(a, b)
    found: Expr | None = a.memo[key]
    return found


def _bounded_quotient(a: Expr, b: Expr) -> Expr | None:
    names = tuple(sorted({*a.support, *b.support}))
    sizes = rg.possible(names)
    here = cond.placed_of(cond.compare(ex.add_constant(b, -1), ">=")).over(names).intersect(sizes)
    if here.is_empty() or not here.is_disjoint(cond.placed_of(_less(a, ex.constant(0))).over(names)):
        return None
    # where `a` is piecewise and undefined, no size ever is
    here = here.intersect(cond.placed_of(cond.compare(a, ">=")).over(names))
    for most in (1, 2, 4, 8, 16, 32, MAX_QUOTIENT):
        within = cond.placed_of(_less(a, ex.scale(b, most + 1))).over(names)
        if here.is_subset(within):
            break
    else:
        return None
    cases = []
    for value in range(most + 1):
        where = cond.all_of(cond.compare(ex.subtract(a, ex.scale(b, value)), ">="), _less(a, ex.scale(b, value + 1)))
        placed = cond.placed_of(where)
        region = placed.over(names).intersect(here)
        if not region.is_empty():
            cases.append((rg.Placed(names, region), ex.constant(value)))
    return ex.piecewise(tuple(cases))


def _less(a: Expr, b: Expr) -> bool | Condition:
    return cond.compare(ex.add_constant(ex.subtract(b, a), -1), ">=")


def _modulo(a: Expr, b: Expr) -> Expr:
    if not b.items:
        return ex.modulo(a, b.const)
    if b.items and cond.never_above(a, b):
        equal = cond.compare(ex.subtract(a, b), "==")
        return ex.piecewise(((cond.placed_of(equal), ex.constant(0)), (cond.placed_of(cond.negate(equal)), a)))
    found = cond.divided_by_root(a, b)
    if found is not None:
        rest = ex.scale(ex.symbol(found[0].rest), found[1])
        share = ex.subtract(_quotient_by_root(*found), ex.scale(b, found[1]))
        return ex.subtract(rest, ex.multiply(share, b))
    return ex.subtract(a, ex.multiply(_floordiv(a, b), b))


def _comparison(a: Dim, b: Any, op: str, on_ratios: Any) -> Any:
    if type(b) is int:
        difference = ex.add_constant(a.expr, -b)
    else:
        other = expr_of(b)
        if other is None:
            return on_ratios(_as_ratio(a), b) if issubclass(type(b), _FRACTIONAL) else NotImplemented
        difference = ex.subtract(a.expr, other)
    return _sign_condition(difference, op)


def _sign_condition(difference: Expr, op: str) -> bool | Condition:
    if op == ">":
        return cond.compare(ex.add_constant(difference, -1), ">=")
    if op == "<=":
        return cond.compare(ex.scale(difference, -1), ">=")
    if op == "<":
        return cond.compare(ex.add_constant(ex.scale(difference, -1), -1), ">=")
    return cond.compare(difference, op)


# --- fractions of sizes --------------------------------------------------------------------------------


def _short(value: float) -> bool:
    """Whether products with it are exact in double precision for every size one meets."""
    fraction = Fraction(value)
    return abs(fraction.numerator) < 2**31 and fraction.denominator < 2**31


def _fraction(value: float | Fraction | int) -> Fraction:
    """The number that someone wrote as this float: 1/10 for 0.1."""
    exact = Fraction(value)
    simple = exact.limit_denominator(10**6)
    return simple if float(simple) == float(value) else exact


class Ratio(_Logarithms):
    """An exact quotient of sizes: what ``H / 2`` is, until ``int``, ``floor`` or ``ceil`` makes it a size again.

    Attributes:
        common: the number that was cancelled out of both.
    """

    __slots__ = ("common", "divisor", "number")

    number: Expr
    divisor: Expr
    common: int

    def __new__(cls, *_: Expr) -> Ratio:
        return object.__new__(_ratio_class)

    def __init__(self, number: Expr, divisor: Expr) -> None:
        self.number, self.divisor = ex.cancel(number, divisor)
        self.common = math.gcd(ex.content(number), ex.content(divisor)) or 1

    # Models ask isinstance(scale, float) as they ask isinstance(size, int).
    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return float

    def __floor__(self) -> Any:
        return of(_floordiv(self.number, self.divisor))

    def __ceil__(self) -> Any:
        key = ("ceil", self.divisor)
        known = self.number.memo.get(key)
        if known is None:
            known = ex.scale(_floordiv(ex.scale(self.number, -1), self.divisor), -1)
            if self.number.affine and not self.divisor.items:  # else it is what it is on this path
                self.number.memo[key] = known
        return of(known)

    def __trunc__(self) -> Any:
        if path.implied(self >= 0):
            return self.__floor__()
        return select(self >= 0, self.__floor__(), self.__ceil__())

    def __round__(self, digits: int | None = None) -> Any:
        if digits:
            return round(float(self), digits)
        doubled = ex.add(ex.scale(self.number, 2), self.divisor)
        nearest = of(_floordiv(doubled, ex.scale(self.divisor, 2)))
        tie = cond.compare(_modulo(doubled, ex.scale(self.divisor, 2)), "==")
        # Python rounds halves to even.
        return select(cond.all_of(tie, nearest % 2 == 1), nearest - 1, nearest)

    def __add__(self, other: Any) -> Any:
        if type(other) is int and self.number.items and not self.divisor.items:
            return _remembered_ratio(
                self.number,
                ("+", other, self.divisor),
                lambda: (ex.add(self.number, ex.scale(self.divisor, other)), self.divisor),
            )
        return _fractional(
            self, other, lambda a, b, c, d: (ex.add(ex.multiply(a, d), ex.multiply(c, b)), ex.multiply(b, d))
        )

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        if type(other) is int and self.number.items and not self.divisor.items:
            return self + -other
        return _fractional(
            self, other, lambda a, b, c, d: (ex.subtract(ex.multiply(a, d), ex.multiply(c, b)), ex.multiply(b, d))
        )

    def __rsub__(self, other: Any) -> Any:
        return -(self - other)

    def __mul__(self, other: Any) -> Any:
        return _fractional(self, other, lambda a, b, c, d: (ex.multiply(a, c), ex.multiply(b, d)))

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Any:
        return _fractional(self, other, lambda a, b, c, d: (ex.multiply(a, d), ex.multiply(b, c)))

    def __rtruediv__(self, other: Any) -> Any:
        return _fractional(self, other, lambda a, b, c, d: (ex.multiply(b, c), ex.multiply(a, d)))

    def __floordiv__(self, other: Any) -> Any:
        result = self / other
        return result if result is NotImplemented else _as_ratio(math.floor(result))

    def __rfloordiv__(self, other: Any) -> Any:
        result = other / self
        return result if result is NotImplemented else _as_ratio(math.floor(result))

    def __mod__(self, other: Any) -> Any:
        return self - (self // other) * other

    def __rmod__(self, other: Any) -> Any:
        return other - (other // self) * self

    def __neg__(self) -> Ratio:
        return Ratio(ex.scale(self.number, -1), self.divisor)

    def __pos__(self) -> Ratio:
        return self

    def __abs__(self) -> Any:
        return self if path.implied(self >= 0) else abs(float(self))

    def __pow__(self, exponent: Any) -> Any:
        if type(exponent) is not int or exponent < 0:
            return float(self) ** exponent
        result: Any = 1
        for _ in range(exponent):
            result = self * result
        return result

    def __eq__(self, other: Any) -> Any:
        return _ratio_comparison(self, other, "==")

    def __ne__(self, other: Any) -> Any:
        return _ratio_comparison(self, other, "!=")

    def __ge__(self, other: Any) -> Any:
        return _ratio_comparison(self, other, ">=")

    def __gt__(self, other: Any) -> Any:
        return _ratio_comparison(self, other, ">")

    def __le__(self, other: Any) -> Any:
        return _ratio_comparison(self, other, "<=")

    def __lt__(self, other: Any) -> Any:
        return _ratio_comparison(self, other, "<")

    def __bool__(self) -> bool:
        return bool(cond.compare(self.number, "!="))

    def is_integer(self) -> Any:
        return cond.compare(_modulo(self.number, self.divisor), "==")

    def __float__(self) -> float:
        return path.concrete(self.number) / path.concrete(self.divisor)

    def __hash__(self) -> int:
        return hash(float(self))

    def __repr__(self) -> str:
        return f"({self.number})/({self.divisor})"

    def __format__(self, spec: str) -> str:
        return repr(self)


class FloatProduct(_Logarithms):
    """A size times a float that is no short binary fraction: rounded as double precision rounds it."""

    __slots__ = ("factor", "size")

    def __new__(cls, *_: Any) -> FloatProduct:
        return object.__new__(_product_class)

    def __init__(self, size: Expr, factor: float) -> None:
        self.size, self.factor = size, factor

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return float

    def __floor__(self) -> Any:
        return of(ex.scaled(self.size, self.factor))

    def __ceil__(self) -> Any:
        return of(ex.scale(ex.scaled(self.size, -self.factor), -1))

    def __trunc__(self) -> Any:
        return self.__floor__() if self.factor >= 0 else self.__ceil__()

    def __round__(self, digits: int | None = None) -> Any:
        return round(self._exact(), digits)

    def _exact(self) -> Ratio:
        return _ratio(self.size, _fraction(self.factor))

    def __neg__(self) -> FloatProduct:
        return FloatProduct(self.size, -self.factor)

    def __float__(self) -> float:
        return path.concrete(self.size) * self.factor

    def __hash__(self) -> int:
        return hash(float(self))

    def __bool__(self) -> bool:
        return bool(self._exact())

    def __repr__(self) -> str:
        return f"({self.size})*{self.factor}"

    def __format__(self, spec: str) -> str:
        return repr(self)


def _through_exact(name: str) -> Any:
    def method(self: FloatProduct, *arguments: Any) -> Any:
        return getattr(self._exact(), name)(*arguments)

    return method


for _name in (
    *("__add__", "__radd__", "__sub__", "__rsub__", "__mul__", "__rmul__", "__truediv__", "__rtruediv__"),
    *("__floordiv__", "__mod__", "__eq__", "__ne__", "__ge__", "__gt__", "__le__", "__lt__"),
):
    setattr(FloatProduct, _name, _through_exact(_name))


# Real types: what merely passes for a float (a square root nobody follows) computes for itself.
_FRACTIONAL = (float, Fraction, Ratio, FloatProduct)
_NUMERIC = (int, Dim, *_FRACTIONAL)

_ratio_class: type[Ratio] = Ratio
_product_class: type[FloatProduct] = FloatProduct


def _remembered_ratio(owner: Expr, key: Any, parts: Callable[[], tuple[Expr, Expr]]) -> Ratio:
    """The quotient of two formulas that is kept with one of them."""
    known: Any = owner.memo.get(key)
    if known is None or type(known) is not _ratio_class:
        known = owner.memo[key] = Ratio(*parts())
    found: Ratio = known
    return found


def _ratio(number: Expr, fraction: Fraction) -> Ratio:
    return Ratio(ex.scale(number, fraction.numerator), ex.constant(fraction.denominator))


def _as_ratio(value: Any) -> Ratio:
    if type(value) is int:
        return Ratio(ex.constant(value), ex.constant(1))
    if isinstance(value, Ratio):
        return value
    if isinstance(value, FloatProduct):
        return value._exact()
    if isinstance(value, Dim):
        return Ratio(value.expr, ex.constant(1))
    if isinstance(value, (int, float, Fraction)):
        return _ratio(ex.constant(1), _fraction(value))
    raise TypeError(f"not a number: {value!r}")


def _fractional(a: Ratio, b: Any, combine: Any) -> Any:
    if not issubclass(type(b), _NUMERIC):
        return NotImplemented
    other = _as_ratio(b)
    number, divisor = combine(a.number, a.divisor, other.number, other.divisor)
    result = Ratio(number, divisor)
    if not result.number.items and not result.divisor.items:
        return result.number.const / result.divisor.const
    return result


def _ratio_comparison(a: Ratio, b: Any, op: str) -> Any:
    if isinstance(b, float) and math.isinf(b):
        return {"==": False, "!=": True}.get(op, (b > 0) == (op in ("<", "<=")))
    if not issubclass(type(b), _NUMERIC):
        return NotImplemented
    other = _as_ratio(b)
    # Divisors are sizes or positive constants, so multiplying by them keeps the order.
    difference = ex.subtract(ex.multiply(a.number, other.divisor), ex.multiply(other.number, a.divisor))
    if not difference.affine:
        # "more than 2 GiB?" is asked of bytes / 1024**3; how many bytes these are decides whether it is taken as never
        difference = ex.scale(difference, a.common)
    return _sign_condition(difference, op)


# --- functions of sizes ---------------------------------------------------------------------------------


def smax(*sizes: Any) -> Any:
    """The greatest, without exploring cases; one argument is taken as an iterable, as ``max`` does."""
    return _extreme(sizes, _maximum, max)


def smin(*sizes: Any) -> Any:
    """The least, without exploring cases; one argument is taken as an iterable, as ``min`` does."""
    return _extreme(sizes, _minimum, min)


def _maximum(a: Expr, b: Expr) -> Expr:
    """The greater of two; the one that always is, if one is: what a padding "as needed" comes to is a plain formula."""
    sign = sign_everywhere(ex.subtract(a, b))
    return ex.maximum(a, b) if sign is None else a if sign > 0 else b


def _minimum(a: Expr, b: Expr) -> Expr:
    sign = sign_everywhere(ex.subtract(a, b))
    return ex.minimum(a, b) if sign is None else b if sign > 0 else a


def _extreme(sizes: tuple[Any, ...], on_exprs: Any, plain: Any) -> Any:
    values = list(sizes[0]) if len(sizes) == 1 else list(sizes)
    if not any(isinstance(value, Dim) for value in values):
        return plain(values)
    exprs = [e for value in values if (e := expr_of(value)) is not None]
    if len(exprs) < len(values):
        return plain(values)
    result = exprs[0]
    for other in exprs[1:]:
        if result is not other:
            result = on_exprs(result, other)
    return of(result)


def select(condition: bool | Condition, if_true: Any, if_false: Any) -> Any:
    """``if_true`` where the condition holds, else ``if_false``, without exploring cases."""
    if not isinstance(condition, Condition):
        return if_true if condition else if_false
    yes, no = expr_of(if_true), expr_of(if_false)
    if yes is None or no is None:
        raise TypeError("select() chooses between sizes")
    if yes is no:
        return if_true
    if path.implied(condition):
        return if_true
    if not path.possible(condition):
        return if_false
    where = condition.placed()
    opposite = cond.negate(condition)
    assert isinstance(opposite, Condition)
    return of(ex.piecewise(((where, yes), (opposite.placed(), no))))


def scaled_floor(size: Size, factor: Any) -> Any:
    """``floor(float(size) * factor)`` as torch's resize computes it in double precision."""
    if isinstance(factor, (Ratio, FloatProduct)):
        return math.floor(_as_ratio(factor) * size)
    if isinstance(factor, Dim) or type(factor) is int:
        return size * factor
    if isinstance(size, Dim):
        return of(ex.scaled(size.expr, float(factor)))
    return math.floor(float(size) * factor)


def product(sizes: Iterable[Size]) -> Any:
    """The product, kept factored so that a later division cancels."""
    number = 1
    symbolic: Expr | None = None
    for size in sizes:
        if isinstance(size, Dim):
            symbolic = size.expr if symbolic is None else ex.multiply(symbolic, size.expr)
        else:
            number *= size
    return number if symbolic is None else of(ex.scale(symbolic, number))


def factors_of(size: Size) -> list[Any]:
    """The sizes that a product is made of; a size that is no product is its only factor."""
    if not isinstance(size, Dim):
        return [size]
    number, factors = ex.factorize(size.expr)
    return [number, *map(of, factors)]


def in_terms_of(size: Size, others: Iterable[Size]) -> Any:
    """The same size on the path, as a multiple of one of the others if it is one: 8*(H//8) where 8 divides H."""
    if not isinstance(size, Dim):
        return size
    growth = ex.slope(size.expr)
    for other in others:
        if growth and isinstance(other, Dim) and other.symbols == size.symbols:
            times = growth / (ex.slope(other.expr) or 1)
            if times.denominator == 1 and times > 1 and path.implied(size == other * int(times)):
                return other * int(times)
    return size


def divides(divisor: Any, size: Any) -> bool | Condition:
    """Whether ``size % divisor == 0``.

    Raises:
        TooComplex: divisor and size share too little to tell.
    """
    number, by = expr_of(size), expr_of(divisor)
    if number is None or by is None:
        raise TypeError("divides() takes sizes")
    if not by.items:
        if by.const == 0:
            return cond.compare(number, "==")
        return cond.divides(by.const, number)
    number, by = ex.cancel(cond.unify(number, by), by)
    if not by.items:
        return cond.divides(by.const, number)
    if not number.items and number.const:
        low, high = path.bounds(by)
        if low is not None and low == high:
            return low != 0 and number.const % low == 0
        values = [sign * d for d in rg.divisors(number.const) for sign in (1, -1)]
        within = [v for v in values if (low is None or low <= v) and (high is None or v <= high)]
        return cond.any_of(*(cond.compare(ex.add_constant(by, -v), "==") for v in within))
    squared = cond.divided_by_squared_root(number, by)
    if squared is not None:
        where = [rg.Placed((squared[0].rest, squared[0].root), w) for w, _ in _shares(*squared)]
        return cond.any_of(*map(cond.Member, where))
    found = cond.divided_by_root(number, by)
    if found is not None:
        # square = root*root + rest, so what is left to divide is the rest, which is at most twice the root
        rest, root = ex.scale(ex.symbol(found[0].rest), found[1]), ex.symbol(found[0].root)
        return cond.any_of(*(cond.compare(ex.subtract(rest, ex.scale(root, k)), "==") for k in range(2 * found[1] + 1)))
    if cond.never_above(number, by):
        # at most one whole part fits: it divides where the two are equal, or nothing is left to divide
        return cond.any_of(cond.compare(ex.subtract(number, by), "=="), cond.compare(number, "=="))
    remainder = ex.subtract(number, ex.multiply(_floordiv(number, by), by))
    if remainder.items and not remainder.affine:
        raise TooComplex(f"whether {by} divides {number} is beyond what a set of sizes can express")
    return cond.compare(remainder, "==")


def divide(size: Any, divisor: Any) -> Any:
    """``size // divisor`` where ``divides(divisor, size)`` has been required."""
    number, by = expr_of(size), expr_of(divisor)
    if number is None or by is None:
        raise TypeError("divide() takes sizes")
    number = cond.unify(number, by)
    squared = cond.divided_by_squared_root(*ex.cancel(number, by))
    if squared is not None:
        names = (squared[0].rest, squared[0].root)
        return of(ex.piecewise(tuple((rg.Placed(names, where), share) for where, share in _shares(*squared))))
    if not number.items:
        low, high = path.bounds(by)
        if low and low == high:
            return number.const // low
    if number is not by and path.implied(cond.compare(ex.subtract(number, by), "==")):
        return 1
    return of(_floordiv(number, by))


def _quotient_by_root(root: ex.Root, times: int) -> Expr:
    """``times * square // root``: ``times * root`` and what goes into the rest, which is at most twice the root."""
    side, rest = ex.symbol(root.root), ex.scale(ex.symbol(root.rest), times)
    cases = []
    for share in range(2 * times + 1):
        above = cond.compare(ex.subtract(rest, ex.scale(side, share)), ">=")
        where = cond.placed_of(cond.all_of(above, _less(rest, ex.scale(side, share + 1))))
        cases.append((where, ex.constant(share)))
    return ex.add(ex.scale(side, times), ex.piecewise(tuple(cases)))


def _shares(root: ex.Root, times: int) -> list[tuple[rg.Region, Expr]]:
    """Where ``root**2`` divides ``times * square``, and how often: at true squares, and at a few small sizes."""
    small: dict[int, list[tuple[int, int]]] = {}
    for side in range(1, 2 * times + 1):
        for rest in range(1, 2 * side + 1):
            if times * rest % side**2 == 0:
                small.setdefault(times + times * rest // side**2, []).append((rest, side))
    exact = cond.placed_of(cond.compare(ex.symbol(root.rest), "==")).over((root.rest, root.root))
    found = [(exact.intersect(rg.root_and_rest()), ex.constant(times))]
    return found + [(rg.from_points(2, points), ex.constant(value)) for value, points in small.items()]


def isqrt(size: Size) -> Any:
    """The integer square root, as a size of its own where the sizes do not pair up to a square."""
    if not isinstance(size, Dim):
        return math.isqrt(size)
    number, factors = ex.factorize(size.expr)
    if number > 0 and math.isqrt(number) ** 2 == number and all(factors.count(f) % 2 == 0 for f in factors):
        half = [f for f in dict.fromkeys(factors) for _ in range(factors.count(f) // 2)]
        return of(ex.unfactorize(math.isqrt(number), half))
    return of(ex.symbol(ex.square_root(size.expr).root))


def remembered(compute: Callable[..., Known], size: Size, *parameters: Any) -> Known:
    """``compute(size, *parameters)``, which has to be pure arithmetic; it is done once for each formula.

    That of products asks the path, and a symbolic parameter has no place in a key.
    """
    if not isinstance(size, Dim) or not size.expr.affine or _some_symbolic(parameters):
        return compute(size, *parameters)
    memo, key = size.expr.memo, (compute, parameters, _class)
    if key not in memo:
        memo[key] = compute(size, *parameters)
    known: Known = memo[key]
    return known


def _some_symbolic(numbers: tuple[Any, ...]) -> bool:
    for number in numbers:  # noqa: SIM110 - a generator takes three times as long
        if type(number) is not int:
            return True
    return False


def evaluate(size: Any, env: Env) -> int:
    """A size's value for concrete input sizes."""
    return size.expr.evaluate(env) if isinstance(size, Dim) else int(size)


# --- pickling -------------------------------------------------------------------------------------------


def _terms_of(a: Expr) -> Any:
    parts: list[Any] = []
    for term, coefficient in a.items:
        if isinstance(term, ex.Symbol):
            data: Any = ("symbol", term.name)
        elif isinstance(term, ex.FloorDiv):
            data = ("floordiv", _terms_of(term.numerator), term.divisor)
        elif isinstance(term, ex.Quotient):
            data = ("quotient", _terms_of(term.numerator), _terms_of(term.divisor))
        elif isinstance(term, ex.Pos):
            data = ("pos", _terms_of(term.inner))
        elif isinstance(term, ex.Scaled):
            data = ("scaled", _terms_of(term.inner), term.factor)
        elif isinstance(term, ex.Product):
            data = ("product", [_terms_of(f) for f in term.factors])
        else:
            assert isinstance(term, ex.Piece)
            data = ("piece", [(w.support, str(w.region), _terms_of(v)) for w, v in term.cases])
        parts.append((data, coefficient))
    return parts, a.const


def _expr_from(data: Any) -> Expr:
    parts, const = data
    result = ex.constant(const)
    for term, coefficient in parts:
        result = ex.add(result, ex.scale(_term_from(term), coefficient))
    return result


def _term_from(data: Any) -> Expr:
    kind, *rest = data
    if kind == "symbol":
        return ex.symbol(rest[0])
    if kind == "floordiv":
        return ex.floordiv(_expr_from(rest[0]), rest[1])
    if kind == "quotient":
        return ex.quotient(_expr_from(rest[0]), _expr_from(rest[1]))
    if kind == "pos":
        return ex.positive_part(_expr_from(rest[0]))
    if kind == "scaled":
        return ex.scaled(_expr_from(rest[0]), rest[1])
    if kind == "product":
        return ex.multiply_all(_expr_from(f) for f in rest[0])
    from shapelint.sizes.region import Placed, parse

    return ex.piecewise(tuple((Placed(tuple(s), parse(len(s), r)), _expr_from(v)) for s, r, v in rest[0]))


def _restore(data: Any) -> Any:
    return of(_expr_from(data))
