"""``shapelint.diff``: what a change does, as text and data."""

import json

from torch import nn

import shapelint


def test_nothing_changes() -> None:
    found = shapelint.diff(nn.Conv2d(3, 8, 3), nn.Conv2d(3, 8, 3))
    assert not found
    assert str(found) == "Conv2d: the same sizes run and return the same (proven)"
    assert found.to_dict()["equivalent"]


def test_sizes_are_lost_and_gained() -> None:
    found = shapelint.diff(nn.Conv2d(3, 8, 3), nn.Conv2d(3, 8, (5, 2)))
    assert found
    assert found.lost.least() == {"H": 3, "W": 3}
    assert {"H": 4, "W": 9} in found.lost
    assert {"H": 5, "W": 3} not in found.lost
    assert found.gained.least() == {"H": 5, "W": 2}
    assert {"H": 5, "W": 3} not in found.gained


def test_outputs_change() -> None:
    found = shapelint.diff(nn.Conv2d(3, 8, 3), nn.Conv2d(3, 8, 3, padding=1))
    assert str(found).splitlines() == [
        "Conv2d: the sizes differ (proven)",
        "  before, these run: H and W: at least 3",
        "  now, these run:    H and W: all sizes",
        "  gained, for one: H = 1, W = 1",
        "  another output, for one at H = 3, W = 3: (1, 8, 1, 1) before, (1, 8, 3, 3) now",
    ]
    data = json.loads(json.dumps(found.to_dict()))
    assert data["example"] == {"sizes": {"H": 3, "W": 3}, "old": [1, 8, 1, 1], "new": [1, 8, 3, 3]}
    assert data["gained"]["least"] == {"H": 1, "W": 1}
    assert data["lost"]["least"] is None


def test_another_input() -> None:
    found = shapelint.diff(nn.Conv2d(3, 8, 3), nn.Conv2d(1, 8, 3))
    assert "input: (N, 3, H, W) before, (N, 1, H, W) now" in str(found)
    assert found.to_dict()["input"] == [["N", 3, "H", "W"], ["N", 1, "H", "W"]]


def test_analyses_are_compared_too() -> None:
    old = shapelint.analyze(nn.Conv2d(3, 8, 3), name="before")
    assert "before → Conv2d" in str(shapelint.diff(old, nn.Conv2d(3, 8, 3)))
