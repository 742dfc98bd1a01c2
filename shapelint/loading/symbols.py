"""Which names mean ``nn.Module``: read off syntax trees across the files of a project, importing nothing.

A question about a name goes from file to file as the import system would:

    class UNet(BaseNet)  ->  from .base import BaseNet  ->  base.py: class BaseNet(nn.Module)  ->  torch.nn.Module
"""

from __future__ import annotations

import ast
import builtins
import io
import sys
import tokenize
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from shapelint.diagnostics import Location
from shapelint.loading.errors import CANNOT_IMPORT, LoadError
from shapelint.loading.paths import locate_module

_NOT_MODULES: Final = frozenset({"Parameter", "Buffer", "UninitializedParameter", "UninitializedBuffer"})
_ABSTRACT_LAYERS: Final = frozenset({"torch.nn.Module", "torch.nn.modules.module.Module", "torch.nn.modules.Module"})
# Bases that libraries define behind lazy imports, where reading the source does not lead anywhere.
_KNOWN_BASES: Final = ("LightningModule", "PreTrainedModel", "ModelMixin", "PyTorchModelHubMixin", "GraphModule")
_PROJECT_MARKS: Final = ("pyproject.toml", "setup.py", "setup.cfg", ".git")

ClassOrFunction = ast.ClassDef | ast.FunctionDef


@dataclass(frozen=True, slots=True)
class Import:
    """Where an imported name comes from; ``base`` is the directory a relative import starts at."""

    module: str
    name: str | None
    base: Path | None


@dataclass(frozen=True, slots=True)
class Parsed:
    """A file's syntax tree and what its top level binds."""

    path: Path
    source: str
    tree: ast.Module
    imports: dict[str, Import] = field(default_factory=dict)
    stars: list[Import] = field(default_factory=list)
    definitions: dict[str, ClassOrFunction] = field(default_factory=dict)
    aliases: dict[str, ast.expr] = field(default_factory=dict)

    def classes(self) -> Iterator[ast.ClassDef]:
        return (node for node in self.definitions.values() if isinstance(node, ast.ClassDef))

    def functions(self) -> Iterator[ast.FunctionDef]:
        return (node for node in self.definitions.values() if isinstance(node, ast.FunctionDef))

    def location(self, node: ast.AST) -> Location:
        """The span of a node, in characters (``ast`` counts bytes)."""
        line, end_line = getattr(node, "lineno", 1), getattr(node, "end_lineno", None)
        column = self._characters(line, getattr(node, "col_offset", 0)) + 1
        end = getattr(node, "end_col_offset", None)
        end_column = None if end is None or end_line is None else self._characters(end_line, end) + 1
        return Location(str(self.path), line, column, end_line, end_column)

    def heading(self, node: ClassOrFunction) -> Location:
        """The span of ``class UNet`` or ``def unet``, without the body."""
        start = self.location(node)
        keyword = "class " if isinstance(node, ast.ClassDef) else "def "
        return Location(start.path, start.line, start.column, start.line, start.column + len(keyword) + len(node.name))

    def _characters(self, line: int, offset: int) -> int:
        lines = self.source.split("\n")
        text = lines[line - 1] if 0 < line <= len(lines) else ""
        return len(text.encode()[:offset].decode(errors="ignore"))


def read_text(path: Path) -> str:
    """A source file's text, in the encoding it declares.

    Raises:
        LoadError: it cannot be read, or is not text in its encoding.
    """
    here = Location(str(path), 1)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise LoadError(CANNOT_IMPORT, f"cannot read the file: {error.strerror or error}", here) from error
    if b"\0" in data:
        raise LoadError(CANNOT_IMPORT, "this is a binary file, not Python source (it contains zero bytes)", here)
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        message = (
            f"byte {data[error.start]:#04x} is not {error.encoding.upper()} text; save the file as UTF-8, "
            "or name its encoding in the first line: # -*- coding: latin-1 -*-"
        )
        raise LoadError(CANNOT_IMPORT, message, Location(str(path), line)) from error
    except SyntaxError as error:
        raise LoadError(CANNOT_IMPORT, f"cannot read the file: {error.msg}", here) from error
    return io.IncrementalNewlineDecoder(None, translate=True).decode(text, final=True)


def parse(path: Path) -> Parsed:
    """Parse a file and list what its top level binds.

    Raises:
        LoadError: it is not readable or not Python.
    """
    source = read_text(path)
    try:
        tree = ast.parse(source, filename=str(path))
    except SyntaxError as error:
        raise syntax_error(error, path) from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise LoadError(CANNOT_IMPORT, f"cannot parse the file: {error}", Location(str(path), 1)) from error
    parsed = Parsed(path, source, tree)
    _bind(parsed, tree.body)
    return parsed


