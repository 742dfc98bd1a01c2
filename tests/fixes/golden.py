"""The corpus of broken files, what is said of them, and the patches that mend them.

``python -m tests.fixes.golden`` writes the ``.golden`` files anew; read every one that changed before it is committed.
A file of ``corpus/programs`` says in a comment how its model is built, and what a mended one does::

    # corpus: UNet(3, 1) at (N, 3, H, W) returns its size at multiples of 16 from 32
"""

from __future__ import annotations

import random
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Final

import torch
from torch import nn

from shapelint.diagnostics import Diagnostic, Edit, Severity
from shapelint.fixes.files import EditedFile
from shapelint.linting import check_file
from shapelint.loading.paths import Request
from tests.oracle import Sizes, alone_and_together

CORPUS: Final = Path(__file__).parent / "corpus"
IDIOMS: Final = CORPUS / "idioms"
LIMIT: Final = 160
_AT_RANDOM: Final = 40
_HEADER: Final = re.compile(
    r"# corpus: (?P<model>.+) at \((?P<input>.+)\) (?P<what>returns its size|runs) at multiples of (?P<steps>[\d, ]+?)"
    r"(?: from (?P<least>\d+))?(?P<cpu>, on the CPU)?\r?\n"
)


@dataclass(frozen=True, slots=True)
class Case:
    """A file, and what its model does once it is mended.

    Attributes:
        path: the file.
        model: the expression that builds the model.
        input: its input's shape; letters are symbols.
        returns: whether it returns its input's size, and does not only run.
        steps: by axis, of what number the sizes are multiples at which it does.
        least: the least size at which it does.
        device: where it runs; "cpu" where the meta device takes what PyTorch does not.
    """

    path: Path
    model: str
    input: tuple[int | str, ...]
    returns: bool
    steps: tuple[int, ...]
    least: int = 1
    device: str = "meta"

    def __str__(self) -> str:
        return self.path.stem

    @property
    def idiom(self) -> str:
        return re.sub(r"_\dd$", "", self.path.stem)

    @property
    def golden(self) -> Path:
        return self.path.with_suffix(".golden")

    @property
    def symbols(self) -> tuple[str, ...]:
        return tuple(size for size in self.input if isinstance(size, str) and size != "N")

    @property
    def good(self) -> dict[str, int]:
        """Sizes at which a mended model is right."""
        steps = dict(zip(self.symbols, self.steps, strict=True))
        return {symbol: step * -(-max(self.least, step) // step) for symbol, step in steps.items()}

    def sizes(self) -> list[dict[str, int]]:
        """Every size to compare with PyTorch: each axis alone, all together, and some at random."""
        chosen = random.Random(0)
        anywhere = [{s: chosen.randint(1, LIMIT) for s in self.symbols} for _ in range(_AT_RANDOM)]
        return [*alone_and_together(self.good, range(1, LIMIT + 1)), *(anywhere if len(self.symbols) > 1 else [])]

    def is_expected(self, sizes: Sizes) -> bool:
        steps = zip(sizes.values(), self.steps, strict=True)
        return all(size % step == 0 and size >= self.least for size, step in steps)

    def build(self, text: str) -> nn.Module:
        """The model as the file defines it with this text."""
        with torch.device(self.device):
            model = eval(self.model, executed(self.path, text).__dict__)
        assert isinstance(model, nn.Module)
        return model.eval()


def cases() -> list[Case]:
    return sorted(map(_case, CORPUS.rglob("*.py")), key=lambda case: str(case.path))


def _case(path: Path) -> Case:
    if path.parent == IDIOMS:
        symbols = ("D", "H", "W")[-int(path.stem[-2]) :]
        return Case(path, "Net()", ("N", 1, *symbols), True, (4,) * len(symbols))
    header = _HEADER.search(EditedFile.read(path).before)
    assert header is not None, f"{path.name} does not say what it holds"
    sizes = tuple(int(size) if size.isdigit() else size for size in header["input"].split(", "))
    steps = tuple(map(int, header["steps"].split(", ")))
    axes = sum(isinstance(size, str) for size in sizes[1:])
    steps = steps if len(steps) == axes else steps * axes
    device = "cpu" if header["cpu"] else "meta"
    return Case(path, header["model"], sizes, header["what"] != "runs", steps, int(header["least"] or 1), device)


def findings(path: Path) -> list[Diagnostic]:
    result = check_file(Request(path))
    return [finding for finding in result.diagnostics if finding.severity is not Severity.NOTE]


@dataclass(frozen=True, slots=True)
class Version:
    """A file with the edits of one fix.

    Attributes:
        found: the findings that offer it.
    """

    edits: tuple[Edit, ...]
    file: EditedFile
    found: list[Diagnostic] = field(default_factory=list)


def versions(path: Path, found: list[Diagnostic]) -> list[Version]:
    """The file as each of the fixes would have it, once each."""
    known: dict[tuple[Edit, ...], Version] = {}
    for finding in found:
        for edits in dict.fromkeys(fix.edits for fix in finding.fixes if fix.edits):
            made = EditedFile.read(path).with_edits(edits)
            known.setdefault(edits, Version(edits, made)).found.append(finding)
    return list(known.values())


def told(path: Path, found: list[Diagnostic]) -> str:
    """What is said of a file, and the patch of each fix where it is named first."""
    return "".join(_lines(path, found, {version.edits: version for version in versions(path, found)}))


def _lines(path: Path, found: list[Diagnostic], patches: dict[tuple[Edit, ...], Version]) -> Iterator[str]:
    for finding in found:
        assert finding.location is not None
        yield f"line {finding.location.line}: {finding.code} {finding.message}\n"
        for fix in finding.fixes:
            yield f"{fix.applicability.value}: {fix.description}\n"
            version = patches.pop(fix.edits, None)
            if version is not None:
                yield diff(version.file)


def diff(file: EditedFile) -> str:
    """The patch, with the file's name alone."""
    return file.diff().replace(str(file.path), file.path.name)


def executed(path: Path, text: str) -> ModuleType:
    """A module of this text."""
    module = ModuleType(f"corpus_{path.stem}")
    sys.modules[module.__name__] = module  # where dataclasses look for it
    try:
        exec(compile(text, str(path), "exec"), module.__dict__)
    finally:
        del sys.modules[module.__name__]
    return module


def main() -> None:
    for case in cases():
        case.golden.write_bytes(told(case.path, findings(case.path)).encode())


if __name__ == "__main__":
    main()
