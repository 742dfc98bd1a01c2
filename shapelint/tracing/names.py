"""What expressions of the user's code stand for, as they are written."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Mapping
from typing import Any


def value_of(expression: ast.expr, found: Mapping[str, Any]) -> Any:
    """The value of a dotted name; ``found`` are the names in scope.

    Raises:
        LookupError: it is something else, or there is no such name.
    """
    if isinstance(expression, ast.Name):
        return found[expression.id] if expression.id in found else vars(builtins)[expression.id]
    if isinstance(expression, ast.Attribute):
        return getattr(value_of(expression.value, found), expression.attr)
    raise LookupError(ast.dump(expression))