def syntax_error(error: SyntaxError, path: Path) -> LoadError:
    """A SyntaxError, told at its place."""
    line, column = error.lineno or 1, max(error.offset or 1, 1)
    end_column = error.end_offset if error.end_lineno == line and (error.end_offset or 0) > column else None
    location = Location(str(path), line, column, line if end_column else None, end_column)
    return LoadError(CANNOT_IMPORT, f"this is not valid Python: {error.msg}", location)


def _bind(parsed: Parsed, statements: Iterable[ast.stmt]) -> None:
    """Record the bindings of top-level statements, also those inside ``if``, ``try`` and ``with``."""
    for node in statements:
        match node:
            case ast.Import():
                _bind_import(parsed, node)
            case ast.ImportFrom():
                _bind_import_from(parsed, node)
            case ast.ClassDef() | ast.FunctionDef():
                parsed.definitions[node.name] = node
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                parsed.aliases[name] = value
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                parsed.aliases[name] = value
            case ast.If() | ast.Try() | ast.With():
                _bind(parsed, _inner_statements(node))


def _inner_statements(node: ast.If | ast.Try | ast.With) -> list[ast.stmt]:
    """What may run at import: not what ``if __name__ == "__main__"`` guards."""
    inner = [] if is_main_guard(node) else list(node.body)
    if isinstance(node, ast.Try):
        inner += [statement for handler in node.handlers for statement in handler.body]
    return inner if isinstance(node, ast.With) else [*inner, *node.orelse]


def _bind_import(parsed: Parsed, node: ast.Import) -> None:
    for alias in node.names:
        top = alias.name.partition(".")[0]
        bound = Import(alias.name if alias.asname else top, None, None)
        parsed.imports.setdefault(alias.asname or top, bound)


def _bind_import_from(parsed: Parsed, node: ast.ImportFrom) -> None:
    base = (
        parsed.path.absolute().parents[node.level - 1]
        if 0 < node.level <= len(parsed.path.absolute().parents)
        else None
    )
    module = node.module or ""
    for alias in node.names:
        if alias.name == "*":
            parsed.stars.append(Import(module, None, base))
        else:
            parsed.imports.setdefault(alias.asname or alias.name, Import(module, alias.name, base))


def is_main_guard(node: ast.stmt) -> bool:
    """Is this ``if __name__ == "__main__":``?"""
    return isinstance(node, ast.If) and any(
        isinstance(part, ast.Name) and part.id == "__name__" for part in ast.walk(node.test)
    )


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


def relative_levels(tree: ast.Module) -> int:
    """The most dots any relative import in the file has."""
    return max((node.level for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)), default=0)


@dataclass(frozen=True, slots=True)
class _Place:
    """A name in a file, or (``file`` None) a dotted name in torch or somewhere unknown."""

    file: Parsed | None
    name: str


