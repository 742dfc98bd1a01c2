"""Branches whose two sides go on at the same place: ``a or b`` where ``b`` is true anyway, ``a and b`` where it is not.

``q_length == 1 or kv_length == q_length``, which every decoder of transformers asks: both are one size, and whether it
is 1 makes no difference. Followed for either outcome, all layers of the model would be run twice.
"""

from __future__ import annotations

import dis
import functools
import operator
from collections.abc import Callable
from dataclasses import dataclass
from types import CodeType, FrameType
from typing import Any

from shapelint.sizes import Condition, Domain, TooComplex
from shapelint.tracing.places import is_internal
from shapelint.tracing.values import SIZES

_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_NOTHING = frozenset({"CACHE", "EXTENDED_ARG", "NOT_TAKEN", "NOP", "TO_BOOL"})
"""Instructions that change nothing, or that the jump after them does too."""


@dataclass(frozen=True, slots=True)
class _Jump:
    """A jump on a truth value.

    Attributes:
        on: the truth for which it is made,
        to: where it leads then,
        past: and otherwise.
    """

    on: bool
    to: int
    past: int


@dataclass(frozen=True, slots=True)
class _Operand:
    """A variable of the function, or a constant."""

    name: str | None
    value: Any = None

    def read(self, variables: dict[str, Any]) -> Any:
        return self.value if self.name is None else variables.get(self.name)


@dataclass(frozen=True, slots=True)
class _Comparison:
    """A comparison of variables and constants, and the jump on it."""

    function: Callable[[Any, Any], Any]
    operands: tuple[_Operand, ...]
    jump: _Jump


def decided_below(frame: FrameType, domain: Domain) -> bool | None:
    """The outcome to take of the condition that a frame branches on, if what follows leads to one place from either.

    ``None`` if it may make a difference.
    """
    code = frame.f_code
    if is_internal(code):
        return None
    jump, comparisons = _branch_at(code, frame.f_lasti)
    if jump is None:
        return None
    variables = frame.f_locals
    at = jump.past
    for comparison in comparisons:
        truth = _truth(comparison, variables, domain)
        if truth is None:
            return None
        at = comparison.jump.to if truth is comparison.jump.on else comparison.jump.past
        if at == jump.to:
            return jump.on
        if at != comparison.jump.past:
            return None
    return None


def _truth(comparison: _Comparison, variables: dict[str, Any], domain: Domain) -> bool | None:
    """Whether a comparison of sizes holds for all of these, or for none; ``None`` if neither is known."""
    values = [operand.read(variables) for operand in comparison.operands]
    if not SIZES.issuperset(map(type, values)):
        return None  # to compare other things may do anything
    try:
        condition = comparison.function(*values)
        return domain.status(condition) if isinstance(condition, Condition) else bool(condition)
    except TooComplex:
        return None  # then both outcomes are followed


@functools.lru_cache(maxsize=1024)
def _branch_at(code: CodeType, offset: int) -> tuple[_Jump | None, tuple[_Comparison, ...]]:
    """The jump that an instruction makes or leads to, and the comparisons with jumps right after it."""
    instructions = list(dis.get_instructions(code))
    position = next((at for at, each in enumerate(instructions) if each.offset == offset), len(instructions))
    jump, position = _jump_at(instructions, position)
    comparisons: list[_Comparison] = []
    while jump is not None:
        comparison, position = _comparison_at(instructions, position)
        if comparison is None:
            break
        comparisons.append(comparison)
    return jump, tuple(comparisons)


def _jump_at(instructions: list[dis.Instruction], position: int) -> tuple[_Jump | None, int]:
    """A jump forward on the value that was computed last, and where the instructions after it begin."""
    position = _past_nothing(instructions, position)
    if position >= len(instructions):
        return None, position
    found = instructions[position]
    ends = (found.opname.endswith("_IF_TRUE"), found.opname.endswith("_IF_FALSE"))
    position = _past_nothing(instructions, position + 1)
    if not any(ends) or not found.opname.startswith("POP_JUMP") or position >= len(instructions):
        return None, position
    if found.argval <= found.offset:
        return None, position
    return _Jump(ends[0], _begin(instructions, found.argval), instructions[position].offset), position


def _begin(instructions: list[dis.Instruction], offset: int) -> int:
    """The instruction that a jump comes to, after those that change nothing."""
    at = next((at for at, each in enumerate(instructions) if each.offset >= offset), len(instructions))
    at = _past_nothing(instructions, at)
    return instructions[at].offset if at < len(instructions) else offset


def _past_nothing(instructions: list[dis.Instruction], position: int) -> int:
    while position < len(instructions) and instructions[position].opname in _NOTHING:
        position += 1
    return position


def _comparison_at(instructions: list[dis.Instruction], position: int) -> tuple[_Comparison | None, int]:
    operands: list[_Operand] = []
    while position < len(instructions) and len(operands) < 2:
        found = instructions[position]
        if found.opname.startswith("LOAD_FAST") and found.opname != "LOAD_FAST_AND_CLEAR":
            names = found.argval if isinstance(found.argval, tuple) else (found.argval,)
            operands += map(_Operand, names)
        elif found.opname in ("LOAD_CONST", "LOAD_SMALL_INT"):
            operands.append(_Operand(None, found.argval))
        elif found.opname not in _NOTHING:
            return None, position
        position += 1
    position = _past_nothing(instructions, position)
    if len(operands) != 2 or position >= len(instructions) or instructions[position].opname != "COMPARE_OP":
        return None, position
    function = _COMPARISONS.get(instructions[position].argval)
    jump, position = _jump_at(instructions, position + 1)
    if function is None or jump is None:
        return None, position
    return _Comparison(function, tuple(operands), jump), position
