"""``--watch``: lint again whenever a file of the project changes. Times of files are compared, twice a second."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, NoReturn

from shapelint.config import FILE_NAMES
from shapelint.loading.errors import LoadError
from shapelint.loading.paths import python_files
from shapelint.words import plural

_PAUSE: Final = 0.5

Snapshot = dict[Path, tuple[int, int]]


def watch(run: Callable[[], object], paths: Sequence[str], told: Callable[[str], object]) -> NoReturn:
    """Run now and after every change, until the user interrupts it."""
    while True:
        before = snapshot(paths)
        # A run that cannot do what was asked ends in SystemExit. The next change may mend it.
        try:
            run()
        except SystemExit as ended:
            if ended.code not in (0, 1, 2):
                raise
        told(f"watching {plural(len(before), 'file')}; Ctrl-C ends this")
        while snapshot(paths) == before:
            time.sleep(_PAUSE)


def snapshot(paths: Sequence[str]) -> Snapshot:
    """When the files that are linted, or that those may import, were last changed."""
    found: Snapshot = {}
    for path in _files(paths):
        try:
            status = path.stat()
        except OSError:  # it has just been removed
            continue
        found[path] = status.st_mtime_ns, status.st_size
    return found


def _files(paths: Sequence[str]) -> Iterator[Path]:
    """Those that were named, and everything below the directories that were named and the working directory."""
    for path in map(Path, dict.fromkeys([".", *paths])):
        if not path.is_dir():
            yield path
            continue
        yield from (path / name for name in FILE_NAMES)
        try:
            yield from python_files(path)
        except LoadError:  # an unreadable directory: the run itself says so
            continue
