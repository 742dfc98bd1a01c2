"""What the rules on single inexact steps (SL501 to SL503) share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from shapelint.diagnostics import Diagnostic, Severity
from shapelint.rules import wording
from shapelint.rules.base import Rule

if TYPE_CHECKING:
    from shapelint.rules.context import Context, Culprit, Fault


class InexactStep(Rule):
    """A single layer that is off by what its parameters were meant to keep."""

    def verb(self, culprit: Culprit) -> str:
        """The headline after the layer's name."""
        raise TypeError

    def reason(self, culprit: Culprit) -> str:
        """The formula with numbers."""
        raise TypeError

    def check(self, context: Context) -> Iterator[Diagnostic]:
        blamed = {id(culprit): faults for culprit, faults in context.blamed}
        groups: dict[object, list[Culprit]] = {}
        for culprits in context.inexact.values():
            for culprit in culprits:
                if culprit.code != self.code or culprit.step is None:
                    continue
                if id(culprit) in blamed or self.code in context.selected:
                    groups.setdefault(culprit.step.call.layer or culprit.step.call, []).append(culprit)
        for members in groups.values():
            faults = tuple(f for c in members for f in blamed.get(id(c), ()))
            yield self._tell(context, members, faults)

    def _tell(self, context: Context, members: list[Culprit], faults: tuple[Fault, ...]) -> Diagnostic:
        from shapelint.rules.context import described, use_of

        first = members[0]
        step = first.step
        assert step is not None
        env = context.example(first.sizes)
        before, after = context.size_at(step.before, env), context.size_at(step.after, env)
        symbols = [s for s in context.symbols if any(c.symbol == s for c in members)]
        return self.finding(
            Severity.ERROR if faults else Severity.WARNING,
            f"{described(step.call)} {self.verb(first)}",
            location=context.site(step.call),
            use=use_of(step.call),
            model=context.model,
            layer=step.call.layer or None,
            axis=", ".join(symbols),
            sizes=context.spatial(first.sizes).sentence(),
            example=f"For {wording.at(env, context.symbols)} it gets {before} and returns {after}",
            why=self.reason(first),
            certainty=context.certainty,
            fixes=context.fixes(members) if faults else (),
        )
