"""Where a layer's parameter gets its value in the source: at the call that builds it, or further out.

The value takes this way, and each place on it is one where it may be changed::

    nn.ConvTranspose2d(i, o, 3, 2, 1, op)      the call itself, if it is written there or not at all
      op          a name set once, a loop's variable, an entry of a dict
      def __init__(self, i, o, op=0)           the parameter's default
        Up(16, 8, op=1)                        the argument of whoever called that
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from torch import nn

from shapelint.diagnostics import Edit, Location
from shapelint.fixes.editing import Source
from shapelint.loading.errors import LoadError
from shapelint.loading.paths import is_installed
from shapelint.loading.sources import read_text
from shapelint.tracing.record import Place

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_COMPREHENSIONS = ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp


@dataclass(frozen=True)
class Spot:
    """One place in the source that gives a parameter its value.

    Attributes:
        node: the expression that is the value, or the call that lacks the argument.
        keyword: the argument's name, where it is to be added, or where it is written with it.
        missing: whether it is to be added.
    """

    source: Source
    node: ast.expr
    keyword: str | None = None
    missing: bool = False

    @property
    def key(self) -> object:
        """Equal for the same place."""
        return str(self.source.path), self.node.lineno, self.node.col_offset, self.node.end_col_offset, self.keyword

    @property
    def line(self) -> int:
        return self.node.lineno

    @property
    def is_in_call(self) -> bool:
        """Whether the value stands in a call or in a list, and not where it gets a name."""
        around = self.source.parents.get(self.node)
        return self.missing or isinstance(around, (ast.Call, ast.keyword, ast.Tuple, ast.List))

    @property
    def argument_of(self) -> ast.AST | None:
        """The call of which the value is a keyword argument."""
        parent = self.source.parents.get(self.node)
        return self.source.parents.get(parent) if self.keyword is not None and parent is not None else None


@dataclass(frozen=True, slots=True)
class Setting:
    """A value for a place.

    Attributes:
        value: an int, a tuple by axis, or "same".
        default: what an argument that is not written would be; one that would say it goes.
        factors: how the value comes about, where a product was written.
    """

    spot: Spot
    value: int | tuple[int, ...] | str
    default: int | None
    factors: tuple[int, ...] = ()


def edits_of(settings: Iterable[Setting]) -> Iterator[Edit]:
    """The source with these values; all that changes a call's own arguments is one edit."""
    calls: dict[object, tuple[Source, ast.Call, list[str], list[str]]] = {}
    for setting in {setting.spot.key: setting for setting in settings}.values():
        spot = setting.spot
        call = spot.node if spot.missing else spot.argument_of
        if not isinstance(call, ast.Call) or not (spot.missing or setting.value == setting.default):
            yield spot.source.replacing(spot.node, _written(setting, spot.node))
            continue
        _, _, adding, removing = calls.setdefault((spot.source.path, call), (spot.source, call, [], []))
        assert spot.keyword is not None
        if spot.missing:
            adding.append(f"{spot.keyword}={_written(setting)}")
        else:
            removing.append(spot.keyword)
    for source, call, adding, removing in calls.values():
        yield source.with_arguments(call, adding, removing)


def _written(setting: Setting, instead_of: ast.expr | None = None) -> str:
    """The value in code: a tuple where a tuple was written, a list where a list was, a product where one was."""
    value = setting.value
    if isinstance(instead_of, ast.BinOp) and isinstance(instead_of.op, ast.Mult) and setting.factors:
        return " * ".join(map(str, setting.factors))
    if isinstance(value, str):
        return f'"{value}"'
    if not isinstance(instead_of, (ast.Tuple, ast.List)):
        return repr(value)
    values = value if isinstance(value, tuple) else (value,) * max(len(instead_of.elts), 1)
    return repr(list(values) if isinstance(instead_of, ast.List) else values)


@lru_cache(maxsize=64)
def _source(path: str, stamp: int) -> Source | None:
    try:
        text = read_text(Path(path))
        return Source(Path(path), text, ast.parse(text))
    except (LoadError, SyntaxError, ValueError):
        return None


def source_of(path: str) -> Source | None:
    """A user's file; None for one that is not the user's to change."""
    file = Path(path)
    if not path.endswith(".py") or is_installed(file):
        return None
    try:
        stamp = file.stat().st_mtime_ns
    except OSError:
        stamp = 0
    return _source(path, stamp)


