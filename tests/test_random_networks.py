"""Random networks from the grammar, at every size 1 ... 96: no answer differs from PyTorch's."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.grammar import Description, Item, build, describe, smaller
from tests.judging import judge

SEEDED = 60


class Drawn:
    """Hypothesis as the grammar's chooser: every decision can be shrunk."""

    def __init__(self, draw: Any) -> None:
        self.draw = draw

    def choice(self, items: Sequence[Item]) -> Item:
        chosen: Item = self.draw(st.sampled_from(items))
        return chosen

    def randint(self, low: int, high: int) -> int:
        return int(self.draw(st.integers(low, high)))


@st.composite
def descriptions(draw: Any, rank: int) -> Description:
    return describe(Drawn(draw), rank)


def agree(description: Description) -> None:
    torch.set_num_threads(1)
    judgement = judge(description)
    told = "\n".join(str(difference) for difference in judgement.disagreements[:5])
    assert not judgement.disagreements, f"{json.dumps(description)}\n{told}"


_THOROUGH = settings(
    max_examples=12,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)


@_THOROUGH
@given(descriptions(1))
def test_random_networks_on_one_axis(description: Description) -> None:
    agree(description)


@_THOROUGH
@given(descriptions(2))
def test_random_networks_on_two_axes(description: Description) -> None:
    agree(description)


@settings(parent=_THOROUGH, max_examples=6)
@given(descriptions(3))
def test_random_networks_on_three_axes(description: Description) -> None:
    agree(description)


@pytest.mark.parametrize("seed", range(SEEDED))
def test_seeded_network(seed: int) -> None:
    """The first networks that ``python -m tests.fuzz --seed 0`` would try."""
    agree(describe(random.Random(seed)))


def test_a_description_is_plain_data_that_builds_and_shrinks() -> None:
    for seed in range(40):
        description = describe(random.Random(seed))
        assert json.loads(json.dumps(description)) == description
        for less in smaller(description):
            assert len(json.dumps(less)) < len(json.dumps(description))
            build(less)
