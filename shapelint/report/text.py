"""The report for people, in the manner of rustc and ruff.

unet.py:31:20: SL101 [*] `decoder.up2` does not restore the width that `encoder.down2` had
   |
31 |         self.up2 = nn.ConvTranspose2d(64, 32, 3, stride=2, padding=1)
   |                    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ (used in forward, line 44)
   |
   = sizes: every even H or W. For 64 × 64: encoder had 32, decoder returns 31
   = why:   down2 drops a remainder of 1 (Res), up2 adds output_padding = 0
   = fix:   output_padding=1 makes the even sizes round-trip (the odd ones, right today, then do not)
"""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final

from shapelint.diagnostics import Applicability, Diagnostic, Fix, Location
from shapelint.loading.errors import LoadError
from shapelint.loading.sources import read_text
from shapelint.report.folding import folded
from shapelint.report.registry import Style, report_format
from shapelint.report.wording import SEVERITY_COLORS, closing, has_fix, headline, paint
from shapelint.results import LintResult, ModelResult
from shapelint.words import plural

_LONGEST_SPAN: Final = 6
_TAB: Final = 4
_LABEL_WIDTH: Final = 7
_LEAST_ROOM: Final = 40


@report_format("text")
def text(result: LintResult, style: Style) -> str:
    """Findings, then a line for each model, then the count."""
    _lines_of.cache_clear()
    told, summed_up = (result, []) if style.verbose else folded(result)
    blocks = ["\n".join(_finding(finding, style)) for finding in told.diagnostics]
    if told.models:
        several = len({model.location.path for model in told.models}) > 1
        blocks.append("\n".join(line for model in told.models for line in _model(model, style, several)))
    blocks.append("\n".join([*_closing(result), *summed_up]))
    return "\n\n".join(blocks)


def _closing(result: LintResult) -> Iterator[str]:
    yield closing(result)
    fixable = sum(map(has_fix, result.diagnostics))
    if fixable:
        yield f"[*] {plural(fixable, 'finding')} with a fix that was tried on the model and works."


def _finding(finding: Diagnostic, style: Style) -> Iterator[str]:
    yield headline(finding, style)
    place = finding.location
    width = len(str((place.end_line or place.line) if place else 1))
    gutter = _gutter(width, style)
    if place and _source(place):
        yield gutter("", "")
        yield from _snippet(
            place, _use(finding), gutter, lambda mark: paint(mark, style, color=SEVERITY_COLORS[finding.severity])
        )
        yield gutter("", "")
    margin = " " * (width + 1)
    blank = " " * (_LABEL_WIDTH + 2)
    for label, value in _explanations(finding):
        first, *more = _wrapped(value, style, len(margin) + len(blank))
        yield margin + (paint(f"= {label}:".ljust(len(blank)), style, color="blue") if label else blank) + first
        yield from (margin + blank + "  " + line for line in more)


def _wrapped(value: str, style: Style, indent: int) -> list[str]:
    """One line, or as many as a terminal needs; a line that continues is indented further."""
    if style.width is None:
        return [value]
    room = max(style.width - indent - 2, _LEAST_ROOM)
    return textwrap.wrap(value, room, break_long_words=False, break_on_hyphens=False) or [""]


def _gutter(width: int, style: Style) -> Callable[[str, str], str]:
    def line(number: str, content: str) -> str:
        margin = paint(f"{number.rjust(width)} |", style, color="blue")
        return f"{margin} {content}" if content else margin

    return line


def _explanations(finding: Diagnostic) -> Iterator[tuple[str, str]]:
    """The ``= label: text`` lines; a label is written once, further lines of it are indented."""
    sentences = [
        part.rstrip(".") if part == finding.sizes and finding.example else part
        for part in (finding.sizes, finding.example)
        if part
    ]
    if sentences:
        yield "sizes", ". ".join(sentences)
    if finding.why:
        yield "why", finding.why
    label = "fix"
    for fix in finding.fixes:
        yield label, f"{fix.description}{_reservation(fix)}"
        label = ""
    if finding.certainty != "proven" and not finding.assumed:
        yield "note", f"{_CERTAINTY.get(finding.certainty, finding.certainty)} (see --explain-certainty)"


