from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from shapelint.diagnostics import Diagnostic, Severity
from shapelint.rules.base import Example, Rule

if TYPE_CHECKING:
    from shapelint.rules.context import Context


class ChannelMismatch(Rule):
    """
    ## What it does
    Finds a layer whose `in_channels`, `num_features` or `groups` disagree with what arrives.

    ## Why is this bad
    PyTorch raises at the first call, whatever the size.

    ## Example
    ```python
    self.conv1 = nn.Conv2d(3, 16, 3)
    self.conv2 = nn.Conv2d(32, 64, 3)   # gets 16 channels
    ```

    ## Use instead
    ```python
    self.conv2 = nn.Conv2d(16, 64, 3)
    ```

    ## How it is decided
    Channel counts are followed as numbers through the network; after a concatenation they add up.

    ## Fix safety
    The layer is fitted to what it gets (`in_channels`, `num_features`, `num_channels`, `in_features`), and so are those
    behind it that then get another number. That is unsafe: parameters get other shapes, and checkpoints saved before no
    longer load. There is no fix where what arrives does not split into the layer's groups.
    """

    code = "SL402"
    name = "channel-mismatch"
    summary = "a layer's channels disagree with what arrives"

    VALID = (
        Example(
            """
            class Model(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.a = nn.Conv2d(3, 16, 3)
                    self.b = nn.Conv2d(16, 8, 3)

                def forward(self, x):
                    return self.b(self.a(x))
            """
        ),
    )
    INVALID = (
        Example(
            """
            class Model(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.a = nn.Conv2d(3, 16, 3)
                    self.b = nn.Conv2d(32, 8, 3)

                def forward(self, x):
                    return self.b(self.a(x))
            """,
            message="`b` gets 16 channels, and expects 32",
        ),
        Example(
            """
            class Model(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.a = nn.Conv2d(3, 16, 3)
                    self.norm = nn.BatchNorm2d(8)

                def forward(self, x):
                    return self.norm(self.a(x))
            """,
            message="`norm` gets 16 channels, and expects 8",
        ),
    )

    def check(self, context: Context) -> Iterator[Diagnostic]:
        from shapelint.rules.context import described, use_of
        from shapelint.rules.failing import channel_counts

        for fault in context.faults:
            call = fault.call
            if fault.kind != "channels" or call is None:
                continue
            failure = fault.failures[0]
            counts = channel_counts(failure)
            said = f"gets {counts[0]} channels, and expects {counts[1]}" if counts else "does not fit what arrives"
            fixes = context.fault_fixes(fault)
            yield self.finding(
                Severity.ERROR,
                f"{described(call)} {said}",
                location=context.site(call) or context.class_site(),
                use=use_of(call),
                model=context.model,
                layer=call.layer or None,
                sizes=context.spatial(fault.sizes).sentence() if context.symbols else "all sizes",
                why=context.unmended(fault, failure.message(fault.example), fixes),
                certainty=context.certainty,
                fixes=fixes,
            )