@dataclass(frozen=True, slots=True)
class Step:
    """A call, and the positional parameters of the function in which it stands."""

    place: Location
    parameters: tuple[str, ...] = ()


def steps(chain: Sequence[Place]) -> list[Step]:
    """The calls that built a layer, in the source."""
    return [Step(p.location(), p.code.co_varnames[: p.code.co_argcount]) for p in chain]


@dataclass(frozen=True, slots=True)
class _Argument:
    """A value that a call hands on, and the level of the function in which it is written."""

    source: Source
    value: ast.expr
    level: int


class Flow:
    """Follows one layer's parameters along the calls that built it."""

    def __init__(self, chain: Sequence[Step], names: Sequence[str], turn: int = 0) -> None:
        self.chain = chain
        self.names = names
        """The positional parameters of what the innermost call calls."""
        self.turn = turn
        """Which of the layers built by these same calls it is."""
        self.obstacle = ""
        """Why a place was not followed further, if that was so."""

    def spots(self, parameter: str) -> list[Spot]:
        """The places to change, the origin of the value first and the call itself last."""
        return list(_unique(self._at(0, self.names, parameter)))

    def writes(self, spot: Spot) -> bool:
        """Whether it is the layer's own call in which a value stands."""
        found = self._call(0)
        return found is not None and found[1] in (spot.source.parents.get(spot.node), spot.argument_of)

    def _call(self, level: int) -> tuple[Source, ast.Call] | None:
        if level >= len(self.chain):
            return None
        place = self.chain[level].place
        source = source_of(place.path)
        call = source.call_at(place) if source is not None else None
        return (source, call) if source is not None and call is not None else None

    def _at(self, level: int, names: Sequence[str], parameter: str) -> Iterator[Spot]:
        """The places for an argument of the call at a level."""
        found = self._call(level)
        if found is None:
            return
        source, call = found
        given = next((keyword.value for keyword in call.keywords if keyword.arg == parameter), None)
        if given is not None:
            yield from self._given(_Argument(source, given, level), parameter)
            return
        positional = self._positional(level)
        if positional is None:
            return
        position = names.index(parameter) if parameter in names else len(positional)
        if position < len(positional):
            yield from self._given(positional[position], parameter)
            return
        for spread in [k.value for k in call.keywords if k.arg is None]:
            entry, known = _entry(source, spread, parameter)
            if entry is not None:
                yield Spot(source, entry)
            elif isinstance(spread, ast.Name) and self._is_rest(source, call, spread.id):
                yield from self._at_caller(spread, level, parameter)
            elif not known:
                self._stopped(spread, f"`**{source.code_of(spread)}` may hold {parameter} already")
            if entry is not None or not known:
                return
        bound = _partial_of(source, call)
        if bound is not None:
            preset = next((k.value for k in bound.keywords if k.arg == parameter), None)
            if preset is not None and _is_literal(preset):
                yield Spot(source, preset, None)
        yield Spot(source, call, parameter, missing=True)

    def _given(self, argument: _Argument, parameter: str) -> Iterator[Spot]:
        """The places for a value that is written as an argument, or in a row of arguments."""
        source, given = argument.source, argument.value
        origins = [] if _is_literal(given) else list(self._origins(source, given, argument.level))
        yield from origins
        if origins or not self._is_chosen(source, given):
            parent = source.parents.get(given)
            yield Spot(source, given, parameter if isinstance(parent, ast.keyword) else None)
        else:
            # Another value here would take away the user's own way to choose it.
            self._stopped(given, f"{parameter} is `{source.code_of(given)}`, which is set elsewhere: change it there")

    def _is_chosen(self, source: Source, given: ast.expr) -> bool:
        """Whether a value is the user's own way to choose it; a loop's variable is not."""
        if isinstance(given, ast.Name) and not _is_looped(source, given):
            value = _looked_up(source, given, self.turn)
            return value is None or self._is_chosen(source, value)
        return isinstance(given, (ast.Attribute, ast.IfExp))

    def _at_caller(self, name: ast.Name, level: int, parameter: str) -> Iterator[Spot]:
        """The places for what a function takes by any name, at its caller."""
        if self._call(level + 1) is None:
            self._stopped(name, f"`**{name.id}` is given from outside of this file")
        yield from self._at(level + 1, self._parameters(level), parameter)

    def _positional(self, level: int) -> list[_Argument] | None:
        """The arguments without a name of a call, those with a star one by one; None if not all of them are known."""
        found = self._call(level)
        if found is None:
            return None
        source, call = found
        bound = _partial_of(source, call)
        arguments: list[_Argument] = []
        for argument in [*(bound.args[1:] if bound is not None else ()), *call.args]:
            row = self._row(source, argument, level) if isinstance(argument, ast.Starred) else None
            if row is None and isinstance(argument, ast.Starred):
                self._stopped(argument, f"the arguments come as `{source.code_of(argument)}`, which cannot be followed")
                return None
            arguments += [_Argument(source, argument, level)] if row is None else row
        return arguments

    def _row(self, source: Source, starred: ast.Starred, level: int) -> list[_Argument] | None:
        """What ``*row`` stands for: a list that can be read, or what the function itself got as ``*args``."""
        function = _function_around(source, starred)
        rest = function.args.vararg if function is not None else None
        if rest is not None and isinstance(starred.value, ast.Name) and starred.value.id == rest.arg:
            given = self._positional(level + 1)
            return None if given is None else given[len(self._parameters(level)) :]
        row = _looked_up(source, starred.value, self.turn)
        if not isinstance(row, (ast.Tuple, ast.List)) or any(isinstance(entry, ast.Starred) for entry in row.elts):
            return None
        return [_Argument(source, entry, level) for entry in row.elts]

    def _stopped(self, node: ast.expr, reason: str) -> None:
        self.obstacle = self.obstacle or f"line {node.lineno}: {reason}"

    def _origins(self, source: Source, expression: ast.expr, level: int) -> Iterator[Spot]:
        """Where an expression within the function at a level has its value from."""
        value = self._field(source, expression, level) or _looked_up(source, expression, self.turn)
        if value is not None and (_is_literal(value) or isinstance(value, ast.BinOp)):
            yield Spot(source, value)
            return
        if value is not None and value is not expression:
            yield from self._origins(source, value, level)
            return
        function = _function_around(source, expression)
        if not isinstance(expression, ast.Name) or function is None:
            return
        default = _default(function, expression.id)
        if expression.id not in _parameter_names(function) or _assigned_in(function, expression.id):
            return
        outer = list(self._at(level + 1, self._parameters(level), expression.id))
        passed = [spot for spot in outer if not spot.missing]
        yield from passed
        if not passed and default is not None and _is_literal(default):
            yield Spot(source, default)
        yield from (spot for spot in outer if spot.missing)

    def _field(self, source: Source, expression: ast.expr, level: int) -> ast.expr | None:
        """The value of a field of a record (a dataclass, a NamedTuple) that is made in the same file."""
        if not isinstance(expression, ast.Attribute):
            return None
        made = self._made(source, expression.value, level)
        if made is None:
            return None
        fields = _fields(source, made)
        given = next((k.value for k in made.keywords if k.arg == expression.attr), None)
        names = list(fields)
        if given is None and expression.attr in fields and names.index(expression.attr) < len(made.args):
            given = made.args[names.index(expression.attr)]
        return given if given is not None else fields.get(expression.attr)

    def _made(self, source: Source, expression: ast.expr, level: int) -> ast.Call | None:
        """The call that made a record, followed through names, parameters and their defaults."""
        if isinstance(expression, ast.Call):
            return expression
        value = _looked_up(source, expression, self.turn)
        if value is not None and value is not expression:
            return self._made(source, value, level)
        function = _function_around(source, expression)
        if not isinstance(expression, ast.Name) or function is None:
            return None
        outer, caller = self._call(level + 1), self._parameters(level) if level < len(self.chain) else ()
        if outer is not None and outer[0] is source:
            given = next((k.value for k in outer[1].keywords if k.arg == expression.id), None)
            if given is None and expression.id in caller:
                position = list(caller).index(expression.id)
                given = outer[1].args[position] if position < len(outer[1].args) else None
            if given is not None:
                return self._made(source, given, level + 1)
        default = _default(function, expression.id)
        return default if isinstance(default, ast.Call) else None

    def _is_rest(self, source: Source, call: ast.Call, name: str) -> bool:
        function = _function_around(source, call)
        return function is not None and function.args.kwarg is not None and function.args.kwarg.arg == name

    def _parameters(self, level: int) -> Sequence[str]:
        """The positional parameters of the function whose code is at a level, as its caller counts them."""
        names = self.chain[level].parameters
        return names[1:] if names[:1] in (("self",), ("cls",)) else names


