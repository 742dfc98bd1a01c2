"""Which models a file holds, by its syntax tree alone: nothing is imported, torch least of all.

What counts as a model to analyse:

- a class derived from ``nn.Module`` that has a ``forward`` and that no other model of the file contains;
- a function annotated to return one, ``def unet() -> nn.Module``, that no other model of the file calls;
- a module-level instance, ``model = UNet(3, 2)``;
- what a comment names, ``# shapelint: UNet(in_channels=1) input=(N, 1, H, W) size=512x512``.

Whatever is passed over is listed with the reason, so that nothing is missing without a word.
"""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Final

from shapelint.diagnostics import Location
from shapelint.loading.directives import Directive, read_directives
from shapelint.loading.errors import BAD_INPUT, LoadError
from shapelint.loading.sources import ClassOrFunction, Parsed, dotted_parts, read_text, required_arguments
from shapelint.loading.symbols import Project

_ENDS_IN_MODEL: Final = frozenset({"eval", "train", "to", "cpu", "cuda", "half", "float", "double", "requires_grad_"})
_MOST_CALLS_REMEMBERED: Final = 3
_WORTH_PARSING: Final = re.compile(r"\btorch\b|^class\s+\w+\s*\(|# *shapelint:", re.MULTILINE)


class Kind(StrEnum):
    """How a target becomes a model: by calling a class, calling a function, reading a name, or evaluating code."""

    CLASS = "class"
    BUILDER = "builder"
    INSTANCE = "instance"
    EXPRESSION = "expression"


@dataclass(frozen=True, slots=True)
class Target:
    """One model to analyse.

    Attributes:
        name: what reports call it.
        expression: for ``Kind.EXPRESSION`` the code that builds it, else the name in the file.
        calls: how the file itself calls this class or function with plain values, tried where arguments are required.
        inputs: the input's shape as a comment or the configuration declares it; several are several inputs.
        sizes: the expected sizes as a comment or the configuration declares them; several are alternatives.
        named: the user asked for this very model, so failing to analyse it is an error, not a remark.
    """

    name: str
    kind: Kind
    location: Location
    expression: str
    calls: tuple[str, ...] = ()
    inputs: str | tuple[str, ...] | None = None
    sizes: str | tuple[str, ...] | None = None
    named: bool = False


