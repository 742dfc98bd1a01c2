"""Published networks that are measured on the spot: where nobody has measured any, these still judge the analysis.

A row says how a network is built and what it is fed; what PyTorch does at every size up to ``reach`` is found out by
running it, each size on a fresh copy, when its turn comes.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping, Sequence

from torch import nn

from tests.oracle import flatten_shapes, shapes_of
from tests.zoo import building
from tests.zoo.measured import Measured, Shape, Sweep

_MONAI = "imp('monai.networks.nets')"
_HF = "imp('transformers')"
_DIFFUSERS = "imp('diffusers')"
_VIT = "imp('vit_pytorch')"
_NNUNET = "imp('dynamic_network_architectures.architectures.unet')"

IMAGE = ("H", "W")
VOLUME = ("D", "H", "W")
SOUND = ("T",)

_ROWS: tuple[tuple[str, str, int | None, tuple[str, ...], int, int, str | None], ...] = (
    # package, factory, channels (None: the input has no such axis), axes, a size that runs, reach, other arguments
    ("monai", f"{_MONAI}.UNet(2, 3, 4, (8, 16, 32, 64), (2, 3, 2), num_res_units=1)", 3, IMAGE, 48, 72, None),
    ("monai", f"{_MONAI}.UNet(3, 1, 2, (4, 8, 16), (2, 2))", 1, VOLUME, 16, 24, None),
    ("monai", f"{_MONAI}.BasicUNet(2, 1, 3)", 1, IMAGE, 64, 72, None),
    ("monai", f"{_MONAI}.SegResNet(spatial_dims=2, in_channels=3)", 3, IMAGE, 64, 72, None),
    ("monai", f"{_MONAI}.VNet(spatial_dims=2, dropout_dim=2)", 1, IMAGE, 64, 72, None),
    ("monai", f"{_MONAI}.AttentionUnet(2, 1, 1, (8, 16, 32), (2, 2))", 1, IMAGE, 64, 72, None),
    ("monai", f"{_MONAI}.AutoEncoder(1, 2, 2, (4, 8, 16), (2, 2, 5))", 2, SOUND, 60, 400, None),
    ("monai", f"{_MONAI}.SwinUNETR(3, 2, feature_size=12, spatial_dims=2)", 3, IMAGE, 64, 96, None),
    ("monai", f"{_MONAI}.DenseNet121(2, 3, 2)", 3, IMAGE, 32, 40, None),
    ("monai", f"{_MONAI}.EfficientNetBN('efficientnet-b1', pretrained=False)", 3, IMAGE, 32, 48, None),
    ("monai", f"{_MONAI}.FlexibleUNet(3, 2, 'resnet34')", 3, IMAGE, 64, 72, None),
    ("monai", f"{_MONAI}.HighResNet(2)", 1, IMAGE, 32, 48, None),
    (
        "dynamic_network_architectures",
        f"{_NNUNET}.PlainConvUNet(2, 4, (8, 16, 32, 32), nn.Conv2d, 3, (1, 2, 2, 2), (1, 1, 1, 1), 3, (1, 1, 1))",
        2,
        IMAGE,
        64,
        72,
        None,
    ),
    (
        "dynamic_network_architectures",
        f"{_NNUNET}.ResidualEncoderUNet(1, 3, (8, 16, 32), nn.Conv3d, 3, (1, 2, 2), (1, 1, 1), 2, (1, 1))",
        1,
        VOLUME,
        16,
        24,
        None,
    ),
    (
        "diffusers",
        f"{_DIFFUSERS}.UNet2DModel(in_channels=3, out_channels=3, block_out_channels=(32, 32, 64, 64))",
        3,
        IMAGE,
        32,
        40,
        "dict(timestep=torch.ones(1, device=dev))",
    ),
    (
        "diffusers",
        f"{_DIFFUSERS}.AutoencoderTiny(encoder_block_out_channels=(16,) * 4, decoder_block_out_channels=(16,) * 4)",
        3,
        IMAGE,
        64,
        72,
        None,
    ),
    ("diffusers", f"{_DIFFUSERS}.VQModel(block_out_channels=(32,))", 3, IMAGE, 32, 48, None),
    ("transformers", f"{_HF}.ResNetModel({_HF}.ResNetConfig())", 3, IMAGE, 64, 72, None),
    ("transformers", f"{_HF}.ConvNextModel({_HF}.ConvNextConfig())", 3, IMAGE, 64, 72, None),
    ("transformers", f"{_HF}.SegformerForSemanticSegmentation({_HF}.SegformerConfig())", 3, IMAGE, 64, 72, None),
    ("transformers", f"{_HF}.MobileNetV2Model({_HF}.MobileNetV2Config())", 3, IMAGE, 64, 72, None),
    ("transformers", f"{_HF}.PoolFormerModel({_HF}.PoolFormerConfig(depths=(1, 1, 1, 1)))", 3, IMAGE, 64, 72, None),
    ("transformers", f"{_HF}.Wav2Vec2Model({_HF}.Wav2Vec2Config(num_hidden_layers=1))", None, SOUND, 800, 800, None),
    (
        "vit-pytorch",
        f"{_VIT}.SimpleViT(image_size=48, patch_size=12, num_classes=3, dim=24, depth=2, heads=2, mlp_dim=9)",
        3,
        IMAGE,
        48,
        72,
        None,
    ),
    ("vit-pytorch", "imp('vit_pytorch.max_vit').MaxViT(num_classes=3, dim=32, depth=(1, 1))", 3, IMAGE, 56, 120, None),
)


def published() -> list[Measured]:
    """Every row, not measured yet: ``sweeps`` is empty until :func:`measured_here`."""
    return [_network(number, *row) for number, row in enumerate(_ROWS)]


def _network(
    number: int,
    package: str,
    factory: str,
    channels: int | None,
    axes: Sequence[str],
    good: int,
    reach: int,
    extra: str | None,
) -> Measured:
    name = factory.partition(").")[2].partition("(")[0]
    return Measured(
        id=f"published_{number:02}_{name}",
        package=package,
        factory=factory,
        input=(1, *(() if channels is None else (channels,)), *axes),
        dtype=None,
        extra=extra,
        good=dict.fromkeys(axes, good),
        good_shapes=(),
        device="meta",
        eager_ms=0.0,
        sweeps=(),
        reach=reach,
    )


def measured_here(network: Measured) -> Measured:
    """The network with what PyTorch does at every size up to its ``reach``: each axis alone, and all together."""
    if network.sweeps:
        return network
    model = building.build(network).to(network.device)
    symbols = tuple(network.good)
    every = range(1, network.reach + 1)
    sweeps = [_sweep(network, model, f"axis:{name}", {**network.good, name: None}, every) for name in symbols]
    if len(symbols) > 1:
        sweeps.append(_sweep(network, model, "all", dict.fromkeys(symbols), every))
    if not all(sweep.shapes for sweep in sweeps):
        raise ValueError(f"{network.id} runs at no size of {', '.join(s.name for s in sweeps if not s.shapes)}")
    return dataclasses.replace(network, sweeps=tuple(sweeps))


def _sweep(
    network: Measured, model: nn.Module, name: str, held: Mapping[str, int | None], sizes: Sequence[int]
) -> Sweep:
    bare = Sweep(name, tuple(held), tuple(held.values()), tuple(sizes), {}, {}, {})
    results = {size: _run(network, model, bare.sizes_at(size)) for size in sizes}
    shapes = {size: result for size, result in results.items() if not isinstance(result, str)}
    return dataclasses.replace(
        bare,
        shapes=shapes,
        tensors={size: len(found) for size, found in shapes.items()},
        errors={size: result for size, result in results.items() if isinstance(result, str)},
    )


def _run(network: Measured, model: nn.Module, sizes: Mapping[str, int]) -> tuple[Shape, ...] | str:
    # A copy each time: some networks remember what they were given last.
    try:
        output = building.run_eagerly(network, copy.deepcopy(model), sizes, network.device)
    except Exception as error:  # any exception at all is PyTorch's answer at this size
        return f"{type(error).__name__}: {error}"
    return tuple(flatten_shapes(shapes_of(output)))
