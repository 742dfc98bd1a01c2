"""Which changes may mend a fault that no single layer is to blame for. Nothing here is verified."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import networkx as nx

from shapelint.fixes.changes import Change
from shapelint.fixes.operands import Refit, larger_ones
from shapelint.fixes.padded_input import PaddedInput
from shapelint.fixes.uneven import Uneven
from shapelint.network.scales import scale_of
from shapelint.network.steps import Window, kind_of, parameters_of, spatial_axes, window_of
from shapelint.rules.context import Context, operands_of
from shapelint.sizes import Dim, SizeSet, TooComplex, formulas
from shapelint.tracing.record import Call
from shapelint.tracing.running import tensors

if TYPE_CHECKING:
    from shapelint.tracing.tensor import SymbolicTensor

_RANKS = (3, 4, 5)
_LARGEST_MULTIPLE = 4096


# --- padding -----------------------------------------------------------------------------------------------


def keeping(context: Context, call: Call, axes_off: Iterable[int]) -> list[Change]:
    """Changes with which a convolution of stride 1 returns the size it gets, along some axes (formula 2).

    An integer padding where there is one; ``padding="same"`` where that says what is meant; else the smaller half on
    both sides and the odd column at the end.
    """
    rank = len(call.outputs[0].sizes)
    axes = spatial_axes(call, rank)
    windows = {axis: window_of(call, axis, axes) for axis in range(-axes, 0)}
    off = [axis for axis in axes_off if windows[axis] is not None]
    if not off or any(w is None for w in windows.values()):
        return []
    known = {axis: w for axis, w in windows.items() if w is not None}
    halves = {axis: (known[axis].effective - 1) // 2 for axis in off}
    if all(known[axis].effective % 2 for axis in off):
        return [with_padding(call, halves, axes)]
    if kind_of(call) == "conv" and all(_nearly_same(window) for window in known.values()):
        return [Change(call, "padding", "same")]
    if call.kind == "module" and getattr(call.target, "padding_mode", "zeros") != "zeros":
        return []
    more = 1 if kind_of(call) == "conv" else -1
    ends = tuple(more if axis in off and known[axis].effective % 2 == 0 else 0 for axis in range(-axes, 0))
    changed = [with_padding(call, halves, axes)] if any(known[a].padding != p for a, p in halves.items()) else []
    return [*changed, Uneven(call, "pad", ends, alone=_alone(context, call))]


def _nearly_same(window: Window) -> bool:
    return window.stride == 1 and abs(2 * window.padding - (window.effective - 1)) <= 1


def with_padding(call: Call, values: dict[int, int], axes: int, attribute: str = "padding") -> Change:
    """Another value of a parameter along some axes (counted from the end), the others as they are."""
    old = parameters_of(call).get(attribute)
    if old is None or isinstance(old, str):
        old = 0
    if isinstance(old, (tuple, list)):
        everywhere = list(old) if len(old) == axes else [int(old[0])] * axes
    else:
        everywhere = [int(old)] * axes
    for axis, value in values.items():
        everywhere[axis] = value
    return Change(call, attribute, tuple(everywhere))


def _alone(context: Context, call: Call) -> bool:
    """Whether the place in the source calls this layer only."""
    place = call.place
    return place is not None and all(
        other.target is call.target
        for other in context.network.calls
        if other.place is not None and other.place.code is place.code and other.place.instruction == place.instruction
    )


def exact(context: Context, merge: Call, symbols: Sequence[str]) -> list[Change]:
    """All convolutions between where the operands of a merge part and the merge itself, made exact (2, 3 and 5)."""
    changes: list[Change] = []
    for call in _between(context, merge):
        changes += _made_exact(context, call, symbols)
    return changes


def _between(context: Context, merge: Call) -> Iterator[Call]:
    """The convolutions on the way to some operands of a merge, and not to all of them."""
    graph = context.network.graph
    producers = [p for t in operands_of(merge) if (p := context.network.producer(t)) is not None]
    ways = [nx.ancestors(graph, p.index) | {p.index} for p in producers if p.index in graph]
    if not ways:
        return
    own = set.union(*ways) - set.intersection(*ways)
    told: set[object] = set()
    for call in context.network.calls:
        key = call.layer if call.kind == "module" else (call.place and (call.place.code, call.place.instruction))
        if call.index in own and kind_of(call) in ("conv", "conv_transpose") and call.outputs and key not in told:
            told.add(key)
            yield call


def _made_exact(context: Context, call: Call, symbols: Sequence[str]) -> list[Change]:
    after = call.outputs[0].sizes
    axes = spatial_axes(call, len(after))
    alike: list[int] = []
    values: dict[int, int] = {}
    added: dict[int, int] = {}
    for axis in range(-axes, 0):
        found = scale_of(after[axis])
        window = window_of(call, axis, axes)
        if found is None or found[0] not in symbols or window is None or window.absolute:
            continue
        if window.stride == 1:
            alike += [axis] if 2 * window.padding != window.effective - 1 else []
        elif window.transposed:
            needed = mended_upsampling(window) or {}
            values.update({axis: needed["padding"]} if "padding" in needed else {})
            added.update({axis: needed["output_padding"]} if "output_padding" in needed else {})
        else:
            padding = formulas.downsample_padding(window.kernel_size, window.stride, window.dilation)
            if (2 * window.padding - window.effective + window.stride) not in range(window.stride):
                values[axis] = padding
    changes = keeping(context, call, alike) if alike and not values else []
    changes += [with_padding(call, values, axes)] if values else []
    return changes + ([with_padding(call, added, axes, "output_padding")] if added else [])


def mended_upsampling(window: Window) -> dict[str, int] | None:
    """The padding and output_padding with which a transposed convolution multiplies by its stride (formula 5)."""
    padding = max(window.padding, 0)
    for candidate in (padding, max(0, -((window.stride - window.effective) // 2))):
        needed = 2 * candidate + window.stride - window.effective
        if 0 <= needed < max(window.stride, window.dilation):
            old = {"padding": window.padding, "output_padding": window.output_padding}
            new = {"padding": candidate, "output_padding": needed}
            return {name: value for name, value in new.items() if value != old[name]}
    return None


def taken(call: Call) -> Change | None:
    """The output_padding of formula (5), or the largest that PyTorch takes; ``None`` if they hang on the input."""
    axes = spatial_axes(call, 0)
    windows = [w for axis in range(-axes, 0) if (w := window_of(call, axis, axes)) is not None]
    if len(windows) < axes:
        return None
    exact = [2 * w.padding + w.stride - w.effective for w in windows]
    limits = [max(w.stride, w.dilation) - 1 for w in windows]
    values = tuple(min(max(e, 0), limit) for e, limit in zip(exact, limits, strict=True))
    return Change(call, "output_padding", values)


# --- merges ------------------------------------------------------------------------------------------------


def resized(context: Context, call: Call, symbols: Sequence[str]) -> Refit | None:
    """The deeper feature maps of a merge in the size of the shallowest one."""
    found = _mergeable(context, call)
    if found is None:
        return None
    # of those at one depth, the one that was made first: the rest has come a longer way
    like = max(range(len(found)), key=lambda i: (_depth(context, found[i], symbols), -_made(context, found[i])))
    moved = _different(context, found, like)
    return Refit(call, "resize", None, moved=moved, like=like, rank=len(found[0].sizes)) if moved else None


def cropped(context: Context, call: Call, env: dict[str, int]) -> Refit | None:
    """The larger feature maps of a merge in the size of the smallest one."""
    found = _mergeable(context, call)
    if found is None:
        return None
    chosen = larger_ones([[context.size_at(size, env) for size in tensor.sizes[2:]] for tensor in found])
    if chosen is None or not chosen[0]:
        return None
    return Refit(call, "crop", None, moved=chosen[0], like=chosen[1], rank=len(found[0].sizes))


def _mergeable(context: Context, call: Call) -> list[SymbolicTensor] | None:
    """The operands of a merge of feature maps; None where they are something else."""
    found = list(operands_of(call))
    if call.kind != "function" or len(found) < 2 or len({len(t.sizes) for t in found}) != 1:
        return None
    if len(found[0].sizes) not in _RANKS or not all(_is_feature_map(context, tensor) for tensor in found):
        return None
    return found


def _is_feature_map(context: Context, tensor: SymbolicTensor) -> bool:
    """A batch, channels, and sizes that come from the input's."""
    _, channels, *spatial = tensor.sizes
    grown = [found[0] for size in spatial if (found := scale_of(size)) is not None]
    plain = not isinstance(channels, Dim) or not set(channels.symbols) & set(context.symbols)
    return plain and bool(grown) and set(grown) <= set(context.symbols)


