"""Where other tools look for a finding: files and their lines. A notebook's cells mean nothing to them."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Final

from shapelint.diagnostics import Diagnostic, Location

_CELL: Final = re.compile(r"(?P<file>.+\.ipynb):(?P<cell>cell \d+)")


def file_of(place: Location) -> str:
    """The file, with ``/`` on every system: ``net.ipynb`` for ``net.ipynb:cell 3``."""
    match = _CELL.fullmatch(place.path)
    return PurePath(match["file"] if match else place.path).as_posix()


def has_lines(place: Location) -> bool:
    """Are its lines those of the file? In a notebook they are those of a cell."""
    return _CELL.fullmatch(place.path) is None


def told(finding: Diagnostic) -> str:
    """The message, which has to say where in a notebook it is, since nothing else can."""
    match = _CELL.fullmatch(finding.location.path) if finding.location else None
    if match is None or finding.location is None:
        return finding.message
    return f"{match['cell']}, line {finding.location.line}: {finding.message}"
