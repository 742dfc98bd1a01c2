"""Every kind of fix is written as its patches say, and the mended model does in PyTorch what is promised."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

import shapelint
from shapelint.api import Analysis
from shapelint.fixes.repairing import repair
from shapelint.isolation.checking import Checker
from shapelint.linting import lint_detailed
from shapelint.loading.shapes import parse_inputs
from shapelint.results import LintResult
from shapelint.rules.context import Context
from tests.fixes import golden, patches

SIZES = range(1, 161)
LARGE = 33
"""From here on no layer of these models finds a size too small."""


def built(path: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> nn.Module:
    module = golden.executed(path, text)
    # where the analysis finds the functions that forward calls
    monkeypatch.setitem(sys.modules, module.__name__, module)
    with torch.device("meta"):
        model: nn.Module = module.Net()
    return model.eval()


def analysed(model: nn.Module, text: str) -> Analysis:
    """As the comment in the file says."""
    words = dict(part.split("=", 1) for part in _comment(text).replace(", ", ",").split(" ") if part)
    inputs = parse_inputs((words["input"].strip("()"),)) if "input" in words else None
    sizes = words.get("size")
    return shapelint.analyze(model, inputs, sizes)


def _comment(text: str) -> str:
    line = next((line for line in text.splitlines() if line.startswith("# shapelint: ")), "")
    return line.removeprefix("# shapelint: ").replace(", H", ",H").replace("H, W", "H,W")


def returned(model: nn.Module, shape: tuple[int, ...]) -> tuple[int, ...] | None:
    """The spatial size of the (first) output; None if PyTorch refuses.

    On the meta device an empty input of ``interpolate`` raises a TypeError instead of a RuntimeError.
    """
    try:
        output = model(torch.empty(shape, device="meta"))
    except (RuntimeError, ValueError, AssertionError, TypeError):
        return None
    first = output[0] if isinstance(output, tuple) else output
    return tuple(first.shape[2:])


def points(symbols: list[str], base: dict[str, int]) -> Iterator[dict[str, int]]:
    """Every size along each axis, and along all of them together."""
    for size in SIZES:
        yield dict.fromkeys(symbols, size)
        for symbol in symbols if len(symbols) > 1 else ():
            yield {**base, symbol: size}


@pytest.mark.parametrize("path", patches.paths(), ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_what_a_patch_promises_is_what_torch_does(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = patches.case(path)
    file = case.patched
    assert golden.diff(file) == path.with_suffix(".patch").read_text()

    mended = tmp_path / path.name
    mended.write_text(file.after)
    assert golden.findings(mended) == []

    before = built(path, file.before, monkeypatch)
    context = Context(analysed(before, file.before))
    model = built(path, file.after, monkeypatch)
    analysis = analysed(model, file.after)
    old = {name: value.shape for name, value in before.state_dict().items()}
    new = {name: value.shape for name, value in model.state_dict().items()}
    assert old.keys() == new.keys()
    assert (old != new) == case.fix.reshapes == ("checkpoints saved before no longer load" in case.fix.description)

    expected = context.expected.sizes
    symbols = list(context.symbols)
    assert len(symbols) == case.axes
    for given in points(symbols, context.example(context.expected.domain)):
        given = {symbol: given[symbol] for symbol in symbols}
        shape = (1, 1, *given.values())
        actual = returned(model, shape)
        assert (given in analysis.valid_sizes) == (actual is not None), given
        assert (given in analysis.round_trip_sizes) == (actual == tuple(given.values())), given
        if given in expected and min(given.values()) >= LARGE:
            assert actual is not None
        if actual is not None and "crop the output" in case.fix.description:
            assert actual in (tuple(given.values()), tuple(2 * size for size in given.values()))


@pytest.mark.parametrize("kind", patches.KINDS)
def test_a_model_is_left_as_it_was(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = min((patches.FOLDER / kind).glob("*.py"))
    model = built(path, path.read_text(), monkeypatch)
    modules, tensors = dict(model.named_modules()), model.state_dict(keep_vars=True)
    attributes = {name: dict(vars(module)) for name, module in modules.items()}
    assert any(finding.fixes for finding in analysed(model, path.read_text()).diagnostics)
    assert dict(model.named_modules()) == modules
    assert all(value is tensors[name] for name, value in model.state_dict(keep_vars=True).items())
    assert {name: dict(vars(module)) for name, module in modules.items()} == attributes


def test_every_kind_has_files() -> None:
    assert {path.parent.name for path in patches.paths()} == set(patches.KINDS)
    assert {path.with_suffix("") for path in patches.FOLDER.glob("*/*.patch")} == {
        path.with_suffix("") for path in patches.paths()
    }


def test_edited_files_are_verified_in_new_processes() -> None:
    def lint(check_all: object) -> LintResult:
        result = lint_detailed([patches.FOLDER], check_all=check_all)  # type: ignore[arg-type]
        return LintResult(
            tuple(map(patches.only_its_kind, result.diagnostics)), result.models, result.skipped, result.files
        )

    made = repair(lint, Checker(2), unsafe=True)
    assert made.undone == ()
    assert {file.path.absolute() for file in made.files} == set(patches.paths())
    assert made.summary(written=False).endswith("; none left.")
