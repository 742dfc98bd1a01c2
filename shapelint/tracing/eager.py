"""What torch itself says while a model is traced: of real tensors, and of what a symbolic tensor has no size for."""

from __future__ import annotations

import contextlib
from typing import Any

import torch
from torch.nn import functional

from shapelint.ops.recipes import is_drawn_by
from shapelint.tracing.contents import is_in_place
from shapelint.tracing.tensor import SymbolicTensor

MANY_ELEMENTS = 2**14
"""Tensors that are learned (a decoder's queries) are computed with if they have at most as many elements together."""

_COSTLY = frozenset(
    {
        functional.linear,
        functional.conv1d,
        functional.conv2d,
        functional.conv3d,
        functional.scaled_dot_product_attention,
        torch.matmul,
        torch.Tensor.matmul,
        torch.Tensor.__matmul__,
        torch.bmm,
        torch.Tensor.bmm,
        torch.addmm,
        torch.baddbmm,
    }
)
"""Functions whose result's contents no size depends on, and which take long on wide layers."""

_WRITTEN_IN_PYTHON = frozenset({torch.eye, torch.hann_window, torch.hamming_window})
"""Functions that make tensors and, on the meta device, import the compiler to do so, which takes seconds."""

_DRAWING = frozenset({torch.randint, torch.randperm})
"""Functions that draw positions: it is known between which numbers, not which."""


def only_sizes_matter(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether real tensors need no computing: what they hold is not known (meta, drawn), or no size depends on it."""
    if func in _DRAWING:
        return True
    if func in _WRITTEN_IN_PYTHON:
        return str(kwargs.get("device")) == "meta"
    given = args[0] if args and type(args[0]) in (list, tuple) else args
    tensors = [a for a in given if isinstance(a, torch.Tensor)]
    if func in _COSTLY:
        return sum(t.numel() for t in tensors) > MANY_ELEMENTS
    # a rule makes a new tensor, and properties are cheap as they are
    return any(t.is_meta for t in tensors) and not is_in_place(func) and getattr(func, "__name__", "") != "__get__"


def call_real(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A torch function on real tensors: buffers, parameters, tables computed in forward."""
    if args and (is_in_place(func) or func is torch.Tensor.__setitem__):
        _forget_contents(args)
    on_meta = _is_placed_on_meta(func, args, kwargs)
    if on_meta and _makes_few(func, args):
        # to make them on the meta device first, in Python, takes twenty times as long; what fails is asked of both
        with contextlib.suppress(RuntimeError):
            few = func(*_to_cpu(args), **_to_cpu(kwargs))
            if type(few) is torch.Tensor and few.numel() <= MANY_ELEMENTS:
                return few
    try:
        made = func(*args, **kwargs)
    except Exception as error:
        if _is_plain(args) and _is_plain(tuple(kwargs.values())):
            error.__dict__["shapelint_certain"] = True
            raise
        # The input's device is meta while the model may be on another: what meets is brought together there.
        if not isinstance(error, RuntimeError) or ("device" not in str(error) and "meta" not in str(error)):
            raise
        return func(*_to_meta(args), **_to_meta(kwargs))
    if on_meta and type(made) is torch.Tensor and made.numel() <= MANY_ELEMENTS:
        return func(*_to_cpu(args), **_to_cpu(kwargs))
    return made


_PLAIN = frozenset({int, float, bool, type(None)})


def _is_plain(value: Any) -> bool:
    """Whether there are no tensors, devices and the like in a function's arguments: any run of it is then as this."""
    return all(map(_is_plain, value)) if type(value) in (list, tuple) else type(value) in _PLAIN


def is_certain(error: BaseException) -> bool:
    """Whether torch itself has raised an exception, and would in any run."""
    return "shapelint_certain" in error.__dict__


_swap_tensors: Any = torch.utils.swap_tensors


def _forget_contents(args: tuple[Any, ...]) -> None:
    """What a tensor holds is not known any more where something is written into it that is not known."""
    written, *others = args
    unknown = any(isinstance(other, torch.Tensor) and other.is_meta for other in others)
    if unknown and type(written) is torch.Tensor and not written.is_meta:
        _swap_tensors(written, written.to("meta", copy=True))


def _is_placed_on_meta(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether ``device=x.device``, which is meta, makes numbers get lost that may be positions."""
    device = args[1] if func is torch.Tensor.to and len(args) > 1 else kwargs.get("device")
    if device is None or str(device) != "meta" or is_drawn_by(func):
        return False
    return not any(isinstance(a, torch.Tensor) and a.is_meta for a in args)


def _makes_few(func: Any, args: tuple[Any, ...]) -> bool:
    """Whether a function is known beforehand to give few elements."""
    if func is torch.Tensor.to:
        return type(args[0]) is torch.Tensor and args[0].numel() <= MANY_ELEMENTS
    if getattr(func, "__name__", "") != "arange" or not all(type(number) is int for number in args):
        return False
    most: int = sum(map(abs, args))
    return 0 < most <= MANY_ELEMENTS


def _to_cpu(value: Any) -> Any:
    if isinstance(value, torch.device) or (type(value) is str and value == "meta"):
        return torch.device("cpu")
    if isinstance(value, dict):
        return {k: _to_cpu(v) for k, v in value.items()}
    return tuple(map(_to_cpu, value)) if type(value) is tuple else value


def _to_meta(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.to("meta")
    if isinstance(value, dict):
        return {k: _to_meta(v) for k, v in value.items()}
    return type(value)(_to_meta(v) for v in value) if type(value) in (list, tuple) else value


def read_property(func: Any, tensor: SymbolicTensor) -> Any:
    """A tensor property without a rule: what the empty meta tensor says of itself (device, layout, is_cuda)."""
    if func == torch.Tensor.data.__get__:  # type: ignore[attr-defined]
        return tensor
    with torch._C.DisableTorchFunctionSubclass():
        return func(tensor)


def can_set(func: Any, tensor: Any, value: Any) -> bool:
    """Whether a property can be set: ``self.weight.data = x`` of a tensor of the model, which keeps its sizes."""
    if type(tensor) is SymbolicTensor:
        return True
    if func != torch.Tensor.data.__set__ or type(value) is not SymbolicTensor:  # type: ignore[attr-defined]
        return False
    sizes = tuple(value.sizes)
    return all(type(size) is int for size in sizes) and sizes == tensor.shape and value.dtype == tensor.dtype


def set_property(func: Any, tensor: Any, value: Any) -> None:
    """``y.data = x`` makes ``y`` what ``x`` is; what else can be set (``requires_grad``) changes no size."""
    if type(tensor) is not SymbolicTensor:
        _forget_contents((tensor, value))
    elif func == torch.Tensor.data.__set__ and type(value) is SymbolicTensor:  # type: ignore[attr-defined]
        tensor.sizes, tensor.call, tensor.value, tensor.strided = value.sizes, value.call, value.value, value.strided
        tensor.ramp, tensor.extent, tensor.recipe = value.ramp, value.extent, value.recipe
