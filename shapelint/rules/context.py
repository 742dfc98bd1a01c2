"""What all rules look at: the expected sizes, what goes wrong there, and which steps are to blame for it.

The way from a symptom to its cause is found once, here, so that one cause is told once: every call carries
the steps that changed a size on the way to it and were not made up for; a merge of two sizes that agree
(a crop, a pad or an ``output_size`` before it saw to that) clears the list.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from shapelint.diagnostics import Fix, Location
from shapelint.network import ExpectedSizes, Network, Pair, Step, construction_of, expected_sizes
from shapelint.network.expected import is_collapse
from shapelint.network.graph import tensors_in
from shapelint.network.scales import scale_of
from shapelint.network.steps import function_name, kind_of, spatial_axes, window_of
from shapelint.sizes import Condition, Dim, SizeSet, TooComplex, product
from shapelint.sizes.condition import Member
from shapelint.sizes.dim import evaluate
from shapelint.sizes.domain import Domain
from shapelint.tracing.record import Accident, Call, Failure, Place
from shapelint.tracing.running import tensors
from shapelint.tracing.tensor import SymbolicTensor

if TYPE_CHECKING:
    from shapelint.api import Analysis

USUAL_SIZE = 64
"""Examples are given at the least size from here on: one recognises one's own case in them."""


@dataclass(frozen=True, slots=True, eq=False)
class Culprit:
    """A step, or a pair of steps, that changes a size which it should not change.

    Attributes:
        code: the rule that tells of it.
        pair: for SL101.
        step: for SL501 to SL503.
        sizes: the expected sizes at which it does.
    """

    code: str
    symbol: str
    sizes: Domain
    pair: Pair | None = None
    step: Step | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Fault:
    """Something that goes wrong at expected sizes.

    Attributes:
        kind: "merge", "channels", "output_padding", "collapse", "refused" or "output".
        sizes: the expected sizes concerned.
        example: one of them.
        failures: what the trace recorded (none for "output").
        call: the operation at which it shows.
        symbols: the axes concerned.
        culprits: the steps to blame, where they are known.
    """

    kind: str
    sizes: Domain
    example: dict[str, int]
    failures: tuple[Failure, ...] = ()
    call: Call | None = None
    symbols: tuple[str, ...] = ()
    culprits: tuple[Culprit, ...] = ()
    value: Any = None


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    """A ``view(-1, n)`` that takes another number of features an image than ``n`` into the batch.

    Attributes:
        features: how many one image has.
        columns: n.
        right: the expected sizes at which they are equal.
        example: one at which they are not.
    """

    call: Call
    features: Any
    columns: int
    right: Domain
    example: dict[str, int]


class Mends(Protocol):
    """What proposes fixes."""

    def for_culprits(self, culprits: Sequence[Culprit]) -> tuple[Fix, ...]: ...
    def for_fault(self, fault: Fault) -> tuple[Fix, ...]: ...
    def for_accident(self, call: Call) -> tuple[Fix, ...]: ...
    def for_fold(self, fold: Fold) -> tuple[Fix, ...]: ...
    def hindrance(self, fault: Fault) -> str: ...
    def cures(self) -> bool: ...


Carried = Mapping[str, tuple[Culprit, ...]]