@dataclass(frozen=True, slots=True)
class Skipped:
    """A class, function or name that looks like a model and is not analysed by itself."""

    name: str
    location: Location
    reason: str


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file and the models in it."""

    path: Path
    targets: tuple[Target, ...] = ()
    skipped: tuple[Skipped, ...] = ()


def read_source(path: Path, project: Project | None = None, *, named: bool = True) -> SourceFile:
    """The models of a file.

    A file that was only met in a directory, cannot be parsed and does not mention torch is nobody's model
    (a template, a Python 2 script) and passes silently; ``named`` files are told about.

    Raises:
        LoadError: the file cannot be read or parsed, or a shapelint comment in it is not understood.
    """
    try:
        text = read_text(path)
    except LoadError:
        if named or _mentions_torch(path):
            raise
        return SourceFile(path)
    if not _WORTH_PARSING.search(text) and not named:
        return SourceFile(path)
    project = project or Project()
    try:
        parsed = project.open(path)
    except LoadError:
        if named or "torch" in text:
            raise
        return SourceFile(path)
    return _Reader(parsed, project).read()


def read_named(path: Path, expression: str, project: Project | None = None) -> SourceFile:
    """The one target that ``FILE:NAME`` or ``--model EXPR`` asks for.

    Raises:
        LoadError: the file cannot be parsed, the expression is no Python, or a plain name is not in the file.
    """
    project = project or Project()
    parsed = project.open(path)
    here = Location(str(path), 1)
    try:
        tree = ast.parse(expression, mode="eval").body
    except SyntaxError as error:
        raise LoadError(BAD_INPUT, f"the model `{expression}` is not a Python expression: {error.msg}", here) from error
    parts = dotted_parts(tree.func if isinstance(tree, ast.Call) else tree)
    reader = _Reader(parsed, project)
    if isinstance(tree, ast.Name):
        _must_exist(parsed, tree.id)
        return SourceFile(path, (replace(reader.by_name(tree.id), named=True),))
    name = parts[-1] if parts and isinstance(tree, ast.Call) else expression
    location = reader.place_of(parts[0]) if parts else here
    return SourceFile(path, (Target(name, Kind.EXPRESSION, location, expression, named=True),))


def _must_exist(parsed: Parsed, name: str) -> None:
    if missing := unbound(parsed, name):
        raise LoadError(BAD_INPUT, f"there is no {name} in this file{missing[1]}", Location(str(parsed.path), 1))


def unbound(parsed: Parsed, name: str) -> tuple[str, str] | None:
    """A name that the file does not have, with a hint at the nearest that it has; None if it has it, or may have."""
    bound = parsed.outline.names()
    if name in bound or parsed.outline.stars or "__getattr__" in bound:
        return None
    near = difflib.get_close_matches(name, bound, n=1, cutoff=0.5)
    return name, f"; did you mean {near[0]}?" if near else ""


def _mentions_torch(path: Path) -> bool:
    try:
        return b"torch" in path.read_bytes()
    except OSError:
        return True


class _Reader:
    """Sorts the names of one file into targets and skipped ones."""

    def __init__(self, parsed: Parsed, project: Project) -> None:
        self.parsed = parsed
        self.outline = parsed.outline
        self.project = project
        self._used: dict[str, frozenset[str]] = {}
        self._calls: dict[str, tuple[str, ...]] | None = None
        self.models: dict[str, ClassOrFunction] = dict(self._models())
        self.references: dict[str, frozenset[str]] = self._references()
        self.instances: dict[str, ast.Call] = dict(self._instances())

    def read(self) -> SourceFile:
        directives = read_directives(self.parsed.path, self.parsed.source)
        targets = [self._from_directive(directive) for directive in directives]
        described = {dotted_parts(_callee(target.expression))[:1] for target in targets}
        skipped: list[Skipped] = []
        for name, node in self.models.items():
            if (name,) in described:
                continue
            reason = self._why_not(name, node)
            if reason:
                skipped.append(Skipped(name, self.parsed.heading(node), reason))
            else:
                targets.append(self.by_name(name))
        targets += [self.by_name(name) for name in self.instances if (name,) not in described]
        targets.sort(key=lambda target: (target.location.line, target.location.column))
        skipped.sort(key=lambda skip: skip.location.line)
        return SourceFile(self.parsed.path, tuple(targets), tuple(skipped))

    def by_name(self, name: str) -> Target:
        """The target of one top-level name; one the syntax does not explain is read from the module as it is."""
        node = self.parsed.definitions.get(name)
        if isinstance(node, ast.ClassDef):
            return Target(name, Kind.CLASS, self.parsed.heading(node), name, self._usual_calls(name))
        if isinstance(node, ast.FunctionDef):
            return Target(name, Kind.BUILDER, self.parsed.heading(node), name, self._usual_calls(name))
        return Target(name, Kind.INSTANCE, self.place_of(name), name)

    def place_of(self, name: str) -> Location:
        if name in self.parsed.definitions:
            return self.parsed.heading(self.parsed.definitions[name])
        for statement in ast.walk(self.parsed.tree):
            if isinstance(statement, ast.Name) and statement.id == name and isinstance(statement.ctx, ast.Store):
                return self.parsed.location(statement)
        return Location(str(self.parsed.path), 1)

    def _models(self) -> Iterator[tuple[str, ClassOrFunction]]:
        for node in self.parsed.definitions.values():
            if isinstance(node, ast.ClassDef):
                if self.project.is_module(self.outline, (node.name,)):
                    yield node.name, node
            elif node.returns is not None and self._returns_model(node.returns):
                yield node.name, node

    def _returns_model(self, annotation: ast.expr) -> bool:
        if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
            try:
                annotation = ast.parse(annotation.value, mode="eval").body
            except SyntaxError:
                return False
        if isinstance(annotation, ast.Subscript):
            return False
        return self.project.is_module(self.outline, dotted_parts(annotation))

    def _why_not(self, name: str, node: ClassOrFunction) -> str:
        """Why a model is not a target of its own, "" if it is one."""
        if isinstance(node, ast.ClassDef):
            if not self.project.defines(self.outline, (node.name,), "forward"):
                return "it has no forward"
            if _is_abstract(node):
                return "it is abstract"
            if self.project.is_loss(self.outline, (name,)):
                return "it is a loss or a metric, not a network"
        elif self._takes_a_model(node):
            return "it changes or wraps a model that it is given"
        owner = self._owner(name)
        return f"it is analysed through {owner}, which contains it" if owner else ""

    def _takes_a_model(self, node: ast.FunctionDef) -> bool:
        required = required_arguments(node.args)
        return any(
            argument.annotation is not None
            and (
                self._returns_model(argument.annotation)
                or self.project.dotted(self.outline, dotted_parts(argument.annotation)) == "torch.Tensor"
            )
            for argument in required
        )

    def _owner(self, name: str) -> str:
        for owner, contained in self.references.items():
            if owner == name or name not in contained or name not in self.models:
                continue
            if owner in self.references.get(name, ()):
                continue  # each contains the other: neither explains the other away
            if self._can_own(owner):
                return owner
        for instance, call in self.instances.items():
            if name in self._reach(_names(call)):
                return instance
        return ""

    def _can_own(self, owner: str) -> bool:
        node = self.models.get(owner)
        if isinstance(node, ast.ClassDef):
            return (
                self.project.defines(self.outline, (node.name,), "forward")
                and not _is_abstract(node)
                and not self.project.is_loss(self.outline, (owner,))
            )
        return node is not None and not required_arguments(node.args)

    def _references(self) -> dict[str, frozenset[str]]:
        """For every model, the classes and functions of this file that its code uses, directly or through others."""
        return {name: self._reach({name}) - {name} for name in self.models}

    def _reach(self, start: Iterable[str]) -> frozenset[str]:
        reached: set[str] = set()
        waiting = [name for name in start if name in self.parsed.definitions]
        while waiting:
            name = waiting.pop()
            if name not in reached:
                reached.add(name)
                waiting += self._uses(name)
        return frozenset(reached)

    def _uses(self, name: str) -> frozenset[str]:
        """The definitions of this file that the code of one of them uses itself."""
        if name not in self._used:
            self._used[name] = _used_names(self.parsed.definitions[name]) & self.parsed.definitions.keys()
        return self._used[name]

    def _instances(self) -> Iterator[tuple[str, ast.Call]]:
        """Module-level ``name = Model(...)``, also with ``.eval()`` or ``.to(device)`` behind it."""
        for name, value in self.parsed.assignments.items():
            call = _innermost_call(value)
            if call is not None and self._makes_model(call.func):
                yield name, call

    def _makes_model(self, callee: ast.expr) -> bool:
        """A class or builder of networks. Of torch's own classes only Sequential: a single ReLU is no network."""
        parts = dotted_parts(callee)
        if not parts or self.project.is_loss(self.outline, parts):
            return False
        if parts[-1] == "Sequential" or (len(parts) == 1 and parts[0] in self.models):
            return True
        return self.project.is_module(self.outline, parts) and not self.project.is_torch_layer(self.outline, parts)

    def _from_directive(self, directive: Directive) -> Target:
        if directive.expression:
            callee = dotted_parts(_callee(directive.expression))
            plain = ast.parse(directive.expression, mode="eval").body
            if isinstance(plain, ast.Name):
                _must_exist_at(self.parsed, plain.id, directive.location)
                target = self.by_name(plain.id)
            else:
                name = callee[-1] if callee else directive.expression
                target = Target(name, Kind.EXPRESSION, directive.location, directive.expression)
        else:
            target = self.by_name(self._class_at(directive.location))
        return replace(target, inputs=directive.inputs, sizes=directive.sizes, named=True)

    def _class_at(self, location: Location) -> str:
        """The model a comment stands in, or right above."""
        for name, node in self.models.items():
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            if first - 1 <= location.line <= (node.end_lineno or node.lineno):
                return name
        raise LoadError(
            BAD_INPUT,
            "this comment names no model and does not stand at a class; "
            "write the model first: # shapelint: UNet(in_channels=1) input=(N, 1, H, W)",
            location,
        )

    def _usual_calls(self, name: str) -> tuple[str, ...]:
        """Calls of a class or function in this file whose arguments mean the same at module level, the last ones first.

        The last are usually those under ``if __name__ == "__main__"``: what the author runs.
        """
        if self._calls is None:
            self._calls = self._all_calls()
        return self._calls.get(name, ())

    def _all_calls(self) -> dict[str, tuple[str, ...]]:
        found: dict[str, dict[str, None]] = {}
        for node in ast.walk(self.parsed.tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in self.models:
                values = [*node.args, *(keyword.value for keyword in node.keywords)]
                if values and all(keyword.arg for keyword in node.keywords) and all(map(self._is_plain, values)):
                    found.setdefault(node.func.id, {})[ast.unparse(node)] = None
        return {name: tuple(reversed(calls))[:_MOST_CALLS_REMEMBERED] for name, calls in found.items()}

    def _is_plain(self, value: ast.expr) -> bool:
        """Constants, and containers and calls of them, and names that the file defines or imports."""
        for node in ast.walk(value):
            if isinstance(node, ast.Name) and not (
                node.id in self.parsed.definitions or node.id in self.outline.imports
            ):
                return False
            if isinstance(node, ast.Starred | ast.Lambda | ast.comprehension | ast.Await | ast.NamedExpr):
                return False
        return True


def _must_exist_at(parsed: Parsed, name: str, location: Location) -> None:
    try:
        _must_exist(parsed, name)
    except LoadError as error:
        raise LoadError(error.code, error.message, location) from error


def _callee(expression: str) -> ast.expr:
    tree = ast.parse(expression, mode="eval").body
    call = _innermost_call(tree)
    return call.func if call else tree


def _innermost_call(value: ast.expr) -> ast.Call | None:
    """``UNet(3)`` of ``UNet(3).to(device).eval()``."""
    if not isinstance(value, ast.Call):
        return None
    if isinstance(value.func, ast.Attribute) and value.func.attr in _ENDS_IN_MODEL:
        return _innermost_call(value.func.value)
    return value


def _is_abstract(node: ast.ClassDef) -> bool:
    return any(
        dotted_parts(decorator)[-1:] == ("abstractmethod",)
        for method in node.body
        if isinstance(method, ast.FunctionDef)
        for decorator in method.decorator_list
    )


def _names(node: ast.AST) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def _used_names(node: ClassOrFunction) -> frozenset[str]:
    """Names that the body uses to make things: not annotations, bases, type checks or ``super(...)``."""
    used: set[str] = set()
    waiting: list[ast.AST] = [*node.body, *node.args.defaults] if isinstance(node, ast.FunctionDef) else [*node.body]
    while waiting:
        part = waiting.pop()
        match part:
            case ast.Call(func=ast.Name(id="isinstance" | "issubclass" | "super")) | ast.Attribute(value=ast.Name()):
                continue
            case ast.Name():
                used.add(part.id)
            case ast.arg():
                continue
            case ast.AnnAssign():
                waiting += [part.value] if part.value else []
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                waiting += [part.args, *part.body, *part.decorator_list]
            case _:
                waiting += ast.iter_child_nodes(part)
    return frozenset(used)
