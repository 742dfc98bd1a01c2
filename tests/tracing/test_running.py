"""Models that torch cannot move or copy as it does others: scripted ones, and layers that wait for an input."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import shapelint
from shapelint.sizes.dim import dim
from shapelint.tracing.inputs import Inputs
from shapelint.tracing.running import Runner
from shapelint.tracing.tensor import symbolic_tensor
from tests import oracle

SIZES = [{"N": n, "H": h, "W": w} for n, h, w in [(1, 2, 8), (1, 3, 3), (2, 9, 4), (2, 4, 2), (3, 8, 8)]]


class Scripted(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = torch.jit.script(nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), nn.ReLU()))

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x)[..., :1]


def lazy() -> nn.Module:
    return nn.Sequential(
        nn.LazyConv2d(4, 3, stride=2),
        nn.LazyBatchNorm2d(),
        nn.LazyConvTranspose2d(2, 2),
        nn.Flatten(),
        nn.LazyLinear(3),
    )


class LazyRows(nn.Module):
    """A dict of rows, which has to be run."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.LazyConv1d(4, 3), nn.LazyBatchNorm1d())

    def forward(self, x: Tensor) -> Tensor:
        rows = {row: self.layers(x[:, :, row]) for row in range(x.shape[2])}
        return torch.stack(list(rows.values()), 2)


def test_a_scripted_model_is_run_where_it_is() -> None:
    for model in (Scripted(), torch.jit.script(nn.Conv2d(3, 4, 3, stride=2))):
        analysis = shapelint.analyze(model, ("N", 3, "H", "W"))
        assert analysis.diagnostics is not None
        asked = oracle.Oracle(lambda model=model: model, ("N", 3, "H", "W"), device="cpu")
        assert oracle.same_answer(analysis, asked, SIZES) == []


def test_lazy_layers_take_what_comes_and_go_on_waiting() -> None:
    model = lazy()
    analysis = shapelint.analyze(model, ("N", 3, "H", "W"))
    assert analysis.certainty == "proven"
    for sizes in SIZES:
        measured = oracle.Oracle(lazy, ("N", 3, "H", "W"), device="cpu")(**sizes)
        assert oracle.compare(analysis, measured, sizes) is None
    assert model[0].has_uninitialized_params()
    assert model(torch.zeros(2, 3, 9, 9)).shape == (2, 3)


def test_lazy_layers_that_must_be_run_are_copied() -> None:
    analysis = shapelint.analyze(LazyRows(), (2, 3, "H", "W"))
    assert analysis.certainty == "enumerated"
    assert analysis.output_shape(H=3, W=5) == (2, 4, 3, 3)
    assert not analysis.accepts(H=3, W=2)


class SomeScripted(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = torch.jit.trace(nn.AvgPool2d(3), torch.zeros(1, 3, 8, 8))

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x)


class CutByTensor(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.tensor_split(x, torch.tensor([1, 3]), dim=2)[0]


def test_why_an_operation_was_run_instead_is_told_in_its_words() -> None:
    scripted = shapelint.analyze(SomeScripted(), ("N", 3, "H", "W")).certainty_reasons[0]
    assert scripted.startswith("forward has no shape rule, and it behaves differently for different sizes")
    cut = shapelint.analyze(CutByTensor(), ("N", 3, "H", "W")).certainty_reasons[0]
    assert "tensor_split at positions given by a tensor" in cut
    assert "no shape rule" not in cut


class Tables(nn.Module):
    """Keeps tables that it starts with empty, one of them under two names."""

    def __init__(self) -> None:
        super().__init__()
        self.one: dict[str, Tensor] = {}
        self.same, self.other = self.one, OrderedDict[str, Tensor]()

    def forward(self, x: Tensor) -> tuple[Tensor, int]:
        self.one["x"] = self.other["y"] = x
        return self.same["x"][: len(self.other)], len(self.one)


def test_a_run_changes_no_table_of_the_model_and_keeps_them_apart_as_they_were() -> None:
    model = Tables()
    runner = Runner(model, Inputs((symbolic_tensor((dim("H"), 2), torch.float32),), {}, ("H",)))
    for _ in range(2):
        assert runner.run({"H": 3}).output == ((1, 2), 1)
    assert (model.one, model.other) == ({}, OrderedDict())
    assert model.same is model.one


class Looked(nn.Module):
    """How often it looks something up, and where, is a matter of contents; the table has ten rows."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(10, 4)

    def forward(self, x: Tensor) -> Tensor:
        start = int(x.sum().item())
        found: Tensor = self.table(torch.arange(start, x.shape[1])).sum(0) + x[:, 1:].max(1)[0]
        return found


def test_what_is_little_work_is_run_where_indices_are_checked() -> None:
    analysis = shapelint.analyze(Looked(), (1, "T"))
    assert analysis.certainty == "enumerated"
    assert [t for t in range(1, 15) if analysis.accepts(T=t)] == list(range(2, 11))


class Joining(nn.Module):
    """Joins a list that is empty for some sizes, or asks a table of its own for too much."""

    def __init__(self, table: Tensor | None = None) -> None:
        super().__init__()
        self.table = table

    def forward(self, x: Tensor) -> Tensor:
        kept = [x] if x.shape[-1] > 3 else []
        if not kept and self.table is not None:
            return self.table.view(7)
        return torch.cat(kept, 1)


@pytest.mark.parametrize(("table", "asked"), [(None, 0), (torch.zeros(5), 1)])
def test_what_torch_says_of_plain_numbers_is_not_asked_again(
    table: Tensor | None, asked: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[Any] = []
    run = Runner.run

    def counted(self: Runner, env: Any, **options: Any) -> Any:
        runs.append(env)
        return run(self, env, **options)

    monkeypatch.setattr(Runner, "run", counted)
    analysis = shapelint.analyze(Joining(table), ("N", 2, "T"))
    assert analysis.certainty == "proven", analysis.certainty_reasons
    assert [t for t in range(1, 9) if analysis.accepts(T=t)] == list(range(4, 9))
    assert len(runs) == asked
