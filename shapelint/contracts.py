"""Contracts: what a model's class says of its sizes, in its own code.

A contract is read by the linter and costs nothing when the model runs: the decorator leaves a note on the class, and
annotations are only looked at. Importing this module does not import torch.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import torch
    from torch import nn

    from shapelint.tracing.inputs import Inputs
    from shapelint.tracing.tensor import SymbolicTensor

Class = TypeVar("Class", bound=type)
Shape = tuple[Any, ...]

_MARK = "__shapelint_contract__"


@dataclass(frozen=True, slots=True)
class Contract:
    """What a class promises.

    Attributes:
        input: the input's shape, as ``shapelint.analyze`` takes inputs; None where it is left to the layers.
        output: the output's shape, or several by position; ``_`` (or None) is any size.
        sizes: the sizes at which that holds; None for those the linter expects.
        integers: the arguments (by name) that are whole numbers, such as token ids.
    """

    input: Any = None
    output: Any = None
    sizes: Any = None
    integers: frozenset[str] = frozenset()

    def __str__(self) -> str:
        takes = f"{_text(self.input)} → " if self.input is not None else ""
        return f"{takes}{self.output_text}" + (f" for {self.sizes}" if self.sizes is not None else "")

    @property
    def output_text(self) -> str:
        """``N,1,H,W``."""
        return _text(self.output) if self.output is not None else "…"


def contract(*, input: Any = None, output: Any = None, sizes: Any = None) -> Callable[[Class], Class]:
    """Say of a Module class what it takes and returns; ``shapelint check`` and the pytest plugin hold it to that.

    >>> @shapelint.contract(input="N,3,H,W", output="N,1,H,W", sizes="H%16==0, W%16==0")  # doctest: +SKIP
    ... class UNet(nn.Module): ...

    Raises:
        TypeError: nothing is promised, or it decorates something else than a class.
    """
    if input is None and output is None and sizes is None:
        raise TypeError('a contract promises something: contract(input="N,3,H,W", output="N,1,H,W", sizes="H%16==0")')
    promised = Contract(input, output, sizes)

    def declare(cls: Class) -> Class:
        if not isinstance(cls, type):
            raise TypeError(f"a contract is for a Module class, not for {cls!r}")
        setattr(cls, _MARK, promised)
        return cls

    return declare


def contract_of(model: nn.Module) -> Contract | None:
    """A model's contract: the decorator's, else what jaxtyping annotations on ``forward`` say."""
    declared = getattr(type(model), _MARK, None)
    return declared if isinstance(declared, Contract) else annotated_contract(type(model))


def declared_inputs(promised: Contract, usual: torch.dtype) -> Iterator[Inputs]:
    """A contract's input as the tracer takes it, likeliest first; ``usual`` is what the model computes in.

    Raises:
        InputError: it is not understood.
    """
    from shapelint.tracing.inputs import Inputs, readings

    for inputs in readings(promised.input, usual):
        keywords = {
            name: _as_integers(value) if name in promised.integers else value for name, value in inputs.keywords.items()
        }
        # a C that the first layer leaves no choice in is no promise to take any number of channels
        yield Inputs(inputs.args, keywords, inputs.symbols, inferred="C" in inputs.symbols)


def _as_integers(tensor: SymbolicTensor) -> SymbolicTensor:
    import torch

    from shapelint.tracing.tensor import symbolic_tensor

    return symbolic_tensor(tensor.sizes, torch.int64)


def _text(shape: Any) -> str:
    if isinstance(shape, str):
        return shape.replace(" ", "")
    if isinstance(shape, Mapping):
        return "; ".join(_text(value) for value in shape.values())
    if isinstance(shape, (list, tuple)) and any(isinstance(size, (list, tuple)) for size in shape):
        return "; ".join(_text(value) for value in shape)
    return ",".join("_" if size is None else str(size).replace(" ", "") for size in shape)


# --- jaxtyping -----------------------------------------------------------------------------------------------

_USUAL_NAMES = {
    **dict.fromkeys(("n", "b", "bs", "batch", "batch_size"), "N"),
    **dict.fromkeys(("c", "ch", "channels"), "C"),
    **dict.fromkeys(("h", "height"), "H"),
    **dict.fromkeys(("w", "width"), "W"),
    **dict.fromkeys(("d", "depth"), "D"),
    **dict.fromkeys(("t", "time", "length"), "T"),
}
_ANONYMOUS = {3: ("N", "C", "T"), 4: ("N", "C", "H", "W"), 5: ("N", "C", "D", "H", "W")}
_FLOATS = frozenset({"Float", "Float16", "Float32", "Float64", "BFloat16", "Num", "Inexact", "Real", "Shaped"})
_INTEGERS = frozenset({"Int", "Int32", "Int64", "Integer"})


@dataclass(frozen=True, slots=True)
class Annotation:
    """``Float[Tensor, "n 3 h w"]``."""

    kind: str
    axes: str


def annotated_contract(cls: type) -> Contract | None:
    """What the annotations of ``forward`` promise; None unless every required argument has a readable one."""
    try:
        signature = inspect.signature(cls.forward)  # type: ignore[attr-defined]
    except (AttributeError, TypeError, ValueError):
        return None  # no forward of its own, or one written in C
    required = [
        p
        for p in list(signature.parameters.values())[1:]
        if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]
    found = {p.name: read_annotation(p.annotation) for p in required}
    given = {name: entry for name, entry in found.items() if entry is not None}
    if not given or len(given) < len(found) or any(p.kind is p.POSITIONAL_ONLY for p in required):
        return None
    shapes = {name: _axes(entry.axes) for name, entry in given.items()}
    returned = [_axes(entry.axes) for entry in _returned(signature.return_annotation)]
    if any(axes is None for axes in (*shapes.values(), *returned)):
        return None
    names = _Names()
    inputs = {name: names.input(axes) for name, axes in shapes.items() if axes is not None}
    outputs = [names.output(axes) for axes in returned if axes is not None]
    whole = frozenset(name for name, entry in given.items() if entry.kind in _INTEGERS)
    return Contract(inputs, outputs or None, None, whole)


def read_annotation(annotation: Any) -> Annotation | None:
    """A jaxtyping annotation, as an object or (under ``from __future__ import annotations``) as its source."""
    if isinstance(annotation, str):
        try:
            tree = ast.parse(annotation.strip(), mode="eval").body
        except SyntaxError:
            return None  # no expression: no annotation that anybody could evaluate
        return _from_source(tree)
    axes, dtype = getattr(annotation, "dim_str", None), getattr(annotation, "dtype", None)
    name = getattr(dtype, "__name__", None) or str(getattr(annotation, "__name__", "")).partition("[")[0]
    return _annotation(name, axes)


def _from_source(tree: ast.expr) -> Annotation | None:
    if not isinstance(tree, ast.Subscript) or not isinstance(tree.slice, ast.Tuple) or len(tree.slice.elts) != 2:
        return None
    axes = tree.slice.elts[1]
    kind = tree.value.attr if isinstance(tree.value, ast.Attribute) else getattr(tree.value, "id", "")
    return _annotation(kind, axes.value if isinstance(axes, ast.Constant) else None)


def _annotation(kind: str, axes: Any) -> Annotation | None:
    known = kind in _FLOATS or kind in _INTEGERS
    return Annotation(kind, axes) if known and isinstance(axes, str) else None


def _returned(annotation: Any) -> Iterator[Annotation]:
    """What is returned: one tensor, or a tuple of them, if all are annotated."""
    if isinstance(annotation, str):
        try:
            tree = ast.parse(annotation.strip(), mode="eval").body
        except SyntaxError:
            return
        is_tuple = isinstance(tree, ast.Subscript) and ast.unparse(tree.value).rpartition(".")[2].lower() == "tuple"
        if is_tuple and isinstance(tree, ast.Subscript) and isinstance(tree.slice, ast.Tuple):
            entries = [_from_source(part) for part in tree.slice.elts]
        else:
            entries = [_from_source(tree)]
    elif getattr(annotation, "__origin__", None) is tuple:
        entries = [read_annotation(part) for part in annotation.__args__]
    else:
        entries = [read_annotation(annotation)]
    if all(entry is not None for entry in entries):
        yield from (entry for entry in entries if entry is not None)


def _axes(text: str) -> list[str] | None:
    """The axes of ``"*batch 3 h w"``: names, numbers, expressions, ``_``; several leading ones count as one batch."""
    axes: list[str] = []
    for position, part in enumerate(text.split()):
        if part == "..." or part.startswith("*"):
            if position:
                return None  # how many axes there are is open
            axes.append(part.lstrip("*#?.") or "batch")
            continue
        axis = part.lstrip("#?").rpartition("=")[2]
        axes.append("_" if axis.startswith("_") else axis.strip("{}"))
    return axes


class _Names:
    """The names of the axes: the usual letters for usual words, so that messages speak of H and W."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def input(self, axes: list[str]) -> Shape:
        unnamed = _ANONYMOUS.get(len(axes), tuple(f"S{i}" for i in range(len(axes))))
        return tuple(unnamed[i] if axis == "_" else self._size(axis) for i, axis in enumerate(axes))

    def output(self, axes: list[str]) -> Shape:
        """As for the input; a name that the input has not is any size."""
        return tuple(self._size(axis) if self._is_known(axis) else None for axis in axes)

    def _is_known(self, axis: str) -> bool:
        return axis != "_" and all(name in self._known for name in _names_in(axis))

    def _size(self, axis: str) -> Any:
        if axis.lstrip("-").isdigit():
            return int(axis)
        for name in _names_in(axis):
            if name not in self._known:
                usual = _USUAL_NAMES.get(name.lower(), name)
                self._known[name] = name if usual in self._known.values() else usual
        tree = ast.parse(axis, mode="eval")
        for node in ast.walk(tree):
            if isinstance(node, ast.Name):
                node.id = self._known[node.id]
        return ast.unparse(tree)


def _names_in(axis: str) -> list[str]:
    try:
        return [node.id for node in ast.walk(ast.parse(axis, mode="eval")) if isinstance(node, ast.Name)]
    except SyntaxError:
        return []
