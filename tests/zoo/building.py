"""Build a measured network, and say what to feed it in the form :func:`shapelint.analyze` takes."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
import types
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from tests.zoo.measured import Measured

_MODULES = {
    "monai": ("monai.networks.nets",),
    "diffusers": ("diffusers",),
    "transformers": ("transformers",),
    "vit-pytorch": ("vit_pytorch",),
}
_BASE = 64
"""A size at which every ``extra`` expression can be evaluated."""


class Meth(nn.Module):
    """A network whose ``forward`` is another method of the one it wraps."""

    def __init__(self, module: nn.Module, name: str) -> None:
        super().__init__()
        self.module = module
        self.name = name

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return getattr(self.module, self.name)(*args, **kwargs)


def evaluate(expression: str, **names: Any) -> Any:
    """A factory or ``extra`` expression, with the names that the measurements promise."""
    scope = {"imp": importlib.import_module, "torch": torch, "nn": nn, "F": F, "Meth": Meth, **names}
    return eval(expression, scope)


def import_package(package: str) -> None:
    """Import what a package's networks need; a second time costs nothing."""
    stand_in = _torchvision_for_import() if package == "vit-pytorch" else nullcontext()
    with warnings.catch_warnings(), stand_in:
        warnings.simplefilter("ignore")
        for module in _MODULES.get(package, ()):
            importlib.import_module(module)


@contextmanager
def _torchvision_for_import() -> Iterator[None]:
    """An empty stand-in where torchvision is missing: vit_pytorch's trainers import it, its networks do not use it."""
    if "torchvision" in sys.modules or importlib.util.find_spec("torchvision") is not None:
        yield
        return
    stand_in = types.ModuleType("torchvision")
    stand_in.__dict__["transforms"] = types.ModuleType("torchvision.transforms")
    sys.modules["torchvision"] = stand_in
    try:
        yield
    finally:
        del sys.modules["torchvision"]


def build(measured: Measured, device: str | None = None) -> nn.Module:
    """The network in eval mode.

    Args:
        measured: which one.
        device: "meta", "cpu", or ``None``: meta, and the CPU where it cannot be constructed there.
    """
    import_package(measured.package)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = _construct(measured, device)
    return model.eval()


def _construct(measured: Measured, device: str | None) -> nn.Module:
    wanted = "cpu" if measured.device == "cpu" else device
    try:
        with torch.device(wanted or "meta"):
            model = evaluate(measured.factory)
    except Exception:
        # A constructor may ask for a tensor's values (.item() on a linspace): only the CPU has them.
        if wanted is not None:
            raise
        model = evaluate(measured.factory)
    if not isinstance(model, nn.Module):
        raise TypeError(f"{measured.id}: the factory gives a {type(model).__name__}")
    return model


def inputs(measured: Measured, model: nn.Module) -> Any:
    """The ``inputs`` argument: the first argument's shape, and by name what else the network needs."""
    if measured.extra is None:
        return measured.input
    return {first_argument(model): measured.input, **extra_inputs(measured)}


def run_eagerly(measured: Measured, model: nn.Module, sizes: Mapping[str, int], device: str) -> Any:
    """One ordinary forward."""
    x = torch.zeros(concrete(measured, sizes), device=device)
    extra = evaluate(measured.extra, x=x, dev=device) if measured.extra else {}
    with torch.no_grad():
        return model(x, **extra)


def concrete(measured: Measured, sizes: Mapping[str, int]) -> tuple[int, ...]:
    return tuple(sizes[dim] if isinstance(dim, str) else dim for dim in measured.input)


def first_argument(model: nn.Module) -> str:
    method = getattr(model.module, model.name) if isinstance(model, Meth) else model.forward
    return next(iter(inspect.signature(method).parameters))


def extra_inputs(measured: Measured) -> dict[str, Any]:
    """The keyword arguments: objects as they are, and shape expressions where a tensor's shape follows the input's.

    The expressions are fitted: the measurement's own expression is evaluated at a few sizes, and every
    extent read as an affine function of the symbols.
    """
    symbols = tuple(measured.good)
    base = dict.fromkeys(symbols, _BASE)
    # One step along each axis gives the slopes; another step along all of them at once checks that it is affine.
    steps = [{**base, name: _BASE + 8} for name in symbols]
    check = {name: _BASE + 24 * (place + 1) for place, name in enumerate(symbols)}
    at_base, *at_steps, at_check = (_extra_at(measured, sizes) for sizes in (base, *steps, check))
    return {
        name: _extra_input(name, value, [at[name] for at in at_steps], at_check[name], symbols, check)
        for name, value in at_base.items()
    }


def _extra_at(measured: Measured, sizes: Mapping[str, int]) -> dict[str, Any]:
    values = evaluate(measured.extra or "{}", x=torch.empty(concrete(measured, sizes), device="meta"), dev="cpu")
    return dict(values)


def _extra_input(
    name: str, value: Any, at_steps: list[Any], at_check: Any, symbols: tuple[str, ...], check: Mapping[str, int]
) -> Any:
    if not isinstance(value, torch.Tensor) or all(other.shape == value.shape for other in [*at_steps, at_check]):
        return value
    shape = tuple(
        _affine(extent, [int(other.shape[axis]) for other in at_steps], symbols)
        for axis, extent in enumerate(value.shape)
    )
    promised = tuple(dim if isinstance(dim, int) else eval(dim, {}, dict(check)) for dim in shape)
    if promised != tuple(at_check.shape):
        raise ValueError(
            f"the shape of {name} is no affine function of {symbols}: {promised} != {tuple(at_check.shape)}"
        )
    return shape


def _affine(at_base: int, at_steps: list[int], symbols: tuple[str, ...]) -> int | str:
    slopes = [divmod(stepped - at_base, 8) for stepped in at_steps]
    if any(rest for _, rest in slopes):
        raise ValueError(f"not an integer slope: {at_base}, {at_steps}")
    constant = at_base - sum(slope * _BASE for slope, _ in slopes)
    terms = [_term(slope, name) for (slope, _), name in zip(slopes, symbols, strict=True) if slope]
    if not terms:
        return at_base
    return " + ".join(terms + ([str(constant)] if constant else []))


def _term(slope: int, name: str) -> str:
    return name if slope == 1 else f"{slope}*{name}"