@dataclass
class Context:
    """One analysed model, and what the rules ask about it.

    Attributes:
        selected: the codes that were asked for by name; empty where the defaults stand.
        mender: proposes fixes; without one findings have none.
    """

    analysis: Analysis
    selected: frozenset[str] = frozenset()
    mender: Mends | None = None
    _sites: dict[str, Location | None] = field(default_factory=dict)

    @property
    def network(self) -> Network:
        return self.analysis.network

    @functools.cached_property
    def expected(self) -> ExpectedSizes:
        return expected_sizes(self.analysis, self.network)

    @property
    def symbols(self) -> tuple[str, ...]:
        return self.network.symbols

    @property
    def model(self) -> str:
        return self.analysis.name

    @property
    def certainty(self) -> str:
        return self.analysis.certainty

    # --- sets of sizes -------------------------------------------------------------------------------

    def differ(self, a: Any, b: Any, among: Domain) -> Domain | None:
        """The sizes at which two sizes differ; ``None`` where they never do, or where it cannot be told."""
        if a is b or a is None or b is None:
            return None
        try:
            found = among.restrict(a != b)
        except TooComplex:
            return None
        return None if found.is_empty() else found

    def agree(self, a: Any, b: Any, among: Domain | None = None) -> bool:
        """Whether two sizes are equal at every expected size."""
        if a is b:
            return True
        domain = self.expected.domain if among is None else among
        try:
            return domain.status(a == b) is True
        except TooComplex:
            return False

    def spatial(self, domain: Domain) -> SizeSet:
        return SizeSet(domain.project(self.symbols))

    def example(self, sizes: Domain) -> dict[str, int]:
        """A member: the least one that looks like an image, else the least."""
        spatial = self.spatial(sizes)
        if not self.symbols:
            return sizes.sample() or {}
        point = spatial.next_at_least(**dict.fromkeys(self.symbols, USUAL_SIZE)) or spatial.least()
        assert point is not None
        rest = sizes.fix(point).sample() or {}
        return {**rest, **point}

    # --- causes --------------------------------------------------------------------------------------

    @functools.cached_property
    def transparent(self) -> dict[int, bool]:
        """For each pair whether its decoder starts from what its encoder made, were the pairs inside of it exact."""
        result: dict[int, bool] = {}
        for pair in self.network.pairs:
            inner = pair.inner
            result[id(pair)] = self.agree(pair.narrow, pair.given) or (
                inner is not None
                and result.get(id(inner), False)
                and self.agree(pair.narrow, inner.had)
                and self.agree(inner.returned, pair.given)
            )
        return result

    @functools.cached_property
    def lossy(self) -> dict[int, Culprit]:
        """The pairs that do not restore the size their encoder step had, at some expected sizes."""
        result: dict[int, Culprit] = {}
        for pair in self.network.pairs:
            if pair.had is None or not self.transparent[id(pair)]:
                continue
            made = pair.restored(pair.had)
            if made is None:
                made = pair.returned if self.agree(pair.narrow, pair.given) else None
            wrong = self.differ(made, pair.had, self.expected.domain)
            if wrong is not None and pair.base is not pair.had:
                # padded for the encoder step's sake (F.pad before an unpadded convolution): either size will do
                wrong = self.differ(made, pair.base, wrong)
            if wrong is not None:
                result[id(pair)] = Culprit("SL101", pair.symbol, wrong, pair=pair)
        return result

    @functools.cached_property
    def inexact(self) -> dict[int, list[Culprit]]:
        """By call: single steps that are off by what their parameters were meant to keep (SL501 to SL503)."""
        paired = {id(step) for pair in self.network.pairs for step in pair.steps}
        result: dict[int, list[Culprit]] = {}
        for step in self.network.steps:
            if id(step) not in paired and (found := self._inexact_stride(step)):
                result.setdefault(step.call.index, []).append(found)
        for call in self.network.calls:
            for found in self._not_same(call):
                result.setdefault(call.index, []).append(found)
        return result

    def _inexact_stride(self, step: Step) -> Culprit | None:
        window = step.window
        if window is None or window.absolute or step.before is None or window.stride == 1:
            return None
        sizes = self.expected.domain
        if window.transposed:
            wrong = self.differ(step.after, step.before * window.stride, sizes)
            return Culprit("SL503", step.symbol, wrong, step=step) if wrong is not None else None
        if window.kind != "conv" or not self.agree(step.before % window.stride, 0):
            return None
        wrong = self.differ(step.after * window.stride, step.before, sizes)
        return Culprit("SL502", step.symbol, wrong, step=step) if wrong is not None else None

    def _not_same(self, call: Call) -> Iterator[Culprit]:
        if kind_of(call) not in ("conv", "conv_transpose") or not call.outputs:
            return
        after = call.outputs[0].sizes
        before = self.network.operands[call.index][0].sizes
        axes = spatial_axes(call, len(after))
        for axis in range(-axes, 0):
            found = scale_of(after[axis])
            if after[axis] is before[axis] or found is None or found[0] not in self.symbols:
                continue
            window = window_of(call, axis, axes)
            if window is None or window.absolute or window.stride != 1:
                continue
            off = 2 * window.padding - (window.effective - 1)
            if abs(off) == 1 and (window.padding or window.kind == "conv"):
                step = Step(call, found[0], axis, before[axis], after[axis], found[1] / found[1], window.kind, window)
                yield Culprit("SL501", found[0], self.expected.domain, step=step)

    @functools.cached_property
    def carried(self) -> dict[int, Carried]:
        """By call: the culprits on the way to it, per axis, that nothing has made up for."""
        result: dict[int, Carried] = {}
        for call in self.network.calls:
            result[call.index] = self._carried_by(call, result)
        return result

    def _carried_by(self, call: Call, known: Mapping[int, Carried]) -> Carried:
        parents = self.network.parents[call.index]
        carried: Carried = {}
        if parents:
            given = [known.get(p.index, {}) for p in parents]
            carried = given[0]
            if any(other is not carried for other in given):
                carried = self._merged(call, given)
        own = [self.lossy[id(p)] for p in self.network.closing.get(call.index, ()) if id(p) in self.lossy]
        own += self.inexact.get(call.index, [])
        for culprit in own:
            carried = {**carried, culprit.symbol: (*carried.get(culprit.symbol, ()), culprit)}
        return carried

    def _merged(self, call: Call, given: list[Carried]) -> Carried:
        result: dict[str, tuple[Culprit, ...]] = {}
        operands = self.network.operands[call.index]
        for symbol in dict.fromkeys(s for c in given for s in c):
            sizes = [_axes_of(t, symbol) for t in operands]
            clean = [size for size, c in zip(sizes, given, strict=False) if size and not c.get(symbol)]
            if clean and all(
                len(size) == len(clean[0]) and all(map(self.agree, size, clean[0])) for size in sizes if size
            ):
                continue
            result[symbol] = tuple(dict.fromkeys(culprit for c in given for culprit in c.get(symbol, ())))
        return result

    # --- symptoms ------------------------------------------------------------------------------------

    @functools.cached_property
    def faults(self) -> tuple[Fault, ...]:
        """Everything that goes wrong at expected sizes, each once."""
        if self._made_for_others:
            return tuple(fault for fault in self.suspected if fault.kind != "output")
        return self.suspected

    @functools.cached_property
    def suspected(self) -> tuple[Fault, ...]:
        """What goes wrong at expected sizes, if these are the ones the network is made for."""
        if self.analysis.trace is None:
            return ()
        return (*self._failures(), *self._wrong_outputs())

    @functools.cached_property
    def _made_for_others(self) -> bool:
        """Whether the sizes that come back are others than those assumed, and nothing could change that.

        A causal video codec returns 8k + 1 frames as they were: it is not wrong at 8k, but made for 8k + 1. An
        autoencoder that lacks an output_padding returns 8k + 1 too; there a parameter mends the multiples of 8.
        """
        if self.expected.declared or all(fault.kind != "output" for fault in self.suspected):
            return False
        returning = self.analysis.round_trip_sizes.project(*self.symbols)
        if returning.is_empty() or not (returning & self.expected.sizes).is_empty():
            return False
        return self.mender is None or not self.mender.cures()

    def _failures(self) -> Iterator[Fault]:
        assert self.analysis.trace is not None
        groups: dict[object, list[tuple[Failure, Domain]]] = {}
        folding = {id(fold.call) for fold in self.folds}
        for failure in self.analysis.trace.failures:
            if id(failure.call) in folding:
                continue  # told as SL304; which sizes fail depends on the batch
            try:
                sizes = failure.sizes().intersect(self.expected.domain)
            except TooComplex:
                continue  # a refusal that no set expresses has ended the trace with "enumerated" already
            sizes = self._never_running(sizes)
            if not sizes.is_empty():
                key = (failure.layer, _place_key(failure.place), failure.reason if failure.call else str(failure.error))
                groups.setdefault(key, []).append((failure, sizes))
        for members in groups.values():
            if not self.symbols and members[0][0].condition is not None:
                continue  # there is no size to expect anything of
            sizes = members[0][1]
            for _, other in members[1:]:
                sizes = sizes.unite(other)
            first = members[0][0]
            example = self._example_of(first, members[0][1])
            symbols, culprits = self._blame(first.call, sizes, broadcasts="broadcast" in first.reason)
            kind = _kind_of(first, bool(symbols))
            failures = tuple(f for f, _ in members)
            yield Fault(kind, sizes, example, failures, first.call, symbols, culprits if kind == "merge" else ())

    def _never_running(self, sizes: Domain) -> Domain:
        """Without the sizes that run all the same: a norm refuses one image of 1 x 1, and takes a batch of two."""
        if not self.symbols or sizes.is_empty():
            return sizes
        refused, running = self.spatial(sizes), self.spatial(self.analysis._domain)
        if (refused & running).is_empty():
            return sizes
        for placed in (refused - running).domain.distinct():
            sizes = sizes.restrict(Member(placed))
        return sizes

    def _example_of(self, failure: Failure, sizes: Domain) -> dict[str, int]:
        """Sizes that this failure refuses: equal on all axes where that is one of them."""
        env = self.example(sizes)
        if self.symbols:
            square = {**env, **dict.fromkeys(self.symbols, max(env[s] for s in self.symbols))}
            if sizes.contains(square):
                return square
        return env

    def _blame(
        self, call: Call | None, sizes: Domain, *, broadcasts: bool
    ) -> tuple[tuple[str, ...], tuple[Culprit, ...]]:
        """The axes on which a merge's operands differ, and the culprits on the way to them."""
        if call is None:
            return (), ()
        own = [self.lossy[id(p)] for p in self.network.closing.get(call.index, ()) if id(p) in self.lossy]
        if own and kind_of(call) == "unpool":
            return tuple(culprit.symbol for culprit in own), tuple(own)
        operands = list(operands_of(call))
        if len(operands) < 2:
            return (), ()
        symbols: dict[str, None] = {}
        culprits: dict[Culprit, None] = {}
        first = operands[0]
        for other in operands[1:]:
            for symbol in self._differing(first, other, sizes, broadcasts):
                symbols[symbol] = None
        for operand in operands if symbols else ():
            producer = self.network.producer(operand)
            carried = self.carried.get(producer.index, {}) if producer else {}
            for symbol in symbols:
                culprits.update(dict.fromkeys(carried.get(symbol, ())))
        return tuple(symbols), tuple(culprits)

    def _differing(self, a: SymbolicTensor, b: SymbolicTensor, sizes: Domain, broadcasts: bool) -> Iterator[str]:
        for x, y in zip(reversed(a.sizes), reversed(b.sizes), strict=False):
            if x is y or not (isinstance(x, Dim) or isinstance(y, Dim)):
                continue
            if broadcasts and any(type(size) is int and size == 1 for size in (x, y)):
                continue  # it is another axis that is refused
            found = scale_of(x) or scale_of(y)
            if found and found[0] in self.symbols and self.differ(x, y, sizes) is not None:
                yield found[0]

    def _wrong_outputs(self) -> Iterator[Fault]:
        """Expected sizes that run and do not come back, in a network that is an encoder and a decoder."""
        assert self.analysis.trace is not None
        for domain, value in self.analysis.trace.outcomes:
            tensor = self.main_output(value)
            if tensor is None:
                continue
            given = self.analysis.inputs.main_shape()[2:]
            wrong: Domain | None = None
            symbols: list[str] = []
            culprits: dict[Culprit, None] = {}
            producer = self.network.producer(tensor)
            carried = self.carried.get(producer.index, {}) if producer else {}
            for size, wanted in zip(tensor.sizes[2:], given, strict=True):
                found = scale_of(wanted)
                differing = self.differ(size, wanted, self.expected.domain.intersect(domain))
                if differing is None or found is None:
                    continue
                wrong = differing if wrong is None else wrong.unite(differing)
                symbols.append(found[0])
                culprits.update(dict.fromkeys(carried.get(found[0], ())))
            if wrong is not None:
                yield Fault("output", wrong, self.example(wrong), (), producer, tuple(symbols), tuple(culprits), tensor)

    def main_output(self, value: Any) -> SymbolicTensor | None:
        """The output that is meant to have the input's size: same rank and scale, from an encoder and a decoder."""
        given = self.analysis.inputs.main_shape()
        if len(given) < 3:
            return None
        tensor = next((t for t in tensors(value) if len(t.sizes) == len(given)), None)
        producer = self.network.producer(tensor) if tensor is not None else None
        if tensor is None or producer is None:
            return None
        states = self.network.states.get(producer.index, {})
        for size, wanted in zip(tensor.sizes[2:], given[2:], strict=True):
            if isinstance(wanted, Dim) and (scale_of(size) != scale_of(wanted) or scale_of(wanted) is None):
                return None
        closed = any(state.closed is not None for state in states.values())
        return tensor if closed else None

    @functools.cached_property
    def accidents(self) -> tuple[tuple[Accident, Domain], ...]:
        """Expected sizes that run only because something happens to be 1."""
        assert self.analysis.trace is not None
        found = []
        for accident in self.analysis.trace.accidents:
            try:
                sizes = accident.domain.restrict(accident.condition).intersect(self.expected.domain)
                sizes = self._unavoidable(sizes)
            except TooComplex:
                continue  # which sizes these are cannot be told, and nothing is claimed of them
            if not sizes.is_empty():
                found.append((accident, sizes))
        return tuple(found)

    def _unavoidable(self, sizes: Domain) -> Domain:
        """Without the sizes at which another batch or another number of channels does without the accident."""
        if not self.symbols or sizes.is_empty():
            return sizes
        others = self.spatial(self.expected.domain.intersect(self.analysis._domain).subtract(sizes))
        for placed in (self.spatial(sizes) - others).domain.distinct():
            sizes = sizes.restrict(Member(placed))
        return sizes

    @functools.cached_property
    def blamed(self) -> tuple[tuple[Culprit, tuple[Fault, ...]], ...]:
        """Every culprit that something goes wrong for, with what goes wrong."""
        return self._blamed_for(self.faults)

    @functools.cached_property
    def suspects(self) -> tuple[Culprit, ...]:
        """The culprits of everything suspected."""
        return tuple(culprit for culprit, _ in self._blamed_for(self.suspected))

    def _blamed_for(self, faults: Sequence[Fault]) -> tuple[tuple[Culprit, tuple[Fault, ...]], ...]:
        result: dict[Culprit, list[Fault]] = {}
        for fault in faults:
            for culprit in fault.culprits:
                result.setdefault(culprit, []).append(fault)
        if any(c.code == "SL101" for c in result):
            # further up nothing arrives at these sizes, and still the same must be mended there
            for culprit in self.lossy.values():
                if culprit not in result and culprit.sizes.intersect(self.analysis._domain).is_empty():
                    result[culprit] = []
        return tuple((culprit, tuple(found)) for culprit, found in result.items())

    def where(self, condition: Any) -> Domain | None:
        """The expected sizes for which a condition holds; ``None`` if there are none, or it cannot be told."""
        try:
            found = self.expected.domain.restrict(condition)
        except TooComplex:
            return None
        return None if found.is_empty() else found

    @functools.cached_property
    def folds(self) -> tuple[Fold, ...]:
        """Where an expected size changes the batch."""
        found = [_fold_of(call) for call in self.network.calls]
        folds = []
        for fold in found:
            if fold is None:
                continue
            call, features, columns = fold
            right = self.where(features == columns)
            wrong = self.where(features != columns)
            if wrong is not None:
                none = self.expected.domain._emptied()
                folds.append(Fold(call, features, columns, right or none, self._largest(wrong)))
        return tuple(folds)

    def _largest(self, wrong: Domain) -> dict[str, int]:
        """An example above the sizes that are right: images are rather too large than too small."""
        return self.example(wrong)

    # --- fixes ---------------------------------------------------------------------------------------

    def fixes(self, culprits: Sequence[Culprit]) -> tuple[Fix, ...]:
        """What mends these, verified."""
        return self.mender.for_culprits(culprits) if self.mender is not None else ()

    def fault_fixes(self, fault: Fault) -> tuple[Fix, ...]:
        """What mends a fault that no single layer is to blame for, verified."""
        return self.mender.for_fault(fault) if self.mender is not None else ()

    def unmended(self, fault: Fault, why: str, fixes: Sequence[Fix]) -> str:
        """The reason for a fault, and where there is no fix for it, the reason for that."""
        hindrance = self.mender.hindrance(fault) if self.mender is not None and not fixes else ""
        return f"{why}; no fix: {hindrance}" if hindrance else why

    def fold_fixes(self, fold: Fold) -> tuple[Fix, ...]:
        """What keeps a batch from changing with the size, verified."""
        return self.mender.for_fold(fold) if self.mender is not None else ()

    def accident_fixes(self, call: Call) -> tuple[Fix, ...]:
        """What keeps a merge from broadcasting by accident, verified."""
        return self.mender.for_accident(call) if self.mender is not None else ()

    # --- places and names ------------------------------------------------------------------------------

    def site(self, call: Call | None) -> Location | None:
        """Where a call's layer was constructed; for a function, where it is called."""
        if call is None:
            return None
        if call.kind != "module":
            return call.place.location() if call.place else None
        if call.layer not in self._sites:
            self._sites[call.layer] = construction_of(self.analysis.model, call.layer)
        return self._sites[call.layer] or (call.place.location() if call.place else None)

    def class_site(self) -> Location | None:
        return construction_of(self.analysis.model, "")

    def size_at(self, size: Any, env: Mapping[str, int]) -> int:
        return int(evaluate(size, env))


