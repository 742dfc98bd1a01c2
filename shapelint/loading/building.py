"""From a target to an ``nn.Module`` in memory, without weights.

A model is built on the meta device, where parameters have sizes and no contents. Where ``__init__`` cannot run
there (it reads a value: ``.item()``, ``.tolist()``), it is built on the CPU with parameter initialisation left out.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final
from unittest import mock

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from shapelint.diagnostics import Location
from shapelint.loading.arguments import CannotGuess, plans, required_parameters
from shapelint.loading.discover import Kind, Target
from shapelint.loading.errors import BAD_INPUT, CANNOT_CONSTRUCT, LoadError
from shapelint.loading.importing import attribute, elsewhere, reason_of, user_location
from shapelint.results import Assumption

DEVICES: Final = ("meta", "cpu")
_RANDOM_FILLS: Final = frozenset(
    getattr(torch.Tensor, name)
    for name in ("uniform_", "normal_", "bernoulli_", "exponential_", "log_normal_", "cauchy_", "geometric_", "random_")
)
_LOADERS: Final = (
    "torch.load",
    "torch.hub.load",
    "torch.hub.load_state_dict_from_url",
    "torch.hub.download_url_to_file",
)


@dataclass(frozen=True, slots=True)
class Built:
    """A model, and how it came to be.

    Attributes:
        model: in evaluation mode.
        name: what reports call it.
        location: where its class is defined, or where the target stands.
        assumptions: argument values that nobody gave.
        expression: code that builds the same model.
        device: "meta" or "cpu".
    """

    model: nn.Module
    name: str
    location: Location
    assumptions: tuple[Assumption, ...]
    expression: str
    device: str


class WeightsRefusedError(RuntimeError):
    """User code tried to load weights; sizes do not depend on them."""


def build(module: ModuleType, target: Target, path: Path, *, device: str | None = None) -> Built:
    """Build one target of an imported file, on ``device`` or the first of meta and CPU on which it can be built.

    Raises:
        LoadError: SL902 with the line in the user's file and the way out; SL906 for a name that is not there.
    """
    devices = DEVICES if device is None else (device,)
    if target.kind is Kind.EXPRESSION:
        return _finish(_evaluated(module, target.expression, target, path, devices), target, (), target.expression)
    value = attribute(module, target.expression, target.location)
    if isinstance(value, nn.Module):
        return _finish((value, "cpu"), target, (), target.expression)
    if not callable(value):
        raise LoadError(BAD_INPUT, f"{target.name} is a {type(value).__name__}, not a model", target.location)
    return _called(module, value, target, path, devices)


def _called(
    module: ModuleType, callee: Callable[..., Any], target: Target, path: Path, devices: tuple[str, ...]
) -> Built:
    """Call a class or builder, with its file's own arguments or assumed ones where it requires any."""
    try:
        required = required_parameters(callee)
    except (ValueError, TypeError):
        required = ()
    if not required:
        expression = f"{target.expression}()"
        return _finish(_construct(callee, {}, target, path, devices, expression), target, (), expression)
    failures: list[LoadError] = []
    for call in target.calls:
        try:
            made = _evaluated(module, call, target, path, devices)
        except LoadError as error:
            failures.append(error)
        else:
            return _finish(made, target, (), call)
    try:
        for plan in plans(callee):
            expression = call_expression(target.expression, plan)
            try:
                made = _construct(callee, plan, target, path, devices, expression)
            except LoadError as error:
                failures.append(error)
            else:
                assumed = tuple(Assumption(name, show_value(value)) for name, value in plan.items())
                return _finish(made, target, assumed, expression)
    except CannotGuess as unknown:
        raise _needs_arguments(target, required, unknown.names, failures, path) from unknown
    raise _needs_arguments(target, required, (), failures, path)


def _needs_arguments(
    target: Target,
    required: tuple[inspect.Parameter, ...],
    unknown: tuple[str, ...],
    failures: list[LoadError],
    path: Path,
) -> LoadError:
    names = ", ".join(parameter.name for parameter in required)
    call = f"{target.expression}({', '.join(f'{parameter.name}=...' for parameter in required)})"
    if unknown:
        one = len(unknown) == 1
        problem = f"{'a value' if one else 'values'} for {' and '.join(unknown)} cannot be guessed"
    else:
        said = failures[0].message.partition(" raised ")[2]
        problem = f"the values that were tried do not fit; the first attempt said: {said}"
    return LoadError(
        CANNOT_CONSTRUCT,
        f"cannot construct {target.name}: it needs {names}, and {problem}. "
        f"Name them: shapelint check {path} --model '{call}'",
        target.location,
        guessed=True,
    )


