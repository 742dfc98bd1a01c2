"""The input padded to the next size that the network takes, and what it returns cropped to the size it got."""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch.nn.functional as torch_functional
from torch import nn

from shapelint.diagnostics import Edit
from shapelint.fixes import writing
from shapelint.fixes.changes import Rewrite
from shapelint.fixes.editing import Source
from shapelint.fixes.flow import Function, source_of
from shapelint.fixes.writing import CannotEditError
from shapelint.tracing.running import tensors
from shapelint.tracing.tensor import SymbolicTensor

_ENDS = {1: "at the end of x", 2: "below and to the right of x", 3: "at the far ends of x"}


@dataclass(frozen=True, slots=True, eq=False)
class PaddedInput(Rewrite):
    """``value`` says for each spatial axis of which numbers the sizes are that the network takes.

    Attributes:
        residue: by how much these are more than multiples, for each axis.
        model: what the network is called.
        crops: for each tensor that it returns, by how much that is larger than the input, or 0 if it is left alone.
    """

    residue: tuple[int, ...] = ()
    model: str = ""
    crops: tuple[int, ...] = ()

    @property
    def axes(self) -> int:
        return len(self.value)

    def tried(self, model: nn.Module) -> AbstractContextManager[None]:
        """The model with a ``forward`` that pads and crops."""
        return _forward_replaced(model, self)

    def padded(self, x: Any) -> Any:
        """``x`` with zeros at its ends."""
        sizes = tuple(x.shape)[-self.axes :]
        amounts = [
            (more - size) % multiple for size, multiple, more in zip(sizes, self.value, self.residue, strict=True)
        ]
        return torch_functional.pad(x, [end for amount in reversed(amounts) for end in (0, amount)])

    def cropped(self, output: Any, sizes: tuple[Any, ...]) -> Any:
        """The output with its tensors cropped."""
        factors = {id(t): factor for t, factor in zip(tensors(output), self.crops, strict=False)}

        def crop(value: Any) -> Any:
            if isinstance(value, SymbolicTensor):
                factor = factors.get(id(value), 0)
                ends: tuple[Any, ...] = (..., *(slice(0, factor * size) for size in sizes))
                return value[ends] if factor else value
            return type(value)(crop(v) for v in value) if type(value) in (list, tuple) else value

        return crop(output)

    # --- in the source ---------------------------------------------------------------------------------

    def edits(self, model: nn.Module) -> Iterable[Edit]:
        """A function that pads, its call as the first statement of ``forward``, and slices in what that returns."""
        source, forward = _forward_of(model)
        names = writing.dimensions(self.axes, forward)
        argument = _input_name(forward)
        body = forward.body
        first = body[1] if _is_docstring(body[0]) and len(body) > 1 else body[0]
        if first.lineno == forward.lineno or _is_docstring(first):
            raise CannotEditError("forward has no lines of its own")
        functional, imports = writing.functional(source, source.tree)
        name, new = writing.with_function(source, forward, "pad_to_valid_size", self._function(source, functional))
        yield from (*imports, *new)
        indent = source.lines[first.lineno - 1][: source.characters(first.lineno, first.col_offset)]
        line = min([first.lineno, *(d.lineno for d in getattr(first, "decorator_list", []))])
        kept = f"{indent}{self._sizes(argument, names)}\n" if any(self.crops) else ""
        yield writing.inserted(source, line, f"{kept}{indent}{argument} = {name}({argument})\n")
        if any(self.crops):
            yield from self._cropped_returns(source, forward, names)

    def _sizes(self, argument: str, names: tuple[str, ...]) -> str:
        if len(names) == 1:
            return f"{names[0]} = {argument}.shape[-1]"
        return f"{', '.join(names)} = {argument}.shape[-{len(names)}:]"

    def _cropped_returns(self, source: Source, forward: ast.FunctionDef, names: tuple[str, ...]) -> Iterator[Edit]:
        for node in _returns(forward):
            values = self._returned(node)
            for value, factor in zip(values, self.crops, strict=True):
                if factor:
                    slices = ", ".join(f":{name}" if factor == 1 else f": {factor} * {name}" for name in names)
                    plain = isinstance(value, (ast.Name, ast.Attribute, ast.Call, ast.Subscript))
                    before, after = ("", "") if plain else ("(", ")")
                    yield from writing.wrapped(source, value, before, f"{after}[..., {slices}]")

    def _returned(self, node: ast.Return) -> list[ast.expr]:
        value = node.value
        if value is not None and len(self.crops) == 1 and not isinstance(value, (ast.Tuple, ast.List, ast.Dict)):
            return [value]
        if isinstance(value, (ast.Tuple, ast.List)) and len(value.elts) == len(self.crops):
            return list(value.elts)
        raise CannotEditError("what forward returns is not written out there")

    def _function(self, source: Source, functional: str) -> str:
        tensor = writing.tensor_type(source)
        kind, returned = (f": {tensor}", f" -> {tensor}") if tensor else ("", "")
        names = writing.dimensions(self.axes, ast.Module([], []))
        ends = [f"0, {_end(*step)}" for step in zip(names, self.value, self.residue, strict=True)]
        lines = [
            f"def pad_to_valid_size(x{kind}){returned}:",
            f'    """Zeros {_ENDS[self.axes]}, up to the next size that {self.model} takes: {self.sizes_text()}."""',
            f"    {self._sizes('x', names)}",
            f"    return {functional}.pad(x, ({', '.join(reversed(ends))}))",
        ]
        return "\n".join(lines) + "\n"

    def sizes_text(self) -> str:
        """ "multiples of 16", for all axes or for each."""
        texts = [_sizes_text(multiple, more) for multiple, more in zip(self.value, self.residue, strict=True)]
        if len(set(texts)) == 1:
            return texts[0]
        names = writing.dimensions(self.axes, ast.Module([], []))
        return ", ".join(f"{name}: {text}" for name, text in zip(names, texts, strict=True) if text)


