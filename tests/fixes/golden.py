"""The corpus of broken files and the patches that mend them.

``python -m tests.fixes.golden`` writes the patches anew; read every one that changed before it is committed.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from shapelint.diagnostics import Diagnostic, Fix, Severity
from shapelint.fixes.files import EditedFile
from shapelint.linting import check_file
from shapelint.loading.paths import Request

CORPUS = Path(__file__).parent / "corpus"
STYLES = {"parameter": ("output_padding", "padding"), "size": ("output_size",)}


def cases() -> list[Path]:
    return sorted(CORPUS.glob("*.py"))


def findings(path: Path) -> list[Diagnostic]:
    result = check_file(Request(path))
    return [finding for finding in result.diagnostics if finding.severity is not Severity.NOTE]


def patched(path: Path, found: list[Diagnostic], style: str) -> EditedFile | None:
    """The file with the first fix of a style, if one has edits."""
    fixes = [fix for finding in found for fix in finding.fixes if _is(fix, style) and fix.edits]
    return EditedFile.read(path).with_edits(fixes[0].edits) if fixes else None


def _is(fix: Fix, style: str) -> bool:
    return fix.description.startswith(STYLES[style])


def golden(path: Path, style: str) -> Path:
    return path.with_suffix(f".{style}.patch")


def diff(file: EditedFile) -> str:
    """The patch, with the file's name alone."""
    return file.diff().replace(str(file.path), file.path.name)


def executed(path: Path, text: str) -> ModuleType:
    """A module of this text."""
    module = ModuleType(path.stem)
    exec(compile(text, str(path), "exec"), module.__dict__)
    return module


def main() -> None:
    for path in cases():
        found = findings(path)
        for style in STYLES:
            file = patched(path, found, style)
            target = golden(path, style)
            target.unlink(missing_ok=True)
            if file is not None:
                target.write_text(diff(file))


if __name__ == "__main__":
    main()