def _unique(spots: Iterator[Spot]) -> Iterator[Spot]:
    seen = set()
    for spot in spots:
        if spot.key not in seen:
            seen.add(spot.key)
            yield spot


def torch_parameters(layer: nn.Module) -> list[str]:
    """The positional parameters of the torch class that a layer is, or is derived from."""
    own = next(base for base in type(layer).__mro__ if base.__module__.startswith("torch."))
    return list(inspect.signature(own).parameters)


def _partial_of(source: Source, call: ast.Call) -> ast.Call | None:
    """The ``functools.partial(...)`` that a called name stands for."""
    if not isinstance(call.func, ast.Name):
        return None
    value = _looked_up(source, call.func, 0)
    if isinstance(value, ast.Call):
        name = value.func.attr if isinstance(value.func, ast.Attribute) else getattr(value.func, "id", "")
        return value if name == "partial" and value.args else None
    return None


def _entry(source: Source, spread: ast.expr, parameter: str) -> tuple[ast.expr | None, bool]:
    """The value that ``**spread`` has for a parameter, and whether one can read what is in there."""
    value = _looked_up(source, spread, 0) if not isinstance(spread, ast.Dict) else spread
    if isinstance(value, ast.Dict):
        return _in_dict(value, parameter), all(isinstance(key, ast.Constant) for key in value.keys)
    known = isinstance(value, ast.Call) and not value.args and all(k.arg is not None for k in value.keywords)
    return _in_dict(value, parameter), known and getattr(getattr(value, "func", None), "id", "") == "dict"


