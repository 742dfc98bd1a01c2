"""What a model is given: shapes as people write them, or inferred from the model's layers."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from shapelint.sizes import Dim
from shapelint.sizes.dim import dim, evaluate
from shapelint.tracing.tensor import SymbolicTensor, symbolic_tensor

NAMES_BY_RANK: dict[int, tuple[str, ...]] = {
    1: ("N",),
    2: ("N", "C"),
    3: ("N", "C", "T"),
    4: ("N", "C", "H", "W"),
    5: ("N", "C", "D", "H", "W"),
}


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
    """

    args: tuple[Any, ...]
    keywords: Mapping[str, Any]
    symbols: tuple[str, ...]
    inferred: bool = False

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


def _is_shape(value: Any) -> bool:
    if isinstance(value, str):
        return True
    return (
        isinstance(value, (tuple, list))
        and all(isinstance(v, (int, str, Dim)) for v in value)
        and not any(isinstance(v, str) and "," in v for v in value)
    )


def parse_shape(value: str | Sequence[Any]) -> tuple[Any, ...]:
    """A shape from ("N", 3, "H", "W") or "N,3,H,W" (brackets allowed)."""
    if isinstance(value, str):
        inner = value.strip().strip("()[]").strip(",")
        return tuple(parse_size(part) for part in inner.split(",")) if inner else ()
    return tuple(parse_size(part) for part in value)


def parse_inputs(inputs: Any) -> Inputs:
    """Arguments from what :func:`shapelint.analyze` takes.

    Raises:
        InputError: a shape cannot be understood.
    """
    if isinstance(inputs, Mapping):
        keywords = {name: _argument(value) for name, value in inputs.items()}
        return Inputs((), keywords, _symbols(keywords.values()))
    if isinstance(inputs, torch.Tensor) or _is_shape(inputs):
        inputs = [inputs]
    args = tuple(_argument(value) for value in inputs)
    return Inputs(args, {}, _symbols(args))


def _argument(value: Any) -> Any:
    if isinstance(value, str) and "," not in value and not value.strip().startswith("("):
        return value  # a mode or a name; a shape of one size is ("T",) or "(T)"
    if _is_shape(value):
        return symbolic_tensor(parse_shape(value), torch.float32)
    if isinstance(value, torch.Tensor):
        # Its sizes are fixed, and its contents known: a timestep, a list of lengths.
        contents = None if value.is_meta or value.numel() > 4096 else value.tolist()
        return symbolic_tensor(tuple(value.shape), value.dtype, value=contents)
    return value


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


# --- inferring ------------------------------------------------------------------------------------------

_RANKS: tuple[tuple[tuple[str, ...], int], ...] = (
    (("Conv3d", "ConvTranspose3d", "MaxPool3d", "AvgPool3d", "BatchNorm3d", "InstanceNorm3d"), 5),
    (("Conv2d", "ConvTranspose2d", "MaxPool2d", "AvgPool2d", "BatchNorm2d", "InstanceNorm2d", "PixelShuffle"), 4),
    (("Conv1d", "ConvTranspose1d", "MaxPool1d", "AvgPool1d", "InstanceNorm1d"), 3),
)


def candidates(model: nn.Module) -> Iterator[Inputs]:
    """Arguments to try when nobody declared any, likeliest first."""
    tensors = _required_parameters(model)
    seen: set[tuple[tuple[str, ...], torch.dtype]] = set()
    for names, dtype in _likely_shapes(model):
        if (names, dtype) in seen:
            continue
        seen.add((names, dtype))
        yield from _with_shape(tensors, names, dtype)


def _likely_shapes(model: nn.Module) -> Iterator[tuple[tuple[str, ...], torch.dtype]]:
    for module in model.modules():
        kinds = {base.__name__ for base in type(module).__mro__}
        for layers, rank in _RANKS:
            if kinds & set(layers):
                yield NAMES_BY_RANK[rank], torch.float32
        if kinds & {"LSTM", "GRU", "RNN"}:
            yield (("N", "T", "C") if getattr(module, "batch_first", False) else ("T", "N", "C")), torch.float32
        if kinds & {"MultiheadAttention", "TransformerEncoderLayer"}:
            yield ("N", "T", "C"), torch.float32
        if kinds & {"Embedding"}:
            yield ("N", "T"), torch.long
        if kinds & {"Linear", "BatchNorm1d"}:
            yield ("N", "C"), torch.float32
    for rank in (4, 3, 5, 2, 1):
        yield NAMES_BY_RANK[rank], torch.float32


def _required_parameters(model: nn.Module) -> list[inspect.Parameter]:
    parameters = inspect.signature(model.forward).parameters.values()
    required = [
        p for p in parameters if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    if required:
        return required
    return [p for p in parameters if p.kind not in (p.VAR_KEYWORD, p.KEYWORD_ONLY)][:1]


_TIMES = frozenset({"t", "time", "times", "timestep", "timesteps", "noise_level", "sigma"})


def _with_shape(parameters: list[inspect.Parameter], names: tuple[str, ...], dtype: torch.dtype) -> Iterator[Inputs]:
    sizes = tuple(dim(n) for n in names)
    first = symbolic_tensor(sizes, dtype)
    args: list[Any] = [first]
    for parameter in parameters[1:]:
        if parameter.name in _TIMES:
            args.append(symbolic_tensor(sizes[:1], torch.float32))
        elif parameter.annotation is int:
            args.append(1)
        else:
            args.append(symbolic_tensor(sizes, dtype))
    yield Inputs(tuple(args), {}, names, inferred=True)