class Project:
    """Answers questions about names, parsing each file it meets once."""

    def __init__(self) -> None:
        self._parsed: dict[Path, Parsed | None] = {}

    def open(self, path: Path) -> Parsed:
        """Parse a file that the user asked for."""
        parsed = parse(path)
        self._parsed[path.absolute()] = parsed
        return parsed

    def is_module_class(self, file: Parsed, expression: ast.expr) -> bool:
        """Does the expression name ``nn.Module`` or a class derived from it?"""
        return self._is_module(self._place(file, expression), frozenset())

    def bases(self, file: Parsed, node: ast.ClassDef) -> Iterator[_Place]:
        return (place for base in node.bases if (place := self._place(file, base)))

    def is_module(self, file: Parsed, node: ast.ClassDef) -> bool:
        return self._is_module(_Place(file, node.name), frozenset())

    def defines(self, file: Parsed, node: ast.ClassDef, method: str) -> bool:
        """Does the class, or a base other than ``nn.Module`` itself, define the method?"""
        return self._defines(_Place(file, node.name), method, frozenset())

    def is_torch_layer(self, file: Parsed, expression: ast.expr) -> bool:
        """Does the expression name a class of ``torch.nn`` itself?"""
        place = self._place(file, expression)
        return (
            place is not None
            and place.file is None
            and place.name.startswith("torch.")
            and self._is_module(place, frozenset())
        )

    def dotted(self, file: Parsed, expression: ast.expr) -> str:
        """The full name of what an expression names, "" if it is no name."""
        place = self._place(file, expression)
        return place.name if place else ""

    def _is_module(self, place: _Place | None, seen: frozenset[tuple[Path, str]]) -> bool:
        if place is None:
            return False
        if place.file is None:
            return _is_library_module(place.name)
        node, key = place.file.definitions.get(place.name), (place.file.path, place.name)
        if not isinstance(node, ast.ClassDef) or key in seen:
            return False
        return any(self._is_module(base, seen | {key}) for base in self.bases(place.file, node))

    def _defines(self, place: _Place, method: str, seen: frozenset[tuple[Path, str]]) -> bool:
        if place.file is None:
            return place.name not in _ABSTRACT_LAYERS and _is_library_module(place.name)
        node, key = place.file.definitions.get(place.name), (place.file.path, place.name)
        if not isinstance(node, ast.ClassDef) or key in seen:
            return False
        if any(_binds(statement, method) for statement in node.body):
            return True
        return any(self._defines(base, method, seen | {key}) for base in self.bases(place.file, node))

    def _place(self, file: Parsed, expression: ast.expr) -> _Place | None:
        parts = dotted_parts(expression)
        return self._follow(file, parts, frozenset()) if parts else None

    def _follow(self, file: Parsed, parts: Sequence[str], seen: frozenset[tuple[Path, str]]) -> _Place | None:
        """Where the dotted name ``parts``, used in ``file``, is defined."""
        head, rest = parts[0], parts[1:]
        key = (file.path, ".".join(parts))
        if key in seen:
            return None
        seen |= {key}
        if head in file.definitions:
            return None if rest else _Place(file, head)
        if head in file.imports:
            source = file.imports[head]
            return self._follow_import(file, source, (source.name, *rest) if source.name else rest, seen)
        if head in file.aliases:
            target = dotted_parts(file.aliases[head])
            return self._follow(file, (*target, *rest), seen) if target else None
        if hasattr(builtins, head):
            return None
        for star in file.stars:
            found = self._follow_import(file, star, parts, seen)
            if found is not None and (found.file is not None or _is_library_module(found.name)):
                return found
        return None

    def _follow_import(
        self, file: Parsed, source: Import, names: Sequence[str], seen: frozenset[tuple[Path, str]]
    ) -> _Place | None:
        """``names`` inside the module ``source.module``: submodules as far as files exist, then a name in the file."""
        dotted = ".".join(part for part in (source.module, *names) if part)
        if source.base is None and (dotted == "torch" or dotted.startswith("torch.")):
            return _Place(None, dotted)
        search = [source.base] if source.base else [*search_path(file.path), *map(Path, sys.path)]
        for split in range(len(names) - 1, -1, -1):
            module = ".".join(part for part in (source.module, *names[:split]) if part)
            found = locate_module(module, search) if module else (source.base or Path()) / "__init__.py"
            parsed = self._parse(found) if found else None
            if parsed is not None:
                place = self._follow(parsed, names[split:], seen)
                if place is not None:
                    return place
        return _Place(None, dotted)

    def _parse(self, path: Path) -> Parsed | None:
        """A file on the way to a name; one that cannot be read answers nothing (its own check reports it)."""
        key = path.absolute()
        if key not in self._parsed:
            try:
                self._parsed[key] = parse(path)
            except LoadError:
                self._parsed[key] = None
        return self._parsed[key]


def dotted_parts(expression: ast.expr) -> tuple[str, ...]:
    """``nn.Module`` -> ("nn", "Module"); also through ``Base[T]``; () for anything that is no dotted name."""
    if isinstance(expression, ast.Subscript):
        return dotted_parts(expression.value)
    if isinstance(expression, ast.Name):
        return (expression.id,)
    if isinstance(expression, ast.Attribute):
        head = dotted_parts(expression.value)
        return (*head, expression.attr) if head else ()
    if isinstance(expression, ast.Constant) and isinstance(expression.value, str):
        parts = tuple(expression.value.split("."))
        return parts if all(part.isidentifier() for part in parts) else ()
    return ()


def _is_library_module(dotted: str) -> bool:
    last = dotted.rpartition(".")[2]
    if dotted.startswith("torch."):
        in_nn = dotted.startswith(("torch.nn.", "torch.ao.nn.", "torch.jit.", "torch.fx."))
        return in_nn and last[:1].isupper() and last not in _NOT_MODULES and ".functional." not in dotted
    return last.endswith(_KNOWN_BASES)


def _binds(statement: ast.stmt, name: str) -> bool:
    match statement:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            return statement.name == name
        case ast.Assign(targets=targets):
            return any(isinstance(target, ast.Name) and target.id == name for target in targets)
    return False
