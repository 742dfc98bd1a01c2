"""What mends a finding: proposed from the formulas, tried on the model in memory, offered only if it works.

``changes`` tries a change on a model, ``mending`` proposes and verifies them, ``planning`` turns them into edits of the
source (``flow`` follows a value to where it comes from). Without torch: ``editing`` edits text,
``rewriting`` says by libcst what is to stand there, ``files`` writes it, ``repairing`` makes the edits of a whole run,
one after the other, each analysed afresh before it is kept.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shapelint.fixes.changes import Amendment, Change, ProposedFix, applied
    from shapelint.fixes.mending import Mender

__all__ = ["Amendment", "Change", "Mender", "ProposedFix", "applied"]


def __getattr__(name: str) -> Any:
    # The command line edits files without torch.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = "mending" if name == "Mender" else "changes"
    return getattr(importlib.import_module(f"{__name__}.{module}"), name)
