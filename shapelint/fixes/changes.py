"""A change to a model as data, and trying it on the model in memory."""

from __future__ import annotations

import contextlib
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import torch.nn.functional as functional
from torch import nn

from shapelint.diagnostics import Edit, Fix, Location
from shapelint.fixes.names import Names
from shapelint.network.scales import scale_of
from shapelint.network.steps import argument_names, kind_of, parameters_of
from shapelint.ops import registry
from shapelint.tracing.places import caller
from shapelint.tracing.record import Call, Place

Targets = Mapping[tuple[str, Fraction], Any]
"""The size to return, by the input size an axis comes from and the scale it arrives at."""


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """One layer's or call's parameter with another value.

    Attributes:
        call: a traced call of the layer or function.
        attribute: "output_padding", "padding", "output_size", "size", or the number of channels that a layer takes.
        value: an int, a tuple by axis, "same"; for sizes, ``None``.
        targets: for "output_size" and "size": what to return.
        names: for "output_size" and "size": filled while the change is tried, with what has this size in ``forward``.
    """

    call: Call
    attribute: str
    value: Any = None
    targets: Targets | None = None
    names: Names = field(default_factory=Names)

    @property
    def layer(self) -> str:
        """The layer's path; for a function, the path of the module whose forward calls it."""
        return self.call.layer

    @property
    def key(self) -> object:
        """Equal for changes of the same thing."""
        place = self.call.place
        own: object = self.layer
        if self.call.kind != "module":
            own = place and (place.code, place.instruction, id(self.weight))
        return own, self.attribute

    @property
    def weight(self) -> Any:
        """What tells calls of a function from one place apart; sizes are told by where they are from."""
        return None if self.targets is not None else _known_weight(parameters_of(self.call))

    def tried(self, model: nn.Module) -> AbstractContextManager[None]:
        """The model with the change, within the block; afterwards it is as it was."""
        layer = layer_of(model, self.call)
        if layer is None:
            return calls_replaced(self.call, lambda rule, args, kwargs: _with_change(self, rule, args, kwargs))
        return _attribute_changed(self, layer) if self.targets is None else _told_its_size(model, self)


class Rewrite(Change):
    """A change of what ``forward`` does. Each kind knows how to try itself on the model, and how to be written."""

    __slots__ = ()

    @abstractmethod
    def tried(self, model: nn.Module) -> AbstractContextManager[None]: ...

    @abstractmethod
    def edits(self, model: nn.Module) -> Iterable[Edit]:
        """The edits of the source.

        Raises:
            CannotEditError: it cannot be written there; the message says why.
        """


@dataclass(frozen=True, slots=True)
class Amendment:
    """A change as plain data, for whoever edits the source.

    Attributes:
        layer: the layer's path in the model; for a function, that of the module whose forward calls it.
        attribute: as in :class:`Change`, or what kind of :class:`Rewrite` it is.
        value: an int, a tuple by axis, or "same"; ``None`` where a size of another tensor is meant.
        like: whose size, for "output_size" and "size": the path of the encoder layer that gets this size.
        use: the call in ``forward``.
    """

    layer: str
    attribute: str
    value: int | tuple[int, ...] | str | None
    like: str | None
    use: Location | None


@dataclass(frozen=True, slots=True)
class ProposedFix(Fix):
    """A fix with the changes it consists of.

    Attributes:
        amendments: all that must be changed together.
    """

    amendments: tuple[Amendment, ...] = ()


@contextlib.contextmanager
def applied(model: nn.Module, changes: Sequence[Change]) -> Iterator[None]:
    """The model with the changes, within the block; afterwards it is as it was."""
    with contextlib.ExitStack() as stack:
        for change in changes:
            stack.enter_context(change.tried(model))
        yield


def layer_of(model: nn.Module, call: Call) -> nn.Module | None:
    """The layer that a call is of. One that is derived from torch's own calls the function itself."""
    if call.kind == "module":
        return call.module
    owner = model.get_submodule(call.layer)
    return owner if isinstance(owner, nn.modules.conv._ConvNd) else None


@contextlib.contextmanager
def _attribute_changed(change: Change, module: Any) -> Iterator[None]:
    before = {name: getattr(module, name) for name in _affected(module, change.attribute)}
    axes = len(module.kernel_size) if isinstance(module.kernel_size, tuple) else 1
    value = (change.value,) * axes if isinstance(change.value, int) else change.value
    try:
        setattr(module, change.attribute, value)
        if "_reversed_padding_repeated_twice" in before:
            module._reversed_padding_repeated_twice = _both_ends(module, value)
        yield
    finally:
        for name, old in before.items():
            setattr(module, name, old)


