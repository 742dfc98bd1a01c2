"""What a PATH argument means: a file, a directory, ``FILE:NAME`` or ``package.module:NAME``."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shapelint.loading.errors import BAD_INPUT, LoadError

_FILE_AND_NAME: Final = re.compile(r"(?P<file>.+?\.(py|ipynb)):(?P<name>.+)", re.DOTALL)
_MODULE_AND_NAME: Final = re.compile(r"(?P<module>[A-Za-z_]\w*(\.[A-Za-z_]\w*)*):(?P<name>.+)", re.DOTALL)
_NEVER_SOURCE: Final = frozenset({"__pycache__", "__pypackages__", "node_modules", "site-packages"})
_INSTALLED_MARKS: Final = ("site-packages", "dist-packages")
_PROJECT_MARKS: Final = ("pyproject.toml", "setup.py", "setup.cfg", ".git")
# Also package names in real projects: only skipped where they are no package.
_USUALLY_OUTPUT: Final = frozenset({"build", "dist", "venv", "env"})


@dataclass(frozen=True, slots=True)
class Request:
    """One file to look at.

    Attributes:
        path: the file, as the user would write it.
        expression: what followed the colon: a name in the file, or a call such as ``UNet(3, 2)``.
        named: the user wrote this very file, so that whatever is wrong with it must be told.
        text: what stands for the file's contents, from standard input.
    """

    path: Path
    expression: str | None = None
    named: bool = True
    text: str | None = None


def resolve(argument: str, excluded: Callable[[Path], bool] | None = None) -> tuple[Request, ...]:
    """The files that one PATH argument stands for, sorted; of a directory, those that are not excluded.

    Raises:
        LoadError: there is no such file, directory or module.
    """
    path = Path(argument)
    if path.is_dir():
        return tuple(Request(file, named=False) for file in sorted(python_files(path, excluded)))
    if path.exists():
        return (Request(path),)
    if match := _FILE_AND_NAME.fullmatch(argument):
        file = Path(match["file"])
        if file.is_file():
            return (Request(file, match["name"].strip()),)
        raise LoadError(BAD_INPUT, f"no such file: {file}")
    if match := _MODULE_AND_NAME.fullmatch(argument):
        return (Request(_module_file(match["module"]), match["name"].strip()),)
    hint = "" if argument.endswith(".py") or os.sep in argument else "; for a module write package.module:NAME"
    raise LoadError(BAD_INPUT, f"no such file or directory: {argument}{hint}")


def python_files(root: Path, excluded: Callable[[Path], bool] | None = None) -> Iterator[Path]:
    """Every ``.py`` file and notebook of the project's own below ``root``; a directory once, with links or not.

    An excluded directory is not even looked into.
    """
    seen: set[Path] = set()
    waiting = [root]
    while waiting:
        directory = waiting.pop()
        real = directory.resolve()
        if real in seen:
            continue
        seen.add(real)
        try:
            entries = sorted(os.scandir(directory), key=lambda entry: entry.name)
        except OSError as error:
            reason = error.strerror or str(error)
            raise LoadError(BAD_INPUT, f"cannot read the directory {directory}: {reason}") from error
        for entry in entries:
            path = directory / entry.name
            if path.is_dir():  # unlike entry.is_dir(), no error for a link that leads to itself
                if not _is_skipped(path) and not (excluded and excluded(path)):
                    waiting.append(path)
            elif _is_source(path) and not (excluded and excluded(path)):
                yield path


def _is_source(path: Path) -> bool:
    return path.name.endswith((".py", ".ipynb")) and path.is_file() and not path.name.startswith(".")


def _is_skipped(directory: Path) -> bool:
    name = directory.name
    if name.startswith(".") or name in _NEVER_SOURCE or (directory / "pyvenv.cfg").exists():
        return True
    return name in _USUALLY_OUTPUT and not (directory / "__init__.py").exists()


def _module_file(dotted: str) -> Path:
    search = [str(place) for place in (Path.cwd(), Path.cwd() / "src") if place.is_dir()] + sys.path
    found = locate_module(dotted, search)
    if found is None:
        raise LoadError(
            BAD_INPUT,
            f"no module named {dotted} here or among the installed packages of {sys.executable}",
        )
    return found


def locate_module(dotted: str, search: Sequence[str | Path]) -> Path | None:
    """The file a module would be imported from. Nothing is imported, not even its parent packages."""
    places = [Path(place or os.curdir) for place in search]
    parts = dotted.split(".")
    for position, part in enumerate(parts):
        found = _one_step(part, places)
        if not found and position == 0:
            found = _installed(part)
        if not found:
            return None
        if position == len(parts) - 1:
            file = found[0] / "__init__.py" if found[0].is_dir() else found[0]
            return file if file.is_file() else None
        places = [place for place in found if place.is_dir()]
    return None


def _one_step(part: str, places: Sequence[Path]) -> list[Path]:
    """The package directory or file called ``part``; several directories for a namespace package."""
    namespaces: list[Path] = []
    for place in places:
        package = place / part
        if (package / "__init__.py").is_file():
            return [package]
        if (file := place / f"{part}.py").is_file():
            return [file]
        if package.is_dir():
            namespaces.append(package)
    return namespaces


def _installed(top_level: str) -> list[Path]:
    """Through the import system, which knows editable installs; a top-level name is found without importing."""
    try:
        spec = importlib.util.find_spec(top_level)
    except (ImportError, ValueError):
        return []
    if spec is None:
        return []
    if spec.submodule_search_locations:
        return [Path(place) for place in spec.submodule_search_locations]
    return [Path(spec.origin)] if spec.origin and spec.origin.endswith(".py") else []


def project_root(path: Path) -> Path:
    """The nearest directory above a file that a project file marks; the working directory if there is none."""
    for parent in path.absolute().parents:
        if any((parent / mark).exists() for mark in _PROJECT_MARKS):
            return parent
    return Path.cwd()


def search_path(path: Path) -> list[Path]:
    """Where a file's absolute imports are looked for: package root, project, working directory, own directory."""
    directory = path.absolute().parent
    root = package_root(path)
    places = [root]
    for parent in (directory, *directory.parents):
        if any((parent / mark).exists() for mark in _PROJECT_MARKS):
            places += [parent, parent / "src"]
            break
    places += [Path.cwd(), directory]
    return [place for place in dict.fromkeys(places) if place.is_dir()]


def package_root(path: Path, levels: int = 0) -> Path:
    """The directory that holds a file's outermost package.

    ``levels`` is the most dots any relative import of the file has: a package without ``__init__.py`` (a
    namespace package) is only recognised by them.
    """
    directory = path.absolute().parent
    depth = 0
    while (directory / "__init__.py").is_file() or depth < levels:
        if directory.parent == directory:
            break
        directory = directory.parent
        depth += 1
    return directory


def is_installed(path: Path) -> bool:
    """Is this part of an installed package?"""
    return any(mark in path.parts for mark in _INSTALLED_MARKS)
