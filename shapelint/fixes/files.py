"""Files to be edited: read with their encoding and line endings, replaced whole or not at all."""

from __future__ import annotations

import contextlib
import difflib
import io
import os
import shutil
import tempfile
import tokenize
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from shapelint.diagnostics import Edit
from shapelint.fixes.editing import edited


class ChangedMeanwhileError(RuntimeError):
    """A file is not what it was when it was read."""


@dataclass(frozen=True, slots=True)
class EditedFile:
    """A file as it was read and as it is to be.

    Attributes:
        path: as the user would write it.
        data: the bytes that were read.
        encoding: what they are written in; "utf-8-sig" with a byte order mark.
        before, after: the text with its own line endings.
    """

    path: Path
    data: bytes
    encoding: str
    before: str
    after: str

    @classmethod
    def read(cls, path: Path) -> EditedFile:
        """The file as it is now."""
        data = path.read_bytes()
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        text = data.decode(encoding)
        return cls(path, data, encoding, text, text)

    def with_edits(self, edits: Iterable[Edit]) -> EditedFile:
        """The file with edits made in what it is to be."""
        return replace(self, after=edited(self.after, edits))

    @property
    def source(self) -> str:
        """What it is to be as Python reads it, with newline characters alone."""
        return io.IncrementalNewlineDecoder(None, translate=True).decode(self.after, final=True)

    def diff(self) -> str:
        """A unified diff, that ``patch -p0`` takes; empty where nothing changes."""
        lines = difflib.unified_diff(
            _lines(self.before), _lines(self.after), str(self.path), str(self.path), lineterm="\n"
        )
        return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)

    def is_unchanged(self) -> bool:
        """Whether the file still holds what was read."""
        try:
            return self.path.read_bytes() == self.data
        except OSError:
            return False


def write(files: Sequence[EditedFile]) -> None:
    """Replace files, each at once, its mode kept; the first one only when all are written out beside them.

    Raises:
        ChangedMeanwhileError: one of them is not what it was when it was read; none is replaced.
        OSError: one of them cannot be written.
    """
    with contextlib.ExitStack() as stack:
        moves: list[tuple[Path, Path]] = []
        for file in files:
            target = file.path.resolve()  # a link stays a link
            descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
            temporary = Path(name)
            stack.callback(temporary.unlink, missing_ok=True)
            with os.fdopen(descriptor, "wb") as out:
                out.write(file.after.encode(file.encoding))
                out.flush()
                os.fsync(out.fileno())
            shutil.copymode(target, temporary)
            moves.append((temporary, target))
        for file in files:
            if not file.is_unchanged():
                raise ChangedMeanwhileError(f"{file.path} has changed meanwhile and is left alone")
        for temporary, target in moves:
            temporary.replace(target)


def apply_edits(edits: Sequence[Edit]) -> tuple[Path, ...]:
    """Make edits in their files; the files that were changed.

    Raises:
        ChangedMeanwhileError, OSError: nothing was written.
    """
    by_path: dict[Path, list[Edit]] = {}
    for edit in edits:
        by_path.setdefault(Path(edit.location.path), []).append(edit)
    files = [EditedFile.read(path).with_edits(own) for path, own in by_path.items()]
    write(files)
    return tuple(by_path)


def _lines(text: str) -> list[str]:
    """Lines as ``diff`` counts them: a form feed or a line separator ends none."""
    return io.StringIO(text, newline="\n").readlines()
