"""Which names mean ``nn.Module``: read off syntax trees across the files of a project, importing nothing.

A question about a name goes from file to file as the import system would:

    class UNet(BaseNet)  ->  from .base import BaseNet  ->  base.py: class BaseNet(nn.Module)  ->  torch.nn.Module
"""

from __future__ import annotations

import builtins
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shapelint.loading.errors import LoadError
from shapelint.loading.paths import is_installed, locate_module, package_root, search_path
from shapelint.loading.sources import ClassOutline, Dotted, Import, Outline, Parsed, parse

_NOT_MODULES: Final = frozenset({"Parameter", "Buffer", "UninitializedParameter", "UninitializedBuffer"})
_ABSTRACT_LAYERS: Final = frozenset({"torch.nn.Module", "torch.nn.modules.module.Module", "torch.nn.modules.Module"})
# Bases that libraries define behind lazy imports, where reading the source does not lead anywhere.
_KNOWN_BASES: Final = ("LightningModule", "PreTrainedModel", "ModelMixin", "GraphModule")
# Some packages' __init__.py is hundreds of star imports; a name that is not found by then is given up.
_MOST_STEPS: Final = 300

# The whole word: a `LossyCodec` is a network.
_LOSS: Final = re.compile(r"(Loss|Criterion|Metric)(?![a-z])")

_Seen = set[tuple[Path, Dotted]]


@dataclass(frozen=True, slots=True)
class _Place:
    """A class or function in a file, or (``file`` None) a dotted name in torch or somewhere unknown."""

    file: Outline | None
    name: str

    @property
    def outline(self) -> ClassOutline | None:
        return self.file.classes.get(self.name) if self.file else None


