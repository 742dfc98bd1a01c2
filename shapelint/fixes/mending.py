"""Proposals from the formulas, verified by analysing the changed model again."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shapelint.diagnostics import Applicability, Fix
from shapelint.fixes.changes import Amendment, Change, ProposedFix, applied
from shapelint.fixes.planning import Skip, plan
from shapelint.network.scales import scale_of
from shapelint.network.steps import Step, Window, parameters_of, spatial_axes, window_of
from shapelint.rules import wording
from shapelint.rules.context import Context, Culprit, Fault, label, operands_of, use_of
from shapelint.sizes import SizeSet, TooComplex, formulas
from shapelint.sizes.domain import Domain

if TYPE_CHECKING:
    from shapelint.api import Analysis
    from shapelint.network import Pair

LARGEST_ADDITION = 64
"""No output_padding beyond this is looked for."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a verified set of changes leads to.

    Attributes:
        good: the sizes that are right afterwards (they come back as they were; else, they run).
        lost: the sizes that are right today and are not afterwards.
    """

    good: SizeSet
    lost: SizeSet
    returning: bool


class Mender:
    """Proposes fixes for one analysed model. Analyses are kept few: one or two for all layers together."""

    def __init__(self, context: Context) -> None:
        self.context = context

    # --- SL101 ---------------------------------------------------------------------------------------

    def for_culprits(self, culprits: Sequence[Culprit]) -> tuple[Fix, ...]:
        """The fixes of one finding."""
        found: list[Fix] = []
        for style in ("parameter", "output_size"):
            joint = self._joint(style)
            if joint is None:
                continue
            changes, outcome = joint
            keys = {id(c) for c in culprits}
            own = [change for change, owners in changes if owners & keys]
            if own:
                found.append(self._described(style, own, [c for c, _ in changes], outcome, _layers_of(culprits)))
        return tuple(dict.fromkeys(found))

    def cures(self) -> bool:
        """Whether some parameters, or sizes told to the decoder, make every expected size right."""
        return self._parameters is not None or self._output_sizes is not None

    @property
    def _culprits(self) -> tuple[Culprit, ...]:
        return self.context.suspects

    def _joint(self, style: str) -> tuple[list[tuple[Change, set[int]]], Outcome] | None:
        return self._parameters if style == "parameter" else self._output_sizes

    @functools.cached_property
    def _parameters(self) -> tuple[list[tuple[Change, set[int]]], Outcome] | None:
        """Another output_padding or padding for every layer to blame, if all together mend everything."""
        collected: dict[object, tuple[Change, set[int]]] = {}
        for culprit in self._culprits:
            changes = self._parameter_changes(culprit)
            if not changes:
                return None
            for change in changes:
                if not _collect(collected, change, culprit):
                    return None
        return self._verified(list(collected.values()))

    @functools.cached_property
    def _output_sizes(self) -> tuple[list[tuple[Change, set[int]]], Outcome] | None:
        """Every decoder step to blame told which size to return."""
        collected: dict[object, tuple[Change, set[int]]] = {}
        for culprit in self._culprits:
            if culprit.pair is None:
                return None
            change = self._size_change(culprit.pair)
            if change is None or not _collect(collected, change, culprit):
                return None
        return self._verified(list(collected.values()))

    def _parameter_changes(self, culprit: Culprit) -> list[Change]:
        if culprit.pair is not None:
            return self._pair_parameters(culprit.pair)
        step = culprit.step
        if step is None or step.window is None:
            return []
        value = _mended_padding(culprit.code, step.window)
        return [] if value is None else [self._on_axis(step, name, new) for name, new in value.items()]

    def _pair_parameters(self, pair: Pair) -> list[Change]:
        up = pair.up[-1]
        if up.window is None or up.window.kind != "conv_transpose" or len(pair.up) > 1:
            return []
        missing = self._missing(pair)
        if missing is not None:
            wanted = up.window.output_padding + missing
            if 0 <= wanted < max(up.window.stride, up.window.dilation):
                return [self._on_axis(up, "output_padding", wanted)]
        if len(pair.down) > 1 or pair.down[0].ratio * up.ratio != 1:
            return []
        return self._exact_both(pair.down[0], up)

    def _exact_both(self, down: Step, up: Step) -> list[Change]:
        """Padding by formula (3) for the encoder step; padding and output_padding by (5) for the decoder's."""
        changes = []
        if down.window is not None and down.window.kind == "conv":
            padding = formulas.downsample_padding(down.window.kernel_size, down.window.stride, down.window.dilation)
            if padding != down.window.padding:
                changes.append(self._on_axis(down, "padding", padding))
        assert up.window is not None
        for name, value in (_mended_padding("SL503", up.window) or {}).items():
            changes.append(self._on_axis(up, name, value))
        return changes

    def _missing(self, pair: Pair) -> int | None:
        """The number of columns that the pair returns too few of, if it is the same at every expected size."""
        made = pair.restored(pair.had)
        if made is None:
            return None
        env = self.context.example(self.context.expected.domain)
        few = self.context.size_at(pair.had, env) - self.context.size_at(made, env)
        return few if abs(few) <= LARGEST_ADDITION and self.context.agree(pair.had, made + few) else None

    def _on_axis(self, step: Step, attribute: str, value: int) -> Change:
        """The change of a parameter on one axis, the other axes as they are."""
        axes = spatial_axes(step.call, len(step.call.outputs[0].sizes))
        old = parameters_of(step.call).get(attribute)
        old = 0 if old is None or isinstance(old, str) else old
        values = list(old) if isinstance(old, (tuple, list)) and len(old) == axes else [_single(old)] * axes
        values[step.axis] = value
        return Change(step.call, attribute, tuple(values))

    def _size_change(self, pair: Pair) -> Change | None:
        up = pair.up[-1]
        attributes = {"conv_transpose": "output_size", "unpool": "output_size", "resize": "size"}
        attribute = attributes.get(up.kind)
        if attribute is None or (up.kind == "conv_transpose" and up.call.kind != "module"):
            return None
        targets: dict[Any, Any] = {}
        for other in self.context.network.pairs:
            same_layer = other.up[-1].call.target is up.call.target and other.up[-1].call.kind == "module"
            same_place = other.up[-1].call.kind != "module" and _same_place(other.up[-1], up)
            if not (same_layer or same_place):
                continue
            key = scale_of(other.given if len(other.up) == 1 else other.up[-1].before)
            if key is None or (key in targets and targets[key] is not other.had):
                return None
            targets[key] = other.had
        return Change(up.call, attribute, targets=targets)

    # --- merges --------------------------------------------------------------------------------------

    def for_merge(self, fault: Fault) -> tuple[Fix, ...]:
        """Resizing the deeper of two feature maps to the other one's size."""
        call = fault.call
        if call is None or call.kind != "function" or self.context.analysis.trace is None:
            return ()
        tensors = [t for t in operands_of(call) if len(t.sizes) > 2]
        if len(tensors) != 2:
            return ()
        depths = [self._depth(t, fault.symbols) for t in tensors]
        moved = 0 if depths[0] < depths[1] else 1
        change = Change(call, "resize", operand=(moved, 1 - moved))
        verified = self._verified([(change, set())], ignoring=(fault,))
        if verified is None:
            return ()
        names = [self._origin_name(t) for t in tensors]
        description = f"resize {names[moved]} to the size of {names[1 - moved]} before `{label(call)}`: "
        description += f"F.interpolate(y, size=x.shape[{2 - len(tensors[0].sizes)}:])"
        description += self._effect(verified[1])
        return (self._fix(description, Applicability.UNSAFE, [change]),)

    def _depth(self, tensor: Any, symbols: Iterable[str]) -> Any:
        producer = self.context.network.producer(tensor)
        states = self.context.network.states.get(producer.index, {}) if producer is not None else {}
        return min((states[s].deepest for s in symbols if s in states), default=1)

    def _origin_name(self, tensor: Any) -> str:
        producer = self.context.network.producer(tensor)
        return f"what `{label(producer)}` returns" if producer is not None and producer.kind != "input" else "the input"

    # --- SL102 ---------------------------------------------------------------------------------------

    def for_step(self, fault: Fault) -> tuple[Fix, ...]:
        """The output_padding of formula (5), or the largest that PyTorch takes."""
        call = fault.call
        if call is None or call.kind != "module":
            return ()
        axes = spatial_axes(call, 0)
        windows = [w for axis in range(-axes, 0) if (w := window_of(call, axis, axes)) is not None]
        exact = [2 * w.padding + w.stride - w.effective for w in windows]
        limits = [max(w.stride, w.dilation) - 1 for w in windows]
        value = tuple(min(max(e, 0), limit) for e, limit in zip(exact, limits, strict=True))
        change = Change(call, "output_padding", value)
        with applied(self.context.analysis.model, [change]):
            after = reanalyse(self.context.analysis)
        if after.trace is None or not after.trace.outcomes:
            return ()
        text = f"output_padding={_value_text(value)}: then {wording.phrase(after.valid_sizes)} run"
        return (self._fix(text, Applicability.SAFE, [change]),)

    # --- verifying -----------------------------------------------------------------------------------

    def _verified(
        self, changes: list[tuple[Change, set[int]]], ignoring: Sequence[Fault] = ()
    ) -> tuple[list[tuple[Change, set[int]]], Outcome] | None:
        """The changes with what they lead to, if every expected size is right afterwards."""
        if not changes:
            return None
        context = self.context
        with applied(context.analysis.model, [change for change, _ in changes]):
            after = reanalyse(context.analysis)
        if after.trace is None or not after.trace.outcomes:
            return None
        wanted = self._curable(ignoring)
        returning = self._returns
        good, before = _right(after, returning), _right(context.analysis, returning)
        names = context.symbols
        expected = context.spatial(wanted)
        try:
            if expected.is_empty() or not expected <= good.project(*names):
                return None
            passed = expected & context.analysis.valid_sizes.project(*names)
            if not passed <= after.valid_sizes.project(*names):
                return None
            return changes, Outcome(good.project(*names), before.project(*names) - good.project(*names), returning)
        except TooComplex:
            return None  # what cannot be compared has not been verified

    def _curable(self, ignoring: Sequence[Fault]) -> Domain:
        """The expected sizes, less those at which something else is wrong."""
        wanted = self.context.expected.domain
        for fault in self.context.suspected:
            if not fault.culprits and fault not in ignoring and not fault.sizes.equals(wanted):
                wanted = wanted.subtract(fault.sizes)
        return wanted

    @functools.cached_property
    def _returns(self) -> bool:
        """Whether the network is meant to return its input's size."""
        trace = self.context.analysis.trace
        assert trace is not None
        if any(fault.kind == "output" for fault in self.context.suspected):
            return True
        return not self.context.analysis.round_trip_sizes.is_empty() and any(
            self.context.main_output(value) is not None for _, value in trace.outcomes
        )

    # --- in words ------------------------------------------------------------------------------------

    def _described(
        self, style: str, own: Sequence[Change], everything: Sequence[Change], outcome: Outcome, layers: set[str]
    ) -> Fix:
        declared = self.context.expected.declared
        others = [c for c in everything if c not in own]
        if style == "output_size":
            text = self._size_text(own)
            in_forward = all(c.call.kind != "module" or not self._in_sequential(c.layer) for c in own)
            applicability = Applicability.SAFE if in_forward else Applicability.MANUAL
        else:
            text = _parameter_text(own, always=any(c.layer not in layers for c in own))
            applicability = Applicability.SAFE if declared else Applicability.UNSAFE
        together = ""
        if others:
            same = style == "output_size" or _parameter_text(others[:1]) == _parameter_text(own[:1])
            said = f"the same for {_layers(others)}" if same else _parameter_text(others, always=True)
            together = f", together with {said}"
        description = f"{text}{together}{self._effect(outcome)}"
        return self._fix(description, applicability, everything)

    def _fix(self, description: str, applicability: Applicability, changes: Sequence[Change]) -> ProposedFix:
        """With the edits of the source; by hand, and why, where they cannot be made."""
        planned = plan(self.context.analysis.model, changes, self._skips(changes))
        if not planned.edits:
            if applicability is not Applicability.MANUAL:
                description += f" (not written by --fix: {planned.why_not})"
            applicability = Applicability.MANUAL
        return ProposedFix(description, applicability, True, planned.edits, self._amendments(changes))

    def _skips(self, changes: Sequence[Change]) -> list[Skip]:
        """The encoder steps whose inputs have the sizes that decoder steps are told."""
        calls = [change.call for change in changes if change.targets is not None]
        return [
            Skip(
                pair.up[-1].call,
                down.place,
                down.layer,
                down.kind == "module" and not self._in_sequential(down.layer),
            )
            for pair in self.context.network.pairs
            if pair.up[-1].call in calls and len(pair.down) == 1 and (down := pair.down[0].call)
        ]

    def _amendments(self, changes: Iterable[Change]) -> tuple[Amendment, ...]:
        return tuple(
            Amendment(
                change.layer,
                change.attribute,
                change.value,
                self._source_layer(change) if change.targets is not None else None,
                use_of(change.call),
            )
            for change in changes
        )

    def _source_layer(self, change: Change) -> str | None:
        pairs = self.context.network.pairs
        return next((p.down[0].call.layer for p in pairs if p.up[-1].call is change.call), None)

    def _size_text(self, own: Sequence[Change]) -> str:
        first = own[0]
        rank = len(self.context.network.operands[first.call.index][0].sizes)
        source = self._source_of(first)
        axes = f"shape[{2 - rank}:]"
        if first.attribute == "size":
            return f"F.interpolate(…, size=skip.{axes}) instead of a scale factor, where skip is {source}"
        text = f"output_size=skip.{axes} in forward, where skip is {source}"
        if first.call.kind == "module" and self._in_sequential(first.layer):
            text += ", with the layers of the nn.Sequential called one by one"
        return text

    def _source_of(self, change: Change) -> str:
        for pair in self.context.network.pairs:
            if pair.up[-1].call is change.call:
                return f"what `{label(pair.down[0].call)}` gets"
        return "the encoder's feature map"

    def _in_sequential(self, layer: str) -> bool:
        parent = layer.rpartition(".")[0]
        return type(self.context.analysis.model.get_submodule(parent)).__name__ == "Sequential"

    def _effect(self, outcome: Outcome) -> str:
        """What it buys and gives up: `` makes … round-trip (… , right today, then do not)``."""
        verb = "come back as they were" if outcome.returning else "run"
        if outcome.good == SizeSet.where(outcome.good.symbols):
            return ": every size serves"
        text = f": then {wording.phrase(outcome.good)} {verb}"
        if not outcome.lost.is_empty():
            text += f" ({_short(outcome.lost)}, right today, then do not)"
        return text


