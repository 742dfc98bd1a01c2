"""Which modules were loaded since a moment.

Only the newest are looked at. Asking each module whether it is new would touch all of them, and in a fork what is
touched is copied: it cost a fifth of a worker's time.
"""

from __future__ import annotations

import sys
from itertools import islice


class Moment:
    """Now; later it tells what was loaded since."""

    def __init__(self) -> None:
        self._count = len(sys.modules)
        self._last = next(reversed(sys.modules), "")

    def newer(self) -> list[str]:
        """The names of modules that were loaded since, the last one first; of all, if the newest of then is gone."""
        wanted = max(len(sys.modules) - self._count, 0) + 1
        while True:
            try:
                names = list(islice(reversed(sys.modules), wanted))
            except RuntimeError:
                continue  # another thread has just imported something
            if self._last in names:
                return names[: names.index(self._last)]
            if wanted >= len(sys.modules):
                return names
            wanted *= 2  # older ones were removed, so that there are more new ones than it seemed
