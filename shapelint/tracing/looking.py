"""Which tensors a call looks at: what it was given and has only handed on can be anything.

While a call is watched, what is known of the tensors it can reach is taken off them, and given back when it is asked
for. So a cache of which a part takes no more than the frames it needs does not make a call another one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shapelint.tracing.tensor import SymbolicTensor

Known = dict[str, Any]
"""The attributes of a symbolic tensor."""

_TAKEN_OFF = ("sizes", "kind", "call", "strided")
_HIDDEN = "hidden"


@dataclass(eq=False, slots=True)
class Watch:
    """One call that is watched.

    Attributes:
        seen: ids of the tensors that it has looked at,
        placed: and of the layouts of which it has asked what they are.
    """

    seen: set[int] = field(default_factory=set)
    placed: set[int] = field(default_factory=set)

    def begin(self, tensors: Iterable[SymbolicTensor], known: Iterable[Known]) -> None:
        """Hide what is known of these tensors."""
        for tensor in tensors:
            _hide(tensor, self)
        for layout in _layouts(known):
            layout.askers.append(self.placed)

    def end(self, tensors: Iterable[SymbolicTensor], known: Iterable[Known]) -> None:
        """Give back what has not been looked at, or leave it to the watch of a call around this one.

        Args:
            known: what was known of the tensors at the beginning.
        """
        for layout in _layouts(known):
            layout.askers.pop()
        for tensor in tensors:
            hidden = vars(tensor).get(_HIDDEN)
            # calls within this one have ended, and one that was looked at is hidden for none of them
            if hidden is not None and hidden.watches[-1] is self:
                hidden.watches.pop()
                if not hidden.watches:
                    look_at(tensor)


@dataclass(eq=False, slots=True)
class _Hidden:
    """What is known of a tensor, and the calls that are to be told when it is looked at, the innermost last."""

    known: Known
    watches: list[Watch]


def known_of(tensor: SymbolicTensor) -> Known:
    """What is known of a tensor, without looking at it for the model. Not to be changed."""
    attributes = vars(tensor)
    hidden = attributes.get(_HIDDEN)
    if hidden is None:
        return attributes
    if len(attributes) == 1:
        known: Known = hidden.known
        return known
    # what has been written since counts
    return {name: value for name, value in {**hidden.known, **attributes}.items() if name != _HIDDEN}


def look_at(tensor: SymbolicTensor) -> Known:
    """All that is known of a tensor, for a call that goes by it."""
    attributes = vars(tensor)
    hidden = attributes.get(_HIDDEN)
    if hidden is not None:
        for watch in hidden.watches:
            watch.seen.add(id(tensor))
        attributes.update(known_of(tensor))
        del attributes[_HIDDEN]
    return attributes


def _hide(tensor: SymbolicTensor, watch: Watch) -> None:
    attributes = vars(tensor)
    hidden = attributes.get(_HIDDEN)
    if hidden is not None and len(attributes) == 1:
        hidden.watches.append(watch)
        return
    known = known_of(tensor).copy()
    for name in _TAKEN_OFF:
        attributes.pop(name, None)
    attributes[_HIDDEN] = _Hidden(known, [watch] if hidden is None else [*hidden.watches, watch])


def _layouts(known: Iterable[Known]) -> list[Any]:
    return [each["strided"] for each in known if each["strided"] is not None]


def taken_off(name: str) -> Any:
    """The descriptor of an attribute that may be hidden."""
    return _TakenOff(name)


class _TakenOff:
    """An attribute of a tensor that may be hidden: Python comes here when the tensor itself does not have it."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, tensor: Any, owner: Any) -> Any:
        if tensor is None:
            return self
        try:
            return look_at(tensor)[self._name]
        except KeyError:
            raise AttributeError(self._name) from None
