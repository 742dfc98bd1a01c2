"""What some workers load and most do not: before the next fork, once it is likely to be wanted again.

``torch._dynamo`` is imported, behind the scenes, by operations that torch computes in Python on the meta device
(``arange``, ``masked_fill``), and takes longer than torch itself; sympy likewise; ``libcst`` writes fixes.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

_SEPARATOR: Final = b"\n"
_MODULES: Final = ("torch._dynamo", "torch.fx.experimental.symbolic_shapes", "shapelint.fixes.rewriting")


def with_loaded(answer: bytes) -> bytes:
    """A worker's answer, and before it which of these modules there are in this process."""
    names = ",".join(name for name in _MODULES if name in sys.modules)
    return names.encode() + _SEPARATOR + answer


def apart(message: bytes) -> tuple[list[str], bytes]:
    """The modules and the answer."""
    names, _, answer = message.partition(_SEPARATOR)
    return names.decode().split(",") if names else [], answer


class Demand:
    """Counts which modules workers had to load, and loads those that many more will."""

    def __init__(self) -> None:
        self._files = 0
        self._missed: Counter[str] = Counter()

    def note(self, names: Sequence[str]) -> None:
        """One more file was checked, in a process that in the end had these modules."""
        self._files += 1
        if names:
            self._missed.update(name for name in names if name in _MODULES and name not in sys.modules)

    def meet(self, left: int, at_once: int) -> None:
        """Load what as large a part of the files left will want as of those before, if that is more than there are
        workers at once: to load it here keeps them all waiting.
        """
        wanted = [name for name in _MODULES if self._missed[name] * left > at_once * self._files]
        if wanted:
            _load(wanted)
            self._missed.clear()


def _load(names: Iterable[str]) -> None:
    gc.disable()
    for name in names:
        with contextlib.suppress(Exception):  # a worker that needs it says what is wrong
            importlib.import_module(name)
    gc.freeze()
    gc.enable()
