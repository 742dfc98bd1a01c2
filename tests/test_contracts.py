"""Contracts: read without torch, held to by the linter, free of cost when the model runs."""

# ruff: noqa: F722, F821 - jaxtyping annotations hold axes, not code

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

import shapelint
from shapelint.contracts import Contract, annotated_contract, contract_of
from shapelint.diagnostics import Diagnostic, Severity
from shapelint.linting import lint_detailed


def told(model: nn.Module, **arguments: Any) -> list[Diagnostic]:
    return [finding for finding in shapelint.analyze(model, **arguments).diagnostics if finding.code == "SL701"]


def broken(model: nn.Module, **arguments: Any) -> list[Diagnostic]:
    return [finding for finding in told(model, **arguments) if finding.severity is not Severity.NOTE]


class Layers(nn.Module):
    def __init__(self, out: int = 1, padding: int = 1) -> None:
        super().__init__()
        self.down = nn.Conv2d(3, 8, 2, stride=2)
        self.up = nn.ConvTranspose2d(8, out, 2, stride=2)
        self.end = nn.Conv2d(out, out, 3, padding=padding)

    def forward(self, x: Tensor) -> Tensor:
        return self.end(self.up(self.down(x)))


@shapelint.contract(input="N,3,H,W", output="N,1,H,W", sizes="H%2==0, W%2==0")
class Promising(Layers): ...


@shapelint.contract(input="N,3,H,W", output="N,1,H,W", sizes="H>=2, W%2==0")
class PromisingTooMuch(Layers): ...


@shapelint.contract(output="N,_,H,W")
class OnlyOutput(Layers): ...


def test_kept() -> None:
    analysis = shapelint.analyze(Promising())
    assert not broken(Promising())
    assert "keeps its contract N,3,H,W → N,1,H,W for H%2==0, W%2==0" in analysis.summary()
    assert not broken(OnlyOutput())
    assert not broken(OnlyOutput(out=4))


def test_other_sizes_are_a_note() -> None:
    (note,) = told(OnlyOutput())
    assert note.severity is Severity.NOTE
    assert note.message.endswith("returns another shape, at sizes that are not expected of it")
    assert note.example == "For 2 × 3 it returns (1, 1, 2, 2)"
    assert note.sizes == "some H and W"


def test_broken_with_the_least_counterexample() -> None:
    (finding,) = broken(Promising(out=2))
    assert finding.severity is Severity.ERROR
    assert finding.message == "`Promising` breaks its contract: it promises (N,1,H,W) and returns another shape"
    assert finding.example == "For 2 × 2 it returns (1, 2, 2, 2)"
    assert finding.location is not None
    assert finding.location.path == __file__
    assert "breaks its contract" in shapelint.analyze(Promising(out=2)).summary()
    (finding,) = broken(PromisingTooMuch())
    assert finding.example == "For 3 × 2 it returns (1, 1, 2, 2)"
    assert Promising(out=2)(torch.zeros(1, 3, 2, 2)).shape == (1, 2, 2, 2)
    assert PromisingTooMuch()(torch.zeros(1, 3, 3, 2)).shape == (1, 1, 2, 2)


def test_sizes_that_do_not_run() -> None:
    @shapelint.contract(input="N,3,H,W", sizes="H>=1, W>=8")
    class Never(Layers): ...

    (finding,) = broken(Never())
    assert finding.message == "`Never` breaks its contract: it does not run at 1 × 8"
    assert "larger than the padded input" in finding.why


def test_other_questions_leave_the_contract_aside() -> None:
    assert not broken(Promising(out=2), inputs=("N", 3, "H", "W"))
    analysis = shapelint.analyze(Promising(), sizes="64x64")
    assert analysis.contract is not None
    shapelint.assert_accepts(Promising(), "H%4==0, W%4==0")


def test_subclasses_inherit_and_calls_cost_nothing() -> None:
    class Heir(Promising): ...

    assert contract_of(Heir()) is contract_of(Promising())
    assert Promising.forward is Layers.forward
    assert Promising.__call__ is nn.Module.__call__


def test_what_is_no_contract() -> None:
    with pytest.raises(TypeError, match="promises something"):
        shapelint.contract()
    with pytest.raises(TypeError, match="for a Module class"):
        shapelint.contract(output="N")(len)  # type: ignore[type-var]


