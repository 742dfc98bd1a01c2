"""Every file of the corpus is mended as is written beside it, and the mended model does in PyTorch what is promised."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import shapelint
from shapelint.diagnostics import Diagnostic
from tests.fixes import golden
from tests.oracle import Failure, Oracle, flatten_shapes, same_answer


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def about(finding: Diagnostic) -> tuple[object, ...]:
    return finding.code, finding.model, finding.layer


@pytest.mark.parametrize("case", golden.cases(), ids=str)
def test_file(case: golden.Case, tmp_path: Path) -> None:
    found = golden.findings(case.path)
    assert found
    assert golden.told(case.path, found).encode() == case.golden.read_bytes()
    versions = golden.versions(case.path, found)
    if not versions:
        # Nothing can be written into the file: every finding says what is to be done, or why nothing is.
        assert all(finding.fixes or finding.why for finding in found)
    for version in versions:
        check_version(case, version, tmp_path)


def check_version(case: golden.Case, version: golden.Version, folder: Path) -> None:
    """The findings are gone and nothing new came; checkpoints still fit; PyTorch does what is promised."""
    mended = folder / case.path.name
    mended.write_bytes(version.file.after.encode(version.file.encoding))
    left = {about(finding) for finding in golden.findings(mended)}
    assert not left & {about(finding) for finding in version.found}
    assert left <= {about(finding) for finding in golden.findings(case.path)}
    before, after = case.build(version.file.before), case.build(version.file.after)
    assert shapes(after) == shapes(before)
    oracle = Oracle(lambda: after, tuple(1 if size == "N" else size for size in case.input), case.device)
    differences = same_answer(shapelint.analyze(after, case.input), oracle, case.sizes())
    assert not differences, "\n".join(map(str, differences[:20]))
    if left:
        return  # something else is wrong with this model
    for sizes in filter(case.is_expected, case.sizes()):
        actual = oracle(**sizes)
        assert not isinstance(actual, Failure), f"{sizes}: {actual}"
        assert not case.returns or flatten_shapes(actual)[0][2:] == tuple(sizes.values())


def shapes(model: torch.nn.Module) -> dict[str, torch.Size]:
    return {name: value.shape for name, value in model.state_dict().items()}


def test_the_corpus_is_large_and_varied() -> None:
    every = golden.cases()
    assert len(every) >= 100
    assert len({case.idiom for case in every}) >= 60
    assert {len(case.symbols) for case in every} == {1, 2, 3}
