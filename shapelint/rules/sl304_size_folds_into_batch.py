from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from shapelint.diagnostics import Diagnostic, Severity
from shapelint.rules import wording
from shapelint.rules.base import Example, Rule

if TYPE_CHECKING:
    from shapelint.rules.context import Context


class SizeFoldsIntoBatch(Rule):
    """
    ## What it does
    Finds `view(-1, n)` and `reshape(-1, n)`, where an image of another size changes the number of rows instead of
    raising.

    ## Why is this bad
    At a wrong size the features of one image become several rows of a batch. Nothing raises, and the labels no
    longer belong to the rows.

    ## Example
    ```python
    x = x.view(-1, 16 * 5 * 5)   # 64 x 64: two images become 24 rows
    ```

    ## Use instead
    ```python
    x = x.flatten(1)             # 64 x 64 raises at the Linear layer
    ```

    ## How it is decided
    The first size of the result is left to torch (-1) and the others do not depend on the input. With a single
    column (`view(-1, 1)`, a score for every patch) it is a note.

    ## Fix safety
    For declared sizes, `x.flatten(1)` takes the place of the call, and the `Linear` behind it is fitted to what it then
    gets. That is unsafe: its parameters get other shapes, and checkpoints saved before no longer load.
    """

    code = "SL304"
    name = "size-folds-into-batch"
    summary = "a wrong size changes the batch dimension instead of raising"

    VALID = (
        Example(
            """
            class Model(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.fc = nn.Linear(3 * 64, 10)

                def forward(self, x):
                    return self.fc(x.flatten(1))
            """,
            inputs=("N", 3, "H", "W"),
        ),
        Example(
            """
            class Model(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.fc = nn.Linear(3 * 64, 10)

                def forward(self, x):
                    return self.fc(x.view(-1, 3 * 64))
            """,
            inputs=("N", 3, "H", "W"),
            sizes="8x8",
        ),
    )
    INVALID = (
        Example(
            """
            class Model(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.fc = nn.Linear(3 * 64, 10)

                def forward(self, x):
                    return self.fc(x.view(-1, 3 * 64))
            """,
            inputs=("N", 3, "H", "W"),
            message="lets a wrong size change the batch",
            severity=Severity.WARNING,
        ),
    )

    def check(self, context: Context) -> Iterator[Diagnostic]:
        from shapelint.rules.context import described, use_of

        told: set[object] = set()
        for fold in context.folds:
            place = use_of(fold.call)
            if (fold.call.layer, place) in told:
                continue
            told.add((fold.call.layer, place))
            env = fold.example
            right = context.spatial(fold.right)
            yield self.finding(
                Severity.WARNING if fold.columns > 1 else Severity.NOTE,
                f"{described(fold.call)} lets a wrong size change the batch",
                location=place or context.class_site(),
                use=place,
                model=context.model,
                layer=fold.call.layer or None,
                sizes=f"right for {_shown(right)}" if not right.is_empty() else "all expected sizes",
                example=f"For {wording.at(env, context.symbols)} one image has {context.size_at(fold.features, env)} "
                f"features, and becomes rows of {fold.columns}",
                why="the -1 stands first; flatten(1) keeps the batch and lets a wrong size raise",
                certainty=context.certainty,
                fixes=context.fold_fixes(fold),
            )


def _shown(sizes: object) -> str:
    text = str(sizes)
    return text if len(text) < 120 else text[:117] + "…"
