"""Values for required arguments, from names and annotations."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Literal, Optional

import pytest
from torch import nn

from shapelint.loading.arguments import CHANNELS, CannotGuess, candidates, plans, required_parameters


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n_channels", 3),
        ("in_channels", 3),
        ("in_ch", 3),
        ("in_chans", 3),
        ("input_nc", 3),
        ("num_channels", 3),
        ("c_in", 3),
        ("n_classes", 2),
        ("num_classes", 2),
        ("out_channels", 2),
        ("out_ch", 2),
        ("output_nc", 2),
        ("spatial_dims", 2),
        ("features", 64),
        ("base", 64),
        ("dim", 64),
        ("hidden_size", 64),
        ("embed_dim", 64),
        ("ngf", 64),
        ("depth", 2),
        ("num_layers", 2),
        ("levels", 3),
        ("img_size", 224),
        ("patch_size", 16),
        ("window_size", 7),
        ("num_heads", 8),
        ("kernel_size", 3),
        ("stride", 1),
        ("padding", 1),
        ("dilation", 1),
        ("scale_factor", 2),
        ("dropout", 0.1),
        ("drop_rate", 0.1),
        ("bilinear", True),
        ("norm_layer", nn.BatchNorm2d),
        ("activation", nn.ReLU),
        ("device", "cpu"),
    ],
)
def test_conventional_names(name: str, value: object) -> None:
    assert candidates(name)[0] == value


class Mode(Enum):
    FAST = 1
    SLOW = 2


@dataclass
class Config:
    width: int = 8
    norms: list[str] = field(default_factory=list)


@pytest.mark.parametrize(
    ("name", "annotation", "value"),
    [
        ("features", list[int], list(CHANNELS)),
        ("features", tuple[int, ...], CHANNELS),
        ("channels", Sequence[int], CHANNELS),
        ("in_channels", tuple[int, int], (16, 32)),
        ("img_size", tuple[int, int], (224, 224)),
        ("kernel_size", int | tuple[int, int], 3),
        ("strides", Sequence[int], (2, 2)),
        ("norm", str, "batch"),
        ("act", str, "relu"),
        ("activation", nn.Module, None),
        ("whatever", bool, False),
        ("whatever", int, 2),
        ("whatever", list[int], list(CHANNELS)),
        ("mode", Literal["up", "down"], "up"),
        ("mode", Mode, Mode.FAST),
        ("config", Config, Config()),
        ("out_channels", Optional[int], 2),  # noqa: UP045 - as people write it
        ("norm_layer", Callable[..., nn.Module], nn.BatchNorm2d),
    ],
)
def test_annotations_decide_what_kind_of_value(name: str, annotation: object, value: object) -> None:
    first = candidates(name, annotation)[0]
    if value is None:
        assert isinstance(first, nn.ReLU)
    else:
        assert first == value
        assert type(first) is type(value)


@pytest.mark.parametrize(("name", "annotation"), [("backbone", nn.Module), ("encoder", Any), ("thing", str)])
def test_what_neither_name_nor_annotation_explains_is_not_guessed(name: str, annotation: object) -> None:
    def make(**kwargs: object) -> None: ...

    make.__annotations__ = {name: annotation}
    assert candidates(name, annotation) == ()


def block(in_channels, out_channels): ...  # type: ignore[no-untyped-def]


def net(channels, strides, head): ...  # type: ignore[no-untyped-def]


def large(in_channels, out_channels, features, depth, norm, activation, patch_size): ...  # type: ignore[no-untyped-def]


def names(callee: Callable[..., Any]) -> list[str]:
    return [parameter.name for parameter in required_parameters(callee)]


def test_only_arguments_without_a_default_are_required() -> None:
    def make(n_channels: int, depth: int = 4, *args: int, n_classes: int, **kwargs: int) -> None: ...

    assert names(make) == ["n_channels", "n_classes"]


def test_later_plans_change_what_belongs_together() -> None:
    assert list(plans(block, names(block)))[:2] == [
        {"in_channels": 3, "out_channels": 2},
        {"in_channels": 64, "out_channels": 64},
    ]


def test_a_list_is_tried_early_where_the_name_allows_one() -> None:
    tried = list(plans(net, ["channels", "strides"]))
    assert tried[:2] == [{"channels": 64, "strides": (2, 2)}, {"channels": CHANNELS, "strides": (2, 2)}]


def test_plans_are_few_and_differ() -> None:
    tried = list(plans(large, names(large)))
    assert len(tried) <= 8
    assert all(plan not in tried[:position] for position, plan in enumerate(tried))


def test_arguments_that_the_signature_does_not_name_go_by_name_alone() -> None:
    def make(**kwargs: object) -> None: ...

    assert next(plans(make, ["spatial_dims", "in_channels"])) == {"spatial_dims": 2, "in_channels": 3}


def test_all_unknown_names_are_told() -> None:
    with pytest.raises(CannotGuess) as raised:
        next(plans(net, ["channels", "block", "head"]))
    assert raised.value.names == ("block", "head")
