"""Pairs and skips: which decoder step brings back the scale that which encoder step left.

Every spatial axis carries, along the calls, a stack of the encoder steps that are still open: a step to a
smaller scale opens one; a step to a larger scale closes those it undoes, last opened first. The stacks are
linked lists that all tensors share, and each call is looked at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from math import lcm
from typing import TYPE_CHECKING, Any

import networkx as nx

from shapelint.network.scales import scale_of
from shapelint.network.steps import Step, kind_of, product_of, spatial_axes, window_of
from shapelint.sizes import Dim
from shapelint.tracing.record import Call
from shapelint.tracing.tensor import SymbolicTensor

if TYPE_CHECKING:
    from shapelint.api import Analysis

MAX_STRIDE = 1 << 20
"""Total strides beyond this come from fractional scale factors, not from a design."""


_NOT_SPATIAL = frozenset({"N", "B", "C"})


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """Decoder steps that bring back the scale which encoder steps left, on one axis.

    Attributes:
        down: the encoder steps, outermost first (one, unless a decoder step undoes several).
        up: the decoder steps, in order.
        inner: the pair that was closed before this one on the same way, if any.
        base: the size with which the scale was entered, before any padding for the encoder's sake.
    """

    symbol: str
    down: tuple[Step, ...]
    up: tuple[Step, ...]
    inner: Pair | None
    base: Any

    @property
    def had(self) -> Any:
        """The size the encoder had."""
        return self.down[0].before

    @property
    def narrow(self) -> Any:
        """The size the encoder made of it."""
        return self.down[-1].after

    @property
    def given(self) -> Any:
        """The size the decoder starts from."""
        return self.up[0].before

    @property
    def returned(self) -> Any:
        """The size the decoder makes of it."""
        return self.up[-1].after

    @property
    def steps(self) -> tuple[Step, ...]:
        return (*self.down, *self.up)

    def restored(self, width: Any) -> Any:
        """What the pair alone makes of a width; ``None`` where a step's size is given, not calculated."""
        for step in self.steps:
            width = step.width(width)
            if width is None:
                return None
        return width


@dataclass(frozen=True, slots=True, eq=False)
class Skip:
    """A merge of tensors from different depths.

    Attributes:
        call: the ``cat``, ``add``, …
        symbols: the axes on which the depths differ.
        pairs: the decoder's pairs that it confirms, by axis.
    """

    call: Call
    symbols: tuple[str, ...]
    pairs: Mapping[str, Pair]


@dataclass(frozen=True, slots=True, eq=False)
class _Open:
    step: Step
    scale: Fraction
    below: _Open | None
    base: Any


@dataclass(frozen=True, slots=True, eq=False)
class AxisState:
    """What is known of one axis of a tensor: its scale, and the encoder steps that are open there."""

    scale: Fraction
    deepest: Fraction
    base: Any
    stack: _Open | None = None
    rising: tuple[Step, ...] = ()
    closed: Pair | None = None


States = Mapping[str, AxisState]


@dataclass(slots=True)
class Network:
    """The traced network.

    Attributes:
        graph: calls as nodes (their ``index``, with the call itself as "call"), edges from producer to consumer.
        symbols: the spatial input sizes.
        steps: every change of scale, in order of execution.
        pairs: decoder steps with the encoder steps they undo.
        skips: merges of tensors from different depths.
        closing: the pairs that a call completes.
        operands: the tensors a call takes, in order.
        parents: the calls that made them.
        states: the axes of what a call returns.
    """

    graph: nx.DiGraph
    symbols: tuple[str, ...]
    calls: list[Call]
    steps: list[Step] = field(default_factory=list)
    pairs: list[Pair] = field(default_factory=list)
    skips: list[Skip] = field(default_factory=list)
    closing: dict[int, list[Pair]] = field(default_factory=dict)
    changes: dict[int, list[Step]] = field(default_factory=dict)
    operands: dict[int, list[SymbolicTensor]] = field(default_factory=dict)
    parents: dict[int, list[Call]] = field(default_factory=dict)
    states: dict[int, States] = field(default_factory=dict)
    producers: dict[int, Call] = field(default_factory=dict)
    strides: dict[str, int] = field(default_factory=dict)

    def stride(self, symbol: str) -> int:
        """The total stride: the number whose multiples every step divides exactly, if all are made to."""
        return self.strides.get(symbol, 1)

    @property
    def upsamples(self) -> bool:
        return any(step.ratio > 1 for step in self.steps)

    def producer(self, tensor: SymbolicTensor) -> Call | None:
        """The call that made a tensor."""
        return self.producers.get(id(tensor), tensor.call)

    def confirmed(self, pair: Pair) -> bool:
        """Whether a skip merges at the scale that the pair comes back to."""
        return any(skip.pairs.get(pair.symbol) is pair for skip in self.skips)


def build_network(analysis: Analysis) -> Network:
    """The network of an analysis; one without calls where the model could not be traced."""
    calls = analysis.trace.calls if analysis.trace is not None else []
    network = Network(nx.DiGraph(), spatial_symbols(analysis), calls)
    builder = _Builder(network)
    for call in calls:
        builder.add(call)
    return network


def spatial_symbols(analysis: Analysis) -> tuple[str, ...]:
    """The sizes that are neither a batch nor channels: H and W, T, D …"""
    tensors = [v for v in (*analysis.inputs.args, *analysis.inputs.keywords.values()) if isinstance(v, SymbolicTensor)]
    batches = {
        name
        for tensor in tensors
        if len(tensor.sizes) > 1 and isinstance(tensor.sizes[0], Dim)
        for name in tensor.sizes[0].symbols
    }
    return tuple(n for n in analysis.symbols if n not in batches and n not in _NOT_SPATIAL)


