"""What each file in ``fixtures/`` claims to do, so that the claims are checked as well as the analysis."""

from __future__ import annotations

import functools
import importlib.util
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from tests.oracle import Sizes, alone_and_together

DIRECTORY = Path(__file__).resolve().parent.parent / "fixtures"
LIMIT = 160


@dataclass(frozen=True, slots=True)
class Fixture:
    """A model of a fixture file, and for which sizes its author says what.

    Attributes:
        file: the module's name in ``fixtures/``.
        name: the class.
        input: the input's shape; letters are symbols.
        good: sizes that work.
        runs: does it run at these sizes?
        returns: the first output tensor's shape.
        arguments: for the constructor.
        device: where the oracle runs it.
        beyond: more sizes of the first symbol, where 1 ... 160 do not tell the story.
    """

    file: str
    name: str
    input: tuple[int | str, ...]
    good: Sizes
    runs: Callable[..., bool]
    returns: Callable[..., tuple[int, ...]]
    arguments: Mapping[str, Any] = field(default_factory=dict)
    device: str = "meta"
    beyond: tuple[int, ...] = ()

    def __str__(self) -> str:
        return self.file if self.file.replace("_", "") == self.name.lower() else f"{self.file}.{self.name}"

    def build(self) -> nn.Module:
        model = getattr(load(self.file), self.name)(**self.arguments)
        assert isinstance(model, nn.Module)
        return model

    def every_size(self) -> Iterator[dict[str, int]]:
        yield from alone_and_together(self.good, range(1, LIMIT + 1))
        first = next(iter(self.good))
        yield from ({**self.good, first: size} for size in self.beyond)


