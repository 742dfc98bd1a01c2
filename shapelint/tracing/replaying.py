"""What one run of a forward has found out about its parts, for the runs that follow.

Another path through a forward makes the same calls up to the branch where it leaves the earlier one. Those calls
are not made again if all they did was to return a value: the value is handed out anew, as it was then. So a crop at
the end (``if x.shape[-1] > n: x = x[..., :n]``) does not make the network be walked through twice.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from types import FunctionType
from typing import Any

import torch
from torch import nn

from shapelint.sizes import Dim, Domain
from shapelint.tracing import joining
from shapelint.tracing.looking import look_at
from shapelint.tracing.tensor import SymbolicTensor, tensor_with

Callee = nn.Module | FunctionType
"""What is explored when it is called: a module, or a function of the model's own code."""

PLAIN = (type(None), bool, int, float, str, torch.dtype, torch.device, torch.Size, Dim)
"""Values that nothing can change."""


def own_call(model: nn.Module) -> FunctionType | None:
    """The call that a model's class puts in the place of PyTorch's, around ``forward`` or without one.

    What PyTorch puts there itself (of a traced or compiled module) only wraps ``forward``.
    """
    call: Any = type(model).__call__
    if type(call) is FunctionType and call.__module__.partition(".")[0] != "torch":
        return call
    return None


@dataclass(frozen=True, slots=True)
class Played:
    """One call within a forward, and how it ended.

    Attributes:
        domain: the sizes that are left after it.
        structure: the returned value's, with ``leaves``.
        leaves: its tensors, each with what was known of it when the call returned, and sizes.
    """

    callee: Callee
    domain: Domain
    structure: Any
    leaves: tuple[tuple[Any, dict[str, Any] | None], ...]

    def value(self) -> Any:
        """The returned value once more, in tensors of its own."""
        copies: dict[int, Any] = {}
        leaves = iter([_copied(leaf, known, copies) for leaf, known in self.leaves])
        return joining.unflatten(self.structure, lambda: next(leaves))


@dataclass(frozen=True, slots=True)
class Alternatives:
    """One call that returned another structure for other sizes: the caller branches on which."""

    callee: Callee
    calls: tuple[Played, ...]


def played(callee: Callee, domain: Domain, given: Iterable[Any], value: Any) -> Played | None:
    """The call written down, ``None`` if returning this value need not be all that it did.

    Args:
        given: its arguments. A list, a dict or an object among them may have been changed by the call, and a tensor
            that is returned as it came must be the caller's own.
    """
    taken: list[Any] = []
    if not all(_is_plain(argument, taken) for argument in given):
        return None
    if type(value) is SymbolicTensor:
        # what nearly every module returns
        is_callers = any(value is tensor for tensor in taken)
        return None if is_callers else Played(callee, domain, _ONE_TENSOR, ((value, look_at(value).copy()),))
    leaves: list[Any] = []
    structure = joining.flatten(value, leaves)
    if not _is_known(structure) or any(leaf is tensor for leaf in leaves for tensor in taken):
        return None
    kept = [(leaf, look_at(leaf).copy() if type(leaf) is SymbolicTensor else None) for leaf in leaves]
    return Played(callee, domain, structure, tuple(kept))


def _copied(leaf: Any, known: dict[str, Any] | None, copies: dict[int, Any]) -> Any:
    """A size as it is; a tensor anew, once for each tensor there was."""
    if known is None:
        return leaf
    if id(leaf) not in copies:
        copies[id(leaf)] = tensor_with(known)
    return copies[id(leaf)]


_ONE_TENSOR = ("tensor",)
"""The structure of a value that is one, which takes no more telling."""


def _is_plain(value: Any, tensors: list[Any]) -> bool:
    if isinstance(value, torch.Tensor):
        tensors.append(value)
        return True
    if type(value) is tuple:
        return all(_is_plain(item, tensors) for item in value)
    # what is set on a module is written down where that happens
    return isinstance(value, (*PLAIN, nn.Module))


def _is_known(structure: Any) -> bool:
    """Whether a structure of :func:`joining.flatten` has no objects in it that a later run could have changed."""
    if structure == "size" or structure[0] == "tensor":
        return True
    kind = structure[0]
    if kind == "value":
        return isinstance(structure[1], (*PLAIN, torch.Tensor))
    if issubclass(kind, dict):
        return all(map(_is_known, structure[2]))
    return issubclass(kind, (list, tuple)) and all(map(_is_known, structure[1]))
