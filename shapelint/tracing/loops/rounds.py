"""One round stands for all that are alike.

``for t in range(x.shape[1])`` runs its body once, for a round of which only the bounds are known. What the round
requires must hold for every round (the sizes that one of them refuses go when it is over, for it is only then known
that all of them begin alike); a branch that tells rounds apart, or a variable that a round leaves with another
shape than it found, sends the analysis back to run the first or the last rounds one by one. What a round leaves as
it was found (a hidden state) stays so in all of them, by induction; a tensor that grows by the same number in every
round (``out = torch.cat([out, x_t])``) is found, and checked, to have grown by that number times the round's; a
list that is appended to becomes :class:`Repeated`. Rounds that alternate (``if t % 2``) are taken several at a
time.
"""

from __future__ import annotations

import ast
import dis
import functools
import inspect
import sys
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import CodeType, FrameType, GeneratorType
from typing import TYPE_CHECKING, Any, NoReturn

import torch

from shapelint.sizes import Condition, Domain, Size, Undecided
from shapelint.sizes import path as paths
from shapelint.sizes.dim import dim
from shapelint.tracing.loops.holding import Held, all_held, held, is_same, only_numbers_differ
from shapelint.tracing.loops.repeated import Collecting, Repeated
from shapelint.tracing.loops.source import Loop, Span, comprehension_at, loop_at, only_shapes, span_of
from shapelint.tracing.loops.symbols import with_numbers
from shapelint.tracing.loops.variables import (
    COMPREHENSION,
    global_values,
    grown,
    growth,
    local_variables,
    may_be_replaced,
    set_local,
)
from shapelint.tracing.names import value_of
from shapelint.tracing.places import is_internal

if TYPE_CHECKING:
    from shapelint.tracing.exploring import ExploringPath

_GET_ITER = dis.opmap["GET_ITER"]
_LOOPING = frozenset({"FOR_ITER", "PRECALL", "CALL", "LOAD_FAST_AND_CLEAR"})
"""What follows on it in a loop: the loop itself; the call of a comprehension, or what sets its variables apart."""

JOINING = {torch.cat: True, torch.concat: True, torch.concatenate: True, torch.stack: False}
"""Functions that join a list of tensors, and whether along a dimension that these have."""

BIT_BY_BIT = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR

_BRANCH = "a branch in it is taken in some of the rounds only"

MAX_PERIOD = 4
"""At most so many rounds are taken together where they differ from one to the next."""

MAX_ALONE = 4
"""At most this many rounds at either end of a loop are run one by one."""

Site = tuple[CodeType, int, int]
"""A loop in the code, and which of the stretches of alike items it goes through."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How a loop is run.

    Attributes:
        first: so many rounds at its beginning are run one by one,
        last: and so many at its end.
        period: so many of the others are taken together, for as many wherever in the loop; what is left over is run
            one by one.
        growing: local variables (and an axis, ``None`` for a number) that grow by the same number in every round.
        forgetting: local variables that hold tensors of which only the shapes are kept, since rounds write into them.
        each: all rounds are run one by one, for each number of them that there can be.
        step: of a ``while`` loop, how much closer to its end every round brings it.
        certain: sizes for which no round is left between those at the ends are followed on their own.
    """

    first: int = 0
    last: int = 0
    period: int = 1
    growing: tuple[tuple[str, int | None, int], ...] = ()
    forgetting: tuple[str, ...] = ()
    each: bool = False
    step: int = 0
    certain: bool = False


class Replan(BaseException):
    """A loop is to be followed with another plan. No ``except Exception`` of a model may swallow it.

    Attributes:
        order: which of the rounds begun so far asks for it.
    """

    def __init__(self, site: Site, plan: Plan, order: int) -> None:
        super().__init__(f"{site} is to be run with {plan}")
        self.site, self.plan, self.order = site, plan, order


@dataclass(frozen=True, slots=True)
class Stretch:
    """Items of a loop that are alike: how many, and the one at a position among them."""

    times: Size
    at: Callable[[Any], Any]