def _fields(source: Source, made: ast.Call) -> dict[str, ast.expr | None]:
    """The fields of a record's class, in order, with their defaults; none of a class with a constructor of its own."""
    name = getattr(made.func, "id", None)
    found = next((n for n in source.tree.body if isinstance(n, ast.ClassDef) and n.name == name), None)
    if found is None or any(isinstance(n, ast.FunctionDef) and n.name in ("__init__", "__new__") for n in found.body):
        return {}
    named = [n for n in found.body if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name)]
    return {node.target.id: node.value for node in named if isinstance(node.target, ast.Name)}


def _in_dict(value: ast.expr | None, key: object) -> ast.expr | None:
    if isinstance(value, ast.Dict):
        for name, entry in zip(value.keys, value.values, strict=True):
            if isinstance(name, ast.Constant) and name.value == key:
                return entry
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "dict":
        return next((k.value for k in value.keywords if k.arg == key), None)
    return None


def _is_literal(node: ast.expr) -> bool:
    """An int, or a tuple or list of ints."""
    try:
        value: Any = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError):
        return False
    return _is_int(value) or (isinstance(value, (tuple, list)) and bool(value) and all(map(_is_int, value)))


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _looked_up(source: Source, expression: ast.expr, turn: int) -> ast.expr | None:
    """What a name, an attribute of self or an entry stands for, if that is set once; the element of its turn."""
    if isinstance(expression, ast.Subscript):
        whole = _looked_up(source, expression.value, turn)
        try:
            key = ast.literal_eval(expression.slice)
        except ValueError:
            return None
        if isinstance(whole, (ast.Tuple, ast.List)) and isinstance(key, int):
            return whole.elts[key] if -len(whole.elts) <= key < len(whole.elts) else None
        return _in_dict(whole, key)
    if isinstance(expression, ast.Attribute):
        function = _function_around(source, expression)
        return _only(_assignments(function, ast.unparse(expression))) if function is not None else None
    if not isinstance(expression, ast.Name):
        return None
    looped = _loop_element(source, expression, turn)
    if looped is not None:
        return looped
    function = _function_around(source, expression)
    while function is not None:
        if expression.id in _parameter_names(function):
            return None
        values = _assignments(function, expression.id)
        if values or _assigned_in(function, expression.id):
            return _only(values) if len(values) == _assigned_in(function, expression.id) else None
        function = _function_around(source, function)
    return _only(_assignments(source.tree, expression.id))


def _only(values: list[ast.expr]) -> ast.expr | None:
    return values[0] if len(values) == 1 else None


