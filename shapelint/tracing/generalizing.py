"""Calls for whatever sizes: what a part of a model does with one tile, it does with tiles of all other sizes.

A model that goes through tiles or chunks calls its parts for a full one, for the last one, for the one before it, on
each path anew, and the sizes are other formulas each time. Such a call is followed once more with a symbol of its own
for each of its sizes; what it does for formulas is what it does for the symbols, with the formulas in their place.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from shapelint.ops.placement import Layout, Placement
from shapelint.sizes import Dim, Domain, TooComplex
from shapelint.sizes import dim as dims
from shapelint.sizes import expr as ex
from shapelint.sizes.condition import Comparison, Member, compare
from shapelint.sizes.expr import Expr
from shapelint.sizes.region import Placed
from shapelint.tracing.looking import known_of
from shapelint.tracing.record import Call, Failure
from shapelint.tracing.remembering import Question, Remembered
from shapelint.tracing.tensor import SymbolicTensor, symbolic_tensor, tensor_with

Formulas = Mapping[str, Expr]
"""What stands in the place of the symbols."""

Explore = Callable[[tuple[Any, ...], dict[str, Any], Question], Any]
"""Follows a call, given its arguments and what it asks."""


class NotGeneral(Exception):
    """A call can only be followed for the sizes that it is made with."""


class Generalizer:
    """Puts symbols in the place of the sizes in a call's arguments.

    Attributes:
        formulas: the factors of sizes that the symbols stand for.
    """

    def __init__(self, domain: Domain) -> None:
        self.formulas: dict[str, Expr] = {}
        self._domain = domain
        self._symbols: dict[Expr, Expr] = {}
        self._met: dict[int, Any] = {}

    def general(self, value: Any) -> Any:
        """The same value for whatever sizes.

        Raises:
            NotGeneral: it holds a size that may be 0 or less.
        """
        if isinstance(value, Dim):
            return self._size(value)
        kind = type(value)
        if kind is tuple:
            return tuple(map(self.general, value))
        if id(value) in self._met:
            return self._met[id(value)]
        if kind is SymbolicTensor:
            self._met[id(value)] = made = self._tensor(value)
            return made
        if kind is list:
            self._met[id(value)] = items = list[Any]()
            items.extend(map(self.general, value))
            return items
        if kind is dict:
            self._met[id(value)] = named = dict[Any, Any]()
            named.update((name, self.general(item)) for name, item in value.items())
            return named
        return value

    def _size(self, size: Any) -> Any:
        if type(size) is int:
            return size
        number, factors = ex.factorize(size.expr)
        return dims.of(ex.unfactorize(number, map(self._symbol, factors)))

    def _symbol(self, factor: Expr) -> Expr:
        if factor not in self._symbols:
            if not factor.items or self._domain.status(compare(ex.add_constant(factor, -1), ">=")) is not True:
                raise NotGeneral
            name = f"given#{len(self.formulas) + 1}"
            self.formulas[name] = factor
            self._symbols[factor] = ex.symbol(name)
        return self._symbols[factor]

    def _tensor(self, tensor: SymbolicTensor) -> SymbolicTensor:
        known = known_of(tensor)
        layout: Layout | None = known["strided"]
        placement = None if layout is None else layout.peek()
        general = symbolic_tensor(tuple(map(self._size, known["sizes"])), known["kind"], known["call"])
        if placement is not None:
            placement = replace(placement, strides=tuple(map(self._size, placement.strides)))
        if layout is not None:
            general.strided = _lying(placement, layout.in_order)
        return general


@dataclass(eq=False)
class General:
    """What a call does whatever its sizes.

    Attributes:
        done: that, for the symbols.
        layouts: how the elements of the tensors that it made lie, in the order of these.
        calls: those of one of the calls with formulas, by the ids of the calls for symbols: one is enough to write
            down, and the tensors that the others make lead to it as well.
        told: that one.
        told_in: the last run in which it was written down.
    """

    done: Remembered
    layouts: list[Layout | None]
    calls: dict[int, Call]
    told: Instance | None = None
    told_in: int = 0
    _formulas: dict[Any, Formulas | None] = field(default_factory=dict)

    def formulas_for(self, question: Question) -> Formulas | None:
        """What the symbols stand for where a call asks this, if it is a call with such sizes."""
        done = self.done
        seen = question.seen(done.looks)
        if seen not in self._formulas:
            found = _matching(done.question.seen(done.looks), seen)
            if found is not None and done.symbols <= found.keys():
                # what nobody looks at can be anything
                self._formulas[seen] = {**dict.fromkeys(done.start.parts, ex.constant(1)), **found}
            else:
                self._formulas[seen] = None
        return self._formulas[seen]

    @functools.cached_property
    def requirements(self) -> list[Failure] | None:
        """What it requires one after the other, if that is all it refuses."""
        left = self.done.start
        for failure in self.done.failures:
            if type(failure.condition) is not Comparison or not failure.domain.equals(left):
                return None  # of one side of a branch, it is required of some sizes only
            left = left.restrict(failure.condition)
        return self.done.failures if self.done.end is None or left.equals(self.done.end) else None

    def tensors(self, formulas: Formulas) -> list[SymbolicTensor]:
        """The tensors that it makes for these sizes."""
        made: list[SymbolicTensor] = []
        for (_, known), layout in zip(self.done.made, self.layouts, strict=True):
            tensor = tensor_with({**known, "sizes": with_formulas(known["sizes"], formulas), "strided": None})
            tensor.call = self.calls.get(id(known["call"]))
            placement = None if layout is None else layout.peek()
            if layout is not None and placement is not None:
                strides = with_formulas(placement.strides, formulas)
                tensor.strided = _lying(replace(placement, strides=strides), layout.in_order)
            made.append(tensor)
        return made


@dataclass(eq=False, slots=True)
class Instance:
    """One call that went as it goes whatever its sizes.

    Attributes:
        given: the tensors that it saw.
        domain: the sizes that it was made for,
        sizes: and these in whichever round of a loop.
        made: the tensors that it returned, or left in lists.
        in_rounds: whether the round of a loop that stands for many made it.
    """

    general: General
    formulas: Formulas
    given: list[SymbolicTensor]
    domain: Domain
    sizes: Domain
    made: list[SymbolicTensor]
    in_rounds: bool

    def fill(self) -> None:
        """Write down its calls: their arguments and results are sizes and tensors of its own."""
        done, calls = self.general.done, self.general.calls
        known = {id(g): t for g, t in zip(done.question.tensors, self.given, strict=True)}
        known |= {id(g): t for (g, _), t in zip(done.made, self.made, strict=True)}
        filler = _Filler(known, calls, self.formulas)
        domains: dict[int, Domain] = {}
        for general in done.calls:
            call = calls[id(general)]
            call.arguments, call.keywords = filler.fill(general.arguments), filler.fill(general.keywords)
            call.outputs = tuple(map(filler.fill, general.outputs))
            if id(general.domain) not in domains:
                domains[id(general.domain)] = self._here(general.domain)
            call.domain = domains[id(general.domain)]

    def _here(self, domain: Domain) -> Domain:
        try:
            here = among(self.domain, domain, self.formulas)
        except TooComplex:
            return self.sizes  # of one side of a branch, all sizes that come to the branch
        return self.sizes if here is self.domain else here.project(self.sizes.parts)


class _Filler:
    """Puts formulas in the place of symbols in what was written down."""

    def __init__(self, known: dict[int, SymbolicTensor], calls: Mapping[int, Call], formulas: Formulas) -> None:
        self._known, self._calls, self._formulas = known, calls, formulas

    def fill(self, value: Any) -> Any:
        if type(value) is SymbolicTensor:
            if id(value) not in self._known:
                known = known_of(value)
                made = symbolic_tensor(self._sizes(known["sizes"]), known["kind"], self._calls.get(id(known["call"])))
                self._known[id(value)] = made
            return self._known[id(value)]
        if isinstance(value, Dim):
            return self._sizes(value)
        if type(value) in (list, tuple):
            return type(value)(map(self.fill, value))
        if type(value) is slice:
            return slice(*map(self.fill, (value.start, value.stop, value.step)))
        return {name: self.fill(item) for name, item in value.items()} if type(value) is dict else value

    def _sizes(self, sizes: Any) -> Any:
        try:
            return with_formulas(sizes, self._formulas)
        except TooComplex:
            return sizes


def with_formulas(value: Any, formulas: Formulas) -> Any:
    """A size, or several, with formulas in the place of symbols.

    Raises:
        TooComplex: a set of sizes would have to be asked for formulas.
    """
    if isinstance(value, Dim):
        return value if formulas.keys().isdisjoint(value.symbols) else dims.of(value.expr.rename(formulas))
    return tuple(with_formulas(item, formulas) for item in value) if isinstance(value, tuple) else value


def _matching(general: Any, here: Any) -> dict[str, Expr] | None:
    """What stands in the place of each symbol in what a call sees; ``None`` where it sees something else."""
    found: dict[str, Expr] = {}
    waiting = [(general, here)]
    while waiting:
        later: list[tuple[Any, Any]] = []
        for one, other in waiting:
            if not _match(one, other, found, later):
                return None
        if len(later) == len(waiting):
            return None  # a product of two sizes says of none of them what it is
        waiting = later
    return found


def _match(general: Any, here: Any, found: dict[str, Expr], later: list[tuple[Any, Any]]) -> bool:
    if type(general) is tuple:
        return (
            type(here) is tuple
            and len(general) == len(here)
            and all(_match(one, other, found, later) for one, other in zip(general, here, strict=True))
        )
    if not isinstance(general, Expr):
        return bool(general == here) and not isinstance(here, Expr)
    number, factors = ex.factorize(general)
    names = [factor.support[0] for factor in factors]
    unknown = [name for name in names if name not in found]
    if len(unknown) > 1:
        later.append((general, here))
        return True
    known = ex.multiply_all([ex.constant(number), *(found[name] for name in names if name in found)])
    value = here if isinstance(here, Expr) else ex.constant(here)
    if not unknown:
        return value is known
    rest, left = ex.cancel(value, known)
    if left is not ex.constant(1):
        return False
    found[unknown[0]] = rest
    return True


def among(domain: Domain, sizes: Domain, formulas: Formulas) -> Domain:
    """The sizes of a domain for which the formulas have values among others.

    Raises:
        TooComplex: no set expresses it.
    """
    result = domain
    for placed in sizes.settled().distinct():
        if not formulas.keys() >= set(placed.support):
            raise TooComplex(f"a root or a product of {', '.join(formulas)} is not told for other sizes")
        bounds = _bounds(placed)
        if bounds is not None:
            result = _between(result, formulas[placed.support[0]], *bounds)
            continue
        here = result
        for name in placed.support:
            here = here.with_symbol(name).restrict(dims.dim(name) == dims.of(formulas[name]))
        here = here.restrict(Member(placed)).project(result.parts)
        result = result if result.is_subset(here) else here
    return result


@functools.lru_cache(maxsize=1024)
def _bounds(placed: Placed) -> tuple[int | None, int | None] | None:
    """The least and the greatest of the sizes in a set, if it is one of single sizes and has all between them."""
    if len(placed.support) != 1 or placed.region.is_empty():
        return None
    low, high = placed.region.bounds(0)
    whole = Domain.positive(placed.support)
    between = _between(whole, ex.symbol(placed.support[0]), low, high)
    return (low, high) if between.equals(Domain({placed.support[0]: placed})) else None


def _between(domain: Domain, formula: Expr, low: int | None, high: int | None) -> Domain:
    for bound, sign in ((low, 1), (high, -1)):
        if bound is not None:
            condition = compare(ex.add_constant(ex.scale(formula, sign), -sign * bound), ">=")
            domain = domain if domain.status(condition) is True else domain.restrict(condition)
    return domain


def failures_among(general: General, domain: Domain, formulas: Formulas) -> list[Failure]:
    """What a call refuses of the sizes in a domain.

    Raises:
        TooComplex: no set expresses it.
    """
    found: list[Failure] = []
    for failure in general.done.failures:
        refused = among(domain, failure.sizes(), formulas)
        if refused.is_empty():
            continue
        arguments = tuple(with_formulas(argument, formulas) for argument in failure.arguments)
        call = None if failure.call is None else general.calls.get(id(failure.call))
        condition = failure.condition
        if type(condition) is Comparison:
            here = compare(condition.expr.rename(formulas), condition.op)
            condition = here if not isinstance(here, bool) else None
        else:
            condition = None
        found.append(replace(failure, domain=refused, condition=condition, arguments=arguments, call=call))
    return found


def _lying(placement: Placement | None, in_order: bool) -> Layout:
    return Layout(lambda: placement, in_order=in_order)


def general_of(done: Remembered) -> General:
    """What a call has done for symbols, for whatever sizes."""
    calls = {id(call): replace(call, arguments=(), keywords={}, outputs=()) for call in done.calls}
    return General(done, [known["strided"] for _, known in done.made], calls)
