"""What makes a finding the same one tomorrow: where, which code, which layer of which model; not its line or words."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePath
from typing import NamedTuple

from shapelint.diagnostics import Diagnostic


class Fingerprint(NamedTuple):
    """Lines move and messages are reworded; these stay."""

    path: str
    code: str
    model: str
    layer: str


def fingerprint(finding: Diagnostic, root: Path | None = None) -> Fingerprint:
    """Of one finding; its path as seen from ``root`` (else as it is written), with ``/`` on every system."""
    path = finding.location.path if finding.location else ""
    if root is not None and path:
        real = Path(path).resolve()
        path = str(real.relative_to(root)) if real.is_relative_to(root) else str(real)
    return Fingerprint(PurePath(path).as_posix() if path else "", finding.code, finding.model, finding.layer or "")


def digests(findings: Iterable[Diagnostic]) -> Iterator[str]:
    """A hash for each finding, in order; a second one with the same fingerprint gets one of its own."""
    seen: Counter[Fingerprint] = Counter()
    for finding in findings:
        key = fingerprint(finding)
        seen[key] += 1
        yield hashlib.sha256("\0".join([*key, str(seen[key])]).encode()).hexdigest()[:32]
