"""The one registry of shape rules: what an operation does to sizes, keyed by torch function or module class.

Adding an operation is one function::

    @shape_rule("relu", "relu_", nn.ReLU)
    def same_shape(input, *args, **kwargs):
        return Spec(input.shape)

A name is looked up in ``torch``, ``torch.Tensor``, ``torch.nn.functional`` and the C modules behind them,
and everything found is registered; a dotted name ("fft.rfft") in ``torch.<...>``. An operator of another package
("torchvision::nms") is registered by its name, and need not be there. Functions and ``nn.Module`` classes are
registered as they are. A module class's rule is called with the module first.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, Protocol, TypeGuard, TypeVar, runtime_checkable

import torch
from torch import nn

from shapelint.ops.normalized import layer_class
from shapelint.sizes import Size

Rule = Callable[..., Any]
RuleT = TypeVar("RuleT", bound=Rule)
Target = str | Callable[..., Any] | type[nn.Module]


class Unsupported(Exception):
    """Raised by a rule that cannot express what the operation does; the reason is shown to the reader."""


class DependsOnContents(Unsupported):
    """Raised by a rule of an operation whose result has as many elements as the contents of tensors say."""


@runtime_checkable
class TensorLike(Protocol):
    """What rules may ask of a tensor: a traced one, or a real parameter or buffer."""

    @property
    def shape(self) -> tuple[Size, ...]: ...
    @property
    def dtype(self) -> torch.dtype: ...
    @property
    def ndim(self) -> int: ...


@dataclasses.dataclass(slots=True)
class Spec:
    """What a rule says of one resulting tensor. Not frozen, which takes twice as long, once for every operation.

    Attributes:
        shape: the sizes, each a plain int or a symbolic ``Dim``.
        dtype: ``None`` means the dtype of the operation's first tensor argument.
        value: what is known of the contents: nested lists of sizes where later code may read them back
            (``torch.tensor([h, w])``), or an object of the rules' own; ``None`` if nothing is.
        order: the dimensions as they lie in memory, the outermost first, where that is not row by row.
    """

    shape: tuple[Size, ...]
    dtype: torch.dtype | None = None
    value: Any = None
    order: tuple[int, ...] | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Runs:
    """What a rule says of as many tensors as a size: pieces, each with how often it is repeated (at least once)."""

    pieces: tuple[tuple[Spec, Size], ...]


_FUNCTION_RULES: dict[Any, Rule] = {}
_MODULE_RULES: dict[type[nn.Module], Rule] = {}
_OPERATOR_RULES: dict[str, Rule] = {}
_NAMESPACES: tuple[Any, ...] = (
    torch,
    torch.Tensor,
    torch.nn.functional,
    torch._C._nn,
    torch._C._VariableFunctions,
)


def shape_rule(*targets: Target) -> Callable[[RuleT], RuleT]:
    """Register the decorated function as the shape rule of every target.

    Raises:
        ValueError: a name is found nowhere, or a target has a rule already.
    """

    def register(rule: RuleT) -> RuleT:
        for target in targets:
            if isinstance(target, str) and "::" in target:
                _note(_OPERATOR_RULES, target, rule)
                continue
            for found in resolve(target):
                _add(found, rule)
        return rule

    return register


function_rule: Callable[[Any], Rule | None] = _FUNCTION_RULES.get
"""The rule of a torch function, method or operator, if it has one."""


def operator_rule(func: Any) -> Rule | None:
    """The rule of another package's operator, which may have been loaded after the rules were."""
    name = getattr(func, "_qualified_op_name", None) or getattr(getattr(func, "_schema", None), "name", None)
    return _OPERATOR_RULES.get(name) if isinstance(name, str) else None


def module_rule(module: nn.Module) -> Rule | None:
    """The rule of exactly this module's class: a subclass may have another ``forward``."""
    return _MODULE_RULES.get(layer_class(module))


def rules_in(*modules: ModuleType) -> tuple[Rule, ...]:
    """The rules that these modules define, of functions and layers."""
    names = {module.__name__ for module in modules}
    rules = (*_FUNCTION_RULES.values(), *_MODULE_RULES.values(), *_OPERATOR_RULES.values())
    return tuple(dict.fromkeys(rule for rule in rules if rule.__module__ in names))


def name_of(target: Any) -> str:
    """What people call an operation: ``torch.nonzero``, ``Tensor.reshape``, ``LayerNorm``."""
    if isinstance(target, nn.Module):
        return layer_class(target).__name__
    # a scripted method has its name in ``name``
    named = (getattr(target, attribute, None) for attribute in ("__qualname__", "__name__", "name"))
    name = str(next(filter(None, named), target))
    owner, _, rest = name.partition(".")
    return f"{_OWNERS[owner]}.{rest}" if owner in _OWNERS else name


_OWNERS = {"_VariableFunctionsClass": "torch", "TensorBase": "Tensor"}
"""How PyTorch's own classes behind its functions are written."""


def is_tensor(value: Any) -> TypeGuard[TensorLike]:
    """Whether a rule's argument is a tensor, traced or real."""
    return isinstance(value, torch.Tensor)


def _add(target: Any, rule: Rule) -> None:
    is_module = isinstance(target, type) and issubclass(target, nn.Module)
    _note(_MODULE_RULES if is_module else _FUNCTION_RULES, target, rule)


def _note(table: dict[Any, Rule], target: Any, rule: Rule) -> None:
    known = table.get(target)
    if known is not None and known is not rule:
        raise ValueError(f"{target!r} already has the shape rule {known.__module__}.{known.__qualname__}")
    table[target] = rule


def resolve(target: Target) -> Iterator[Any]:
    if not isinstance(target, str):
        yield target
        return
    found = list(_lookup(target))
    if not found:
        raise ValueError(f"no torch function is named {target!r}")
    yield from found


def _lookup(name: str) -> Iterator[Any]:
    if "." in name:
        value: Any = torch
        for part in name.split("."):
            value = getattr(value, part, None)
        if value is not None:
            yield value
        return
    for namespace in _NAMESPACES:
        value = getattr(namespace, name, None)
        # bound methods (torch._C._nn builtins) hash by identity of the builtin, so each is its own target
        if callable(value):
            yield value
        elif type(value).__name__ == "getset_descriptor":
            yield value.__get__
