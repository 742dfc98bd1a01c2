"""Comments that suppress findings: ``# noqa: SL101``, a bare ``# noqa``, ``# shapelint: ignore[SL101]``.

A comment holds for the line it stands on (any line of the code that a finding underlines, or the line of ``forward``
that it names), and at a ``class`` or ``def`` heading for everything inside. Those that suppress nothing are SL903.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Final

from shapelint.diagnostics import Applicability, Diagnostic, Edit, Fix, Location, Severity
from shapelint.loading.errors import BAD_INPUT, CANNOT_CONSTRUCT, CANNOT_IMPORT, CANNOT_TRACE, LoadError
from shapelint.loading.sources import parse, read_text
from shapelint.results import LintResult

UNUSED: Final = "SL903"
_UNUSED_NAME: Final = "unused-suppression"
_NOQA: Final = re.compile(r"#\s*noqa(?P<colon>\s*:\s*(?P<codes>[A-Z]+\d+(?:[,\s]+[A-Z]+\d+)*))?", re.IGNORECASE)
_IGNORE: Final = re.compile(r"#\s*shapelint:\s*ignore\b(?P<rest>[^#]*)")
_BRACKETS: Final = re.compile(r"\s*\[(?P<codes>[^\]]+)\]")
_OURS: Final = re.compile(r"SL\d+", re.IGNORECASE)
_WORTH_READING: Final = re.compile(r"#\s*(?:noqa|shapelint:\s*ignore)", re.IGNORECASE)
_NOT_ANALYSED: Final = frozenset({CANNOT_IMPORT, CANNOT_CONSTRUCT, CANNOT_TRACE})
_FORM: Final = "write # shapelint: ignore[SL101] or # noqa: SL101"


@dataclass(frozen=True, slots=True)
class Suppression:
    """One comment.

    Attributes:
        selectors: codes, beginnings of codes or names of rules; () for whatever there is.
        location: the comment.
        first, last: the lines it holds for.
        judged: whether it is told if it suppresses nothing.
        alone: nothing else is in the comment, so that all of it can go.
    """

    selectors: tuple[str, ...]
    location: Location
    first: int
    last: int
    judged: bool
    alone: bool


@dataclass
class FileSuppressions:
    """The comments of one file."""

    path: Path
    entries: tuple[Suppression, ...]
    used: set[tuple[Suppression, str]] = field(default_factory=set)

    def hides(self, finding: Diagnostic, lines: Collection[int]) -> bool:
        """Is there a comment for a finding on these lines? All that fit count as used."""
        hidden = False
        for entry in self.entries:
            if not any(entry.first <= line <= entry.last for line in lines):
                continue
            fitting = [selector for selector in entry.selectors if _fits(selector, finding)]
            if fitting or not entry.selectors:
                self.used |= {(entry, selector) for selector in fitting or ("",)}
                hidden = True
        return hidden

    def unused(
        self, known: Mapping[str, str], checked: Callable[[str], bool], severity: Severity = Severity.WARNING
    ) -> Iterator[Diagnostic]:
        """What suppresses nothing, of the codes that were checked; codes that do not exist always."""
        for entry in self.entries:
            if not entry.judged:
                continue
            if not entry.selectors and (entry, "") not in self.used:
                yield self._finding(entry, "this comment suppresses nothing", (), severity)
            useless = [selector for selector in entry.selectors if (entry, selector) not in self.used]
            unknown = tuple(selector for selector in useless if not _codes(selector, known))
            idle = tuple(s for s in useless if s not in unknown and all(map(checked, _codes(s, known))))
            if unknown:
                yield self._finding(entry, f"there is no rule {', '.join(unknown)}", unknown, Severity.WARNING)
            if idle:
                yield self._finding(entry, f"there is no {', '.join(idle)} here to suppress", idle, severity)

    def _finding(self, entry: Suppression, message: str, useless: tuple[str, ...], severity: Severity) -> Diagnostic:
        fixes = (self._removal(entry),) if entry.alone and set(useless) == set(entry.selectors) else ()
        return Diagnostic(UNUSED, _UNUSED_NAME, severity, message, location=entry.location, fixes=fixes)

    def _removal(self, entry: Suppression) -> Fix:
        place = entry.location
        line = self._lines[place.line - 1][: place.column - 1]
        blank = len(line) - len(line.rstrip())
        whole = Location(place.path, place.line, place.column - blank, place.end_line, place.end_column)
        return Fix("remove the comment", Applicability.SAFE, True, (Edit(whole, ""),))

    @cached_property
    def _lines(self) -> Sequence[str]:
        return read_text(self.path).split("\n")


class Suppressions:
    """The comments of all files that findings are told in, read when they are asked for."""

    def __init__(self) -> None:
        self._files: dict[Path, FileSuppressions] = {}
        self.problems: list[Diagnostic] = []

    def hides(self, finding: Diagnostic, model: Location | None = None) -> bool:
        """Does a comment suppress it: where the layer is made, where forward uses it, or at the model's heading?"""
        places = [place for place in (finding.location, finding.use, model) if place is not None]
        hidden = False
        for place in places:
            span = range(place.line, (place.end_line or place.line) + 1)
            hidden |= self.of(Path(place.path)).hides(finding, span)
        return hidden

    def of(self, path: Path) -> FileSuppressions:
        key = path.resolve()
        if key not in self._files:
            self._files[key] = self._read(path)
        return self._files[key]

    def _read(self, path: Path) -> FileSuppressions:
        try:
            text = read_text(path)
            if not _WORTH_READING.search(text):
                return FileSuppressions(path, ())
            return FileSuppressions(path, tuple(self._entries(path, text)))
        except LoadError:
            # The file is not readable or not Python, which is a finding of its own and cannot be suppressed in it.
            return FileSuppressions(path, ())

    def _entries(self, path: Path, text: str) -> Iterator[Suppression]:
        blocks = _blocks(parse(path).tree)
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT and _WORTH_READING.search(token.string):
                try:
                    yield from _in_comment(token, str(path), blocks)
                except LoadError as error:
                    self.problems.append(error.diagnostic())


