"""Python and torch as a model finds them while it is traced, and as everyone finds them afterwards."""

from __future__ import annotations

import copy
import importlib
import importlib.util
import math
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import shapelint
from shapelint.tracing.patches import Patches
from tests import oracle


class Forward(nn.Module):
    """A model whose forward is a function."""

    def __init__(self, forward: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self._forward = forward

    def forward(self, x: Tensor) -> Any:
        return self._forward(x)


def _agrees(model: nn.Module, certainty: str = "proven") -> None:
    analysis = shapelint.analyze(model, ("N", 3, "H", "W"))
    assert analysis.certainty == certainty, analysis.certainty_reasons
    asked = oracle.Oracle(lambda: model, ("N", 3, "H", "W"), device="cpu")
    sizes = [{"N": 2, "H": h, "W": w} for h in range(1, 14) for w in (1, 2, 5, 8, 12)]
    assert oracle.same_answer(analysis, asked, sizes) == []


def _pair(size: Any) -> Any:
    return (size, size) if type(size) is int else size


def _one_size_or_two(x: Tensor) -> Tensor:
    return F.interpolate(F.avg_pool2d(x, _pair(2), stride=1), _pair(x.shape[2]))


def _kinds(x: Tensor) -> Any:
    """``type`` of everything symbolic, compared as people compare it."""
    halves = {int: 1, float: 2}
    assert type(x) is Tensor
    assert type(x) == torch.Tensor  # noqa: E721 - how some models ask
    assert type(x.shape) is torch.Size
    assert type(x.shape[2]).__name__ == "int"
    assert type(x.shape[2] * 0.3) in (int, float)
    assert isinstance(Forward, type)
    assert type("Made", (), {"half": 2}).half == 2  # type: ignore[attr-defined]
    return x[..., : halves[type(x.shape[2])]], x[..., : halves[type(x.shape[2] / 2)]], type(x.shape)(x.shape)[2]


@pytest.mark.parametrize("forward", [_one_size_or_two, _kinds])
def test_type_tells_what_a_size_passes_for(forward: Callable[[Tensor], Any]) -> None:
    _agrees(Forward(forward))


def _written_into_another(x: Tensor) -> Tensor:
    y = torch.empty_like(x)
    torch.add(x, x.mean(2, keepdim=True), out=y)
    return torch.cat([y, y], 2, out=x.new_empty(0))


def _data_set(x: Tensor) -> Tensor:
    y = x[:, :, :1].clone()
    y.data = F.max_pool2d(x, 2)
    y.requires_grad = False
    return y


def _copied(x: Tensor) -> Tensor:
    return copy.copy(x)[..., 1:] + copy.deepcopy(x)[..., 1:] if x.get_device() < 0 else x


@pytest.mark.parametrize("forward", [_written_into_another, _data_set, _copied])
def test_a_tensor_that_takes_the_place_of_another(forward: Callable[[Tensor], Any]) -> None:
    _agrees(Forward(forward))


class Renormalised(nn.Module):
    """A model that keeps a weight of its own within bounds, as it runs."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(4, 3))

    def forward(self, x: Tensor) -> Tensor:
        self.weight.data = torch.renorm(self.weight.data, 2, 0, 1.0)
        return torch.einsum("bchw,dc->bdhw", x, self.weight)[..., 1:]


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_a_weight_that_is_set_anew(device: str) -> None:
    analysis = shapelint.analyze(Renormalised().to(device), ("N", 3, "H", "W"))
    assert analysis.certainty == "proven", analysis.certainty_reasons
    assert analysis.output_shape(N=2, H=5, W=7) == (2, 4, 5, 6)


LATER = """
import torch, shapelint
class Importing(torch.nn.Module):
    def forward(self, x):
        import torch._dynamo
        return x
class Halving(torch.nn.Module):
    def forward(self, x):
        return x[..., ::2]
analysis = shapelint.analyze(Importing(), ("N", 3, "H", "W"))
assert analysis.certainty == "proven", analysis.certainty_reasons
compiled = torch.compile(Halving(), backend="eager")
assert compiled(torch.zeros(2, 5)).shape == (2, 3)
analysis = shapelint.analyze(compiled, ("N", 3, "H", "W"))
assert analysis.certainty == "proven", analysis.certainty_reasons
assert analysis.output_shape(H=4, W=7) == (1, 3, 4, 4)
assert compiled(torch.zeros(2, 9)).shape == (2, 5)
"""


def test_what_is_compiled_works_after_an_analysis_and_can_be_analysed() -> None:
    """In an interpreter of its own: the compiler is imported once, and stays broken if that fails."""
    done = subprocess.run([sys.executable, "-c", LATER], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


TABLES = """
import sys, torch
import shapelint
from torch import nn
class Tables(nn.Module):
    def __init__(self):
        super().__init__()
        self.queries = nn.Parameter(torch.zeros(1, 4, 8))
    def forward(self, x):
        queries = torch.stack([torch.cat([self.queries] * x.shape[0], dim=0)] * 2).mean(0)
        where = torch.eye(8, device=x.device)
        return torch.cat([x @ where, queries], 1) * torch.hann_window(8, device=x.device)
with torch.device("meta"):
    model = Tables()
analysis = shapelint.analyze(model, (2, "T", 8))
assert analysis.certainty == "proven", analysis.certainty_reasons
assert analysis.output_shape(T=3) == (2, 7, 8)
assert "torch._dynamo" not in sys.modules
"""


def test_tables_of_a_model_that_holds_nothing_do_not_import_the_compiler() -> None:
    done = subprocess.run([sys.executable, "-c", TABLES], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


class Scaled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x * 2

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        return gradients[0] * 3  # not what is derived from forward


def test_a_method_written_in_c_still_gets_its_class() -> None:
    class Owner:
        make = vars(dict)["fromkeys"]  # as ``apply`` of autograd's Function is in some versions of torch

    patches = Patches()
    patches.exchange(Owner, "make", lambda cls, *args: (cls, *args))
    assert Owner.make(3) == (Owner, 3)
    patches.undo()
    assert vars(Owner)["make"] is vars(dict)["fromkeys"]


class Slow(nn.Module):
    """A model whose analysis waits until another thread has done its work."""

    def __init__(self, waiting: threading.Event, done: threading.Event) -> None:
        super().__init__()
        self.waiting, self.done = [waiting], [done]

    def forward(self, x: Tensor) -> Tensor:
        self.waiting[0].set()
        assert self.done[0].wait(60)
        return x[..., ::2]


def test_other_threads_build_and_train_their_models_meanwhile() -> None:
    waiting, done = threading.Event(), threading.Event()
    with ThreadPoolExecutor(1) as executor:
        analysis = executor.submit(shapelint.analyze, Slow(waiting, done), ("N", 3, "H", "W"))
        assert waiting.wait(60)
        model = nn.Linear(2, 2)
        model.scale = 3
        output = Scaled.apply(model(torch.ones(1, 2)))
        output.sum().backward()
        moved = model.to(torch.float64)
        del model.scale
        done.set()
        assert analysis.result().output_shape(H=3, W=3) == (1, 3, 3, 2)
    assert moved.weight.dtype == torch.float64
    assert model.bias.grad is not None
    assert model.bias.grad.tolist() == [3.0, 3.0]
    assert not hasattr(model, "scale")


def _halved_until_small(x: Tensor) -> Tensor:
    while min(x.shape[-2:]) > 4:
        x = F.max_pool2d(x, 2, ceil_mode=True)
    return x


def _fractions_compared(x: Tensor) -> Tensor:
    return F.adaptive_avg_pool2d(x, (int(min(max(x.shape[2] * 0.5, 2), 4)), math.ceil(max(x.shape[3] / 3, 1))))


def _rounded_by_bits(x: Tensor) -> Tensor:
    return x[:, :, : x.shape[2] & ~3, : x.shape[3] & -2]


def _with_numpy(x: Tensor) -> Any:
    import numpy

    return x[:, :, numpy.arange(3)], x.new_zeros(int(numpy.sqrt(x.shape[3])))


@pytest.mark.parametrize("forward", [_halved_until_small, _fractions_compared, _rounded_by_bits, _with_numpy])
def test_arithmetic_on_sizes(forward: Callable[[Tensor], Any]) -> None:
    _agrees(Forward(forward))


def test_a_module_that_was_run_from_a_file_need_not_be_known_to_the_system(tmp_path: Path) -> None:
    file = tmp_path / "unregistered.py"
    file.write_text(
        "from torch import nn\n\n\nclass Half(nn.Module):\n    def forward(self, x):\n"
        "        return x[:, : int(x.shape[1] / 2)]\n"
    )
    spec = importlib.util.spec_from_file_location("unregistered", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    analysis = shapelint.analyze(module.Half(), ("N", "T"))
    assert analysis.certainty == "proven"
    assert analysis.output_shape(N=2, T=7) == (2, 3)
    assert "int" not in vars(module)


DTYPES: dict[str, Callable[[Tensor], Any]] = {
    "converted": lambda x: (x > 0).to(int)[: int(x.shape[2] / 2)],
    "converted, by name": lambda x: x.to(dtype=float),
    "made": lambda x: torch.zeros(int(x.shape[2] / 2), x.shape[3], dtype=int),
    "listed": lambda x: torch.tensor([1, 2], dtype=float)[:, None] + x.new_zeros(1, x.shape[2], dtype=int),
    "positions": lambda x: x[:, :, torch.arange(3, dtype=int)],
    "positions up to a size": lambda x: x[:, :, torch.arange(0, x.shape[2], 2, dtype=int)],
    "summed": lambda x: x.sum(dim=2, dtype=float) + torch.cumsum(x, 2, dtype=float).mean(2),
    "full": lambda x: torch.full((2, x.shape[3]), 3, dtype=int, device=x.device),
}


@pytest.mark.parametrize("forward", DTYPES.values(), ids=DTYPES)
def test_classes_of_python_are_dtypes(forward: Callable[[Tensor], Any]) -> None:
    _agrees(Forward(forward))
    assert torch.zeros(1, dtype=int).dtype == torch.int64
    assert not hasattr(torch.zeros, "__wrapped__")


_PACKAGE = {
    "__init__.py": "from .work import halved\n",
    "work.py": """
import functools

@functools.lru_cache(None)
def _half(size):
    return size // 2

def halved(x):
    return x[..., : _half(x.shape[-1])]
""",
}
_CALLERS = {
    "of_package": ("import PACKAGE", "return PACKAGE.halved(x)"),
    "where_called": ("", "from PACKAGE import halved; return halved(x)"),
}


@pytest.mark.parametrize("caller", _CALLERS)
def test_cached_helpers_of_a_package_are_called_as_they_are_written(
    caller: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = f"halving_{caller}"
    (tmp_path / package).mkdir()
    for name, text in _PACKAGE.items():
        (tmp_path / package / name).write_text(text)
    before, body = (line.replace("PACKAGE", package) for line in _CALLERS[caller])
    net = f"from torch import nn\n{before}\nclass Net(nn.Module):\n    def forward(self, x): {body}\n"
    (tmp_path / f"net_{caller}.py").write_text(net)
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.import_module(package)
    _agrees(importlib.import_module(f"net_{caller}").Net())


_FAR = {
    "near": "from PACKAGE.middle import Grid\nmake = Grid\n",
    "middle": "from PACKAGE.far import steps\nclass Grid:\n    def __call__(self, x): return steps(x)\n",
    "far": """
def steps(x):
    scale = 2 / float(x.shape[-1] + 1)
    return x[..., : int(x.shape[-1] * 0.5)] * scale
""",
}


def test_code_far_from_any_layer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "far_away"
    package.mkdir()
    for name, text in _FAR.items():
        (package / f"{name}.py").write_text(text.replace("PACKAGE", package.name))
    (tmp_path / "net_far_away.py").write_text(
        "from torch import nn\nfrom far_away import near\n"
        "class Net(nn.Module):\n    def forward(self, x): return near.make()(x)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    _agrees(importlib.import_module("net_far_away").Net())
    assert sys.modules["far_away.far"].steps(torch.zeros(1, 5)).shape == (1, 2)
    assert "int" not in vars(sys.modules["far_away.far"])
