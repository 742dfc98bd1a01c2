"""Shapes as people write them: ``N,3,H,W``, ``(N, 1, H, W)``, ``x=N,3,H,W``, ``t=N``, ``ids=int64[N,T]``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from shapelint.diagnostics import Location
from shapelint.loading.errors import BAD_INPUT, LoadError

Shape = tuple[int | str, ...] | str
"""The sizes; or with a dtype, as text: ``int64[N,T]``."""
Inputs = Shape | list[Shape] | dict[str, Shape] | None

_NAMED: Final = re.compile(r"(?P<name>[A-Za-z_]\w*)\s*[=:]\s*(?P<shape>.+)", re.DOTALL)
_WITH_DTYPE: Final = re.compile(r"(?P<dtype>[a-z]\w*)\s*(?P<shape>[\[(].+[\])])", re.DOTALL)
_SIZE: Final = re.compile(r"[\w\s+*/%()\-]*\w[\w\s+*/%()\-]*")


def parse_inputs(texts: Sequence[str], location: Location | None = None) -> Inputs:
    """The inputs of a model: one shape, several by position, or several by name; None where nothing is said.

    Raises:
        LoadError: a text is not a shape, or some inputs have names and some have none.
    """
    items = [item for text in texts for item in _inputs(text)]
    if not items:
        return None
    named = [match for item in items if (match := _NAMED.fullmatch(item))]
    if not named:
        shapes = [_shape(item, location) for item in items]
        return shapes[0] if len(shapes) == 1 else shapes
    if len(named) < len(items):
        raise LoadError(BAD_INPUT, "either all inputs have names (x=N,3,H,W) or none has", location)
    return {match["name"]: _shape(match["shape"], location) for match in named}


def _inputs(text: str) -> Iterator[str]:
    """``(N,3,H,W), (N,)`` is two inputs; ``N,3,H,W`` is one."""
    parts = _split(text)
    is_list = len(parts) > 1 and any(
        (part.startswith("(") and part.endswith(")"))
        or "=(" in part.replace(" ", "")
        or _WITH_DTYPE.fullmatch(part.partition("=")[2].strip() or part)
        for part in parts
    )
    yield from (parts if is_list else [text.strip()] if text.strip() else [])


def _shape(text: str, location: Location | None) -> Shape:
    inner = text.strip()
    if match := _WITH_DTYPE.fullmatch(inner):
        _shape(match["shape"], location)  # what is no dtype of PyTorch is said by what imports PyTorch
        return inner
    if inner[:1] in "([" and inner[-1:] in ")]":
        inner = inner[1:-1]
    sizes = [part for part in _split(inner) if part]
    bad = next((size for size in sizes if not _SIZE.fullmatch(size)), None)
    if bad is not None or not sizes:
        what = f"`{bad}` in `{text}`" if bad else f"`{text}`"
        raise LoadError(BAD_INPUT, f"{what} is not a shape; write one as N,3,H,W or 1,3,H,2*H or int64[N,T]", location)
    return tuple(int(size) if size.isdecimal() else size.strip("'\"") for size in sizes)


def _split(text: str) -> list[str]:
    """Split at the commas that stand outside of brackets."""
    parts, depth = [""], 0
    for char in text:
        depth += (char in "([") - (char in ")]")
        if char == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += char
    return [part.strip() for part in parts]


def parse_sizes(texts: Iterable[str]) -> str | list[str] | None:
    """The expected sizes; several texts are alternatives. ``analyze`` reads what is in them."""
    given = [text.strip() for text in texts if text.strip()]
    if not given:
        return None
    return given[0] if len(given) == 1 else given