def unsuppressed(
    results: Sequence[tuple[Path, LintResult]],
    known: Callable[[], Mapping[str, str]],
    checked: Callable[[Path, str], bool],
) -> Iterator[Diagnostic]:
    """The findings of files that no comment suppresses, then the comments that suppress nothing.

    A comment is judged where its file was analysed in full; those of notebooks, read cell by cell, are not. If
    arguments had to be assumed for that, it may well be of use to the model as it is really made: then it is a note.
    """
    suppressions = Suppressions()
    for _, result in results:
        headings = {model.name: model.location for model in result.models}
        for finding in result.diagnostics:
            if not suppressions.hides(finding, headings.get(finding.model)):
                yield finding
    for path, result in results:
        failed = any(finding.code in _NOT_ANALYSED for finding in result.diagnostics)
        if result.models and not failed and path.suffix == ".py":
            assumed = any(model.assumptions for model in result.models)
            comments = suppressions.of(path)
            if comments.entries:
                severity = Severity.NOTE if assumed else Severity.WARNING
                yield from comments.unused(known(), partial(checked, path), severity)
    yield from suppressions.problems


def _in_comment(token: tokenize.TokenInfo, path: str, blocks: Mapping[int, int]) -> Iterator[Suppression]:
    line, column = token.start
    whole = Location(path, line, column + 1, line, token.end[1] + 1)
    last = blocks.get(line, line)
    if match := _IGNORE.search(token.string):
        alone = match.span() == (0, len(token.string))
        yield Suppression(_bracketed(match["rest"], whole), _part(whole, match), line, last, True, alone)
    elif match := _NOQA.search(token.string):
        codes = re.split(r"[,\s]+", match["codes"]) if match["codes"] else []
        ours = tuple(code.upper() for code in codes if _OURS.fullmatch(code))
        if ours or not codes:
            alone = match.span() == (0, len(token.string)) and len(ours) == len(codes)
            yield Suppression(ours, _part(whole, match), line, last, bool(ours), alone)


def _bracketed(rest: str, place: Location) -> tuple[str, ...]:
    """The selectors of ``ignore[SL101, lossy-round-trip]``; () for a plain ``ignore``."""
    if not rest.lstrip().startswith("["):
        return ()
    match = _BRACKETS.match(rest)
    if match is None:
        raise LoadError(BAD_INPUT, f"this comment is not understood; {_FORM}", place)
    return tuple(part.strip() for part in match["codes"].split(",") if part.strip())


def _part(whole: Location, match: re.Match[str]) -> Location:
    """The part of a comment that a match covers, without trailing blanks."""
    start = whole.column + match.start()
    end = whole.column + match.start() + len(match.group().rstrip())
    return Location(whole.path, whole.line, start, whole.line, end)


def _blocks(tree: ast.Module) -> dict[int, int]:
    """For each line of a ``class`` or ``def`` heading, the last line of its body."""
    found: dict[int, int] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            heading_ends = max(node.lineno, node.body[0].lineno - 1)
            for line in range(node.lineno, heading_ends + 1):
                found[line] = max(found.get(line, 0), node.end_lineno or node.lineno)
    return found


def _fits(selector: str, finding: Diagnostic) -> bool:
    return finding.code.startswith(selector.upper()) or finding.name == selector.lower()


def _codes(selector: str, known: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(code for code, name in known.items() if code.startswith(selector.upper()) or name == selector.lower())
