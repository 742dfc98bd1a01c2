"""What people read, word for word."""

from __future__ import annotations

from typing import Any

import pytest
from torch import nn

import shapelint
from shapelint.diagnostics import Diagnostic
from tests.catalogue import load


def told(finding: Diagnostic) -> str:
    lines = [f"{finding.code} {finding.severity.value}: {finding.message}", f"sizes: {finding.sizes}"]
    if finding.example:
        lines.append(f"       {finding.example}")
    lines.append(f"why:   {finding.why}")
    lines += [f"fix:   {fix.description} [{fix.applicability.value}]" for fix in finding.fixes]
    return "\n".join(lines)


def findings(file: str, name: str, sizes: Any = None, **arguments: Any) -> list[str]:
    model = getattr(load(file), name)(**arguments)
    return [told(d) for d in shapelint.analyze(model, sizes=sizes).diagnostics]


def test_an_autoencoder_without_output_padding() -> None:
    first = findings("autoencoder_broken", "Autoencoder")[2]
    assert first == (
        "SL101 error: `decoder.4` does not restore the size that `encoder.0` had\n"
        "sizes: H or W: even sizes\n"
        "       For 64 × 64: `encoder.0` had 64, `decoder.4` returns 63; the model returns 57 × 57\n"
        "why:   `encoder.0`: (64 + 2*1 - 3) // 2 + 1 = 32, dropping a remainder of 1 (Res); "
        "`decoder.4`: 2*(32 - 1) - 2*1 + 3 + 0 = 63 with output_padding = 0\n"
        "fix:   output_padding=1, together with the same for `decoder.0` and `decoder.2`: then multiples of 8 come "
        "back as they were (1 more than a multiple of 8, right today, then do not) [unsafe]\n"
        "fix:   output_size=skip.shape[-2:] in forward, where skip is what `encoder.0` gets, with the layers of the "
        "nn.Sequential called one by one, together with the same for `decoder.0` and `decoder.2`: every size serves "
        "[manual]"
    )


def test_an_odd_stride_in_a_codec() -> None:
    (only,) = findings("audio_codec_broken", "Codec")
    assert only.splitlines()[:4] == [
        "SL101 error: `decoder.2.block.1` does not restore the length that `encoder.3.block.4` had",
        "sizes: T: size mod 40 in 0 to 31",
        "       For T = 320: `encoder.3.block.4` had 40, `decoder.2.block.1` returns 39; the model returns 312",
        (
            "why:   `encoder.3.block.4`: (40 + 2*3 - 10) // 5 + 1 = 8, dropping a remainder of 1 (Res); "
            "`decoder.2.block.1`: 5*(8 - 1) - 2*3 + 10 + 0 = 39 with output_padding = 0"
        ),
    ]


def test_one_line_that_makes_four_layers_is_told_once() -> None:
    found = findings("resnet_unet_broken", "ResNetUNet")
    assert len(found) == 1
    assert found[0].startswith(
        "SL101 error: `decoder4.up` does not restore the size that `encoder.layer4.0.conv1` had; "
        "nor do `decoder3.up`, `decoder2.up` and `decoder1.up`\n"
    )


def test_a_declared_depth() -> None:
    first, second = findings("vnet3d_broken", "VNet", sizes="155x128x128")
    assert first.splitlines()[:3] == [
        "SL101 error: `up2` does not restore the depth that `down2` had",
        "sizes: 155 × 128 × 128",
        "       For 155 × 128 × 128: `down2` had 77, `up2` returns 76; `cat` in line 51 raises",
    ]
    assert "[safe]" in first.splitlines()[-2]
    assert second.startswith("SL101 error: `up1` does not restore the depth that `down1` had")


def test_functions_are_named_as_they_are_called() -> None:
    (only,) = findings("segnet_broken", "SegNet", sizes="100x100")
    assert only.startswith("SL101 error: `max_unpool2d` does not restore the size that `max_pool2d` had\n")


def test_folding_into_the_batch() -> None:
    (only,) = findings("vae_broken", "VAE")
    assert only.splitlines()[:3] == [
        "SL304 warning: `view` lets a wrong size change the batch",
        "sizes: right for H × W: 8 × 128, 16 × 64, 32 × 32, 64 × 16, 128 × 8",
        "       For 64 × 64 one image has 4096 features, and becomes rows of 1024",
    ]


@pytest.mark.parametrize(
    ("file", "name", "line"),
    [
        ("unet_interpolate", "UNet", "UNet: H and W: at least 8; output = input; proven"),
        (
            "autoencoder", "Autoencoder",
            "Autoencoder: H and W: all sizes; output = input for H and W: multiples of 8, at least 8; proven",
        ),
        ("super_resolution", "EDSR", "EDSR: H and W: all sizes; output = 4*H × 4*W; proven"),
        ("unet_valid", "UNet", "UNet: H and W: at least 188; output: 256 × 256 → 68 × 68; proven"),
        ("resnet50", "ResNet", "ResNet: H and W: all sizes; output (N, 1000); proven"),
        ("fpn", "FPN", "FPN: H and W: all sizes; 4 outputs, the first = H/4 × W/4; proven"),
        ("wavenet", "WaveNet", "WaveNet: T: at least 94; output = T - 93; proven"),
    ],
)  # fmt: skip
def test_summaries(file: str, name: str, line: str) -> None:
    assert shapelint.analyze(getattr(load(file), name)()).summary() == line


@pytest.mark.parametrize(
    ("file", "name", "sizes", "code", "part"),
    [
        ("fpn_broken", "FPN", {"H": 100, "W": 96}, "SL201", "sizes 8 and 7 meet"),
        ("segnet", "SegNet", {"H": 4, "W": 64}, "SL401", "larger than the padded input"),
        ("lenet", "LeNet", {"H": 64, "W": 64}, "SL305", "`fc1`"),
    ],
)
def test_why_not(file: str, name: str, sizes: dict[str, int], code: str, part: str) -> None:
    reason = shapelint.analyze(getattr(load(file), name)()).why_not(**sizes)
    assert reason is not None
    assert reason.code == code
    assert part in reason.message
    assert "nearest" in reason.example
    assert reason.location is not None


@pytest.mark.parametrize(
    ("inputs", "code"), [((1, 3, 2, 2), "SL302"), ((1, 4, 8, 8), "SL402"), ((3,), "SL402")], ids=str
)
def test_fixed_sizes_that_do_not_run(inputs: tuple[int, ...], code: str) -> None:
    analysis = shapelint.analyze(nn.Sequential(nn.Conv2d(3, 8, 3)), inputs)
    assert [finding.code for finding in analysis.diagnostics] == [code]
    assert analysis.summary() == "Sequential: does not run; proven"
