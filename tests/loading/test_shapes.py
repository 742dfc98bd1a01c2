"""Shapes as people write them."""

import pytest

from shapelint.loading.errors import LoadError
from shapelint.loading.shapes import Inputs, parse_inputs, parse_sizes


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ([], None),
        (["N,3,H,W"], ("N", 3, "H", "W")),
        (["(N, 1, H, W)"], ("N", 1, "H", "W")),
        (["[1, 3, 2*H, H//8 + 1]"], (1, 3, "2*H", "H//8 + 1")),
        (["N,3,H,W", "N,10"], [("N", 3, "H", "W"), ("N", 10)]),
        (["(N,3,H,W), (N,)"], [("N", 3, "H", "W"), ("N",)]),
        (["x=N,3,H,W", "t=N"], {"x": ("N", 3, "H", "W"), "t": ("N",)}),
        (["x=(N, 3, H, W), t=(N,)"], {"x": ("N", 3, "H", "W"), "t": ("N",)}),
        (["x: N,3,H"], {"x": ("N", 3, "H")}),
        (["int64[N,T]"], "int64[N,T]"),
        (["int64[N, T], bool(N, T)"], ["int64[N, T]", "bool(N, T)"]),
        (["ids=int64[N,T]", "x=N,3"], {"ids": "int64[N,T]", "x": ("N", 3)}),
        (["ids=int64[N,T], mask=bool[N,T]"], {"ids": "int64[N,T]", "mask": "bool[N,T]"}),
    ],
)
def test_inputs(texts: list[str], expected: Inputs) -> None:
    assert parse_inputs(texts) == expected


@pytest.mark.parametrize("text", ["()", "N,3,!", "a;b", "int64[N,!]"])
def test_what_is_no_shape_is_told_with_an_example(text: str) -> None:
    with pytest.raises(LoadError, match="write one as N,3,H,W"):
        parse_inputs([text])


def test_names_for_some_inputs_only_are_refused() -> None:
    with pytest.raises(LoadError, match="either all inputs have names"):
        parse_inputs(["x=N,3,H,W", "N,10"])


def test_sizes_are_handed_on_as_written() -> None:
    assert parse_sizes([]) is None
    assert parse_sizes(["512x512"]) == "512x512"
    assert parse_sizes(["512x512", " H=256 "]) == ["512x512", "H=256"]
