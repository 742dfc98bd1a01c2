"""Where in the user's own code something happens."""

from __future__ import annotations

import functools
import itertools
import linecache
import opcode
import sys
from pathlib import Path
from types import CodeType, FrameType

import torch

import shapelint
from shapelint.tracing.record import Place
from shapelint.tracing.texts import with_formulas

_INTERNAL = tuple(str(Path(package.__file__).parent) for package in (torch, shapelint) if package.__file__)
LONGEST_REASON = 240
"""Most characters of a reason that people are told."""

_RAISE = opcode.opmap["RAISE_VARARGS"]


def is_internal(code: CodeType) -> bool:
    """Whether code belongs to torch or to this tool, or was generated."""
    return _is_internal_file(code.co_filename)


@functools.lru_cache(maxsize=4096)
def _is_internal_file(file: str) -> bool:
    # asked by name: Python hashes code objects anew each time, constants and all
    return file.startswith(("<", *_INTERNAL))


_places: dict[tuple[int, int], Place] = {}
"""One for each point of the user's code: models run the same lines again and again."""


def caller(above: int = 2) -> Place | None:
    """The nearest caller in the user's own code.

    Args:
        above: how many frames up to begin; those below are this tool's.
    """
    frame: FrameType | None = sys._getframe(above)
    while frame is not None:
        if not _is_internal_file(frame.f_code.co_filename):
            # by its number: Python hashes code objects anew each time; the place keeps the code from being forgotten
            key = (id(frame.f_code), frame.f_lasti)
            known = _places.get(key)
            if known is None:
                known = _places[key] = Place(frame.f_code, frame.f_lasti)
            return known
        frame = frame.f_back
    return None


def expression(frame: FrameType | None) -> str | None:
    """The expression that a caller in the user's own code is at, if it stands in one line."""
    while frame is not None and _is_internal_file(frame.f_code.co_filename):
        frame = frame.f_back
    if frame is None:
        return None
    first, last, start, end = next(itertools.islice(frame.f_code.co_positions(), frame.f_lasti // 2, None))
    if first is None or first != last:
        return None
    # columns are counted in bytes
    return linecache.getline(frame.f_code.co_filename, first).encode()[start:end].decode() or None


def origin(error: BaseException) -> tuple[Place | None, bool]:
    """Where in the user's code an exception comes from, and whether a ``raise`` or ``assert`` made it.

    A ``raise`` in torch's own Python code counts: it is there on purpose too.
    """
    place, raised = None, False
    step = error.__traceback__
    while step is not None:
        code = step.tb_frame.f_code
        if not _is_internal_file(code.co_filename):
            place = Place(code, step.tb_lasti)
        raised = step.tb_next is None and code.co_code[step.tb_lasti] == _RAISE
        step = step.tb_next
    return place, raised


def reason(error: BaseException) -> str:
    """Why the analysis gave up, with the line of the user's code that asks for it; a long formula is cut short."""
    text = with_formulas(str(error))
    if len(text) > LONGEST_REASON:
        text = f"{text[: LONGEST_REASON // 2]} … {text[-LONGEST_REASON // 2 :]}"
    place = origin(error)[0]
    location = place.location() if place is not None else None
    return f"{text} (at {Path(location.path).name}:{location.line})" if location is not None else text


def first_line(error: BaseException) -> str:
    """An exception's message, its first line only."""
    text = with_formulas(str(error)).strip().splitlines()
    return text[0] if text else type(error).__name__
