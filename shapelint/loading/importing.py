"""Import a user's file as Python itself would, and tell plainly why it cannot be imported.

The file is run here, in this process: its packages are found as its author's tools find them, what it prints
is kept apart, ``sys.exit`` does not end the linter, ``if __name__ == "__main__"`` does not run. A caller that
wants more isolation runs ``imported`` in a process of its own; nothing here depends on which process that is.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import io
import re
import sys
import traceback
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Final

from shapelint.diagnostics import Location
from shapelint.loading.errors import BAD_INPUT, CANNOT_IMPORT, HardExit, LoadError, refusal
from shapelint.loading.given import loader_for
from shapelint.loading.loaded import Moment
from shapelint.loading.paths import is_installed, package_root, search_path
from shapelint.loading.sources import relative_levels, syntax_error

_LONGEST_REASON: Final = 300
_NO_MODULE: Final = re.compile(r"No module named '(?P<name>[\w.]+)'")
_OURS: Final = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Output:
    """What user code wrote while it was captured."""

    stdout: io.BytesIO
    stderr: io.BytesIO

    def last_line(self) -> str:
        """The last line of stderr, else of stdout: where argparse and friends say why they exit."""
        for stream in (self.stderr, self.stdout):
            lines = stream.getvalue().decode(errors="replace").strip().splitlines()
            if lines:
                return lines[-1].strip()
        return ""


@contextlib.contextmanager
def captured() -> Iterator[Output]:
    """Keep what user code prints off this program's streams, and our arguments away from user code."""
    output = Output(io.BytesIO(), io.BytesIO())
    streams = sys.stdin, sys.stdout, sys.stderr
    sys.stdin = io.StringIO()
    sys.stdout = io.TextIOWrapper(output.stdout, encoding="utf-8", errors="replace", write_through=True)
    sys.stderr = io.TextIOWrapper(output.stderr, encoding="utf-8", errors="replace", write_through=True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield output
    finally:
        for wrapper in (sys.stdout, sys.stderr):
            if isinstance(wrapper, io.TextIOWrapper) and wrapper.buffer in (output.stdout, output.stderr):
                wrapper.detach()  # or the buffer is closed with the wrapper, and last_line() fails
        sys.stdin, sys.stdout, sys.stderr = streams


@contextlib.contextmanager
def imported(path: Path) -> Iterator[ModuleType]:
    """Import a file, and keep its import path in effect for imports that happen later, in ``__init__`` or ``forward``.

    Raises:
        LoadError: SL901, with the line in the user's file.
    """
    root = package_root(path, relative_levels(path))
    places = [str(root), *(str(place) for place in search_path(path))]
    with _workspace(path, places), captured() as output:
        before = Moment()
        try:
            module = _import_package_module(path, root) or _import_script(path)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise _explain_import(error, path, output) from error
        finally:
            _loaded_here.update(before.newer())
        yield module


def import_package_of(path: Path, package: Path) -> None:
    """Import a package that a file stands in, of this directory, as importing the file would.

    Raises whatever the package's own code raises.
    """
    root = package_root(path, relative_levels(path))
    places = [str(root), *(str(place) for place in search_path(path))]
    dotted = ".".join(package.relative_to(root).parts)
    with _workspace(path, places), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        importlib.import_module(dotted)


class _Listings:
    """Whether what Python remembers of directories' contents may be out of date."""

    fresh = False


def trust_listings() -> None:
    """Say that this process has listed no directory of the user's yet, so that nothing it remembers is out of date."""
    _Listings.fresh = True


_last_workspace: list[tuple[str, ...]] = []
_loaded_here: set[str] = set()


@contextlib.contextmanager
def _workspace(path: Path, places: Sequence[str]) -> Iterator[None]:
    """``sys.path`` and ``sys.argv`` as for this file.

    Modules of another project that happen to have the same names (every repository has a ``utils``) go first.
    """
    unique = tuple(place for place in dict.fromkeys(places) if not is_installed(Path(place)))
    if _last_workspace and _last_workspace[-1] != unique:
        forget_user_modules()
    _last_workspace[:] = [unique]
    before_path, before_argv = list(sys.path), list(sys.argv)
    # A package's own directory comes last: its logging.py must not hide Python's. A script's comes first, as in Python.
    own = str(path.absolute().parent)
    sys.path[:0] = [place for place in unique if place not in sys.path and (place != own or place == unique[0])]
    sys.path += [place for place in unique if place not in sys.path]
    sys.argv[:] = [str(path)]
    if not _Listings.fresh:
        importlib.invalidate_caches()
    _Listings.fresh = False
    try:
        yield
    finally:
        sys.path[:] = before_path
        sys.argv[:] = before_argv


def forget_user_modules() -> None:
    """Forget the user's modules that ``imported`` loaded, so that an edited file is read again.

    Installed packages stay, and so does whatever this process had imported before.
    """
    places = _last_workspace.pop() if _last_workspace else ()
    for name in _loaded_here & sys.modules.keys():
        file = getattr(sys.modules[name], "__file__", None)
        if (
            isinstance(file, str)
            and not is_installed(Path(file))
            and any(Path(file).is_relative_to(place) for place in places)
        ):
            del sys.modules[name]
    _loaded_here.clear()


def _import_package_module(path: Path, root: Path) -> ModuleType | None:
    """Import a package's file by its dotted name; None for a loose script, or where another package has the name."""
    relative = path.absolute().relative_to(root).with_suffix("")
    parts = relative.parts[:-1] if relative.name == "__init__" else relative.parts
    if not parts or len(relative.parts) == 1 or not all(part.isidentifier() for part in parts):
        return None
    dotted = ".".join(parts)
    try:
        module = importlib.import_module(dotted)
    except ModuleNotFoundError as error:
        if error.name and (dotted == error.name or dotted.startswith(f"{error.name}.")):
            return None  # an installed package of the same name stands in the way
        raise
    found = getattr(module, "__file__", None)
    return module if _same(found, path) else None


def _import_script(path: Path) -> ModuleType:
    """Import a loose file by its path. It keeps its own name where that is free, so that its siblings can import it."""
    name = path.stem
    existing = sys.modules.get(name)
    origin = getattr(existing, "__file__", None)
    if existing is not None and _same(origin, path):
        return existing
    if existing is None and _would_import(name, path):
        return importlib.import_module(name)
    name = f"_shapelint_{abs(hash(str(path.absolute()))):x}"
    spec = importlib.util.spec_from_file_location(name, path, loader=loader_for(name, path))
    if spec is None or spec.loader is None:
        raise ImportError(f"{path.name} is not a Python source file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return module


def _would_import(name: str, path: Path) -> bool:
    """Would ``import name`` find this very file?"""
    try:
        spec = importlib.util.find_spec(name) if name.isidentifier() else None
    except (ImportError, ValueError):
        return False
    return spec is not None and _same(spec.origin, path)


def _explain_import(error: BaseException, path: Path, output: Output) -> LoadError:
    """The one sentence for whatever went wrong."""
    if isinstance(error, SyntaxError) and error.filename:
        return syntax_error(error, shown(Path(error.filename), path))
    location = user_location(error, path)
    if isinstance(error, ModuleNotFoundError) and error.name:
        return LoadError(CANNOT_IMPORT, missing(error.name, path), location)
    if isinstance(error, SystemExit):
        said = output.last_line()
        exited = "os._exit" if isinstance(error, HardExit) else "sys.exit"
        reason = f"it ended the program with {exited}({error.code!r}) while it was imported" + (
            f" ({said})" if said else ""
        )
        advice = 'put the code that runs under if __name__ == "__main__":'
        return LoadError(CANNOT_IMPORT, f"{reason}; {advice}", location)
    if refused := refusal(error):
        message = f"importing this file {refused.attempt}{elsewhere(error, path)}"
        return LoadError(CANNOT_IMPORT, message, location)
    return LoadError(CANNOT_IMPORT, f"importing this file raised {reason_of(error)}{elsewhere(error, path)}", location)


def missing_package(error: BaseException) -> str | None:
    """The package for lack of which something failed, as far as the exception says."""
    if not isinstance(error, ImportError):
        return None
    named = _NO_MODULE.search(str(error))
    return (error.name if isinstance(error, ModuleNotFoundError) else None) or (named["name"] if named else None)


def missing(name: str, path: Path) -> str:
    """What is wrong where a module is missing, and the way out."""
    package = name.partition(".")[0]
    for place in search_path(path):
        if (place / package).is_dir() or (place / f"{package}.py").is_file():
            return f"there is no module {name} in {shown(place, path)}"
    return (
        f"it imports the package {package}, which is not installed here; "
        f"install {package}, or run shapelint in the environment that the model runs in ({sys.executable} is used now)"
        "; a file that may do without being checked is left out with the setting exclude"
    )


def reason_of(error: BaseException) -> str:
    """``ValueError: depth must be positive``, on one line."""
    text = " ".join(str(error).split())
    if len(text) > _LONGEST_REASON:
        text = text[:_LONGEST_REASON] + " …"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def elsewhere(error: BaseException, path: Path) -> str:
    """`` (in utils.py, line 3)`` where an error was raised in another file of the user's."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames or _same(frames[-1].filename, path) or not Path(frames[-1].filename).exists():
        return ""
    raised = Path(frames[-1].filename)
    if raised.is_relative_to(_OURS) or (is_installed(raised) and not is_installed(path)):
        return ""  # deep inside a library: the line of the user's file says more
    return f" (in {shown(raised, path)}, line {frames[-1].lineno})"


def user_location(error: BaseException, path: Path) -> Location:
    """The innermost line of the linted file that an error came through; line 1 if none."""
    found = Location(str(path), 1)
    for frame in traceback.extract_tb(error.__traceback__):
        if _same(frame.filename, path) and frame.lineno:
            found = _frame_location(frame, path)
    return found


def _frame_location(frame: traceback.FrameSummary, path: Path) -> Location:
    line = frame.lineno or 1
    if frame.colno is None or frame.end_colno is None:
        return Location(str(path), line)
    return Location(str(path), line, frame.colno + 1, frame.end_lineno, frame.end_colno + 1)


def _same(filename: str | None, path: Path) -> bool:
    if filename is not None and Path(filename) == path.absolute():
        return True
    try:
        return filename is not None and path.samefile(filename)
    except OSError:
        return False


def shown(path: Path, beside: Path) -> Path:
    """A path written as the user wrote the linted one: relative stays relative."""
    if path.is_absolute() and not beside.is_absolute():
        with contextlib.suppress(ValueError):
            return path.relative_to(Path.cwd())
    return path


def attribute(module: ModuleType, dotted: str, location: Location) -> object:
    """A name in an imported module.

    Raises:
        LoadError: SL906, it is not there.
    """
    value: object = module
    for part in dotted.split("."):
        try:
            value = getattr(value, part)
        except AttributeError as error:
            raise LoadError(BAD_INPUT, f"there is no {dotted} in this file after it is imported", location) from error
    return value
