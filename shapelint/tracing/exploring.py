"""Paths through a module: a branch on a size forks, both outcomes are run, and they join at the module's end.

The innermost module whose forward meets the branch (or function, :mod:`shapelint.tracing.functions`) is run again for
the other outcome, with the sizes that take it. So paths add up over modules instead of multiplying, and a network of
many independent branches costs a few short runs of each.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import torch

from shapelint.limits import Limits
from shapelint.sizes import Condition, Domain, Path, SizeError, TooComplex, Undecided, negate
from shapelint.sizes import expr as ex
from shapelint.sizes.condition import LARGEST_TENSOR, compare
from shapelint.sizes.dim import dim
from shapelint.sizes.expr import Expr
from shapelint.sizes.region import MAX_DIVISIONS, divisions, value_region
from shapelint.tracing import joining
from shapelint.tracing.contents import note_unknown_change
from shapelint.tracing.counts import Counts
from shapelint.tracing.either import decided_below
from shapelint.tracing.looking import look_at
from shapelint.tracing.loops.holding import Outlines
from shapelint.tracing.loops.repeated import Collecting, Repeated
from shapelint.tracing.loops.rounds import Collected, Plan, Round, Site, at_beginning
from shapelint.tracing.loops.source import Span
from shapelint.tracing.loops.whiles import FEW_BRANCHES, Whiles
from shapelint.tracing.record import Failure
from shapelint.tracing.replaying import Alternatives, Played
from shapelint.tracing.state import Written, refill
from shapelint.tracing.tensor import SymbolicTensor, tensor_with

_ASKS = 3
"""So many frames up a condition asks for its truth when it is to be decided."""

FEW_VALUES = 8
"""A divisor with at most this many values is made a plain int."""

MANY_BRANCHES = 6
"""After so many branches in a row it is asked whether they are those of functions, whose paths need not multiply."""

LONG_LOOP = 20
"""After so many branches in a row it is asked whether a tensor can be that large at all."""

MAX_VALUES = 96
"""A size that must be a plain int is tried for each of its values, if there are no more than this."""


class Handled(Exception):
    """What is required is a branch: the model's own code goes on with the sizes that fail."""


@dataclass(slots=True)
class Outcome:
    """How one path through a module ended: with a value, or an exception.

    Attributes:
        several: there were other paths, so what this one changed has been put back meanwhile.
        containers: contents of the lists, dicts and objects among the module's arguments.
        kept: those of the lists and dicts in the model that it changed besides, by their ids.
        state: values of the attributes that modules were given.
    """

    domain: Domain
    value: Any = None
    error: Exception | None = None
    several: bool = False
    on_data: bool = False
    taken: tuple[int, ...] = ()
    containers: tuple[Any, ...] = ()
    kept: dict[int, Any] = field(default_factory=dict)
    state: Written = field(default_factory=dict)


Saved = list[tuple[Any, Any, Any]]
"""Lists, dicts and objects, each with the table that it keeps its contents in, and a copy of that."""

Answer = Played | Alternatives
"""What is known of a module's call."""

Step = tuple[Any, SymbolicTensor, Domain]
"""An operation's target, its result, and the sizes that are left after it."""


@dataclass(frozen=True, slots=True)
class Pending:
    """A path still to run.

    Attributes:
        decisions: the outcomes to take at its first branches.
        calls, steps: those of the path it branches off from, up to its own branch.
        expected: what the branches were about there.
    """

    decisions: tuple[int, ...] = ()
    calls: tuple[Answer | None, ...] = ()
    steps: tuple[Step | None, ...] = ()
    expected: tuple[Any, ...] = ()


