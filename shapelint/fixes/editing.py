"""Edits of source text. They replace spans and leave everything else as it is: comments, formatting, line endings."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
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
    def _calls(self) -> dict[tuple[int, int, int, int], ast.Call]:
        found = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call):
                end_line, end = node.end_lineno or node.lineno, node.end_col_offset or 0
                found[node.lineno, node.col_offset, end_line, end] = node
        return found

    def call_at(self, place: Location) -> ast.Call | None:
        """The call with this span, as Python's own positions tell it: columns in bytes."""
        if place.end_line is None or place.end_column is None:
            return None
        return self._calls.get((place.line, place.column - 1, place.end_line, place.end_column - 1))

    def around(self, node: ast.AST) -> Iterator[ast.AST]:
        """What the node stands in, from the inside out."""
        while (parent := self.parents.get(node)) is not None:
            yield parent
            node = parent

    def expression_at(self, place: Location) -> ast.expr | None:
        """The outermost expression with this span, columns in bytes."""
        wanted = place.line, place.column - 1, place.end_line, (place.end_column or 0) - 1
        nodes = (node for node in ast.walk(self.tree) if isinstance(node, ast.expr))
        return next((n for n in nodes if wanted == (n.lineno, n.col_offset, n.end_lineno, n.end_col_offset)), None)

    def code_of(self, node: ast.AST) -> str:
        return ast.get_source_segment(self.text, node) or ""

    # --- edits ---------------------------------------------------------------------------------------

    def replacing(self, node: ast.AST, text: str) -> Edit:
        """The node written in another way."""
        return Edit(self.location(node), text)

    def adding_argument(self, call: ast.Call, argument: str) -> Edit:
        """A further argument after the last one, in the manner in which the others stand."""
        last, closing = self._last_tokens(call)
        place = Location(str(self.path), last.end[0], last.end[1] + 1, last.end[0], last.end[1] + 1)
        if last.string == "(":
            return Edit(place, argument)
        trailing = last.string == ","
        lines = last.end[0] - call.lineno
        if trailing and closing.start[0] > last.end[0] and lines > 0:
            # one argument a line, with a comma after the last one
            line = self.lines[last.start[0] - 1]
            indent = line[: len(line) - len(line.lstrip())]
            return Edit(self._line_end(last.end[0]), f"\n{indent}{argument},")
        return Edit(place, f" {argument}," if trailing else f", {argument}")

    def removing_argument(self, call: ast.Call, argument: ast.keyword) -> Edit:
        """The call without a keyword argument, and without the comma before or after it."""
        place = self.location(argument)
        tokens = self._tokens(call)
        assert place.end_line is not None
        assert place.end_column is not None
        start, end = (place.line, place.column - 1), (place.end_line, place.end_column - 1)
        before = [token for token in tokens if token.end <= start]
        after = [token for token in tokens if token.start >= end]
        if before[-1].string == ",":
            start = before[-1].start
        elif after[0].string == ",":
            end = after[1].start if after[1].start[0] == end[0] else after[0].end
        return Edit(Location(str(self.path), start[0], start[1] + 1, end[0], end[1] + 1), "")

    def adding_line_before(self, statement: ast.stmt, line: str) -> Edit:
        """A line of its own before a statement, indented alike."""
        place = self.location(statement)
        at = Location(place.path, place.line, place.column, place.line, place.column)
        return Edit(at, f"{line}\n{self.lines[place.line - 1][: place.column - 1]}")

    def _line_end(self, line: int) -> Location:
        column = len(self.lines[line - 1]) + 1
        return Location(str(self.path), line, column, line, column)

    def _last_tokens(self, call: ast.Call) -> tuple[tokenize.TokenInfo, tokenize.TokenInfo]:
        """The last token within the parentheses (or the opening one), and the closing one."""
        *_, last, closing = self._tokens(call)
        return last, closing

    def _tokens(self, call: ast.Call) -> list[tokenize.TokenInfo]:
        place = self.location(call)
        assert place.end_line is not None
        assert place.end_column is not None
        silent = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)
        begin, end = (place.line, place.column - 1), (place.end_line, place.end_column - 1)
        return [
            token
            for token in self._all_tokens
            if begin <= token.start and token.end <= end and token.type not in silent
        ]

    @cached_property
    def _all_tokens(self) -> list[tokenize.TokenInfo]:
        return list(tokenize.generate_tokens(io.StringIO(self.text).readline))


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
