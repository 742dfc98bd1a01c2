"""Functions of a model's own code that are explored like modules: ``encode``, ``decode``, ``match_size(x, skip)``.

A forward that calls functions with loops over sizes, or with branches, one after the other has as many paths as their
paths multiplied, and all of it is followed again whenever a loop in one of them needs another plan. Explored on its
own, a function's paths join where it returns, and its loops settle within it. This is not done for every function from
the beginning on: most have neither loops nor branches.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable, Iterator
from types import CellType, CodeType, FrameType, FunctionType, TracebackType
from typing import Any

from torch import nn
from torch.nn.modules import module as torch_module

from shapelint.tracing.places import is_internal
from shapelint.tracing.remembering import has_known_contents
from shapelint.tracing.replaying import PLAIN
from shapelint.tracing.tensor import SymbolicTensor

_FORWARD = torch_module.__file__
_EMPTY = CellType()
_BIT_BY_BIT = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


class Regroup(BaseException):
    """The analysis starts again, with more functions explored on their own. No ``except Exception`` swallows it."""

    def __init__(self, functions: list[FunctionType]) -> None:
        super().__init__("functions are to be explored on their own")
        self.functions = functions


class Explored:
    """The functions that are explored on their own."""

    def __init__(self) -> None:
        self._with_loops: dict[FunctionType, None] = {}
        self._with_branches: dict[FunctionType, None] = {}
        self._is_in_vain = False

    def __iter__(self) -> Iterator[FunctionType]:
        return iter({**self._with_loops, **self._with_branches})

    def __contains__(self, function: FunctionType) -> bool:
        return function in self._with_loops or function in self._with_branches

    def add_around(self, change: BaseException) -> None:
        """Explore the functions with a loop that needs another plan, unless that was in vain.

        It is where one of them was explored so already, and all of the model is to be followed again nevertheless.
        """
        found = functions_around(change)
        if any(function in self._with_loops for function in found):
            self._with_loops.clear()
            self._is_in_vain = True
        if not self._is_in_vain:
            self._with_loops.update(dict.fromkeys(found))

    def add(self, functions: Iterable[FunctionType]) -> None:
        """Explore functions with branches."""
        self._with_branches.update(dict.fromkeys(functions))


def functions_above() -> list[FunctionType]:
    """The functions between the innermost forward of a module and what it runs now."""
    found: list[FunctionType] = []
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_back is not None and frame.f_back.f_code.co_filename != _FORWARD:
        code = frame.f_code
        if not is_internal(code):
            known = None if code.co_flags & _BIT_BY_BIT else _method(frame) or _function(frame)
            found += [] if known is None else [known[0]]
        frame = frame.f_back
    return found


def functions_around(error: BaseException) -> list[FunctionType]:
    """The functions that an exception has come through which are no forward of a module, and others of their classes.

    Where one method of a class has a loop over tiles, the others make the tiles, blend them and put them together.
    """
    found: dict[FunctionType, None] = {}
    for function, owner in _found(error.__traceback__):
        found[function] = None
        others = [] if owner is None else vars(owner).items()
        found.update((value, None) for name, value in others if _may_be_explored(name, value))
    return list(found)


def _may_be_explored(name: str, value: Any) -> bool:
    is_called_by_torch = name == "forward" or name.startswith("__")
    return type(value) is FunctionType and not is_called_by_torch and not value.__code__.co_flags & _BIT_BY_BIT


def _found(step: TracebackType | None) -> Iterator[tuple[FunctionType, type | None]]:
    """The functions, each with the class that it is a method of."""
    file = ""
    while step is not None:
        frame, caller = step.tb_frame, file
        code, step = frame.f_code, step.tb_next
        file = code.co_filename
        if caller == _FORWARD or is_internal(code) or code.co_flags & _BIT_BY_BIT:
            continue
        found = _method(frame) or _function(frame)
        if found is not None:
            yield found


def _method(frame: FrameType) -> tuple[FunctionType, type] | None:
    """The method of a module that a frame runs."""
    code = frame.f_code
    owner = frame.f_locals.get(code.co_varnames[0]) if code.co_argcount else None
    for cls in type(owner).__mro__ if isinstance(owner, nn.Module) else ():
        function = vars(cls).get(code.co_name)
        if type(function) is FunctionType and _runs(function, code):
            return function, cls
    return None


def _function(frame: FrameType) -> tuple[FunctionType, None] | None:
    """The function that a frame runs, if it has a name where it is written."""
    function = frame.f_globals.get(frame.f_code.co_name)
    return (function, None) if type(function) is FunctionType and _runs(function, frame.f_code) else None


def _runs(function: FunctionType, code: CodeType) -> bool:
    """Whether it is a function with this code, or one that decorators have made of it."""
    return any(each.__code__ is code for each in _within(function))


def _within(function: FunctionType) -> Iterator[FunctionType]:
    waiting, seen = [function], set[int]()
    while waiting:
        function = waiting.pop()
        if id(function) not in seen:
            seen.add(id(function))
            yield function
            # a variable of the function around may have no value yet
            filled = [cell.cell_contents for cell in function.__closure__ or () if cell != _EMPTY]
            waiting += [value for value in filled if type(value) is FunctionType]


def is_plain_call(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether a function is given what can be put back as it was, and nothing but tensors, sizes and the like.

    Tensors of known contents are not among it: the function may return the one it got, or a part of it.
    """
    return all(map(_is_plain, args)) and all(map(_is_plain, kwargs.values()))


def _is_plain(value: Any) -> bool:
    if type(value) is SymbolicTensor:
        return not has_known_contents(value)
    if type(value) in (list, tuple):
        return all(map(_is_plain, value))
    return isinstance(value, (nn.Module, *PLAIN))