def test_importing_it_does_not_import_torch() -> None:
    code = (
        "import sys, shapelint\n"
        "@shapelint.contract(input='N,3,H,W', output='N,1,H,W')\n"
        "class Net: pass\n"
        "assert 'torch' not in sys.modules and 'islpy' not in sys.modules\n"
    )
    root = Path(shapelint.__file__).parents[1]
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": str(root)})


def test_the_linter_reads_it(tmp_path: Path) -> None:
    file = tmp_path / "net.py"
    file.write_text(
        "import shapelint\nfrom torch import nn\n"
        "@shapelint.contract(input='N,3,H,W', output='N,8,H,W', sizes='H>=8, W>=8')\n"
        "class Net(nn.Module):\n"
        "    def __init__(self):\n        super().__init__()\n        self.conv = nn.Conv2d(3, 8, 3)\n"
        "    def forward(self, x):\n        return self.conv(x)\n"
    )
    result = lint_detailed([file])
    assert [finding.code for finding in result.diagnostics] == ["SL701"]
    assert result.diagnostics[0].example == "For 8 × 8 it returns (1, 8, 6, 6)"
    assert "breaks its contract" in result.models[0].summary
    file.write_text(file.read_text().replace("N,8,H,W", "N,8,H-2,W-2"))
    assert not lint_detailed([file]).diagnostics
    file.write_text(file.read_text().replace("N,8,H-2", "N,8,K-2"))
    (finding,) = lint_detailed([file]).diagnostics
    assert finding.code == "SL906"
    assert "K is none of the input's" in finding.message


# --- jaxtyping ------------------------------------------------------------------------------------------------


class Annotated(Layers):
    def forward(self, x: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch 1 height width"]:
        return super().forward(x)


class Lazily(Layers):
    def forward(self, x: "Float[Tensor, 'b c h w']") -> "Float[Tensor, 'b k h w']":
        return super().forward(x)


def test_annotations_are_a_contract() -> None:
    assert annotated_contract(Annotated) == Contract({"x": ("N", 3, "H", "W")}, [("N", 1, "H", "W")])
    assert annotated_contract(Lazily) == Contract({"x": ("N", "C", "H", "W")}, [("N", None, "H", "W")])
    assert not broken(Annotated())
    assert not broken(Lazily(out=5))
    (finding,) = broken(Annotated(out=2))
    assert finding.example == "For 2 × 2 it returns (1, 2, 2, 2)"
    assert {finding.code for finding in shapelint.analyze(Lazily()).diagnostics} <= {"SL301", "SL701"}


@pytest.mark.parametrize(
    ("axes", "shape"),
    [
        ("*batch 3 h w", ("N", 3, "H", "W")),
        ("... 3 h w", ("N", 3, "H", "W")),
        ("_ 3 _ _", ("N", 3, "H", "W")),
        ("b #c t", ("N", "C", "T")),
        ("rows=4 cols=5", (4, 5)),
        ("b h 2*h", ("N", "H", "2 * H")),
    ],
)
def test_axes(axes: str, shape: tuple[Any, ...]) -> None:
    class Model(nn.Module):
        def forward(self, x: Float[Tensor, axes]) -> Tensor:  # type: ignore[valid-type]
            return x

    assert annotated_contract(Model) == Contract({"x": shape})


def test_token_ids_and_several_tensors() -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(100, 8)

        def forward(
            self, ids: Int[Tensor, "b t"], scale: Float[Tensor, "b"]
        ) -> tuple[Float[Tensor, "b t 8"], Float[Tensor, "b"]]:
            return self.embed(ids) * scale[:, None, None], scale

    assert not broken(Model())
    assert str(shapelint.analyze(Model()).contract) == "N,T; N → N,T,8; N"


def test_what_is_not_annotated_is_left_to_the_layers() -> None:
    class Half(nn.Module):
        def forward(self, x: Float[Tensor, "b h"], y: Tensor) -> Tensor:
            return x + y

    class Middle(nn.Module):
        def forward(self, x: Float[Tensor, "b ... h"]) -> Tensor:
            return x

    assert annotated_contract(Half) is None
    assert annotated_contract(Middle) is None
    assert annotated_contract(nn.Conv2d) is None
    assert annotated_contract(int) is None
