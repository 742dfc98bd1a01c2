"""What the zoo's command makes of its outcomes, and networks that are measured on the spot."""

from __future__ import annotations

import dataclasses

import pytest

from tests.guarded import Outcome
from tests.zoo import run
from tests.zoo.examining import Missing, Verdict, examine
from tests.zoo.measured import Measured, parse
from tests.zoo.published import measured_here, published
from tests.zoo.test_measured import ROW

NETWORK = parse(ROW)
PROVEN = Verdict("pool", "proven", (), 9, 0, (), 1.0, 1.0, 1.0, 0.0)


def outcome(result: Verdict | Missing | None, *, late: bool = False) -> run.Result:
    return Outcome(NETWORK, result, None if result else "no answer within 1 s" if late else "it died", 1.0, late=late)


@pytest.mark.parametrize(
    ("outcomes", "required", "expected"),
    [
        ([outcome(PROVEN)], 1.0, 0),
        ([outcome(dataclasses.replace(PROVEN, disagreements=1))], 0.0, 1),
        ([outcome(PROVEN), outcome(None)], 0.0, 1),
        ([outcome(PROVEN), outcome(None, late=True)], 0.5, 0),
        ([outcome(PROVEN), outcome(None, late=True)], 0.51, 1),
        ([outcome(PROVEN), outcome(dataclasses.replace(PROVEN, certainty="enumerated"))], 0.51, 1),
        ([outcome(PROVEN), outcome(Missing("No module named 'vit_pytorch'"))], 1.0, 0),
        ([outcome(Missing("No module named 'vit_pytorch'"))], 0.0, 2),
    ],
    ids=["right", "wrong", "dead", "late", "too many late", "not proven", "missing", "nothing judged"],
)
def test_the_exit_status(outcomes: list[run.Result], required: float, expected: int) -> None:
    assert run.status(outcomes, required) == expected


def test_what_has_no_answer_is_said_and_not_proven() -> None:
    text = run.summary([outcome(PROVEN), outcome(None, late=True)])
    assert "proven: 50.0 % of 2" in text
    assert "no answer within the time limit (counted as not proven): 1: pool" in text
    assert "failed: 0" in text


def test_a_sample_is_spread_evenly() -> None:
    networks = [dataclasses.replace(NETWORK, id=str(number)) for number in range(10)]
    assert [network.id for network in run._sampled(networks, 3)] == ["0", "3", "6"]
    assert run._sampled(networks, 20) == networks


def bare(**changes: object) -> Measured:
    return dataclasses.replace(NETWORK, sweeps=(), reach=9, **changes)


def test_measuring_on_the_spot_sees_what_was_measured() -> None:
    found = {sweep.name: sweep for sweep in measured_here(bare()).sweeps}
    assert found.keys() == {"axis:H", "axis:W", "all"}
    known = NETWORK.sweeps[0]
    assert found["axis:H"].sizes_at(3) == known.sizes_at(3)
    assert found["axis:H"].shapes == known.shapes
    assert found["axis:H"].errors.keys() == known.errors.keys()
    assert set(found["all"].shapes) == set(range(2, 10))


def test_what_was_measured_stays() -> None:
    assert measured_here(NETWORK) is NETWORK


def test_a_network_that_never_runs_measures_nothing() -> None:
    with pytest.raises(ValueError, match="pool runs at no size of axis:H, axis:W, all"):
        measured_here(bare(factory="nn.Conv2d(3, 4, 1)"))


def test_a_network_measured_on_the_spot_is_judged() -> None:
    verdict = examine(bare())
    assert isinstance(verdict, Verdict)
    assert (verdict.certainty, verdict.sizes, verdict.disagreements) == ("proven", 27, 0)


def test_published_networks_are_told_apart() -> None:
    networks = published()
    assert len({network.id for network in networks}) == len(networks)
