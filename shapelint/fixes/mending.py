"""Proposals from the formulas, verified by analysing the changed model again."""

from __future__ import annotations

import functools
import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import nn

from shapelint.diagnostics import Applicability, Diagnostic, Fix, Severity
from shapelint.fixes import proposing
from shapelint.fixes.changes import Amendment, Change, ProposedFix, Rewrite, applied, layer_of
from shapelint.fixes.consumers import Fitted, fitted, shape_text
from shapelint.fixes.flattening import Flattened
from shapelint.fixes.operands import Refit
from shapelint.fixes.planning import Skip, plan
from shapelint.fixes.uneven import Uneven
from shapelint.fixes.writing import in_sequential
from shapelint.network.expected import without_collapse
from shapelint.network.scales import scale_of
from shapelint.network.steps import Step, spatial_axes
from shapelint.rules import check, wording
from shapelint.rules.context import Context, Culprit, Fault, Fold, described, label, operands_of, use_of
from shapelint.sizes import SizeSet, TooComplex, formulas
from shapelint.sizes.domain import Domain
from shapelint.words import plural

if TYPE_CHECKING:
    from shapelint.api import Analysis
    from shapelint.network import Pair
    from shapelint.tracing.record import Call

_MOST_COUNTED = 100

LARGEST_ADDITION = 64
"""No output_padding beyond this is looked for."""

_MOST_ROUNDS = 12
"""A decoder of more levels than this is not mended level by level."""

_MOST_LAYERS = 16
"""No more layers than this are fitted to what they get, one after the other."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a verified set of changes leads to.

    Attributes:
        good: the sizes that are right afterwards (they come back as they were; else, they run).
        lost: the sizes that are right today and are not afterwards.
        stopped: the sizes that run today, right or not, and do not afterwards.
    """

    good: SizeSet
    lost: SizeSet
    stopped: SizeSet
    returning: bool


Collected = dict[object, tuple[Change, set[int]]]
"""Changes by what they change, each with the identities of the culprits that ask for it."""

Joint = tuple[list[tuple[Change, set[int]]], Outcome]
"""Changes that mend everything together, and what they lead to."""

Proposal = Callable[["Mender", Culprit], list[Change]]
"""The changes for one culprit; none where there is none of a kind."""


