"""Spectra: short-time and plain Fourier transforms, windows, and the two faces of complex tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from shapelint.ops.axes import require_nonzero
from shapelint.ops.broadcasting import complex_of, floating, real_of
from shapelint.ops.dimensions import Shape
from shapelint.ops.pad import padded_shape
from shapelint.ops.registry import Spec, TensorLike, Unsupported, shape_rule
from shapelint.sizes import Size, any_of, require, smin


def _is_complex(tensor: TensorLike | None) -> bool:
    return tensor is not None and tensor.dtype.is_complex


def _complex_dtype(dtype: torch.dtype) -> torch.dtype:
    return complex_of(floating(dtype))


def _real_dtype(dtype: torch.dtype) -> torch.dtype:
    return real_of(floating(dtype))


def _require_window(window: TensorLike | None, n_fft: int, hop: int, length: int) -> None:
    require(n_fft >= 1, "n_fft must be at least 1, and is {}", n_fft)
    require(hop >= 1, "hop_length must be at least 1, and is {}", hop)
    require(length >= 1, "win_length must be at least 1, and is {}", length)
    require(length <= n_fft, "win_length = {} is longer than n_fft = {}", length, n_fft)
    if window is not None:
        require(window.ndim == 1, "the window has {} dimensions, and needs one", window.ndim)
        require(window.shape[0] == length, "the window has {} values, and win_length is {}", window.shape[0], length)


@shape_rule(torch.stft, torch.Tensor.stft)
def stft(
    input: TensorLike,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: TensorLike | None = None,
    center: bool = True,
    pad_mode: str = "reflect",
    normalized: bool = False,
    onesided: bool | None = None,
    return_complex: bool | None = None,
    align_to_window: bool | None = None,
) -> Spec:
    if align_to_window:
        raise Unsupported("stft with align_to_window")
    require(not center or align_to_window is None, "stft takes align_to_window only without center")
    shape = input.shape
    require(len(shape) in (1, 2), "stft takes a signal of 1 or 2 dimensions, and got {}", len(shape))
    require_nonzero(shape[:-1], "stft")
    hop = n_fft // 4 if hop_length is None else hop_length
    _require_window(window, n_fft, hop, n_fft if win_length is None else win_length)
    signal = shape[-1]
    if center:
        margin = n_fft // 2
        signal = padded_shape((1, 1, signal), (margin, margin), pad_mode)[-1]
    require(signal >= n_fft, "stft: n_fft = {} is longer than the signal ({} samples)", n_fft, signal)
    has_complex = _is_complex(input) or _is_complex(window)
    require(has_complex or return_complex is not None, "stft needs return_complex=True (or False) for a real signal")
    one_sided = not has_complex if onesided is None else onesided
    require(not one_sided or not has_complex, "stft of a complex signal cannot be onesided")
    frequencies = n_fft // 2 + 1 if one_sided else n_fft
    result = (*shape[:-1], frequencies, (signal - n_fft) // hop + 1)
    if has_complex if return_complex is None else return_complex:
        return Spec(result, _complex_dtype(input.dtype))
    return Spec((*result, 2), _real_dtype(input.dtype))


@shape_rule(torch.istft, torch.Tensor.istft)
def istft(
    input: TensorLike,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: TensorLike | None = None,
    center: bool = True,
    normalized: bool = False,
    onesided: bool | None = None,
    length: Size | None = None,
    return_complex: bool = False,
) -> Spec:
    shape = input.shape
    require(len(shape) in (2, 3), "istft takes a spectrum of 2 or 3 dimensions, and got {}", len(shape))
    hop = n_fft // 4 if hop_length is None else hop_length
    window_length = n_fft if win_length is None else win_length
    _require_window(window, n_fft, hop, window_length)
    require(hop <= window_length, "istft: hop_length = {} is longer than win_length = {}", hop, window_length)
    *batch, frequencies, frames = shape
    require_nonzero(shape, "istft")
    half = n_fft // 2 + 1
    require(not (onesided and return_complex), "istft of a onesided spectrum is real, not complex")
    # unless told, torch takes a spectrum of n_fft frequencies for a two-sided one
    expected = (n_fft,) if return_complex or onesided is False else (half,) if onesided else (half, n_fft)
    require(
        any_of(*(frequencies == count for count in expected)),
        "istft: n_fft = {} makes {} frequencies, the input has {}",
        n_fft,
        expected[0],
        frequencies,
    )
    samples = _overlapped(n_fft, hop, window_length, frames, center, length)
    dtype = _complex_dtype(input.dtype) if return_complex else _real_dtype(input.dtype)
    return Spec((*batch, samples), dtype)


def _overlapped(n_fft: int, hop: int, window_length: int, frames: Size, center: bool, length: Size | None) -> Size:
    """How many samples overlapping windows give back; each of them must lie in some window."""
    available = n_fft + hop * (frames - 1)
    start = n_fft // 2 if center else 0
    before = (n_fft - window_length) // 2
    after = n_fft - window_length - before
    reason = "istft: windows of {} in frames of {} leave samples out that the result needs"
    require(before <= start, reason, window_length, n_fft)
    if length is None:
        require(after <= start, reason, window_length, n_fft)
        # two frames are enough; one leaves a centred signal what an odd n_fft is more than twice its half
        if n_fft - 2 * start < 1:
            require(frames >= 2, "istft: {} frame(s) of {} give a signal of no samples", frames, n_fft)
        return available - 2 * start
    covered: Size = smin(start + length, available)
    require(length >= 1, "istft cannot return a signal of {} samples", length)
    require(covered <= available - after, reason, window_length, n_fft)
    return length


def _transformed_axes(shape: Shape, s: Any, dim: Any) -> tuple[tuple[int, ...], tuple[Size | None, ...]]:
    """The dimensions to transform, and the number of points asked for in each (None: as many as there are)."""
    rank = len(shape)
    if dim is None:
        dims: Sequence[int] = range(rank) if s is None else range(rank - len(s), rank)
        require(s is None or len(s) <= rank, "s has {} values for a tensor of {} dimensions", s, rank)
    else:
        dims = dim if isinstance(dim, (tuple, list)) else (dim,)
    for axis in dims:
        require(-rank <= axis < rank, "there is no dimension {} in a tensor of {} dimensions", axis, rank)
    axes = tuple(axis % rank for axis in dims)
    require(len(set(axes)) == len(axes), "the transformed dimensions must differ, and are {}", axes)
    if s is None:
        return axes, (None,) * len(axes)
    require(len(s) == len(axes), "s has {} values for {} dimensions", len(s), len(axes))
    return axes, tuple(None if type(points) is int and points == -1 else points for points in s)


def _complex_to_complex(shape: Shape, axes: Sequence[int], wanted: Sequence[Size | None]) -> Shape:
    result = list(shape)
    for axis, points in zip(axes, wanted, strict=True):
        if points is not None:
            result[axis] = points
    require_nonzero(result, "a Fourier transform")
    return tuple(result)


def _real_to_complex(shape: Shape, axes: Sequence[int], wanted: Sequence[Size | None]) -> Shape:
    require(len(axes) >= 1, "a Fourier transform of real input needs a dimension")
    result = list(_complex_to_complex(shape, axes, wanted))
    result[axes[-1]] = result[axes[-1]] // 2 + 1
    return tuple(result)


def _complex_to_real(shape: Shape, axes: Sequence[int], wanted: Sequence[Size | None]) -> Shape:
    require(len(axes) >= 1, "a Fourier transform to real output needs a dimension")
    points = 2 * (shape[axes[-1]] - 1) if wanted[-1] is None else wanted[-1]
    return _complex_to_complex(shape, axes, (*wanted[:-1], points))


ShapeOf = Callable[[Shape, Sequence[int], Sequence[Size | None]], Shape]
DtypeOf = Callable[[torch.dtype], torch.dtype]


def _one_axis_rule(shape_of: ShapeOf, dtype_of: DtypeOf) -> Callable[..., Spec]:
    def rule(
        input: TensorLike, n: Size | None = None, dim: int = -1, norm: str | None = None, *, out: Any = None
    ) -> Spec:
        axes, wanted = _transformed_axes(input.shape, None if n is None else (n,), (dim,))
        return Spec(shape_of(tuple(input.shape), axes, wanted), dtype_of(input.dtype))

    return rule


def _many_axes_rule(shape_of: ShapeOf, dtype_of: DtypeOf, default: tuple[int, ...] | None) -> Callable[..., Spec]:
    def rule(input: TensorLike, s: Any = None, dim: Any = default, norm: str | None = None, *, out: Any = None) -> Spec:
        axes, wanted = _transformed_axes(input.shape, s, dim)
        return Spec(shape_of(tuple(input.shape), axes, wanted), dtype_of(input.dtype))

    return rule


for _names, _shape_of, _dtype_of in (
    (("fft", "ifft"), _complex_to_complex, _complex_dtype),
    (("rfft", "ihfft"), _real_to_complex, _complex_dtype),
    (("irfft", "hfft"), _complex_to_real, _real_dtype),
):
    for _name in _names:
        shape_rule(f"fft.{_name}")(_one_axis_rule(_shape_of, _dtype_of))
        shape_rule(f"fft.{_name}2")(_many_axes_rule(_shape_of, _dtype_of, (-2, -1)))
        shape_rule(f"fft.{_name}n")(_many_axes_rule(_shape_of, _dtype_of, None))


@shape_rule("fft.fftshift", "fft.ifftshift")
def fftshift(input: TensorLike, dim: Any = None) -> Spec:
    return Spec(input.shape)


@shape_rule("fft.fftfreq")
def fftfreq(n: Size, d: float = 1.0, *, dtype: torch.dtype | None = None, **placement: Any) -> Spec:
    return Spec((n,), dtype or torch.get_default_dtype())


@shape_rule("fft.rfftfreq")
def rfftfreq(n: Size, d: float = 1.0, *, dtype: torch.dtype | None = None, **placement: Any) -> Spec:
    return Spec((n // 2 + 1,), dtype or torch.get_default_dtype())


@shape_rule("hann_window", "hamming_window", "blackman_window", "bartlett_window", "kaiser_window")
def window(window_length: Size, *shape_of_curve: Any, dtype: torch.dtype | None = None, **placement: Any) -> Spec:
    require(window_length >= 0, "a window of {} samples", window_length)
    return Spec((window_length,), dtype or torch.get_default_dtype())


@shape_rule("view_as_real")
def view_as_real(input: TensorLike) -> Spec:
    return Spec((*input.shape, 2), _real_dtype(input.dtype))


@shape_rule("view_as_complex")
def view_as_complex(input: TensorLike) -> Spec:
    shape = input.shape
    require(len(shape) >= 1, "view_as_complex needs a dimension of size 2")
    require(shape[-1] == 2, "view_as_complex needs a last dimension of size 2, and got {}", shape[-1])
    return Spec(tuple(shape[:-1]), _complex_dtype(input.dtype))
