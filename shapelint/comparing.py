"""What a change does to a model's sizes: ``shapelint.diff(old, new)``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from shapelint import claims
from shapelint.api import Analysis, analyze
from shapelint.shape_text import shapes_text
from shapelint.sizes import SizeSet

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, slots=True, eq=False)
class Diff:
    """What a change does: true where it does anything. ``str(diff)`` is for people, ``to_dict()`` for programs.

    Attributes:
        old, new: the models' names.
        certainty: the weaker of both analyses'.
        runs_before, runs_after: the sizes that run.
        lost: the sizes that ran before and do not now.
        gained: those that run now and did not before.
        changed: those that run with both, and return other shapes.
        input_before, input_after: the inputs' shapes, where one replaces the other (then no sizes are compared).
        example: the least size of ``changed``, with both outputs there.
    """

    old: str
    new: str
    certainty: str
    runs_before: SizeSet
    runs_after: SizeSet
    lost: SizeSet
    gained: SizeSet
    changed: SizeSet
    input_before: tuple[Any, ...] | None = None
    input_after: tuple[Any, ...] | None = None
    example: dict[str, Any] | None = field(default=None)

    def __bool__(self) -> bool:
        return self.input_before is not None or bool(self.lost) or bool(self.gained) or bool(self.changed)

    def to_dict(self) -> dict[str, Any]:
        """Plain data; sets as sentences with their least member."""
        return {
            "old": self.old,
            "new": self.new,
            "certainty": self.certainty,
            "equivalent": not self,
            "runs": [_set_data(self.runs_before), _set_data(self.runs_after)],
            "lost": _set_data(self.lost),
            "gained": _set_data(self.gained),
            "changed": _set_data(self.changed),
            "example": self.example,
            "input": None if self.input_before is None else [_plain(self.input_before), _plain(self.input_after)],
        }

    def __str__(self) -> str:
        heading = self.old if self.old == self.new else f"{self.old} → {self.new}"
        if not self:
            return f"{heading}: the same sizes run and return the same ({self.certainty})"
        lines = [f"{heading}: the sizes differ ({self.certainty})"]
        if self.input_before is not None:
            lines.append(f"  input: {shapes_text(self.input_before)} before, {shapes_text(self.input_after)} now")
        if self.lost or self.gained:
            lines += [f"  before, these run: {self.runs_before}", f"  now, these run:    {self.runs_after}"]
        for label, sizes in (("lost", self.lost), ("gained", self.gained)):
            if sizes:
                lines.append(f"  {label}, for one: {_point(sizes.least() or {})}")
        if self.example is not None:
            before, after = shapes_text(self.example["old"]), shapes_text(self.example["new"])
            lines.append(f"  another output, for one at {_point(self.example['sizes'])}: {before} before, {after} now")
        return "\n".join(lines)


def diff(old: nn.Module | Analysis, new: nn.Module | Analysis, inputs: Any = None) -> Diff:
    """Compare two versions of a model (or two analyses): the sizes that run, and what comes back.

    >>> print(shapelint.diff(UNet(3, 1), UNet(3, 1, padded=True)))  # doctest: +SKIP
    """
    before = old if isinstance(old, Analysis) else analyze(old, inputs)
    after = new if isinstance(new, Analysis) else analyze(new, inputs)
    certainty = max(before.certainty, after.certainty, key=("proven", "probed", "enumerated").index)
    nothing = SizeSet(before._domain.project(before.network.symbols)._emptied())
    running = before.valid_sizes.project(*before.network.symbols), after.valid_sizes.project(*after.network.symbols)
    shapes = before.input_shape, after.input_shape
    if tuple(map(str, shapes[0])) != tuple(map(str, shapes[1])):
        return Diff(before.name, after.name, certainty, *running, nothing, nothing, nothing, *shapes)
    lost, gained = _accepted(before, after)
    found = claims.differing(before, after)
    changed, example = nothing, None
    if found is not None:
        sizes = {name: found.least[name] for name in before.symbols if name in found.least and name != "N"}
        changed, example = found.sizes, {"sizes": sizes, "old": found.found[0], "new": found.found[1]}
    return Diff(before.name, after.name, certainty, *running, lost, gained, changed, example=example)


def _accepted(before: Analysis, after: Analysis) -> tuple[SizeSet, SizeSet]:
    """The sizes that only the one and only the other accepts."""
    symbols = before.network.symbols
    if before.trace is not None and after.trace is not None and symbols:
        one, other = before.valid_sizes.project(*symbols), after.valid_sizes.project(*symbols)
        return one - other, other - one
    everything = claims.probes(SizeSet.where(symbols)) if symbols else [{}]
    verdicts = [(point, before.accepts(**point), after.accepts(**point)) for point in everything]
    lost = [tuple(point.values()) for point, one, other in verdicts if one and not other]
    gained = [tuple(point.values()) for point, one, other in verdicts if other and not one]
    return SizeSet.from_points(symbols, lost), SizeSet.from_points(symbols, gained)


def _set_data(sizes: SizeSet) -> dict[str, Any]:
    return {"text": str(sizes), "least": sizes.least() if sizes else None}


def _plain(shape: tuple[Any, ...] | None) -> list[Any]:
    return [size if type(size) is int else str(size) for size in shape or ()]


def _point(sizes: dict[str, int]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in sizes.items()) or "any size"
