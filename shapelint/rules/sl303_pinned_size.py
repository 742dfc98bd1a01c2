from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from shapelint.diagnostics import Diagnostic, Severity
from shapelint.rules.base import Example, Rule
from shapelint.sizes import AxisSizes

if TYPE_CHECKING:
    from shapelint.rules.context import Context
    from shapelint.sizes import SizeSet
    from shapelint.tracing.record import Failure


class PinnedSize(Rule):
    """
    ## What it does
    Tells of a layer that limits the input to certain sizes: a `Linear` after `flatten`, a position embedding, a `view`
    with numbers. It is a note, not a reproach.

    ## Why is this bad
    It is not, if the data has that size. It surprises whoever feeds another one.

    ## Example
    ```python
    self.fc = nn.Linear(16 * 5 * 5, 10)   # LeNet: 32 x 32, and 47 other sizes
    ```

    ## Use instead
    For any size, pool to a fixed one before: `nn.AdaptiveAvgPool2d(5)`.

    ## How it is decided
    Of some axis only finitely many sizes run; the layer named is the one at which all others are refused.
    """

    code = "SL303"
    name = "pinned-size"
    summary = "a layer fixes the input to certain sizes, or to at most so many"

    VALID = (
        Example(
            """
            class Model(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.fc = nn.Linear(3 * 4, 10)

                def forward(self, x):
                    return self.fc(F.adaptive_avg_pool2d(x, 2).flatten(1))
            """,
            inputs=("N", 3, "H", "W"),
        ),
    )
    INVALID = (
        Example(
            """
            class Model(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.fc = nn.Linear(3 * 16, 10)

                def forward(self, x):
                    return self.fc(x.flatten(1))
            """,
            inputs=("N", 3, "H", "W"),
            message="`fc` takes only 5 combinations of H and W",
            severity=Severity.NOTE,
        ),
    )

    def check(self, context: Context) -> Iterator[Diagnostic]:
        from shapelint.rules.context import described, use_of

        trace = context.analysis.trace
        if trace is None or not context.symbols:
            return
        running = context.analysis.valid_sizes.project(*context.symbols)
        pinned = [s for s in context.symbols if not running.is_empty() and running.project(s).is_finite()]
        if not pinned:
            return
        failure = next((f for f in trace.failures if _pins(f, pinned)), None)
        call = failure.call if failure else None
        who = described(call) if call else "the model's own check"
        place = failure.place.location() if failure and failure.place else None
        yield self.finding(
            Severity.NOTE,
            f"{who} {_what_is_left(running, pinned)}",
            location=(context.site(call) if call else place) or context.class_site(),
            use=use_of(call) or place,
            model=context.model,
            layer=failure.layer if failure and failure.layer else None,
            axis=", ".join(pinned),
            sizes=running.sentence(),
            why=failure.message() if failure else "",
            certainty=context.certainty,
        )


_MANY = 10_000
"""Combinations are counted up to so many."""


def _what_is_left(running: SizeSet, pinned: list[str]) -> str:
    """``fixes the input to 32 × 32``, ``takes only T of at most 512``."""
    from shapelint.rules.wording import at, listed

    alone: dict[str, list[str]] = {}
    fixed: dict[str, int] = {}
    together: list[str] = []
    for placed in running.project(*pinned).domain.distinct():
        points = placed.region.points(_MANY)
        names = sorted(placed.support, key=pinned.index)
        if points is None or len(names) > 1:
            many = f"{len(points)} combinations" if points else "a limited number of combinations"
            together.append(f"{many} of {listed(names)}")
            continue
        values = [value for (value,) in points]
        if len(values) == 1:
            fixed[names[0]] = values[0]
        alone.setdefault(_among(values), []).append(names[0])
    if len(fixed) == len(pinned):
        return f"fixes the input to {at(fixed, pinned)}"
    parts = [f"{listed(sorted(names, key=pinned.index))} {which}" for which, names in alone.items()]
    return f"takes only {listed([*parts, *together])}"


def _among(values: list[int]) -> str:
    """Some sizes of one axis, increasing."""
    low, high = values[0], values[-1]
    if low == high:
        return f"= {low}"
    if high - low == len(values) - 1:
        return f"of at most {high}" if low == 1 else f"from {low} to {high}"
    return f"among {AxisSizes(None, 1, (), tuple(values)).sentence()}"


def _pins(failure: Failure, symbols: list[str]) -> bool:
    """Whether infinitely many sizes arrive, and only finitely many get past."""
    if failure.condition is None:
        # the author's own check: what it refuses is all that is known of it
        refused = failure.domain.project(symbols)
        return failure.error is not None and any(
            not refused.factors[s].region.is_empty() and not refused.factors[s].region.is_finite() for s in symbols
        )
    passed = failure.domain.restrict(failure.condition)
    if passed.is_empty():
        return False

    def endless(symbol: str) -> bool:
        return not failure.domain.project([symbol]).factors[symbol].region.is_finite()

    return any(endless(s) and passed.project([s]).factors[s].region.is_finite() for s in symbols)
