"""``torch.vmap`` in forward, compared with PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

import shapelint
from tests import oracle

INPUT = ("N", 3, "H", "W")


class Forward(nn.Module):
    def __init__(self, forward: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self._forward = forward

    def forward(self, x: Tensor) -> Any:
        return self._forward(x)


class Ensemble(nn.Module):
    """Three networks of one kind, run as one."""

    def __init__(self) -> None:
        super().__init__()
        members = [nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.ReLU(), nn.Conv2d(4, 2, 1)) for _ in range(3)]
        self.state = stack_module_state(members)  # type: ignore[arg-type]
        self.member = [members[0]]

    def forward(self, x: Tensor) -> Tensor:
        def run(state: Any, buffers: Any, x: Tensor) -> Any:
            return functional_call(self.member[0], (state, buffers), (x,))

        made: Tensor = vmap(run, in_dims=(0, 0, None))(*self.state, x)
        return made.mean(0)


def _windows(x: Tensor) -> Tensor:
    return vmap(lambda image: F.conv2d(image[None], torch.zeros(2, 3, 3, 3))[0])(x)


def _nested(x: Tensor) -> Tensor:
    return vmap(vmap(lambda plane: plane.flatten()))(x)


def _along_other_dimensions(x: Tensor) -> Any:
    product = vmap(lambda a, b: a @ b.T, in_dims=(1, None), out_dims=1)(x, torch.zeros(7, x.shape[-1]))
    return product, vmap(lambda a: (a.sum(0), a[:2]), in_dims=-1, out_dims=(0, -1))(x)


def _of_unlike_sizes(x: Tensor) -> Tensor:
    return vmap(lambda a, b: a + b, in_dims=(2, 3))(x, x)


def _in_chunks(x: Tensor) -> Tensor:
    return vmap(lambda a: a.mean(), in_dims=3, chunk_size=4)(x)


def _none_at_all(x: Tensor) -> Tensor:
    return vmap(lambda a: a.sum(0), in_dims=2)(x[:, :, 4:])


def _no_tensor(x: Tensor) -> Any:
    return vmap(lambda a: a.shape[0])(x)


@pytest.mark.parametrize(
    "forward",
    [_windows, _nested, _along_other_dimensions, _of_unlike_sizes, _in_chunks, _none_at_all, _no_tensor],
)
def test_a_function_over_slices(forward: Callable[[Tensor], Any]) -> None:
    _agrees(Forward(forward), "proven")


def test_an_ensemble() -> None:
    _agrees(Ensemble(), "proven")


def _viewed(x: Tensor) -> Tensor:
    return vmap(lambda a: a.transpose(1, 2))(x).view(x.shape[0], -1)


def _looked_up(x: Tensor) -> Tensor:
    positions = torch.arange(x.shape[-1])[:, None] + 2
    return vmap(lambda at: torch.zeros(9)[at])(positions)


@pytest.mark.parametrize("forward", [_viewed, _looked_up])
def test_what_depends_on_how_torch_batches_is_enumerated(forward: Callable[[Tensor], Any]) -> None:
    _agrees(Forward(forward), "enumerated")


def _agrees(model: nn.Module, certainty: str) -> None:
    analysis = shapelint.analyze(model, INPUT)
    assert analysis.certainty == certainty, analysis.certainty_reasons
    asked = oracle.Oracle(lambda: model, INPUT, device="cpu")
    sizes = [{"N": 2, "H": h, "W": w} for h in range(1, 12) for w in (1, 2, 3, 5, 8)]
    assert oracle.same_answer(analysis, asked, sizes) == []
