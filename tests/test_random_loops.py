"""Random loops over a size: whatever is called proven is what PyTorch does."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

import shapelint
from shapelint.limits import Limits
from tests import loop_grammar, oracle

SEEDS = range(60)
QUICK = Limits(seconds=20, enumeration_seconds=0.01)


def load(file: Path, text: str) -> ModuleType:
    """The module from a file, since a loop's source is looked at."""
    file.write_text(text)
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("seed", SEEDS)
def test_a_random_loop_is_as_pytorch_has_it(seed: int, tmp_path: Path) -> None:
    model = load(tmp_path / f"loop_{seed}.py", loop_grammar.source(seed)).Model().eval()
    analysis = shapelint.analyze(model, ("N", "T", 4), limits=QUICK)
    if analysis.certainty != "proven":
        assert analysis.certainty_reasons
        return
    for n, t in [(2, t) for t in range(1, 17)] + [(n, t) for n in (1, 3) for t in (1, 2, 3, 5, 8)]:
        result = oracle.run(model, (n, t, 4), device="cpu", fresh=True)
        assert oracle.compare(analysis, result, {"N": n, "T": t}) is None, loop_grammar.source(seed)


def test_most_of_them_are_proven(tmp_path: Path) -> None:
    proven = 0
    for seed in SEEDS[::3]:
        model = load(tmp_path / f"loop_{seed}.py", loop_grammar.source(seed)).Model()
        proven += shapelint.analyze(model, ("N", "T", 4), limits=QUICK).certainty == "proven"
    assert proven >= 10