def use_of(call: Call | None) -> Location | None:
    """Where a call stands in ``forward``."""
    return call.place.location() if call is not None and call.place is not None else None


def label(call: Call) -> str:
    """What messages call an operation: its path in the model, or the function's name."""
    if call.kind == "module":
        return call.layer or type(call.target).__name__
    return function_name(call.target).strip("_").removesuffix("_with_indices")


def described(call: Call) -> str:
    """``up.0``, or the function with the layer whose forward calls it: ``cat in up1``."""
    name = f"`{label(call)}`"
    return name if call.kind == "module" or not call.layer else f"{name} in `{call.layer}`"


def kind_of_failure(failure: Failure) -> str:
    """The kind of fault a failure is, told from itself alone."""
    operands = list(operands_of(failure.call)) if failure.call is not None else []
    return _kind_of(failure, len(operands) > 1)


def _fold_of(call: Call) -> tuple[Call, Any, int] | None:
    """The call, the features of one image and the columns, if it is a ``view(-1, n)`` of a batch of images."""
    if call.kind != "function" or function_name(call.target) not in ("view", "reshape", "_unsafe_view"):
        return None
    shape = call.arguments[1:] or (call.keywords.get("shape") or call.keywords.get("size"),)
    if len(shape) == 1 and isinstance(shape[0], (tuple, list)):
        shape = tuple(shape[0])
    source = call.arguments[0]
    if not shape or type(shape[0]) is not int or shape[0] != -1 or not isinstance(source, SymbolicTensor):
        return None
    batch, columns = source.sizes[0], product(shape[1:])
    if not isinstance(batch, Dim) or batch.symbols != ("N",) or type(columns) is not int:
        return None
    if call.outputs and call.outputs[0].sizes[0] is batch:
        return None
    features = product(source.sizes[1:])
    if len(shape) != 2 or len(source.sizes) < 3 or not isinstance(features, Dim):
        return None
    # rows that are whole tokens or pixels (the last axes as they are) are meant
    trailing = [product(source.sizes[start:]) for start in range(2, len(source.sizes))]
    whole = any(type(size) is int and size == columns for size in trailing)
    return None if whole else (call, features, columns)


