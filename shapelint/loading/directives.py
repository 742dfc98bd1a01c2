"""Comments that name a model: ``# shapelint: UNet(in_channels=1) input=(N, 1, H, W) size=512x512``."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shapelint.diagnostics import Location
from shapelint.loading.errors import BAD_INPUT, LoadError

_COMMENT: Final = re.compile(r"#\s*shapelint:\s*(?P<text>.*)")
_SETTING: Final = re.compile(r"(?P<key>input|size)\s*=(?!=)\s*")
_OTHER_DIRECTIVES: Final = ("ignore", "skip", "noqa")
_FORM: Final = "write # shapelint: UNet(in_channels=1) input=(N, 1, H, W) size=512x512"


@dataclass(frozen=True, slots=True)
class Directive:
    """What one comment asks for; ``expression`` is empty where it only describes the class it stands at."""

    expression: str
    inputs: str | None
    sizes: str | None
    location: Location


def read_directives(path: Path, source: str) -> tuple[Directive, ...]:
    """All directives of a file, in order.

    Raises:
        LoadError: a comment starts with ``shapelint:`` and is not understood.
    """
    if "shapelint:" not in source:
        return ()
    return tuple(_directives(path, source))


def _directives(path: Path, source: str) -> Iterator[Directive]:
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        match = _COMMENT.match(token.string)
        if match is None or match["text"].startswith(_OTHER_DIRECTIVES):
            continue
        line, column = token.start
        location = Location(str(path), line, column + 1, line, token.end[1] + 1)
        yield parse_directive(match["text"], location)


def parse_directive(text: str, location: Location) -> Directive:
    """Split ``EXPRESSION input=SHAPE size=SIZES``; each part may be left out, the settings in either order."""
    expression, settings = _split(text)
    if not expression and not settings:
        raise LoadError(BAD_INPUT, f"this shapelint comment is empty; {_FORM}", location)
    if len({key for key, _ in settings}) < len(settings):
        raise LoadError(BAD_INPUT, f"input= or size= is given twice; {_FORM}", location)
    if expression:
        try:
            ast.parse(expression, mode="eval")
        except SyntaxError as error:
            raise LoadError(
                BAD_INPUT, f"`{expression}` in this shapelint comment is not a Python expression; {_FORM}", location
            ) from error
    values = dict(settings)
    for key, value in settings:
        if not value:
            raise LoadError(BAD_INPUT, f"{key}= has no value; {_FORM}", location)
    return Directive(expression, values.get("input"), values.get("size"), location)


def _split(text: str) -> tuple[str, list[tuple[str, str]]]:
    """Cut at each ``input=`` and ``size=`` that stands outside of brackets and quotes."""
    marks: list[re.Match[str]] = []
    depth = 0
    quote = ""
    position = 0
    while position < len(text):
        char = text[position]
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif char in "([{":
            depth += 1
        elif char in ")]}":
            depth -= 1
        elif depth == 0 and (position == 0 or text[position - 1].isspace()):
            match = _SETTING.match(text, position)
            if match:
                marks.append(match)
                position = match.end()
                continue
        position += 1
    ends = [mark.start() for mark in marks[1:]] + [len(text)] * bool(marks)
    settings = [(mark["key"], text[mark.end() : end].strip()) for mark, end in zip(marks, ends, strict=True)]
    return text[: marks[0].start() if marks else len(text)].strip(), settings
