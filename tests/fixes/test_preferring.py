"""Which of several fixes is made."""

from __future__ import annotations

import shutil
from pathlib import Path

from shapelint.diagnostics import Applicability
from shapelint.linting import lint
from tests.fixes import golden


def test_a_name_in_scope_is_used_for_the_size(tmp_path: Path) -> None:
    file = tmp_path / "net.py"
    shutil.copy(golden.CORPUS / "skip_2d.py", file)
    (fix,) = [fix for fix in lint([file])[0].fixes if fix.applicability is Applicability.SAFE]
    assert [edit.text for edit in fix.edits] == [", output_size=skip.shape[-2:]"]


def test_through_a_sequential_it_is_by_hand() -> None:
    fixes = lint([golden.CORPUS / "sequential_2d.py"])[0].fixes
    assert [(fix.applicability, bool(fix.edits)) for fix in fixes] == [
        (Applicability.UNSAFE, True), (Applicability.MANUAL, False),
    ]  # fmt: skip
