"""From changes that were tried on the model to edits of its source."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from shapelint.diagnostics import Edit, Location
from shapelint.fixes.changes import Change, Rewrite, layer_of
from shapelint.fixes.consumers import Fitted
from shapelint.fixes.editing import Source
from shapelint.fixes.flow import Flow, Function, Setting, Spot, Step, edits_of, source_of, steps, torch_parameters
from shapelint.fixes.writing import CannotEditError, call_of, functional, in_sequential
from shapelint.network.origins import construction_chain, construction_of, in_building_order
from shapelint.network.steps import argument_names, function_name
from shapelint.tracing.record import Place

Value = int | tuple[int, ...] | str
"""A parameter's value: a number, one for each axis, or "same"."""

_DEFAULTS = {"padding": 0, "output_padding": 0}
_NOT_ALWAYS = (
    ast.If, ast.For, ast.While, ast.Try, ast.Match, ast.IfExp, ast.BoolOp, ast.Lambda,
    ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp,
)  # fmt: skip
"""What stands in there may not be executed, or more than once."""

_NUMBERS = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "output_padding", "dilation", "groups")
_CHANNELS = ("in_features", "in_channels", "num_features", "num_channels")


@dataclass(frozen=True, slots=True)
class Plan:
    """The edits of a fix; where there are none, why."""

    edits: tuple[Edit, ...] = ()
    why_not: str = ""


def plan(model: nn.Module, changes: Sequence[Change], skips: Sequence[Skip] = ()) -> Plan:
    """The edits that make these changes in the source, all of them or none."""
    try:
        edits: list[Edit] = []
        settings = [s for attribute in (*_DEFAULTS, *_CHANNELS) for s in _of_layers(model, changes, attribute)]
        for change in changes:
            if isinstance(change, Rewrite):
                edits += change.edits(model)
            elif change.targets is not None:
                edits += _told_size(model, change, changes, skips)
            elif layer_of(model, change.call) is None:
                settings.append(_of_function(change))
        _check(settings)
        edits += edits_of(settings)
    except CannotEditError as reason:
        return Plan((), str(reason))
    return Plan(tuple(sorted(set(edits), key=lambda e: (e.location.path, e.location.line, e.location.column, e.text))))


def _check(settings: Iterable[Setting]) -> None:
    """That no place is to hold two values."""
    known: dict[object, Value] = {}
    for setting in settings:
        if known.setdefault(setting.spot.key, setting.value) != setting.value:
            raise CannotEditError(f"the calls that line {setting.spot.line} makes need different values")


@dataclass(frozen=True, slots=True)
class Skip:
    """An encoder step's call, whose input has the size that a decoder step should return."""

    up: Any
    place: Place | None
    name: str
    direct: bool


# --- parameters of layers ----------------------------------------------------------------------------------


def _of_layers(model: nn.Module, changes: Sequence[Change], attribute: str) -> Iterator[Setting]:
    """What is to be set for one parameter of all layers."""
    wanted = {
        id(layer_of(model, change.call)): _plain(change.value)
        for change in changes
        if change.attribute == attribute and change.targets is None and layer_of(model, change.call) is not None
    }
    if not wanted:
        return
    factors = {id(change.call.module): change.factors for change in changes if isinstance(change, Fitted)}
    layers = {name: m for name, m in model.named_modules() if attribute in torch_parameters(m)}
    flows = {id(m): _flow(model, name, m) for name, m in layers.items()}
    meanings = _Meanings(model)
    places = {number: _spots(flow, attribute) for number, flow in flows.items()}
    for layer in layers.values():
        value = wanted.get(id(layer))
        if value is None or value == _plain(getattr(layer, attribute)):
            continue
        if not places[id(layer)]:
            obstacle = flows[id(layer)].obstacle
            raise CannotEditError(obstacle or f"where {attribute} gets its value cannot be read off the source")
        flow = flows[id(layer)]
        places[id(layer)] = [s for s in places[id(layer)] if flow.writes(s) or not meanings.others(s, attribute)]
        if not places[id(layer)]:
            raise CannotEditError(f"the value of {attribute} is another parameter's value, too")
        spot = _agreed(places, layers.values(), layer, value, wanted, attribute)
        yield Setting(spot, value, _DEFAULTS.get(attribute), factors.get(id(layer), ()))


