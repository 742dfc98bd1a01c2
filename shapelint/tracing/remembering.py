"""What calls have given, for calls that ask the same: in other rounds of a loop, on other paths, after a new start.

A model with loops over sizes is followed several times: for few rounds one by one, for many, and from the beginning
whenever a loop needs another plan. Most of what it calls is asked the same again and again: tiles of the same size, a
chunk of frames with the same frames kept from the chunk before. All that such a call may look at is written down
beforehand (its arguments, what has been set on the model since the beginning, which of all of these are the same
object), and afterwards which of the tensors in it the call has looked at, and all that it has done: what it returned,
what it put into lists and dicts, which sizes it refused. What cannot be written down is never taken to be the same.
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from shapelint.ops.placement import Layout
from shapelint.sizes import Dim, Domain, TooComplex
from shapelint.sizes import expr as ex
from shapelint.tracing.looking import Known, Watch, known_of, look_at
from shapelint.tracing.loops.holding import Outlines
from shapelint.tracing.loops.rounds import Round, Site
from shapelint.tracing.record import Call, Failure
from shapelint.tracing.replaying import PLAIN, Callee
from shapelint.tracing.state import refill, same_contents
from shapelint.tracing.tensor import SymbolicShape, SymbolicTensor, tensor_with

Looks = tuple[tuple[int, bool], ...]
"""The positions of the tensors that a call has looked at, and whether how they lie in memory was part of that."""


class _Unknown(Exception):
    """A value that may hold more than can be compared."""


@dataclass(frozen=True, slots=True)
class Question:
    """All that a call can look at.

    Attributes:
        key: equal to that of another question where both calls see the same, but for what is known of tensors and for
            the sizes that are possible.
        symbols: those in the sizes that are no tensor's.
        tensors: the symbolic tensors, in the order in which they are met,
        known: and what is known of each.
        containers: the lists and dicts, in that order,
        contents: and copies of them.
        others: what else the key names by its id, which is no other object's as long as this one is there.
        is_told: whether it sees no tensors and sizes but those in its arguments.
    """

    key: Any
    symbols: frozenset[str]
    tensors: list[SymbolicTensor]
    known: list[Known]
    containers: list[Any]
    contents: list[Any]
    others: list[Any]
    is_told: bool
    _shapes: dict[int, Any] = field(default_factory=dict)
    _placements: dict[int, Any] = field(default_factory=dict)

    def tensors_are_as_before(self) -> bool:
        """Whether no tensor has been changed in place since."""
        return all(_same_items(known_of(t), known) for t, known in zip(self.tensors, self.known, strict=True))

    def restore(self) -> None:
        """Give the tensors and containers what they had."""
        for tensor, known in zip(self.tensors, self.known, strict=True):
            if not _same_items(known_of(tensor), known):
                attributes = look_at(tensor)
                attributes.clear()
                attributes.update(known)
        for at in tuple(self.changed()):
            refill(self.containers[at], self.contents[at])

    def is_as_wide(self, other: Question) -> bool:
        """Whether as many tensors, lists and dicts are met as in another question."""
        mine, theirs = (self.tensors, self.containers), (other.tensors, other.containers)
        return list(map(len, mine)) == list(map(len, theirs))

    def changed(self) -> Iterator[int]:
        """The positions of the containers with other contents than before."""
        pairs = zip(self.containers, self.contents, strict=True)
        return (at for at, (container, contents) in enumerate(pairs) if not same_contents(container, contents))

    def looked_at(self, watch: Watch) -> Looks:
        """Which of the tensors a call has looked at."""
        numbers = enumerate(map(id, self.tensors))
        return tuple(
            [(at, id(self.known[at]["strided"]) in watch.placed) for at, number in numbers if number in watch.seen]
        )

    def look_at(self, looks: Looks) -> None:
        """Let the calls around know that one within them has looked at these tensors."""
        for at, placed in looks:
            known = look_at(self.tensors[at])
            if placed:
                known["strided"].placement()

    def seen(self, looks: Looks) -> tuple[Any, ...]:
        """What a call sees that looks at these tensors: equal to that of another question where it is the same."""
        return tuple([self._seen(at, placed) for at, placed in looks])

    def seen_in_all(self) -> tuple[Any, ...]:
        """What a call sees that looks at all tensors."""
        return self.seen(tuple((at, True) for at in range(len(self.tensors))))

    def symbols_of(self, looks: Looks) -> frozenset[str]:
        """The symbols in the sizes that a call sees that looks at these tensors."""
        found = set(self.symbols)
        for at, placed in looks:
            known = self.known[at]
            placement = known["strided"].placement() if placed else None
            sizes = (*known["sizes"], *(() if placement is None else placement.strides))
            found.update(name for size in sizes if isinstance(size, Dim) for name in size.symbols)
        return frozenset(found)

    def _seen(self, at: int, placed: bool) -> Any:
        known = self.known[at]
        layout: Layout | None = known["strided"]
        if at not in self._shapes:
            self._shapes[at] = (known["kind"], None if layout is None else layout.in_order, formulas_of(known["sizes"]))
        if not placed or layout is None:
            return self._shapes[at], None
        if at not in self._placements:
            lies = layout.placement()
            self._placements[at] = None if lies is None else (lies.known, lies.order, formulas_of(lies.strides))
        return self._shapes[at], self._placements[at]


@dataclass(eq=False, slots=True)
class Remembered:
    """One call, and all that it has done.

    Attributes:
        question: what it could see,
        looks: and which of the tensors in it it has looked at.
        symbols: those in the sizes that it has seen.
        start: the sizes that it was made for,
        sizes: and those among the symbols that it could look at.
        end: the sizes that it left, ``None`` if it refused none.
        value: a pattern of what it returned,
        contents: and of what it left in lists and dicts, by their positions in the question.
        made: the tensors in these that are new, each with what was known of it.
        calls, failures: what was written down of it.
        overwritten: the types of the tensors that it changed in place.
        rounds: rounds of loops in it that stand for many, whose plans it holds for,
        in_rounds: and the calls among these that were made by such rounds.
        used: calls in it that were not made, as they had been made before.
        told_in: the last run in which what was written down was taken over.
    """

    question: Question
    looks: Looks
    symbols: frozenset[str]
    start: Domain
    sizes: Domain
    end: Domain | None
    value: Any
    contents: list[tuple[int, Any]]
    made: list[tuple[SymbolicTensor, dict[str, Any]]]
    calls: list[Call]
    failures: list[Failure]
    overwritten: list[torch.dtype]
    rounds: tuple[Round, ...]
    in_rounds: list[Call]
    used: list[Any]
    told_in: int = 0

    def goes_through(self, site: Site) -> bool:
        """Whether it followed this loop, with one round for many."""
        return any(each.site == site for each in self.rounds)

    def fits(self, domain: Domain) -> bool:
        """Whether it was made for these sizes too."""
        if domain is self.start:
            return True
        try:
            return domain.project(self.symbols).is_subset(self.sizes)
        except TooComplex:
            return False  # the call is made again, which is as right

    def left_of(self, domain: Domain) -> Domain:
        """The sizes among these that it leaves."""
        if self.end is None:
            return domain
        return self.end if domain is self.start else self.among(domain, self.end)

    def among(self, domain: Domain, sizes: Domain) -> Domain:
        """The sizes of this domain that are, as far as the call can tell, among those of another one."""
        return domain.intersect(sizes.project(self.symbols))


@dataclass(eq=False, slots=True)
class Memory:
    """All calls that are remembered.

    Attributes:
        run: which run of the analysis this is.
        numbers: of the rounds of loops that stand for many, in all runs.
        told: calls of which this run has written down what they did, in this order.
        handed_out: tensors of remembered calls that this run already uses, by their ids, in the order it came to them.
        outlines: what is known of modules.
        generals: what calls do whatever their sizes, by their questions and what they see; False for those of which it
            cannot be said, and ``None`` where a loop in them has got another plan.
    """

    run: int = 0
    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    told: list[Any] = field(default_factory=list)
    handed_out: dict[int, None] = field(default_factory=dict)
    outlines: Outlines = field(default_factory=dict)
    generals: dict[Any, dict[Any, Any]] = field(default_factory=dict)
    _known: dict[Any, dict[Looks, dict[Any, list[Remembered]]]] = field(default_factory=dict)

    def start(self) -> None:
        """The analysis begins anew."""
        self.run += 1
        self.told.clear()
        self.handed_out.clear()

    def go_back(self, told: int, handed_out: int) -> list[Any]:
        """A part of the analysis begins anew, when so many calls were told and so many tensors used.

        Returns:
            the calls that were told since.
        """
        while len(self.handed_out) > handed_out:
            self.handed_out.popitem()
        since = self.told[told:]
        del self.told[told:]
        for call in since:
            call.told_in = 0
        return since

    def tell(self, call: Any) -> None:
        """What was written down of a call is taken over into this run."""
        call.told_in = self.run
        self.told.append(call)

    def find(self, question: Question, domain: Domain) -> Remembered | None:
        """A call that saw the same, for these sizes and perhaps others."""
        for looks, calls in self._known.get(question.key, {}).items():
            for known in calls.get(question.seen(looks), ()):
                if known.fits(domain):
                    return known
        return None

    def has_kept(self, question: Question) -> bool:
        """Whether a call could be remembered that saw the same but for the sizes."""
        return question.key in self._known

    def forget(self, site: Site) -> None:
        """A loop has another plan: what calls with that loop did before does not hold."""
        for by_looks in self._known.values():
            for by_sight in by_looks.values():
                for seen, calls in by_sight.items():
                    if any(call.goes_through(site) for call in calls):
                        by_sight[seen] = [call for call in calls if not call.goes_through(site)]
        for generals in self.generals.values():
            for sight, general in generals.items():
                if general and general.done.goes_through(site):
                    generals[sight] = None

    def keep(self, call: Remembered) -> None:
        """Remember a call."""
        by_looks = self._known.setdefault(call.question.key, {}).setdefault(call.looks, {})
        by_looks.setdefault(call.question.seen(call.looks), []).append(call)
        self.handed_out.update((id(tensor), None) for tensor, _ in call.made)
        self.tell(call)

    def value_of(self, call: Remembered, question: Question) -> Any:
        """What a call returns to one who asks the same, with its lists and dicts filled as the call did."""
        question.look_at(call.looks)
        return written(call, question, [self._tensor(tensor, known) for tensor, known in call.made])

    def _tensor(self, tensor: SymbolicTensor, known: dict[str, Any]) -> SymbolicTensor:
        """The tensor itself, the first time in a run: what is written down of the call leads to it."""
        if id(tensor) in self.handed_out:
            return tensor_with(known)
        self.handed_out[id(tensor)] = None
        vars(tensor).clear()
        vars(tensor).update(known)
        return tensor


def written(
    call: Remembered, question: Question, made: list[SymbolicTensor], size: Callable[[Any], Any] = lambda size: size
) -> Any:
    """What a call returns in answer to a question, with the lists and dicts that it was given filled as it did.

    Args:
        made: the tensors that it made.
        size: what a size in it is here.
    """
    writer = _Writer(question, made, size)
    contents = [(question.containers[at], writer.write(pattern)) for at, pattern in call.contents]
    value = writer.write(call.value)
    for container, now in contents:
        refill(container, now)
    return value


def ask(callee: Callee, given: Iterable[Any], around: Iterable[Any]) -> Question | None:
    """What a call asks; ``None`` where something it can look at may hold more than can be compared.

    Args:
        given: its arguments.
        around: what else it can look at that is not as it was at the beginning.
    """
    reader = _Reader()
    try:
        arguments = tuple(map(reader.read, given))
        tensors, symbols = len(reader.tensors), len(reader.symbols)
        key = (id(callee), torch.get_default_dtype(), arguments, tuple(map(reader.read, around)))
    except _Unknown:
        return None
    is_told = (tensors, symbols) == (len(reader.tensors), len(reader.symbols))
    if any(map(ex.is_derived, reader.symbols)):
        return None
    known = [known_of(tensor).copy() for tensor in reader.tensors]
    contents = [container.copy() for container in reader.containers]
    return Question(
        key,
        frozenset(reader.symbols),
        reader.tensors,
        known,
        reader.containers,
        contents,
        [callee, *reader.others],
        is_told,
    )


def pattern_of(question: Question, value: Any) -> tuple[Any, list[tuple[int, Any]], list[Any]] | None:
    """Patterns of what a call returned and of the containers that it changed, with the tensors that are new in them."""
    drawer = _Drawer(question)
    try:
        contents = [(at, drawer.draw(question.containers[at].copy())) for at in question.changed()]
        return drawer.draw(value), contents, drawer.made
    except _Unknown:
        return None


def _same_items(a: dict[str, Any], b: dict[str, Any]) -> bool:
    """Whether the same is known of a tensor: an attribute that was never set is as one with nothing in it."""
    if a.keys() == b.keys() and all(map(operator.is_, a.values(), map(b.__getitem__, a))):
        return True
    return all(a.get(name) is b.get(name) for name in a.keys() | b.keys())


def replaced(value: Any, by: dict[int, SymbolicTensor]) -> Any:
    """A call's arguments with other tensors in the place of some."""
    if type(value) is SymbolicTensor:
        return by.get(id(value), value)
    if type(value) in (list, tuple):
        return type(value)(replaced(item, by) for item in value)
    return {name: replaced(item, by) for name, item in value.items()} if type(value) is dict else value


