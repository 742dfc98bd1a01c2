"""Settings of a project: ``[tool.shapelint]`` in ``pyproject.toml``, or ``shapelint.toml``, nearest to each file.

Every key is read by a function of its own, listed in ``_READERS``; whatever is not understood is told with the file,
the line and the nearest key that exists. Command-line options win over what is read here.
"""

from __future__ import annotations

import dataclasses
import difflib
import fnmatch
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from shapelint.diagnostics import Location, Severity
from shapelint.limits import LimitError, Pairs, checked
from shapelint.loading.errors import BAD_INPUT, LoadError
from shapelint.words import listed

FILE_NAMES: Final = ("shapelint.toml", "pyproject.toml")
PERMISSIONS: Final = ("network", "process", "write")
_EXTEND: Final = "extend"
_TOML_PLACE: Final = re.compile(r" ?\(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)")


class ConfigError(LoadError):
    """A configuration file is broken, or says something that is not understood."""

    def __init__(self, message: str, location: Location) -> None:
        super().__init__(BAD_INPUT, message, location)

    @property
    def told(self) -> str:
        # A file that is not there has no lines.
        return f"{self.location}: {self.message}" if self.location and self.location.line else self.message


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """One entry of ``models``: how a model is made, and what it is asked.

    Attributes:
        file: the file of its target; None where that is a module.
        target: as written: ``src/unet.py:UNet`` or ``package.unet:UNet``.
        expression: code that makes it: ``UNet(3, base=32)``.
        inputs: a shape for each input, named ones as ``x=N,3,H,W``.
        sizes: the expected sizes, alternatives.
    """

    target: str
    expression: str
    file: Path | None = None
    inputs: tuple[str, ...] = ()
    sizes: tuple[str, ...] = ()

    @property
    def module(self) -> str:
        return self.target.partition(":")[0]


@dataclass(frozen=True, slots=True)
class Config:
    """The settings that hold for a file; None and () where nothing is said.

    Attributes:
        path: the file they were read from; patterns are relative to its directory.
        assume: values for constructor arguments that nobody gives, by name.
        timeout: seconds for one file.
        allow: what models may do while they are imported and built, of ``PERMISSIONS``.
        limits: bounds on the effort of an analysis, by name.
        fail_on: the least severity that makes the exit status 1.
    """

    path: Path | None = None
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    extend_select: tuple[str, ...] = ()
    per_file_ignores: tuple[tuple[str, tuple[str, ...]], ...] = ()
    sizes: tuple[str, ...] = ()
    models: tuple[ModelSettings, ...] = ()
    assume: tuple[tuple[str, Any], ...] = ()
    exclude: tuple[str, ...] = ()
    timeout: float | None = None
    jobs: int | None = None
    allow: tuple[str, ...] = ()
    limits: Pairs = ()
    fail_on: Severity = Severity.WARNING

    def excludes(self, file: Path) -> bool:
        """Is the file one that ``exclude`` names?"""
        return any(self._matches(pattern, file) for pattern in self.exclude)

    def ignored_in(self, file: Path) -> tuple[str, ...]:
        """The selectors that ``per-file-ignores`` has for a file."""
        return tuple(code for pattern, codes in self.per_file_ignores if self._matches(pattern, file) for code in codes)

    def _matches(self, pattern: str, file: Path) -> bool:
        """Without a slash a pattern is the name of a file or directory anywhere, with one a path from the settings."""
        root = self.path.resolve().parent if self.path else Path.cwd()
        real = file.resolve()
        inner = real.relative_to(root) if real.is_relative_to(root) else real
        wanted = pattern.removeprefix("./").rstrip("/")
        if "/" not in wanted:
            return any(fnmatch.fnmatchcase(part, wanted) for part in inner.parts)
        places = [inner.as_posix(), *(parent.as_posix() for parent in inner.parents)]
        return any(fnmatch.fnmatchcase(place, wanted.replace("**/", "*")) for place in places)


NO_SETTINGS: Final = Config()


@dataclass(frozen=True, slots=True)
class Overlay:
    """Settings that are said elsewhere, such as in pytest's own file, and win over those of each file.

    Attributes:
        file: where; patterns and targets are relative to its directory where a file has no settings of its own.
        table: as ``[tool.shapelint]`` would have them.
    """

    file: Path
    table: Mapping[str, Any]

    def upon(self, config: Config) -> Config:
        """The settings of a file, with these.

        Raises:
            ConfigError: a value is not understood.
        """
        return dataclasses.replace(config, path=config.path or self.file, **_Layer(self.file, "", self.table).read())