def _end(name: str, multiple: int, more: int) -> str:
    """By how much to pad, in code."""
    if multiple == 1:
        return "0"
    return f"({more} - {name}) % {multiple}" if more else f"-{name} % {multiple}"


def _sizes_text(multiple: int, more: int) -> str:
    if multiple == 1:
        return ""
    return f"{more} more than a multiple of {multiple}" if more else f"multiples of {multiple}"


@contextlib.contextmanager
def _forward_replaced(model: nn.Module, change: PaddedInput) -> Iterator[None]:
    original = model.forward
    own = "forward" in vars(model)

    def forward(x: Any, *args: Any, **kwargs: Any) -> Any:
        return change.cropped(original(change.padded(x), *args, **kwargs), tuple(x.shape)[-change.axes :])

    vars(model)["forward"] = forward
    try:
        yield
    finally:
        if own:
            vars(model)["forward"] = original
        else:
            del vars(model)["forward"]


def _forward_of(model: nn.Module) -> tuple[Source, ast.FunctionDef]:
    code = getattr(type(model).forward, "__code__", None)
    source = source_of(code.co_filename) if code is not None else None
    if code is None or source is None:
        raise CannotEditError(f"{type(model).__name__} has no forward of its own in a file of the project")
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef) and node.name == "forward":
            start = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            if start == code.co_firstlineno:
                return source, node
    raise CannotEditError("the model's forward was not found in its file")


def _input_name(forward: ast.FunctionDef) -> str:
    positional = [*forward.args.posonlyargs, *forward.args.args]
    if len(positional) < 2:
        raise CannotEditError("forward does not name its input")
    return positional[1].arg


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _returns(function: ast.AST) -> Iterator[ast.Return]:
    """A function's own return statements, in their order."""
    for node in ast.iter_child_nodes(function):
        if isinstance(node, ast.Return):
            yield node
        elif not isinstance(node, (Function, ast.ClassDef)):
            yield from _returns(node)