def _spots(flow: Flow, attribute: str) -> list[Spot]:
    """Where a parameter can be changed. A number of channels that has a name is other layers' number, too."""
    found = flow.spots(attribute)
    return [spot for spot in found if spot.is_in_call] if attribute in _CHANNELS else found


class _Meanings:
    """Which parameters of convolutions have their values from one place in the source. Looked up when first asked."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model

    def others(self, spot: Spot, attribute: str) -> set[str]:
        """The parameters besides this one that have their value from there."""
        return set() if spot.missing else self._of.get(id(spot.node), set()) - {attribute}

    @functools.cached_property
    def _of(self) -> dict[int, set[str]]:
        found: dict[int, set[str]] = {}
        for name, module in self.model.named_modules():
            if not isinstance(module, nn.modules.conv._ConvNd):
                continue
            flow = _flow(self.model, name, module)
            for parameter in _NUMBERS:
                for spot in flow.spots(parameter):
                    found.setdefault(id(spot.node), set()).update(() if spot.missing else (parameter,))
        return found


def _agreed(
    places: dict[int, list[Spot]],
    layers: Iterable[nn.Module],
    layer: nn.Module,
    value: Value,
    wanted: dict[int, Value],
    attribute: str,
) -> Spot:
    """The first place at which a value can be changed without another layer getting a wrong one."""
    for spot in places[id(layer)]:
        others = [m for m in layers if any(other.key == spot.key for other in places[id(m)])]
        if all(wanted.get(id(m), _plain(getattr(m, attribute))) == value for m in others):
            return spot
    line = places[id(layer)][-1].line
    raise CannotEditError(f"the layers that line {line} builds need different values of {attribute}")


def _flow(model: nn.Module, name: str, layer: nn.Module) -> Flow:
    chain = construction_chain(layer)
    names = torch_parameters(layer)
    if chain:
        same = [m for m in in_building_order(model) if construction_chain(m) == chain]
        return Flow(steps(chain), names, next((i for i, m in enumerate(same) if m is layer), 0))
    place = construction_of(model, name)
    return Flow([Step(place)] if place is not None and _calls(place, type(layer).__name__) else [], names)


def _calls(place: Location, name: str) -> bool:
    """Whether what stands at a place calls a class by its name."""
    source = source_of(place.path)
    call = source.call_at(place) if source is not None else None
    return call is not None and (getattr(call.func, "attr", None) == name or getattr(call.func, "id", None) == name)


def _plain(value: Any) -> Any:
    """A number where all axes have the same one."""
    if isinstance(value, (tuple, list)) and value and len(set(value)) == 1:
        return value[0]
    return tuple(value) if isinstance(value, list) else value


# --- calls in forward --------------------------------------------------------------------------------------


def _of_function(change: Change) -> Setting:
    """Another argument for a call of ``conv_transpose2d`` and the like."""
    place = change.call.place
    flow = Flow(steps([place] if place is not None else []), argument_names(change.call))
    spots = flow.spots(change.attribute)
    if place is None or not spots or not _calls(place.location(), function_name(change.call.target)):
        unknown = f"where {change.attribute} gets its value cannot be read off the source"
        raise CannotEditError(flow.obstacle or unknown)
    return Setting(spots[0], _plain(change.value), _DEFAULTS.get(change.attribute))


def _told_size(model: nn.Module, change: Change, changes: Sequence[Change], skips: Sequence[Skip]) -> Iterator[Edit]:
    """The size of a tensor in scope, handed to a decoder step in ``forward``."""
    if change.call.kind == "module" and in_sequential(model, change.layer):
        raise CannotEditError("an nn.Sequential hands no output_size on to its layers")
    rank = len(change.call.outputs[0].sizes)
    found = list(change.names.places())
    if not found:
        raise CannotEditError("the call in forward was not found")
    for place, names in found:
        source, call = call_of(place)
        others = [seen for other in changes if other is not change for at, seen in other.names.places() if at == place]
        common = [name for name in names if all(name in seen for seen in others)]
        if common:
            shape = f"{common[0]}.shape[{2 - rank}:]"
        elif others:
            raise CannotEditError(
                "no variable at that call holds a tensor of the size that each of the layers called there should return"
            )
        else:
            shape, edit = _kept_size(change, source, call, rank, skips if len(found) == 1 else ())
            yield edit
        yield from _with_size(change, source, call, shape)


def _with_size(change: Change, source: Source, call: ast.Call, shape: str) -> Iterator[Edit]:
    if change.attribute == "output_size":
        if any(keyword.arg in ("output_size", None) for keyword in call.keywords) or len(call.args) > 1:
            raise CannotEditError("that call has further arguments already")
        yield source.with_arguments(call, [f"output_size={shape}"])
    elif change.call.kind == "module":
        name, imports = functional(source, call)
        yield from imports
        yield source.replacing(call, f"{name}.interpolate({_resizing(change, source, call, shape)})")
    else:
        scale = next((k for k in call.keywords if k.arg == "scale_factor"), None)
        if scale is None:
            raise CannotEditError("the call gives no scale_factor by name")
        yield source.replacing(scale, f"size={shape}")
        if any(k.arg == "recompute_scale_factor" for k in call.keywords):
            yield source.with_arguments(call, removing=["recompute_scale_factor"])


def _resizing(change: Change, source: Source, call: ast.Call, shape: str) -> str:
    """The arguments of ``F.interpolate(x, size=…)`` in place of a call of an nn.Upsample."""
    layer = change.call.target
    if len(call.args) != 1 or call.keywords:
        raise CannotEditError("that call has further arguments already")
    options = "" if layer.mode == "nearest" else f', mode="{layer.mode}"'
    if layer.align_corners is not None:
        options += f", align_corners={layer.align_corners}"
    return f"{source.code_of(call.args[0])}, size={shape}{options}"


def _kept_size(change: Change, source: Source, call: ast.Call, rank: int, skips: Sequence[Skip]) -> tuple[str, Edit]:
    """The size from before the encoder step, kept there under a name, as its input has none at the decoder step."""
    function = _function_of(source, call)
    reason = "no variable at that call holds a tensor of this size"
    for skip in skips:
        if skip.up is not change.call or skip.place is None or not skip.direct or function is None:
            continue
        location = skip.place.location()
        down = source.call_at(location) if location.path == str(source.path) else None
        if down is None or _function_of(source, down) is not function:
            reason = (
                f"the size is known where `{skip.name}` is called, and that is another function (line {location.line})"
            )
            continue
        found = _name_for_size(source, function, down, call, skip, rank)
        if found is not None:
            return found
    raise CannotEditError(reason)


def _name_for_size(
    source: Source, function: ast.FunctionDef, down: ast.Call, up: ast.Call, skip: Skip, rank: int
) -> tuple[str, Edit] | None:
    """A name for the size of what an encoder step gets, or for that itself, and the edit that sets it."""
    statement = next((s for s in function.body if down in ast.walk(s)), None)
    used = {n.id for n in ast.walk(function) if isinstance(n, ast.Name)}
    size, value = (f"{skip.name.replace('.', '_')}_{suffix}" for suffix in ("size", "input"))
    if not down.args or statement is None or not size.isidentifier() or used & {size, value}:
        return None
    given = down.args[0]
    if isinstance(given, ast.Name) and isinstance(statement, (ast.Assign, ast.AnnAssign)) and not _rebinds(statement):
        edit = source.adding_statement_before(statement, f"{size} = {given.id}.shape[{2 - rank}:]")
        return (size, edit) if edit is not None else None
    if isinstance(given, (ast.Starred, ast.NamedExpr)) or not _comes_first(source, function, down, up):
        return None
    return f"{value}.shape[{2 - rank}:]", source.before(given, f"{value} := ")


def _comes_first(source: Source, function: ast.FunctionDef, down: ast.Call, up: ast.Call) -> bool:
    """Whether a call is always made before another one gets its last argument."""
    around = [node for node in source.around(down) if node is not function and node in ast.walk(function)]
    if any(isinstance(node, _NOT_ALWAYS) for node in around):
        return False
    inside = any(down in ast.walk(argument) for argument in up.args)
    return inside or (down.end_lineno or down.lineno, down.end_col_offset or 0) <= (up.lineno, up.col_offset)


def _function_of(source: Source, node: ast.AST) -> ast.FunctionDef | None:
    outer = next((n for n in source.around(node) if isinstance(n, Function)), None)
    return outer if isinstance(outer, ast.FunctionDef) else None


def _rebinds(statement: ast.stmt) -> bool:
    """Whether names change while a statement is evaluated."""
    return any(isinstance(node, (ast.NamedExpr, ast.Lambda)) for node in ast.walk(statement))
