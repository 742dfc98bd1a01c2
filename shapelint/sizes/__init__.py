"""Symbolic sizes, exact: ``Dim``, ``SizeSet``, conditions, and the five width formulas. No torch here."""

from shapelint.sizes import formulas
from shapelint.sizes.condition import Condition, Undecided, all_of, any_of, negate
from shapelint.sizes.dim import (
    Dim,
    Ratio,
    Size,
    divide,
    divides,
    factors_of,
    in_terms_of,
    product,
    remembered,
    scaled_floor,
    select,
    smax,
    smin,
)
from shapelint.sizes.domain import Domain
from shapelint.sizes.path import Path, SizeError, following, implied, note_accident, possible, require
from shapelint.sizes.region import TooComplex
from shapelint.sizes.sizeset import AxisSizes, SizeSet

__all__ = [
    "AxisSizes",
    "Condition",
    "Dim",
    "Domain",
    "Path",
    "Ratio",
    "Size",
    "SizeError",
    "SizeSet",
    "TooComplex",
    "Undecided",
    "all_of",
    "any_of",
    "divide",
    "divides",
    "factors_of",
    "following",
    "formulas",
    "implied",
    "in_terms_of",
    "negate",
    "note_accident",
    "possible",
    "product",
    "remembered",
    "require",
    "scaled_floor",
    "select",
    "smax",
    "smin",
]
