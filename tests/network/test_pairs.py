"""Which decoder step undoes which encoder step."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
import torch
import torch.nn.functional as functional
from torch import nn

import shapelint
from shapelint.network import Network, Pair
from shapelint.network.steps import Window

X = ("N", 3, "H", "W")


def network(model: nn.Module, inputs: Any = X) -> Network:
    return shapelint.analyze(model, inputs).network


def names(pairs: list[Pair], symbol: str = "H") -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    return [(tuple(s.layer for s in p.down), tuple(s.layer for s in p.up)) for p in pairs if p.symbol == symbol]


class UNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.down1 = nn.Conv2d(3, 3, 3, stride=2, padding=1)
        self.down2 = nn.Conv2d(3, 3, 3, stride=2, padding=1)
        self.up2 = nn.ConvTranspose2d(3, 3, 2, stride=2)
        self.up1 = nn.ConvTranspose2d(6, 3, 2, stride=2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a = self.down1(x)
        b = self.down2(a)
        y = self.up1(torch.cat([self.up2(b), a], 1))
        return torch.cat([y, x], 1)


def test_last_opened_first_closed() -> None:
    found = network(UNet())
    assert names(found.pairs) == [(("down2",), ("up2",)), (("down1",), ("up1",))]
    assert names(found.pairs, "W") == names(found.pairs)
    assert all(found.confirmed(pair) for pair in found.pairs)
    assert len(found.skips) == 2
    assert found.stride("H") == 4


def test_sizes_of_a_pair() -> None:
    inner, outer = [p for p in network(UNet()).pairs if p.symbol == "W"]
    assert [str(s) for s in (inner.had, inner.narrow, inner.given, inner.returned)] == [
        "(W + 1)//2",
        "(W + 3)//4",
        "(W + 3)//4",
        "2*((W + 3)//4)",
    ]
    assert outer.inner is inner
    assert str(outer.restored(outer.had)) == "W + 1 - (W + 1) mod 2"


def test_axes_are_independent() -> None:
    class Tall(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.both = nn.Conv2d(3, 3, 4, stride=2, padding=1)
            self.rows = nn.Conv2d(3, 3, (4, 3), stride=(2, 1), padding=1)
            self.up = nn.ConvTranspose2d(3, 3, (4, 3), stride=(2, 1), padding=1)
            self.wide = nn.ConvTranspose2d(3, 3, 4, stride=2, padding=1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            out: torch.Tensor = self.wide(self.up(self.rows(self.both(x))))
            return out

    found = network(Tall())
    assert names(found.pairs, "H") == [(("rows",), ("up",)), (("both",), ("wide",))]
    assert names(found.pairs, "W") == [(("both",), ("wide",))]
    assert (found.stride("H"), found.stride("W")) == (4, 2)


def test_one_step_undoes_several_and_several_one() -> None:
    class Jump(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.MaxPool2d(2)
            self.b = nn.AvgPool2d(2)
            self.c = nn.Conv2d(3, 3, 4, stride=4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = functional.interpolate(self.b(self.a(x)), scale_factor=4)
            return functional.interpolate(functional.interpolate(self.c(x), scale_factor=2), scale_factor=2.0)

    found = network(Jump())
    assert [(len(p.down), len(p.up)) for p in found.pairs if p.symbol == "H"] == [(2, 1), (1, 2)]


def test_shuffles_views_and_unpooling() -> None:
    class Mixed(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = functional.pixel_shuffle(functional.pixel_unshuffle(x, 2), 2)
            n, c, h, w = y.shape
            z = y.view(n, c, h // 2, 2, w // 2, 2).permute(0, 1, 3, 5, 2, 4).reshape(n, c * 4, h // 2, w // 2)
            y = functional.pixel_shuffle(z, 2)
            pooled, indices = functional.max_pool2d(y, 2, return_indices=True)
            return functional.max_unpool2d(pooled, indices, [2])

    found = network(Mixed())
    assert [p.down[0].kind for p in found.pairs if p.symbol == "W"] == ["unshuffle", "other", "pool"]
    assert all(p.had is p.returned or str(p.returned) == str(p.had - p.had % 2) for p in found.pairs)


def test_in_place_calls_make_no_cycles() -> None:
    class InPlace(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 3, 3, padding=1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.conv(x)
            z = self.conv(y)
            y += z
            out: torch.Tensor = y.relu_()
            return out

    found = network(InPlace())
    assert all(a < b for a, b in found.graph.edges)


def test_one_dimension_and_a_name_of_ones_own() -> None:
    model = nn.Sequential(nn.Conv1d(1, 2, 8, stride=4, padding=2), nn.ConvTranspose1d(2, 1, 8, stride=4, padding=2))
    found = network(model, ("batch", 1, "samples"))
    assert found.symbols == ("samples",)
    assert found.stride("samples") == 4
    assert found.steps[0].ratio == Fraction(1, 4)


@pytest.mark.parametrize("width", range(4, 30))
@pytest.mark.parametrize(
    "window",
    [
        Window("conv", 3, 2, 1), Window("conv", 4, 3, 0, 2), Window("pool", 2, 2, ceil_mode=True),
        Window("pool", 3, 2, 1, ceil_mode=True), Window("conv_transpose", 3, 2, 1, output_padding=1),
        Window("conv_transpose", 5, 3, 2, 2), Window("unpool", 3, 2, 1),
    ],
)  # fmt: skip
def test_windows_agree_with_torch(window: Window, width: int) -> None:
    if window.effective > width:
        return
    x = torch.zeros(1, 1, width)
    kernel = torch.zeros(1, 1, window.kernel_size)
    if window.kind == "conv":
        y = functional.conv1d(x, kernel, None, window.stride, window.padding, window.dilation)
    elif window.kind == "pool":
        y = functional.max_pool1d(x, window.kernel_size, window.stride, window.padding, 1, window.ceil_mode)
    elif window.kind == "unpool":
        indices = torch.zeros(1, 1, width, dtype=torch.long)
        y = functional.max_unpool1d(x, indices, [window.kernel_size], [window.stride], [window.padding])
    else:
        y = functional.conv_transpose1d(
            x, kernel, None, window.stride, window.padding, window.output_padding, 1, window.dilation
        )
    assert window.width(width) == y.shape[-1]
    assert window.arithmetic(width).endswith(f"= {y.shape[-1]}")


def test_a_window_of_the_inputs_own_size_is_no_step() -> None:
    class Halving(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return functional.avg_pool2d(x, kernel_size=(x.shape[2] // 2, x.shape[3] // 2))

    analysis = shapelint.analyze(Halving(), X)
    assert not [step for step in analysis.network.steps if step.window is not None]
    assert "proven" in analysis.summary()


def test_a_kernel_as_large_as_a_part_of_the_input_is_no_step() -> None:
    class Correlating(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return functional.conv2d(x, x[:1, :, : x.shape[2] // 4, :3])

    analysis = shapelint.analyze(Correlating(), ("N", 2, "H", "W"))
    assert analysis.certainty == "proven"
    assert not [step for step in analysis.network.steps if step.window is not None]
    assert analysis.diagnostics == ()
