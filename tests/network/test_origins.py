"""Where layers were constructed: by watching, and by looking it up in the source."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from shapelint.diagnostics import Location
from shapelint.network import construction_of, recording_origins
from shapelint.network.origins import class_location, remembered_origin


def block(channels: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, channels, 3), nn.ReLU())


class Up(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(channels, channels, 2, stride=2)


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3)
        self.body = nn.Sequential(
            nn.Conv2d(4, 4, 3, stride=2),
            nn.ReLU(),
            nn.ConvTranspose2d(4, 4, 2, stride=2),
        )
        self.ups = nn.ModuleList([Up(4) for _ in range(2)])
        layers: list[nn.Module] = []
        for kernel in (1, 5):
            layers.append(nn.Conv2d(4, 4, kernel, padding=kernel // 2))
        self.loop = nn.Sequential(*layers)
        self.helped = block(4)
        setattr(self, "named", nn.AvgPool2d(3))  # noqa: B010


EXPECTED = {
    "stem": "nn.Conv2d(3, 4, 3)",
    "body.0": "nn.Conv2d(4, 4, 3, stride=2)",
    "body.2": "nn.ConvTranspose2d(4, 4, 2, stride=2)",
    "ups.1.up": "nn.ConvTranspose2d(channels, channels, 2, stride=2)",
    "loop.1": "nn.Conv2d(4, 4, kernel, padding=kernel // 2)",
    "helped.0": "nn.Conv2d(channels, channels, 3)",
    "named": "nn.AvgPool2d(3)",
}


def text(location: Location | None) -> str:
    assert location is not None
    assert location.end_line == location.line
    assert location.end_column is not None
    line = Path(location.path).read_text().splitlines()[location.line - 1]
    return line[location.column - 1 : location.end_column - 1]


@pytest.mark.parametrize("layer", EXPECTED)
def test_recorded(layer: str) -> None:
    with recording_origins():
        model = Model()
    assert text(construction_of(model, layer)) == EXPECTED[layer]


@pytest.mark.parametrize("layer", [name for name in EXPECTED if name != "helped.0"])
def test_looked_up(layer: str) -> None:
    assert text(construction_of(Model(), layer)) == EXPECTED[layer]


def test_recording_ends_with_the_block() -> None:
    before = nn.Module.__init__.__code__
    with recording_origins():
        recorded = nn.Sequential()
    assert remembered_origin(recorded) is not None
    assert remembered_origin(nn.Sequential()) is None
    assert nn.Module.__init__.__code__ is before


def test_the_model_itself_is_its_class() -> None:
    location = construction_of(Model(), "")
    assert location is not None
    assert location.line == inspect.getsourcelines(Model)[1]
    assert text(location) == "class Model(nn.Module)"


NESTED = """\
def made():
    class Inner(nn.Module):
        pass

    return Inner

try:
    import nowhere
except ImportError:
    class Stand(nn.Module):
        class Part(nn.Module):
            pass
"""


def test_classes_within_functions_handlers_and_classes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "nested.py"
    file.write_text(f"from torch import nn\n\n{NESTED}")
    spec = importlib.util.spec_from_file_location("nested_classes", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "nested_classes", module)
    spec.loader.exec_module(module)
    for cls in (module.made(), module.Stand, module.Stand.Part):
        found = class_location(cls)
        assert found is not None
        assert found.end_column is not None
        assert found.line == inspect.getsourcelines(cls)[1]
        line = file.read_text().splitlines()[found.line - 1]
        assert line[found.column - 1 : found.end_column - 1] == f"class {cls.__name__}(nn.Module)"


def test_a_class_without_source_has_no_place() -> None:
    names: dict[str, type[nn.Module]] = {}
    exec("import torch.nn as nn\nclass Lost(nn.Module):\n    pass", names)
    assert construction_of(names["Lost"](), "") is None


def test_layers_of_a_container_alone() -> None:
    model = nn.Sequential(nn.Conv2d(1, 1, 1))
    location = construction_of(model, "0")
    assert location is None or "torch" in location.path
    assert isinstance(model(torch.zeros(1, 1, 2, 2)), torch.Tensor)
