"""Sizes in texts that a model formats: ``raise ValueError("needs a multiple of 8, got %d" % h)``.

``%d`` takes nothing but a number, so it gets one that stands for the formula, and whoever reads the text finds the
formula in its place.
"""

from __future__ import annotations

import dis
import functools
import re
import sys
from types import CodeType

_FIRST = 731_000_000_000_000
"""The first of the numbers that stand for formulas: larger than any size, and exact as a float."""

_NUMBER = re.compile(r"731\d{12}(?:\.\d+)?")

_numbers: dict[str, int] = {}
_formulas: list[str] = []


def is_formatted() -> bool:
    """Whether the caller's caller is about to fill a size into a text with ``%``."""
    frame = sys._getframe(2)
    # of two operands one of which is a size, the size's own operator is called: only a text asks for a number
    return frame.f_lasti in _percent_signs(frame.f_code)


def number_for(formula: str) -> int:
    """The number that stands for a formula in a text."""
    if formula not in _numbers:
        _numbers[formula] = _FIRST + len(_formulas)
        _formulas.append(formula)
    return _numbers[formula]


def stands_in(digits: str) -> bool:
    """Whether a number that stands for a formula is among these digits."""
    return _NUMBER.search(digits) is not None


def with_formulas(text: str) -> str:
    """A text with the formulas in place of the numbers that stand for them."""
    return _NUMBER.sub(_formula, text) if _formulas else text


def _formula(found: re.Match[str]) -> str:
    place = int(found[0].partition(".")[0]) - _FIRST
    return _formulas[place] if place < len(_formulas) else found[0]


@functools.lru_cache(maxsize=4096)
def _percent_signs(code: CodeType) -> frozenset[int]:
    return frozenset(
        i.offset for i in dis.get_instructions(code) if i.opname == "BINARY_OP" and i.argrepr in ("%", "%=")
    )
