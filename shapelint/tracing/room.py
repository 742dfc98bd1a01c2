"""Room on Python's stack for a whole analysis.

Python keeps frames in pieces of 16 KiB. It asks the system for another piece when one is full, and gives that back as
soon as the call that needed it returns. A model's layers are some hundred frames down: if a piece happens to be full
there, each of the many calls that a layer makes fetches memory and gives it back. That was a quarter of the time for an
audio codec, in one program, and not in another that calls the analysis from some functions further up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

Given = ParamSpec("Given")
Result = TypeVar("Result")

_SLOTS = 15_500
"""So many values, with the overhead that Python adds, are more than 128 KiB: a piece of 256 KiB holds as much again."""


def with_room(run: Callable[Given, Result], /, *args: Given.args, **kwargs: Given.kwargs) -> Result:
    """Call ``run`` where frames that are nested below it have one piece of the stack to themselves."""
    return run(*args, **kwargs)


# a frame that says it needs this much gets a piece that has it, and writes to none of it
with_room.__code__ = with_room.__code__.replace(co_stacksize=_SLOTS)
