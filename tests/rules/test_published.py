"""Published networks that are right at the sizes they are used with get neither errors nor warnings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

import shapelint
from shapelint.diagnostics import Severity
from tests import catalogue

nets = pytest.importorskip("monai.networks.nets")

PUBLISHED: dict[str, Callable[[], Any]] = {
    "UNet": lambda: nets.UNet(2, 1, 2, channels=(4, 8, 16, 32), strides=(2, 2, 2)),
    "UNet with strides 3 and 2": lambda: nets.UNet(2, 1, 2, channels=(4, 8, 16), strides=(3, 2), num_res_units=2),
    "UNet 3-D": lambda: nets.UNet(3, 1, 2, channels=(4, 8, 16), strides=(2, 2), kernel_size=5, up_kernel_size=5),
    "SegResNet": lambda: nets.SegResNet(spatial_dims=3, init_filters=8, in_channels=1, out_channels=2),
    "BasicUNet": lambda: nets.BasicUNet(spatial_dims=2, in_channels=1, out_channels=2),
    "AttentionUnet": lambda: nets.AttentionUnet(2, 1, 2, channels=(4, 8, 16), strides=(2, 2)),
    "VNet": lambda: nets.VNet(spatial_dims=3, in_channels=1, out_channels=2),
    "SwinUNETR": lambda: nets.SwinUNETR(1, 2, feature_size=12, spatial_dims=2, depths=(1, 1, 1, 1)),
    "UNETR": lambda: nets.UNETR(1, 2, (32, 32), spatial_dims=2, hidden_size=48, mlp_dim=48, num_heads=4),
    "AutoEncoder": lambda: nets.AutoEncoder(2, 1, 1, channels=(4, 8), strides=(2, 2)),
    "VarAutoEncoder": lambda: nets.VarAutoEncoder(2, (1, 32, 32), 1, 4, channels=(4, 8), strides=(2, 2)),
    "DenseNet": lambda: nets.DenseNet121(spatial_dims=2, in_channels=3, out_channels=2),
    "ResNet": lambda: nets.resnet18(spatial_dims=2, n_input_channels=3),
    "FlexibleUNet": lambda: nets.FlexibleUNet(3, 2, "efficientnet-b0", pretrained=False),
    "AHNet": lambda: nets.AHNet(spatial_dims=2, in_channels=3, out_channels=2, upsample_mode="transpose"),
    "HoVerNet": lambda: nets.HoverNet(),
    "AutoencoderKL": lambda: nets.AutoencoderKL(
        2, 1, 1, channels=(4, 4), num_res_blocks=(1, 1), attention_levels=(False, False), norm_num_groups=2
    ),
}

RIGHT = (
    "attention_unet", "audio_codec", "autoencoder", "autoencoder_any_size", "crnn", "dcgan", "demucs", "fpn", "lenet",
    "mnist_autoencoder", "pix2pix", "resnet50", "resnet_unet", "segnet", "super_resolution", "unet",
    "unet_center_crop", "unet_interpolate", "unet_padded", "unet_plus_plus", "unet_valid", "unshuffle_net", "vae",
    "vit", "vnet3d", "vnet3d_broken", "segnet_broken", "fpn_broken", "wavenet",
)  # fmt: skip
"""Those called broken are right at the multiples of their strides, and are expected to take no other sizes."""


def complaints(model: nn.Module, inputs: Any = None) -> list[str]:
    found = shapelint.analyze(model, inputs).diagnostics
    return [f"{d.code} {d.message} ({d.example})" for d in found if d.severity is not Severity.NOTE]


@pytest.mark.parametrize("name", PUBLISHED)
def test_published(name: str) -> None:
    assert complaints(PUBLISHED[name]()) == []


@pytest.mark.parametrize("fixture", [f for f in catalogue.FIXTURES if f.file in RIGHT], ids=str)
def test_fixtures(fixture: catalogue.Fixture) -> None:
    assert complaints(fixture.build(), fixture.input) == []


def test_what_only_a_batch_of_one_refuses_is_no_finding() -> None:
    """GroupNorm over 1 x 1 refuses one image and takes two."""

    class Normed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.GroupNorm(1, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            out: torch.Tensor = self.norm(x)
            return out

    assert complaints(Normed(), ("N", 1, "H", "W")) == []


class EightFrames(nn.Module):
    """Leaves off what does not make up eight frames: made for 8k of them, though its stride is 4."""

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        y = torch.nn.functional.avg_pool1d(torch.nn.functional.avg_pool1d(x, 2), 2)
        y = torch.nn.functional.interpolate(y, scale_factor=4)
        return {"sample": y if y.shape[-1] % 8 == 0 else y[..., :-3]}


def test_what_is_right_for_endlessly_many_expected_sizes_may_be_meant() -> None:
    analysis = shapelint.analyze(EightFrames(), ("N", 3, "T"))
    assert [(d.code, d.severity) for d in analysis.diagnostics] == [("SL301", Severity.NOTE)]
    (declared,) = shapelint.analyze(EightFrames(), ("N", 3, "T"), sizes="T=68").diagnostics
    assert (declared.code, declared.severity) == ("SL301", Severity.ERROR)