def spatial_operands(call: Call, symbols: Iterable[str]) -> list[list[Any]]:
    """The sizes of a merge's operands along the axes of some input sizes."""
    wanted = frozenset(symbols)
    return [
        [size for size in tensor.sizes if (found := scale_of(size)) and found[0] in wanted]
        for tensor in operands_of(call)
    ]


def _kind_of(failure: Failure, merge: bool) -> str:
    reason = failure.reason
    if failure.error is not None:
        return "refused"
    if reason.startswith("output_padding"):
        return "output_padding"
    if "channels" in reason and (failure.condition is None or not _spatial(failure.condition)):
        return "channels"
    if merge:
        return "merge"
    if failure.condition is not None and _of_channels(failure):
        return "channels"
    return "collapse" if is_collapse(failure) else "refused"


def _spatial(condition: Condition) -> bool:
    return any(symbol not in ("N", "C") for symbol in condition.support())


def _of_channels(failure: Failure) -> bool:
    """Do tensors meet whose numbers of channels alone differ?"""
    assert failure.condition is not None
    several = failure.call is not None and len(list(operands_of(failure.call))) > 1
    return several and "C" in failure.condition.support() and not _spatial(failure.condition)


def _place_key(place: Place | None) -> object:
    return None if place is None else (place.code, place.instruction)


def operands_of(call: Call) -> Iterator[SymbolicTensor]:
    """The tensors a call takes, in order."""
    return tensors_in((call.arguments, call.keywords))


def _axes_of(tensor: SymbolicTensor, symbol: str) -> list[Any]:
    return [size for size in tensor.sizes if (found := scale_of(size)) and found[0] == symbol]
