"""Calls that are not made again: what was asked before, of modules with many parts, is answered as it was then."""

from __future__ import annotations

from dataclasses import replace
from types import CodeType
from typing import Any, NamedTuple

import torch
from torch import nn

from shapelint.limits import Limits
from shapelint.sizes import Domain, TooComplex
from shapelint.sizes import expr as ex
from shapelint.tracing import state
from shapelint.tracing.generalizing import (
    General,
    Instance,
)
from shapelint.tracing.keys import Keys
from shapelint.tracing.looking import Watch
from shapelint.tracing.loops.rounds import Plan, Replan, Site
from shapelint.tracing.loops.source import Span
from shapelint.tracing.operations import Operations
from shapelint.tracing.remembering import Memory, Question, Remembered, ask, pattern_of, replaced
from shapelint.tracing.replaying import Callee
from shapelint.tracing.tensor import SymbolicTensor

MANY_PARTS = 12
"""Calls of modules with more parts than this are remembered: for smaller ones that takes as long as the call."""


class Marks(NamedTuple):
    """Where the analysis stands: the sizes on the path, the rounds of loops begun, how much has been written down."""

    domain: Domain
    changes: int
    rounds: int
    calls: int
    in_rounds: int
    used: int
    failures: int
    suspects: int
    accidents: int
    overwritten: dict[torch.dtype, int]


class Standing(NamedTuple):
    """What there was before a call, so that it can be made again from its beginning.

    Attributes:
        question: what the call can look at.
        by_products: why products had symbols of their own among the sizes, if they had.
        contents: what the model's lists and dicts held.
        changes, begun: how many attributes and tensors had been changed, and rounds of loops followed.
        overwritten: how many of the changes can be undone.
        rounds, lists: the loops that the call is made in, and the lists that wait to be joined.
        written: how much had been written down, by kind.
        told, handed_out: how many remembered calls had been told, and how many of their tensors were in use.
    """

    question: Question
    domain: Domain
    by_products: TooComplex | None
    contents: state.Contents
    changes: int
    overwritten: int
    begun: int
    rounds: int
    lists: frozenset[tuple[int, Span]]
    written: tuple[int, ...]
    told: int
    handed_out: int