def _both_ends(module: Any, padding: tuple[int, ...] | str) -> list[int]:
    """The padding as ``F.pad`` takes it; "same" pads one more at the end where the two cannot be equal."""
    if isinstance(padding, tuple):
        return [p for p in reversed(padding) for _ in range(2)]
    totals = [d * (k - 1) for d, k in zip(module.dilation, module.kernel_size, strict=True)]
    return [p for total in reversed(totals) for p in (total // 2, total - total // 2)]


def _affected(module: nn.Module, attribute: str) -> list[str]:
    derived = "_reversed_padding_repeated_twice"
    return [attribute, derived] if attribute == "padding" and hasattr(module, derived) else [attribute]


class _ToldItsSize(nn.Module):
    """Stands in a layer's place and tells it which size to return."""

    def __init__(self, inner: nn.Module, change: Change) -> None:
        super().__init__()
        assert change.targets is not None
        self.inner = inner
        self.targets = change.targets
        self.kind = kind_of(change.call)
        self.names = change.names
        self.code = change.call.place.code if change.call.place is not None else None

    def forward(self, x: Any, *rest: Any, **options: Any) -> Any:
        size = wanted_size(x, self.targets, _axes_of(self.inner, x))
        if size is None:
            return self.inner(x, *rest, **options)
        self.names.note(self.code, size, len(size))
        if self.kind == "resize":
            mode, corners = getattr(self.inner, "mode", "nearest"), getattr(self.inner, "align_corners", None)
            return functional.interpolate(x, size=size, mode=mode, align_corners=corners)
        return self.inner(x, *rest[:1], **{**options, "output_size": size})


@contextlib.contextmanager
def _told_its_size(model: nn.Module, change: Change) -> Iterator[None]:
    with layer_replaced(model, change.call.target, _ToldItsSize(change.call.target, change)):
        yield


@contextlib.contextmanager
def layer_replaced(model: nn.Module, layer: nn.Module, stand_in: nn.Module) -> Iterator[None]:
    """The model with another module in a layer's place, wherever it stands."""
    owners = [(owner, name) for owner in model.modules() for name, child in owner._modules.items() if child is layer]
    try:
        for owner, name in owners:
            owner._modules[name] = stand_in
        yield
    finally:
        for owner, name in owners:
            owner._modules[name] = layer


def wanted_size(x: Any, targets: Targets, axes: int) -> list[Any] | None:
    """For each spatial axis of ``x`` the size that belongs to the scale it arrives at; else the axis' own.

    None where no axis arrives at a scale that is known.
    """
    sizes = tuple(x.shape)[-axes:]
    wanted = [targets.get(scale_of(size) or ("", Fraction(0))) for size in sizes]
    if all(size is None for size in wanted):
        return None
    return [size if known is None else known for size, known in zip(sizes, wanted, strict=True)]


def _axes_of(module: nn.Module, x: Any) -> int:
    kernel = getattr(module, "kernel_size", None)
    return len(kernel) if isinstance(kernel, tuple) else len(x.shape) - 2


Wrapper = Callable[[Callable[..., Any], tuple[Any, ...], dict[str, Any]], Any]


@contextlib.contextmanager
def calls_replaced(call: Call, wrapper: Wrapper) -> Iterator[None]:
    """While tracing, a function called from this one place in the source is a wrapper that gets its rule."""
    target, here = call.target, call.place
    rule = registry.function_rule(target)
    assert rule is not None

    def changed(*args: Any, **kwargs: Any) -> Any:
        return wrapper(rule, args, kwargs) if _same(caller(), here) else rule(*args, **kwargs)

    registry._FUNCTION_RULES[target] = changed
    try:
        yield
    finally:
        registry._FUNCTION_RULES[target] = rule


def _known_weight(given: Mapping[str, Any]) -> nn.Parameter | None:
    """The weight that a function is given, if it is the model's own; one that is computed is another each time."""
    weight = given.get("weight")
    return weight if isinstance(weight, nn.Parameter) else None


def _same(a: Place | None, b: Place | None) -> bool:
    return a is not None and b is not None and a.code is b.code and a.instruction == b.instruction


def _with_change(change: Change, rule: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    names = argument_names(change.call)
    given = {**dict(zip(names, args, strict=False)), **kwargs}
    if change.targets is None:
        if _known_weight(given) is not change.weight:
            return rule(*args, **kwargs)
        given[change.attribute] = change.value
    else:
        x = given["input"]
        size = wanted_size(x, change.targets, len(x.shape) - 2)
        if size is None:
            return rule(*args, **kwargs)
        change.names.note(change.call.place.code if change.call.place is not None else None, size, len(size))
        given[change.attribute] = size
        given.pop("scale_factor", None)
        given.pop("recompute_scale_factor", None)
    return rule(**given)