def _loop_element(source: Source, name: ast.Name, turn: int) -> ast.expr | None:
    """The element of a written-out list that a loop's variable is in its turn."""
    for node in source.around(name):
        loops: list[Any] = []
        if isinstance(node, ast.For):
            loops = [node]
        elif isinstance(node, _COMPREHENSIONS):
            loops = list(node.generators)
        elif isinstance(node, Function):
            return None
        for loop in loops:
            path = _path_to(loop.target, name.id)
            if path is None:
                continue
            iterated, path = _numbered_or_zipped(loop.iter, path)
            items = iterated if isinstance(iterated, (ast.List, ast.Tuple)) else _looked_up(source, iterated, turn)
            return _element(items, path, turn) if len(loops) == 1 else None
    return None


def _is_looped(source: Source, name: ast.Name) -> bool:
    """Whether a loop around sets a name."""
    loops: list[Any] = []
    for node in source.around(name):
        loops += [node] if isinstance(node, ast.For) else node.generators if isinstance(node, _COMPREHENSIONS) else []
    return any(_path_to(loop.target, name.id) is not None for loop in loops)


def _path_to(target: ast.expr, name: str) -> tuple[int, ...] | None:
    if isinstance(target, ast.Name):
        return () if target.id == name else None
    if isinstance(target, (ast.Tuple, ast.List)):
        for position, part in enumerate(target.elts):
            path = _path_to(part, name)
            if path is not None:
                return (position, *path)
    return None


def _numbered_or_zipped(iterated: ast.expr, path: tuple[int, ...]) -> tuple[ast.expr, tuple[int, ...]]:
    """What a variable at this place of a loop's target goes through, within ``enumerate`` and ``zip``."""
    called = getattr(iterated.func, "id", "") if isinstance(iterated, ast.Call) and not iterated.keywords else ""
    if isinstance(iterated, ast.Call) and path and not any(isinstance(a, ast.Starred) for a in iterated.args):
        if called == "enumerate" and path[0] == 1 and len(iterated.args) == 1:
            return _numbered_or_zipped(iterated.args[0], path[1:])
        if called == "zip" and path[0] < len(iterated.args):
            return _numbered_or_zipped(iterated.args[path[0]], path[1:])
    return iterated, path


def _element(items: ast.expr | None, path: Sequence[int], turn: int) -> ast.expr | None:
    node = items
    for position in (turn, *path):
        if not isinstance(node, (ast.Tuple, ast.List)) or position >= len(node.elts):
            return None
        if any(isinstance(entry, ast.Starred) for entry in node.elts):
            return None
        node = node.elts[position]
    return node


def _function_around(source: Source, node: ast.AST) -> Function | None:
    return next((outer for outer in source.around(node) if isinstance(outer, Function)), None)


def is_local(source: Source, at: ast.AST, name: str) -> bool:
    """Whether a name means something of a function's own at a place."""
    functions = [outer for outer in source.around(at) if isinstance(outer, Function)]
    return any(name in _parameter_names(f) or _assigned_in(f, name) > 0 for f in functions)


def _parameter_names(function: Function) -> set[str]:
    arguments = function.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return {argument.arg for argument in every}


def _default(function: Function, name: str) -> ast.expr | None:
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args]
    pairs = list(zip(reversed(positional), reversed(arguments.defaults), strict=False))
    pairs += [(a, d) for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if d is not None]
    return next((default for argument, default in pairs if argument.arg == name), None)


def _own_nodes(scope: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a function or module, without those of functions and classes within."""
    waiting = list(ast.iter_child_nodes(scope))
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, (Function, ast.ClassDef)):
            waiting.extend(ast.iter_child_nodes(node))


def _assignments(scope: ast.AST, target: str) -> list[ast.expr]:
    """The values that a name, or ``self.name``, is plainly given."""
    plain = [node for node in _own_nodes(scope) if isinstance(node, (ast.Assign, ast.AnnAssign))]
    pairs = [(t, n.value) for n in plain for t in (n.targets if isinstance(n, ast.Assign) else [n.target])]
    return [value for name, value in pairs if value is not None and ast.unparse(name) == target]


def _assigned_in(function: Function, name: str) -> int:
    """How often a name is set in a function, in whichever manner."""
    return sum(
        isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store)
        for node in _own_nodes(function)
    )
