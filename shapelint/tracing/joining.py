"""Bringing the paths of a branch together: many outcomes of one module become one piecewise outcome."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from types import FunctionType, MethodType, ModuleType
from typing import Any

import torch

from shapelint.sizes import Domain, Size, TooComplex
from shapelint.sizes import dim as dims
from shapelint.sizes import expr as ex
from shapelint.sizes import path as paths
from shapelint.sizes.condition import compare
from shapelint.sizes.dim import Dim
from shapelint.sizes.expr import Expr
from shapelint.sizes.region import Placed, divisors
from shapelint.tracing.loops.repeated import Repeated
from shapelint.tracing.running import holds_tensors
from shapelint.tracing.tensor import SymbolicTensor, symbolic_tensor

Leaf = Any

MAX_FORMS = 8
"""With more different formulas than this no common one is looked for."""

MAX_DIVISOR = 4096
"""Divisions by more than this are not tried rounded up: they come from loops, not from padding."""

MAX_VARIANTS = 1024
"""Most formulas tried when products from several paths are brought together."""


class Different(Exception):
    """The outcomes have no common form: another rank, another structure, another plain value."""


def flatten(
    value: Any, leaves: list[Leaf], whole: frozenset[int] = frozenset(), records: dict[int, int] | None = None
) -> Any:
    """A hashable-free description of a value's structure; its tensors and sizes are appended to ``leaves``.

    Args:
        whole: ids of objects that are described as themselves, whatever they hold.
        records: numbers of the objects that are described by their attributes, by their ids: all that are nothing
            more than these, if this is given, else those that hold tensors.
    """
    if isinstance(value, SymbolicTensor):
        leaves.append(value)
        return ("tensor", len(value.sizes), value.dtype)
    if isinstance(value, Dim) or type(value) is int:
        leaves.append(value)
        return "size"
    if id(value) in whole:
        return ("value", value)
    if isinstance(value, dict):
        return (type(value), tuple(value), tuple(flatten(v, leaves, whole, records) for v in value.values()))
    if type(value) is Repeated:
        return (Repeated, tuple(flatten(v, leaves, whole, records) for run in value.runs for v in run))
    if type(value) in (list, tuple) or (isinstance(value, tuple) and hasattr(value, "_fields")):
        return (type(value), tuple(flatten(v, leaves, whole, records) for v in value))
    if type(value).__name__ == "SymbolicShape":
        return (tuple, tuple(flatten(v, leaves, whole, records) for v in value))
    if records is not None and id(value) in records:
        return (_AGAIN, records[id(value)])
    if holds_tensors(value) or (records is not None and is_record(value)):
        if records is not None:
            records[id(value)] = len(records)
        return (type(value), tuple((name, flatten(v, leaves, whole, records)) for name, v in vars(value).items()))
    return ("value", value)


_AGAIN = "again"


def unflatten(structure: Any, take: Callable[[], Leaf], records: list[Any] | None = None) -> Any:
    """The inverse of :func:`flatten`, with leaves from ``take``; ``records`` are the objects made so far."""
    if structure == "size" or structure[0] == "tensor":
        return take()
    kind = structure[0]
    if kind == "value":
        return structure[1]
    records = [] if records is None else records
    if kind == _AGAIN:
        return records[structure[1]]
    if issubclass(kind, dict):
        values = [unflatten(s, take, records) for s in structure[2]]
        result = dict(zip(structure[1], values, strict=True))
        # A ModelOutput is a dict that is made from keywords.
        return result if kind is dict else kind(**result) if hasattr(kind, "__dataclass_fields__") else kind(result)
    if not issubclass(kind, (list, tuple)):
        rebuilt = object.__new__(kind)
        records.append(rebuilt)
        vars(rebuilt).update({name: unflatten(s, take, records) for name, s in structure[1]})
        return rebuilt
    values = [unflatten(s, take, records) for s in structure[1]]
    if kind is Repeated:
        return Repeated(values[::2], values[1::2])
    return kind(*values) if hasattr(kind, "_fields") else kind(values)


def all_symbolic(value: Any) -> Any:
    """The same structure, with a symbolic tensor for each real one."""
    if isinstance(value, torch.Tensor):
        return value if isinstance(value, SymbolicTensor) else symbolic_tensor(tuple(value.shape), value.dtype)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(all_symbolic, value))
    if type(value) in (list, tuple):
        return type(value)(map(all_symbolic, value))
    return {name: all_symbolic(item) for name, item in value.items()} if type(value) is dict else value


_NO_RECORDS = (torch.Tensor, torch.nn.Module, type, ModuleType, FunctionType, MethodType, Iterator)
"""Objects that are more than their attributes, or that nobody hands over to have them changed."""

_MADE_IN_PYTHON = 1 << 9
"""Py_TPFLAGS_HEAPTYPE: what ``class`` makes."""


def has_attributes(value: Any) -> bool:
    """Whether an object is one of those that keep something in attributes: a cache, a state."""
    return hasattr(value, "__dict__") and not isinstance(value, _NO_RECORDS)


def is_record(value: Any) -> bool:
    """Whether an object is nothing more than its attributes."""
    classes = type(value).__mro__[:-1]
    made_in_python = all(cls.__flags__ & _MADE_IN_PYTHON and "__slots__" not in vars(cls) for cls in classes)
    return has_attributes(value) and made_in_python


def records_in(value: Any) -> frozenset[int]:
    """The ids of the objects in a value that are nothing more than their attributes."""
    found: dict[int, int] = {}
    flatten(value, [], records=found)
    return frozenset(found)


def same_structure(a: Any, b: Any) -> bool:
    """Whether two structures of :func:`flatten` can be joined."""
    if a is b:
        return True
    if type(a) is not type(b):
        return False
    if isinstance(a, tuple) and a and a[0] == "value":
        return len(b) == 2 and b[0] == "value" and _same_value(a[1], b[1])
    if isinstance(a, tuple):
        return len(a) == len(b) and all(same_structure(x, y) for x, y in zip(a, b, strict=True))
    return bool(a == b)


def _same_value(a: Any, b: Any) -> bool:
    if a is b:
        return True
    if isinstance(a, torch.Tensor) or isinstance(b, torch.Tensor):
        return isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor) and a.shape == b.shape and a.dtype == b.dtype
    if type(a) is not type(b):
        return False
    try:
        return bool(a == b)
    except (TypeError, ValueError, RuntimeError):
        return False  # values that cannot be compared are taken as different, which keeps the paths apart


def join_sizes(cases: Sequence[tuple[Domain, Size]]) -> Any:
    """One size for several paths: a formula that is right on all of them if there is one, else piecewise."""
    exprs: list[tuple[Domain, Expr]] = []
    for domain, size in cases:
        formula = dims.expr_of(size)
        assert formula is not None
        exprs.append((domain, formula))
    candidates = list(dict.fromkeys(e for _, e in exprs))
    if len(candidates) == 1:
        return dims.of(candidates[0])
    few = candidates if len(candidates) <= MAX_FORMS else []
    general = [variant for candidate in few for variant in _rounded_up(candidate)]
    for candidate in (*sorted(candidates, key=_simplicity), *general):
        # paths are followed from few rounds to many: formulas of few are told apart from the last one at once
        if all(_equal_on(domain, formula, candidate) for domain, formula in reversed(exprs)):
            return dims.of(candidate)
    try:
        return dims.of(_piecewise(candidates, exprs))
    except TooComplex:
        if any(ex.is_count(name) for candidate in candidates for name in candidate.support):
            return paths.joined_size()
        raise


def _simplicity(formula: Expr) -> tuple[bool, int]:
    # A plain number on one path is that path's special case, not the general formula.
    return (not formula.items, len(str(formula)))


def _equal_on(domain: Domain, formula: Expr, candidate: Expr) -> bool:
    if formula is candidate:
        return True
    if formula.items and candidate.items and not (formula.affine and candidate.affine):
        return _same_factors(domain, formula, candidate)
    try:
        return domain.status(compare(ex.subtract(formula, candidate), "==")) is True
    except TooComplex:
        return False


def _same_factors(domain: Domain, formula: Expr, candidate: Expr) -> bool:
    """Whether two products agree factor by factor; products that agree otherwise are kept apart."""
    number, factors = ex.factorize(formula)
    other_number, others = ex.factorize(candidate)
    if number != other_number or len(factors) != len(others):
        return False
    by_support = {factor.support: factor for factor in others}
    return len(by_support) == len(others) and all(
        factor.support in by_support
        and factor.affine
        and by_support[factor.support].affine
        and _equal_on(domain, factor, by_support[factor.support])
        for factor in factors
    )


def _rounded_up(formula: Expr) -> list[Expr]:
    """Formulas that round a division up where this one rounds down: what padding to a multiple amounts to."""
    number, factors = ex.factorize(formula)
    if len(factors) > 1:
        options = [[f, *_rounded_up(f)] for f in factors]
        if math.prod(map(len, options)) > MAX_VARIANTS:
            return []
        return [ex.unfactorize(number, choice) for choice in itertools.product(*options)][1:]
    found: list[Expr] = []
    for term, coefficient in formula.items:
        if isinstance(term, ex.FloorDiv) and term.affine and term.divisor <= MAX_DIVISOR:
            rest = ex.subtract(formula, ex.make([(term, coefficient)], 0))
            # the division may be several in one, of which the last or all round up
            for step in divisors(term.divisor):
                up = ex.floordiv(ex.add_constant(term.numerator, term.divisor - step), term.divisor)
                general = ex.add(rest, ex.scale(up, coefficient))
                found += [general, ex.add_constant(general, -coefficient)]
    return found


def _piecewise(candidates: list[Expr], exprs: list[tuple[Domain, Expr]]) -> Expr:
    merged: list[tuple[Domain, Expr]] = []
    for candidate in candidates:
        where: Domain | None = None
        for domain, formula in exprs:
            if formula is candidate:
                where = domain if where is None else where.unite(domain)
        assert where is not None
        merged.append((where, candidate))
    own = sorted({name for candidate in candidates for name in candidate.support})
    if own and (placed := _disjoint_over(merged, own)) is not None:
        return ex.piecewise(placed)
    differing = merged[0][0].differing([domain for domain, _ in merged[1:]])
    placed = _disjoint_over(merged, sorted({*own, *differing}))
    if placed is None:
        raise TooComplex("the paths of a branch overlap")
    return ex.piecewise(placed)


def _disjoint_over(merged: list[tuple[Domain, Expr]], names: list[str]) -> tuple[tuple[Placed, Expr], ...] | None:
    """The cases over these symbols alone, if they stay disjoint there."""
    cases: list[tuple[Placed, Expr]] = []
    support = tuple(names)
    for domain, formula in merged:
        joint = domain.project(names).over(support) if names else None
        if joint is None:
            return None
        placed = Placed(support, joint.region) if joint.support == support else Placed(support, joint.over(support))
        if any(not placed.region.is_disjoint(other.region) for other, _ in cases):
            return None
        cases.append((placed, formula))
    return tuple(cases)
