"""The registry of output formats."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass

import shapelint.report
from shapelint.results import LintResult


@dataclass(frozen=True, slots=True)
class Style:
    """How the reader wants it.

    Attributes:
        color: with terminal colours.
        explain_certainty: say why an answer is not proven.
        verbose: tell everything one by one; else reports for people sum up what they can.
        width: columns of the terminal, to wrap explanations at; None where nobody looks, and lines stay whole.
    """

    color: bool = False
    explain_certainty: bool = False
    width: int | None = None
    verbose: bool = False


Format = Callable[[LintResult, Style], str]

_FORMATS: dict[str, Format] = {}


def report_format(name: str) -> Callable[[Format], Format]:
    """Register a format.

    Raises:
        ValueError: the name is taken.
    """

    def register(function: Format) -> Format:
        if name in _FORMATS:
            raise ValueError(f"the format {name} is registered twice")
        _FORMATS[name] = function
        return function

    return register


def format_names() -> tuple[str, ...]:
    """All formats, ``text`` first as the one that is meant where none is named."""
    for module in pkgutil.iter_modules(shapelint.report.__path__):
        importlib.import_module(f"shapelint.report.{module.name}")
    return tuple(sorted(_FORMATS, key=lambda name: (name != "text", name)))


def render(name: str, result: LintResult, style: Style | None = None) -> str:
    """The report in a format, ending in a newline unless it is empty.

    Raises:
        KeyError: there is no such format.
    """
    format_names()
    text = _FORMATS[name](result, style or Style())
    return text if not text or text.endswith("\n") else f"{text}\n"
