"""Every measured network, or the ones that are measured on the spot: no answer differs from PyTorch's (``-m zoo``)."""

from __future__ import annotations

import pytest

from tests.guarded import run_guarded
from tests.zoo.examining import Missing, examine
from tests.zoo.measured import Measured, load
from tests.zoo.published import published

LIMIT_SECONDS = 240
ZOO = load() or published()

pytestmark = [
    pytest.mark.zoo,
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]


@pytest.mark.parametrize("network", ZOO, ids=[network.id for network in ZOO])
def test_agrees_with_pytorch_at_every_measured_size(network: Measured) -> None:
    (outcome,) = run_guarded(examine, [network], at_once=1, limit_seconds=LIMIT_SECONDS)
    if isinstance(outcome.result, Missing):
        pytest.skip(outcome.result.reason)
    assert outcome.result is not None, outcome.failure
    assert not outcome.result.disagreements, "\n".join(outcome.result.examples)
