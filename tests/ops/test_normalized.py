"""Convolutions whose weight is normalized, and what is none of these."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

import shapelint
from shapelint.ops.normalized import layer_class
from tests import oracle

LAYERS: tuple[Callable[[], nn.Module], ...] = (
    lambda: nn.Conv1d(3, 4, 4, stride=2, padding=1),
    lambda: nn.Conv1d(3, 3, 5, padding=2, padding_mode="reflect", groups=3, bias=False),
    lambda: nn.ConvTranspose1d(3, 4, 5, stride=3, output_padding=1),
)


class Cropped(nn.Module):
    def forward(self, weight: Tensor) -> Tensor:
        return weight[..., 1:]


class Own(nn.Conv1d):
    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input)[..., 1:]


def _cropped() -> nn.Module:
    layer = weight_norm(nn.Conv1d(3, 4, 4))
    parametrize.register_parametrization(layer, "weight", Cropped(), unsafe=True)
    return layer


def _both() -> nn.Module:
    layer = weight_norm(nn.Conv1d(3, 4, 4))
    parametrize.register_parametrization(layer, "bias", nn.Identity())
    return layer


def _hooked() -> nn.Module:
    layer = weight_norm(nn.Conv1d(3, 4, 4))
    layer.parametrizations["weight"].register_forward_hook(lambda module, args, weight: weight[..., 2:])
    return layer


def _magnified() -> nn.Module:
    layer = weight_norm(nn.Conv1d(3, 4, 4))
    layer.parametrizations["weight"].original0 = nn.Parameter(torch.ones(5, 4, 1, 1))
    return layer


OTHERS: dict[str, Callable[[], nn.Module]] = {
    "another parametrization after it": _cropped,
    "of another parameter too": _both,
    "spectral": lambda: spectral_norm(nn.Conv1d(3, 4, 4)),
    "a hook on what computes it": _hooked,
    "a magnitude of another shape": _magnified,
    "a forward of its own": lambda: weight_norm(Own(3, 4, 4)),
}


@pytest.mark.parametrize("dim", [0, 1, None])
@pytest.mark.parametrize("make", LAYERS)
def test_is_what_it_is_without(make: Callable[[], nn.Module], dim: int | None) -> None:
    def model() -> nn.Module:
        return nn.Sequential(weight_norm(make(), dim=dim))

    assert layer_class(model()[0]) is type(make())
    analysis = shapelint.analyze(model(), ("N", "C", "T"))
    assert analysis.certainty == "proven"
    assert analysis.trace is not None
    assert [call.layer for call in analysis.trace.calls if call.kind == "module"] == ["0"]
    asked = oracle.Oracle(model, ("N", "C", "T"), device="cpu")
    sizes = [{"N": 2, "C": channels, "T": size} for channels in (2, 3) for size in range(1, 12)]
    assert oracle.same_answer(analysis, asked, sizes) == []


@pytest.mark.parametrize("make", OTHERS.values(), ids=OTHERS)
def test_what_is_computed_otherwise_is_run(make: Callable[[], nn.Module]) -> None:
    layer = make()
    assert layer_class(layer) is type(layer)
    analysis = shapelint.analyze(layer, ("N", 3, "T"))
    asked = oracle.Oracle(make, ("N", 3, "T"), device="cpu")
    assert oracle.same_answer(analysis, asked, [{"N": 2, "T": size} for size in range(1, 12)]) == []


def test_its_dtype_is_that_of_what_is_normalized() -> None:
    layer = weight_norm(nn.Conv1d(3, 4, 3))
    assert not shapelint.analyze(layer, "float32[N, 3, T]").valid_sizes.is_empty()
    refused = shapelint.analyze(layer, "float64[N, 3, T]")
    assert refused.valid_sizes.is_empty()
    assert "float64" in str(refused.why_not(N=1, T=8))