def formulas_of(sizes: Sequence[Any]) -> tuple[Any, ...]:
    """Sizes as they are compared."""
    return tuple([size.expr if isinstance(size, Dim) else size for size in sizes])


_CONTENTS = frozenset({"value", "ramp", "extent", "recipe", "base", "counted"})
"""Attributes of a tensor whose contents are known, which takes more than sizes to tell."""


def has_known_contents(tensor: SymbolicTensor) -> bool:
    """Whether more than sizes and how it lies in memory is known of a tensor."""
    known = known_of(tensor)
    return any(known.get(name) is not None for name in _CONTENTS)


class _Reader:
    """Reads values into a key. What is met a second time is told to be the same object."""

    def __init__(self) -> None:
        self.symbols: set[str] = set()
        self.tensors: list[SymbolicTensor] = []
        self.containers: list[Any] = []
        self.others: list[Any] = []
        self._met: dict[int, int] = {}

    def read(self, value: Any) -> Any:
        kind = type(value)
        if isinstance(value, Dim):
            self.symbols.update(value.symbols)
            return value.expr
        if kind in (tuple, SymbolicShape):
            return (kind, *map(self.read, value))
        if isinstance(value, PLAIN):
            return (kind, value)
        if id(value) in self._met:
            return ("again", self._met[id(value)])
        self._met[id(value)] = len(self._met)
        if kind is SymbolicTensor:
            if has_known_contents(value):
                raise _Unknown
            self.tensors.append(value)
            return kind
        if kind is list:
            self.containers.append(value)
            return (kind, *map(self.read, value))
        if kind is dict:
            self.containers.append(value)
            return (kind, *((self._name(name), self.read(item)) for name, item in value.items()))
        if isinstance(value, torch.Tensor):
            self.others.append(value)
            return ("real", id(value), value._version)
        if isinstance(value, nn.Module):
            self.others.append(value)
            return ("module", id(value))
        raise _Unknown

    def _name(self, name: Any) -> Any:
        if type(name) not in (str, int):
            raise _Unknown
        return (type(name), name)


