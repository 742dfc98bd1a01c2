"""What a model is given: shapes as people write them, or inferred from the model's layers."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from shapelint.sizes import Dim
from shapelint.sizes.dim import dim, evaluate
from shapelint.tracing.tensor import SymbolicTensor, symbolic_tensor

Contents = Callable[..., torch.Tensor]
"""Makes a tensor as ``torch.zeros`` does: of a shape, with a dtype and device."""

_NOT_A_SIZE = "{!r} is not a size: write a number, a name such as H, or an expression such as 2*H"


class InputError(ValueError):
    """An input specification that cannot be understood, with the part that is wrong."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """A model's arguments.

    Attributes:
        args, keywords: tensors are symbolic, everything else is passed as it is.
        symbols: size names in the order they first appear.
        inferred: whether nobody declared them.
        open_dtypes: how many of the tensors were declared without a dtype.
    """

    args: tuple[Any, ...]
    keywords: Mapping[str, Any]
    symbols: tuple[str, ...]
    inferred: bool = False
    open_dtypes: int = 0

    def main_shape(self) -> tuple[Any, ...]:
        """The shape of the first tensor."""
        for value in (*self.args, *self.keywords.values()):
            if isinstance(value, SymbolicTensor):
                return value.sizes
        return ()

    def fresh(self) -> Inputs:
        """The same arguments as new tensors, for another run."""
        return Inputs(
            tuple(_renew(a) for a in self.args),
            {name: _renew(v) for name, v in self.keywords.items()},
            self.symbols,
            self.inferred,
            self.open_dtypes,
        )

    def concrete(
        self, env: Mapping[str, int], device: str, contents: Contents = torch.zeros
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments for concrete sizes, on a device; ``contents`` makes the tensors."""

        def make(value: Any) -> Any:
            if isinstance(value, SymbolicTensor):
                if value.value is not None:
                    return torch.tensor(value.value, dtype=value.dtype, device=device)
                return contents([evaluate(s, env) for s in value.sizes], dtype=value.dtype, device=device)
            if isinstance(value, torch.Tensor):
                return value.to(device)
            if isinstance(value, Dim):
                return evaluate(value, env)
            if type(value) in (list, tuple):
                return type(value)(make(v) for v in value)
            return value

        return tuple(make(a) for a in self.args), {name: make(v) for name, v in self.keywords.items()}


def _renew(value: Any) -> Any:
    if isinstance(value, SymbolicTensor):
        return symbolic_tensor(value.sizes, value.dtype, value=value.value)
    return type(value)(_renew(v) for v in value) if type(value) in (list, tuple) else value


def parse_size(text: str | int) -> Any:
    """A size from text: a number, a name, or an expression of them ("2*H", "H//8 + 1").

    Raises:
        InputError: it is none of these.
    """
    if not isinstance(text, str):
        return text
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        raise InputError(_NOT_A_SIZE.format(text)) from error
    return _evaluate(tree, text)


_OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.FloorDiv: lambda a, b: a // b,
    ast.Mod: lambda a, b: a % b,
}


def _evaluate(node: ast.expr, text: str) -> Any:
    if isinstance(node, ast.Name):
        return dim(node.id)
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return node.value
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        left, right = _evaluate(node.left, text), _evaluate(node.right, text)
        try:
            return _OPERATORS[type(node.op)](left, right)
        except ZeroDivisionError as error:
            raise InputError(f"{text!r} divides by zero") from error
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_evaluate(node.operand, text)
    raise InputError(_NOT_A_SIZE.format(text))


_WITH_DTYPE = re.compile(r"\s*(?P<dtype>[a-z]\w*)\s*[\[(](?P<sizes>.*)[\])]\s*", re.DOTALL)


def _is_shape(value: Any) -> bool:
    if isinstance(value, str):
        return True
    if not isinstance(value, (tuple, list)):
        return False
    sizes = value[:-1] if value and isinstance(value[-1], torch.dtype) else value
    return all(isinstance(v, (int, str, Dim)) for v in sizes) and not any(
        isinstance(v, str) and ("," in v or _WITH_DTYPE.fullmatch(v)) for v in sizes
    )


def parse_shape(value: str | Sequence[Any]) -> tuple[Any, ...]:
    """A shape from ("N", 3, "H", "W") or "N,3,H,W" (brackets allowed)."""
    if isinstance(value, str):
        inner = value.strip().strip("()[]").strip(",")
        return tuple(parse_size(part) for part in inner.split(",")) if inner else ()
    return tuple(parse_size(part) for part in value)


