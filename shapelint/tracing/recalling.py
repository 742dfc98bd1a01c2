"""Calls that are not made again: what was asked before, of modules with many parts, is answered as it was then."""

from __future__ import annotations

from dataclasses import replace
from types import CodeType
from typing import Any, NamedTuple

import torch
from torch import nn

from shapelint.limits import Limits
from shapelint.sizes import Domain
from shapelint.sizes import expr as ex
from shapelint.tracing import state
from shapelint.tracing.keys import Keys
from shapelint.tracing.looking import Watch
from shapelint.tracing.loops.rounds import Plan, Site
from shapelint.tracing.operations import Operations
from shapelint.tracing.remembering import Memory, Question, Remembered, ask, pattern_of, replaced

MANY_PARTS = 12
"""Calls of modules with more parts than this are remembered: for smaller ones that takes as long as the call."""


class Marks(NamedTuple):
    """Where the analysis stands: the sizes on the path, the rounds of loops begun, how much has been written down."""

    domain: Domain
    changes: int
    rounds: int
    calls: int
    failures: int
    suspects: int
    accidents: int
    overwritten: dict[torch.dtype, int]


class Recalling(Operations):
    """Remembers what calls of a model's parts have done.

    Attributes:
        memory: the calls, of earlier runs of the analysis too.
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
        self.memory = memory
        self.path.outlines = memory.outlines
        self.containers = state.Containers(modules.values())
        for table in tables:
            self.containers.add(table)
        self.path.keys = Keys(self.containers.watches)
        self.at_first = self.containers.now()
        self._told: set[int] = set()
        self._large: dict[int, bool] = {}

    def ask(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Question | None:
        """What a call can look at, ``None`` if it is not to be remembered."""
        if self.path.counts.made or not self._is_large(module):
            return None  # to read what it can look at takes nearly as long as to make the call
        around: list[Any] = self._altered()
        for owner, name in dict.fromkeys(attribute for frame in self.path.frames for attribute in frame.written):
            if isinstance(owner, nn.Module):
                value = state.read((owner, name))
                around.append((id(owner), name) if value is state.MISSING else (id(owner), name, value))
        return ask(module, (args, *kwargs.items()), around)

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
            self.path.begun,
            len(self.calls),
            len(self.failures),
            len(self.suspects),
            len(self.accidents),
            self.path.counts.changes(),
        )

    def remember(self, question: Question, watch: Watch, before: Marks, value: Any) -> None:
        """Keep what a call has done, if that is known: it has changed nothing but lists and dicts that it could see."""
        after, path = self.marks(), self.path
        same = (before.changes, before.suspects, before.accidents) == (after.changes, after.suspects, after.accidents)
        if not same or self.probes or path.doubts or path.by_products is not None or path.counts.made:
            return
        seen = set(map(id, question.containers))
        if not question.tensors_are_as_before() or any(id(altered) not in seen for altered in self._altered()):
            return
        pattern = pattern_of(question, value)
        looks = question.looked_at(watch)  # by the pattern too: how a result lies in memory
        symbols = question.symbols_of(looks)
        if pattern is None or any(map(ex.is_derived, symbols)):
            return
        rounds = {*(each.number for each in path.rounds), *path.over}
        of_rounds = before.rounds != after.rounds or not rounds.isdisjoint(symbols)
        refused = path.domain is not before.domain
        if refused and (of_rounds or path.domain.has_roots):
            return
        self.memory.keep(
            Remembered(
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
                self.memory.run if of_rounds else None,
                self.memory.run,
            )
        )

    def recall(self, known: Remembered, question: Question) -> Any:
        """A call as it went when the same was asked before."""
        path = self.path
        if path.over:
            path.check_names(known.symbols)
        if known.told_in != self.memory.run:
            self._tell_again(known, question)
        elif path.domain is not known.start:
            self._refuse_again(known)
        if known.end is not None:
            path.frames[-1].narrowed = True
            for failure in known.failures:
                self.refuse_handlers(
                    "{} is required", failure.reason if failure.condition is None else failure.condition
                )
        for kind in known.overwritten:
            path.counts.note_change(kind, next(self.indices))
        path.domain = known.left_of(path.domain)
        return self.memory.value_of(known, question)

    def _tell_again(self, known: Remembered, question: Question) -> None:
        """What an earlier run wrote down of a call, for this one: it was about that run's tensors."""
        now = {id(old): new for old, new in zip(known.question.tensors, question.tensors, strict=True)}
        for call in known.calls:
            if id(call) not in self._told:
                self._told.add(id(call))
                call.index = next(self.indices)
                call.arguments, call.keywords = replaced(call.arguments, now), replaced(call.keywords, now)
                self.calls.append(call)
        if self.path.domain is known.start:
            self.failures += known.failures
        else:
            self._refuse_again(known)
        known.told_in = self.memory.run

    def _refuse_again(self, known: Remembered) -> None:
        """The call refuses these sizes too."""
        for failure in known.failures:
            self.failures.append(replace(failure, domain=known.among(self.path.domain, failure.domain)))