class Frame:
    """One call of one module that is being explored.

    Attributes:
        decisions: the outcomes to take at the first branches; later ones take their first outcome.
        narrowed: whether sizes were refused on any path so far.
        on_data: whether this path took a branch on a tensor's contents, which no size decides.
        taken: the outcomes taken so far on this path.
        asked: what each branch on this path was about.
        expected: what the branches were about where ``decisions`` were noted.
        pending: the paths still to run.
        written: attributes that modules were given on this path, with what they were before.
        known: calls that this path has in common with the one it branched off from.
        calls: the calls of explored modules made so far on this path; ``None`` for one that must be made again.
        known_steps: operations that this path has in common with the one it branched off from.
        steps: the operations done so far on this path; ``None`` for one that must be done again.
        overwritten: results of earlier steps need not be what they were.
        refused: sizes that were refused after a branch on contents, on any path so far, and why.
    """

    __slots__ = (
        *("asked", "calls", "decisions", "expected", "known", "known_steps", "narrowed", "on_data", "overwritten"),
        *("pending", "refused", "steps", "taken", "written"),
    )

    def __init__(self) -> None:
        self.decisions: tuple[int, ...] = ()
        self.known: tuple[Answer | None, ...] = ()
        self.calls: list[Answer | None] = []
        self.known_steps: tuple[Step | None, ...] = ()
        self.steps: list[Step | None] = []
        self.overwritten = False
        self.narrowed = False
        self.on_data = False
        self.taken: list[int] = []
        self.asked: list[Any] = []
        self.expected: tuple[Any, ...] = ()
        self.pending: list[Pending] = []
        self.refused: list[tuple[Domain, str]] = []
        self.written: Written = {}

    def start(self, path: Pending) -> None:
        """Begin with another path."""
        self.decisions, self.known, self.expected = path.decisions, path.calls, path.expected
        self.known_steps = () if self.overwritten else path.steps
        self.taken, self.asked, self.calls, self.steps = [], [], [], []
        self.pending, self.written, self.on_data = [], {}, False

    def known_step(self, target: Any) -> Step | None:
        """The next operation as it was done on the path that this one branched off from, if that can be known."""
        position = len(self.steps)
        known = self.known_steps[position] if position < len(self.known_steps) else None
        if known is None or known[0] is not target:
            return None
        self.steps.append(known)
        return known

    def choose(self, options: int, about: Any) -> int:
        """Which of several outcomes to take here; the others are left for later runs.

        Raises:
            Undecided: on the path that this one branched off from, something else was asked here.
        """
        position = len(self.taken)
        self.asked.append(about)
        if position < len(self.decisions):
            if about is not self.expected[position] and str(about) != str(self.expected[position]):
                raise Undecided(f"run again, the model branches on {about}, and not on {self.expected[position]}")
            choice = self.decisions[position]
        else:
            choice = 0
            known = tuple(self.calls), tuple(self.steps), tuple(self.asked)
            self.pending.extend(Pending((*self.taken, option), *known) for option in range(options - 1, 0, -1))
        self.taken.append(choice)
        return choice


