"""torchvision's operators on boxes and regions, against torchvision."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import shapelint
from tests import oracle

ops: Any = pytest.importorskip("torchvision.ops")

SIZES = [{"H": h, "W": w} for h, w in itertools.product(range(1, 14), (1, 2, 3, 5, 8, 13))]


class Calling(nn.Module):
    """A model that is one function of its input and some layers."""

    def __init__(self, function: Callable[..., Any], **layers: nn.Module) -> None:
        super().__init__()
        self.function = function
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, x: Tensor) -> Any:
        return self.function(self, x)


def _agree(make: Callable[[], nn.Module], inputs: Any, sizes: list[dict[str, int]]) -> shapelint.Analysis:
    analysis = shapelint.analyze(make(), inputs)
    assert analysis.certainty == "proven", analysis.certainty_reasons
    differing = oracle.same_answer(analysis, oracle.Oracle(make, inputs, "cpu"), sizes)
    assert not differing, "\n".join(map(str, differing[:5]))
    return analysis


def test_kept_boxes() -> None:
    def kept(model: Any, x: Tensor) -> Tensor:
        return x[ops.nms(x[:, :4], x[:, -1], 0.5)]

    sizes = [{"N": n, "D": d} for n, d in itertools.product(range(1, 10), range(1, 8))]
    analysis = _agree(lambda: Calling(kept), ("N", "D"), sizes)
    assert analysis.output_shape(N=7, D=6) == (shapelint.DATA_DEPENDENT, 6)


def test_boxes_and_scores_that_do_not_match() -> None:
    def kept(model: Any, x: Tensor) -> Tensor:
        return ops.nms(x[:, :4], x[2:, -1], 0.5)

    analysis = shapelint.analyze(Calling(kept), ("N", 6))
    assert not any(analysis.accepts(N=n) for n in range(1, 10))


def test_kept_boxes_of_several_classes() -> None:
    def kept(model: Any, x: Tensor) -> Tensor:
        return x[ops.batched_nms(x[:, :4], x[:, 4], (x[:, 5] * 3).long(), 0.5)[:10]]

    # from 1000 boxes on, torchvision goes through the classes
    _agree(lambda: Calling(kept), ("N", 6), [{"N": n} for n in (*range(1, 41), 1000, 1001)])


@pytest.mark.parametrize(
    "pool",
    [ops.RoIAlign(7, 0.5, 2), ops.RoIPool((3, 2), 0.25), ops.PSRoIAlign(2, 0.5, 2), ops.PSRoIPool((2, 4), 0.5)],
)
def test_regions(pool: nn.Module) -> None:
    def regions(model: Any, x: Tensor) -> Tensor:
        boxes = torch.cat([torch.zeros(x.shape[3], 1), x[0, 0, :4].T], 1)
        return model.pool(model.convolution(x), boxes)  # type: ignore[no-any-return]

    _agree(lambda: Calling(regions, pool=pool, convolution=nn.Conv2d(1, 8, 3, stride=2)), (1, 1, "H", "W"), SIZES)


def test_regions_whose_places_do_not_divide_the_channels() -> None:
    def regions(model: Any, x: Tensor) -> Tensor:
        boxes = torch.cat([torch.zeros(1, 1), torch.ones(1, 4)], 1)
        return ops.ps_roi_align(x, boxes, 2)  # type: ignore[no-any-return]

    sizes = [{"C": channels} for channels in range(1, 14)]
    analysis = _agree(lambda: Calling(regions), (1, "C", 5, 5), sizes)
    assert [size["C"] for size in sizes if analysis.accepts(**size)] == [4, 8, 12]


def test_regions_given_image_by_image() -> None:
    def regions(model: Any, x: Tensor) -> Tensor:
        return ops.roi_align(x, [image[0, :, :4] for image in x], (3, 5), spatial_scale=0.5)  # type: ignore[no-any-return]

    _agree(lambda: Calling(regions), (2, 3, "H", "W"), SIZES)


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "dilation", "offsets"),
    [
        *((3, 1, 1, 1, (3, 1, 1)), (3, 2, 1, 1, (3, 2, 1)), (3, 2, 0, 1, (3, 2, 0)), (3, 1, 0, 2, (3, 1, 1))),
        *((5, 3, 0, 1, (1, 1, 0)), (3, 2, 0, 2, (1, 3, 0)), (4, 3, 0, 1, (2, 2, 0))),
    ],
)
def test_deformable_convolutions(
    kernel: int, stride: int, padding: int, dilation: int, offsets: tuple[int, int, int]
) -> None:
    """Also where torchvision, which divides as C++ does, lets an input pass that is smaller than the kernel."""

    def convolve(model: Any, x: Tensor) -> Tensor:
        return model.deformed(x, model.moves(x))  # type: ignore[no-any-return]

    def make() -> nn.Module:
        deformed = ops.DeformConv2d(4, 6, kernel, stride, padding, dilation)
        return Calling(convolve, deformed=deformed, moves=nn.Conv2d(4, 2 * kernel * kernel, *offsets))

    _agree(make, (2, 4, "H", "W"), SIZES)


def test_deformable_convolution_with_a_mask_and_groups() -> None:
    def convolve(model: Any, x: Tensor) -> Tensor:
        return model.deformed(x, model.moves(x), model.mask(x).sigmoid())  # type: ignore[no-any-return]

    def make() -> nn.Module:
        deformed = ops.DeformConv2d(4, 6, 3, 2, 1, groups=2)
        return Calling(convolve, deformed=deformed, moves=nn.Conv2d(4, 36, 3, 2, 1), mask=nn.Conv2d(4, 18, 3, 2, 1))

    _agree(make, (1, 4, "H", "W"), SIZES)


def test_deformable_convolution_whose_mask_is_of_another_size() -> None:
    def convolve(model: Any, x: Tensor) -> Tensor:
        return model.deformed(x, model.moves(x), model.mask(x))  # type: ignore[no-any-return]

    def make() -> nn.Module:
        deformed = ops.DeformConv2d(4, 6, 3, 1, 1)
        return Calling(convolve, deformed=deformed, moves=nn.Conv2d(4, 18, 1), mask=nn.Conv2d(4, 9, 3, 2, 1))

    _agree(make, (1, 4, "H", "W"), SIZES)
