"""Running a model for real at one size: what is proven is checked against it, and what cannot be is asked of it."""

from __future__ import annotations

import copy
import dataclasses
import functools
import math
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import UninitializedBuffer, is_lazy

from shapelint.sizes import path as paths
from shapelint.sizes.dim import Dim, evaluate
from shapelint.tracing.inputs import Contents, Inputs
from shapelint.tracing.loops.repeated import Repeated
from shapelint.tracing.patches import Patches, eagerly
from shapelint.tracing.record import size_at
from shapelint.tracing.tensor import SymbolicTensor
from shapelint.unknown import DATA_DEPENDENT, agreed

LITTLE_WORK = 10_000_000
"""With at most this many multiplications a model that has its weights is run on the CPU: it checks more, as fast."""


class TooMuchWork(RuntimeError):
    """A run that was not made, since it would take too long."""


@dataclasses.dataclass(frozen=True, slots=True)
class Result:
    """What a run gave: the output's structure with tuples for tensors, or the exception; and on which device."""

    output: Any = None
    error: Exception | None = None
    device: str = "meta"


class Runner:
    """Runs copies of a model at concrete sizes, on the meta device, or on the CPU where that is not enough."""

    def __init__(self, model: nn.Module, inputs: Inputs, *, training: bool = False) -> None:
        self._original = model
        self._training = training
        self._inputs = inputs
        self._copies: dict[str, nn.Module] = {}
        self._device = "meta" if _can_leave(model) else "cpu"
        held = (*model.parameters(), *model.buffers())
        self._has_contents = not any(is_lazy(tensor) or tensor.is_meta for tensor in held)
        self._known: dict[tuple[tuple[str, int], ...], Result] = {}
        self._agreed: dict[tuple[tuple[str, int], ...], Result] = {}

    def run(self, env: Mapping[str, int], *, most: float = math.inf) -> Result:
        """One run; each on a fresh copy, since a model may keep state between calls.

        Where the meta device is not enough, and the CPU would have to do more than ``most`` multiplications (were every
        parameter used at every place of the first input), the result is a ``TooMuchWork``.
        """
        key = tuple(sorted(env.items()))
        if key not in self._known:
            result = self._run_on(self._preferred(env), env)
            if result.error is not None and result.device == "meta" and _is_meta_limit(result.error):
                if self._work(env) > most:
                    return Result(None, TooMuchWork("the meta device cannot run it, and it is too large for the CPU"))
                result = self._run_on("cpu", env)
            self._known[key] = result
        return self._known[key]

    def _preferred(self, env: Mapping[str, int]) -> str:
        return "cpu" if self._has_contents and self._work(env) <= LITTLE_WORK else self._device

    def _work(self, env: Mapping[str, int]) -> float:
        places = math.prod(evaluate(size, env) for size in self._inputs.main_shape()[2:])
        return places * sum(parameter.numel() for parameter in self._original.parameters())

    def output(self, env: Mapping[str, int]) -> Result:
        """As ``run``; sizes that are not the same for tensors with other contents are ``DATA_DEPENDENT``.

        What runs on the meta device cannot depend on contents: there are none.
        """
        result = self.run(env)
        key = tuple(sorted(env.items()))
        if result.error is not None or result.device == "meta":
            return result
        if key not in self._agreed:
            output = result.output
            for contents in _OTHER_CONTENTS:
                other = self._run_on("cpu", env, contents)
                output = output if other.error is not None else agreed(output, other.output)
            self._agreed[key] = dataclasses.replace(result, output=output)
        return self._agreed[key]

    def _run_on(self, device: str, env: Mapping[str, int], contents: Contents = torch.zeros) -> Result:
        if device not in self._copies:
            clean = _copy(self._original, device).train(self._training)
            on_meta = any(p.is_meta for p in (*clean.parameters(), *clean.buffers()))
            self._copies[device] = _on_cpu(clean) if device == "cpu" and on_meta else clean.to(device)
        model = _copy(self._copies[device], device)
        before = paths.active()
        paths.activate(None)
        patches = Patches()
        try:
            patches.let_autocast_know_meta()
            args, keywords = self._inputs.concrete(env, device, contents)
            with torch.no_grad(), eagerly(), torch.device(device):
                return Result(shapes(model(*args, **keywords)), device=device)
        except Exception as error:
            return Result(None, error, device)
        finally:
            patches.undo()
            paths.activate(before)


def _noise(scale: float, shape: list[int], *, dtype: torch.dtype, device: str) -> torch.Tensor:
    """The same random numbers each time; 0 and 1 where they have to be whole."""
    chance = torch.Generator().manual_seed(0)
    if dtype.is_floating_point or dtype.is_complex:
        return (torch.randn(shape, generator=chance, dtype=dtype) * scale).to(device)
    return torch.randint(0, 2, shape, generator=chance).to(device, dtype)