class Configurations:
    """The settings of each file, read once a directory.

    ``file`` is ``--config``: then that one holds for all. An overlay's settings win.
    """

    def __init__(self, file: Path | None = None, overlay: Overlay | None = None) -> None:
        self._overlay = overlay
        self._given = self._laid(read_config(file)) if file is not None else None
        self._known: dict[Path, Config] = {}

    def _laid(self, config: Config) -> Config:
        return config if self._overlay is None else self._overlay.upon(config)

    def of_file(self, path: Path) -> Config:
        """The settings that hold for a file.

        Raises:
            ConfigError: they are broken.
        """
        return self.of_directory(path.absolute().parent)

    def exclude(self, path: Path) -> bool:
        """Is a file or directory one that the settings of the place where it stands exclude?"""
        return self.of_file(path).excludes(path)

    def of_directory(self, directory: Path) -> Config:
        """The settings nearest to a directory: its own, else its parent's.

        Raises:
            ConfigError: they are broken.
        """
        if self._given is not None:
            return self._given
        directory = directory.absolute()
        if directory not in self._known:
            self._known[directory] = self._find(directory)
        return self._known[directory]

    def _find(self, directory: Path) -> Config:
        for name in FILE_NAMES:
            file = directory / name
            if file.is_file() and (name != "pyproject.toml" or _has_settings(file)):
                return self._laid(read_config(file))
        return self._laid(NO_SETTINGS) if directory.parent == directory else self.of_directory(directory.parent)


def read_config(file: Path) -> Config:
    """The settings in one file, upon those of the file it extends.

    Raises:
        ConfigError: the file is not there, is not TOML, or has a key or value that is not understood.
    """
    values: dict[str, Any] = {}
    for layer in reversed(list(_layers(file))):
        values |= layer.read()
    return Config(path=file, **values)


def place_of(config: Config, text: str) -> Location:
    """Where the settings have a text; the first line of their own file if it stands in one that they extend."""
    assert config.path is not None
    lines = _read(config.path).split("\n")
    found = [(line, content.index(text) + 1) for line, content in enumerate(lines, 1) if text in content]
    return Location(str(_shown(config.path)), *(found[0] if found else (1, 1)))


def keys() -> tuple[str, ...]:
    """Every key there is."""
    return (*_READERS, _EXTEND)


def _layers(file: Path) -> Iterator[_Layer]:
    """A file, the one it extends, and so on."""
    seen: list[Path] = []
    place: Location | None = None
    while True:
        layer = _open(file, place)
        yield layer
        seen.append(file.resolve())
        base = layer.table.get(_EXTEND)
        if base is None:
            return
        if not isinstance(base, str):
            raise layer.wrong(_EXTEND, "the path of another configuration file", base)
        place = layer.place(_EXTEND)
        file = file.parent / Path(base).expanduser()
        if file.resolve() in seen:
            raise ConfigError(f"{_EXTEND} leads back to {_shown(file)}", place)


def _shown(file: Path) -> Path:
    """The path as one would write it from here."""
    real = file.resolve()
    return real.relative_to(Path.cwd()) if real.is_relative_to(Path.cwd()) else file


