"""Where in the user's own code something happens."""

from __future__ import annotations

import dis
import functools
import opcode
import sys
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import torch

import shapelint
from shapelint.tracing.record import Place

_INTERNAL = tuple(str(Path(package.__file__).parent) for package in (torch, shapelint) if package.__file__)
LONGEST_REASON = 240
"""Most characters of a reason that people are told."""

_RAISE = opcode.opmap["RAISE_VARARGS"]


@functools.lru_cache(maxsize=4096)
def is_internal(code: CodeType) -> bool:
    """Whether code belongs to torch or to this tool, or was generated."""
    file = code.co_filename
    return file.startswith(("<", *_INTERNAL))


def caller() -> Place | None:
    """The nearest caller in the user's own code."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        if not is_internal(frame.f_code):
            return Place(frame.f_code, frame.f_lasti)
        frame = frame.f_back
    return None


def origin(error: BaseException) -> tuple[Place | None, bool]:
    """Where in the user's code an exception comes from, and whether a ``raise`` or ``assert`` made it.

    A ``raise`` in torch's own Python code counts: it is there on purpose too.
    """
    place, raised = None, False
    step = error.__traceback__
    while step is not None:
        code = step.tb_frame.f_code
        if not is_internal(code):
            place = Place(code, step.tb_lasti)
        raised = step.tb_next is None and code.co_code[step.tb_lasti] == _RAISE
        step = step.tb_next
    return place, raised


def caught_above(entry: CodeType) -> Place | None:
    """Where on the stack a handler would end an exception raised now, up to where ``entry`` called the model.

    torch's own handlers raise again what they catch.
    """
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_code is not entry:
        code = frame.f_code
        if not is_internal(code) and any(start <= frame.f_lasti < end for start, end in _ending_spans(code)):
            return Place(code, frame.f_lasti)
        frame = frame.f_back
    return None


@functools.lru_cache(maxsize=4096)
def _ending_spans(code: CodeType) -> tuple[tuple[int, int], ...]:
    """Spans of instructions whose exceptions this function ends: an ``except`` that goes on after it.

    A ``finally``, and an ``except`` that raises again, let them pass; so does what a ``with`` does at its end.
    """
    entries = getattr(dis, "_parse_exception_table")(code)  # noqa: B009 - the module has no public name for it
    if not entries:
        return ()
    instructions = list(dis.get_instructions(code))
    at = {instruction.offset: position for position, instruction in enumerate(instructions)}
    return tuple((e.start, e.end) for e in entries if _ends_exception(instructions, at, entries, e.target))


def _ends_exception(instructions: list[dis.Instruction], at: dict[int, int], entries: list[Any], target: int) -> bool:
    """Whether some way through a handler leaves it with the exception dealt with, and nothing else raised."""
    waiting, seen = [target], set()
    while waiting:
        position = at[waiting.pop()]
        if position in seen or position >= len(instructions):
            continue
        seen.add(position)
        instruction = instructions[position]
        following = instructions[position + 1] if position + 1 < len(instructions) else None
        if instruction.opname == "WITH_EXCEPT_START":
            continue
        if instruction.opname == "POP_EXCEPT" and not (following and following.opname == "RERAISE"):
            return True
        if instruction.opname in ("RERAISE", "RAISE_VARARGS"):
            waiting += [e.target for e in entries if e.start <= instruction.offset < e.end]
            continue
        if instruction.opcode in _JUMPS:
            waiting.append(instruction.argval)
        if following and instruction.opname not in _GOES_ELSEWHERE:
            waiting.append(following.offset)
    return False


_JUMPS = frozenset({*dis.hasjrel, *dis.hasjabs})
_GOES_ELSEWHERE = frozenset({"JUMP_FORWARD", "JUMP_BACKWARD", "JUMP_BACKWARD_NO_INTERRUPT", "RETURN_VALUE"})


def reason(error: BaseException) -> str:
    """Why the analysis gave up, with the line of the user's code that asks for it; a long formula is cut short."""
    text = str(error)
    if len(text) > LONGEST_REASON:
        text = f"{text[: LONGEST_REASON // 2]} … {text[-LONGEST_REASON // 2 :]}"
    place = origin(error)[0]
    location = place.location() if place is not None else None
    return f"{text} (at {Path(location.path).name}:{location.line})" if location is not None else text


def first_line(error: BaseException) -> str:
    """An exception's message, its first line only."""
    text = str(error).strip().splitlines()
    return text[0] if text else type(error).__name__
