"""What a model holds is read anew only where it can have changed, and then nothing that changed is missed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from shapelint.sizes.dim import dim
from shapelint.tracing.loops.holding import Outlines, all_held, is_same
from shapelint.tracing.tensor import symbolic_tensor


class Settings:
    def __init__(self) -> None:
        self.width = 3


class Config(dict[str, Any]):
    """A configuration whose items are attributes too."""

    def __init__(self, **items: Any) -> None:
        super().__init__(**items)
        vars(self).update(items)


class Part(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.number, self.factor, self.name, self.sizes = 3, 0.5, "part", (1, (2, 3))
        self.kept: list[Any] = [None]
        self.table: dict[str, Any] = {}
        self.settings = Settings()
        self.layers = nn.Sequential(nn.Identity(), nn.ReLU())
        self.later: nn.Module | None = None
        self.config = Config(widths=[1, 2], depth=3)
        self.register_buffer("steps", torch.zeros(3))


class Empty(nn.Module):
    pass


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.part, self.empty = Part(), Empty()
        self.last = symbolic_tensor((2, dim("T")), torch.float32)


def _held(model: nn.Module, outlines: Outlines, before: Any = None) -> Any:
    return all_held({"x": before, "self": model}, outlines)["self"]


CHANGES: dict[str, Callable[[Any], Any]] = {
    "number": lambda model: setattr(model.part, "number", 4),
    "kind of number": lambda model: setattr(model.part, "number", 3.0),
    "truth": lambda model: setattr(model.part, "number", True),
    "size": lambda model: setattr(model.part, "number", dim("T")),
    "factor": lambda model: setattr(model.part, "factor", 0.25),
    "text": lambda model: setattr(model.part, "name", "other"),
    "tuple": lambda model: setattr(model.part, "sizes", (1, (2, 4))),
    "past setattr": lambda model: model.part.__dict__.update(number=4),
    "new": lambda model: setattr(model.part, "more", 1),
    "gone": lambda model: delattr(model.part, "number"),
    "renamed": lambda model: model.__dict__.update(final=model.__dict__.pop("last")),
    "in a list": lambda model: model.part.kept.__setitem__(0, 1),
    "in a dict": lambda model: model.part.table.update(a=1),
    "in an object": lambda model: setattr(model.part.settings, "width", 4),
    "in a configuration": lambda model: model.part.config.update(depth=4),
    "one more in a configuration": lambda model: model.part.config.update(more=4),
    "an attribute of a configuration": lambda model: setattr(model.part.config, "depth", 4),
    "deep in a configuration": lambda model: model.part.config["widths"].append(3),
    "a buffer": lambda model: setattr(model.part, "steps", torch.ones(3)),
    "within a buffer": lambda model: model.part.steps.add_(1),
    "a first buffer": lambda model: model.empty.register_buffer("steps", torch.ones(3)),
    "a layer": lambda model: model.part.layers.__setitem__(0, nn.Identity()),
    "one more layer": lambda model: model.part.layers.append(nn.Identity()),
    "one layer less": lambda model: model.part.layers.pop(1),
    "all layers": lambda model: setattr(model.part.layers, "_modules", {}),
    "a part": lambda model: setattr(model, "part", Part()),
    "a part there was none": lambda model: setattr(model.part, "later", nn.Identity()),
    "a tensor": lambda model: setattr(model, "last", symbolic_tensor((2, dim("T") + 1), torch.float32)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_changes_is_seen(change: str) -> None:
    model, outlines = Model(), {}
    before = _held(model, outlines)
    assert is_same(before, _held(model, outlines))
    CHANGES[change](model)
    after = _held(model, outlines)
    assert not is_same(before, after)
    assert is_same(after, _held(model, {}))


def test_an_equal_value_is_the_same() -> None:
    model, outlines = Model(), {}
    before = _held(model, outlines)
    model.part.number, model.part.sizes = int("3"), (*[1], (*[2], 3))
    assert is_same(before, _held(model, outlines))


@pytest.mark.parametrize("which", ["part", "layer", "tuple", "list"])
def test_what_is_held_by_a_variable_too_is_the_same_object(which: str) -> None:
    model, outlines = Model(), {}
    part = model.part
    inner = {"part": part, "layer": part.layers[0], "tuple": part.sizes, "list": part.kept}[which]
    alike = {"part": inner, "layer": inner, "tuple": (*[1], (2, 3)), "list": [None]}[which]
    same, other = _held(model, outlines, inner), _held(model, outlines, nn.Identity() if alike is inner else alike)
    assert is_same(same, _held(model, outlines, inner))
    assert not is_same(same, other)
    assert is_same(other, _held(model, {}, nn.Identity() if alike is inner else alike))


def test_only_what_can_change_is_read_again() -> None:
    model, outlines = Model(), {}
    _held(model, outlines)
    outline = outlines[id(model)]
    _held(model, outlines)
    assert outlines[id(model)] is outline
    assert set(map(type, outline.live)) == {list, dict, type(model.last)}
