"""Padding that one number a side cannot express: a column more at the end than at the start, put around the layer."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch.nn.functional as functional
from torch import nn

from shapelint.diagnostics import Edit
from shapelint.fixes import writing
from shapelint.fixes.changes import Rewrite, calls_replaced, layer_replaced
from shapelint.fixes.writing import CannotEditError
from shapelint.ops.pad import padded_shape
from shapelint.ops.registry import Spec
from shapelint.rules.context import label


@dataclass(frozen=True, slots=True, eq=False)
class Uneven(Rewrite):
    """What a convolution gets is padded at its ends; what a transposed one returns is cropped there.

    ``value`` says by how much, for each axis: 1 more, or 1 less.

    Attributes:
        alone: whether the call in the source is of this layer only.
    """

    alone: bool = True

    @property
    def _after(self) -> bool:
        return any(amount < 0 for amount in self.value)

    def _amounts(self) -> list[int]:
        """As ``F.pad`` takes them: the last axis first."""
        return [end for amount in reversed(self.value) for end in (0, amount)]

    def text(self) -> str:
        """What is done, in code."""
        name, where = ("y", "after") if self._after else ("x", "before")
        return f"F.pad({name}, {tuple(self._amounts())}) {where} `{label(self.call)}`"

    def tried(self, model: nn.Module) -> AbstractContextManager[None]:
        """The layer in a module that pads, or while tracing the function between ``F.pad`` and the rest."""
        if self.call.kind == "module":
            return layer_replaced(model, self.call.target, _Around(self.call.target, self.around))
        return calls_replaced(self.call, self._ruled)

    def _ruled(self, rule: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        """A function's rule, which returns a shape, with what is done before or after it."""
        if not self._after:
            return self.around(rule, args, kwargs)
        made = rule(*args, **kwargs)
        return Spec(padded_shape(made.shape, tuple(self._amounts()), "constant"), made.dtype)

    def around(self, layer: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        """The layer's call with what is done before or after it."""
        if self._after:
            return functional.pad(layer(*args, **kwargs), self._amounts())
        if not args:
            return layer(**{**kwargs, "input": functional.pad(kwargs["input"], self._amounts())})
        return layer(functional.pad(args[0], self._amounts()), *args[1:], **kwargs)

    def edits(self, model: nn.Module) -> Iterable[Edit]:
        """``self.conv(F.pad(x, (0, 1)))``, or ``F.pad(self.up(x), (0, -1))``."""
        if self.call.kind == "module" and writing.in_sequential(model, self.call.layer):
            raise CannotEditError("an nn.Sequential calls the layer, and pads nothing")
        if not self.alone:
            raise CannotEditError("the call in forward is of several layers")
        source, call = writing.call_of(self.call.place)
        padded: ast.expr = call
        if not self._after:
            if not call.args or isinstance(call.args[0], ast.Starred):
                raise CannotEditError("the call in forward does not name its input")
            padded = call.args[0]
        name, imports = writing.functional(source, call)
        yield from imports
        yield from writing.wrapped(source, padded, f"{name}.pad(", f", {tuple(self._amounts())})")


class _Around(nn.Module):
    """Stands in a layer's place."""

    def __init__(self, inner: nn.Module, around: Callable[..., Any]) -> None:
        super().__init__()
        self.inner = inner
        self.around = around

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.around(self.inner, args, kwargs)
