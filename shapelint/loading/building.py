"""From a target to an ``nn.Module`` in memory, without weights.

A model is built on the meta device, where parameters have sizes and no contents. Where ``__init__`` cannot run
there (it reads a value: ``.item()``, ``.tolist()``), it is built on the CPU with parameter initialisation left out.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any, Final
from unittest import mock

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from shapelint.diagnostics import Location
from shapelint.loading.arguments import CannotGuess, plans, required_parameters
from shapelint.loading.discover import Kind, Target
from shapelint.loading.errors import BAD_INPUT, CANNOT_CONSTRUCT, LoadError, refusal
from shapelint.loading.importing import attribute, elsewhere, missing, missing_package, reason_of, user_location
from shapelint.network.origins import recording_origins
from shapelint.results import Assumption
from shapelint.words import listed

DEVICES: Final = ("meta", "cpu")
_RANDOM_FILLS: Final = frozenset(
    getattr(torch.Tensor, name)
    for name in ("uniform_", "normal_", "bernoulli_", "exponential_", "log_normal_", "cauchy_", "geometric_", "random_")
)
_FILLING_INITIALISERS: Final = frozenset({nn.init.normal_, nn.init.uniform_, nn.init.kaiming_uniform_})
_MISSING: Final = re.compile(r"missing \d+ required (positional|keyword-only) arguments?: (?P<names>.+)")
_WEIGHTS: Final = re.compile(r"weights|pretrain|checkpoint|ckpt")
_TO_INSTALL: Final = re.compile(r"\bpip3? install\b|\bnot installed\b")
_LOADERS: Final = (
    (torch, "load"),
    (torch.hub, "load"),
    (torch.hub, "load_state_dict_from_url"),
    (torch.hub, "download_url_to_file"),
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
        make: builds it once more; None for an instance that the file holds.
    """

    model: nn.Module
    name: str
    location: Location
    assumptions: tuple[Assumption, ...]
    expression: str
    device: str
    make: Callable[[], Any] | None = field(default=None, repr=False, compare=False)


class WeightsRefusedError(RuntimeError):
    """User code tried to load weights; sizes do not depend on them."""


def build(module: ModuleType, target: Target, path: Path) -> Built:
    """Build one target of an imported file, on the first of meta and CPU on which it can be built.

    Raises:
        LoadError: SL902 with the line in the user's file and the way out; SL906 for a name that is not there.
    """
    return next(alternatives(module, target, path))


def alternatives(
    module: ModuleType, target: Target, path: Path, assume: Mapping[str, Any] = MappingProxyType({})
) -> Iterator[Built]:
    """The model; where its arguments have to be assumed, further ones with other assumptions, built when asked for.

    ``assume`` has values for required arguments by name, which are then not guessed.

    Raises:
        LoadError: as ``build``, if there is none at all.
    """
    builder = _Builder(module, target, path, assume)
    if target.kind is Kind.EXPRESSION:
        yield builder.evaluate(target.expression)
        return
    value = attribute(module, target.expression, target.location)
    if isinstance(value, nn.Module):
        yield Built(
            _finished(value, target.expression, target.location),
            target.name,
            target.location,
            (),
            target.expression,
            "cpu",
        )
    elif callable(value):
        yield from builder.call(value)
    else:
        raise LoadError(BAD_INPUT, f"{target.name} is a {type(value).__name__}, not a model", target.location)


def on_cpu(built: Built) -> Built | None:
    """The same model on the CPU, where its code can read values; None if it cannot be built there."""
    if built.device == "cpu" or built.make is None:
        return None
    try:
        with _cheaply("cpu"):
            model = built.make()
    except Exception:  # it was built on the meta device: that one stands
        return None
    return replace(built, model=model.eval(), device="cpu") if isinstance(model, nn.Module) else None