class Mender:
    """Proposes fixes for one analysed model. Analyses are kept few: one or two for all layers together."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self._pairs = list(context.network.pairs) if context.analysis.trace is not None else []

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
        told = tuple(dict.fromkeys(found))
        return told if any(fix.edits for fix in told) else (*told, *self._around_the_layers)

    @functools.cached_property
    def _around_the_layers(self) -> tuple[Fix, ...]:
        """What can be done where no layer can be told what to return: at the merges, and to the input."""
        faults = [fault for fault in self.context.suspected if fault.culprits]
        merges = {_place_of(f.call): (f.call, f.symbols) for f in faults if f.kind == "merge" and f.call is not None}
        symbols = tuple(dict.fromkeys(s for _, own in merges.values() for s in own))
        found = self._resized([call for call, _ in merges.values()], symbols, ())
        return (*([found] if found is not None else []), *self._with_padded_input(None))

    def cures(self) -> bool:
        """Whether some parameters, or sizes told to the decoder, make every expected size right."""
        return self._parameters is not None or self._output_sizes is not None

    @property
    def _culprits(self) -> tuple[Culprit, ...]:
        return self.context.suspects

    def _joint(self, style: str) -> Joint | None:
        return self._parameters if style == "parameter" else self._output_sizes

    @functools.cached_property
    def _parameters(self) -> Joint | None:
        """Another output_padding or padding for every layer to blame, if all together mend everything."""
        return self._in_turn(Mender._parameter_changes)

    @functools.cached_property
    def _output_sizes(self) -> Joint | None:
        """Every decoder step to blame told which size to return."""
        return self._in_turn(Mender._size_changes)

    def _in_turn(self, proposed: Proposal) -> Joint | None:
        """Changes for all layers to blame, if together they mend everything.

        A network that fails at its first merge cannot be followed beyond it. So what is found once that is mended is
        mended as well, until nothing is left.
        """
        collected = self._proposals(proposed)
        for _ in range(_MOST_ROUNDS):
            if not collected:
                return None
            with applied(self.context.analysis.model, [change for change, _ in collected.values()]):
                after = reanalyse(self.context.analysis)
                outcome = self._judged(after)
                if outcome is not None:
                    return list(collected.values()), outcome
                if after.trace is None:
                    return None
                later = Mender(Context(after))
                further = later._proposals(proposed)
            self._pairs.extend(later.context.network.pairs)
            if not further or not _extend(collected, further):
                return None
        return None

    def _proposals(self, proposed: Proposal) -> Collected:
        """The changes for all layers to blame; nothing where one of them has none, or two contradict each other."""
        collected: Collected = {}
        for culprit in self._culprits:
            changes = proposed(self, culprit)
            if not changes or not all(self._collect(collected, change, culprit) for change in changes):
                return {}
        return collected

    def _collect(self, collected: Collected, change: Change, culprit: Culprit) -> bool:
        """Add a change; those of one layer's several axes become one. False where they contradict each other."""
        layer = layer_of(self.context.analysis.model, change.call)
        key = change.key if layer is None else (id(layer), change.attribute)
        known = collected.get(key)
        merged = change if known is None else _merge(known[0], change)
        if merged is None:
            return False
        collected[key] = merged, {id(culprit)} | (known[1] if known is not None else set())
        return True

    def _parameter_changes(self, culprit: Culprit) -> list[Change]:
        if culprit.pair is not None:
            return self._pair_parameters(culprit.pair)
        step = culprit.step
        if step is None or step.window is None:
            return []
        if culprit.code == "SL501":
            same = [c.step.axis for c in self._culprits if c.code == "SL501" and c.step and c.step.call is step.call]
            return proposing.keeping(self.context, step.call, same)
        if culprit.code == "SL502":
            window = step.window
            padding = formulas.downsample_padding(window.kernel_size, window.stride, window.dilation)
            return [self._on_axis(step, "padding", padding)]
        found = proposing.mended_upsampling(step.window) or {}
        return [self._on_axis(step, name, new) for name, new in found.items()]

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
        for name, value in (proposing.mended_upsampling(up.window) or {}).items():
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
        return proposing.with_padding(step.call, {step.axis: value}, axes, attribute)

    def _size_changes(self, culprit: Culprit) -> list[Change]:
        if culprit.pair is None:
            return []
        change = self._size_change(culprit.pair)
        return [] if change is None else [change]

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

    # --- faults that no pair of layers is to blame for -------------------------------------------------

    def for_fault(self, fault: Fault) -> tuple[Fix, ...]:
        """The fixes of one fault, the best first."""
        if self.context.analysis.trace is None:
            return ()
        found: list[Fix | None] = []
        if fault.kind == "merge" and fault.call is not None:
            found.append(self._padded(fault.call, fault.symbols, (fault,)))
            found += [self._resized([fault.call], fault.symbols, (fault,)), self._cropped(fault)]
        if fault.kind in ("channels", "refused"):
            found.append(self._fitted(fault))
        if fault.kind == "output_padding":
            found.append(self._taken(fault))
        told = tuple(fix for fix in found if fix is not None)
        return told if any(fix.edits for fix in told) else (*told, *self._with_padded_input(fault))

    def for_accident(self, call: Call) -> tuple[Fix, ...]:
        """The fixes of a broadcast by accident."""
        symbols = self.context.symbols
        found = self._padded(call, symbols, (), cures="SL202"), self._resized([call], symbols, (), cures="SL202")
        return tuple(fix for fix in found if fix is not None)

    def for_fold(self, fold: Fold) -> tuple[Fix, ...]:
        """The images flattened one by one, and the layers behind fitted to the declared size."""
        if not self.context.expected.declared:
            return ()
        flattened = Flattened(fold.call, "flatten")
        found = self._fitted_with([flattened], (), "SL304")
        if found is None:
            return ()
        changes, outcome = found
        fits = [change for change in changes if isinstance(change, Fitted)]
        text = f"x.flatten(1) in place of `{label(fold.call)}`"
        if fits:
            return (self._described_fit(changes, outcome, f"{text}, and {_parameter_text(fits, always=True)}"),)
        return (self._fix(f"{text}{self._effect(outcome)}", Applicability.SAFE, changes),)

    def hindrance(self, fault: Fault) -> str:
        """Why nothing mends a fault, where that can be said."""
        if fault.call is None or fault.kind not in ("channels", "refused"):
            return ""
        if any(isinstance(value, nn.Parameter) for value in fault.call.arguments):
            return "a parameter has a fixed size there: make the model for the size that you use"
        change = fitted(fault.call, fault.example)
        if isinstance(change, str):
            return change
        if change is not None and change.attribute == "in_features" and not self.context.expected.declared:
            return "which in_features is right depends on the size of the input: declare yours (--size 224x224)"
        return ""

    def _padded(self, call: Call, symbols: Sequence[str], ignoring: Sequence[Fault], cures: str = "") -> Fix | None:
        """Padding by the formulas, for every convolution on only one of the ways to a merge; then to those behind."""
        context, changes = self.context, list[Change]()
        for _ in range(_MOST_LAYERS):
            known = {change.key for change in changes}
            more = [change for change in proposing.exact(context, call, symbols) if change.key not in known]
            if not more:
                return None
            changes += more
            outcome = self._leads_to(changes, ignoring, cures)
            if outcome is not None:
                text = f"{_parameter_text(changes, always=True)}{self._effect(outcome)}"
                return self._fix(text, self._of_parameters(changes, outcome), changes)
            context = self._changed(changes)
            found = _merges(context)
            if found is None:
                return None
            call, symbols = found
        return None

    def _changed(self, changes: Sequence[Change]) -> Context:
        """What there is to say of the model with some changes."""
        with applied(self.context.analysis.model, changes):
            context = Context(reanalyse(self.context.analysis))
            _ = context.faults  # looked at while the model is changed
        return context

    def _of_parameters(self, changes: Sequence[Change], outcome: Outcome) -> Applicability:
        """Safe for declared sizes. Else, if no size is traded for another; an output_padding does unless all serve."""
        moves = any(change.attribute == "output_padding" for change in changes)
        trades = not (_is_everything(outcome.good) if moves else outcome.lost.is_empty())
        return Applicability.UNSAFE if trades and not self.context.expected.declared else Applicability.SAFE

    def _resized(
        self, calls: Sequence[Call], symbols: Sequence[str], ignoring: Sequence[Fault], cures: str = ""
    ) -> Fix | None:
        """The deeper feature maps of merges in the size of the others."""
        found = [proposing.resized(self.context, call, symbols) for call in calls]
        changes = [change for change in found if change is not None]
        outcome = self._leads_to(changes, ignoring, cures) if len(changes) == len(found) else None
        if outcome is None:
            return None
        text = wording.listed([f"{self._moved_text(change, 'resize')}" for change in changes])
        text += f": F.interpolate(y, size=x.shape[-{changes[0].axes}:])"
        return self._fix(f"{text}{self._effect(outcome)}", Applicability.UNSAFE, changes)

    def _cropped(self, fault: Fault) -> Fix | None:
        """The larger feature maps of a merge cropped about their middle."""
        assert fault.call is not None
        change = proposing.cropped(self.context, fault.call, fault.example)
        outcome = self._leads_to([change], (fault,)) if change is not None else None
        if change is None or outcome is None:
            return None
        text = f"{self._moved_text(change, 'crop')}, about the middle{self._effect(outcome)}"
        return self._fix(text, Applicability.UNSAFE, [change])

    def _moved_text(self, change: Refit, verb: str) -> str:
        names = [self._origin_name(tensor) for tensor in operands_of(change.call)]
        moved = wording.listed([names[i] for i in change.moved])
        return f"{verb} {moved} to the size of {names[change.like]} before `{label(change.call)}`"

    def _origin_name(self, tensor: Any) -> str:
        producer = self.context.network.producer(tensor)
        return f"what `{label(producer)}` returns" if producer is not None and producer.kind != "input" else "the input"

    def _fitted(self, fault: Fault) -> Fix | None:
        """Every layer that gets another number of channels or features than it takes, with that number."""
        change = fitted(fault.call, fault.example) if fault.call is not None else None
        found = self._fitted_with([change], (fault,)) if isinstance(change, Fitted) else None
        if found is None:
            return None
        changes, outcome = found
        return self._described_fit(changes, outcome, _parameter_text(changes, always=True))

    def _fitted_with(
        self, changes: Sequence[Change], ignoring: Sequence[Fault], cures: str = ""
    ) -> tuple[list[Change], Outcome] | None:
        """Changes, and those of the layers behind that then get another number than they take."""
        changes = list(changes)
        for _ in range(_MOST_LAYERS):
            outcome = self._leads_to(changes, ignoring, cures)
            if outcome is not None:
                return changes, outcome
            faults = self._changed(changes).faults
            found = next((f for f in faults if f.kind in ("channels", "refused") and f.call is not None), None)
            change = fitted(found.call, found.example) if found is not None and found.call is not None else None
            if not isinstance(change, Fitted) or any(change.key == known.key for known in changes):
                return None
            changes.append(change)
        return None

    def _described_fit(self, changes: Sequence[Change], outcome: Outcome, text: str) -> Fix:
        expected = self.context.expected.sizes
        effect = self._effect(outcome)
        if self.context.expected.declared and expected.is_finite():
            at = wording.points(expected, self.context.symbols)
            folds = any(isinstance(change, Flattened) for change in changes)
            lost = ", and other sizes raise" if folds else _lost_text(outcome)
            effect = f": then {at} {'run' if ' and ' in at else 'runs'}{lost}"
        shapes = [shape_text(change) for change in changes if isinstance(change, Fitted)]
        more = "; ".join([*filter(None, shapes), "checkpoints saved before no longer load"])
        return self._fix(f"{text}{effect}; {more}", Applicability.UNSAFE, changes, reshapes=True)

    def _with_padded_input(self, fault: Fault | None) -> tuple[Fix, ...]:
        """The input padded to the next size that is right already, and the output cropped."""
        names = self.context.symbols
        if not names:
            return ()
        right = _right(self.context.analysis, self._returns).project(*names)
        change = proposing.padded_input(self.context, right)
        outcome = self._leads_to([change], (fault,) if fault is not None else ()) if change is not None else None
        if change is None or outcome is None:
            return ()
        crop = " and crop the output to the input's size" if any(change.crops) else ""
        text = f"pad the input with zeros to the next size that is right today ({change.sizes_text()}){crop}"
        return (self._fix(f"{text}{self._effect(outcome)}", Applicability.UNSAFE, [change]),)

    def _taken(self, fault: Fault) -> Fix | None:
        """An output_padding that PyTorch takes, for every layer that has another one: further ones come to light."""
        changes: list[Change] = []
        call = fault.call
        while call is not None and len(changes) < _MOST_LAYERS:
            change = proposing.taken(call)
            if change is None or any(change.key == known.key for known in changes):
                return None
            changes.append(change)
            with applied(self.context.analysis.model, changes):
                after = reanalyse(self.context.analysis)
                if after.trace is None:
                    return None
                runs = not after.valid_sizes.is_empty()
                refused = (f.call for f in Context(after).faults if f.kind == "output_padding")
                call = None if runs else next(refused, None)
            if runs:
                text = f"{_parameter_text(changes)}: then {wording.phrase(after.valid_sizes)} run"
                return self._fix(text, Applicability.SAFE, changes)
        return None

    # --- verifying -----------------------------------------------------------------------------------

    def _leads_to(self, changes: Sequence[Change], ignoring: Sequence[Fault] = (), cures: str = "") -> Outcome | None:
        """What changes lead to, if every expected size is right afterwards, and no finding is new.

        Args:
            changes: to be made together.
            ignoring: what is mended by them, where no layer is to blame for it.
            cures: the code of the finding that must be gone, where all sizes run already.
        """
        if not changes:
            return None
        with applied(self.context.analysis.model, changes):
            return self._judged(reanalyse(self.context.analysis), ignoring, cures)

    def _judged(self, after: Analysis, ignoring: Sequence[Fault] = (), cures: str = "") -> Outcome | None:
        """The same of an analysis of the changed model, while it is changed."""
        if after.trace is None or not after.trace.outcomes:
            return None
        wanted = self._curable(ignoring)
        if not self.context.expected.declared:
            # where nothing has run so far it was not known which sizes are too small
            wanted = without_collapse(after, wanted)
        outcome = self._outcome(after, wanted)
        if outcome is None:
            return None
        found = _kinds(check(after))
        gone = self._found - found
        if found - self._found or (cures and not any(code == cures for code, *_ in gone)):
            return None
        return outcome

    def _outcome(self, after: Analysis, wanted: Domain) -> Outcome | None:
        """The sizes that are right afterwards; None where an expected one is not, or one that ran does not any more."""
        context, names = self.context, self.context.symbols
        expected = context.spatial(wanted)
        try:
            returning = self._returns or self._comes_to_return(after, expected)
            good, before = _right(after, returning), _right(context.analysis, returning)
            if expected.is_empty() or not expected <= good.project(*names):
                return None
            ran, runs = context.analysis.valid_sizes.project(*names), after.valid_sizes.project(*names)
            if not expected & ran <= runs:
                return None
            lost = before.project(*names) - good.project(*names)
            return Outcome(good.project(*names), lost, ran - runs, returning)
        except TooComplex:
            return None  # what cannot be compared has not been verified

    @functools.cached_property
    def _found(self) -> Counter[tuple[str, str]]:
        """The findings that there are, without fixes."""
        return _kinds(check(self.context.analysis))

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
        if any(fault.kind == "output" and fault.culprits for fault in self.context.suspected):
            return True
        return not self.context.analysis.round_trip_sizes.is_empty() and any(
            self.context.main_output(value) is not None for _, value in trace.outcomes
        )

    def _comes_to_return(self, after: Analysis, expected: SizeSet) -> bool:
        """Whether a network of which nothing could be seen, as no expected size runs, turns out to be meant to."""
        names = self.context.symbols
        ran = expected & self.context.analysis.valid_sizes.project(*names)
        return ran.is_empty() and not expected.is_empty() and expected <= after.round_trip_sizes.project(*names)

    # --- in words ------------------------------------------------------------------------------------

    def _described(
        self, style: str, own: Sequence[Change], everything: Sequence[Change], outcome: Outcome, layers: set[str]
    ) -> Fix:
        others = [c for c in everything if c not in own]
        if style == "output_size":
            text = self._size_text(own)
            in_forward = all(
                c.call.kind != "module" or not in_sequential(self.context.analysis.model, c.layer) for c in own
            )
            applicability = Applicability.SAFE if in_forward else Applicability.MANUAL
        else:
            text = _parameter_text(own, always=any(c.layer not in layers for c in own))
            applicability = self._of_parameters(everything, outcome)
        together = ""
        if others:
            same = style == "output_size" or _parameter_text(others[:1]) == _parameter_text(own[:1])
            said = f"the same for {_layers(others)}" if same else _parameter_text(others, always=True)
            together = f", together with {said}"
        description = f"{text}{together}{self._effect(outcome)}"
        return self._fix(description, applicability, everything)

    def _fix(
        self, description: str, applicability: Applicability, changes: Sequence[Change], *, reshapes: bool = False
    ) -> ProposedFix:
        """With the edits of the source; by hand, and why, where they cannot be made."""
        planned = plan(self.context.analysis.model, changes, self._skips(changes))
        if not planned.edits:
            if applicability is not Applicability.MANUAL:
                description += f" (not written by --fix: {planned.why_not})"
            applicability = Applicability.MANUAL
        return ProposedFix(description, applicability, True, planned.edits, reshapes, self._amendments(changes))

    def _skips(self, changes: Sequence[Change]) -> list[Skip]:
        """The encoder steps whose inputs have the sizes that decoder steps are told."""
        calls = [change.call for change in changes if change.targets is not None]
        return [
            Skip(
                pair.up[-1].call,
                down.place,
                label(down),
                down.kind != "module" or not in_sequential(self.context.analysis.model, down.layer),
            )
            for pair in self._pairs
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
        return next((p.down[0].call.layer for p in self._pairs if p.up[-1].call is change.call), None)

    def _size_text(self, own: Sequence[Change]) -> str:
        first = own[0]
        rank = len(self.context.network.operands[first.call.index][0].sizes)
        source = self._source_of(first)
        axes = f"shape[{2 - rank}:]"
        if first.attribute == "size":
            return f"F.interpolate(…, size=skip.{axes}) instead of a scale factor, where skip is {source}"
        text = f"output_size=skip.{axes} in forward, where skip is {source}"
        if first.call.kind == "module" and in_sequential(self.context.analysis.model, first.layer):
            text += ", with the layers of the nn.Sequential called one by one"
        return text

    def _source_of(self, change: Change) -> str:
        for pair in self._pairs:
            if pair.up[-1].call is change.call:
                return f"what `{label(pair.down[0].call)}` gets"
        return "the encoder's feature map"

    def _effect(self, outcome: Outcome) -> str:
        """What it buys and gives up: `` makes … round-trip (… , right today, then do not)``."""
        verb = "come back as they were" if outcome.returning else "run"
        if _is_everything(outcome.good):
            return ": every size serves"
        phrase = wording.phrase(outcome.good)
        text = f": then {'sizes of ' if phrase.startswith('at least') else ''}{phrase} {verb}"
        return text + _lost_text(outcome)


def reanalyse(analysis: Analysis) -> Analysis:
    """The analysis of the same model, as it is now, with the same inputs."""
    return analysis.again()


def _kinds(findings: Iterable[Diagnostic]) -> Counter[tuple[str, str]]:
    """What findings that matter are about."""
    return Counter((f.code, f.layer or f.message) for f in findings if f.severity is not Severity.NOTE)


def _right(analysis: Analysis, returning: bool) -> SizeSet:
    return analysis.round_trip_sizes if returning else analysis.valid_sizes


def _extend(collected: Collected, further: Collected) -> bool:
    """Add what came to light later, of which no finding tells yet; False where it is nothing new."""
    news = False
    for key, (change, _) in further.items():
        known, owners = collected.get(key, (None, set()))
        if known is not None and known.targets is not None:
            targets = {**known.targets, **(change.targets or {})}
            change = Change(known.call, known.attribute, targets=targets)
            news |= targets.keys() != known.targets.keys()
        else:
            news |= known is None or known.value != change.value
        collected[key] = change, owners
    return news


def _merge(a: Change, b: Change) -> Change | None:
    if a.targets is not None and b.targets is not None:
        return a
    if isinstance(a, Rewrite) or isinstance(a.value, str) or isinstance(b.value, str):
        return a if a.value == b.value else None
    merged = dict(enumerate(proposing.with_padding(a.call, {}, len(a.value), a.attribute).value))
    for axis, was in list(merged.items()):
        x, y = a.value[axis], b.value[axis]
        if x != was and y != was and x != y:
            return None
        merged[axis] = y if x == was else x
    return Change(a.call, a.attribute, tuple(merged.values()))


def _merges(context: Context) -> tuple[Call, Sequence[str]] | None:
    """A merge of sizes that differ, or that broadcast by accident, and the axes along which they do."""
    for fault in context.faults:
        if fault.kind == "merge" and fault.call is not None:
            return fault.call, fault.symbols
    if context.analysis.trace is None:
        return None
    return next(((a.call, context.symbols) for a, _ in context.accidents if a.call is not None), None)


def _same_place(a: Step, b: Step) -> bool:
    return a.call.place is not None and _place_of(a.call) == _place_of(b.call)


def _place_of(call: Call) -> object:
    return call.place and (call.place.code, call.place.instruction)


def _single(value: Any) -> int:
    return int(value[0]) if isinstance(value, (tuple, list)) else int(value)


def _parameter_text(own: Sequence[Change], *, always: bool = False) -> str:
    """``output_padding=1``; ``padding=1 for `down` and output_padding=0 for `up```."""
    by_text: dict[str, list[Change]] = {}
    around = [change.text() for change in own if isinstance(change, Uneven)]
    for change in own:
        if not isinstance(change, Uneven):
            by_text.setdefault(f"{change.attribute}={_value_text(change.value)}", []).append(change)
    if len(own) == 1 and not always and by_text:
        return next(iter(by_text))
    return wording.listed([*(f"{text} for {_layers(changes)}" for text, changes in by_text.items()), *around])


def _value_text(value: Any) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, tuple) and len(set(value)) == 1:
        return str(value[0])
    return str(value)