def parse_tensor(value: str | Sequence[Any]) -> tuple[tuple[Any, ...], torch.dtype | None]:
    """A shape and a dtype from ("N", "T", torch.int64) or "int64[N, T]"; ``None`` where no dtype is said.

    Raises:
        InputError: it is no shape, or PyTorch has no such dtype.
    """
    if isinstance(value, str):
        match = _WITH_DTYPE.fullmatch(value)
        if match is None:
            return parse_shape(value), None
        return parse_shape(match["sizes"]), _dtype(match["dtype"], value)
    if value and isinstance(value[-1], torch.dtype):
        return parse_shape(value[:-1]), value[-1]
    return parse_shape(value), None


def _dtype(name: str, text: str) -> torch.dtype:
    found = getattr(torch, name, None)
    if not isinstance(found, torch.dtype):
        raise InputError(
            f"{name!r} in {text!r} is no dtype of PyTorch: write int64[N, T], bool[N, T], float32[N, 3, H, W]"
        )
    return found


def parse_inputs(inputs: Any, usual: torch.dtype = torch.float32, dtypes: Iterable[torch.dtype] = ()) -> Inputs:
    """Arguments from what :func:`shapelint.analyze` takes.

    Args:
        inputs: shapes, tensors and other objects, by position or by name.
        usual: the dtype of tensors that are declared without one.
        dtypes: instead of that, theirs in order.

    Raises:
        InputError: a shape cannot be understood.
    """
    reading = _Reading(usual, iter(dtypes))
    if isinstance(inputs, Mapping):
        keywords = {name: reading.argument(value) for name, value in inputs.items()}
        return Inputs((), keywords, _symbols(keywords.values()), open_dtypes=reading.open_dtypes)
    if isinstance(inputs, torch.Tensor) or _is_shape(inputs):
        inputs = [inputs]
    args = tuple(reading.argument(value) for value in inputs)
    return Inputs(args, {}, _symbols(args), open_dtypes=reading.open_dtypes)


def readings(inputs: Any, usual: torch.dtype) -> Iterator[Inputs]:
    """What declared shapes can mean, likeliest first: the usual dtype where none is said, or indices, or masks.

    Raises:
        InputError: a shape cannot be understood.
    """
    first = parse_inputs(inputs, usual)
    yield first
    for dtypes in itertools.islice(_other_dtypes(first.open_dtypes, usual), _MOST_READINGS):
        yield parse_inputs(inputs, usual, dtypes)


def usual_dtype(model: nn.Module) -> torch.dtype:
    """What a model computes in: the dtype of its first parameter that is no integer."""
    return next((p.dtype for p in model.parameters() if p.is_floating_point() or p.is_complex()), torch.float32)


_MOST_READINGS = 8


def _other_dtypes(count: int, usual: torch.dtype) -> Iterator[tuple[torch.dtype, ...]]:
    """Token ids alone, ids and what goes with them (a mask in integers or booleans), then any one tensor of another."""
    if count == 0:
        return
    one_other = [
        (*[usual] * place, dtype, *[usual] * (count - place - 1))
        for dtype in (torch.int64, torch.bool)
        for place in range(count)
    ]
    ids_and_masks = (torch.int64, *[torch.bool] * (count - 1))
    first = (usual,) * count
    others = [(torch.int64,) * count, ids_and_masks, (torch.float32,) * count, *one_other]
    yield from (dtypes for dtypes in dict.fromkeys(others) if dtypes != first)


class _Reading:
    """Reads arguments in order, and hands out dtypes to those that have none."""

    def __init__(self, usual: torch.dtype, dtypes: Iterator[torch.dtype]) -> None:
        self._usual = usual
        self._dtypes = dtypes
        self.open_dtypes = 0

    def argument(self, value: Any) -> Any:
        if isinstance(value, str) and not _is_shape_text(value):
            return value
        if _is_shape(value):
            sizes, dtype = parse_tensor(value)
            if dtype is None:
                self.open_dtypes += 1
                dtype = next(self._dtypes, self._usual)
            return symbolic_tensor(sizes, dtype)
        if isinstance(value, torch.Tensor):
            # Its sizes are fixed, and its contents known: a timestep, a list of lengths.
            contents = None if value.is_meta or value.numel() > 4096 else value.tolist()
            return symbolic_tensor(tuple(value.shape), value.dtype, value=contents)
        return value


def _is_shape_text(text: str) -> bool:
    """Whether a text is a shape, and no mode or name; a shape of one size is ("T",) or "(T)"."""
    if "," in text or text.strip().startswith("("):
        return True
    match = _WITH_DTYPE.fullmatch(text)
    return match is not None and isinstance(getattr(torch, match["dtype"], None), torch.dtype)


def _symbols(values: Any) -> tuple[str, ...]:
    found: dict[str, None] = {}

    def visit(value: Any) -> None:
        if isinstance(value, SymbolicTensor):
            for size in value.sizes:
                if isinstance(size, Dim):
                    found.update(dict.fromkeys(size.symbols))
        elif type(value) in (list, tuple):
            for item in value:
                visit(item)

    for value in values:
        visit(value)
    return tuple(found)
