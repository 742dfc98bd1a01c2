"""``while`` loops that come as much closer to their end in every round: ``while i < x.shape[-1]: ...; i += hop``.

Nothing takes items here: what the loop asks before each of its rounds is the only sign of them. Where that is a bound
which two rounds in a row have come closer to by the same number, the loop is followed again, as a ``for`` loop with
as many rounds as there is room for would be. Each later question must be the one that this foretells.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any

from shapelint.sizes import Condition, negate
from shapelint.sizes import path as paths
from shapelint.sizes.condition import compare
from shapelint.sizes.dim import expr_of, of
from shapelint.sizes.expr import Expr, subtract
from shapelint.sizes.inequalities import inequality
from shapelint.tracing.loops.rounds import BIT_BY_BIT, Plan, Replan, Rounds, Site, Stretch, asking
from shapelint.tracing.loops.source import Loop, Span, Test, span_of, test_at

if TYPE_CHECKING:
    from shapelint.tracing.exploring import ExploringPath

FEW_BRANCHES = 2
"""A ``while`` loop is looked for once so many branches have followed one another."""

Key = tuple[int, Span]


@dataclass(frozen=True, slots=True)
class Question:
    """What a loop asks in a running function."""

    frame: FrameType
    span: Span
    test: Test

    @property
    def key(self) -> Key:
        return id(self.frame), self.span

    @property
    def site(self) -> Site:
        line, _, column, _ = self.span
        # no instruction has a negative number, so it is no other loop
        return (self.frame.f_code, -(line or 0), column or 0)

    def going_on(self, condition: Condition) -> bool | Condition:
        """The condition under which there is another round."""
        return condition if self.test.goes_on else negate(condition)


class Repetition(Rounds):
    """The rounds of a loop.

    Args:
        question: what it asks,
        left: and by how much it is from its end at the first of these rounds.
    """

    def __init__(self, question: Question, left: Expr, step: int, path: ExploringPath) -> None:
        self.question = question
        self._left, self._step = of(left), step
        self._done: Any = 0
        super().__init__([Stretch(self._left // step + 1, lambda position: position)], path)

    def advance(self) -> bool:
        """Begin the next round; whether there is one."""
        try:
            self._done = self._next_in(self.question.frame) + 1
        except StopIteration:
            return False
        return True

    def foretells(self, condition: bool | Condition) -> bool:
        """Whether the loop goes on under this condition if it is as far from its end as it should be now."""
        left = expr_of(self._left - self._step * self._done)
        assert left is not None
        expected = compare(left, ">=")
        if condition is expected:
            return True
        either = (condition & negate(expected)) | (negate(condition) & expected)
        return paths.implied(negate(either))

    def _site(self, frame: FrameType, stretch: int) -> Site:
        return self.question.site

    def _loop(self, frame: FrameType) -> tuple[FrameType, Loop | None]:
        return frame, self.question.test.loop


class Whiles:
    """The ``while`` loops of a path that are followed as such.

    Attributes:
        going: those that have begun and not ended, by the function that runs and where they ask.
    """

    def __init__(self, path: ExploringPath) -> None:
        self._path = path
        self.going: dict[Key, Repetition] = {}
        self._asked: dict[tuple[CodeType, Span], tuple[FrameType, Expr]] = {}
        self._is_busy = False

    def told(self, condition: Condition) -> bool | None:
        """The answer to what a loop asks that goes on; ``None`` if it is none that asks.

        Raises:
            Replan: it asks something else than it should.
        """
        question = None if self._is_busy else _asked_now()
        loop = None if question is None else self.going.get(question.key)
        if question is None or loop is None:
            return None
        if loop.foretells(question.going_on(condition)):
            return self._advanced(loop)
        if any(each.site == question.site for each in self._path.rounds):
            self._advanced(loop)  # variables that grow are found as the round ends, and explain it
            given_up = Plan(each=True, step=self._path.plans[question.site].step)
            raise Replan(question.site, given_up, len(self._path.followed))
        del self.going[question.key]
        return None  # it was left by a `break`, and is begun once more

    def begun(self, condition: Condition) -> bool | None:
        """The answer to an undecided condition that a loop begins by, or goes on; ``None`` if it is to be explored.

        Raises:
            Replan: every round has brought it as much closer to its end.
        """
        question = None if self._is_busy else _asked_now()
        if question is None:
            return None
        going_on = question.going_on(condition)
        left, plan = inequality(going_on), self._path.plans.get(question.site, Plan())
        if left is None or plan.each:
            return None
        if plan.step:
            if not self._path.explore(going_on):
                return not question.test.goes_on
            loop = self.going[question.key] = Repetition(question, left, plan.step, self._path)
            return self._advanced(loop)
        self._compare(question, left)
        return None

    def _compare(self, question: Question, left: Expr) -> None:
        """Look how much closer the loop has come to its end since it last asked."""
        last = self._asked.get((question.frame.f_code, question.span))
        self._asked[question.frame.f_code, question.span] = question.frame, left
        if last is None or last[0] is not question.frame:
            return
        step = subtract(last[1], left)
        if step.is_constant and step.const > 0 and not paths.can_be_tried((of(left) // step.const).expr):
            raise Replan(question.site, Plan(step=step.const), len(self._path.followed) + 1)

    def _advanced(self, loop: Repetition) -> bool:
        self._is_busy = True
        try:
            goes_on = loop.advance()
        finally:
            self._is_busy = False
        if not goes_on:
            del self.going[loop.question.key]
        return goes_on is loop.question.test.goes_on


def _asked_now() -> Question | None:
    """The question of a loop that the model's code asks just now."""
    frame = asking()
    if frame is None or frame.f_code.co_flags & BIT_BY_BIT:
        return None
    span = span_of(frame.f_code, frame.f_lasti)
    test = test_at(frame.f_code, span)
    return None if test is None else Question(frame, span, test)
