"""Baselines: the findings a project has already, so that only new ones are reported.

A baseline is a JSON file of fingerprints, sorted, one a line, to be committed with the project. A finding is in it by
its path, code, model and layer, as often as it was found when the baseline was written.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from shapelint.diagnostics import Diagnostic, Location
from shapelint.fingerprints import Fingerprint, fingerprint
from shapelint.loading.errors import BAD_INPUT, LoadError
from shapelint.words import plural

_VERSION: Final = 1
_FIELDS: Final = Fingerprint._fields


@dataclass(frozen=True, slots=True)
class Compared:
    """Findings that a baseline does not have, how many it has, and how many of its own were not found again."""

    new: Sequence[Diagnostic]
    known: int = 0
    gone: int = 0

    @property
    def remarks(self) -> tuple[str, ...]:
        known = f"{plural(self.known, 'finding')} of the baseline not shown" if self.known else ""
        gone = f"{plural(self.gone, 'finding')} of the baseline no longer there: write it anew" if self.gone else ""
        return tuple(filter(None, (known, gone)))


def write_baseline(file: Path, findings: Iterable[Diagnostic]) -> int:
    """Write all findings but those that ask for something that does not exist; how many there are."""
    counts = Counter(fingerprint(finding, _root(file)) for finding in findings if finding.code != BAD_INPUT)
    rows = [json.dumps({**key._asdict(), "count": counts[key]}, ensure_ascii=False) for key in sorted(counts)]
    body = ",".join(f"\n    {row}" for row in rows) + ("\n  " if rows else "")
    write_whole(file, f'{{\n  "version": {_VERSION},\n  "findings": [{body}]\n}}\n')
    return counts.total()


def compare(file: Path, findings: Iterable[Diagnostic], linted: Iterable[Path] = ()) -> Compared:
    """Set the findings against a baseline; ``linted`` are the files in which a missing one counts as gone.

    Raises:
        LoadError: the file cannot be read, or is no baseline.
    """
    left = _read(file)
    root = _root(file)
    new: list[Diagnostic] = []
    known = 0
    for finding in findings:
        key = fingerprint(finding, root)
        if left[key] > 0:
            left[key] -= 1
            known += 1
        else:
            new.append(finding)
    seen = {path.resolve() for path in linted}
    gone = sum(count for key, count in left.items() if count > 0 and (root / key.path).resolve() in seen)
    return Compared(tuple(new), known, gone)


def write_whole(file: Path, text: str) -> None:
    """Write a file so that no one ever sees half of it; what is no file (``/dev/stdout``) is written as it goes.

    Raises:
        LoadError: it cannot be written.
    """
    real = file.resolve()
    beside = real.with_name(f".{real.name}.partial")
    try:
        if file.exists() and not file.is_file():
            file.write_text(text, encoding="utf-8")
            return
        try:
            beside.write_text(text, encoding="utf-8")
            beside.replace(real)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise LoadError(BAD_INPUT, f"cannot write {file}: {error.strerror or error}") from error


def _root(file: Path) -> Path:
    return file.resolve().parent


def _read(file: Path) -> Counter[Fingerprint]:
    here = Location(str(file), 1)
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        hint = "; write one with --write-baseline" if isinstance(error, FileNotFoundError) else ""
        raise LoadError(BAD_INPUT, f"cannot read the baseline {file}: {error.strerror or error}{hint}") from error
    except json.JSONDecodeError as error:
        place = Location(str(file), error.lineno, error.colno)
        raise LoadError(BAD_INPUT, f"this baseline is not JSON: {error.msg}", place) from error
    except UnicodeDecodeError as error:
        raise LoadError(BAD_INPUT, "this baseline is not UTF-8 text", here) from error
    if not isinstance(document, dict) or document.get("version") != _VERSION:
        raise LoadError(BAD_INPUT, "this is not a baseline of this version of shapelint; write it anew", here)
    counts: Counter[Fingerprint] = Counter()
    for row in document.get("findings", []):
        counts[_row(row, here)] += row["count"]
    return counts


def _row(row: Any, here: Location) -> Fingerprint:
    if not isinstance(row, dict) or not isinstance(row.get("count"), int):
        raise LoadError(BAD_INPUT, f"this baseline has an entry that is not understood: {row!r}", here)
    values = [row.get(name) for name in _FIELDS]
    if not all(isinstance(value, str) for value in values):
        raise LoadError(BAD_INPUT, f"this baseline has an entry that is not understood: {row!r}", here)
    return Fingerprint(*map(str, values))
