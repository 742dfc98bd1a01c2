"""``dtype=int``: torch's argument parsers know Python's own classes, and a traced model's ``int`` is a stand-in."""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import nn

from shapelint.tracing.tensor import SymbolicSize, SymbolicTensor

_FUNCTIONS = (
    *("tensor", "as_tensor", "asarray", "zeros", "ones", "full", "empty", "arange", "linspace", "eye", "randint"),
    *("zeros_like", "ones_like", "full_like", "empty_like", "sum", "mean", "prod", "cumsum", "cumprod", "softmax"),
)
_METHODS = (
    *("to", "sum", "mean", "prod", "cumsum", "cumprod", "softmax", "log_softmax"),
    *("new_tensor", "new_zeros", "new_ones", "new_full", "new_empty"),
)


_NO_CLASSES = frozenset(
    {
        SymbolicTensor,
        SymbolicSize,
        torch.Tensor,
        nn.Parameter,
        torch.dtype,
        torch.device,
        int,
        float,
        bool,
        str,
        tuple,
        list,
    }
)
"""What these functions are given nearly always."""


def with_real_types(function: Any) -> Any:
    """A function that is given torch's dtypes for Python's classes and their stand-ins."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        # one look at all of them: models call these functions thousands of times, and hardly ever with a class
        if not _NO_CLASSES.issuperset(map(type, args)):
            args = tuple(map(_real, args))
        if "dtype" in kwargs and type(kwargs["dtype"]) is not torch.dtype:
            kwargs["dtype"] = _real(kwargs["dtype"])
        return function(*args, **kwargs)

    return call


_DTYPES = {int: torch.int64, float: torch.float64, bool: torch.bool, complex: torch.complex128}


def _real(value: Any) -> Any:
    if not issubclass(type(value), type):
        return value
    return _DTYPES.get(getattr(type(value), "original", value), value)


FUNCTIONS = {name: with_real_types(getattr(torch, name)) for name in _FUNCTIONS}
"""What takes the place of functions of torch that take a dtype."""

for _name in _METHODS:
    setattr(SymbolicTensor, _name, with_real_types(getattr(torch.Tensor, _name)))
