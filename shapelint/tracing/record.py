"""What the tracer writes down: calls, failing sizes and accidental broadcasts, each with its source location."""

from __future__ import annotations

import linecache
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import CodeType
from typing import TYPE_CHECKING, Any

from shapelint.diagnostics import Location
from shapelint.sizes import Condition, Dim, Domain, Size
from shapelint.sizes import expr as ex
from shapelint.sizes.dim import evaluate
from shapelint.unknown import DATA_DEPENDENT

if TYPE_CHECKING:
    from torch import nn

    from shapelint.tracing.tensor import SymbolicTensor


@dataclass(frozen=True, slots=True)
class Place:
    """A point in running code, cheap to take; turned into a :class:`Location` when someone asks."""

    code: CodeType
    instruction: int

    def location(self) -> Location:
        """The source span of the expression that was being evaluated, in characters (Python counts bytes)."""
        positions = list(self.code.co_positions())
        line, end_line, column, end_column = positions[self.instruction // 2]
        path, line = self.code.co_filename, line or self.code.co_firstlineno
        return Location(
            path,
            line,
            _characters(path, line, column or 0) + 1,
            end_line,
            None if end_column is None else _characters(path, end_line or line, end_column) + 1,
        )


def _characters(path: str, line: int, offset: int) -> int:
    """How many characters the first ``offset`` bytes of a line are."""
    text = linecache.getline(path, line)
    return offset if text.isascii() else len(text.encode()[:offset].decode(errors="ignore"))


@dataclass(slots=True, eq=False)
class Call:
    """One operation of the network.

    Attributes:
        kind: "input", "module" (a leaf layer), "function", or "join" (paths of a branch coming together).
        target: the module, the torch function, or the input's name.
        layer: the leaf layer's dotted path, else that of the module whose forward made the call.
        arguments: what it was called with; symbolic tensors in there lead to their own calls.
        outputs: the symbolic tensors it made.
        domain: the sizes that reach it.
    """

    index: int
    kind: str
    target: Any
    layer: str
    arguments: tuple[Any, ...]
    keywords: dict[str, Any]
    place: Place | None
    domain: Domain
    outputs: tuple[SymbolicTensor, ...] = ()
    probed: bool = False
    in_place: bool = False

    @property
    def module(self) -> nn.Module | None:
        return self.target if self.kind == "module" else None


def size_at(size: Size, env: Mapping[str, int]) -> Any:
    """A size for concrete input sizes; ``DATA_DEPENDENT`` where they do not decide it."""
    if not isinstance(size, Dim) or not any(map(ex.is_count, size.symbols)):
        return evaluate(size, env)
    known = {name: ex.symbol_value(name, env) for name in size.symbols if not ex.is_count(name)}
    here = size.expr.rename(known)
    return DATA_DEPENDENT if here.items else here.const


@dataclass(frozen=True, slots=True, eq=False)
class Failure:
    """Sizes that PyTorch refuses: those of ``domain`` for which ``condition`` does not hold (all, if it is None).

    Attributes:
        call: the operation that refuses them; ``None`` for an exception from the user's own code.
        layer: where in the model.
        error: the exception of the user's code (a ``raise`` or ``assert``).
        dtype: whether it is a dtype that is refused, and no size.
    """

    domain: Domain
    condition: Condition | None
    reason: str
    arguments: tuple[object, ...]
    call: Call | None
    layer: str
    place: Place | None
    error: BaseException | None = None
    dtype: bool = False

    def holds(self, env: dict[str, int]) -> bool:
        """Whether it is this that refuses these sizes."""
        return self.domain.contains(env) and (self.condition is None or not self.condition.evaluate(env))

    def sizes(self) -> Domain:
        """All sizes it refuses, and where it stands after a branch on a product, those that the other side refuses."""
        if self.condition is None:
            return self.domain.without_products()
        return self.domain.restrict(~self.condition).without_products()

    def message(self, env: dict[str, int] | None = None) -> str:
        """The reason in words, with numbers for concrete sizes."""

        def show(value: object) -> object:
            if env is not None and isinstance(value, Dim):
                return size_at(value, env)
            if isinstance(value, (tuple, list)):
                return type(value)(show(v) for v in value) if type(value) in (tuple, list) else [show(v) for v in value]
            return value

        return self.reason.format(*(show(a) for a in self.arguments)) if self.arguments else self.reason


@dataclass(frozen=True, slots=True, eq=False)
class Accident:
    """Sizes at which a broadcast happens only because one side happens to be 1."""

    domain: Domain
    condition: bool | Condition
    sides: tuple[object, object]
    call: Call | None


@dataclass(slots=True)
class Trace:
    """Everything one run of the tracer found.

    Attributes:
        outcomes: what the model returns, by the sizes for which it does (one entry unless structures differ).
        probes: operations without a rule and how they were covered.
    """

    symbols: tuple[str, ...]
    domain: Domain
    outcomes: list[tuple[Domain, Any]]
    calls: list[Call]
    failures: list[Failure]
    accidents: list[Accident]
    probes: list[str] = field(default_factory=list)
    suspects: list[Failure] = field(default_factory=list)
    runs: int = 0