class Project:
    """Answers questions about names, parsing each file it meets once."""

    def __init__(self) -> None:
        self._outlines: dict[Path, Outline | None] = {}
        self._local: dict[tuple[Path, str], bool] = {}
        self._modules: dict[tuple[Path, Import, Dotted], Path | None] = {}
        self._consulted: set[Path] = set()
        self._unfound: set[Path] = set()

    def rests_on(self) -> tuple[frozenset[Path], frozenset[Path]]:
        """What was asked of the file system since the last call: files that were read, and files that do not exist."""
        told = frozenset(self._consulted), frozenset(self._unfound)
        self._consulted.clear()
        self._unfound.clear()
        return told

    def open(self, path: Path) -> Parsed:
        """Parse a file that the user asked for."""
        self._consulted.add(path.absolute())
        parsed = parse(path)
        self._outlines[path.absolute()] = parsed.outline
        return parsed

    def is_module(self, file: Outline, parts: Dotted) -> bool:
        """Does the dotted name, used in the file, mean ``nn.Module`` or a class derived from it?"""
        return any(place.file is None and _is_library_module(place.name) for place in self._ancestry(file, parts))

    def defines(self, file: Outline, parts: Dotted, method: str) -> bool:
        """Does the class, or a base other than ``nn.Module`` itself, define the method?"""
        return any(
            method in place.outline.binds
            if place.outline
            else place.file is None and place.name not in _ABSTRACT_LAYERS and _is_library_module(place.name)
            for place in self._ancestry(file, parts)
        )

    def is_loss(self, file: Outline, parts: Dotted) -> bool:
        """Is the class a loss or a metric: called so, or one of torch's, and comparing one thing with another?"""
        places = list(self._ancestry(file, parts))
        called_so = any(_LOSS.search(place.name.rpartition(".")[2]) for place in places)
        takes = next((place.outline.takes for place in places if place.outline and place.outline.takes is not None), 2)
        return called_so and takes > 1

    def is_torch_layer(self, file: Outline, parts: Dotted) -> bool:
        """Does the name mean a class of ``torch.nn`` itself?"""
        dotted = self.dotted(file, parts)
        return dotted.startswith("torch.") and _is_library_module(dotted)

    def dotted(self, file: Outline, parts: Dotted) -> str:
        """The full name of what a name means, as far as it can be followed."""
        place = self._follow(file, parts, set()) if parts else None
        return place.name if place else ""

    def _ancestry(self, file: Outline, parts: Dotted) -> Iterator[_Place]:
        """The class and its bases, as far as they can be followed, each once."""
        waiting = [(file, parts)] if parts else []
        seen: set[tuple[Path | None, str]] = set()
        while waiting:
            place = self._follow(*waiting.pop(), set())
            if place is None:
                continue
            key = (place.file.path if place.file else None, place.name)
            if key in seen:
                continue
            seen.add(key)
            yield place
            if place.file is not None and place.outline is not None:
                waiting += [(place.file, base) for base in place.outline.bases]

    def _follow(self, file: Outline, parts: Dotted, seen: _Seen) -> _Place | None:
        """Where the dotted name ``parts``, used in ``file``, is defined."""
        if (file.path, parts) in seen or len(seen) > _MOST_STEPS:
            return None
        seen.add((file.path, parts))
        head, rest = parts[0], parts[1:]
        if head in file.classes or head in file.functions:
            return None if rest else _Place(file, head)
        if head in file.imports:
            source = file.imports[head]
            return self._follow_import(file, source, (source.name, *rest) if source.name else rest, seen)
        if head in file.aliases:
            target = file.aliases[head]
            return self._follow(file, (*target, *rest), seen) if target else None
        return None if hasattr(builtins, head) else self._follow_stars(file, parts, seen)

    def _follow_stars(self, file: Outline, parts: Dotted, seen: _Seen) -> _Place | None:
        for star in file.stars:
            found = self._follow_import(file, star, parts, seen)
            if found is not None and (found.file is not None or _is_library_module(found.name)):
                return found
        return None

    def _follow_import(self, file: Outline, source: Import, names: Dotted, seen: _Seen) -> _Place | None:
        """``names`` inside the module ``source.module``: submodules as far as files exist, then a name in the file."""
        dotted = ".".join(part for part in (source.module, *names) if part)
        if dotted == "torch" or (
            _is_library_module(dotted) and source.base is None and not self._is_local(file, dotted)
        ):
            return _Place(None, dotted)
        for split in range(len(names) - 1, -1, -1):
            found = self._module_file(file, source, names[:split])
            outline = self._outline(found) if found else None
            place = self._follow(outline, names[split:], seen) if outline else None
            if place is not None:
                return place
        self._unfound.update(_where_it_would_be(file, source, dotted))
        return _Place(None, dotted)

    def _is_local(self, file: Outline, dotted: str) -> bool:
        """Does a dotted name begin in the file's own project, and not in an installed package?"""
        top = dotted.partition(".")[0]
        key = (file.path.parent, top)
        if key not in self._local:
            own = file.path.absolute().relative_to(package_root(file.path)).parts[0]
            places = [place for place in search_path(file.path) if not is_installed(place)]
            found = any((place / top).is_dir() or (place / f"{top}.py").is_file() for place in places)
            self._local[key] = found or top in (own, own.removesuffix(".py"))
        return self._local[key]

    def _module_file(self, file: Outline, source: Import, submodules: Dotted) -> Path | None:
        key = (file.path.parent, source, submodules)
        if key not in self._modules:
            module = ".".join(part for part in (source.module, *submodules) if part)
            search = [source.base] if source.base else [*search_path(file.path), *map(Path, sys.path)]
            found = locate_module(module, search) if module else (source.base or Path()) / "__init__.py"
            self._modules[key] = found
        return self._modules[key]

    def _outline(self, path: Path) -> Outline | None:
        """A file on the way to a name; one that cannot be read answers nothing (its own check reports it)."""
        key = path.absolute()
        self._consulted.add(key)
        if key not in self._outlines:
            try:
                self._outlines[key] = parse(path).outline
            except LoadError:
                self._outlines[key] = None
        return self._outlines[key]


def _where_it_would_be(file: Outline, source: Import, dotted: str) -> Iterator[Path]:
    """Files of the project that would have been read for a name, had they existed."""
    places = [source.base] if source.base else [place for place in search_path(file.path) if not is_installed(place)]
    parts = dotted.split(".")
    for place in places:
        for end in range(1, len(parts) + 1):
            module = place.joinpath(*parts[:end])
            yield from (path for path in (module.with_name(f"{module.name}.py"), module) if not path.exists())


def _is_library_module(dotted: str) -> bool:
    last = dotted.rpartition(".")[2]
    if dotted.startswith(("torch.jit.", "torch.fx.")):
        return last.endswith("Module")  # tracers, graphs and interpreters are none
    if dotted.startswith("torch."):
        in_nn = dotted.startswith(("torch.nn.", "torch.ao.nn."))
        return in_nn and last[:1].isupper() and last not in _NOT_MODULES and ".functional." not in dotted
    return last.endswith(_KNOWN_BASES)
