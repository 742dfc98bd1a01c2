"""Read the measurements: what each published network did at each input size.

One line of ``sizes.jsonl`` is one network (:class:`Measured`), and each of its passes a :class:`Sweep`:
one axis varied with the others held, or all of them together.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Shape = tuple[int, ...]

FILE = "sizes.jsonl"
_BESIDE_THE_REPOSITORY = Path(__file__).resolve().parents[2].parent / "shared" / "zoo"


@dataclass(frozen=True, slots=True)
class Sweep:
    """One pass over sizes: ``held`` has ``None`` where the size varies."""

    name: str
    symbols: tuple[str, ...]
    held: tuple[int | None, ...]
    tested: tuple[int, ...]
    shapes: Mapping[int, tuple[Shape, ...]]
    """The output tensors' shapes at every size that runs; a size that is missing raised."""
    tensors: Mapping[int, int]
    """How many output tensors there were; the measurement keeps the shapes of the first ten."""
    errors: Mapping[int, str]

    def sizes_at(self, size: int) -> dict[str, int]:
        return {name: size if held is None else held for name, held in zip(self.symbols, self.held, strict=True)}


@dataclass(frozen=True, slots=True)
class Measured:
    """A published network: how to build it, what to feed it, and what PyTorch did."""

    id: str
    package: str
    factory: str
    input: tuple[int | str, ...]
    dtype: str | None
    extra: str | None
    good: Mapping[str, int]
    good_shapes: tuple[Shape, ...]
    device: str
    eager_ms: float
    sweeps: tuple[Sweep, ...]
    reach: int = 0
    """The largest size to measure, where nobody has measured it yet."""


def directory() -> Path:
    """Where the measurements are: ``SHAPELINT_ZOO``, or beside the repository."""
    return Path(os.environ.get("SHAPELINT_ZOO", _BESIDE_THE_REPOSITORY))


def load(path: Path | None = None) -> list[Measured]:
    """Every measured network; an empty list where there are no measurements."""
    source = path or directory() / FILE
    if not source.is_file():
        return []
    with source.open(encoding="utf-8") as lines:
        return [parse(json.loads(line)) for line in lines if line.strip()]


def parse(row: Mapping[str, Any]) -> Measured:
    dims = tuple(_dim(entry) for entry in row["input"])
    symbols = tuple(dict.fromkeys(dim for dim in dims if isinstance(dim, str)))
    return Measured(
        id=row["id"],
        package=row["package"],
        factory=row["factory"],
        input=dims,
        dtype=row.get("dtype"),
        extra=row.get("extra"),
        good=dict(zip(symbols, row["good"], strict=True)),
        good_shapes=tuple(tuple(shape) for shape in row["good_out"]),
        device=row["device"],
        eager_ms=row["eager_ms"],
        sweeps=tuple(_sweep(name, symbols, row["passes"][name]) for name in sorted(row["passes"])),
    )


def parse_ranges(text: str) -> tuple[int, ...]:
    """``"7-8,15"`` is ``(7, 8, 15)``."""
    return tuple(size for part in text.split(",") if part for size in _range(part))


def _range(part: str) -> range:
    first, _, last = part.partition("-")
    return range(int(first), int(last or first) + 1)


def _dim(entry: int | str) -> int | str:
    """``"N=1"`` is a batch of one; a letter is a symbol."""
    if isinstance(entry, str) and "=" in entry:
        return int(entry.partition("=")[2])
    return entry


def _sweep(name: str, symbols: tuple[str, ...], data: Mapping[str, Any]) -> Sweep:
    ok = parse_ranges(data["ok"])
    shapes: dict[int, tuple[Shape, ...]] = {}
    tensors: dict[int, int] = {}
    for group in data["out"]:
        sizes = parse_ranges(group["sizes"]) if "sizes" in group else ok
        for position, size in enumerate(sizes):
            shapes[size] = tuple(_shape(dims, size, position) for dims in group["tensors"])
            tensors[size] = group.get("n_tensors", len(group["tensors"]))
    if set(shapes) != set(ok):
        raise ValueError(f"pass {name}: sizes that run and sizes with an output differ")
    return Sweep(
        name=name,
        symbols=symbols,
        held=tuple(data["held"]),
        tested=parse_ranges(data["tested"]),
        shapes=shapes,
        tensors=tensors,
        errors=dict(_errors(data["errors"])),
    )


def _errors(groups: list[dict[str, Any]]) -> Iterator[tuple[int, str]]:
    for group in groups:
        for size in parse_ranges(group["sizes"]):
            yield size, f"{group['cls']}: {group['eg']}"


def _shape(dims: list[Any], size: int, position: int) -> Shape:
    return tuple(_extent(dim, size, position) for dim in dims)


def _extent(dim: Any, size: int, position: int) -> int:
    """A number, a formula in ``s``, or one value for each working size of the group."""
    if isinstance(dim, dict):
        return int(dim["v"][position])
    if isinstance(dim, str):
        return int(eval(dim, {"__builtins__": {}}, {"s": size}))
    return int(dim)
