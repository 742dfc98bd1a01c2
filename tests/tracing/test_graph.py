"""The fx graph of a trace: sound, complete, and with what was found out about each node."""

from __future__ import annotations

import operator
import warnings

import pytest
import torch
import torch.nn.functional as functional
from torch import nn

import shapelint
from shapelint.tracing.graph import select_path
from tests import catalogue


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, stride=2)
        self.scale = nn.Parameter(torch.ones(4, 1, 1))

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        y = self.conv(x) * self.scale
        if y.shape[-1] % 2:
            y = functional.pad(y, (0, 1))
        a, b = y.chunk(2, dim=1)
        return {"sum": a + b, "flat": y.flatten(1)}


def test_nodes() -> None:
    graph = shapelint.analyze(Small(), ("N", 3, "H", "W")).graph
    graph.lint()
    by_name = {str(node.target): node for node in graph.nodes}
    conv = by_name["conv"]
    assert conv.op == "call_module"
    assert [str(size) for size in conv.meta["shape"]] == ["N", "4", "(H + 1)//2 - 1", "(W + 1)//2 - 1"]
    assert conv.meta["requirement"] == "H ≥ 3 and W ≥ 3"
    assert conv.meta["location"].path == __file__
    assert str(conv.meta["domain"]) == "H and W: all sizes"
    assert by_name["scale"].op == "get_attr"
    assert by_name["flatten"].op == "call_method"
    assert any(node.target is select_path for node in graph.nodes)
    assert sum(node.target is operator.getitem for node in graph.nodes) >= 2
    (output,) = (node for node in graph.nodes if node.op == "output")
    assert set(output.args[0]) == {"sum", "flat"}


@pytest.mark.parametrize("fixture", [f for f in catalogue.FIXTURES if f.file != "swin"], ids=str)
def test_fixtures(fixture: catalogue.Fixture) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        analysis = shapelint.analyze(fixture.build(), fixture.input)
        if analysis.trace is None:
            pytest.skip("not followed symbolically")
        graph = analysis.graph
    graph.lint()
    assert all(node.meta["shape"] is not None for node in graph.nodes if node.op != "output")
