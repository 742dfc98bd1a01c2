"""Conditions as boxes: unions of products of sets over single symbols, which need no set over several at once."""

from __future__ import annotations

from collections.abc import Mapping

from shapelint.sizes.condition import Both, Comparison, Condition, Either, Not
from shapelint.sizes.region import Placed

MAX_BOXES = 8
"""A condition of more boxes than this is not kept as boxes."""

Box = Mapping[str, Placed]
"""A set over each of some symbols; a tuple of sizes is in the box if each of them is in its set."""


def boxes_of(condition: bool | Condition, *, holding: bool) -> list[Box] | None:
    """Boxes whose union is where the condition holds (or does not), ``None`` where there are none, or many.

    Right where the condition's assumptions hold.

    Raises:
        TooComplex: no set expresses the condition.
    """
    if not isinstance(condition, Condition):
        return [{}] if bool(condition) is holding else []
    if isinstance(condition, Not):
        return boxes_of(condition.part, holding=not holding)
    if len(condition.support()) == 1:
        placed = condition.placed()
        if placed.support != condition.support():
            return None
        return [{placed.support[0]: placed if holding else Placed(placed.support, placed.region.complement())}]
    if isinstance(condition, Comparison):
        return None if condition.expr.affine else boxes_of(condition.solution(), holding=holding)
    if isinstance(condition, (Both, Either)):
        return _combined(condition, holding)
    return None


def _combined(condition: Both | Either, holding: bool) -> list[Box] | None:
    meeting = isinstance(condition, Both) is holding
    found: list[Box] = [{}] if meeting else []
    for part in condition.parts:
        boxes = boxes_of(part, holding=holding)
        if boxes is None:
            return None
        found = [_meet(a, b) for a in found for b in boxes] if meeting else [*found, *boxes]
        if len(found) > MAX_BOXES:
            return None
    return found


def _meet(a: Box, b: Box) -> Box:
    both = {name: Placed((name,), a[name].region.intersect(b[name].region)) for name in a.keys() & b.keys()}
    return {**a, **b, **both}


def covers(box: Box, other: Box, parts: Mapping[str, Placed]) -> bool:
    """Whether the sizes of ``other`` that the factors have are all in ``box``."""
    return all(
        (parts[name].region.intersect(other[name].region) if name in other else parts[name].region).is_subset(
            placed.region
        )
        for name, placed in box.items()
    )