@dataclass(frozen=True)
class _Layer:
    """One configuration file: its text, to tell lines from, and its table."""

    file: Path
    text: str
    table: Mapping[str, Any] = field(default_factory=dict)

    def place(self, key: str) -> Location:
        """Where a key is written; the first line if it cannot be found."""
        bare = re.escape(key)
        pattern = rf"^[ \t]*(?:\[+[\w.\-]*\b)?['\"]?(?P<key>{bare})['\"]?[ \t]*(?:=|\.|\])"
        start = max(self.text.find("[tool.shapelint"), 0) if self.file.name == "pyproject.toml" else 0
        match = re.compile(pattern, re.MULTILINE).search(self.text, start)
        if match is None:
            match = re.compile(rf"[{{,]\s*(?P<key>{bare})\s*=").search(self.text, start)
        if match is None:
            return Location(str(_shown(self.file)), 1)
        before = self.text[: match.start("key")]
        column = len(before) - (before.rfind("\n") + 1) + 1
        return Location(str(_shown(self.file)), before.count("\n") + 1, column)

    def wrong(self, key: str, expected: str, value: object) -> ConfigError:
        return ConfigError(f"{key} must be {expected}, not {_kind(value)}", self.place(key.partition("[")[0]))

    def read(self) -> dict[str, Any]:
        """The fields of a ``Config`` that this file sets."""
        fields: dict[str, Any] = {}
        for key, value in self.table.items():
            if key == _EXTEND:
                continue
            reader = _READERS.get(key)
            if reader is None:
                raise self.unknown(key, keys())
            fields[key.replace("-", "_")] = reader(self, key, value)
        return fields

    def unknown(self, key: str, known: tuple[str, ...], where: str = "") -> ConfigError:
        near = difflib.get_close_matches(key.replace("_", "-"), known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {listed(sorted(known))}"
        return ConfigError(f"unknown key {key}{where}; {hint}", self.place(key))


def _open(file: Path, wanted_at: Location | None) -> _Layer:
    text = _read(file, wanted_at)
    document = _parse(file, text)
    if file.name != "pyproject.toml":
        return _Layer(file, text, document)
    table = _tools(document).get("shapelint", {})
    if not isinstance(table, dict):
        raise _Layer(file, text).wrong("shapelint", "a table, [tool.shapelint]", table)
    return _Layer(file, text, table)


def _read(file: Path, wanted_at: Location | None = None) -> str:
    try:
        return file.read_bytes().decode()
    except OSError as error:
        message = f"cannot read {_shown(file)}: {error.strerror or error}"
        raise ConfigError(message, wanted_at or Location(str(_shown(file)), 0)) from error
    except UnicodeDecodeError as error:
        raise ConfigError("this is not UTF-8 text, as TOML is", Location(str(_shown(file)), 1)) from error


def _parse(file: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _broken(error, file, text) from error


def _tools(document: Mapping[str, Any]) -> Mapping[str, Any]:
    tools = document.get("tool", {})
    return tools if isinstance(tools, dict) else {}


def _broken(error: tomllib.TOMLDecodeError, file: Path, text: str) -> ConfigError:
    match = _TOML_PLACE.search(str(error))
    line = int(match["line"]) if match and match["line"] else max(len(text.splitlines()), 1)
    column = int(match["column"]) if match and match["column"] else 1
    reason = _TOML_PLACE.sub("", str(error))
    return ConfigError(f"this is not valid TOML: {reason}", Location(str(_shown(file)), line, column))


def _has_settings(file: Path) -> bool:
    """A ``pyproject.toml`` that does not speak of shapelint is none of our business, be it broken or not."""
    text = _read(file)
    return "shapelint" in text and "shapelint" in _tools(_parse(file, text))


def _kind(value: object) -> str:
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "a text", list: "a list"}
    name = next((name for kind, name in names.items() if type(value) is kind), None)
    name = name or ("a table" if isinstance(value, dict) else f"a {type(value).__name__}")
    return f"{name} ({value!r})" if isinstance(value, bool | int | float | str) else name


_PLAIN_SIZES: Final = re.compile(r"\s*\d+(\s*[x×X*]\s*\d+)*\s*")
_CONDITION: Final = re.compile(r"[<>=]\s*[\w(]")

Reader = Callable[[_Layer, str, Any], Any]


def _texts(layer: _Layer, key: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise layer.wrong(key, "a list of texts", value)
    for entry in value:
        if not isinstance(entry, str):
            raise layer.wrong(f"{key}[{value.index(entry)}]", "a text", entry)
    return tuple(value)


def _text_or_texts(layer: _Layer, key: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, str | list):
        raise layer.wrong(key, "a text or a list of texts", value)
    return (value,) if isinstance(value, str) else _texts(layer, key, value)


def _sizes(layer: _Layer, key: str, value: Any) -> tuple[str, ...]:
    """Whether they fit a model is seen there; that they are sizes at all is seen here, once."""
    found = _text_or_texts(layer, key, value)
    for text in found:
        if not all(_PLAIN_SIZES.fullmatch(part) or _CONDITION.search(part) for part in re.split(r"[,;]|\band\b", text)):
            message = f'{text!r} is not understood as sizes; write "256x256", or conditions such as "H%32==0, W%32==0"'
            raise ConfigError(message, layer.place(key))
    return found


def _per_file_ignores(layer: _Layer, key: str, value: Any) -> tuple[tuple[str, tuple[str, ...]], ...]:
    if not isinstance(value, dict):
        raise layer.wrong(key, 'a table of patterns and codes, { "legacy/*" = ["SL101"] }', value)
    return tuple((pattern, _text_or_texts(layer, key, codes)) for pattern, codes in value.items())


def _assume(layer: _Layer, key: str, value: Any) -> tuple[tuple[str, Any], ...]:
    if not isinstance(value, dict):
        raise layer.wrong(key, "a table of argument names and values, { n_channels = 1 }", value)
    return tuple(value.items())


def _seconds(layer: _Layer, key: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        shown = repr(value) if isinstance(value, int | float) and not isinstance(value, bool) else _kind(value)
        raise ConfigError(f"{key} must be a number of seconds above 0, not {shown}", layer.place(key))
    return float(value)


def _count(layer: _Layer, key: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise layer.wrong(key, "a whole number, at least 1", value)
    return value


def _limits(layer: _Layer, key: str, value: Any) -> Pairs:
    if not isinstance(value, dict):
        raise layer.wrong(key, "a table of limits, { seconds = 10 }", value)
    found = []
    for name, number in value.items():
        try:
            found.append(checked(name, number))
        except LimitError as error:
            raise ConfigError(str(error), layer.place(name)) from error
    return tuple(found)


def _severity(layer: _Layer, key: str, value: Any) -> Severity:
    names = tuple(severity.value for severity in Severity)
    if value not in names:
        raise layer.wrong(key, f"one of {', '.join(names)}", value)
    return Severity(value)


def _permissions(layer: _Layer, key: str, value: Any) -> tuple[str, ...]:
    allowed = _texts(layer, key, value)
    for entry in allowed:
        if entry not in PERMISSIONS:
            raise layer.wrong(key, f"some of {', '.join(PERMISSIONS)}", entry)
    return allowed


def _models(layer: _Layer, key: str, value: Any) -> tuple[ModelSettings, ...]:
    if not isinstance(value, list):
        raise layer.wrong(key, 'a list of tables, [[tool.shapelint.models]] with target = "unet.py:UNet"', value)
    return tuple(_model(layer, f"{key}[{position}]", entry) for position, entry in enumerate(value))


_MODEL_KEYS: Final = ("target", "args", "kwargs", "inputs", "sizes")


def _model(layer: _Layer, key: str, entry: Any) -> ModelSettings:
    if not isinstance(entry, dict):
        raise layer.wrong(key, 'a table, { target = "unet.py:UNet" }', entry)
    for name in entry:
        if name not in _MODEL_KEYS:
            raise layer.unknown(name, _MODEL_KEYS, f" in {key}")
    target = entry.get("target")
    place, _, name = target.rpartition(":") if isinstance(target, str) else ("", "", "")
    if not isinstance(target, str) or not place or not name:
        raise ConfigError(
            f'{key} needs a target, "unet.py:UNet" or "package.module:UNet"'
            + (f", not {_kind(target)}" if target is not None else ""),
            layer.place("target" if target is not None else "models"),
        )
    args, kwargs = entry.get("args", []), entry.get("kwargs", {})
    if not isinstance(args, list):
        raise layer.wrong("args", "a list of values", args)
    if not isinstance(kwargs, dict):
        raise layer.wrong("kwargs", "a table of names and values", kwargs)
    written = [*map(_as_python, args), *(f"{name}={_as_python(value)}" for name, value in kwargs.items())]
    file = layer.file.parent / place if place.endswith((".py", ".ipynb")) else None
    if file is not None and not file.is_file():
        raise ConfigError(f"{key}: there is no file {_shown(file)}", layer.place("target"))
    return ModelSettings(
        target=target,
        expression=f"{name}({', '.join(written)})" if args or kwargs else name,
        file=file,
        inputs=_model_inputs(layer, entry.get("inputs", [])),
        sizes=_sizes(layer, "sizes", entry.get("sizes", [])),
    )


def _model_inputs(layer: _Layer, value: Any) -> tuple[str, ...]:
    if isinstance(value, dict):
        return tuple(
            f"{name}={shape}" for name, shape in zip(value, _texts(layer, "inputs", [*value.values()]), strict=True)
        )
    return _text_or_texts(layer, "inputs", value)


def _as_python(value: Any) -> str:
    """A TOML value as code; ``{ python = "nn.ReLU" }`` is code already."""
    if isinstance(value, dict):
        if value.keys() == {"python"} and isinstance(value["python"], str):
            return value["python"]
        return "{" + ", ".join(f"{name!r}: {_as_python(entry)}" for name, entry in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(_as_python, value))}]"
    return repr(value)


_READERS: Final[Mapping[str, Reader]] = {
    "select": _texts,
    "ignore": _texts,
    "extend-select": _texts,
    "per-file-ignores": _per_file_ignores,
    "sizes": _sizes,
    "models": _models,
    "assume": _assume,
    "exclude": _texts,
    "timeout": _seconds,
    "jobs": _count,
    "allow": _permissions,
    "limits": _limits,
    "fail-on": _severity,
}
assert {key.replace("-", "_") for key in _READERS} == {entry.name for entry in dataclasses.fields(Config)} - {"path"}
