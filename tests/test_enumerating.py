"""Models that are run, size by size: the stated range, the pattern it shows, and sizes that contents decide."""

from __future__ import annotations

import pickle

import pytest
import torch
from torch import nn

import shapelint
from shapelint import DATA_DEPENDENT
from shapelint.enumerating import REACH, REACH_OF_ONE, Enumeration, Search, pattern
from shapelint.limits import Limits
from shapelint.tracing.running import TooMuchWork
from shapelint.unknown import agreed, holds_unknown

PATIENT = Limits(enumeration_seconds=600)
"""What is asked here is the answer, not how busy the machine is."""


class Frames(nn.Module):
    """Walks over its input seven samples at a time, in a way that is not followed as a whole."""

    def __init__(self, wide: bool = False) -> None:
        super().__init__()
        self.layer = nn.Conv2d(2, 2, 1) if wide else nn.Conv1d(2, 2, 1)

    def forward(self, x):
        if x.shape[2] % 7:
            raise ValueError("multiples of 7 only")
        frames = {i: x[:, :, 7 * i : 7 * i + 7] for i in range(x.shape[2] // 7)}
        return self.layer(torch.cat(list(frames.values()), 2))


class Bright(nn.Module):
    """The places of bright pixels, and the image."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(1, 1, 3)

    def forward(self, x):
        y = self.layer(x)
        places = torch.nonzero(y[0, 0] > 0).tolist()
        return {"places": torch.tensor(places).reshape(-1, 2), "image": y}


@pytest.mark.parametrize(
    ("running", "told"),
    [
        (range(1, 161), "all sizes"),
        (range(16, 161), "at least 16"),
        (range(7, 161, 7), "multiples of 7, at least 7"),
        ([*range(5, 160, 8), 1], "5 more than a multiple of 8, at least 5, and 1"),
        ([size for size in range(20, 161) if size % 6 in {0, 4}], "size mod 6 in 0, 4, at least 22"),
        ([64], "exactly 64"),
        ([], "none"),
        (range(3, 20), "3 to 19"),
        ([1, 4, 9, 16, 25, 36, 49, 64, 81, 100, 121, 144], "1, 4, 9, 16, 25, 36, 49, 64, 81, 100, 121, 144"),
    ],
)
def test_the_pattern_is_the_shortest_that_holds(running, told: str) -> None:
    found = pattern(tuple(running), 160)
    assert found.sentence() == told
    members = set(found.exceptions)
    if found.start is not None:
        members |= {size for size in range(found.start, 161) if size % found.modulus in found.residues}
    assert members == set(running)


def test_the_range_and_the_pattern_are_said() -> None:
    analysis = shapelint.analyze(Frames(), limits=PATIENT)
    assert analysis.certainty == "enumerated"
    assert analysis.summary() == "Frames: T: multiples of 7 in 1…512; T = 224 → (1, 2, 224); enumerated"
    assert analysis.symbols == ("N", "T")
    assert analysis.accepts(T=7 * 1000)
    assert not analysis.accepts(T=7 * 1000 + 1)
    assert (1, 511) in analysis.valid_sizes
    assert (5, 511) in analysis.valid_sizes
    assert (1, 7 * 1000) not in analysis.valid_sizes
    assert str(analysis.round_trip_sizes) == "T: multiples of 7 from 7 to 511"
    (finding,) = [finding for finding in analysis.diagnostics if finding.code == "SL905"]
    assert finding.sizes == "T: multiples of 7 in 1…512"


def test_several_sizes_are_tried_alone_and_alike() -> None:
    analysis = shapelint.analyze(Frames(wide=True), ("N", 2, "H", "W"), limits=PATIENT)
    assert analysis.enumeration.base == {"N": 1, "H": 224, "W": 224}
    assert analysis.enumeration.sentence() == (
        "H: multiples of 7 (with W = 224); W: all sizes (with H = 224); H = W: multiples of 7; in 1…160"
    )
    assert analysis.enumeration.reach == REACH < REACH_OF_ONE


def test_where_time_runs_out_that_is_said() -> None:
    analysis = shapelint.analyze(Frames(), ("N", 2, "T"), limits=Limits(enumeration_seconds=1e-9))
    assert "(there was no time for more)" in analysis.summary() or "no size was found to run" in analysis.summary()
    assert analysis.accepts(T=14)


def test_a_batch_of_one_alone_is_told_apart() -> None:
    class OneOnly(Frames):
        def forward(self, x):
            if x.shape[0] != 1:
                raise ValueError("one at a time")
            return super().forward(x)

    sizes = shapelint.analyze(OneOnly(), ("N", 2, "T"), limits=PATIENT).valid_sizes
    assert (1, 14) in sizes
    assert (2, 14) not in sizes


def test_what_contents_decide_is_no_number() -> None:
    torch.manual_seed(0)  # with some weights no noise tells one pixel from another
    analysis = shapelint.analyze(Bright(), limits=Limits(enumeration_seconds=5))
    assert analysis.output_shape(H=10, W=12) == {"places": (DATA_DEPENDENT, 2), "image": (1, 1, 8, 10)}
    assert str(analysis.output_shape(H=10, W=12)["places"]) == "(?, 2)"
    (reason,) = analysis.certainty_reasons
    assert reason.startswith("tolist() needs the values in a tensor, which depend on the data (at test_enumerating.py:")
    assert (
        "64 × 64 → 2 outputs, among them (?, 2), where ? depends on the contents of the tensors" in analysis.summary()
    )
    with pytest.raises(AssertionError, match=r"\(\?, 2\)"):
        shapelint.assert_output_shape(Bright(), ["5,2", "N,1,H-2,W-2"], sizes=["3x3", "8x5"])
    shapelint.assert_output_shape(Bright(), ["_,2", "N,1,H-2,W-2"], sizes=["3x3", "8x5"])


def test_outputs_agree_where_they_are_equal() -> None:
    assert agreed([(1, 3), {"a": (2, 2)}], [(1, 4), {"a": (2, 2)}]) == [(1, DATA_DEPENDENT), {"a": (2, 2)}]
    assert agreed([(1,), (1,)], [(1,)]) is DATA_DEPENDENT
    assert holds_unknown({"a": [(1, DATA_DEPENDENT)]})
    assert not holds_unknown({"a": [(1, 2)], "b": None})
    assert pickle.loads(pickle.dumps(DATA_DEPENDENT)) is DATA_DEPENDENT


class Reading(nn.Module):
    """Reads its input, which the meta device cannot, and its layers are large or small."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layer = nn.Conv2d(1, width, 3)
        self.runs = 0

    def forward(self, x):
        x.sum().tolist()
        return self.layer(x) if x.shape[2] >= 3 else x


def test_what_would_take_the_cpu_long_is_not_run_to_find_out() -> None:
    small = shapelint.analyze(Reading(4), ("N", 1, "H", "W"), limits=Limits(enumeration_seconds=1e-3))
    large = shapelint.analyze(Reading(40_000), ("N", 1, "H", "W"), limits=Limits(enumeration_seconds=1e-3))
    assert small._search.found == {"N": 1, "H": 64, "W": 64}
    assert large._search.found is None
    assert isinstance(large._search.error, TooMuchWork)
    assert not large._search.complete
    assert "no size was found to run in the time there was" in large.summary()
    assert large.accepts(H=4, W=4)  # what is asked for is run


def test_few_sizes_show_no_pattern() -> None:
    seen = Enumeration(Search({"N": 1, "H": 64, "W": 32}), ("H", "W"), 3, 160, {"H": (1, 2, 3), "W": ()}, (), True)
    assert seen.sentence() == "64 × 32 runs (there was no time to try other sizes)"
