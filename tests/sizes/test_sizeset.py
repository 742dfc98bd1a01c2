"""A set of sizes is asked, combined and read."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from shapelint.sizes import Dim, SizeSet, any_of
from shapelint.sizes.dim import dim

H, W = Dim("H"), Dim("W")


def _where(*conditions: Any, symbols: str = "NHW") -> SizeSet:
    return SizeSet.where(symbols, *conditions)


@pytest.mark.parametrize(
    ("sizes", "sentence"),
    [
        (_where(), "H and W: all sizes"),
        (_where(H % 16 == 0, W % 16 == 0), "H and W: multiples of 16, at least 16"),
        (_where(H % 2 == 0, H % 16 <= 15, W % 2 == 0), "H and W: even sizes"),
        (_where(H >= 5), "H: at least 5; W: all sizes"),
        (_where(H % 2 == 1, W % 2 == 1), "H and W: odd sizes"),
        (_where(H % 32 == 31, W % 32 == 31), "H and W: 31 more than a multiple of 32, at least 31"),
        (_where(H * W > 1), "H and W: all sizes; but not H × W = 1 × 1"),
        (_where((H // 2) * 32 == 32 * 14, symbols="NH"), "H: 28, 29"),
        (_where(H == 28, W == 28), "H and W: exactly 28"),
        (_where(H == W), "H = W, H and W: all sizes"),
        (_where(any_of(H % 8 == 0, H == 3, H == 5), symbols="H"), "H: multiples of 8, at least 8, and 3, 5"),
        (_where(H > 4, H < 3), "no sizes"),
        (_where(H < 3, W < 3), "H and W: 1, 2"),
    ],
)
def test_it_prints_as_a_sentence(sizes: SizeSet, sentence: str) -> None:
    assert str(sizes) == sentence


def test_equal_sets_print_the_same() -> None:
    one = _where(H % 4 == 0, H % 6 == 0)
    other = _where(H % 12 == 0)
    assert one == other
    assert str(one) == str(other)


def test_members() -> None:
    sizes = _where(H % 16 == 0, W % 16 == 0)
    assert {"H": 32, "W": 16} in sizes
    assert (1, 32, 16) in sizes
    assert (32, 16) in sizes
    assert {"H": 33, "W": 16} not in sizes
    with pytest.raises(KeyError, match="no size is called D"):
        assert {"D": 3} in sizes


def test_set_operations() -> None:
    even, triple = _where(H % 2 == 0, symbols="H"), _where(H % 3 == 0, symbols="H")
    assert even & triple == _where(H % 6 == 0, symbols="H")
    assert [h for h in range(1, 13) if h in even - triple] == [2, 4, 8, 10]
    assert [h for h in range(1, 8) if h in even | triple] == [2, 3, 4, 6]
    assert (even - even).is_empty()
    assert even & triple <= even
    assert not even <= triple


def test_normal_form_of_an_axis() -> None:
    axis = _where(any_of(H % 8 == 0, H % 8 == 7), H >= 15).axis("H")
    assert (axis.start, axis.modulus, axis.residues, axis.exceptions) == (15, 8, (0, 7), ())
    finite = _where(H < 4).axis("H")
    assert (finite.start, finite.exceptions) == (None, (1, 2, 3))


def test_nearest_members() -> None:
    sizes = _where(H % 16 == 0, W % 32 == 0)
    assert sizes.next_at_least(H=250, W=317) == {"H": 256, "W": 320}
    assert sizes.last_at_most(H=250, W=317) == {"H": 240, "W": 288}
    assert sizes.nearest(H=48, W=64) == ({"H": 48, "W": 64},)


def test_coupled_sizes_have_a_nearest_member_too() -> None:
    pairs = _where((H // 4) * (W // 4) == 25)
    found = pairs.next_at_least(H=17, W=17)
    assert found is not None
    assert found in pairs
    assert (found["H"], found["W"]) == (20, 20)


def test_least_and_enumeration() -> None:
    sizes = _where(H % 3 == 0, W == 2, symbols="HW")
    assert sizes.least() == {"H": 3, "W": 2}
    assert list(sizes.enumerate(limit=7)) == [{"H": 3, "W": 2}, {"H": 6, "W": 2}]
    assert not sizes.is_finite()


def test_it_pickles() -> None:
    sizes = _where(H % 16 == 0, H * W > 40)
    assert pickle.loads(pickle.dumps(sizes)) == sizes


def test_of_many_combinations_one_of_equal_sizes_is_named() -> None:
    h, w = dim("H"), dim("W")
    many = SizeSet.where(["H", "W"], (h // 16) * (w // 16) == 14 * 14)
    assert str(many).endswith("; among them 224 × 224)")
    none_alike = SizeSet.where(["H", "W"], (h // 16) * (w // 16) == 2 * 14 * 14)
    assert "; the first is 16 × " in str(none_alike)
