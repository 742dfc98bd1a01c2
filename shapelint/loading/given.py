"""Sources that are not what the file of their name holds: standard input, and notebooks.

They are read, imported and quoted in messages as if the file held them.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import linecache
import sys
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, Final

from shapelint.loading.notebooks import SUFFIX, Cell, NotebookError, cell_at, module_text, read_cells, split_cell

_texts: Final[dict[str, str]] = {}


def give(path: Path, text: str) -> None:
    """From now on, in this process, the file holds this text."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
    _texts[str(path.absolute())] = text


def forget() -> None:
    """From now on every file holds its own text again."""
    _texts.clear()


def given(path: Path) -> str | None:
    """The text that stands for a file; None where the file stands for itself.

    Raises:
        NotebookError: it should be a notebook and is none.
        OSError: it cannot be read.
    """
    found = _texts.get(str(path.absolute()))
    if found is not None:
        return found
    if path.suffix == SUFFIX:
        return module_text(_cells(str(path)))
    if cell := split_cell(str(path)):
        return next((entry.source for entry in _cells(cell[0]) if entry.number == cell[1]), "")
    return None


def in_cell(path: str, line: int) -> tuple[str, int] | None:
    """Where a notebook's line stands: ("net.ipynb:cell 3", the module's line that is line 1 of the cell)."""
    if not path.endswith(SUFFIX):
        return None
    try:
        found = cell_at(_cells(path), line)
    except (OSError, NotebookError):
        return None
    return (f"{path}:cell {found[0]}", found[1]) if found else None


def _cells(path: str) -> tuple[Cell, ...]:
    status = Path(path).stat()
    return _cells_then(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=16)
def _cells_then(path: str, modified: int, size: int) -> tuple[Cell, ...]:
    return read_cells(Path(path).read_bytes())


def loader_for(name: str, path: Path) -> importlib.machinery.SourceFileLoader | None:
    """What imports a file whose text was given; None for any other."""
    text = given(path)
    if text is None:
        return None
    place = str(path.absolute())
    linecache.cache[place] = len(text), None, text.splitlines(keepends=True), place
    return _Loader(name, place)


class _Loader(importlib.machinery.SourceFileLoader):
    """Python's own, with another text, and without bytecode, which would be the file's."""

    def get_data(self, path: str | bytes) -> bytes:
        text = given(Path(str(path))) if path == self.path else None
        if text is None:
            raise FileNotFoundError(path)
        return text.encode()

    def source_to_code(self, data: Any, path: Any, **options: Any) -> CodeType:  # type: ignore[override]
        # As text: it is no longer in the encoding that a comment in it may name.
        return super().source_to_code(data.decode() if isinstance(data, bytes) else data, path, **options)

    def path_stats(self, path: str | bytes) -> dict[str, float]:
        raise FileNotFoundError(path)


class _Finder:
    """Finds modules whose text was given, where the import system would look for their files."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        last = name.rpartition(".")[2]
        for place in path if path is not None else sys.path:
            for file in (Path(place, last, "__init__.py"), Path(place, f"{last}.py")):
                if str(file.absolute()) in _texts:
                    return importlib.util.spec_from_file_location(name, file, loader=loader_for(name, file))
        return None
