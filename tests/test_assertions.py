"""Assertions: they hold where PyTorch agrees, and say what the linter says where they do not."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import shapelint
from shapelint.tracing.inputs import InputError


class UNet(nn.Module):
    def __init__(self, classes: int = 2) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.deep = nn.Conv2d(8, 16, 3, padding=1)
        self.up = nn.ConvTranspose2d(16, 8, 2, 2)
        self.head = nn.Conv2d(16, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        skip = self.first(x)
        return self.head(torch.cat([skip, self.up(self.deep(self.pool(skip)))], 1))


class Autoencoder(nn.Module):
    def __init__(self, output_padding: int = 0) -> None:
        super().__init__()
        self.encoder = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.decoder = nn.ConvTranspose2d(8, 3, 3, stride=2, padding=1, output_padding=output_padding)

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(self.encoder(x))


class Counting(nn.Module):
    """Loops over pairs of columns: it can only be run."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x[..., :0], *(x[..., 2 * i : 2 * i + 2] for i in range(x.shape[-1] // 2))], -1)


class Cutting(nn.Module):
    """Cuts off as much as the contents say."""

    def forward(self, x: Tensor) -> Tensor:
        return x[..., int(x.sum().abs().item()) % 5 :]


def test_accepts() -> None:
    shapelint.assert_accepts(UNet(), "H%2==0, W%2==0")
    shapelint.assert_accepts(UNet(), ["64x64", {"H": 2, "W": 6}])
    with pytest.raises(AssertionError) as caught:
        shapelint.assert_accepts(UNet(), "H%2==0")
    text = str(caught.value)
    assert text.startswith("UNet does not run at some of the sizes asked for (H: even sizes")
    assert "W: odd sizes). At the least of them, 2 × 1\n" in text
    assert "it runs at: H and W: even sizes" in text
    assert "`up`" in text
    assert "output_size=" in text
    assert f"{Path(__file__).name}:" in text
    with pytest.raises(AssertionError, match="UNet does not run at 63 × 64"):
        shapelint.assert_accepts(UNet(), "63x64")


def test_round_trip() -> None:
    shapelint.assert_round_trip(UNet())
    shapelint.assert_round_trip(Autoencoder(1))
    shapelint.assert_round_trip(Autoencoder(0), "H%2==1, W%2==1")
    with pytest.raises(AssertionError) as caught:
        shapelint.assert_round_trip(Autoencoder(0), "224x224")
    text = str(caught.value)
    assert "Autoencoder returns another size than it got at 224 × 224: the output is (1, 3, 223, 223)" in text
    assert "it returns its input's size at: H and W: odd sizes" in text
    assert "SL101" in text
    assert "output_padding=1" in text
    with pytest.raises(AssertionError, match="UNet does not run at 5 × 5"):
        shapelint.assert_round_trip(UNet(), "5x5")


def test_output_shape() -> None:
    shapelint.assert_output_shape(UNet(), "N,2,H,W")
    shapelint.assert_output_shape(UNet(), ("N", "_", "H", "W"))
    shapelint.assert_output_shape(nn.Conv2d(3, 8, 4, 2, 1), "N,8,H//2,W//2")
    shapelint.assert_output_shape(nn.Conv2d(3, 8, 3), "N,8,H-2,W-2", sizes="H>=3, W>=3")
    with pytest.raises(AssertionError, match=r"does not return \(N, 1, H, W\) at .*the output is \(1, 2, 2, 2\)"):
        shapelint.assert_output_shape(UNet(2), "N,1,H,W")
    with pytest.raises(AssertionError, match=r"does not return \(N, 8, H, W\) at 32 × 32: the output is \(1, 8, 30"):
        shapelint.assert_output_shape(nn.Conv2d(3, 8, 3), "N,8,H,W", sizes="32x32")
    with pytest.raises(InputError, match="size K is none of the input's"):
        shapelint.assert_output_shape(UNet(), "N,K,H,W")


def test_several_outputs() -> None:
    class Pyramid(nn.Module):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return x, nn.functional.avg_pool2d(x, 2)

    shapelint.assert_output_shape(Pyramid(), ["N,3,H,W", "N,3,H//2,W//2"], inputs=("N", 3, "H", "W"))
    with pytest.raises(AssertionError, match="does not return"):
        shapelint.assert_output_shape(Pyramid(), ["N,3,H,W", "N,3,H,W"], inputs=("N", 3, "H", "W"))


def test_equivalent_sizes() -> None:
    shapelint.assert_equivalent_sizes(UNet(), UNet())
    with pytest.raises(AssertionError, match="another output, for one at H = 1, W = 1"):
        shapelint.assert_equivalent_sizes(Autoencoder(0), Autoencoder(1))


def test_models_that_can_only_be_run() -> None:
    model = Counting()
    assert shapelint.analyze(model, ("N", 3, "H", "W")).certainty == "enumerated"
    shapelint.assert_accepts(model, "H%2==0", inputs=("N", 3, "H", "W"))
    shapelint.assert_round_trip(model, "W%2==0", inputs=("N", 3, "H", "W"))
    with pytest.raises(AssertionError, match="returns another size than it got at 8 × 33"):
        shapelint.assert_round_trip(model, "8x33", inputs=("N", 3, "H", "W"))
    with pytest.raises(AssertionError, match="does not return"):
        shapelint.assert_output_shape(model, "N,3,H,W", inputs=("N", 3, "H", "W"), sizes="H>=2, W>=2")


def test_a_size_that_contents_decide_is_none_that_was_asked_for() -> None:
    with pytest.raises(AssertionError, match=r"the output is \(1, 3, 8, \?\)"):
        shapelint.assert_round_trip(Cutting(), "8x32", inputs=("N", 3, "H", "W"))


def test_unittest_shows_the_text_and_no_internals(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "import unittest, shapelint\n"
        "from torch import nn\n"
        "class Test(unittest.TestCase):\n"
        "    def test(self):\n"
        "        shapelint.assert_accepts(nn.Conv2d(3, 8, 5), '4x4')\n"
    )
    root = Path(shapelint.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-m", "unittest", "test_it"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "AssertionError: Conv2d does not run at 4 × 4" in done.stderr
    assert "assertions.py" not in done.stderr


def test_torchs_own_source_is_no_place() -> None:
    with pytest.raises(AssertionError) as caught:
        shapelint.assert_round_trip(nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.ConvTranspose2d(8, 3, 3, 2, 1)), "8x8")
    assert "`1` does not restore the size that `0` had" in str(caught.value)
    assert "container.py" not in str(caught.value)
