"""``x.view(-1, n)`` written as ``x.flatten(1)``: the batch stays what it is."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Any

from torch import nn

from shapelint.diagnostics import Edit
from shapelint.fixes import writing
from shapelint.fixes.changes import Rewrite, calls_replaced
from shapelint.fixes.writing import CannotEditError
from shapelint.ops.registry import Spec
from shapelint.sizes import product


class Flattened(Rewrite):
    """All features of an image in one row."""

    __slots__ = ()

    def tried(self, model: nn.Module) -> AbstractContextManager[None]:
        """While tracing, the call returns one row for each image."""
        return calls_replaced(self.call, _flattened)

    def edits(self, model: nn.Module) -> Iterable[Edit]:
        """The method's call, or the function's, with other arguments."""
        source, call = writing.call_of(self.call.place)
        if isinstance(call.func, ast.Attribute) and call.func.attr in ("view", "reshape"):
            owner = call.func.value
            if not (isinstance(owner, ast.Name) and owner.id == "torch"):
                yield source.replacing(call, f"{source.code_of(owner)}.flatten(1)")
                return
        if not call.args:
            raise CannotEditError("the call in forward does not name its input")
        yield source.replacing(call, f"{source.code_of(call.args[0])}.flatten(1)")


def _flattened(rule: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    batch, *features = tuple(args[0].shape)
    return Spec((batch, product(features)))