def _depth(context: Context, tensor: SymbolicTensor, symbols: Iterable[str]) -> Any:
    producer = context.network.producer(tensor)
    states = context.network.states.get(producer.index, {}) if producer is not None else {}
    return min((states[s].deepest for s in symbols if s in states), default=1)


def _made(context: Context, tensor: SymbolicTensor) -> int:
    producer = context.network.producer(tensor)
    return producer.index if producer is not None else 0


def _different(context: Context, found: Sequence[SymbolicTensor], like: int) -> tuple[int, ...]:
    wanted = found[like].sizes[2:]
    return tuple(
        i for i, tensor in enumerate(found) if i != like and not all(map(context.agree, tensor.sizes[2:], wanted))
    )


# --- the input ---------------------------------------------------------------------------------------------


def padded_input(context: Context, right: SizeSet) -> PaddedInput | None:
    """The input padded to the next of the sizes that are right already, and the output cropped."""
    analysis = context.analysis
    x = _only_input(context)
    if x is None or analysis.trace is None:
        return None
    steps: list[tuple[int, int]] = []
    for size in x.sizes[2:]:
        step = _step(right, str(size))
        if step is None:
            return None
        steps.append(step)
    if all(multiple == 1 for multiple, _ in steps):
        return None
    crops = {_crops(context, value, x) for _, value in analysis.trace.outcomes}
    if len(crops) != 1:
        return None
    assert x.call is not None
    return PaddedInput(
        x.call,
        "input",
        tuple(multiple for multiple, _ in steps),
        residue=tuple(residue for _, residue in steps),
        model=next(kind for kind in type(analysis.model).__mro__ if "forward" in vars(kind)).__name__,
        crops=crops.pop(),
    )