@dataclass(frozen=True, slots=True)
class _Builder:
    module: ModuleType
    target: Target
    path: Path
    assume: Mapping[str, Any]

    def call(self, callee: Callable[..., Any]) -> Iterator[Built]:
        """Call a class or builder, with its file's own arguments or assumed ones where it requires any."""
        try:
            required = [parameter.name for parameter in required_parameters(callee)]
        except (ValueError, TypeError):
            required = []
        if not required:
            try:
                yield self._called(callee, {})
                return
            except LoadError as error:
                required = _missing_arguments(error, callee)
                if not required:
                    error.guessed = error.guessed or _leaves_open(callee)
                    raise
        failures: list[LoadError] = []
        made = False
        for built in chain(self._as_the_file_does(failures), self._assumed(callee, required, failures)):
            made = True
            yield built
            if not built.assumptions:
                return
        if not made:
            raise self._cannot(required, (), failures)

    def _as_the_file_does(self, failures: list[LoadError]) -> Iterator[Built]:
        for call in self.target.calls:
            try:
                yield self.evaluate(call)
            except LoadError as error:
                failures.append(error)

    def _assumed(self, callee: Callable[..., Any], required: list[str], failures: list[LoadError]) -> Iterator[Built]:
        try:
            for plan in plans(callee, required, self.assume):
                try:
                    yield self._called(callee, plan)
                except LoadError as error:
                    failures.append(error)
        except CannotGuess as unknown:
            raise self._cannot(required, unknown.names, failures) from unknown

    def _called(self, callee: Callable[..., Any], plan: Mapping[str, Any]) -> Built:
        """Call with assumed arguments; where that fails over weights, without them."""
        try:
            return self._call_with(callee, plan)
        except LoadError as error:
            without = _without_weights(callee)
            if not without or not _is_refused(error.__cause__):
                raise
            try:
                return self._call_with(callee, {**plan, **without})
            except LoadError:
                raise error from error.__cause__

    def _call_with(self, callee: Callable[..., Any], plan: Mapping[str, Any]) -> Built:
        built = self._make(partial(callee, **plan), call_expression(self.target.expression, plan))
        return replace(built, assumptions=tuple(Assumption(name, show_value(value)) for name, value in plan.items()))

    def evaluate(self, expression: str) -> Built:
        names = {"torch": torch, "nn": nn, **vars(self.module)}
        # The user's own code on the user's own file: what they could have written at its end.
        return self._make(lambda: eval(expression, names), expression)  # noqa: S307

    def _make(self, make: Callable[[], Any], expression: str) -> Built:
        failure: BaseException | None = None
        for device in DEVICES:
            try:
                with _cheaply(device):
                    value = make()
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                failure = error
            else:
                return self._built(value, expression, device, make)
        assert failure is not None
        raise self._explain(failure, expression) from failure

    def _built(self, value: object, expression: str, device: str, make: Callable[[], Any]) -> Built:
        if isinstance(value, nn.Module):
            model = _finished(value, expression, self.target.location)
            return Built(model, self.target.name, self.target.location, (), expression, device, make)
        raise LoadError(
            CANNOT_CONSTRUCT,
            f"{expression} is a {type(value).__name__}, not an nn.Module; name an expression that makes the model",
            self.target.location,
        )

    def _explain(self, error: BaseException, expression: str) -> LoadError:
        location = user_location(error, self.path)
        if location.line == 1 and location.end_line is None:
            location = self.target.location
        where = elsewhere(error, self.path)
        package = missing_package(error)
        if package is not None:
            message = f"{expression} cannot be made: {missing(package, self.path)}"
        elif isinstance(error, WeightsRefusedError):
            message = f"{expression} tried to load weights{where}: {error}"
        elif refused := refusal(error):
            message = f"{expression} {refused.attempt}{where}"
        elif isinstance(error, SystemExit):
            message = f"{expression} raised SystemExit({error.code!r}){where}"
        else:
            message = f"{expression} raised {reason_of(error)}{where}"
        return LoadError(CANNOT_CONSTRUCT, message, location, guessed=_is_for_lack(error))

    def _cannot(self, required: list[str], unknown: tuple[str, ...], failures: list[LoadError]) -> LoadError:
        name = self.target.expression
        call = f"{name}({', '.join(f'{parameter}=...' for parameter in required)})"
        if unknown:
            problem = f"{'a value' if len(unknown) == 1 else 'values'} for {listed(unknown)} cannot be guessed"
        else:
            tried, _, raised = failures[0].message.partition(" raised ")
            said = raised or tried
            problem = f"the values that were tried do not fit; the first attempt said: {said}"
        return LoadError(
            CANNOT_CONSTRUCT,
            f"cannot construct {self.target.name}: it needs {listed(required)}, and {problem}. "
            f"Name them: shapelint check {self.path} --model '{call}'",
            self.target.location,
            guessed=True,
        )


