"""Edits of source text. They replace spans and leave everything else as it is: comments, formatting, line endings.

What a span is to say is written by libcst (``rewriting``). Where it is, is told by ``ast``: its spans are those by
which Python itself names the call it executes.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from shapelint.diagnostics import Edit, Location

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|\Z)")


class OverlapError(ValueError):
    """Two edits change the same text."""


@dataclass(frozen=True)
class Source:
    """A file's text and syntax tree; edits of it are made here.

    Attributes:
        path: the file.
        text: its contents, lines ending in a newline character.
        tree: its syntax tree.
    """

    path: Path
    text: str
    tree: ast.Module

    def location(self, node: ast.AST) -> Location:
        """The span of a node, in characters (``ast`` counts bytes)."""
        line, end_line = getattr(node, "lineno", 1), getattr(node, "end_lineno", 1)
        column = self.characters(line, getattr(node, "col_offset", 0))
        end_column = self.characters(end_line, getattr(node, "end_col_offset", 0))
        return Location(str(self.path), line, column + 1, end_line, end_column + 1)

    def characters(self, line: int, offset: int) -> int:
        """How many characters the first ``offset`` bytes of a line are."""
        return len(self.lines[line - 1].encode()[:offset].decode(errors="ignore"))

    @cached_property
    def lines(self) -> list[str]:
        return self.text.split("\n")

    @cached_property
    def parents(self) -> dict[ast.AST, ast.AST]:
        """What each node stands in."""
        return {child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)}

    @cached_property
    def _calls(self) -> dict[Location, ast.Call]:
        return {self.location(node): node for node in ast.walk(self.tree) if isinstance(node, ast.Call)}

    def call_at(self, place: Location) -> ast.Call | None:
        """The call with this span."""
        return self._calls.get(replace(place, path=str(self.path)))

    def around(self, node: ast.AST) -> Iterator[ast.AST]:
        """What the node stands in, from the inside out."""
        while (parent := self.parents.get(node)) is not None:
            yield parent
            node = parent

    def expression_at(self, place: Location) -> ast.expr | None:
        """The outermost expression with this span."""
        wanted = replace(place, path=str(self.path))
        nodes = (n for n in ast.walk(self.tree) if isinstance(n, ast.expr) and n.lineno == place.line)
        return next((node for node in nodes if self.location(node) == wanted), None)

    def code_of(self, node: ast.AST) -> str:
        return ast.get_source_segment(self.text, node) or ""

    # --- edits ---------------------------------------------------------------------------------------

    def replacing(self, node: ast.AST, text: str) -> Edit:
        """The node written in another way."""
        return Edit(self.location(node), text)

    def before(self, node: ast.AST, text: str) -> Edit:
        """Text right before a node."""
        place = self.location(node)
        return Edit(Location(place.path, place.line, place.column, place.line, place.column), text)

    def with_arguments(self, call: ast.Call, adding: Sequence[str] = (), removing: Sequence[str] = ()) -> Edit:
        """The call with further arguments (``name=value``), and without some of its keyword arguments (by name)."""
        from shapelint.fixes.rewriting import with_arguments

        code = self.code_of(call)
        return self._difference(self.location(call), code, with_arguments(code, adding, removing))

    def adding_statement_before(self, statement: ast.stmt, new: str) -> Edit | None:
        """A simple statement before another one; None where there is no place for it."""
        from shapelint.fixes.rewriting import with_statement_before

        place = self.location(statement)
        changed = with_statement_before(self.text, place.line, place.column - 1, new)
        return self._whole_lines(changed) if changed != self.text else None

    def importing(self, module: str, alias: str) -> Edit:
        """``import module as alias`` among the other imports."""
        from shapelint.fixes.rewriting import with_import

        return self._whole_lines(with_import(self.text, module, alias))

    def _whole_lines(self, changed: str) -> Edit:
        """The edit that makes another text of this one. Whole lines, so that it reads as one, and goes with others."""
        old, new = self.text.splitlines(keepends=True), changed.splitlines(keepends=True)
        first = _common(old, new)
        last = _common(old[first:][::-1], new[first:][::-1])
        before = "".join(old[:first])
        return self._replaced(Location(str(self.path), 1), before, "".join(old[first : len(old) - last]),
                              "".join(new[first : len(new) - last]))  # fmt: skip

    def _difference(self, place: Location, old: str, new: str) -> Edit:
        """The edit that makes new code of the old one at a place: of no more than what is different."""
        first = _common(old, new)
        last = _common(old[first:][::-1], new[first:][::-1])
        return self._replaced(place, old[:first], old[first : len(old) - last], new[first : len(new) - last])

    def _replaced(self, place: Location, before: str, old: str, new: str) -> Edit:
        """Other text for what stands behind ``before`` at a place."""
        start = _moved((place.line, place.column), before)
        end = _moved(start, old)
        return Edit(Location(str(self.path), *start, *end), new)


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """How many entries two sequences begin with alike."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(one), len(other)))


def _moved(place: tuple[int, int], over: str) -> tuple[int, int]:
    """The line and column behind a text that starts at a place."""
    line, column = place
    lines = over.count("\n")
    return (line + lines, len(over) - over.rfind("\n")) if lines else (line, column + len(over))


def edited(text: str, edits: Iterable[Edit]) -> str:
    """The text with the edits made; equal edits count once.

    Raises:
        OverlapError: two edits change the same text.
    """
    starts = _line_starts(text)
    newline = "\r\n" if "\r\n" in text else "\n" if "\n" in text or "\r" not in text else "\r"
    spans = sorted({(*_span(edit.location, starts), edit.text) for edit in edits})
    parts: list[str] = []
    done = 0
    for start, end, replacement in spans:
        if start < done:
            raise OverlapError(f"two edits change the text at character {start}")
        parts += [text[done:start], replacement.replace("\n", newline)]
        done = end
    return "".join([*parts, text[done:]])


def _line_starts(text: str) -> list[int]:
    starts = [0]
    for match in _LINE.finditer(text):
        if match.end() > starts[-1]:
            starts.append(match.end())
    return starts


def _span(place: Location, starts: Sequence[int]) -> tuple[int, int]:
    start = starts[place.line - 1] + place.column - 1
    if place.end_line is None or place.end_column is None:
        return start, start
    return start, starts[place.end_line - 1] + place.end_column - 1
