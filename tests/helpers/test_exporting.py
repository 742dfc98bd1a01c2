"""``as_export_dims``: torch.export accepts it, and the exported program runs at other sizes."""

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.export import export
from torch.utils._pytree import tree_leaves

import shapelint
from tests.zoo import building
from tests.zoo.measured import Measured
from tests.zoo.published import published

FIXTURES = Path(__file__).parents[2] / "fixtures"


def fixture(file: str, name: str, *arguments: Any) -> nn.Module:
    spec = importlib.util.spec_from_file_location(f"exported_{file}", FIXTURES / f"{file}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    model = getattr(module, name)(*arguments)
    assert isinstance(model, nn.Module)
    return model.eval()


def described(shapes: dict[str, dict[int, Any] | None]) -> dict[str, Any]:
    return {name: axes and {axis: size.__name__ for axis, size in axes.items()} for name, axes in shapes.items()}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "name", "arguments", "example", "other"),
    [
        ("unet", "UNet", (3, 2, (4, 8, 16)), (2, 3, 32, 48), (1, 3, 20, 12)),
        ("unet_padded", "UNet", (3, 2), (2, 3, 32, 48), (3, 3, 64, 32)),
        ("autoencoder", "Autoencoder", (), (2, 3, 32, 48), (3, 3, 40, 24)),
        ("autoencoder_any_size", "Autoencoder", (), (2, 3, 32, 48), (3, 3, 64, 40)),
        ("resnet50", "ResNet", (), (2, 3, 64, 96), (3, 3, 75, 81)),
        ("audio_codec", "Codec", (), (2, 1, 3200), (3, 1, 1001)),
        ("fpn", "FPN", (), (2, 3, 64, 96), (3, 3, 64, 128)),
        ("segnet", "SegNet", (), (2, 3, 32, 48), (1, 3, 64, 40)),
        ("unet_valid", "UNet", (1, 2, (2, 4, 8, 16, 32)), (2, 1, 192, 224), (1, 1, 256, 192)),
        ("crnn", "CRNN", (), (2, 1, 32, 100), (3, 1, 32, 100)),
    ],
)
def test_fixtures_export(
    file: str, name: str, arguments: tuple[Any, ...], example: tuple[int, ...], other: tuple[int, ...]
) -> None:
    model = fixture(file, name, *arguments)
    shapes = shapelint.analyze(model).as_export_dims()
    program = export(model, (torch.randn(example),), dynamic_shapes=shapes).module()
    x = torch.randn(other)
    with torch.no_grad():
        for wanted, got in zip(tree_leaves(model(x)), tree_leaves(program(x)), strict=True):
            torch.testing.assert_close(got, wanted, rtol=1e-3, atol=1e-3)


# Not among them is what torch.export itself refuses (sizes made plain numbers in MobileNetV2, constants in the forward
# of FlexibleUNet, products of sizes in Segformer), and what takes it long.
EXPORTED = [network for network in published() if re.search("_(0[0-6]|1[1-3]|1[5-8]|21|23)_", network.id)]


@pytest.mark.slow
@pytest.mark.parametrize("network", EXPORTED, ids=[network.id for network in EXPORTED])
def test_published_networks_export(network: Measured) -> None:
    try:
        model = building.build(network, "cpu")
    except ImportError as error:
        pytest.skip(str(error))
    shapes = shapelint.analyze(model, building.inputs(network, model)).as_export_dims()
    moving = shapes[building.first_argument(model)] or {}
    example, other = (example_of(network, moving, further) for further in (0, 1))
    program = export(model, (example,), extra_of(network, example), dynamic_shapes=shapes).module()
    with torch.no_grad():
        wanted = model(other, **extra_of(network, other))
        got = program(other, **extra_of(network, other))
    assert [leaf.shape for leaf in tensors_in(got)] == [leaf.shape for leaf in tensors_in(wanted)]


def example_of(network: Measured, moving: dict[int, Any], further: int) -> Tensor:
    """An input whose sizes are among the exported ones, from the good one on; or one that is larger still."""
    shape = list(building.concrete(network, network.good))
    for axis, size in moving.items():
        root, value = getattr(size, "root", size), getattr(size, "fn", int)
        number = max(root.min, 2)
        while value(number) < shape[axis]:
            number += 1
        shape[axis] = value(number + further)
    return torch.zeros(shape)


def extra_of(network: Measured, x: Tensor) -> dict[str, Any]:
    return dict(building.evaluate(network.extra or "{}", x=x, dev="cpu"))


def tensors_in(output: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(output) if isinstance(leaf, Tensor)]


def test_multiples() -> None:
    shapes = shapelint.analyze(fixture("unet", "UNet", 3, 2, (4, 8, 16))).as_export_dims()
    assert described(shapes) == {"x": {0: "n", 2: "4*h", 3: "4*w"}}


def test_a_small_network_is_exported() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 2, stride=2), nn.ReLU(), nn.ConvTranspose2d(2, 1, 2, stride=2))
    shapes = shapelint.analyze(model).as_export_dims()
    (axes,) = shapes.values()
    assert axes is not None
    assert sorted(axes) == [0, 2, 3]
    program = export(model, (torch.randn(2, 1, 8, 10),), dynamic_shapes={"input": axes}).module()
    assert program(torch.randn(5, 1, 30, 4)).shape == (5, 1, 30, 4)


def test_pinned_and_coupled_sizes_are_static() -> None:
    lenet = nn.Sequential(nn.Conv2d(1, 4, 5), nn.Flatten(), nn.Linear(4 * 8 * 8, 10))
    assert described(shapelint.analyze(lenet).as_export_dims()) == {"input": {0: "n"}}


def test_what_a_recurrent_layer_counts_is_static() -> None:
    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(4, 8, batch_first=True)

        def forward(self, x: Tensor) -> Tensor:
            return self.lstm(x)[0]

    assert described(shapelint.analyze(Recurrent(), ("N", "T", 4)).as_export_dims()) == {"x": {0: "n"}}


def test_names_and_other_arguments() -> None:
    class Two(nn.Module):
        def forward(self, image: Tensor, mask: Tensor, scale: int = 2) -> Tensor:
            return image * mask * scale

    analysis = shapelint.analyze(Two(), {"image": ("N", 3, "H", "W"), "mask": ("N", 1, "H", "W")})
    shapes = analysis.as_export_dims()
    assert sorted(shapes) == ["image", "mask"]
    assert described(shapes)["mask"] == described(shapes)["image"]
    program = export(
        Two(), (), {"image": torch.ones(2, 3, 4, 5), "mask": torch.ones(2, 1, 4, 5)}, dynamic_shapes=shapes
    ).module()
    assert program(image=torch.ones(3, 3, 6, 7), mask=torch.ones(3, 1, 6, 7)).shape == (3, 3, 6, 7)


def test_derived_dims_have_their_least_size() -> None:
    model = nn.Sequential(nn.PixelUnshuffle(4), nn.Conv2d(16, 4, 3))
    (axes,) = shapelint.analyze(model).as_export_dims().values()
    assert axes is not None
    assert axes[2].__name__ == "4*h"
    assert axes[2].root.min == 4  # 16 / 4 = 4, of which a 3 x 3 kernel leaves 2
    assert axes[0].__name__ == "n"
