"""Fourier transforms and windows against torch on the CPU: the meta device has no istft."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch

from shapelint.ops import spectral
from tests.ops.against_torch import check, shaped

assert spectral.__name__  # importing it registers the rules

COMPLEX = torch.complex64
PLANE = {"H": range(4), "W": range(6)}


@pytest.mark.parametrize("n_fft", [1, 4, 7, 8])
@pytest.mark.parametrize(
    ("center", "pad_mode"), [(False, "reflect"), (True, "reflect"), (True, "constant"), (True, "replicate")]
)
def test_stft(n_fft: int, center: bool, pad_mode: str) -> None:
    for hop, window in itertools.product((None, 1, 3, 9), (None, 4, 6)):
        options = (n_fft, hop, window, None, center, pad_mode)
        check(
            torch.stft,
            shaped(
                "T",
            ),
            *options,
            return_complex=True,
            sizes={"T": range(40)},
        )
    check(
        torch.stft, shaped("N", "T"), n_fft, center=center, return_complex=True, sizes={"N": range(3), "T": range(20)}
    )


@pytest.mark.parametrize(
    "options",
    [{"onesided": False}, {"window": shaped("K")}, {"win_length": 5, "window": shaped("K")}, {"onesided": True}],
)
@pytest.mark.parametrize("return_complex", [None, True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, COMPLEX])
def test_stft_results(dtype: torch.dtype, return_complex: bool | None, options: dict[str, Any]) -> None:
    sizes = {"T": range(4, 20)} | ({"K": range(3, 10)} if "window" in options else {})
    for function in (torch.stft, torch.Tensor.stft):
        check(function, shaped("T", dtype=dtype), 8, return_complex=return_complex, sizes=sizes, **options)


@pytest.mark.parametrize("n_fft", [4, 7, 8])
@pytest.mark.parametrize("center", [False, True])
@pytest.mark.parametrize("length", [None, 5, 50])
def test_istft(n_fft: int, center: bool, length: int | None) -> None:
    sizes = {"F": range(10), "T": range(7)}
    for hop, window in itertools.product((None, 1, 3, 9), (None, 4, 6)):
        options = (n_fft, hop, window, None, center)
        check(torch.istft, shaped("F", "T", dtype=COMPLEX), *options, length=length, sizes=sizes)
    check(torch.istft, shaped("N", "F", 3, dtype=COMPLEX), n_fft, length=length, sizes={"N": (1, 2), "F": range(10)})
    check(torch.istft, shaped("F", dtype=COMPLEX), n_fft, sizes={"F": (5,)})


@pytest.mark.parametrize(
    "options",
    [
        {"onesided": False},
        {"onesided": True},
        {"return_complex": True},
        {"onesided": True, "return_complex": True},
        {"window": shaped("K")},
    ],
)
def test_istft_results(options: dict[str, Any]) -> None:
    sizes = {"F": range(3, 10), "T": range(1, 5)} | ({"K": range(6, 10)} if "window" in options else {})
    check(torch.istft, shaped("F", "T", dtype=COMPLEX), 8, sizes=sizes, **options)


@pytest.mark.parametrize("name", ["fft", "ifft", "rfft", "irfft", "hfft", "ihfft"])
def test_fft(name: str) -> None:
    for dtype in (torch.float32,) if name in ("rfft", "ihfft") else (COMPLEX, torch.float32):
        for points, dim in itertools.product((None, 1, 4, 7, 0, "K"), (-1, 0, 1, 2)):
            sizes = PLANE | ({"K": range(1, 4)} if points == "K" else {})
            check(getattr(torch.fft, name), shaped("H", "W", dtype=dtype), points, dim, sizes=sizes)
        image = shaped(2, "H", "W", dtype=dtype)
        for points in (None, (4, 5), (-1, 3), (3,), (2, 3, 4)):
            check(getattr(torch.fft, f"{name}2"), image, points, sizes=PLANE)
        for points, dims in itertools.product((None, (4, 5), (-1, 3), (3,)), (None, (0, 1), (-1,), (1, 1), (0, 2), -1)):
            check(getattr(torch.fft, f"{name}n"), image, points, dims, sizes=PLANE)
    check(torch.fft.fftshift, shaped("H", "W"), sizes=PLANE)


@pytest.mark.parametrize("name", ["hann", "hamming", "blackman", "bartlett", "kaiser"])
def test_windows(name: str) -> None:
    for options in ({}, {"periodic": False}, {"dtype": torch.float64}):
        check(getattr(torch, f"{name}_window"), "T", sizes={"T": range(5)}, **options)
    for function in (torch.fft.fftfreq, torch.fft.rfftfreq):
        check(function, "T", dtype=torch.float64, sizes={"T": range(1, 6)})


def test_complex_and_real_faces() -> None:
    check(torch.view_as_real, shaped("H", "W", dtype=COMPLEX), sizes=PLANE)
    check(torch.view_as_complex, shaped("H", "W"), sizes=PLANE)
