"""Conversions between dtypes and devices, and what is known of a tensor from its dtype."""

from __future__ import annotations

from typing import Any

import torch

from shapelint.ops.registry import Spec, TensorLike, Unsupported, is_tensor, shape_rule
from shapelint.sizes import all_of

_CONVERSIONS = {
    "float": torch.float32, "double": torch.float64, "half": torch.float16, "bfloat16": torch.bfloat16,
    "int": torch.int32, "long": torch.int64, "short": torch.int16, "char": torch.int8, "byte": torch.uint8,
    "bool": torch.bool, "cfloat": torch.complex64, "cdouble": torch.complex128,
}  # fmt: skip


def _conversion(dtype: torch.dtype) -> Any:
    def convert(input: TensorLike, *args: Any, **kwargs: Any) -> Spec:
        """A copy in another dtype."""
        return Spec(input.shape, dtype)

    return convert


for _name, _dtype in _CONVERSIONS.items():
    shape_rule(getattr(torch.Tensor, _name))(_conversion(_dtype))


@shape_rule("to")
def to(input: TensorLike, *args: Any, dtype: torch.dtype | None = None, other: Any = None, **kwargs: Any) -> Spec:
    """A dtype, a device or another tensor to be like."""
    for arg in (*args, other):
        if isinstance(arg, torch.dtype):
            dtype = arg
        elif is_tensor(arg):
            dtype = arg.dtype
    return Spec(input.shape, dtype)


@shape_rule("type_as")
def type_as(input: TensorLike, other: TensorLike) -> Spec:
    """The dtype of another tensor."""
    return Spec(input.shape, other.dtype)


@shape_rule("type")
def as_type(input: TensorLike, dtype: Any = None, *args: Any, **kwargs: Any) -> Spec | str:
    """A conversion, or the name of the tensor's type."""
    if dtype is None:
        return f"torch.{_TYPE_NAMES.get(input.dtype, 'Float')}Tensor"
    if isinstance(dtype, torch.dtype):
        return Spec(input.shape, dtype)
    name = dtype if isinstance(dtype, str) else f"{dtype.__module__}.{dtype.__name__}"
    by_name = {f"{known}Tensor": found for found, known in _TYPE_NAMES.items()}
    found = by_name.get(name.rpartition(".")[2])
    if found is None:
        raise Unsupported(f"the tensor type {name}")
    return Spec(input.shape, found)


_TYPE_NAMES = {
    torch.float32: "Float", torch.float64: "Double", torch.float16: "Half", torch.bfloat16: "BFloat16",
    torch.int32: "Int", torch.int64: "Long", torch.int16: "Short", torch.int8: "Char", torch.uint8: "Byte",
    torch.bool: "Bool",
}  # fmt: skip


@shape_rule("is_floating_point")
def is_floating_point(input: TensorLike) -> bool:
    """Known from the dtype."""
    return input.dtype.is_floating_point


@shape_rule("is_complex")
def is_complex(input: TensorLike) -> bool:
    """Known from the dtype."""
    return input.dtype.is_complex


@shape_rule("element_size")
def element_size(input: TensorLike) -> int:
    """Bytes of one element."""
    return input.dtype.itemsize


@shape_rule("is_signed")
def is_signed(input: TensorLike) -> bool:
    """Known from the dtype."""
    return input.dtype.is_signed


@shape_rule("is_same_size")
def is_same_size(input: TensorLike, other: TensorLike) -> Any:
    """Whether two shapes are equal: a condition where sizes are symbolic."""
    if input.ndim != other.ndim:
        return False
    return all_of(*(a == b for a, b in zip(input.shape, other.shape, strict=True) if a is not b))
