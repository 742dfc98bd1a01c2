"""Receptive fields, against gradients: what an output place does not see, it has no gradient from."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import shapelint


def measured(model: nn.Module, channels: int, size: int, period: int) -> int:
    """The widest stretch of the input that one place of the output has a gradient from, over a period of places."""
    widest = 0
    for seed in range(3):
        torch.manual_seed(seed)
        x = torch.rand(1, channels, size, dtype=torch.float64, requires_grad=True)
        y = model(x)
        for place in range(y.shape[-1] // 2, y.shape[-1] // 2 + period):
            (gradient,) = torch.autograd.grad(y[..., place].sum(), x, retain_graph=True)
            touched = gradient.abs().sum((0, 1)).nonzero().flatten()
            widest = max(widest, int(touched[-1] - touched[0]) + 1)
    return widest


class Net(nn.Module):
    """A 1-D network from layers; ``skip`` adds what the layers got, where they return its size."""

    def __init__(self, *layers: nn.Module, skip: bool = False) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)
        self.skip = skip

    def forward(self, x: Tensor) -> Tensor:
        y = self.layers(x)
        return torch.cat([x, y], dim=1) if self.skip else y


class Cropped(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(2, 2, 5)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(F.pad(x, (1, 3)))
        return y + x[..., 2 : 2 + y.shape[-1]] if y.shape[-1] < x.shape[-1] else y * F.pad(x, (4, 0))[..., :-4]


CASES = {
    "one convolution": Net(nn.Conv1d(2, 2, 7, padding=3)),
    "dilated": Net(nn.Conv1d(2, 2, 3, dilation=4), nn.Tanh(), nn.Conv1d(2, 2, 3, dilation=8)),
    "same padding": Net(nn.Conv1d(2, 2, 4, padding="same"), nn.Conv1d(2, 2, 3, padding="same", dilation=3)),
    "strided": Net(nn.Conv1d(2, 2, 3, 2, 1), nn.BatchNorm1d(2), nn.Conv1d(2, 2, 5, 2, 2), nn.Conv1d(2, 2, 3)),
    "average pool": Net(nn.AvgPool1d(3, 2), nn.Conv1d(2, 2, 3)),
    "autoencoder": Net(nn.Conv1d(2, 4, 3, 2, 1), nn.Tanh(), nn.ConvTranspose1d(4, 2, 3, 2, 1, 1)),
    "two levels": Net(
        nn.Conv1d(2, 4, 4, 2, 1),
        nn.Conv1d(4, 4, 4, 2, 1),
        nn.Tanh(),
        nn.ConvTranspose1d(4, 4, 4, 2, 1),
        nn.ConvTranspose1d(4, 2, 4, 2, 1),
    ),
    "skip": Net(nn.AvgPool1d(2), nn.Conv1d(2, 2, 3, padding=1), nn.ConvTranspose1d(2, 2, 2, 2), skip=True),
    "kernel below stride": Net(nn.Conv1d(2, 2, 2, 3), nn.ConvTranspose1d(2, 2, 5, 3), nn.Conv1d(2, 2, 3)),
    "nearest": Net(nn.AvgPool1d(4), nn.Conv1d(2, 2, 3, padding=1), nn.Upsample(scale_factor=4)),
    "linear": Net(nn.AvgPool1d(4), nn.Upsample(scale_factor=4, mode="linear"), nn.Conv1d(2, 2, 3)),
    "padding layers": Net(nn.ReflectionPad1d(2), nn.Conv1d(2, 2, 3), nn.ConstantPad1d((5, 0), 0.0), nn.Conv1d(2, 2, 2)),
    "pad and slice": Cropped(),
}


@pytest.mark.parametrize("name", CASES)
def test_matches_gradients(name: str) -> None:
    model = CASES[name].double().eval()
    analysis = shapelint.analyze(model, ("N", 2, "T"))
    field = analysis.receptive_field()["T"]
    assert field.stride == analysis.network.stride("T")
    assert field.size == measured(model, 2, 192, field.stride)


@pytest.mark.parametrize(
    "layer",
    [nn.AdaptiveAvgPool1d(1), nn.InstanceNorm1d(2), nn.GroupNorm(1, 2), nn.Softmax(dim=-1)],
    ids=lambda layer: type(layer).__name__,
)
def test_the_whole_input(layer: nn.Module) -> None:
    analysis = shapelint.analyze(nn.Sequential(nn.Conv1d(2, 2, 3), layer), ("N", 2, "T"))
    assert analysis.receptive_field()["T"].size is None


def test_softmax_over_the_channels_is_local() -> None:
    analysis = shapelint.analyze(nn.Sequential(nn.Conv1d(2, 2, 3), nn.Softmax(dim=1)), ("N", 2, "T"))
    assert analysis.receptive_field()["T"].size == 3


def test_axes_are_apart() -> None:
    model = nn.Sequential(nn.Conv2d(1, 4, (3, 7), stride=(2, 1)), nn.MaxPool2d((1, 4)), nn.Conv2d(4, 4, 3))
    fields = shapelint.analyze(model).receptive_field()
    assert fields["H"] == (3 + 2 * 2, 2)
    assert fields["W"] == (7 + 3 + 4 * 2, 4)


def test_vgg_like_arithmetic() -> None:
    """The textbook recurrence: r += (k - 1) * j, j *= s."""
    layers: list[nn.Module] = []
    size, jump = 1, 1
    channels = 3
    for _ in range(4):
        layers += [nn.Conv2d(channels, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.MaxPool2d(2)]
        size, channels = size + 2 * 2 * jump + jump, 8
        jump *= 2
    field = shapelint.analyze(nn.Sequential(*layers)).receptive_field()["H"]
    assert field == (size, 16)
