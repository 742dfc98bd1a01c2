"""Every fixture at every size 1 ... 160, each axis alone and all together: no answer differs from PyTorch's."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

import shapelint
from tests.catalogue import FIXTURES, Fixture
from tests.oracle import Failure, Oracle, flatten_shapes, same_answer


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.mark.parametrize("fixture", FIXTURES, ids=str)
def test_fixture(fixture: Fixture, record_property: Callable[[str, object], None]) -> None:
    """The file does what its author says, and the analysis says what PyTorch does: one oracle serves both."""
    oracle = Oracle(fixture.build, fixture.input, fixture.device)
    every = list(fixture.every_size())
    check_claims(fixture, oracle)
    analysis = shapelint.analyze(oracle.model, fixture.input)
    differences = same_answer(analysis, oracle, every)
    record_property("sizes compared with PyTorch", len(every))
    record_property("disagreements", len(differences))
    record_property(f"models {analysis.certainty}", 1)
    assert not differences, "\n".join(str(difference) for difference in differences[:20])


def check_claims(fixture: Fixture, oracle: Oracle) -> None:
    for sizes in fixture.every_size():
        actual = oracle(**sizes)
        if isinstance(actual, Failure):
            assert not fixture.runs(**sizes), (sizes, str(actual))
        else:
            assert fixture.runs(**sizes), (sizes, actual)
            assert flatten_shapes(actual)[0] == fixture.returns(**sizes), sizes
