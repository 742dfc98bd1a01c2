"""Calls that go as they go whatever their sizes: what was followed once for symbols is told for formulas."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from shapelint.sizes import Domain, TooComplex, Undecided
from shapelint.sizes import expr as ex
from shapelint.sizes.condition import Comparison, compare
from shapelint.sizes.expr import Expr
from shapelint.tracing import state
from shapelint.tracing.counts import Counts
from shapelint.tracing.exploring import Frame
from shapelint.tracing.generalizing import (
    Explore,
    Formulas,
    General,
    Generalizer,
    Instance,
    NotGeneral,
    among,
    failures_among,
    general_of,
    with_formulas,
)
from shapelint.tracing.looking import Watch
from shapelint.tracing.loops.rounds import Replan
from shapelint.tracing.loops.symbols import names_in
from shapelint.tracing.recalling import Recalling
from shapelint.tracing.remembering import Question, written
from shapelint.tracing.replaying import Callee

SHARE = 8
"""Following a call for whatever sizes may take this part of the time that is left: with more cases it may take long."""


class AnySize(Recalling):
    """Follows calls once for whatever sizes.

    Attributes:
        is_general: a call is being followed so.
    """

    is_general = False

    def recall_another(self, question: Question) -> tuple[Any] | None:
        """A call as one with symbols goes that has been followed already, if it is one of those."""
        if self.is_general or question.key not in self.memory.generals:
            return None
        for general in list(self.memory.generals[question.key].values()):
            formulas = general.formulas_for(question) if type(general) is General else None
            if formulas is not None and all(map(self._is_positive, formulas.values())):
                if self.path.over:
                    self.path.check_names(_names_in(formulas))
                value = self.recall_general(general, formulas, question)
                if value is not None:
                    return value
        return None

    def _is_positive(self, formula: Expr) -> bool:
        try:
            return self.path.domain.status(compare(ex.add_constant(formula, -1), ">=")) is True
        except TooComplex:
            return False  # the call is made for its own sizes

    def general_of(
        self, callee: Callee, args: tuple[Any, ...], kwargs: dict[str, Any], explore: Explore, asked: Question
    ) -> tuple[General, Formulas] | None:
        """What a call does whatever its sizes, and what these are here, if that can be known.

        Args:
            asked: what the call can look at.
        """
        if self.is_general:
            return None
        if self.path.over:
            self.path.check_names(names_in((args, kwargs)))
        generalizer = Generalizer(self.path.domain)
        try:
            given, named = generalizer.general(args), generalizer.general(kwargs)
        except (NotGeneral, TooComplex):
            return None
        formulas = generalizer.formulas
        question = self.ask(callee, given, named) if formulas else None
        if question is None or not question.symbols <= formulas.keys():
            return None
        if not asked.is_as_wide(question):
            return None  # the model keeps one of the call's arguments, which are other objects for whatever sizes
        generals = self.memory.generals.setdefault(question.key, {})
        seen = question.seen_in_all()
        if generals.get(seen) is None:
            generals[seen] = self._follow_for_any(question, formulas, lambda: explore(given, named, question))
        general = generals[seen]
        return (general, formulas) if type(general) is General else None

    def _follow_for_any(self, question: Question, formulas: Formulas, run: Callable[[], Any]) -> General | bool:
        """Follow a call with symbols for its sizes; False where that does not work."""
        path, frame, watch = self.path, Frame(), Watch()
        before = self.standing(question, self.containers.now())
        deadline, now = self.deadline, time.monotonic()
        kept = path.domain, path.frames, path.rounds, path.counts, path.by_products, Undecided.last
        path.domain, path.frames, path.rounds, path.counts = Domain.positive(formulas), [frame], [], Counts(path)
        self.is_general, self.deadline = True, now + max(deadline - now, 0) / SHARE
        try:
            marks = self.marks()
            watch.begin(question.tensors, question.known)
            value = run()
            done = None if frame.taken else self._done(question, watch, marks, value)
            return done is not None and general_of(done)
        except (Exception, Undecided, Replan):
            return False  # the call is made for its own sizes, and says what is wrong with them
        finally:
            self.is_general, self.deadline = False, deadline
            watch.end(question.tensors, question.known)
            state.roll_back(frame.written)
            path.domain, path.frames, path.rounds, path.counts, path.by_products, Undecided.last = kept
            self._undo(before)

    def recall_general(self, general: General, formulas: Formulas, question: Question) -> tuple[Any] | None:
        """A call as it goes whatever its sizes; ``None`` where no formula or set expresses how it goes for these."""
        path, done = self.path, general.done
        try:
            left = path.domain if done.end is None else among(path.domain, done.end, formulas)
            refused = left is not path.domain
            in_rounds = refused and not self._numbers_of_rounds().isdisjoint(_names_in(formulas))
            if (refused and left.is_empty()) or (in_rounds and general.requirements is None):
                return None
            failures = failures_among(general, path.domain, formulas) if refused and not in_rounds else []
            made = general.tensors(formulas)
            question.look_at(done.looks)
            # the last, as it fills the lists that the call was given
            value = written(done, question, made, lambda size: with_formulas(size, formulas))
        except TooComplex:
            return None
        instance = Instance(general, formulas, question.tensors, path.domain, path.sizes, made, bool(path.rounds))
        if in_rounds:
            left = self._required(general, formulas)
        self._tell_instance(instance, {})
        self.used.append(instance)
        self.failures += failures
        self._take_over(done, left)
        return (value,)

    def _required(self, general: General, formulas: Formulas) -> Domain:
        """Require what a call does whatever its sizes: which rounds of a loop refuse sizes, the path finds out."""
        for failure in general.requirements or ():
            assert type(failure.condition) is Comparison
            self.current = None if failure.call is None else general.calls[id(failure.call)]
            condition = compare(failure.condition.expr.rename(formulas), failure.condition.op)
            arguments = tuple(with_formulas(argument, formulas) for argument in failure.arguments)
            self.path.require(condition, failure.reason, arguments)
        return self.path.domain


def _names_in(formulas: Formulas) -> set[str]:
    return {name for formula in formulas.values() for name in formula.support}
