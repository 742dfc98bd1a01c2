"""Declared sizes in every form, and what is assumed where none are declared."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
import torch.nn.functional as functional
from torch import nn

import shapelint
from shapelint.network import ExpectedSizes, expected_sizes
from shapelint.network.expected import parse_declaration
from shapelint.tracing.inputs import InputError

HW = ("H", "W")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("256x192", "H: exactly 256; W: exactly 192"),
        ("256", "H and W: exactly 256"),
        (256, "H and W: exactly 256"),
        ((256, 192), "H: exactly 256; W: exactly 192"),
        ({"H": 256}, "H: exactly 256; W: all sizes"),
        ({"H": [32, 64], "W": 8}, "H: 32, 64; W: exactly 8"),
        ("H%32==0, W%16==0", "H: multiples of 32, at least 32; W: multiples of 16, at least 16"),
        ("H = 256, W = 64", "H: exactly 256; W: exactly 64"),
        ("64 <= H <= 66 and W == 2*H", "H × W: 64 × 128, 65 × 130, 66 × 132"),
        (["64x64", "128x64"], "H: 64, 128; W: exactly 64"),
        ("H >= 100", "H: at least 100; W: all sizes"),
    ],
)
def test_declarations(text: Any, sentence: str) -> None:
    assert str(parse_declaration(text, HW)) == sentence


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("64x64x64", "has 3 sizes, and the input has 2: H x W"),
        ("", "is not understood as sizes"),
        ("H", "is no condition"),
        ("Q%2==0", "no size is called Q; the sizes are H, W"),
        ({"Q": 3}, "no size is called Q"),
        ({"H": 0}, "must be a whole number of at least 1"),
        ("H==", "is not understood"),
        ("H%2==0, H%2==1", "no size satisfies"),
        ("0x4", "sizes are at least 1"),
        (3.5, "is not understood as sizes"),
        ("H == foo(3)", "'foo(3)' in 'H == foo(3)' is not understood"),
        ("512by512", "'512by512' is not understood; write"),
        ("H%0==0", "'H % 0' in 'H%0==0' divides by zero"),
        ("H in W", "'H in W' is no condition"),
    ],
)
def test_bad_declarations(text: Any, part: str) -> None:
    with pytest.raises(InputError, match=re.escape(part)):
        parse_declaration(text, HW)


def test_bad_declarations_are_told_at_once() -> None:
    with pytest.raises(InputError, match="no size is called Q"):
        shapelint.analyze(nn.Conv2d(3, 8, 3), ("N", 3, "H", "W"), "Q=3")


def test_a_symbol_for_channels_is_what_the_layers_leave_of_it() -> None:
    analysis = shapelint.analyze(Encoder(2), ("N", "C", "H", "W"))
    assert analysis.symbols == ("N", "H", "W")
    assert analysis.accepts(H=8, W=8)
    assert not analysis.accepts(C=4, H=8, W=8)
    assert analysis.diagnostics == ()


def expected(model: nn.Module, inputs: Any = ("N", 3, "H", "W"), sizes: Any = None) -> ExpectedSizes:
    analysis = shapelint.analyze(model, inputs, sizes)
    return expected_sizes(analysis, analysis.network)


class Encoder(nn.Module):
    def __init__(self, levels: int, kernel_size: int = 3) -> None:
        super().__init__()
        self.layers = nn.Sequential(*(nn.Conv2d(3, 3, kernel_size, stride=2, padding=1) for _ in range(levels)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.layers(x)
        return out


def test_multiples_of_the_total_stride() -> None:
    assert str(expected(Encoder(3)).sizes) == "H and W: multiples of 8, at least 8"


def test_declared_beats_everything() -> None:
    found = expected(Encoder(3), sizes="100x50")
    assert found.declared
    assert str(found.sizes) == "H: exactly 100; W: exactly 50"


def test_small_sizes_are_not_expected() -> None:
    class Deep(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return functional.conv2d(functional.max_pool2d(x, 2), torch.ones(3, 3, 7, 7))

    assert str(expected(Deep()).sizes) == "H and W: multiples of 2, at least 14".replace("multiples of 2", "even sizes")


def test_pinned() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.Flatten(), nn.Linear(4 * 16, 2))
    found = expected(model)
    assert found.pinned
    assert {"H": 8, "W": 8} in found.sizes
    assert {"H": 7, "W": 8} not in found.sizes


def test_the_authors_own_check() -> None:
    class Checked(Encoder):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if (x.shape[2] - 1) % 8 or (x.shape[3] - 1) % 8:
                raise ValueError("one more than a multiple of 8")
            return super().forward(x)

    assert str(expected(Checked(3)).sizes).startswith("H and W: 1 more than a multiple of 8")


def test_a_check_at_the_end_narrows_nothing() -> None:
    class Checked(Encoder):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = super().forward(x)
            assert y.shape[2] % 2 == 0
            return y

    assert str(expected(Checked(2)).sizes).startswith("H: multiples of 4, at least 8; W: multiples of 4")


def test_made_for_a_typical_size() -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.down = nn.Sequential(nn.Conv2d(1, 4, 3, stride=3, padding=1), nn.MaxPool2d(2))
            self.up = nn.Sequential(nn.ConvTranspose2d(4, 4, 2, 2), nn.ConvTranspose2d(4, 1, 4, stride=3, padding=0))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            out: torch.Tensor = self.up(self.down(x))
            return out

    found = expected(Odd(), ("N", 1, "H", "W"))
    assert found.typical == ({"H": 28, "W": 28} in found.sizes)


class Frames(nn.Module):
    """A causal codec: the first frame by itself, then eight at a time; folded by views, as published ones are."""

    def __init__(self, lead: int = 1) -> None:
        super().__init__()
        self.lead = lead
        self.down = nn.Conv1d(24, 4, 1)
        self.up = nn.Conv1d(4, 24, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        filled = torch.cat([x[:, :, :1]] * (8 - self.lead) + [x], 2)
        folded = filled.unflatten(2, (-1, 8)).transpose(2, 3).flatten(1, 2)
        out: torch.Tensor = self.up(self.down(folded)).unflatten(1, (3, 8)).transpose(2, 3).flatten(2)
        return out[:, :, 8 - self.lead :]


def test_what_a_tensor_refuses_for_its_own_shape_is_not_expected_of_it() -> None:
    analysis = shapelint.analyze(Frames(), ("N", 3, "T"))
    assert str(analysis.valid_sizes.project("T")) == "T: 1 more than a multiple of 8"
    assert str(expected(Frames(), ("N", 3, "T")).sizes) == "T: 1 more than a multiple of 8"
    assert analysis.diagnostics == ()


class Pieces(nn.Module):
    """A causal codec of images: each four frames after the first are one, and there must be some of these."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv3d(3, 3, 1, stride=(4, 2, 2))
        self.up = nn.Upsample(scale_factor=(4, 2, 2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        kept = [self.down(x[:, :, 1:])] if x.shape[2] % 4 == 1 else []
        return torch.cat([x[:, :, :1], self.up(torch.cat(kept, 2))], 2)


def test_only_the_axis_that_refuses_its_multiples_is_expected_to_have_others() -> None:
    analysis = shapelint.analyze(Pieces(), ("N", 3, "D", "H", "W"))
    assert str(expected(Pieces(), ("N", 3, "D", "H", "W")).sizes).startswith("D: 1 more than a multiple of 4")
    assert [d for d in analysis.diagnostics if d.code == "SL305"] == []


def test_what_tensors_that_meet_refuse_is_expected_all_the_same() -> None:
    class Skipping(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.down = nn.Conv2d(3, 4, 3, stride=2, padding=1)
            self.up = nn.ConvTranspose2d(4, 3, 3, stride=2, padding=1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.cat([x, self.up(self.down(x))], 1)

    assert str(expected(Skipping()).sizes) == "H and W: even sizes"