def _only_input(context: Context) -> SymbolicTensor | None:
    """The model's image or signal, if it is all that the model gets and each of its axes has a size of its own."""
    inputs = context.analysis.inputs
    given = [t for t in (*inputs.args, *inputs.keywords.values()) if hasattr(t, "sizes")]
    if len(given) != 1 or not inputs.args or given[0] is not inputs.args[0] or len(given[0].sizes) not in _RANKS:
        return None
    names = [str(size) for size in given[0].sizes[2:]]
    return given[0] if sorted(names) == sorted(context.symbols) else None


def _step(right: SizeSet, symbol: str) -> tuple[int, int] | None:
    """The multiples, and how much more than these, that an axis' right sizes are."""
    try:
        axis = right.project(symbol).axis(symbol)
    except TooComplex:
        return None
    if axis.start is None or not axis.residues or axis.modulus > _LARGEST_MULTIPLE:
        return None
    return axis.modulus, 0 if 0 in axis.residues else min(axis.residues)


def _crops(context: Context, output: Any, x: SymbolicTensor) -> tuple[int, ...]:
    """For each tensor that is returned by how much it is larger than the input; 0 for one of another kind."""
    found = []
    for tensor in tensors(output):
        factors = set()
        for size, wanted in zip(tensor.sizes[2:], x.sizes[2:], strict=False):
            grown, own = scale_of(size), scale_of(wanted)
            factors.add(grown[1] if grown is not None and own is not None and grown[0] == own[0] else 0)
        factor = factors.pop() if len(factors) == 1 and len(tensor.sizes) == len(x.sizes) else 0
        found.append(int(factor) if factor == int(factor) else 0)
    return tuple(found)
