"""Padding to a size that runs: the output is cropped to what the input was."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import shapelint


class UNet(nn.Module):
    def __init__(self, axes: int = 2) -> None:
        super().__init__()
        conv, up, self.pool = {
            1: (nn.Conv1d, nn.ConvTranspose1d, nn.MaxPool1d(2)),
            2: (nn.Conv2d, nn.ConvTranspose2d, nn.MaxPool2d(2)),
        }[axes]
        self.a, self.b, self.c = conv(1, 4, 3, padding=1), conv(4, 4, 3, padding=1), conv(4, 4, 3, padding=1)
        self.up_b, self.up_a = up(4, 4, 2, 2), up(8, 4, 2, 2)
        self.head = conv(8, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        a = self.a(x)
        b = self.b(self.pool(a))
        c = self.c(self.pool(b))
        y = torch.cat([b, self.up_b(c)], 1)
        return self.head(torch.cat([a, self.up_a(y)], 1))


@pytest.mark.parametrize("size", [(1, 1), (4, 4), (5, 7), (16, 17), (31, 64)])
def test_any_size_runs(size: tuple[int, int]) -> None:
    model = UNet().eval()
    x = torch.randn(2, 1, *size)
    padded, crop = shapelint.pad_to_valid(model, x)
    assert padded.shape[2:] == tuple(-(-s // 4) * 4 for s in size)
    assert torch.equal(padded[..., : size[0], : size[1]], x)
    assert crop(model(padded)).shape == (2, 2, *size)


def test_a_valid_size_is_left_alone() -> None:
    x = torch.randn(1, 1, 8, 12)
    padded, crop = shapelint.pad_to_valid(UNet(), x)
    assert padded is x
    assert torch.equal(crop(x), x)


def test_modes_axes_and_analyses() -> None:
    model = UNet(axes=1).eval()
    analysis = shapelint.analyze(model)
    x = torch.randn(1, 1, 30)
    padded, crop = shapelint.pad_to_valid(analysis, x, mode="replicate")
    assert torch.equal(padded, F.pad(x, (0, 2), "replicate"))
    assert crop(model(padded)).shape[-1] == 30


def test_sizes_that_come_back_are_preferred() -> None:
    """k3 s2 p1 without output_padding runs at every size and returns the odd ones."""
    model = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.ConvTranspose2d(8, 3, 3, 2, 1))
    padded, crop = shapelint.pad_to_valid(model, torch.randn(1, 3, 8, 9))
    assert padded.shape[2:] == (9, 9)
    assert crop(model(padded)).shape[2:] == (8, 9)


def test_structures_and_other_scales() -> None:
    model = nn.Sequential(nn.PixelUnshuffle(4), nn.Conv2d(16, 8, 1))
    padded, crop = shapelint.pad_to_valid(model, torch.randn(1, 1, 30, 32))
    assert padded.shape[2:] == (32, 32)
    out = model(padded)
    cropped = crop({"map": out, "pair": [out, "kept"], "vector": out.mean((2, 3))})
    assert cropped["map"].shape[2:] == (8, 8)  # 30 of 32 places are 7.5 of 8
    assert cropped["pair"][1] == "kept"
    assert cropped["vector"].shape == (1, 8)


def test_what_cannot_be() -> None:
    lenet = nn.Sequential(nn.Conv2d(1, 4, 5), nn.Flatten(), nn.Linear(4 * 8 * 8, 10))
    with pytest.raises(ValueError, match="runs at no size from 13 × 12 on"):
        shapelint.pad_to_valid(shapelint.analyze(lenet, sizes=None), torch.randn(1, 1, 13, 300)[..., :12])
    with pytest.raises(ValueError, match="takes \\(N, 1, H, W\\), and the tensor has the shape"):
        shapelint.pad_to_valid(UNet(), torch.randn(1, 28, 28))


def test_next_at_least() -> None:
    sizes = shapelint.analyze(UNet()).valid_sizes
    assert sizes.next_at_least(H=250, W=317) == {"H": 252, "W": 320}
    assert sizes.next_at_least(H=1, W=4) == {"H": 4, "W": 4}
    assert sizes.last_at_most(H=250, W=317) == {"H": 248, "W": 316}
    assert sizes.last_at_most(H=3, W=3) is None
    model = UNet().eval()
    for height in range(1, 20):
        found = sizes.next_at_least(H=height, W=8)
        assert found is not None
        model(torch.zeros(1, 1, found["H"], found["W"]))
        assert found["H"] - 4 < height <= found["H"]