# What the one raises above a threshold, the other lowers below it.
_OTHER_CONTENTS: tuple[Contents, ...] = (functools.partial(_noise, 1.0), functools.partial(_noise, -100.0))


def _copy(model: nn.Module, device: str) -> nn.Module:
    """A deep copy; tensors that were computed (an old weight norm's weight) are copied as plain values.

    For the meta device parameters are not copied there first: those of a large model fill the memory.
    """
    memo: dict[int, Any] = {}
    if device == "meta":
        memo.update((id(parameter), _on_meta(parameter)) for parameter in model.parameters() if _is_plain(parameter))
    for module in model.modules():
        for value in vars(module).values():
            kind = type(value)
            if kind in _TABLES and not value and not getattr(value, "__dict__", None):
                memo[id(value)] = kind()  # a module has ten of them, which are most of its copying
            elif isinstance(value, torch.Tensor) and not value.is_leaf:
                memo[id(value)] = value.detach().clone()
    for buffer in model.buffers():
        if isinstance(buffer, UninitializedBuffer):  # which torch cannot copy
            kept: Any = {"device": buffer.device, "dtype": buffer.dtype}
            memo[id(buffer)] = UninitializedBuffer(**kept)
    return copy.deepcopy(model, memo)


_TABLES = frozenset({dict, OrderedDict})


def _is_plain(parameter: nn.Parameter) -> bool:
    """Not lazy or quantized, which have a way of their own to be moved."""
    return type(parameter) is nn.Parameter and not parameter.is_meta


def _on_meta(parameter: nn.Parameter) -> nn.Parameter:
    return nn.Parameter(torch.empty_like(parameter, device="meta"), requires_grad=parameter.requires_grad)


def _on_cpu(model: nn.Module) -> nn.Module:
    """A meta model on the CPU. It never had contents: it gets those of a fresh one, or 0, not what memory holds."""
    model = model.to_empty(device="cpu")
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for tensor in (*model.parameters(), *model.buffers()):
            tensor.zero_()
        for module in model.modules():
            reset = getattr(module, "reset_parameters", None)
            if callable(reset):
                reset()
    return model


def _can_leave(model: nn.Module) -> bool:
    """Whether a model can be moved to the meta device: a scripted module cannot, a lazy layer breaks on the way."""
    scripted = any(isinstance(module, torch.jit.ScriptModule) for module in model.modules())
    return not scripted and not any(map(is_lazy, (*model.parameters(), *model.buffers())))


def _is_meta_limit(error: Exception) -> bool:
    text = str(error)
    return isinstance(error, NotImplementedError) or "meta" in text.lower()


def shapes(value: Any, env: Mapping[str, int] | None = None) -> Any:
    """An output's structure with a tuple of ints for every tensor, for concrete sizes where it is symbolic."""
    if isinstance(value, SymbolicTensor):
        return tuple(size_at(s, env or {}) for s in value.sizes)
    if isinstance(value, torch.Tensor):
        return tuple(value.shape)
    if isinstance(value, Dim):
        return size_at(value, env or {})
    if isinstance(value, Mapping):
        return {k: shapes(v, env) for k, v in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(shapes(v, env) for v in value))
    if isinstance(value, Repeated):
        runs = [(item, size_at(times, env or {})) for item, times in value.runs]
        known = [(item, times) for item, times in runs if times is not DATA_DEPENDENT]
        return (
            [shapes(i, env) for i, times in known for _ in range(times)] if len(known) == len(runs) else DATA_DEPENDENT
        )
    if isinstance(value, (list, tuple)):
        # an empty one is a list: () is the shape of a tensor without dimensions
        return (list if isinstance(value, list) or not value else tuple)(shapes(v, env) for v in value)
    if holds_tensors(value):
        return {name: shapes(v, env) for name, v in vars(value).items()}
    return value


def holds_tensors(value: Any) -> bool:
    """Whether a value is an object (a dataclass, a distribution) with tensors for attributes."""
    if isinstance(value, (type, nn.Module)) or not hasattr(value, "__dict__"):
        return False
    return any(isinstance(v, torch.Tensor) for v in vars(value).values()) or dataclasses.is_dataclass(value)


def tensors(value: Any) -> list[SymbolicTensor]:
    """The symbolic tensors in an output, in order."""
    if isinstance(value, SymbolicTensor):
        return [value]
    if isinstance(value, Mapping):
        return [t for v in value.values() for t in tensors(v)]
    if isinstance(value, Repeated):
        return [t for item, _ in value.runs for t in tensors(item)]
    if isinstance(value, (list, tuple)):
        return [t for v in value for t in tensors(v)]
    if holds_tensors(value):
        return [t for v in vars(value).values() for t in tensors(v)]
    return []
