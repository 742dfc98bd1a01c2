"""Source files read as text and as syntax trees: what a file's top level binds, and where things stand in it."""

from __future__ import annotations

import ast
import contextlib
import gc
import io
import re
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from shapelint.diagnostics import Location
from shapelint.loading.errors import CANNOT_IMPORT, LoadError
from shapelint.loading.given import given
from shapelint.loading.notebooks import NotebookError

ClassOrFunction = ast.ClassDef | ast.FunctionDef
Dotted = tuple[str, ...]
_RELATIVE_IMPORT = re.compile(r"\bfrom[\s\\]*\.")


@dataclass(frozen=True, slots=True)
class Import:
    """Where an imported name comes from; ``base`` is the directory a relative import starts at."""

    module: str
    name: str | None
    base: Path | None


@dataclass(frozen=True, slots=True)
class ClassOutline:
    """What can be asked of a class in another file.

    Attributes:
        bases: as they are written.
        binds: the names that its body binds.
        takes: how many arguments its forward requires; None if it has none of its own.
    """

    bases: tuple[Dotted, ...]
    binds: frozenset[str]
    takes: int | None = None


@dataclass(frozen=True, slots=True)
class Outline:
    """What a file's top level binds, without its syntax tree: small enough to keep for every file of a project."""

    path: Path
    imports: dict[str, Import] = field(default_factory=dict)
    stars: list[Import] = field(default_factory=list)
    classes: dict[str, ClassOutline] = field(default_factory=dict)
    functions: set[str] = field(default_factory=set)
    aliases: dict[str, Dotted] = field(default_factory=dict)

    def names(self) -> frozenset[str]:
        return frozenset({*self.imports, *self.classes, *self.functions, *self.aliases})


@dataclass(frozen=True, slots=True)
class Parsed:
    """A file's syntax tree, with its top-level definitions and assignments by name."""

    path: Path
    source: str
    tree: ast.Module
    outline: Outline
    definitions: dict[str, ClassOrFunction] = field(default_factory=dict)
    assignments: dict[str, ast.expr] = field(default_factory=dict)

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


def _encoding(data: bytes) -> str:
    """The encoding that a source file declares, UTF-8 if it does not.

    Raises:
        SyntaxError: there is none of that name.
        UnicodeDecodeError: it declares none, and is not UTF-8.
    """
    try:
        return tokenize.detect_encoding(io.BytesIO(data).readline)[0]
    except SyntaxError:
        if b"coding" not in b"".join(data.split(b"\n", 2)[:2]):
            data.decode()
        raise


def read_text(path: Path) -> str:
    """A source file's text, in the encoding it declares.

    Raises:
        LoadError: it cannot be read, or is not text in its encoding.
    """
    here = Location(str(path), 1)
    try:
        text = given(path)
        if text is not None:
            return text
        data = path.read_bytes()
    except NotebookError as error:
        raise LoadError(CANNOT_IMPORT, str(error), here) from error
    except OSError as error:
        raise LoadError(CANNOT_IMPORT, f"cannot read the file: {error.strerror or error}", here) from error
    if b"\0" in data:
        raise LoadError(CANNOT_IMPORT, "this is a binary file, not Python source (it contains zero bytes)", here)
    try:
        text = data.decode(_encoding(data))
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
        with _without_collecting():
            tree = ast.parse(source, filename=str(path))
    except SyntaxError as error:
        raise syntax_error(error, path) from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise LoadError(CANNOT_IMPORT, f"cannot parse the file: {error}", Location(str(path), 1)) from error
    parsed = Parsed(path, source, tree, Outline(path))
    _bind(parsed, tree.body)
    return parsed


