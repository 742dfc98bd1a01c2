"""A table of what becomes of the corpus: ``python -m tests.fixes.count [IDIOM ...]``.

For each way to write a network: the findings, how many of them have a fix that is written into the file, the different
fixes, and for how many of these the edited file, analysed afresh and run by PyTorch at every size, is as promised.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable
from dataclasses import astuple, dataclass
from pathlib import Path

from tests.fixes import golden
from tests.fixes.test_corpus import check_version

HEADINGS = ("idiom", "findings", "with a fix", "fixes", "verified")


@dataclass(slots=True)
class Count:
    """One row of the table."""

    findings: int = 0
    mended: int = 0
    fixes: int = 0
    verified: int = 0

    def add(self, other: Count) -> None:
        self.findings += other.findings
        self.mended += other.mended
        self.fixes += other.fixes
        self.verified += other.verified


def count(case: golden.Case) -> Count:
    found = golden.findings(case.path)
    versions = golden.versions(case.path, found)
    mended = sum(any(fix.edits for fix in finding.fixes) for finding in found)
    return Count(len(found), mended, len(versions), sum(_verified(case, version) for version in versions))


def _verified(case: golden.Case, version: golden.Version) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        try:
            check_version(case, version, Path(folder))
        except AssertionError as error:
            sys.stderr.write(f"{case}: {str(error).splitlines()[0]}\n")
            return False
    return True


def main(idioms: Iterable[str]) -> None:
    wanted = set(idioms)
    rows: dict[str, Count] = {}
    for case in golden.cases():
        if not wanted or case.idiom in wanted:
            rows.setdefault(case.idiom, Count()).add(count(case))
    total = Count()
    for row in rows.values():
        total.add(row)
    width = max(map(len, [*rows, HEADINGS[0]]))
    lines = [HEADINGS, *((name, *astuple(row)) for name, row in rows.items()), ("together", *astuple(total))]
    for name, *numbers in lines:
        cells = (f"{number:>{len(heading)}}" for number, heading in zip(numbers, HEADINGS[1:], strict=True))
        sys.stdout.write(f"{name:<{width}}  {'  '.join(cells)}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