@dataclass(eq=False)
class Round:
    """The round, or few rounds in a row, that stand for many.

    Attributes:
        number: the symbol for their place among those that they stand for, from 1.
        count: how many these are.
        is_certain: whether all sizes have such a round.
        start: local variables before the first of the rounds that it stands for,
        state: and what they hold at its own beginning.
        lists: those among them that the loop fills,
        called: and the variables that hold each of these.
        begun: where on the path it began,
        order: and after how many others.
        before: the sizes when it began, its own number apart,
        entered: and with that.
        depth: how many modules and functions were being explored.
        refused: sizes that one of these rounds refuses, if all of them begin alike, and why.
    """

    site: Site
    plan: Plan
    path: ExploringPath
    frame: FrameType
    number: str
    times: Any
    count: Any
    start: dict[str, Any] = field(default_factory=dict)
    state: dict[str, Held] = field(default_factory=dict)
    lists: dict[str, Any] = field(default_factory=dict)
    called: dict[str, list[str]] = field(default_factory=dict)
    begun: Any = None
    order: int = 0
    is_certain: bool = True
    before: Domain | None = None
    entered: Domain | None = None
    depth: int = 0
    refused: list[tuple[Domain, str]] = field(default_factory=list)

    @property
    def position(self) -> Any:
        """The first one's position in its stretch, from 0."""
        return self.plan.first + self.plan.period * (dim(self.number) - 1)

    def other_plan(self, plan: Plan, why: str) -> NoReturn:
        """Start again with this plan, if it is one.

        Raises:
            Undecided: no more rounds are run one by one.
        """
        if max(plan.first, plan.last) > MAX_ALONE:
            self.give_up(f"a loop of {self.times} rounds cannot be followed as a whole: {why}")
        raise Replan(self.site, plan, self.order)

    def give_up(self, why: str) -> NoReturn:
        """No round stands for others: start again with each number of rounds, if there are few.

        Raises:
            Undecided: there are many.
        """
        # what a `while` loop asks ends it by itself, if that is soon
        if self.plan.step or paths.can_be_tried(self.times.expr):
            raise Replan(self.site, Plan(each=True, step=self.plan.step), self.order)
        raise Undecided(why)

    def with_certainty(self) -> Replan:
        """It matters whether there is such a round at all: sizes that have none are to be followed on their own."""
        return Replan(self.site, replace(self.plan, certain=True), self.order)

    def told_apart(self, condition: Condition) -> NoReturn:
        """A branch that some rounds take and others do not.

        Those at the ends are run one by one if that settles it, else several are taken together.
        """
        plan, domain, number = self.plan, self.path.domain, dim(self.number)
        ways = [(a, b) for a in range(MAX_ALONE + 1) for b in range(MAX_ALONE + 1) if a + b]
        for first, last in sorted(ways, key=sum):
            before, after = -(-first // plan.period), -(-last // plan.period)
            inner = domain.restrict(number > before).restrict(number <= self.count - after)
            if not inner.is_empty() and inner.status(condition) is not None:
                self.other_plan(replace(plan, first=plan.first + first, last=plan.last + last), _BRANCH)
        for period in range(2, MAX_PERIOD + 1) if plan.period == 1 else ():
            if all(domain.restrict(number % period == k).status(condition) is not None for k in range(period)):
                self.other_plan(replace(plan, period=period, growing=()), _BRANCH)
        self.give_up(f"a loop of {self.times} rounds cannot be followed as a whole: {_BRANCH}")

    def used_later(self) -> NoReturn:
        """What this round made is used after the loop, where it is the last round's."""
        self.other_plan(replace(self.plan, last=self.plan.last + 1), "what a round in its middle made is used later")

    def left(self) -> NoReturn:
        """The loop ended with this round (``break``, ``return``), though others were to follow."""
        if not self.is_certain:
            raise self.with_certainty()
        self.other_plan(_one_more(self.plan), "it is left before its end")


class Rounds:
    """The iterator of a loop."""

    def __init__(self, stretches: list[Stretch], path: ExploringPath) -> None:
        self._path = path
        self._stretches = stretches
        self._items = self._all(stretches)
        self._frame: FrameType | None = None
        self._times: list[Any] = []

    def __iter__(self) -> Rounds:
        return self

    def __next__(self) -> Any:
        return self._next_in(sys._getframe(1))

    def _next_in(self, frame: FrameType) -> Any:
        """The next item, for the loop that a frame runs."""
        self._frame = frame
        try:
            return next(self._items)
        finally:
            self._frame = None

    def _site(self, frame: FrameType, stretch: int) -> Site:
        return (frame.f_code, frame.f_lasti, stretch)

    def _loop(self, frame: FrameType) -> tuple[FrameType, Loop | None]:
        """The loop that a frame is about to take an item for, and the frame of the function in whose source it is."""
        return _loop_of(frame)

    def one_of_each(self) -> list[Size]:
        """Give one item of each stretch that has any; how many items it stands for."""
        there = [stretch for stretch in self._stretches if stretch.times > 0]
        self._items = iter([stretch.at(0) for stretch in there])
        return [stretch.times for stretch in there]

    def _all(self, stretches: list[Stretch]) -> Iterator[Any]:
        for number, stretch in enumerate(stretches):
            if type(stretch.times) is int:
                yield from map(self._alone, map(stretch.at, range(stretch.times)))
            else:
                yield from self._many(number, stretch) if self._is_seen(stretch.times) else self._each(stretch)
        frame = self._frame
        assert frame is not None
        around, loop = self._loop(frame)
        if loop is not None and loop.is_comprehension:
            for span in _joined_by(around, loop):
                self._path.comprehensions[id(around), span] = Collected(around, self._times)

    def _alone(self, item: Any) -> Any:
        self._times.append(1)
        return item

    def _is_seen(self, times: Any) -> bool:
        """Whether what the loop does is seen: it is a statement, or makes a list that is joined and nothing else.

        Raises:
            Undecided: it is not, and there are too many rounds to try each number of them.
        """
        frame = self._frame
        assert frame is not None
        around, loop = self._loop(frame)
        if loop is not None and (not loop.is_comprehension or _joined_by(around, loop)):
            return True
        if not paths.can_be_tried(times.expr):
            other = f"{times} items are gone through by other code than a loop"
            raise Undecided(other if loop is None else _otherwise_used(times))
        return False

    def _each(self, stretch: Stretch) -> Iterator[Any]:
        """The items one by one, for each number of them."""
        times: Any = stretch.times
        return map(self._alone, map(stretch.at, range(paths.concrete(times.expr))))

    def _many(self, number: int, stretch: Stretch) -> Iterator[Any]:
        """The items of one stretch: some at either end, and one for all between."""
        frame = self._frame
        assert frame is not None
        site = self._site(frame, number)
        plan = self._path.plans.get(site, Plan())
        times = stretch.times
        if plan.each:
            yield from self._each(stretch)
            return
        alone = plan.first + plan.last + plan.period - 1
        enough = times >= alone if self._may_have_none(site, plan, times > alone) else times > alone
        for position in range(alone):
            if position == plan.first and bool(enough):
                break
            if not times > position:
                return
            yield self._alone(stretch.at(position))
        if not enough:  # a range may have fewer than no items
            return
        if paths.possible(times > alone):
            yield from self._between(site, plan, stretch)
        for position in range(plan.last):
            yield self._alone(stretch.at(times - (plan.last - position)))

    def _may_have_none(self, site: Site, plan: Plan, has_some: bool | Condition) -> bool:
        """Whether sizes that leave no round between those at the ends go the same way as those that do.

        What such a round changes is in no variable then; what it adds to lists is there no times.
        """
        if plan.certain or plan.period > 1:
            return False
        assert self._frame is not None
        loop = self._loop(self._frame)[1]
        if loop is None or loop.lasting:
            return False
        if not self._path.only_sizes_decide and not paths.implied(has_some):
            # on the paths before, it may have been asked otherwise
            raise Replan(site, replace(plan, certain=True), len(self._path.followed) + 1)
        return True

    def _between(self, site: Site, plan: Plan, stretch: Stretch) -> Iterator[Any]:
        """One round, or as many as are taken together, for all but those at the ends."""
        times = stretch.times
        current = self._begin(site, plan, times)
        for position in range(plan.period):
            self._times.append(current.count)
            yield stretch.at(current.position + position)
        self._end(current)
        done = plan.first + plan.period * current.count
        for position in range(plan.period - 1):
            if not times - plan.last - done > position:
                break
            yield self._alone(stretch.at(done + position))

    def _begin(self, site: Site, plan: Plan, times: Any) -> Round:
        frame, path = self._frame, self._path
        assert frame is not None
        loop = self._loop(frame)[1]
        assert loop is not None
        count = (times - plan.first - plan.last) // plan.period
        number = f"{loop.variable or 'round'}#{next(path.numbers)}"
        current = Round(site, plan, path, frame, number, times, count, begun=path.counts.here())
        current.is_certain = paths.implied(count >= 1)
        path.enter(current)
        variables = local_variables(frame)
        current.start = {name: value for name, value in variables.items() if name not in loop.own}
        for name in plan.forgetting:
            path.forget_numbers(current.start.get(name))
        filled = [name for name in current.start if name in loop.filled]
        # the lists last: what else reaches them is then known, and what is in them does not count
        before = all_held({n: current.start[n] for n in sorted(current.start, key=filled.__contains__)}, path.outlines)
        others = all_held({name: variables[name] for name in variables.keys() - current.start.keys()}, path.outlines)
        for name in filled:
            self._collect(current, name, variables, {**before, **others})
        for name, axis, step in plan.growing:
            set_local(frame, name, grown(current.start[name], axis, step * (dim(current.number) - 1)))
        replaced = {name for called in current.called.values() for name in called}
        current.state = {name: each for name, each in before.items() if name not in replaced}
        current.state[_GLOBALS] = held(global_values(frame))
        return current

    @staticmethod
    def _collect(current: Round, name: str, variables: dict[str, Any], before: dict[str, Held]) -> None:
        """Put the list that a loop fills under watch, if the variables alone hold it."""
        items, code = variables[name], current.frame.f_code
        called = [other for other, value in variables.items() if value is items]
        elsewhere = any(id(items) in each.containers for n, each in before.items() if n not in called)
        seen = any(name in names for names in current.called.values())
        if seen or elsewhere or not all(may_be_replaced(code, other, items) for other in called):
            return
        collecting = Collecting(items, current.left, current.give_up)
        current.lists[name], current.called[name] = items, called
        for other in called:
            set_local(current.frame, other, collecting)

    def _end(self, current: Round) -> None:
        """The round is over: check that it stands for all, and go on after the last of them."""
        frame, path = self._frame, self._path
        if frame is not current.frame:
            raise Undecided(f"a loop of {current.times} rounds is gone through from several functions")
        path.check_innermost(current)
        now = local_variables(frame)
        state = all_held({name: now[name] for name in current.state if name in now}, path.outlines)
        state[_GLOBALS] = held(global_values(frame))
        for name, axis, step in current.plan.growing:
            after = grown(current.start[name], axis, step * dim(current.number))
            current.state[name] = held(after)
        changed = [n for n, before in current.state.items() if n not in state or not is_same(before, state[n])]
        if changed:
            both = {n: (current.state[n], state[n]) for n in changed if n in state}
            self._forget_contents(current, both)
            in_the_last = len(both) == len(changed) and self._only_the_last_changes(current, both.values())
            self._change_plan(current, changed, now, in_the_last)
        lists = {name: self._filled(current, name, now.get(name)) for name in current.lists}
        path.counts.check_mixed(current, {name: items.added for name, items in lists.items()})
        path.leave(current)
        if not current.is_certain:
            self._check_without(current, state)
        for name, axis, step in current.plan.growing:
            set_local(frame, name, grown(current.start[name], axis, step * current.count))
        for name, items in lists.items():
            result = items.after(current.count) if list.__len__(items) else current.lists[name]
            for other, value in now.items():
                if value is items:
                    set_local(frame, other, result)
            items.ended = current.used_later

    def _check_without(self, current: Round, now: dict[str, Held]) -> None:
        """What the round left as it was is so for sizes without such a round as well."""
        growing = {name for name, _, _ in current.plan.growing}
        same = all(is_same(each, now[name]) for name, each in current.state.items() if name not in growing)
        if not same or not self._path.only_sizes_decide:
            raise current.with_certainty()

    def _filled(self, current: Round, name: str, items: Any) -> Collecting:
        now = local_variables(current.frame)
        replaced = [n for n in current.called[name] if n in current.start and now.get(n) is not items]
        if type(items) is not Collecting or replaced:
            which = (replaced or [name])[0]
            current.give_up(f"a loop of {current.times} rounds cannot be followed as a whole: it replaces `{which}`")
        if items.looked_at is not None and not is_same(held(items.looked_at), held(items.added[-1])):
            current.other_plan(_one_more(current.plan), f"what it adds to `{name}` changes")
        added = [held(item) for item, _ in items.added.runs]
        if not all(is_same(added[0], other) for other in added[1:]):
            # what several rounds add then alternates, which a list of repeated items does not say
            current.give_up(f"each of {current.times} rounds of a loop adds different items to `{name}`")
        return items

    @staticmethod
    def _forget_contents(current: Round, changed: dict[str, tuple[Held, Held]]) -> None:
        """Start again without what is known of the numbers in some tensors, if running a first round did not help.

        What is known of them would go on to differ where contents decide whether a round writes into them.
        """
        plan = current.plan
        written = [n for n, (before, after) in changed.items() if only_numbers_differ(before, after)]
        if plan.first and not set(written) <= set(plan.forgetting):
            forgetting = tuple(dict.fromkeys((*plan.forgetting, *written)))
            raise Replan(current.site, replace(plan, first=plan.first - 1, forgetting=forgetting), current.order)

    def _change_plan(self, current: Round, changed: list[str], now: dict[str, Any], in_the_last: bool) -> NoReturn:
        plan = current.plan
        steps = [growth(name, current.start.get(name), now.get(name)) for name in changed]
        if not plan.growing and all(steps):
            growing = tuple(step for step in steps if step is not None)
            raise Replan(current.site, replace(plan, growing=growing), current.order)
        what = ", ".join(f"`{name}`" for name in changed if name != _GLOBALS) or "something global"
        more = replace(plan, last=plan.last + 1) if in_the_last else _one_more(plan)
        current.other_plan(more, f"{what} changes from round to round")

    def _only_the_last_changes(self, current: Round, both: Iterable[tuple[Held, Held]]) -> bool:
        """Whether it is the last of the rounds alone that leaves something else than it found."""
        path = self._path
        whole = path.domain
        try:
            path.domain = whole.restrict(dim(current.number) < current.count)
            return not path.domain.is_empty() and all(is_same(before, after) for before, after in both)
        finally:
            path.domain = whole


def at_beginning(value: Any, rounds: Iterable[Round]) -> Any:
    """A value with the numbers of the first rounds that these stand for in the place of their symbols."""
    return with_numbers(value, {each.number: 1 for each in rounds})


def rounds(stretches: list[Stretch], otherwise: Callable[[], Any]) -> Any:
    """The iterator for these items where a loop of the model's own code asks for it; ``otherwise()`` elsewhere."""
    path: Any = paths.active()
    frame = asking()
    # a loop that `enumerate` or `zip` stand before counts its rounds where this cannot see it
    if frame is None or frame.f_code.co_code[frame.f_lasti] != _GET_ITER or path is None:
        return otherwise()
    following = _instruction_after(frame.f_code, frame.f_lasti)
    if following is None or following.opname not in _LOOPING or frame.f_code.co_flags & BIT_BY_BIT:
        return otherwise()
    return Rounds(stretches, path)


def alike_in(values: Any) -> Repeated | None:
    """What ``max(len(row) for row in x)`` is asked of, if it has as many items as a size says; ``None`` otherwise."""
    if type(values) is list:
        path: Any = paths.active()
        found = joined_in(path, values) if path is not None and path.comprehensions else None
        return None if found is None else found.without(_is_nowhere)
    if type(values) is not GeneratorType or values.gi_frame is None:
        return None
    going = values.gi_frame.f_locals.get(".0")
    frame = asking() if isinstance(going, Rounds) else None
    if (
        frame is None
        or not isinstance(going, Rounds)
        or not only_shapes(frame.f_code, span_of(frame.f_code, frame.f_lasti))
    ):
        return None
    times = going.one_of_each()
    return Repeated(list(values), times)


def _is_nowhere(item: Any, times: Any) -> Any:
    return times < 1


def asking() -> FrameType | None:
    """The function of the model that asks for an iterator, or for the truth of a condition."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and is_internal(frame.f_code):
        frame = frame.f_back
    return frame


FOLDING: set[Any] = set()
"""What stands for ``max``, ``sum`` and the like, which take a list for one number."""

_GLOBALS = "(globals)"


def _one_more(plan: Plan) -> Plan:
    return replace(plan, first=plan.first + 1, growing=())


@functools.lru_cache(maxsize=4096)
def _instruction_after(code: CodeType, offset: int) -> dis.Instruction | None:
    # EXTENDED_ARG is the beginning of the instruction after it: the jump out of a long loop
    following = (i for i in dis.get_instructions(code) if i.offset > offset and i.opname != "EXTENDED_ARG")
    return next(following, None)


def _loop_of(frame: FrameType) -> tuple[FrameType, Loop | None]:
    """The loop that a frame is about to take an item for, and the frame of the function in whose source it stands."""
    around = frame.f_back
    if frame.f_code.co_name != COMPREHENSION or around is None:
        return frame, loop_at(frame.f_code, span_of(frame.f_code, frame.f_lasti))
    return around, comprehension_at(around.f_code, span_of(around.f_code, around.f_lasti))


def _joined_by(frame: FrameType, loop: Loop) -> list[Span]:
    """The one call that takes the list that a comprehension makes, and nothing else does; it joins what it gets."""
    found = {**frame.f_globals, **frame.f_locals}
    if len(loop.takers) == 1 and _joins(loop.takers[0].function, found):
        return [loop.takers[0].span]
    return []


def _joins(function: ast.expr, found: Mapping[str, Any]) -> bool:
    try:
        value = value_of(function, found)
    except (LookupError, AttributeError):
        return False
    return isinstance(value, Hashable) and (value in JOINING or value in FOLDING)


@dataclass(frozen=True, slots=True)
class Collected:
    """The list that a comprehension has made, until it is joined.

    Attributes:
        frame: the function that holds it, which stays as it is as long as somebody knows it.
        times: how often each item stands for one like it.
    """

    frame: FrameType
    times: list[Size]


def joined_in(path: ExploringPath, items: Any) -> Repeated | None:
    """The list that the model's code is about to join, if its items stand for many."""
    if type(items) is Repeated:
        return items
    frame = asking() if path.comprehensions else None
    known = None if frame is None else path.comprehensions.pop((id(frame), span_of(frame.f_code, frame.f_lasti)), None)
    if known is None or frame is None:
        return None
    path.counts.check_joined((frame.f_code, frame.f_lasti), items)
    return Repeated(items, known.times)


def check_joined(path: ExploringPath, before: frozenset[tuple[int, Span]]) -> None:
    """All lists that comprehensions have made since are joined: what else might have used one would see few items."""
    for key in path.comprehensions.keys() - before:
        left = path.comprehensions[key]
        file = Path(left.frame.f_code.co_filename).name
        raise Undecided(f"{_otherwise_used(sum(left.times))} (at {file}:{key[1][0]})")


def _otherwise_used(times: Any) -> str:
    return f"a list of {times} items is used otherwise than to be joined once (stack, cat)"
