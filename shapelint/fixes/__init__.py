"""What mends a finding: proposed from the formulas, tried on the model in memory, offered only if it works."""

from shapelint.fixes.changes import Amendment, Change, ProposedFix, applied
from shapelint.fixes.mending import Mender

__all__ = ["Amendment", "Change", "Mender", "ProposedFix", "applied"]