_CERTAINTY: Final = {
    "probed": "probed, not proven: an operation without a shape rule was fitted to runs of it",
    "enumerated": "enumerated, not proven: found by running the model at each size of a range",
}


def _reservation(fix: Fix) -> str:
    if fix.applicability is Applicability.MANUAL:
        return " (by hand)"
    return "" if fix.verified else " (not verified)"


def _use(finding: Diagnostic) -> str:
    place, use = finding.location, finding.use
    if use is None or place is None or (use.path, use.line) == (place.path, place.line):
        return ""
    where = f"line {use.line}" if use.path == place.path else f"{use.path}:{use.line}"
    return f" (used in forward, {where})"


@lru_cache(maxsize=64)
def _lines_of(path: str) -> tuple[str, ...]:
    try:
        return tuple(read_text(Path(path)).split("\n"))
    except LoadError:
        return ()


def _source(place: Location) -> Sequence[str]:
    """The lines a location covers; none where the file cannot be read or is shorter (it changed meanwhile)."""
    lines = _lines_of(place.path)[place.line - 1 : place.end_line or place.line]
    return lines if any(line.strip() for line in lines) else ()


def _snippet(
    place: Location, remark: str, gutter: Callable[[str, str], str], mark: Callable[[str], str]
) -> Iterator[str]:
    lines = [_expand(line) for line in _source(place)]
    first_column = _column(place, place.line, place.column)
    last_line = place.line + len(lines) - 1
    last_column = _column(place, last_line, place.end_column) if place.end_column else _width(lines[-1].rstrip())
    if len(lines) == 1:
        yield gutter(str(place.line), lines[0].rstrip())
        yield gutter("", " " * first_column + mark("^" * max(last_column - first_column, 1)) + remark)
        return
    shown = lines if len(lines) <= _LONGEST_SPAN else [*lines[: _LONGEST_SPAN - 2], "...", lines[-1]]
    indent = min(len(line) - len(line.lstrip()) for line in lines if line.strip())
    for position, line in enumerate(shown):
        number = place.line + position if position < len(shown) - 1 else last_line
        skipped = line == "..." and len(lines) > _LONGEST_SPAN
        body = line if skipped else line[indent:].rstrip()
        yield gutter("" if skipped else str(number), f"{mark('/' if position == 0 else '|')} {body}".rstrip())
    yield gutter("", mark("|" + "_" * max(last_column - indent, 1) + "^") + remark)


def _expand(line: str) -> str:
    return line.expandtabs(_TAB)


def _column(place: Location, number: int, column: int) -> int:
    """How far right on a terminal the text before a column reaches: tabs and wide characters count as shown."""
    lines = _lines_of(place.path)
    before = lines[number - 1][: column - 1] if number <= len(lines) else ""
    return _width(_expand(before))


def _width(line: str) -> int:
    return sum(_character_width(char) for char in line)


def _character_width(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _model(model: ModelResult, style: Style, with_path: bool) -> Iterator[str]:
    path = f" ({model.location.path})" if with_path else ""
    yield f"{paint(model.name, style, bold=True)}{path}: {model.summary}"
    if model.assumptions:
        assumed = ", ".join(map(str, model.assumptions))
        yield paint(f"  assumed {assumed}", style, dim=True)
    elif model.expression not in (model.name, f"{model.name}()"):
        yield paint(f"  built as {model.expression}", style, dim=True)
    if style.explain_certainty:
        for reason in model.certainty_reasons:
            yield f"  {model.certainty}, not proven: {reason}" if model.certainty != "proven" else f"  {reason}"
