"""Results of earlier runs, which hold as long as nothing they depend on has changed.

An entry is used where the question is the same, shapelint, torch, Python and the installed packages are the same, and
every file of the project that was read for it (the file itself, what it imports, what it opens) has the same contents;
files that would have been read, had they existed, must still be missing. Nothing of this imports torch.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import importlib.util
import json
import os
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Final

import shapelint
from shapelint.codec import decoder, encode
from shapelint.loading.paths import is_installed, project_root
from shapelint.results import LintResult

FOLDER: Final = ".shapelint_cache"
_KEPT_FILES: Final = {
    ".gitignore": "*\n",
    "CACHEDIR.TAG": "Signature: 8a477f597d28d172789f06886806bc55\n# Made by shapelint; may be deleted at any time.\n",
}
# These say what the surroundings were like, which no dependency records: a package that was missing, time, memory.
_NOT_KEPT: Final = frozenset({"SL901", "SL907"})
_MISSING: Final = "-"


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What a result rests on: files by their contents, and files by their absence."""

    files: frozenset[str] = frozenset()
    absent: frozenset[str] = frozenset()


@dataclass
class Cache:
    """The entries of one project.

    Attributes:
        folder: where they are kept.
        started: the run's beginning; files that changed since may have been read before the change or after.
    """

    folder: Path
    started: float
    _hashes: dict[str, str] = field(default_factory=dict)
    _surroundings: str = ""
    _known: dict[int, tuple[Any, str]] = field(default_factory=dict)

    def get(self, name: object, question: object) -> LintResult | None:
        """The result of an earlier run, if it still holds. An entry that cannot be read is as good as none."""
        try:
            entry = json.loads((self.folder / self._file(name)).read_bytes())
            if entry["question"] != self._digest(question):
                return None
            if any(self._hash(path) != digest for path, digest in entry["files"].items()):
                return None
            if any(os.path.lexists(path) for path in entry["absent"]):
                return None
            result = decoder(LintResult)(entry["result"])
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return None
        assert isinstance(result, LintResult)
        return result

    def put(self, name: object, question: object, result: LintResult, rests_on: Dependencies) -> None:
        """Keep a result. Where nothing can be written, nothing is kept."""
        if any(finding.code in _NOT_KEPT for finding in result.diagnostics):
            return
        if any(self._changed_meanwhile(path) for path in rests_on.files):
            return
        entry = {
            "question": self._digest(question),
            "files": {path: self._hash(path) for path in sorted(rests_on.files)},
            "absent": sorted(rests_on.absent),
            "result": encode(result),
        }
        with contextlib.suppress(OSError):
            self._write(self._file(name), json.dumps(entry, separators=(",", ":")))

    def _file(self, name: object) -> str:
        return f"{_sha(plain(name))}.json"

    def _digest(self, question: object) -> str:
        if not self._surroundings:
            self._surroundings = surroundings()
        return _sha(f"{self._surroundings}\n{self._plain(question)}")

    def _plain(self, question: object) -> str:
        """As ``plain``; the settings, which many files share, are written out once."""
        if not dataclasses.is_dataclass(question) or isinstance(question, type):
            return plain(question)
        parts = []
        for entry in dataclasses.fields(question):
            value = getattr(question, entry.name)
            if id(value) not in self._known:
                self._known[id(value)] = (value, plain(value))
            parts.append(f"{entry.name}={self._known[id(value)][1]}")
        return ",".join(parts)

    def _hash(self, path: str) -> str:
        if path not in self._hashes:
            try:
                with open(path, "rb") as file:  # noqa: PTH123 - called for thousands of files
                    self._hashes[path] = hashlib.sha256(file.read()).hexdigest()
            except OSError:
                self._hashes[path] = _MISSING
        return self._hashes[path]

    def _changed_meanwhile(self, path: str) -> bool:
        try:
            return os.stat(path).st_mtime >= self.started  # noqa: PTH116
        except OSError:
            return False

    def _write(self, name: str, text: str) -> None:
        """Whole or not at all, also while another run reads or writes the same entry."""
        if not self.folder.is_dir():
            self.folder.mkdir(parents=True, exist_ok=True)
            for kept, contents in _KEPT_FILES.items():
                (self.folder / kept).write_text(contents)
        temporary = self.folder / f"{name}.{os.getpid()}"
        try:
            temporary.write_text(text)
            temporary.replace(self.folder / name)
        finally:
            temporary.unlink(missing_ok=True)


def cache_folder() -> Path:
    """``.shapelint_cache`` beside the project's own files; SHAPELINT_CACHE_DIR names another place."""
    named = os.environ.get("SHAPELINT_CACHE_DIR")
    return Path(named) if named else project_root(Path.cwd() / FOLDER) / FOLDER


def clean(folder: Path) -> bool:
    """Delete a cache; False where there is none. Nothing is deleted that is not marked as one."""
    if not (folder / "CACHEDIR.TAG").is_file():
        return False
    shutil.rmtree(folder)
    return True


def surroundings() -> str:
    """What every result rests on besides the project: shapelint, torch, Python and the installed packages."""
    ours = Path(shapelint.__file__).parent
    parts: list[object] = [shapelint.__version__, sys.version, sys.executable, str(Path.cwd()), tuple(sys.path)]
    parts += [_stamp(file) for file in sorted(ours.rglob("*.py"))]
    # Installing, updating or removing a package changes its site-packages directory.
    parts += [_stamp(Path(place)) for place in sys.path if is_installed(Path(place))]
    parts.append(_torch_version())
    return plain(tuple(parts))


def _stamp(path: Path) -> tuple[str, int, int]:
    try:
        status = path.stat()
    except OSError:
        return str(path), 0, 0
    return str(path), status.st_mtime_ns, status.st_size


def _torch_version() -> str:
    """The file that says it: asking torch would import it."""
    spec = importlib.util.find_spec("torch")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        with contextlib.suppress(OSError):
            return (Path(place) / "version.py").read_text()
    return ""


def plain(value: object) -> str:
    """A text that is the same for equal values in every run: sets in order, dataclasses by their fields."""
    if isinstance(value, Enum):
        return repr(value.value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        inner = [f"{entry.name}={plain(getattr(value, entry.name))}" for entry in dataclasses.fields(value)]
        return f"{type(value).__name__}({','.join(inner)})"
    if isinstance(value, dict):
        return f"{{{_joined(f'{plain(key)}:{plain(entry)}' for key, entry in value.items())}}}"
    if isinstance(value, set | frozenset):
        return f"{{{_joined(map(plain, value))}}}"
    if isinstance(value, tuple | list):
        return f"({','.join(map(plain, value))})"
    if isinstance(value, Path):
        return repr(str(value))
    return repr(value)


def _joined(parts: Iterable[str]) -> str:
    return ",".join(sorted(parts))


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