class _Builder:
    def __init__(self, network: Network) -> None:
        self.network = network
        self.wanted = frozenset(network.symbols)

    def add(self, call: Call) -> None:
        network = self.network
        tensors = list(tensors_in((call.arguments, call.keywords)))
        parents = [p for p in map(network.producer, tensors) if p is not None]
        network.graph.add_node(call.index, call=call)
        network.graph.add_edges_from((p.index, call.index) for p in parents)
        network.operands[call.index] = tensors
        network.parents[call.index] = parents
        for output in call.outputs:
            network.producers[id(output)] = call
        states = self._merged(call, tensors, parents)
        network.states[call.index] = self._changed(call, tensors, states)

    def _merged(self, call: Call, tensors: list[SymbolicTensor], parents: list[Call]) -> States:
        if not parents:
            return {}
        known = [self.network.states.get(p.index, {}) for p in parents]
        first = known[0]
        if all(states is first for states in known):
            return first
        result: dict[str, AxisState] = {}
        symbols = dict.fromkeys(symbol for states in known for symbol in states)
        skips: list[str] = []
        for symbol in symbols:
            having = [(states[symbol], p.index) for states, p in zip(known, parents, strict=True) if symbol in states]
            # what was deepest in the network is the decoder; of equals the one that was made last
            result[symbol] = min(having, key=lambda entry: (entry[0].deepest, -entry[1]))[0]
            if len({state.deepest for state, _ in having}) > 1 and call.kind != "join":
                skips.append(symbol)
        if skips:
            pairs = {s: closed for s in skips if (closed := result[s].closed) is not None}
            self.network.skips.append(Skip(call, tuple(skips), pairs))
        return result

    def _changed(self, call: Call, tensors: list[SymbolicTensor], states: States) -> States:
        """The axes after the call; the same object where nothing changes."""
        changed: dict[str, AxisState] | None = None
        if not call.outputs:
            return states
        output = call.outputs[0]
        rank = len(output.sizes)
        for position, size in enumerate(output.sizes):
            found = scale_of(size)
            if found is None or found[0] not in self.wanted:
                continue
            symbol, scale = found
            state = states.get(symbol)
            if state is not None and state.scale == scale:
                continue
            if changed is None:
                changed = dict(states)
            if state is None:
                changed[symbol] = AxisState(scale, scale, size)
                self._note_stride(symbol, scale)
            elif changed.get(symbol) is state:
                step = self._step(call, tensors, symbol, position - rank, scale / state.scale, size)
                changed[symbol] = self._after(state, step, scale)
        return states if changed is None else changed

    def _step(
        self, call: Call, tensors: list[SymbolicTensor], symbol: str, axis: int, ratio: Fraction, after: Any
    ) -> Step:
        before = _axis_of(tensors, symbol, axis)
        rank = len(call.outputs[0].sizes)
        axes = spatial_axes(call, rank)
        window = window_of(call, axis, axes) if -axis <= axes else None
        step = Step(call, symbol, axis, before, after, ratio, kind_of(call), window)
        self.network.steps.append(step)
        self.network.changes.setdefault(call.index, []).append(step)
        return step

    def _after(self, state: AxisState, step: Step, scale: Fraction) -> AxisState:
        self._note_stride(step.symbol, scale)
        if scale < state.scale:
            opened = _Open(step, state.scale, state.stack, state.base)
            return AxisState(scale, min(state.deepest, scale), step.after, opened, (), state.closed)
        stack, undone = state.stack, []
        while stack is not None and stack.scale <= scale:
            undone.append(stack)
            stack = stack.below
        rising = (*state.rising, step)
        if not undone or undone[-1].scale != scale:
            return AxisState(scale, state.deepest, step.after, stack, rising, state.closed)
        down = tuple(entry.step for entry in reversed(undone))
        # decoder steps that belong to encoder steps further in have been paired already
        pair = Pair(step.symbol, down, _enough(rising, down), state.closed, undone[-1].base)
        self.network.pairs.append(pair)
        self.network.closing.setdefault(step.call.index, []).append(pair)
        return AxisState(scale, state.deepest, step.after, stack, (), pair)

    def _note_stride(self, symbol: str, scale: Fraction) -> None:
        stride = lcm(self.network.strides.get(symbol, 1), scale.denominator)
        if stride <= MAX_STRIDE:
            self.network.strides[symbol] = stride


def _enough(rising: tuple[Step, ...], down: Iterable[Step]) -> tuple[Step, ...]:
    """The last decoder steps that together undo the encoder's."""
    wanted = 1 / product_of([step.ratio for step in down])
    for count in range(1, len(rising) + 1):
        if product_of([step.ratio for step in rising[-count:]]) == wanted:
            return rising[-count:]
    return rising


def _axis_of(tensors: list[SymbolicTensor], symbol: str, axis: int) -> Any:
    """The size, before a call, of the axis that grows with ``symbol``: at the same place, or wherever it is."""
    for tensor in tensors:
        if -axis <= len(tensor.sizes) and (found := scale_of(tensor.sizes[axis])) and found[0] == symbol:
            return tensor.sizes[axis]
    for tensor in tensors:
        for size in tensor.sizes:
            if (found := scale_of(size)) and found[0] == symbol:
                return size
    return None


def tensors_in(value: Any) -> Iterator[SymbolicTensor]:
    """The symbolic tensors in nested arguments, in order."""
    if isinstance(value, SymbolicTensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from tensors_in(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from tensors_in(item)