@contextlib.contextmanager
def _without_collecting() -> Iterator[None]:
    """Thousands of live trees make each garbage collection slow, and a tree being built holds no garbage."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def syntax_error(error: SyntaxError, path: Path) -> LoadError:
    """A SyntaxError, told at its place."""
    line, column = error.lineno or 1, max(error.offset or 1, 1)
    end_column = error.end_offset if error.end_lineno == line and (error.end_offset or 0) > column else None
    location = Location(str(path), line, column, line if end_column else None, end_column)
    return LoadError(CANNOT_IMPORT, f"this is not valid Python: {error.msg}", location)


def _bind(parsed: Parsed, statements: Iterable[ast.stmt]) -> None:
    """Record the bindings of top-level statements, also those inside ``if``, ``try`` and ``with``."""
    outline = parsed.outline
    for node in statements:
        match node:
            case ast.Import():
                _bind_import(outline, node)
            case ast.ImportFrom():
                _bind_import_from(outline, node)
            case ast.ClassDef():
                parsed.definitions[node.name] = node
                outline.classes[node.name] = _outlined(node)
            case ast.FunctionDef():
                parsed.definitions[node.name] = node
                outline.functions.add(node.name)
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                parsed.assignments[name] = value
                outline.aliases[name] = dotted_parts(value)
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                parsed.assignments[name] = value
                outline.aliases[name] = dotted_parts(value)
            case ast.If() | ast.Try() | ast.With():
                _bind(parsed, _inner_statements(node))


def _outlined(node: ast.ClassDef) -> ClassOutline:
    bound = {statement.name for statement in node.body if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef)}
    for statement in node.body:
        if isinstance(statement, ast.Assign):
            bound |= {target.id for target in statement.targets if isinstance(target, ast.Name)}
    forward = next((part for part in node.body if isinstance(part, ast.FunctionDef) and part.name == "forward"), None)
    return ClassOutline(
        bases=tuple(parts for base in node.bases if (parts := dotted_parts(base))),
        binds=frozenset(bound),
        takes=len(required_arguments(forward.args)) - 1 if forward else None,  # less self
    )


def required_arguments(arguments: ast.arguments) -> list[ast.arg]:
    """Those that have no default."""
    positional = [*arguments.posonlyargs, *arguments.args]
    required = positional[: len(positional) - len(arguments.defaults)]
    return required + [
        arg for arg, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if default is None
    ]


def _inner_statements(node: ast.If | ast.Try | ast.With) -> list[ast.stmt]:
    """What may run at import: not what ``if __name__ == "__main__"`` guards."""
    inner = [] if is_main_guard(node) else list(node.body)
    if isinstance(node, ast.Try):
        inner += [statement for handler in node.handlers for statement in handler.body]
    return inner if isinstance(node, ast.With) else [*inner, *node.orelse]


def _bind_import(outline: Outline, node: ast.Import) -> None:
    for alias in node.names:
        top = alias.name.partition(".")[0]
        bound = Import(alias.name if alias.asname else top, None, None)
        outline.imports.setdefault(alias.asname or top, bound)


def _bind_import_from(outline: Outline, node: ast.ImportFrom) -> None:
    parents = outline.path.absolute().parents
    base = parents[node.level - 1] if 0 < node.level <= len(parents) else None
    module = node.module or ""
    for alias in node.names:
        if alias.name == "*":
            outline.stars.append(Import(module, None, base))
        else:
            outline.imports.setdefault(alias.asname or alias.name, Import(module, alias.name, base))


def is_main_guard(node: ast.stmt) -> bool:
    """Is this ``if __name__ == "__main__":``?"""
    return isinstance(node, ast.If) and any(
        isinstance(part, ast.Name) and part.id == "__name__" for part in ast.walk(node.test)
    )


def relative_levels(path: Path) -> int:
    """The most dots any relative import in a file has.

    Raises:
        LoadError: as ``parse``.
    """
    if not _RELATIVE_IMPORT.search(read_text(path)):
        return 0
    tree = parse(path).tree
    return max((node.level for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)), default=0)


def dotted_parts(expression: ast.expr) -> Dotted:
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
