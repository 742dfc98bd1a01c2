"""Where in the source a layer was constructed: the span of its ``nn.Conv2d(...)`` expression.

Best is to have watched: :func:`recording_origins` notes, while a model is built, the line that built each
module. For a model that exists already the constructor call is looked up in the source of the class that
owns the layer; where that is not unique, the class stands for it.
"""

from __future__ import annotations

import ast
import contextlib
import inspect
import linecache
import sys
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from types import FrameType
from typing import Any

import torch
from torch import nn

from shapelint.diagnostics import Location
from shapelint.tracing.patches import Patches, caller_of_exchanged, unexchanged
from shapelint.tracing.record import Place

_origins: weakref.WeakKeyDictionary[nn.Module, Place] = weakref.WeakKeyDictionary()
_chains: weakref.WeakKeyDictionary[nn.Module, tuple[Place, ...]] = weakref.WeakKeyDictionary()

_LONGEST_CHAIN = 8
_COMPREHENSIONS = frozenset({"<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"})


@contextmanager
def recording_origins() -> Iterator[None]:
    """Remember, for every module built in the block, the expression that built it."""
    original = unexchanged(nn.Module.__init__)

    def remembering(module: nn.Module, *args: Any, **kwargs: Any) -> None:
        original(module, *args, **kwargs)
        caller = caller_of_exchanged()
        place = _constructor_call(module, caller)
        if place is not None:
            _origins.setdefault(module, place)
            _chains.setdefault(module, _calls_towards(caller))

    patches = Patches()
    patches.exchange(nn.Module, "__init__", remembering)
    try:
        yield
    finally:
        patches.undo()


def remembered_origin(module: nn.Module) -> Place | None:
    """The place that :func:`recording_origins` saw."""
    return _origins.get(module)


def construction_chain(module: nn.Module) -> tuple[Place, ...]:
    """The calls in the user's code that led to a module, as seen while it was built, the innermost first.

    The first one calls the layer's class (or, in a subclass of it, ``super().__init__``), the second one the function
    in which that stands, and so on: what a parameter's value was passed through.
    """
    return _chains.get(module, ())


def in_building_order(model: nn.Module) -> list[nn.Module]:
    """The modules of a model whose construction was watched, the first one first."""
    own = {id(module) for module in model.modules()}
    return [module for module in _chains if id(module) in own]


def _calls_towards(frame: FrameType | None) -> tuple[Place, ...]:
    found: list[Place] = []
    inside = False
    while frame is not None and len(found) < _LONGEST_CHAIN and not _is_ours(frame):
        if not _is_library(frame):
            # A comprehension's frame is called by that of the function in which it stands: one place in the source.
            if not inside:
                found.append(Place(frame.f_code, frame.f_lasti))
            inside = frame.f_code.co_name in _COMPREHENSIONS
        frame = frame.f_back
    return tuple(found)


def copy_origins(source: nn.Module, target: nn.Module) -> None:
    """Let a copy of a model know the origins of the model it was copied from."""
    for one, other in zip(source.modules(), target.modules(), strict=False):
        place = _origins.get(one)
        if place is not None:
            _origins[other] = place
            _chains[other] = _chains.get(one, ())


def _constructor_call(module: nn.Module, frame: FrameType | None) -> Place | None:
    """The nearest frame that is not part of the module's own ``__init__``, in the user's code."""
    while frame is not None and _constructs(frame, module):
        frame = frame.f_back
    while frame is not None and _is_library(frame):
        if _is_ours(frame):
            return None  # the model itself: no code of the user's calls for it
        frame = frame.f_back
    return None if frame is None else Place(frame.f_code, frame.f_lasti)


def _constructs(frame: FrameType, module: nn.Module) -> bool:
    code = frame.f_code
    first = code.co_varnames[0] if code.co_argcount else None
    return first is not None and frame.f_locals.get(first) is module


def _is_ours(frame: FrameType) -> bool:
    """The code that builds the user's models: whoever called that is no part of the user's code."""
    return str(frame.f_globals.get("__name__", "")) == "shapelint.loading.building"


def _is_library(frame: FrameType) -> bool:
    name = frame.f_globals.get("__name__", "")
    return name.split(".")[0] in ("torch", "unittest", "contextlib") or name.startswith("shapelint.")


def construction_of(model: nn.Module, layer: str) -> Location | None:
    """Where the layer at a dotted path was constructed; the best guess the source allows."""
    if isinstance(model, torch.jit.ScriptModule):
        return None  # it forgets the class it was made from
    try:
        module = model.get_submodule(layer)
    except AttributeError:
        return None
    place = remembered_origin(module)
    if place is not None:
        return place.location()
    names = layer.split(".") if layer else []
    for depth in range(len(names) - 1, -1, -1):
        owner = model.get_submodule(".".join(names[:depth]))
        if type(owner).__module__.split(".")[0] == "torch":
            continue
        found = _in_class(owner, names[depth:], module)
        if found is not None:
            return found
    return class_location(type(model))


def class_location(cls: type) -> Location | None:
    """The line of the class statement, underlined up to its colon."""
    source = _source(cls)
    if source is None:
        return None
    statement = source.tree
    text = source.line(statement.lineno).rstrip()
    end = len(text) - 1 if text.endswith(":") else len(text)
    return Location(source.path, statement.lineno, statement.col_offset + 1, statement.lineno, end + 1)