def _construct(
    callee: Callable[..., Any],
    arguments: dict[str, Any],
    target: Target,
    path: Path,
    devices: tuple[str, ...],
    expression: str,
) -> tuple[nn.Module, str]:
    return _first_success(lambda: callee(**arguments), target, path, devices, expression)


def _evaluated(
    module: ModuleType, expression: str, target: Target, path: Path, devices: tuple[str, ...]
) -> tuple[nn.Module, str]:
    names = {"torch": torch, "nn": nn, **vars(module)}
    # The user's own code on the user's own file: what they could have written at its end.
    return _first_success(lambda: eval(expression, names), target, path, devices, expression)  # noqa: S307


def _first_success(
    make: Callable[[], Any], target: Target, path: Path, devices: tuple[str, ...], expression: str
) -> tuple[nn.Module, str]:
    failure: BaseException | None = None
    for device in devices:
        try:
            with _cheaply(device):
                value = make()
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            failure = error
        else:
            if isinstance(value, nn.Module):
                return value, device
            raise LoadError(
                CANNOT_CONSTRUCT,
                f"{expression} is a {type(value).__name__}, not an nn.Module; name an expression that makes the model",
                target.location,
            )
    assert failure is not None
    raise _explain(failure, expression, target, path) from failure


def _explain(error: BaseException, expression: str, target: Target, path: Path) -> LoadError:
    location = user_location(error, path)
    if location.line == 1 and location.end_line is None:
        location = target.location
    if isinstance(error, WeightsRefusedError):
        message = f"{expression} tried to load weights{elsewhere(error, path)}: {error}"
    elif isinstance(error, SystemExit):
        message = f"{expression} raised SystemExit({error.code!r}){elsewhere(error, path)}"
    else:
        message = f"{expression} raised {reason_of(error)}{elsewhere(error, path)}"
    return LoadError(CANNOT_CONSTRUCT, message, location)


def _finish(made: tuple[nn.Module, str], target: Target, assumptions: tuple[Assumption, ...], expression: str) -> Built:
    model, device = made
    return Built(model.eval(), target.name, target.location, assumptions, expression, device)


@contextlib.contextmanager
def _cheaply(device: str) -> Iterator[None]:
    """Parameters on ``device`` without contents, random state untouched, weights refused."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(torch.random.fork_rng(devices=[]))
        for loader in _LOADERS:
            stack.enter_context(mock.patch(loader, _refuse(loader)))
        if device == "cpu":
            stack.enter_context(_without_initialisation())
        stack.enter_context(torch.device(device))
        yield


def _refuse(loader: str) -> Callable[..., Any]:
    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise WeightsRefusedError(
            f"{loader} is not allowed here, sizes do not need weights; "
            "construct it without (weights=None, pretrained=False)"
        )

    return refuse


@contextlib.contextmanager
def _without_initialisation() -> Iterator[None]:
    """``torch.nn.init`` does nothing, and neither do random in-place fills: time is spent on sizes alone."""
    with contextlib.ExitStack() as stack:
        for name, function in vars(nn.init).items():
            if inspect.isfunction(function) and name.endswith("_") and not name.startswith("_"):
                stack.enter_context(mock.patch.object(nn.init, name, _return_tensor))
        stack.enter_context(_SkipRandomFills())
        yield


def _return_tensor(tensor: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
    return tensor


class _SkipRandomFills(TorchFunctionMode):
    """Also reaches initialisers that were imported by name before ``torch.nn.init`` was replaced."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in _RANDOM_FILLS:
            return args[0]
        return func(*args, **(kwargs or {}))


def call_expression(name: str, arguments: dict[str, Any]) -> str:
    """``UNet(n_channels=3, n_classes=2)``."""
    return f"{name}({', '.join(f'{key}={show_value(value)}' for key, value in arguments.items())})"


def show_value(value: Any) -> str:
    """A value as one would write it: ``nn.BatchNorm2d``, not ``<class 'torch...'>``."""
    if isinstance(value, type):
        prefix = "nn." if value.__module__.startswith("torch.nn.") else ""
        return f"{prefix}{value.__name__}"
    if isinstance(value, nn.Module):
        return f"nn.{type(value).__name__}()"
    if callable(value) and hasattr(value, "__name__"):
        return f"torch.{value.__name__}"
    return repr(value)