class _Drawer:
    """Draws the pattern of values that a call has left, in terms of what it was given."""

    def __init__(self, question: Question) -> None:
        self.made: list[tuple[SymbolicTensor, dict[str, Any]]] = []
        self._patterns: dict[int, Any] = {id(t): ("tensor", at) for at, t in enumerate(question.tensors)}
        self._patterns |= {id(c): ("container", at) for at, c in enumerate(question.containers)}
        self._layouts = {id(known["strided"]) for known in question.known if known["strided"] is not None}
        self._drawn: list[Any] = []

    def draw(self, value: Any) -> Any:
        kind = type(value)
        if isinstance(value, (Dim, *PLAIN)):
            return ("value", value)
        if id(value) in self._patterns:
            return self._patterns[id(value)]
        if kind is tuple or kind is SymbolicShape or hasattr(value, "_fields"):
            return ("tuple", kind, [self.draw(item) for item in value])
        if kind in (list, dict):
            number = len(self._drawn)
            self._drawn.append(value)
            self._patterns[id(value)] = ("drawn", number)
            items = value.items() if kind is dict else enumerate(value)
            return ("new", kind, [(name, self.draw(item)) for name, item in items])
        if kind is SymbolicTensor:
            if has_known_contents(value):
                raise _Unknown
            self._patterns[id(value)] = ("made", len(self.made))
            known = look_at(value).copy()
            layout: Layout | None = known["strided"]
            if layout is not None and layout.comes_from(self._layouts):
                layout.placement()  # which looks at what the call was given
            self.made.append((value, known))
            return self._patterns[id(value)]
        raise _Unknown


class _Writer:
    """Makes values of patterns."""

    def __init__(self, question: Question, made: list[SymbolicTensor], size: Callable[[Any], Any]) -> None:
        self._question = question
        self._made = made
        self._size = size
        self._drawn: list[Any] = []

    def write(self, pattern: Any) -> Any:
        kind, *rest = pattern
        if kind == "value":
            return self._size(rest[0])
        if kind == "made":
            return self._made[rest[0]]
        if kind == "tensor":
            return self._question.tensors[rest[0]]
        if kind == "container":
            return self._question.containers[rest[0]]
        if kind == "drawn":
            return self._drawn[rest[0]]
        if kind == "tuple":
            of, items = rest
            values = [self.write(item) for item in items]
            return of(*values) if hasattr(of, "_fields") else of(values)
        of, items = rest
        new = of()
        self._drawn.append(new)
        for name, item in items:
            if of is dict:
                new[name] = self.write(item)
            else:
                new.append(self.write(item))
        return new
