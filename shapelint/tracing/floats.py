"""Floats that a model computes from sizes: square roots, logarithms, and what no formula follows.

A scale that changes no shape needs no value. What is rounded to an int is followed: an integer square root as a size of
its own, and a function that rises or falls with a size, as the logarithm does, case by case.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import torch

from shapelint.sizes import Condition, Dim, Ratio, Undecided, all_of, any_of, select
from shapelint.sizes import path as paths
from shapelint.sizes.condition import LARGEST_TENSOR, Member, negate
from shapelint.sizes.dim import FloatProduct, isqrt, of, use_logarithm, use_square_root
from shapelint.sizes.expr import Expr, constant_cases
from shapelint.sizes.steps import at_least, holding, stepped
from shapelint.tracing.tensor import use_unknown_floats

FRACTIONS = (Ratio, FloatProduct)
SYMBOLIC = (Dim, *FRACTIONS)


class OpaqueFloat(torch.SymFloat):
    """A float computed from sizes that no formula follows (a square root): used as a scale it changes no shape.

    Where its value decides something it is computed, if the sizes it comes from are few.
    """

    def __init__(self, compute: Callable[[], float]) -> None:
        self.compute = compute

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return float

    def __float__(self) -> float:
        return float(self.compute())

    def __int__(self) -> int:
        return int(self.compute())

    def __trunc__(self) -> int:
        return int(self.compute())

    def __floor__(self) -> int:
        return math.floor(self.compute())

    def __ceil__(self) -> int:
        return math.ceil(self.compute())

    def __round__(self, digits: int | None = None) -> float:
        return round(self.compute(), digits)

    def __bool__(self) -> bool:
        return bool(self.compute())

    def __hash__(self) -> int:
        return hash(self.compute())


def value_of(number: Any) -> Any:
    return number.compute() if issubclass(type(number), OpaqueFloat) else float(number)


def _opaque_operator(name: str) -> Any:
    def method(self: OpaqueFloat, *others: Any) -> Any:
        if others and not isinstance(others[0], (int, float)):
            return NotImplemented
        return OpaqueFloat(lambda: getattr(float, name)(value_of(self), *(value_of(o) for o in others)))

    return method


def _opaque_comparison(name: str) -> Any:
    def method(self: OpaqueFloat, other: Any) -> bool:
        if type(other) is int and other > LARGEST_TENSOR:
            # "more elements than 2**31?": taken to be no, as for exact sizes
            return name in ("__ne__", "__lt__", "__le__")
        return bool(getattr(float, name)(value_of(self), value_of(other)))

    return method


for _name in ("add", "radd", "sub", "rsub", "mul", "rmul", "truediv", "rtruediv", "pow", "rpow", "neg", "abs", "mod"):
    setattr(OpaqueFloat, f"__{_name}__", _opaque_operator(f"__{_name}__"))
for _name in ("eq", "ne", "lt", "le", "gt", "ge"):
    setattr(OpaqueFloat, f"__{_name}__", _opaque_comparison(f"__{_name}__"))


class SymbolicRoot(OpaqueFloat):
    """The square root of a size; rounded to an int it is followed exactly."""

    def __init__(self, square: Expr) -> None:
        super().__init__(lambda: math.sqrt(paths.concrete(square)))
        self.square = square

    def __floor__(self) -> Any:
        return isqrt(of(self.square))

    __trunc__ = __floor__

    def __ceil__(self) -> Any:
        root = self.__floor__()
        return select(of(self.square) > root * root, root + 1, root)

    def __round__(self, digits: int | None = None) -> Any:
        root = self.__floor__()
        # nearer to root + 1 where the square is more than root*root + root
        return select(of(self.square) > root * root + root, root + 1, root)

    def is_integer(self) -> Any:
        root = self.__floor__()
        return root * root == of(self.square)


class MonotoneFloat(OpaqueFloat):
    """A float that never falls, or never rises, with a size; rounded to an int it is followed case by case.

    Attributes:
        of_number: the float for a number in the size's place, as Python itself computes it.
        least: the size is no less than this.
    """

    def __init__(self, size: Expr, of_number: Callable[[int], Any], least: int) -> None:
        super().__init__(lambda: of_number(paths.concrete(size)))
        self.size, self.of_number, self.least = size, of_number, least

    def then(self, function: Callable[[Any], Any]) -> Any:
        """A function of it that neither falls where it rises nor the other way round."""
        return type(self)(self.size, lambda number: function(self.of_number(number)), self.least)

    def where(self, predicate: Callable[[float], bool]) -> bool | Condition:
        """Where a predicate holds that changes once."""
        return holding(self.size, lambda number: predicate(self.of_number(number)), self.least)

    def _rounded(self, function: Callable[[float], int]) -> Any:
        found = stepped(self.size, lambda number: function(self.of_number(number)), self.least)
        return function(self.compute()) if found is None else of(found)

    def __floor__(self) -> Any:
        return self._rounded(math.floor)

    def __ceil__(self) -> Any:
        return self._rounded(math.ceil)

    def __trunc__(self) -> Any:
        return self._rounded(math.trunc)

    def __round__(self, digits: int | None = None) -> Any:
        return self._rounded(round) if digits is None else super().__round__(digits)

    def __rpow__(self, base: Any) -> Any:
        if (
            _is_number(base)
            and base > 0
            and all(abs(end) * abs(math.log2(base)) < _LARGEST_EXPONENT for end in self._ends())
        ):
            return self.then(lambda value: base**value)
        unfollowed: Any = super().__rpow__
        return unfollowed(base)

    def _ends(self) -> tuple[float, float]:
        return float(self.of_number(self.least)), float(self.of_number(LARGEST_TENSOR))

    def __eq__(self, other: Any) -> Any:
        found = self._equality(other)
        return super().__eq__(other) if found is None else found

    def __ne__(self, other: Any) -> Any:
        found = self._equality(other)
        return super().__ne__(other) if found is None else negate(found)

    __hash__ = OpaqueFloat.__hash__

    def is_integer(self) -> Any:
        """Whether it is what it is rounded to: how models ask for a power of two."""
        return self == self.__floor__()

    def _equality(self, other: Any) -> bool | Condition | None:
        if not self.size.affine:
            return None
        if _is_number(other):
            return self._equals(other)
        cases = constant_cases(other.expr) if issubclass(type(other), Dim) else None
        return None if cases is None else any_of(*(all_of(Member(where), self._equals(k)) for where, k in cases))

    def _equals(self, number: float) -> bool | Condition:
        return all_of(self.where(lambda value: value >= number), self.where(lambda value: value <= number))


def _is_number(value: Any) -> bool:
    return issubclass(type(value), (int, float)) and math.isfinite(value)


_LARGEST_EXPONENT = 1000
"""Powers of 2 below this are floats."""


def _monotone_operator(name: str) -> Any:
    otherwise = getattr(OpaqueFloat, name)

    def method(self: MonotoneFloat, *others: Any) -> Any:
        if all(map(_is_number, others)) and not (name == "__truediv__" and others[0] == 0):
            # numpy's floats stay what they are: their powers are not always those of Python's
            return self.then(lambda value: type(value)(getattr(float(value), name)(*map(float, others))))
        return otherwise(self, *others)

    return method


def _monotone_comparison(name: str) -> Any:
    otherwise = getattr(OpaqueFloat, name)

    def method(self: MonotoneFloat, other: Any) -> Any:
        if _is_number(other) and self.size.affine:
            return self.where(lambda value: bool(getattr(float(value), name)(float(other))))
        return otherwise(self, other)

    return method


for _name in ("add", "radd", "sub", "rsub", "mul", "rmul", "truediv", "neg"):
    setattr(MonotoneFloat, f"__{_name}__", _monotone_operator(f"__{_name}__"))
for _name in ("ge", "gt", "le", "lt"):
    setattr(MonotoneFloat, f"__{_name}__", _monotone_comparison(f"__{_name}__"))


class ArrayFloat(MonotoneFloat):
    """What numpy's functions give, which has an array's methods."""

    def __array_ufunc__(self, function: Any, method: str, *inputs: Any, **options: Any) -> Any:
        if function.__name__ in _ROUNDING and method == "__call__" and inputs == (self,) and not options:
            return self.then(function)
        raise Undecided(f"what numpy's {function.__name__} makes of a number that depends on the input's size")

    def astype(self, dtype: Any) -> Any:
        """An int of at least 32 bits, which is all that is followed, cuts the fraction off."""
        import numpy

        # the code that is traced knows int by its stand-in, which equals it
        kind = numpy.dtype(numpy.int64 if dtype == int else dtype)  # noqa: E721
        if kind.kind == "i" and kind.itemsize >= 4:
            return math.trunc(self)
        raise Undecided(f"what a number that depends on the input's size is as {kind}")

    def item(self) -> Any:
        return MonotoneFloat(self.size, self.of_number, self.least)


_ROUNDING = frozenset({"ceil", "floor", "rint", "trunc"})


def _opaque_math(function: Any) -> Any:
    @functools.wraps(function)
    def call(*args: Any) -> Any:
        if any(isinstance(a, SYMBOLIC) or issubclass(type(a), OpaqueFloat) for a in args):
            return OpaqueFloat(lambda: function(*(value_of(a) for a in args)))
        return function(*args)

    return call


_LEAST = {"log": 1, "log2": 1, "log10": 1, "log1p": 0}
"""Logarithms, with the least int that each is asked of here."""


def _logarithm(name: str) -> Any:
    function = getattr(math, name)
    unfollowed = _opaque_math(function)

    @functools.wraps(function)
    def call(value: Any, *base: Any) -> Any:
        found = _number_in(value) if all(map(_is_number, base)) else None
        if found is None:
            return unfollowed(value, *base)
        size, of_number = found
        least = _LEAST[name]
        function(1, *base)  # what is no base is refused whatever the size is
        inside = at_least(size, least)
        if not paths.expressible(inside):
            return unfollowed(value, *base)
        if inside:
            return MonotoneFloat(size, lambda number: function(of_number(number), *base), least)
        # below 1 there is no logarithm, and 0 is refused as all these are
        return function(0, *base) if least else unfollowed(value, *base)

    return call


def _array_logarithm(name: str, value: Any) -> Any:
    """What numpy calls for ``numpy.log(size)``; its own function rounds in its own way."""
    import numpy

    function = getattr(numpy, name)
    found = _number_in(value)
    if found is None:
        raise Undecided(f"{name} of {value}")
    size, of_number = found
    inside = at_least(size, _LEAST[name])
    if paths.expressible(inside) and inside:
        return ArrayFloat(size, lambda number: function(of_number(number)), _LEAST[name])
    return OpaqueFloat(lambda: float(function(of_number(paths.concrete(size)))))


def _number_in(value: Any) -> tuple[Expr, Callable[[int], float]] | None:
    """The size that decides a number, and how the number rises with it from 0 on; ``None`` if it is no such number."""
    kind = type(value)
    if issubclass(kind, Dim):
        return value.expr, float
    if issubclass(kind, Ratio) and value.divisor.is_constant and value.divisor.const > 0:
        divisor = value.divisor.const
        return value.number, lambda number: number / divisor
    if issubclass(kind, FloatProduct) and value.factor > 0:
        factor = value.factor
        return value.size, lambda number: number * factor
    if issubclass(kind, SymbolicRoot):
        return value.square, math_sqrt
    return None


math_sqrt, math_isqrt = math.sqrt, math.isqrt


def _sqrt(value: Any) -> Any:
    return SymbolicRoot(value.expr) if isinstance(value, Dim) else _opaque_sqrt(value)


_opaque_sqrt = _opaque_math(math_sqrt)

FUNCTIONS: dict[str, Any] = {
    **{name: _opaque_math(getattr(math, name)) for name in ("exp", "pow", "sin", "cos")},
    **{name: _logarithm(name) for name in _LEAST},
    "sqrt": _sqrt,
    "isqrt": lambda value: isqrt(value) if isinstance(value, Dim) else math_isqrt(value),
}
"""What takes the place of Python's own functions of the same names."""

use_square_root(SymbolicRoot)
use_unknown_floats(OpaqueFloat)
use_logarithm(_array_logarithm)
