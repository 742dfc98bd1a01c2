"""Small tensors that a model makes on its input's device hold numbers; large ones, and what draws them, do not."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from shapelint.tracing.eager import MANY_ELEMENTS, call_real

META = {"device": torch.device("meta")}


class Devices(TorchDispatchMode):
    """Notes on which devices tensors are made."""

    def __init__(self) -> None:
        super().__init__()
        self.met: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        self.met.add(made.device.type)
        return made


@pytest.mark.parametrize(
    ("function", "given", "wanted"),
    [
        (torch.arange, (3,), torch.tensor([0, 1, 2])),
        (torch.arange, (1, 8, 3), torch.tensor([1, 4, 7])),
        (torch.Tensor.to, (torch.tensor([1.0, 5.0]),), torch.tensor([1.0, 5.0])),
    ],
)
def test_few_numbers_are_made_once(function: Any, given: tuple[Any, ...], wanted: Tensor) -> None:
    with Devices() as devices:
        made = call_real(function, given, dict(META))
    assert "meta" not in devices.met
    assert torch.equal(made, wanted)
    assert made.dtype == wanted.dtype


@pytest.mark.parametrize("given", [(MANY_ELEMENTS + 1,), (-MANY_ELEMENTS, 1), (0.0, 1.0, 0.5 / MANY_ELEMENTS)])
def test_many_numbers_are_not_made(given: tuple[Any, ...]) -> None:
    with Devices() as devices:
        made = call_real(torch.arange, given, dict(META))
    assert devices.met == {"meta"}
    assert made.is_meta


def test_what_torch_refuses_is_refused() -> None:
    with pytest.raises(RuntimeError, match="inconsistent with step sign"):
        call_real(torch.arange, (4, 0), dict(META))
