"""SL303 says how many sizes are left, and which."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import shapelint


class Limited(nn.Module):
    def __init__(self, use: Callable[[Any, Tensor], Tensor], **layers: nn.Module) -> None:
        super().__init__()
        self.use = use
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, x: Tensor) -> Tensor:
        return self.use(self, x)


def _checked(model: Any, x: Tensor) -> Tensor:
    if x.shape[1] > 100 or x.shape[1] % 3:
        raise ValueError("no")
    return x


def _squares(model: Any, x: Tensor) -> Tensor:
    y = model.conv(x)
    assert y.shape[2] == y.shape[3]
    return model.fc(y.flatten(1))  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("model", "inputs", "message"),
    [
        (
            Limited(lambda m, x: x + m.table(torch.arange(x.shape[1])), table=nn.Embedding(64, 8)),
            ("N", "T", 8),
            "`table` takes only T of at most 64",
        ),
        (nn.Sequential(nn.Linear(32, 3)), ("N", "T"), "`0` fixes the input to T = 32"),
        (
            Limited(_squares, conv=nn.Conv2d(3, 8, 4, 4), fc=nn.Linear(8 * 49, 3)),
            ("N", 3, "H", "W"),
            "`fc` takes only H and W from 28 to 31",
        ),
        (Limited(_checked), ("N", "T"), "the model's own check takes only T among multiples of 3 from 3 to 99"),
        (nn.Sequential(nn.Flatten(), nn.Linear(16, 3)), ("N", "H", "W"), "`1` takes only 5 combinations of H and W"),
        (
            nn.Sequential(nn.AdaptiveAvgPool1d(4), nn.Flatten(), nn.Linear(4, 3)),
            ("N", "C", "T"),
            None,
        ),
    ],
)
def test_the_message_says_what_is_left(model: nn.Module, inputs: Any, message: str | None) -> None:
    found = [d.message for d in shapelint.analyze(model, inputs).diagnostics if d.code == "SL303"]
    assert found == ([] if message is None else [message])
