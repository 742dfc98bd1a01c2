"""Broken files by the kind of fix that mends them, each with the patch of that fix.

``python -m tests.fixes.patches`` writes the patches anew; read every one that changed before it is committed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from shapelint.diagnostics import Diagnostic, Fix
from shapelint.fixes.files import EditedFile
from tests.fixes import golden

FOLDER = Path(__file__).parent / "kinds"

KINDS: dict[str, Callable[[str], bool]] = {
    "padding": lambda text: text.startswith(("padding=", "output_padding=")) and "same" not in text,
    "same": lambda text: text.startswith('padding="same"'),
    "uneven": lambda text: "F.pad(" in text,
    "resize": lambda text: text.startswith("resize"),
    "crop": lambda text: text.startswith("crop"),
    "padded_input": lambda text: text.startswith("pad the input"),
    "in_features": lambda text: text.startswith("in_features="),
    "flatten": lambda text: text.startswith("x.flatten(1)"),
    "channels": lambda text: text.startswith(("in_channels=", "num_features=", "num_channels=", "in_features=")),
}
"""By folder: how the description of its fix reads."""


@dataclass(frozen=True, slots=True)
class Case:
    """A file with its findings, and with the fix of its kind."""

    path: Path
    findings: list[Diagnostic]
    fix: Fix

    @property
    def patched(self) -> EditedFile:
        return EditedFile.read(self.path).with_edits(self.fix.edits)

    @property
    def axes(self) -> int:
        return int(self.path.stem[-2])


def paths() -> list[Path]:
    return sorted(FOLDER.glob("*/*.py"))


def case(path: Path) -> Case:
    """A file, if it has a fix of its kind that can be written."""
    found = golden.findings(path)
    return Case(path, found, next(fix for finding in found for fix in finding.fixes if _is(fix, path)))


def only_its_kind(finding: Diagnostic) -> Diagnostic:
    """A finding with the fixes alone that its file is about."""
    assert finding.location is not None
    path = Path(finding.location.path)
    return replace(finding, fixes=tuple(fix for fix in finding.fixes if _is(fix, path)))


def _is(fix: Fix, path: Path) -> bool:
    return bool(fix.edits) and KINDS[path.absolute().parent.name](fix.description)


def main() -> None:
    for path in paths():
        path.with_suffix(".patch").write_text(golden.diff(case(path).patched))


if __name__ == "__main__":
    main()
