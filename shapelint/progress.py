"""A bar on a terminal's stderr, once a run takes over a second."""

from __future__ import annotations

import shutil
import sys
import threading
from types import TracebackType
from typing import Final, Self, TextIO

_FIRST_AFTER: Final = 1.0
_EVERY: Final = 0.2
_WIDEST: Final = 40


class Progress:
    """Called with (done, of how many); draws by itself, and clears its line at the end. Nothing where nobody looks."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._done = self._total = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._draw, daemon=True) if self._stream.isatty() else None

    def __call__(self, done: int, total: int) -> None:
        self._done, self._total = done, total

    def __enter__(self) -> Self:
        if self._thread is not None:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    def _draw(self) -> None:
        drawn = False
        pause = _FIRST_AFTER
        while not self._over.wait(pause):
            drawn, pause = True, _EVERY
            self._stream.write(f"\r{bar(self._done, self._total, shutil.get_terminal_size().columns)}\x1b[K")
            self._stream.flush()
        if drawn:
            self._stream.write("\r\x1b[K")
            self._stream.flush()


def bar(done: int, total: int, columns: int) -> str:
    """``linting ██████░░░░ 61 of 100 files``."""
    count = f"{done} of {total} files" if total else "reading files"
    width = min(_WIDEST, max(columns - len(count) - 12, 0))
    filled = width * done // total if total else 0
    return f"linting {'█' * filled}{'░' * (width - filled)} {count}"
