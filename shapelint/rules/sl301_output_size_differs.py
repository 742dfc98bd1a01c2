from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from shapelint.diagnostics import Diagnostic, Severity
from shapelint.rules import wording
from shapelint.rules.base import Example, Rule

if TYPE_CHECKING:
    from shapelint.rules.context import Context, Fault

_LONGEST = 160


class OutputSizeDiffers(Rule):
    """
    ## What it does
    Finds an encoder-decoder that returns its input's size for some sizes, and another size for expected ones.

    ## Why is this bad
    A pixel-wise loss raises, or broadcasts; a mask does not lie on its image.

    ## Example
    ```python
    x = F.avg_pool2d(x, 2)[..., 1:, 1:]         # 64 -> 31
    return F.interpolate(x, scale_factor=2)     # 31 -> 62
    ```

    ## Use instead
    ```python
    return F.interpolate(x, size=image.shape[-2:])
    ```

    ## How it is decided
    The output's size is a formula of the input's. A network that never returns its input's size (valid convolutions,
    572 to 388) means to and is left alone. At sizes that are not expected the difference is a note, and also where
    the expected sizes are assumed, endlessly many of them come back as they were, and no change would mend the others.
    Where one layer is to blame, it is reported instead (SL101, SL501, SL502, SL503).

    ## Fix safety
    Padding the input with zeros to the next size that is right today, and cropping the output to the input's size, is
    unsafe: the borders see zeros.
    """

    code = "SL301"
    name = "output-size-differs"
    summary = "an encoder-decoder returns another size than it got"

    VALID = (
        Example(
            """
            class Model(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.down = nn.Conv2d(3, 8, 3)
                    self.pool = nn.MaxPool2d(2)

                def forward(self, x):
                    return F.interpolate(self.pool(self.down(x)), scale_factor=2)
            """
        ),
    )
    INVALID = (
        Example(
            """
            class Model(nn.Module):
                def forward(self, x):
                    y = F.avg_pool2d(F.pad(x, (0, 0, 1, 2)), 2)
                    return F.interpolate(y[..., 1:, :], scale_factor=2)
            """,
            inputs=("N", 3, "H", "W"),
            sizes="65x64",
            message="returns another size than it got",
        ),
        Example(
            """
            class Model(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.pool = nn.MaxPool2d(2)
                    self.up = nn.Upsample(scale_factor=2)

                def forward(self, x):
                    return self.up(self.pool(x))
            """,
            inputs=("N", 3, "H", "W"),
            message="returns another size than it got",
            severity=Severity.NOTE,
        ),
    )

    def check(self, context: Context) -> Iterator[Diagnostic]:
        wrong = [f for f in context.faults if f.kind == "output"]
        if any(f.culprits for f in context.faults):
            return
        returning = context.analysis.round_trip_sizes
        if returning.is_empty():
            return
        if wrong and not context.expected.pinned:
            finding = self._tell(context, wrong[0])
            if finding.fixes or not self._may_be_meant(context):
                yield finding
                return
        note = self._elsewhere(context)
        if note is not None:
            yield note

    def _may_be_meant(self, context: Context) -> bool:
        """Whether nobody said which sizes to expect, and the network is right for endlessly many of those assumed.

        A video codec takes 8k and 8k + 1 frames, though its stride is 4.
        """
        right = context.expected.sizes & context.analysis.round_trip_sizes.project(*context.symbols)
        return not context.expected.declared and not right.is_finite()

    def _tell(self, context: Context, fault: Fault) -> Diagnostic:
        env = fault.example
        got = " × ".join(str(context.size_at(s, env)) for s in fault.value.sizes[2:])
        made = " × ".join(map(str, fault.value.sizes[2:]))
        return self.finding(
            Severity.ERROR,
            f"{context.model} returns another size than it got",
            location=context.class_site(),
            use=None,
            model=context.model,
            axis=", ".join(fault.symbols),
            sizes=context.spatial(fault.sizes).sentence(),
            example=f"For {wording.at(env, context.symbols)} it returns {got}",
            why=f"the output is {made}" if len(made) < _LONGEST else "",
            certainty=context.certainty,
            fixes=context.fault_fixes(fault),
        )

    def _elsewhere(self, context: Context) -> Diagnostic | None:
        """A note on sizes that run, are not expected, and come back as another size."""
        analysis = context.analysis
        if analysis.trace is None or all(context.main_output(value) is None for _, value in analysis.trace.outcomes):
            return None
        names = context.symbols
        other = analysis.valid_sizes.project(*names) - analysis.round_trip_sizes.project(*names)
        if other.is_empty():
            return None
        env = other.next_at_least(**dict.fromkeys(names, 64)) or other.least()
        assert env is not None
        full = analysis._complete(env)
        main = next((context.main_output(v) for d, v in analysis.trace.outcomes if d.contains(full)), None)
        got = " × ".join(str(context.size_at(s, full)) for s in main.sizes[2:]) if main is not None else "another size"
        return self.finding(
            Severity.NOTE,
            f"{context.model} returns another size than it got, for some sizes",
            location=context.class_site(),
            model=context.model,
            sizes=f"As it was: {analysis.round_trip_sizes.project(*names)}",
            example=f"For {wording.at(env, names)} it returns {got}",
            why=self._formula(context),
            certainty=context.certainty,
        )

    def _formula(self, context: Context) -> str:
        trace = context.analysis.trace
        assert trace is not None
        main = next((t for _, value in trace.outcomes if (t := context.main_output(value)) is not None), None)
        text = " × ".join(map(str, main.sizes[2:])) if main is not None else ""
        return f"the output is {text}" if text and len(text) < _LONGEST else ""