class Recalling(Operations):
    """Remembers what calls of a model's parts have done.

    Attributes:
        memory: the calls, of earlier runs of the analysis too.
        owed: calls that are written down for whatever sizes, to be filled in.
        used: calls that were not made, in their order.
        overwritten: attributes of modules that were set, with what they held before, in that order.
        containers: the lists and dicts that the model keeps, and other tables in which it looks things up,
        at_first: and what they held at the beginning.
    """

    def __init__(
        self,
        modules: dict[str, nn.Module],
        domain: Domain,
        limits: Limits,
        deadline: float,
        plans: dict[Site, Plan],
        beginning: CodeType,
        memory: Memory,
        tables: list[dict[Any, Any]],
    ) -> None:
        super().__init__(domain, limits, deadline, plans, beginning)
        self.path.numbers = memory.numbers
        self.memory = memory
        self.path.outlines = memory.outlines
        self.containers = state.Containers(modules.values())
        for table in tables:
            self.containers.add(table)
        self.path.keys = Keys(self.containers.watches)
        self.at_first = self.containers.now()
        self.owed: list[General] = []
        self.used: list[Any] = []
        self.overwritten: list[tuple[state.Attribute, Any]] = []
        self._told: set[int] = set()
        self.asked = 0
        self._large: dict[int, bool] = {}

    def ask(self, callee: Callee, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Question | None:
        """What a call can look at, ``None`` if it is not to be remembered."""
        owners = (callee,) if isinstance(callee, nn.Module) else (v for v in args if isinstance(v, nn.Module))
        if self.path.counts.made or not any(map(self._is_large, owners)):
            return None  # to read what it can look at takes nearly as long as to make the call
        self.asked += 1
        around: list[Any] = self._altered()
        for owner, name in dict.fromkeys(attribute for frame in self.path.frames for attribute in frame.written):
            if isinstance(owner, nn.Module):
                value = state.read((owner, name))
                around.append((id(owner), name) if value is state.MISSING else (id(owner), name, value))
        return ask(callee, (args, *kwargs.items()), around)

    def _is_large(self, module: nn.Module) -> bool:
        """Whether a module has many parts."""
        if id(module) not in self._large:
            self._large[id(module)] = len(state.modules_by_name(module)) > MANY_PARTS
        return self._large[id(module)]

    def _altered(self) -> list[Any]:
        """Lists and dicts of the model that hold something else than at the beginning."""
        return [container for container, _ in self.containers.changed(self.at_first)]

    def marks(self) -> Marks:
        """Where the analysis stands now."""
        return Marks(
            self.path.domain,
            self.changes,
            len(self.path.followed),
            len(self.calls),
            len(self.in_rounds),
            len(self.used),
            len(self.failures),
            len(self.suspects),
            len(self.accidents),
            self.path.counts.changes(),
        )

    def remember(self, question: Question, watch: Watch, before: Marks, value: Any) -> None:
        """Keep what a call has done, if that is known."""
        done = self._done(question, watch, before, value)
        if done is not None:
            self.memory.keep(done)

    def _done(self, question: Question, watch: Watch, before: Marks, value: Any) -> Remembered | None:
        """What a call has done, if it has changed nothing but lists and dicts that it could see."""
        after, path = self.marks(), self.path
        same = (before.changes, before.suspects, before.accidents) == (after.changes, after.suspects, after.accidents)
        if not same or self.probes or path.doubts or path.by_products is not None or path.counts.made:
            return None
        seen = set(map(id, question.containers))
        if not question.tensors_are_as_before() or any(id(altered) not in seen for altered in self._altered()):
            return None
        pattern = pattern_of(question, value)
        looks = question.looked_at(watch)  # by the pattern too: how a result lies in memory
        symbols = question.symbols_of(looks)
        if pattern is None or any(map(ex.is_derived, symbols)):
            return None
        refused = path.domain is not before.domain
        if refused and (path.domain.has_roots or not self._numbers_of_rounds().isdisjoint(symbols)):
            return None
        return Remembered(
            question,
            looks,
            symbols,
            before.domain,
            before.domain.project(symbols),
            path.domain if refused else None,
            *pattern,
            self.calls[before.calls :],
            self.failures[before.failures :],
            [kind for kind, many in after.overwritten.items() if before.overwritten.get(kind) != many],
            tuple(dict.fromkeys(path.followed[before.rounds :])),
            self.in_rounds[before.in_rounds :],
            self.used[before.used :],
        )

    def _numbers_of_rounds(self) -> set[str]:
        return {*(each.number for each in self.path.rounds), *self.path.over}

    def recall(self, known: Remembered, question: Question) -> Any:
        """A call as it went when the same was asked before."""
        path = self.path
        if path.over:
            path.check_names(known.symbols)
        if known.told_in != self.memory.run:
            self._tell_again(known, question)
        elif path.domain is not known.start:
            self._refuse_again(known)
        self.used.append(known)
        self._take_over(known, known.left_of(path.domain))
        return self.memory.value_of(known, question)

    def _take_over(self, known: Remembered, left: Domain) -> None:
        """The state of the path after a call that went as another one did."""
        path = self.path
        path.enter_again(known.rounds)
        if known.end is not None:
            path.frames[-1].narrowed = True
            for failure in known.failures:
                self.refuse_handlers(
                    "{} is required", failure.reason if failure.condition is None else failure.condition
                )
        for kind in known.overwritten:
            path.counts.note_change(kind, next(self.indices))
        path.domain = left

    def _tell_again(self, known: Remembered, question: Question) -> None:
        """What an earlier run wrote down of a call, for this one: it was about that run's tensors."""
        now = {id(old): new for old, new in zip(known.question.tensors, question.tensors, strict=True)}
        self._tell_calls(known, now)
        if self.path.domain is known.start:
            self.failures += known.failures
        else:
            self._refuse_again(known)

    def _tell_calls(self, known: Remembered, now: dict[int, SymbolicTensor]) -> None:
        """Write down the calls in a call; and those that it did not make itself, to which its tensors lead too."""
        for used in known.used:
            if type(used) is Instance:
                self._tell_instance(used, now)
            elif used.told_in != self.memory.run:
                self._tell_calls(used, {})
        for call in known.calls:
            if id(call) not in self._told:
                self._told.add(id(call))
                call.index = next(self.indices)
                call.arguments, call.keywords = replaced(call.arguments, now), replaced(call.keywords, now)
                self.calls.append(call)
        self.in_rounds += known.in_rounds
        self.memory.tell(known)

    def _tell_instance(self, instance: Instance, now: dict[int, SymbolicTensor]) -> None:
        """Write down a call that goes as it does whatever its sizes, if this run has no such call yet."""
        general = instance.general
        if general.told_in == self.memory.run:
            return
        instance.given = [now.get(id(tensor), tensor) for tensor in instance.given]
        for call in general.calls.values():
            call.index = next(self.indices)
        self.calls += general.calls.values()
        in_rounds = general.done.calls if instance.in_rounds else general.done.in_rounds
        self.in_rounds += [general.calls[id(call)] for call in in_rounds]
        self._told.update(map(id, general.calls.values()))
        general.told = instance
        self.owed.append(general)
        self.memory.tell(general)

    def _refuse_again(self, known: Remembered) -> None:
        """The call refuses these sizes too."""
        for failure in known.failures:
            self.failures.append(replace(failure, domain=known.among(self.path.domain, failure.domain)))

    # --- going back ---------------------------------------------------------------------------------

    def standing(self, question: Question, contents: state.Contents) -> Standing:
        """Where the analysis stands before a call that asks this."""
        path, memory = self.path, self.memory
        return Standing(
            question,
            path.domain,
            path.by_products,
            contents,
            self.changes,
            len(self.overwritten),
            len(path.followed),
            len(path.rounds),
            frozenset(path.comprehensions),
            tuple(map(len, self._written_down())),
            len(memory.told),
            len(memory.handed_out),
        )

    def _written_down(self) -> tuple[list[Any], ...]:
        first = self.calls, self.in_rounds, self.owed, self.used, self.failures
        return *first, self.suspects, self.accidents, self.probes, self.path.doubts

    def go_back(self, change: Replan, before: Standing) -> bool:
        """Undo all that a call has done, because a loop in it needs another plan; False where that cannot be done."""
        path = self.path
        is_within = change.order > before.begun and path.plans.get(change.site) != change.plan
        can_undo = self.changes - before.changes == len(self.overwritten) - before.overwritten
        if not is_within or not can_undo or path.counts.made or any(frame.on_data for frame in path.frames):
            return False
        self._undo(before)
        self.memory.forget(change.site)
        path.plans[change.site] = change.plan
        return True

    def _undo(self, before: Standing) -> None:
        path = self.path
        path.abandon(before.rounds)
        path.forget_lists(before.lists)
        path.domain, path.by_products = before.domain, before.by_products
        while len(self.overwritten) > before.overwritten:
            attribute, held = self.overwritten.pop()
            state.roll_back({attribute: held})
            self.changes -= 1
        self.containers.restore(before.contents)
        before.question.restore()
        for kind, many in zip(self._written_down(), before.written, strict=True):
            del kind[many:]
        for call in self.memory.go_back(before.told, before.handed_out):
            self._told.difference_update(map(id, call.calls.values() if type(call) is General else call.calls))