@dataclass(frozen=True, slots=True)
class _Source:
    """A class's syntax tree, and the lines of the file that it is part of."""

    path: str
    lines: Sequence[str]
    tree: ast.ClassDef

    def line(self, number: int) -> str:
        return self.lines[number - 1] if number <= len(self.lines) else ""

    def location(self, node: ast.expr) -> Location:
        def column(line: int, offset: int) -> int:
            return len(self.line(line).encode()[:offset].decode(errors="replace")) + 1

        last = node.end_lineno or node.lineno
        return Location(
            self.path,
            node.lineno,
            column(node.lineno, node.col_offset),
            last,
            column(last, node.end_col_offset or 0),
        )


@lru_cache(maxsize=1024)
def _source(cls: type) -> _Source | None:
    """As ``inspect.getsourcelines``, which parses the file for every class of it, and then goes through its tokens."""
    try:
        path = inspect.getsourcefile(cls) or inspect.getfile(cls)
    except (OSError, TypeError):
        return None  # classes made at run time have no source to point to
    linecache.checkcache(path)
    module = sys.modules.get(cls.__module__)
    lines = linecache.getlines(path, None if module is None else vars(module))
    tree = _classes("".join(lines)).get(cls.__qualname__)
    return None if tree is None else _Source(path, lines, tree)


@lru_cache(maxsize=64)
def _classes(text: str) -> dict[str, ast.ClassDef]:
    """The classes of a file by their qualified names, the first of those that share one."""
    found: dict[str, ast.ClassDef] = {}

    def visit(node: ast.AST, prefix: str) -> None:
        for child in ast.iter_child_nodes(node):
            inner = prefix
            if isinstance(child, ast.ClassDef):
                found.setdefault(prefix + child.name, child)
                inner = f"{prefix}{child.name}."
            elif isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
                inner = f"{prefix}{child.name}.<locals>."
            if isinstance(child, (ast.stmt, ast.ExceptHandler, ast.match_case)):
                visit(child, inner)

    with contextlib.suppress(SyntaxError, ValueError):
        visit(ast.parse(text), "")
    return found


def _in_class(owner: nn.Module, names: list[str], module: nn.Module) -> Location | None:
    for cls in type(owner).__mro__:
        if cls is nn.Module:
            break
        if cls.__module__.split(".")[0] == "torch":
            continue
        source = _source(cls)
        if source is None:
            continue
        assigned = _assigned(source.tree, names[0])
        for value in assigned:
            found = _descend(value, names[1:], module)
            if found is not None:
                return source.location(found)
        guess = _only_match(source.tree, module)
        if guess is not None:
            return source.location(guess)
        if len(assigned) == 1:
            return source.location(assigned[0])
    return None


def _assigned(tree: ast.AST, name: str) -> list[ast.expr]:
    """The values that ``self.name`` is given."""
    found: list[ast.expr] = []
    for node in ast.walk(tree):
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(t, ast.Attribute) and t.attr == name for t in targets):
                found.append(node.value)
    return found


_CONTAINERS = frozenset({"Sequential", "ModuleList", "ModuleDict", "OrderedDict"})


def _descend(value: ast.expr, names: list[str], module: nn.Module) -> ast.expr | None:
    """Follow positions through ``nn.Sequential(...)`` and lists to the expression that makes the module."""
    if not names:
        return value if _makes(value, module) else None
    if isinstance(value, ast.Call) and _callee(value) in _CONTAINERS:
        items: list[ast.expr] = list(value.args)
        if len(items) == 1 and isinstance(items[0], (ast.List, ast.Tuple)):
            items = list(items[0].elts)
        if len(items) == 1 and isinstance(items[0], (ast.ListComp, ast.GeneratorExp)):
            return _descend(items[0].elt, names[1:], module)
        if (
            len(items) == 1
            and isinstance(items[0], ast.Starred)
            and isinstance(items[0].value, (ast.ListComp, ast.GeneratorExp))
        ):
            return _descend(items[0].value.elt, names[1:], module)
        position = int(names[0]) if names[0].isdigit() else -1
        plain = not any(isinstance(item, ast.Starred) for item in items[: position + 1])
        if 0 <= position < len(items) and plain:
            return _descend(items[position], names[1:], module)
    return None


def _makes(value: ast.expr, module: nn.Module) -> bool:
    return isinstance(value, ast.Call) and _callee(value) == type(module).__name__ and _fits(value, module)


def _callee(call: ast.Call) -> str:
    function = call.func
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _only_match(tree: ast.AST, module: nn.Module) -> ast.Call | None:
    """The one constructor call of this class that agrees with the module's parameters."""
    calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and _makes(n, module)]
    return calls[0] if len(calls) == 1 else None


_PARAMETERS = ("in_channels", "out_channels", "kernel_size", "stride", "padding")


def _fits(call: ast.Call, module: nn.Module) -> bool:
    """Whether the constants among a call's arguments are the module's."""
    given = dict(zip(_PARAMETERS, call.args, strict=False)) if hasattr(module, "in_channels") else {}
    given.update({k.arg: k.value for k in call.keywords if k.arg})
    for name, node in given.items():
        if not isinstance(node, ast.Constant) or type(node.value) is not int:
            continue
        actual = getattr(module, name, None)
        if isinstance(actual, tuple):
            if any(value != node.value for value in actual):
                return False
        elif type(actual) is int and actual != node.value:
            return False
    return True
