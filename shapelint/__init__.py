"""For which input sizes does a PyTorch network run, and which sizes does it give back?

Importing this package does not import torch; the names below load what they need when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shapelint.api import Analysis, analyze
    from shapelint.assertions import (
        assert_accepts,
        assert_equivalent_sizes,
        assert_output_shape,
        assert_round_trip,
    )
    from shapelint.comparing import diff
    from shapelint.contracts import contract
    from shapelint.diagnostics import Diagnostic
    from shapelint.helpers.padding import pad_to_valid
    from shapelint.helpers.records import AnalysisRecord
    from shapelint.limits import Limits
    from shapelint.linting import lint
    from shapelint.ops.registry import shape_rule
    from shapelint.sizes import Dim, SizeSet, formulas
    from shapelint.unknown import DATA_DEPENDENT

__version__ = "0.1.0"

__all__ = [
    "DATA_DEPENDENT",
    "Analysis",
    "AnalysisRecord",
    "Diagnostic",
    "Dim",
    "Limits",
    "SizeSet",
    "__version__",
    "analyze",
    "assert_accepts",
    "assert_equivalent_sizes",
    "assert_output_shape",
    "assert_round_trip",
    "contract",
    "diff",
    "formulas",
    "lint",
    "pad_to_valid",
    "shape_rule",
]

_HOMES = {
    "DATA_DEPENDENT": "shapelint.unknown",
    "Analysis": "shapelint.api",
    "AnalysisRecord": "shapelint.helpers.records",
    "Diagnostic": "shapelint.diagnostics",
    "Dim": "shapelint.sizes",
    "Limits": "shapelint.limits",
    "SizeSet": "shapelint.sizes",
    "analyze": "shapelint.api",
    "assert_accepts": "shapelint.assertions",
    "assert_equivalent_sizes": "shapelint.assertions",
    "assert_output_shape": "shapelint.assertions",
    "assert_round_trip": "shapelint.assertions",
    "contract": "shapelint.contracts",
    "diff": "shapelint.comparing",
    "formulas": "shapelint.sizes",
    "lint": "shapelint.linting",
    "pad_to_valid": "shapelint.helpers.padding",
    "shape_rule": "shapelint.ops.registry",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'shapelint' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
