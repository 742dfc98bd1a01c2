"""A call is watched: what it looks at is noted, for it and for the calls around it; nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from shapelint.ops.layout import placed_in
from shapelint.sizes.dim import dim
from shapelint.tracing.looking import Watch, known_of
from shapelint.tracing.tensor import SymbolicTensor, symbolic_tensor


def _tensors() -> list[SymbolicTensor]:
    made = [symbolic_tensor((2, dim("T")), torch.float32) for _ in range(2)]
    made[1].strided = placed_in(made[1].sizes, (1, 0))
    return made


def _known(tensors: list[SymbolicTensor]) -> list[dict[str, Any]]:
    return [known_of(tensor).copy() for tensor in tensors]


LOOKS: dict[str, Callable[[SymbolicTensor], Any]] = {
    "shape": lambda tensor: tensor.shape,
    "size": lambda tensor: tensor.size(0),
    "ndim": lambda tensor: tensor.ndim,
    "dtype": lambda tensor: tensor.dtype,
    "call": lambda tensor: tensor.call,
    "strided": lambda tensor: tensor.strided,
    "copy": lambda tensor: tensor.__copy__(),
}


@pytest.mark.parametrize("look", LOOKS)
def test_every_call_around_is_told(look: str) -> None:
    tensors = _tensors()
    before, outer, inner = _known(tensors), Watch(), Watch()
    outer.begin(tensors, before)
    inner.begin(tensors, before)
    LOOKS[look](tensors[0])
    assert outer.seen == inner.seen == {id(tensors[0])}
    inner.end(tensors, before)
    assert outer.seen == {id(tensors[0])}
    outer.end(tensors, before)
    assert [vars(tensor) for tensor in tensors] == before


def test_a_call_is_not_told_of_what_is_looked_at_before_or_after_it() -> None:
    tensors = _tensors()
    before, outer, inner = _known(tensors), Watch(), Watch()
    outer.begin(tensors, before)
    assert tensors[0].ndim == 2
    inner.begin(tensors, before)
    inner.end(tensors, before)
    assert tensors[1].ndim == 2
    outer.end(tensors, before)
    assert tensors[0].sizes == tensors[1].sizes
    assert inner.seen == set()
    assert outer.seen == {id(tensors[0]), id(tensors[1])}


def test_an_inner_call_is_told_of_what_the_one_around_it_has_looked_at() -> None:
    tensors = _tensors()
    before, outer, inner = _known(tensors), Watch(), Watch()
    outer.begin(tensors, before)
    assert tensors[0].ndim == 2
    inner.begin(tensors, before)
    assert tensors[0].ndim == 2
    assert inner.seen == {id(tensors[0])}


def test_how_a_tensor_lies_is_told_apart_from_its_shape() -> None:
    tensors = _tensors()
    before, watch = _known(tensors), Watch()
    layout = before[1]["strided"]
    watch.begin(tensors, before)
    assert tensors[1].strided is layout
    assert watch.placed == set()
    assert tensors[1].stride(0) == 1
    assert watch.placed == {id(layout)}
    watch.end(tensors, before)
    watch.placed.clear()
    assert tensors[1].stride(0) == 1
    assert watch.placed == set()


def test_what_is_written_while_nobody_looks_stays() -> None:
    tensors = _tensors()
    before, outer, inner = _known(tensors), Watch(), Watch()
    outer.begin(tensors, before)
    tensors[0].sizes = (7,)
    assert known_of(tensors[0])["sizes"] == (7,)
    inner.begin(tensors, _known(tensors))
    assert tensors[0].sizes == (7,)
    assert inner.seen == {id(tensors[0])}
    inner.end(tensors, before)
    outer.end(tensors, before)
    assert vars(tensors[0]) == {**before[0], "sizes": (7,)}