@functools.cache
def load(file: str) -> ModuleType:
    """Import a fixture file by its name."""
    spec = importlib.util.spec_from_file_location(f"fixtures.{file}", DIRECTORY / f"{file}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _up(size: int, multiple: int) -> int:
    return -(-size // multiple) * multiple


def _halved(size: int, times: int) -> int:
    """Strided convolutions with k3 s2 p1: each rounds up."""
    divisor: int = 2**times
    return -(-size // divisor)


def _always(**sizes: int) -> bool:
    return True


def _multiples(of: int) -> Callable[..., bool]:
    return lambda **sizes: all(size % of == 0 for size in sizes.values())


def _at_least(least: int) -> Callable[..., bool]:
    return lambda **sizes: all(size >= least for size in sizes.values())


def _same(channels: int, batch: int = 2) -> Callable[..., tuple[int, ...]]:
    return lambda **sizes: (batch, channels, *sizes.values())


def _each(channels: int, axis: Callable[[int], int], batch: int = 2) -> Callable[..., tuple[int, ...]]:
    return lambda **sizes: (batch, channels, *map(axis, sizes.values()))


def _valid_unet(size: int) -> int:
    """Two valid convolutions a level and four floors, then back."""
    for _ in range(4):
        size = (size - 4) // 2
    size -= 4
    for _ in range(4):
        size = 2 * size - 4
    return size


def _codes(samples: int) -> int:
    """How many codes the audio codec makes: strides 2, 4, 5 and 8; only the odd one rounds up."""
    return (samples // 8 + 1) // 5 // 8


def _mnist_autoencoder(size: int) -> int:
    pooled = ((size - 1) // 3 + 1) // 2
    narrow = (pooled - 1) // 2
    return 2 * (3 * (2 * narrow + 1) - 3 + 3) - 2


IMAGE = {"H": 64, "W": 64}
RGB = (2, 3, "H", "W")
GRAY = (2, 1, "H", "W")

FIXTURES: tuple[Fixture, ...] = (
    Fixture("autoencoder_broken", "Autoencoder", RGB, IMAGE, _always, _each(3, lambda n: 8 * (_halved(n, 3) - 1) + 1)),
    Fixture("autoencoder", "Autoencoder", RGB, IMAGE, _always, _each(3, lambda n: _up(n, 8))),
    Fixture("autoencoder_any_size", "Autoencoder", RGB, IMAGE, _always, _same(3)),
    Fixture(
        "mnist_autoencoder_broken",
        "MnistAutoencoder",
        GRAY,
        {"H": 28, "W": 28},
        _at_least(25),
        _each(1, lambda n: 2 * (2 * _halved(n, 2) - 1)),
    ),
    Fixture(
        "mnist_autoencoder", "MnistAutoencoder", GRAY, {"H": 28, "W": 28}, _at_least(16), _each(1, _mnist_autoencoder)
    ),
    Fixture("unet", "UNet", RGB, IMAGE, _multiples(16), _same(2), {"n_channels": 3, "n_classes": 2}),
    Fixture("unet_padded", "UNet", RGB, IMAGE, _at_least(16), _same(2), {"n_channels": 3, "n_classes": 2}),
    Fixture(
        "unet_padded",
        "UNet",
        RGB,
        IMAGE,
        _at_least(16),
        _same(2),
        {"n_channels": 3, "n_classes": 2, "bilinear": True},
    ),
    Fixture("unet_interpolate", "UNet", RGB, IMAGE, _at_least(8), _same(2)),
    Fixture("unet_center_crop", "UNet", GRAY, IMAGE, _at_least(8), _each(2, lambda n: n // 8 * 8)),
    Fixture(
        "unet_valid",
        "UNet",
        GRAY,
        {"H": 572, "W": 572},
        _at_least(188),
        _each(2, _valid_unet),
        beyond=(*range(180, 200), *range(556, 590), 700),
    ),
    Fixture("unet_plus_plus", "NestedUNet", RGB, IMAGE, _multiples(16), _same(2), {"num_classes": 2}),
    Fixture("attention_unet", "AttentionUNet", RGB, IMAGE, _multiples(8), _same(1)),
    Fixture(
        "resnet_unet_broken",
        "ResNetUNet",
        RGB,
        {"H": 65, "W": 65},
        lambda **sizes: all(size % 32 in (1, 2) for size in sizes.values()),
        _each(1, lambda n: 2 * _halved(n, 1)),
    ),
    Fixture(
        "resnet_unet",
        "ResNetUNet",
        RGB,
        IMAGE,
        lambda **sizes: all(size % 32 in (0, 31) for size in sizes.values()),
        _each(1, lambda n: _up(n, 32)),
    ),
    Fixture(
        "vnet3d_broken",
        "VNet",
        (1, 1, "D", "H", "W"),
        {"D": 32, "H": 32, "W": 32},
        lambda D, H, W: all(size % 8 == 0 for size in (D, H, W)) and D * H * W > 512,
        _same(2, batch=1),
    ),
    Fixture(
        "vnet3d",
        "VNet",
        (1, 1, "D", "H", "W"),
        {"D": 32, "H": 32, "W": 32},
        lambda D, H, W: max(D, H, W) > 8,
        _same(2, batch=1),
    ),
    Fixture(
        "audio_codec_broken",
        "Codec",
        (2, 1, "T"),
        {"T": 640},
        lambda T: T >= 312,
        lambda T: (2, 1, _codes(T) * 320 - 8),
        beyond=(*range(161, 336), *range(620, 650), *range(15985, 16010)),
    ),
    Fixture(
        "audio_codec",
        "Codec",
        (2, 1, "T"),
        {"T": 640},
        lambda T: T >= 312,
        lambda T: (2, 1, _codes(T) * 320),
        beyond=(*range(161, 336), *range(620, 650), *range(15985, 16010)),
    ),
    Fixture(
        "wavenet",
        "WaveNet",
        (2, 1, "T"),
        {"T": 200},
        lambda T: T > 93,
        lambda T: (2, 256, T - 93),
        beyond=tuple(range(161, 300)),
    ),
    Fixture(
        "demucs",
        "Demucs",
        (2, 2, "T"),
        {"T": 1000},
        _always,
        lambda T: (2, 4, 2, T),
        beyond=(*range(161, 420), *range(1000, 1050), 44100, 44101),
    ),
    Fixture(
        "vae_broken",
        "VAE",
        RGB,
        {"H": 32, "W": 32},
        lambda H, W: min(H, W) >= 8 and (H // 8) * (W // 8) % 8 == 0,
        lambda H, W: ((H // 8) * (W // 8) // 8, 3, 32, 32),
    ),
    Fixture("vae", "VAE", RGB, {"H": 32, "W": 32}, lambda H, W: (H // 8) * (W // 8) == 16, lambda H, W: (2, 3, 32, 32)),
    Fixture("dcgan", "Generator", (2, 100, "H", "W"), {"H": 1, "W": 1}, _always, _each(3, lambda n: 16 * n + 48)),
    Fixture(
        "dcgan",
        "Discriminator",
        RGB,
        IMAGE,
        _at_least(64),
        lambda H, W: (2 * (H // 16 - 3) * (W // 16 - 3),),
    ),
    Fixture(
        "pix2pix",
        "UnetGenerator",
        RGB,
        {"H": 128, "W": 128},
        lambda **sizes: all(size >= 128 and size % 128 < 2 for size in sizes.values()),
        _each(3, lambda n: n // 2 * 2),
    ),
    Fixture("pix2pix", "PatchDiscriminator", (2, 6, "H", "W"), IMAGE, _at_least(24), _each(1, lambda n: n // 8 - 2)),
    Fixture("super_resolution", "EDSR", RGB, IMAGE, _always, _each(3, lambda n: 4 * n)),
    Fixture("super_resolution", "EDSR", RGB, IMAGE, _always, _each(3, lambda n: 3 * n), {"scale": 3, "n_resblocks": 2}),
    Fixture(
        "fpn_broken",
        "FPN",
        RGB,
        IMAGE,
        lambda **sizes: all(size <= 4 or size % 32 in (0, 29, 30, 31) for size in sizes.values()),
        _each(32, lambda n: 8 if n <= 4 else _halved(n, 2)),
    ),
    Fixture("fpn", "FPN", RGB, IMAGE, _always, _each(32, lambda n: _halved(n, 2))),
    Fixture(
        "lenet",
        "LeNet",
        GRAY,
        {"H": 32, "W": 32},
        lambda H, W: ((H - 12) // 4) * ((W - 12) // 4) == 25 and min(H, W) >= 16,
        lambda H, W: (2, 10),
    ),
    Fixture(
        "vit",
        "VisionTransformer",
        RGB,
        IMAGE,
        lambda H, W: (H // 8) * (W // 8) == 64,
        lambda H, W: (2, 10),
    ),
    Fixture("swin", "SwinBackbone", RGB, IMAGE, _always, _each(16, lambda n: _halved(n, 2))),
    Fixture(
        "segnet_broken",
        "SegNet",
        RGB,
        IMAGE,
        lambda H, W: H >= 8 and H % 8 < 2 and W % 8 == 0,
        lambda H, W: (2, 4, H // 8 * 8, W),
        device="cpu",
    ),
    Fixture("segnet", "SegNet", RGB, IMAGE, _at_least(8), _same(4), device="cpu"),
    Fixture("resnet50", "ResNet", RGB, IMAGE, _always, lambda H, W: (2, 1000)),
    Fixture(
        "crnn",
        "CRNN",
        GRAY,
        {"H": 32, "W": 64},
        lambda H, W: 32 <= H <= 47 and W >= 4,
        lambda H, W: (W // 4 + 1, 2, 37),
    ),
    Fixture("unshuffle_net", "UnshuffleNet", RGB, IMAGE, _multiples(4), _same(3)),
)
