"""The variables of a running function: reading them, setting them, and how they grow."""

from __future__ import annotations

import ctypes
import inspect
import sys
from types import CodeType, FrameType
from typing import Any

from shapelint.ops.layout import placement_of
from shapelint.ops.placement import Placement
from shapelint.sizes import Dim, implied
from shapelint.tracing.loops.repeated import Repeated
from shapelint.tracing.tensor import SymbolicTensor, symbolic_tensor

COMPREHENSION = "<listcomp>"
"""The name of the function that a list comprehension is to Python."""


def local_variables(frame: FrameType) -> dict[str, Any]:
    """A function's local variables; for a comprehension also those of the function around it."""
    own = {name: value for name, value in frame.f_locals.items() if not name.startswith(".")}
    if frame.f_code.co_name == COMPREHENSION and frame.f_back is not None:
        return {**local_variables(frame.f_back), **{n: v for n, v in own.items() if n in frame.f_code.co_freevars}}
    return own


def set_local(frame: FrameType, name: str, value: Any) -> None:
    """Give a running function's variable a value, as debuggers do."""
    frame.f_locals[name] = value
    if sys.version_info < (3, 13):  # later ones write through
        ctypes.pythonapi.PyFrame_LocalsToFast(ctypes.py_object(frame), ctypes.c_int(0))


def global_values(frame: FrameType) -> list[Any]:
    """The global numbers, lists and dicts that a function names."""
    names = [n for n in frame.f_code.co_names if type(frame.f_globals.get(n)) in (int, float, list, dict, set)]
    return [(name, frame.f_globals[name]) for name in names]


def may_be_replaced(code: CodeType, name: str, items: Any) -> bool:
    """Whether a variable holds a list of the function's own, so that another may take its place."""
    stars = bool(code.co_flags & inspect.CO_VARARGS) + bool(code.co_flags & inspect.CO_VARKEYWORDS)
    given = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount + stars]
    own = name in code.co_varnames and name not in given and name not in code.co_cellvars
    return own and type(items) in (list, Repeated)


def grown(value: Any, axis: int | None, by: Any) -> Any:
    """A number, or a tensor along an axis, that has grown."""
    if axis is None:
        return value + by
    sizes = list(value.sizes)
    sizes[axis] = sizes[axis] + by
    tensor = symbolic_tensor(tuple(sizes), value.dtype, value.call)
    tensor.strided = value.strided
    return tensor


def growth(name: str, before: Any, after: Any) -> tuple[str, int | None, int] | None:
    """By how much a round lets a variable grow, if that is all it does to it."""
    if _is_size(before) and _is_size(after):
        step = after - before
        return (name, None, step) if type(step) is int else None
    if type(before) is not SymbolicTensor or type(after) is not SymbolicTensor:
        return None
    if before.dtype != after.dtype or len(before.sizes) != len(after.sizes) or before.value is not None:
        return None
    if not _lie_alike(placement_of(before), placement_of(after)):
        return None
    steps = [(axis, b - a) for axis, (a, b) in enumerate(zip(before.sizes, after.sizes, strict=True))]
    changes = [(axis, step) for axis, step in steps if not (type(step) is int and step == 0)]
    if len(changes) != 1 or type(changes[0][1]) is not int:
        return None
    return (name, *changes[0])


def _lie_alike(before: Placement | None, after: Placement | None) -> bool:
    """Whether a tensor's elements lie as far apart as they did: what is cut off at one end moves no others."""
    if before is None or after is None:
        return before is after
    if not before.known or not after.known or before.order != after.order:
        return False
    return all(implied(a == b) for a, b in zip(before.strides, after.strides, strict=True))


def _is_size(value: Any) -> bool:
    return type(value) is int or isinstance(value, Dim)
