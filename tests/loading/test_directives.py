"""Comments that name a model: what is read, and what is told when they are wrong."""

from pathlib import Path

import pytest

from shapelint.loading.directives import read_directives
from shapelint.loading.errors import LoadError


@pytest.mark.parametrize(
    ("comment", "expression", "inputs", "sizes"),
    [
        ("UNet(3, 2)", "UNet(3, 2)", None, None),
        (
            "UNet(in_channels=1, base=32) input=(N, 1, H, W) size=512x512",
            "UNet(in_channels=1, base=32)",
            "(N, 1, H, W)",
            "512x512",
        ),
        ("UNet(input=3) size=64 input=N,3,H,W", "UNet(input=3)", "N,3,H,W", "64"),
        ("size=H%32==0, W%32==0", "", None, "H%32==0, W%32==0"),
        ("make('a input=b') input=(N,)", "make('a input=b')", "(N,)", None),
        ("input=x=(N, 3, H, W), t=(N,)", "", "x=(N, 3, H, W), t=(N,)", None),
    ],
)
def test_parts_of_a_comment(comment: str, expression: str, inputs: str | None, sizes: str | None) -> None:
    (directive,) = read_directives(Path("unet.py"), f"# shapelint: {comment}\n")
    assert (directive.expression, directive.inputs, directive.sizes) == (expression, inputs, sizes)


def test_it_may_stand_anywhere_and_knows_its_place() -> None:
    source = "x = '# shapelint: Not(1)'\nclass UNet:\n    pass  # shapelint: UNet()\n"
    (directive,) = read_directives(Path("unet.py"), source)
    assert (directive.location.line, directive.location.column) == (3, 11)


def test_suppressions_are_something_else() -> None:
    assert read_directives(Path("unet.py"), "x = 1  # shapelint: ignore[SL101]\n") == ()


@pytest.mark.parametrize(
    ("comment", "message"),
    [
        ("", "this shapelint comment is empty"),
        ("UNet(3,", "`UNet(3,` in this shapelint comment is not a Python expression"),
        ("UNet() input=", "input= has no value"),
        ("UNet() size=1 size=2", "input= or size= is given twice"),
    ],
)
def test_a_comment_that_is_not_understood_is_told(comment: str, message: str) -> None:
    with pytest.raises(LoadError, match="SL906") as raised:
        read_directives(Path("unet.py"), f"\n# shapelint: {comment}\n")
    assert message in raised.value.message
    assert raised.value.location is not None
    assert raised.value.location.line == 2
