"""``analyze`` and what its answer can be asked."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, fx, nn

import shapelint
from shapelint.tracing.inputs import InputError


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.second = nn.Conv2d(8, 8, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.norm(self.first(x)))


class Two(nn.Module):
    def forward(self, x: Tensor, y: Tensor, scale: Any = None) -> Tensor:
        return torch.cat([x, y[:, :, ::2]], 1) * (1 if scale is None else scale)


def test_rank_and_channels_are_inferred_from_the_layers() -> None:
    analysis = shapelint.analyze(Encoder())
    assert analysis.symbols == ("N", "H", "W")
    assert analysis.output_shape(H=32, W=40) == (1, 8, 12, 16)
    assert str(analysis.valid_sizes) == "H and W: at least 9"


@pytest.mark.parametrize(
    ("model", "symbols"),
    [
        (nn.Conv1d(2, 2, 3), ("N", "T")),
        (nn.Conv3d(2, 2, 3), ("N", "D", "H", "W")),
        (nn.Linear(4, 2), ("N",)),
        (nn.Sequential(nn.ReLU(), nn.ConvTranspose1d(2, 2, 3)), ("N", "T")),
    ],
)
def test_symbols_by_rank(model: nn.Module, symbols: tuple[str, ...]) -> None:
    assert shapelint.analyze(model).symbols == symbols


@pytest.mark.parametrize(
    "inputs",
    [
        [("N", 3, "H"), ("N", 3, "2*H")],
        ["N,3,H", "N,3,2*H"],
        {"x": ("N", 3, "H"), "y": ("N", 3, "2*H")},
        {"x": ("N", 3, "H"), "y": ("N", 3, "2*H"), "scale": torch.ones(1)},
        {"x": ("N", 3, "H"), "y": ("N", 3, "H + H"), "scale": 0.5},
    ],
)
def test_inputs_as_people_write_them(inputs: Any) -> None:
    analysis = shapelint.analyze(Two(), inputs)
    assert analysis.certainty == "proven"
    assert analysis.output_shape(H=7) == (1, 6, 7)
    assert analysis.output_shape(N=4, H=7) == (4, 6, 7)


def test_different_names_are_different_sizes() -> None:
    analysis = shapelint.analyze(Two(), [("N", 3, "H"), ("N", 3, "W")])
    assert analysis.accepts(H=4, W=7)
    assert not analysis.accepts(H=4, W=9)


def test_an_input_that_is_no_shape_is_refused_with_the_part_that_is_wrong() -> None:
    with pytest.raises(InputError, match="'H\\*\\*2' is not a size"):
        shapelint.analyze(Encoder(), ("N", 3, "H**2", "W"))


def test_questions_with_the_wrong_sizes_are_refused() -> None:
    analysis = shapelint.analyze(Encoder())
    with pytest.raises(TypeError, match="a value for W is missing"):
        analysis.accepts(H=3)
    with pytest.raises(TypeError, match="no size called D; its sizes are: N, H, W"):
        analysis.accepts(H=3, W=3, D=3)
    with pytest.raises(TypeError, match="whole number of at least 1"):
        analysis.accepts(H=0, W=3)


def test_why_not_names_the_layer_and_the_numbers() -> None:
    analysis = shapelint.analyze(Encoder())
    assert analysis.why_not(H=64, W=64) is None
    reason = analysis.why_not(H=64, W=8)
    assert reason is not None
    assert reason.layer == "second"
    assert "4 + 2*0 = 4" in reason.message
    with pytest.raises(ValueError, match="does not run at H=64, W=8"):
        analysis.output_shape(H=64, W=8)


def test_eval_mode_unless_asked_otherwise() -> None:
    model = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(12)).train()
    assert shapelint.analyze(model, ("N", 3, 4)).accepts(N=1)
    in_training = shapelint.analyze(model, ("N", 3, 4), training=True)
    assert not in_training.accepts(N=1)
    assert in_training.accepts(N=2)
    assert model.training


def test_round_trip_sizes() -> None:
    model = nn.Sequential(nn.Conv2d(1, 4, 3, 2, 1), nn.ConvTranspose2d(4, 1, 3, 2, 1, output_padding=1))
    assert str(shapelint.analyze(model).round_trip_sizes) == "H and W: even sizes"


def test_the_graph_is_one_of_torch_fx() -> None:
    graph = shapelint.analyze(Encoder()).graph
    assert isinstance(graph, fx.Graph)
    graph.lint()
    conv = next(node for node in graph.nodes if node.target == "second")
    assert [str(size) for size in conv.meta["shape"]] == ["N", "8", "(H + 1)//2 - 4", "(W + 1)//2 - 4"]


def test_a_layer_on_the_meta_device_is_as_good() -> None:
    with torch.device("meta"):
        model = Encoder()
    assert shapelint.analyze(model).accepts(H=9, W=9)


class TestDeclaredSizesSayWhatTheInputIs:
    """A model that refuses every image may take something else, which is not what sizes of images ask about."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 6, 5)
            self.fc = nn.Linear(401, 10)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.fc(self.conv(x).flatten(1))

    def test_as_many_sizes_as_an_image_has(self) -> None:
        assert {"H", "W"} < set(shapelint.analyze(self.Net(), sizes="65x65").symbols)

    def test_another_number_of_sizes_is_told(self) -> None:
        with pytest.raises(InputError, match="has 3 sizes"):
            _ = shapelint.analyze(nn.Conv2d(3, 3, 3), sizes="65x65x65").diagnostics


def test_a_model_that_never_runs_at_its_one_size_has_no_valid_sizes() -> None:
    refused = shapelint.analyze(nn.Conv2d(3, 8, 3), (1, 3, 2, 2))
    assert not refused.accepts()
    assert str(refused.valid_sizes) == "no sizes"
    assert str(shapelint.analyze(nn.Conv2d(3, 8, 3), (1, 3, 5, 5)).valid_sizes) == "all sizes"