def _finished(model: nn.Module, expression: str, location: Location) -> nn.Module:
    """The model in evaluation mode.

    Raises:
        LoadError: SL902, its class never initialised it.
    """
    if not hasattr(model, "_modules"):
        name = type(model).__name__
        message = f"{expression} is no working nn.Module: {name}.__init__ does not call super().__init__()"
        raise LoadError(CANNOT_CONSTRUCT, message, location)
    return model.eval()


def _is_for_lack(error: BaseException) -> bool:
    """Is it about what is not to be had here: a package, a download, weights?"""
    return isinstance(error, ImportError) or _is_refused(error) or _TO_INSTALL.search(str(error)) is not None


def _is_refused(error: BaseException | None) -> bool:
    return isinstance(error, WeightsRefusedError) or refusal(error) is not None


def _without_weights(callee: Callable[..., Any]) -> dict[str, Any]:
    """Arguments that say so: ``{"encoder_weights": None}``, ``{"pretrained": False}``."""
    return {
        parameter.name: False if parameter.default is True else None
        for parameter in inspect.signature(callee).parameters.values()
        if _WEIGHTS.search(parameter.name) and parameter.default not in (None, False, parameter.empty)
    }


def _leaves_open(callee: Callable[..., Any]) -> bool:
    """Has it a default that may only say that a value is to be given? Then to leave it out is a guess."""
    return any(parameter.default is None for parameter in inspect.signature(callee).parameters.values())


def _missing_arguments(error: LoadError, callee: Callable[..., Any]) -> list[str]:
    """Arguments that a class takes as ``**kwargs`` and hands to a base that requires them: the error names them."""
    takes_any = any(
        parameter.kind is parameter.VAR_KEYWORD for parameter in inspect.signature(callee).parameters.values()
    )
    match = _MISSING.search(error.message)
    return re.findall(r"'(\w+)'", match["names"]) if takes_any and match else []


@contextlib.contextmanager
def _cheaply(device: str) -> Iterator[None]:
    """Parameters on ``device`` without contents, random state untouched, weights refused."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(torch.random.fork_rng(devices=[]))
        stack.enter_context(weights_refused())
        stack.enter_context(torch.device(device))
        if device == "cpu":
            stack.enter_context(_without_initialisation())
        stack.enter_context(_SkipRandomFills())
        stack.enter_context(recording_origins())
        yield


@contextlib.contextmanager
def weights_refused() -> Iterator[None]:
    """Checkpoints are neither downloaded nor unpickled. Within such a block another one has nothing to do."""
    with contextlib.ExitStack() as stack:
        for owner, name in _LOADERS:
            refuse = _refuse(f"{owner.__name__}.{name}")
            if getattr(owner, name) is not refuse:
                stack.enter_context(mock.patch.object(owner, name, refuse))
        yield


@functools.cache
def _refuse(loader: str) -> Callable[..., Any]:
    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise WeightsRefusedError(
            f"{loader} is not allowed here, sizes do not need weights; "
            "construct it without (weights=None, pretrained=False)"
        )

    return refuse


@contextlib.contextmanager
def _without_initialisation() -> Iterator[None]:
    """``torch.nn.init`` does nothing: time is spent on sizes alone."""
    with contextlib.ExitStack() as stack:
        for name, function in vars(nn.init).items():
            if inspect.isfunction(function) and name.endswith("_") and not name.startswith("_"):
                stack.enter_context(mock.patch.object(nn.init, name, _return_tensor))
        yield


def _return_tensor(tensor: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
    return tensor


class _SkipRandomFills(TorchFunctionMode):
    """Random in-place fills do nothing: no contents are wanted.

    This reaches initialisers that were imported by name before ``torch.nn.init`` was replaced. And on the meta device
    most fills are written in Python, beside code for which ``torch._dynamo`` is imported: longer than torch itself.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in _RANDOM_FILLS:
            return args[0]
        if func in _FILLING_INITIALISERS:  # what they call is out of any mode's sight
            return kwargs["tensor"]
        return func(*args, **(kwargs or {}))


def call_expression(name: str, arguments: Mapping[str, Any]) -> str:
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
    text = repr(value)
    # a configuration that shows itself in full: it was made with its defaults
    return f"{type(value).__name__}()" if "\n" in text else text