class ExploringPath(Path):
    """The path the tracer follows; conditions that the sizes do not decide fork the current frame."""

    def __init__(
        self,
        domain: Domain,
        limits: Limits,
        on_failing: Callable[..., None],
        on_accident: Callable[..., None],
        on_many_branches: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(domain)
        self.frames: list[Frame] = []
        self.limits = limits
        self.on_failing = on_failing
        self.on_accident = on_accident
        self.on_many_branches = on_many_branches
        self.plans: dict[Site, Plan] = {}
        self.outlines: Outlines = {}
        self.numbers = itertools.count(1)
        self.rounds: list[Round] = []
        self._asked: tuple[Domain, Round | None, Domain] = domain, None, domain
        self.followed: list[Round] = []
        self.over: dict[str, Round] = {}
        self.by_products: TooComplex | None = None
        self.counts = Counts(self)
        self.comprehensions: dict[tuple[int, Span], Collected] = {}
        self.whiles = Whiles(self)

    @property
    def follows_loops(self) -> bool:
        if self.rounds or self.over:
            return True
        # a `while` loop that was given up is walked through as if it had never been followed
        for site in self.plans:  # noqa: SIM110 - asked very often, and nearly always of none
            if not (self.plans[site].each and self.plans[site].step):
                return True
        return False

    @property
    def is_in_round(self) -> bool:
        return bool(self.rounds)

    @property
    def sizes(self) -> Domain:
        """The sizes that reach the present point, whichever round of a loop it is in."""
        if not self.rounds:
            return self.domain
        # operations follow one another without a branch between
        if self._asked[0] is not self.domain or self._asked[1] is not self.rounds[-1]:
            self._asked = self.domain, self.rounds[-1], self._without(self.rounds)
        return self._asked[2]

    def _without(self, rounds: list[Round], domain: Domain | None = None) -> Domain:
        numbers = {each.number for each in rounds}
        numbers |= self.counts.bounded_by(numbers)
        domain = self.domain if domain is None else domain
        return domain.project(name for name in domain.parts if name not in numbers)

    def forget_steps(self) -> None:
        """A tensor is changed in place, or a loop's round runs, which has a symbol of its own in every run."""
        for frame in self.frames:
            frame.overwritten, frame.known_steps = True, ()

    def enter(self, current: Round) -> None:
        """Follow a round that stands for many."""
        self.forget_steps()
        self._note(current)
        current.before, current.depth = self.domain, len(self.frames)
        self.domain = self.domain.with_symbol(current.number)
        self._restrict(dim(current.number) <= current.count)
        current.entered = self.domain
        self.rounds.append(current)

    def _note(self, current: Round) -> None:
        self.followed.append(current)
        current.order = len(self.followed)

    def enter_again(self, rounds: Iterable[Round]) -> None:
        """These rounds, which are over, are followed as they were before."""
        for each in rounds:
            self._note(each)
            self.over[each.number] = each

    def _restrict(self, condition: bool | Condition) -> None:
        try:
            self.domain = self.domain.restrict(condition)
        except TooComplex as limit:
            self.domain = self.naming_products(condition, limit).restrict(condition)

    def naming_products(self, condition: bool | Condition, limit: TooComplex) -> Domain:
        named = self.domain.naming_products(condition)
        if named is None:
            raise Undecided(str(limit)) from limit
        self.by_products = self.by_products or limit
        self.domain = named
        return named

    def leave(self, current: Round) -> None:
        """The round has ended, and stands for all: the sizes that none of them refuses go on.

        Raises:
            SizeError: there are none.
        """
        self.check_innermost(current)
        assert current.before is not None
        if self.domain is current.entered and not current.refused:
            self.domain = current.before
        elif current.is_certain:
            self.domain = self._without([current], self._in_every_round(current))
        else:
            self.domain = self._with_those_without(current, current.before)
        self.counts.end(current.number)
        self.rounds.pop()
        self.over[current.number] = current

    def _with_those_without(self, current: Round, before: Domain) -> Domain:
        """The sizes that no round refuses, and those that have none."""
        try:
            left = self._without([current], self._in_every_round(current))
            return left.unite(before.restrict(current.count == 0))
        except (SizeError, TooComplex):
            raise current.with_certainty() from None

    def _in_every_round(self, current: Round) -> Domain:
        left = self.domain
        try:
            for refused, reason in current.refused:
                left = left.subtract(refused)
                if left.is_empty():
                    error = SizeError(reason)
                    error.__dict__["shapelint_failures"] = []  # each is written down already
                    raise error
        except TooComplex as limit:
            raise Undecided(str(limit)) from limit
        return left

    @property
    def only_sizes_decide(self) -> bool:
        """Whether neither contents nor products of sizes have decided anything so far."""
        return not self.counts.limits and not self.counts.made and self.by_products is None

    def check_innermost(self, current: Round) -> None:
        """No loop within the round was left before its end."""
        if self.rounds[-1] is not current:
            self.rounds[-1].left()

    def check_certain(self, depth: int, error: Exception) -> None:
        """An exception has ended all rounds but so many, which are there for all sizes that it ends the path for."""
        for current in self.rounds[depth:]:
            if not current.is_certain:
                raise current.with_certainty().with_traceback(error.__traceback__)

    def abandon(self, depth: int) -> None:
        """An exception has ended all rounds but so many."""
        ended = self.rounds[depth:]
        if ended:
            self.domain = self._without(ended)
            for each in ended:
                self.counts.end(each.number)
            del self.rounds[depth:]
            self.over.update((each.number, each) for each in ended)

    def forget_lists(self, known: frozenset[tuple[int, Span]]) -> None:
        """An exception has ended the functions that made all lists but these."""
        for key in self.comprehensions.keys() - known:
            del self.comprehensions[key]

    @staticmethod
    def forget_numbers(tensor: Any) -> None:
        """Rounds of a loop may write into a tensor: the numbers it holds are not known."""
        note_unknown_change(tensor)

    def check_names(self, names: Iterable[str]) -> None:
        """Nothing that a round in the middle of a loop made is used after the loop."""
        names = list(names)
        for name in names:
            if name in self.over:
                self.over[name].used_later()
        self.counts.check_names(names)

    def decide(self, condition: Condition) -> bool:
        if self.over:
            self.check_names(condition.support())
        told = self.whiles.told(condition) if self.whiles.going else None
        return super().decide(condition) if told is None else told

    def either(self) -> bool | None:
        asks = sys._getframe(_ASKS)
        if asks.f_code is not Condition.__bool__.__code__ or asks.f_back is None:
            return None
        return decided_below(asks.f_back, self.domain)

    def require(self, condition: bool | Condition, reason: str, arguments: tuple[object, ...]) -> None:
        if self.over and isinstance(condition, Condition):
            self.check_names(condition.support())
        if self.counts.limits and isinstance(condition, Condition):
            condition = self.counts.whatever(condition, reason, arguments)
        if self.rounds and isinstance(condition, Condition):
            numbers = {each.number for each in self.rounds}
            if not numbers.isdisjoint(condition.support()):
                self._require_in_rounds(condition, numbers, reason, at_beginning(arguments, self.rounds))
                return
        try:
            super().require(condition, reason, arguments)
        except Handled:
            if not isinstance(condition, Condition) or not self.decide(condition):
                raise SizeError(reason.format(*arguments)) from None

    def _require_in_rounds(
        self, condition: Condition, numbers: set[str], reason: str, arguments: tuple[object, ...]
    ) -> None:
        """Drop the rounds for which it fails; the sizes that have one leave the path when the round is over.

        Only then it is known that a round begins as the first one did wherever those before it have run.
        """
        try:
            known = self.domain.status(condition)
            if known is not None:
                super().require(known, reason, arguments)
                return
            in_all = self.domain.for_all(numbers, condition)
            failing, passing = self.domain.restrict(negate(condition)), self.domain.restrict(condition)
            for position, current in enumerate(self.rounds):
                inner = {each.number for each in self.rounds[position:]}
                if inner.isdisjoint(condition.support()):
                    break
                refused = failing.project(name for name in failing.parts if name not in inner)
                current.refused.append((refused, reason.format(*arguments)))
        except TooComplex as limit:
            raise Undecided(str(limit)) from limit
        self.failing(in_all, reason, arguments)
        self.domain = passing

    def fork(self, condition: Condition) -> bool:
        names = condition.support() if self.rounds else ()
        for current in reversed(self.rounds):
            if current.number in names:
                current.told_apart(condition)
        if self.rounds and self.counts.are_within(names):
            self.counts.mix_rounds()
        if not self.frames:
            raise Undecided(f"{condition} holds for some sizes only")
        known = self._for_tensors(condition)
        if known is None and (self.plans or len(self.frames[-1].taken) >= FEW_BRANCHES):
            known = self.whiles.begun(condition)
        return self._explored(condition) if known is None else known

    def explore(self, condition: bool | Condition) -> bool:
        """Take one outcome of a condition, and leave the other to another run, unless only one is possible."""
        known = self.domain.status(condition)
        if known is not None or not isinstance(condition, Condition):
            return bool(known)
        return self._explored(condition)

    def _explored(self, condition: Condition) -> bool:
        self._limit_branches(f"branches on sizes follow one another: {condition}")
        if len(self.frames[-1].taken) >= MANY_BRANCHES:
            self.on_many_branches()
        choice = self.choose(2, condition) == 0
        self.domain = self.domain.restrict(condition if choice else negate(condition))
        return choice

    def _for_tensors(self, condition: Condition) -> bool | None:
        """What the sizes of real tensors decide: a loop until a size is small ends when none is that large."""
        if len(self.frames[-1].taken) < LONG_LOOP:
            return None
        real = self.domain
        for name in condition.support():
            real = real.restrict(compare(ex.add_constant(ex.scale(ex.symbol(name), -1), LARGEST_TENSOR), ">="))
        return real.status(condition)

    def data_branch(self, what: str) -> bool:
        """A branch on a tensor's contents: both outcomes are explored for the same sizes, and must agree."""
        if not self.frames:
            raise Undecided(what)
        self._limit_branches("branches on what tensors hold follow one another, and no size ends that")
        self.frames[-1].on_data = True
        if self.rounds:
            self.counts.mix_rounds()
        return self.choose(2, what) == 0

    def choose(self, options: int, about: Any) -> int:
        """Which of several outcomes to take here."""
        for current in reversed(self.rounds):
            if current.depth == len(self.frames) and not current.is_certain:
                raise current.with_certainty()  # sizes without such a round would come to all of the outcomes
        return self.frames[-1].choose(options, about)

    def branch_on(self, tensor: Any, what: str) -> bool:
        return self.counts.branch(tensor, what)

    def number_in(self, tensor: Any) -> Any:
        return self.counts.number_in(tensor)

    def _limit_branches(self, what: str) -> None:
        """A loop whose end no size decides goes on for ever."""
        many = self.limits.branches_per_path
        if len(self.frames[-1].taken) >= many:
            raise Undecided(f"more than {many} {what}")

    def content_count(self, most: Any, least: Any, mask: Any) -> Any:
        return self.counts.new(most, least) if mask is None else self.counts.in_tensor(mask)

    def joined_size(self) -> Any:
        return self.counts.joined()

    def failing(self, condition: bool | Condition, reason: str, arguments: tuple[object, ...]) -> None:
        if self.frames:
            self.frames[-1].narrowed = True
        on_data = [frame for frame in self.frames if frame.on_data]
        if on_data:
            refused = self._without(self.rounds, self.domain.restrict(negate(condition))).without_counts()
            for frame in on_data:
                frame.refused.append((refused, reason.format(*arguments)))
        self.on_failing(condition, reason, arguments)

    def accident(self, condition: bool | Condition, a: object, b: object) -> None:
        self.on_accident(condition, a, b)

    def few_values(self, size: Expr) -> bool:
        values = self._values(size)
        return values is not None and len(values) <= FEW_VALUES

    def can_be_tried(self, size: Expr) -> bool:
        return self._values(size) is not None

    def _values(self, size: Expr) -> list[int] | None:
        """The numbers a size can be on this path, if they are not too many to try."""
        if size.is_constant:
            return [size.const]
        known = self.domain.over(size.support)
        if size.affine and len(divisions(size)) <= MAX_DIVISIONS:
            region = value_region(size, known)
            points = region.points(MAX_VALUES)
            return None if points is None else [p[0] for p in points]
        points = known.region.points(5_000)
        if points is None:
            return None
        values = sorted({size.evaluate(dict(zip(known.support, p, strict=True))) for p in points})
        return values if len(values) <= MAX_VALUES else None

    def concrete(self, size: Expr) -> int:
        values = self._values(size)
        if values is not None:
            return next((v for v in values[:-1] if compare(ex.add_constant(size, -v), "==")), values[-1])
        raise Undecided(f"a plain number is needed where the size is {size}")


def snapshot(values: Iterable[Any]) -> Saved:
    """What a forward may change of its arguments, with copies: it pops from a list of skips, it fills a cache."""
    found: dict[int, tuple[Any, Any, Any]] = {}
    for value in values:
        if type(value) not in _UNCHANGING:
            _reach(value, found)
    return list(found.values())


_CONTAINERS = frozenset({list, dict, Repeated})
_UNCHANGING = frozenset(
    {SymbolicTensor, torch.Tensor, torch.nn.Parameter, type(None), bool, int, float, str, torch.dtype, torch.device}
)


def _reach(value: Any, found: dict[int, tuple[Any, Any, Any]]) -> None:
    """Note a list, a dict or an object, with what it holds now, and those in it."""
    kind = type(value)
    if kind is Collecting:
        value.refuse("is handed to a module")
    if id(value) in found:
        return
    if kind in _CONTAINERS:
        found[id(value)] = (value, value, value.copy())
        inner = value.values() if kind is dict else list.__iter__(value)
    elif kind is tuple:
        inner = value
    elif isinstance(value, (dict, list, tuple)) or not joining.has_attributes(value):
        return
    else:
        attributes = value.__dict__
        found[id(value)] = (value, attributes, attributes.copy())
        inner = attributes.values()
    for item in inner:
        if type(item) not in _UNCHANGING:
            _reach(item, found)


def restore(saved: Saved) -> None:
    """Give what was saved the contents it had."""
    for _, container, contents in saved:
        refill(container, contents)


def add_kept(outcomes: list[Outcome], changed: dict[int, tuple[Any, Any]], saved: Saved) -> None:
    """Let what some paths changed of the model's own lists and dicts be part of what each path has left.

    Args:
        changed: these, with what they held before, by their ids.
        saved: grows by them.
    """
    for number, (container, held) in changed.items():
        saved.append((container, container, held))
        for outcome in outcomes:
            outcome.containers = (*outcome.containers, outcome.kept.get(number, held))


def keep_shapes(outcome: Outcome, written: Written, saved: Saved) -> None:
    """Let what a path ended with have the shapes of its end, also of tensors that get back the ones they had."""
    changed = frozenset(id(owner) for owner, _ in written if isinstance(owner, SymbolicTensor))
    if not changed:
        return
    callers = frozenset(id(owner) for owner, _, _ in saved)

    def kept(value: Any) -> Any:
        leaves: list[Any] = []
        structure = joining.flatten(value, leaves, callers)
        copies = iter([tensor_with(look_at(leaf)) if id(leaf) in changed else leaf for leaf in leaves])
        return joining.unflatten(structure, lambda: next(copies))

    outcome.value, outcome.state, outcome.kept = kept(outcome.value), kept(outcome.state), kept(outcome.kept)
    outcome.containers = tuple(map(kept, outcome.containers))


@dataclass(slots=True)
class Group:
    """Outcomes of the same structure."""

    structure: Any
    members: list[tuple[Outcome, list[Any]]]
    whole: Domain | None = None

    def domain(self) -> Domain:
        """The sizes of all members: ``whole`` if they are known to make that up."""
        if self.whole is not None:
            return self.whole
        return _united([outcome for outcome, _ in self.members], 0)


def _united(outcomes: list[Outcome], depth: int) -> Domain:
    """The sizes of several paths. The two sides of a branch are brought together first: they differ least."""
    if len(outcomes) == 1:
        return outcomes[0].domain
    by_choice: dict[int, list[Outcome]] = {}
    for outcome in outcomes:
        by_choice.setdefault(outcome.taken[depth] if depth < len(outcome.taken) else -1, []).append(outcome)
    if len(by_choice) == 1 and -1 in by_choice:
        parts = [outcome.domain for outcome in outcomes]
    else:
        parts = [_united(side, depth + 1) for side in by_choice.values()]
    result = parts[0]
    for part in parts[1:]:
        result = result.unite(part)
    return result


def group(outcomes: list[Outcome], saved: Iterable[tuple[Any, Any, Any]] = ()) -> list[Group]:
    """Outcomes that can be joined, together. What is in ``saved`` stays itself, and its contents are joined."""
    callers = frozenset(id(owner) for owner, _, _ in saved)
    groups = _alike(outcomes, lambda value, leaves: joining.flatten(value, leaves, callers))
    if len(groups) > 1:
        # each path may have made an object of its own (a cache of keys and values), which are alike
        shared = frozenset.intersection(*(joining.records_in(_left(outcome)) for outcome in outcomes))
        whole = callers | shared
        together = _alike(outcomes, lambda value, leaves: joining.flatten(value, leaves, whole, {}))
        if len(together) < len(groups):
            return together
    return groups


def _left(outcome: Outcome) -> tuple[Any, ...]:
    """All that a path has left."""
    return outcome.value, list(outcome.containers), outcome.state


def _alike(outcomes: list[Outcome], flatten: Callable[[Any, list[Any]], Any]) -> list[Group]:
    groups: list[Group] = []
    for outcome in outcomes:
        leaves: list[Any] = []
        structure = flatten(_left(outcome), leaves)
        for known in groups:
            if joining.same_structure(known.structure, structure):
                known.members.append((outcome, leaves))
                break
        else:
            groups.append(Group(structure, [(outcome, leaves)]))
    return groups


def join(members: Group, join_tensors: Callable[[list[tuple[Domain, SymbolicTensor]]], SymbolicTensor]) -> Outcome:
    """One outcome for a group."""
    first = members.members[0][0]
    if len(members.members) == 1:
        return first
    joined: list[Any] = []
    for column in range(len(members.members[0][1])):
        cases = [(outcome.domain, leaves[column]) for outcome, leaves in members.members]
        values = [value for _, value in cases]
        if all(value is values[0] for value in values):
            joined.append(values[0])
        elif isinstance(values[0], SymbolicTensor):
            joined.append(join_tensors(cases))
        else:
            joined.append(joining.join_sizes(cases))
    leaves = iter(joined)
    value, containers, state = joining.unflatten(members.structure, lambda: next(leaves))
    return Outcome(members.domain(), value, None, several=True, containers=tuple(containers), state=state)


def choose_structure(path: ExploringPath, many: int) -> int:
    """Which of several structures the caller goes on with: a branch of the caller's own."""
    if many == 1:
        return 0
    if not path.frames:
        raise Undecided("the model returns different structures for different sizes")
    return path.choose(many, f"which of {many} structures")


def failures_of(error: BaseException) -> list[Failure]:
    """What is known of the sizes that an exception on its way up stands for."""
    found: list[Failure] = error.__dict__.get("shapelint_failures", [])
    return found