def reanalyse(analysis: Analysis) -> Analysis:
    """The analysis of the same model, as it is now, with the same inputs."""
    return analysis.again()


def _right(analysis: Analysis, returning: bool) -> SizeSet:
    return analysis.round_trip_sizes if returning else analysis.valid_sizes


def _collect(collected: dict[object, tuple[Change, set[int]]], change: Change, culprit: Culprit) -> bool:
    """Add a change; those of one layer's several axes become one. False where they contradict each other."""
    known = collected.get(change.key)
    if known is None:
        collected[change.key] = (change, {id(culprit)})
        return True
    merged = _merge(known[0], change)
    if merged is None:
        return False
    collected[change.key] = (merged, known[1] | {id(culprit)})
    return True


def _merge(a: Change, b: Change) -> Change | None:
    if a.targets is not None and b.targets is not None:
        return a
    old = parameters_of(a.call).get(a.attribute) or 0
    before = old if isinstance(old, (tuple, list)) and len(old) == len(a.value) else [_single(old)] * len(a.value)
    values = []
    for was, x, y in zip(before, a.value, b.value, strict=True):
        if x != was and y != was and x != y:
            return None
        values.append(y if x == was else x)
    return Change(a.call, a.attribute, tuple(values))


def _mended_padding(code: str, window: Window) -> dict[str, int] | None:
    """The parameters with which a step alone does what it is meant to (formulas 2, 3 and 5)."""
    kernel, stride, dilation = window.kernel_size, window.stride, window.dilation
    if code == "SL501":
        total = window.effective - 1
        return {"padding": total // 2} if total % 2 == 0 else None
    if code == "SL502":
        return {"padding": formulas.downsample_padding(kernel, stride, dilation)}
    padding = max(window.padding, 0)
    for candidate in (padding, max(0, -((stride - window.effective) // 2))):
        needed = 2 * candidate + stride - window.effective
        if 0 <= needed < max(stride, dilation):
            return {
                name: value
                for name, value, old in (
                    ("padding", candidate, window.padding),
                    ("output_padding", needed, window.output_padding),
                )
                if value != old
            }
    return None


def _same_place(a: Step, b: Step) -> bool:
    x, y = a.call.place, b.call.place
    return x is not None and y is not None and x.code is y.code and x.instruction == y.instruction


def _single(value: Any) -> int:
    return int(value[0]) if isinstance(value, (tuple, list)) else int(value)


def _parameter_text(own: Sequence[Change], *, always: bool = False) -> str:
    """``output_padding=1``; ``padding=1 for `down` and output_padding=0 for `up```."""
    by_text: dict[str, list[Change]] = {}
    for change in own:
        by_text.setdefault(f"{change.attribute}={_value_text(change.value)}", []).append(change)
    if len(own) == 1 and not always:
        return next(iter(by_text))
    return wording.listed([f"{text} for {_layers(changes)}" for text, changes in by_text.items()])


def _value_text(value: Any) -> str:
    if isinstance(value, tuple) and len(set(value)) == 1:
        return str(value[0])
    return str(value)


def _layers_of(culprits: Iterable[Culprit]) -> set[str]:
    """The layers that a finding speaks of: fixes of others name them."""
    steps = [culprit.pair.up[-1] if culprit.pair is not None else culprit.step for culprit in culprits]
    return {step.layer for step in steps if step is not None}


def _layers(changes: Iterable[Change]) -> str:
    return wording.listed(list(dict.fromkeys(f"`{label(change.call)}`" for change in changes)))


def _short(sizes: SizeSet) -> str:
    text = wording.phrase(sizes)
    if len(text) <= 80:
        return text
    least = sizes.least()
    assert least is not None
    return f"some sizes, such as {wording.at(least, sizes.symbols)}"
