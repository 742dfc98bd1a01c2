"""Shape rules that other packages bring: entry points of the group ``shapelint.shape_rules``.

An entry point names a module, whose import registers the rules, or a function that does so when it is called::

    [project.entry-points."shapelint.shape_rules"]
    my_package = "my_package.shape_rules"
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

GROUP: Final = "shapelint.shape_rules"

_told = False


@functools.cache
def load() -> tuple[str, ...]:
    """Load every package's rules, once a process; what went wrong, a sentence for each entry point."""
    return tuple(filter(None, map(_load_one, entry_points(group=GROUP))))


def _load_one(entry: EntryPoint) -> str:
    try:
        found: Callable[[], Any] | Any = entry.load()
        if callable(found):
            found()
    except Exception as error:  # whatever another package raises must not cost an analysis that does not need it
        owner = f"the package {entry.dist.name} {entry.dist.version}" if entry.dist is not None else "a package"
        said = f"{type(error).__name__}: {' '.join(str(error).split())}".removesuffix(": ")
        return f"the shape rules of {owner} ({entry.value}) cannot be loaded, and are left out: {said}"
    return ""


def load_and_warn() -> None:
    """Load the rules; the first time, warn of those that cannot be loaded."""
    global _told
    problems = load()
    if problems and not _told:
        _told = True
        for problem in problems:
            warnings.warn(problem, RuntimeWarning, stacklevel=4)


def load_and_tell() -> tuple[str, ...]:
    """Load the rules; what is wrong is told by the caller, and not again as a warning."""
    global _told
    _told = True
    return load()
