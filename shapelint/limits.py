"""Bounds on the effort of one analysis, and how they are written in settings and on the command line."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from shapelint.words import listed


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on the effort of one analysis. Where one is hit, the model is run at sizes instead, and that is said.

    Attributes:
        paths_per_module: outcomes of one call of one module.
        branches_per_path: branches in a row, in one call of one module (a loop until a size is small, or a value).
        paths: runs of modules' forwards in all,
        paths_with_loops: and where loops go over as many things as a size says, whose ends are explored one by one.
        seconds: time for the whole analysis.
        set_complexity: steps that one question about a set of sizes may take.
        enumeration_seconds: time for running the model at sizes, where it could not be followed.
    """

    paths_per_module: int = 256
    branches_per_path: int = 64
    paths: int = 20_000
    paths_with_loops: int = 3_000
    seconds: float = 60.0
    set_complexity: int = 3_000_000
    enumeration_seconds: float = 8.0


FOLLOWING_FOUND: Final = 30.0
FOLLOWING_MET: Final = 15.0
"""Seconds for following a model that was found in a file, and in one of a directory: less than the file has in all."""

ENUMERATION_MET: Final = 1.0
"""Seconds for running a model at sizes that was met in a directory, where nobody says otherwise."""

Pairs = tuple[tuple[str, float], ...]
"""Limits that are set, by the names people write: ``(("paths-per-module", 512),)``."""

_KINDS: Final[dict[str, type]] = {
    field.name.replace("_", "-"): type(field.default) for field in dataclasses.fields(Limits)
}
NAMES: Final = tuple(_KINDS)


class LimitError(ValueError):
    """A limit that is not understood; the message says which there are."""


def checked(name: str, value: object) -> tuple[str, float]:
    """A limit with its value.

    Raises:
        LimitError: there is no such limit, or the value is not above 0, or no whole number where one is needed.
    """
    kind = _KINDS.get(name.replace("_", "-"))
    if kind is None:
        near = difflib.get_close_matches(name.replace("_", "-"), NAMES, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {listed(sorted(NAMES))}"
        raise LimitError(f"there is no limit {name}; {hint}")
    whole = kind is int
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0 or (whole and value != int(value)):
        wanted = "a whole number, at least 1" if whole else "a number of seconds above 0"
        raise LimitError(f"{name} must be {wanted}, not {value!r}")
    return name.replace("_", "-"), kind(value)


def parse(text: str) -> tuple[str, float]:
    """A limit as the command line has it: ``seconds=10``.

    Raises:
        LimitError: it is not understood.
    """
    name, equals, number = text.partition("=")
    if not equals:
        raise LimitError(f"{text!r} is no limit: write NAME=NUMBER, such as seconds=10")
    try:
        value = float(number)
    except ValueError:
        raise LimitError(f"{name.strip()} must be a number, not {number.strip()!r}") from None
    return checked(name.strip(), value)


def of_found(limits: Pairs, models: int, *, named: bool) -> Pairs:
    """The limits for each of several models that were found in a file, which share the time for running them.

    A file that was only met in a directory gets little: what would be run are models whose inputs were guessed.
    """
    share = Limits().enumeration_seconds / max(models, 1)
    running = share if named else min(share, ENUMERATION_MET)
    return (("seconds", FOLLOWING_FOUND if named else FOLLOWING_MET), ("enumeration-seconds", running), *limits)


def limits_of(*layers: Iterable[tuple[str, float]]) -> Limits:
    """The limits, those of later layers over those of earlier ones."""
    given: dict[str, Any] = {name.replace("-", "_"): value for layer in layers for name, value in layer}
    return dataclasses.replace(Limits(), **given)