def _layers_of(culprits: Iterable[Culprit]) -> set[str]:
    """The layers that a finding speaks of: fixes of others name them."""
    steps = [culprit.pair.up[-1] if culprit.pair is not None else culprit.step for culprit in culprits]
    return {step.layer for step in steps if step is not None}


def _layers(changes: Iterable[Change]) -> str:
    return wording.listed(list(dict.fromkeys(_called(change.call) for change in changes)))


def _called(call: Call) -> str:
    """A layer's name, and a function's with the place from where it is called."""
    if call.kind == "module" or call.layer or call.place is None:
        return described(call)
    return f"`{label(call)}` in line {call.place.location().line}"


def _is_everything(sizes: SizeSet) -> bool:
    return sizes == SizeSet.where(sizes.symbols)


def _lost_text(outcome: Outcome) -> str:
    """What is given up: sizes that are right today, and (where that is not the same) those that run at all."""
    lost, stopped = outcome.lost, outcome.stopped
    known = outcome.returning and not stopped.is_empty() and stopped <= lost
    then = "do not" if not known else "do not run" if lost <= stopped else "do not, or do not run"
    text = "" if lost.is_empty() else f" ({_short(lost)}, right today, then {then})"
    if known or not outcome.returning or stopped.is_empty():
        return text
    number = len(list(itertools.islice(stopped.enumerate(_MOST_COUNTED), _MOST_COUNTED))) if stopped.is_finite() else 0
    some = f"{plural(number, 'size')} " if 0 < number < _MOST_COUNTED else "sizes "
    return f"{text}; {some}that {'ran no longer runs' if number == 1 else 'ran no longer run'}: {_short(stopped)}"


def _short(sizes: SizeSet) -> str:
    text = wording.phrase(sizes)
    if len(text) <= 80 and not (len(sizes.symbols) > 1 and sizes.is_finite()):
        return text
    least = sizes.least()
    assert least is not None
    return f"some sizes, such as {wording.at(least, sizes.symbols)}"
