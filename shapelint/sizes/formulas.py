"""The five width formulas of strided convolutions, and the remainder their floor drops.

All work per spatial axis, on ints and on symbolic sizes alike; ``K = dilation*(kernel_size - 1) + 1`` is the
effective kernel. Numbers (1) to (5) are those of the published derivation this tool follows. Its formula (3)
is printed there with the quotient rounded down, which is an erratum: kernel 3, stride 2 would give padding 0
and map 100 to 49. It is rounded up here.
"""

from __future__ import annotations

from typing import Any, overload

from shapelint.sizes.dim import Dim, Size

__all__ = [
    "conv_transpose_width",
    "conv_width",
    "downsample_padding",
    "effective_kernel_size",
    "remainder",
    "same_padding",
    "upsample_output_padding",
]


def effective_kernel_size(kernel_size: int, dilation: int = 1) -> int:
    """``K``: how many input columns one output column looks across."""
    return dilation * (kernel_size - 1) + 1


@overload
def conv_width(width: int, kernel_size: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> int: ...
@overload
def conv_width(width: Dim, kernel_size: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> Size: ...
def conv_width(width: Any, kernel_size: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> Any:
    """Formula (1): what a convolution returns, ``(width + 2*padding - K) // stride + 1``."""
    return (width + (2 * padding - effective_kernel_size(kernel_size, dilation))) // stride + 1


def same_padding(kernel_size: int, dilation: int = 1) -> int:
    """Formula (2): the padding with which a stride-1 convolution keeps the width.

    Raises:
        ValueError: none does, because ``dilation*(kernel_size - 1)`` is odd: one column too few or too many.
    """
    total = dilation * (kernel_size - 1)
    if total % 2:
        raise ValueError(
            f"no integer padding keeps the width: dilation*(kernel_size - 1) = {total} is odd, "
            f"so padding {total // 2} loses one column and padding {total // 2 + 1} adds one"
        )
    return total // 2


def downsample_padding(kernel_size: int, stride: int, dilation: int = 1) -> int:
    """Formula (3): the smallest padding that maps every multiple of ``stride`` to exactly its quotient.

    ``ceil((K - stride) / 2)``, and not less than 0, which is all the padding there can be; with
    ``K < stride`` no padding is needed.

    Raises:
        ValueError: stride 1 with ``dilation*(kernel_size - 1)`` odd, where no padding keeps the width (formula 2).
    """
    if stride == 1:
        return same_padding(kernel_size, dilation)
    return max(0, -((stride - effective_kernel_size(kernel_size, dilation)) // 2))


@overload
def conv_transpose_width(
    width: int, kernel_size: int, stride: int = 1, padding: int = 0, dilation: int = 1, output_padding: int = 0
) -> int: ...
@overload
def conv_transpose_width(
    width: Dim, kernel_size: int, stride: int = 1, padding: int = 0, dilation: int = 1, output_padding: int = 0
) -> Size: ...
def conv_transpose_width(
    width: Any, kernel_size: int, stride: int = 1, padding: int = 0, dilation: int = 1, output_padding: int = 0
) -> Any:
    """Formula (4): what a transposed convolution returns, ``stride*(width - 1) - 2*padding + K + output_padding``.

    Raises:
        ValueError: ``output_padding`` is not between 0 and ``max(stride, dilation) - 1``; PyTorch raises too.
    """
    if not 0 <= output_padding < max(stride, dilation):
        raise ValueError(
            f"output_padding must be at least 0 and smaller than stride or dilation: "
            f"{output_padding} is not below max({stride}, {dilation})"
        )
    return stride * (width - 1) + (effective_kernel_size(kernel_size, dilation) - 2 * padding + output_padding)


def upsample_output_padding(kernel_size: int, stride: int, padding: int = 0, dilation: int = 1) -> int:
    """Formula (5): the output_padding with which the width is multiplied by exactly ``stride``.

    Raises:
        ValueError: PyTorch would refuse it (below 0, or not below ``max(stride, dilation)``).
    """
    needed = 2 * padding + stride - effective_kernel_size(kernel_size, dilation)
    if not 0 <= needed < max(stride, dilation):
        raise ValueError(
            f"output_padding would have to be {needed}, which PyTorch refuses: "
            f"it must be at least 0 and smaller than max(stride, dilation) = {max(stride, dilation)}"
        )
    return needed


@overload
def remainder(width: int, kernel_size: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> int: ...
@overload
def remainder(width: Dim, kernel_size: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> Size: ...
def remainder(width: Any, kernel_size: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> Any:
    """Res: the columns that the floor of formula (1) drops, ``(width + 2*padding - K) mod stride``.

    A transposed convolution with the same parameters returns ``width - Res + output_padding``.
    """
    return (width + (2 * padding - effective_kernel_size(kernel_size, dilation))) % stride
