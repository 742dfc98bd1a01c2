"""The analysis as people use it: ``analyze(model)`` and what it can be asked."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from torch import fx, nn
from torch.nn.modules.conv import _ConvNd

from shapelint import enumerating
from shapelint.contracts import Contract, contract_of, declared_inputs
from shapelint.diagnostics import Diagnostic
from shapelint.limits import Limits
from shapelint.ops import plugins
from shapelint.sizes import Dim, SizeSet, TooComplex, Undecided, all_of
from shapelint.sizes.domain import Domain
from shapelint.sizes.expr import is_count
from shapelint.tracing import Trace, places, trace
from shapelint.tracing.inferring import candidates, integer_candidates
from shapelint.tracing.inputs import InputError, Inputs, readings, usual_dtype
from shapelint.tracing.loops.symbols import names_in
from shapelint.tracing.running import Runner, shapes, tensors
from shapelint.tracing.state import modules_by_name
from shapelint.tracing.tensor import SymbolicTensor

if TYPE_CHECKING:
    from shapelint.enumerating import Enumeration, Search
    from shapelint.helpers.fields import ReceptiveField
    from shapelint.helpers.records import AnalysisRecord
    from shapelint.network import Network


class Analysis:
    """What is known of a model's sizes. Made by :func:`analyze`.

    Attributes:
        model: the model that was analysed.
        name: what messages call it.
        symbols: the names of the input sizes that can vary.
        certainty: "proven", "probed" or "enumerated".
        certainty_reasons: what cost the certainty, if anything did.
        contract: what the model's class promises, where the inputs were taken from it or left to it.
    """

    def __init__(
        self,
        model: nn.Module,
        name: str,
        inputs: Inputs,
        sizes: Any,
        found: Trace | None,
        reasons: tuple[str, ...],
        limits: Limits,
        *,
        training: bool = False,
    ) -> None:
        self.model = model
        self.name = name
        self.inputs = inputs
        self.declared_sizes = sizes
        self.trace = found
        self.limits = limits
        self.training = training
        self.contract: Contract | None = None
        self.certainty_reasons = reasons or (tuple(found.probes) if found else ())
        self.certainty = "enumerated" if found is None else "probed" if found.probes else "proven"

    @functools.cached_property
    def _runner(self) -> Runner:
        return Runner(self.model, self.inputs.fresh(), training=self.training)

    @functools.cached_property
    def _domain(self) -> Domain:
        """All sizes that run, over every symbol."""
        if self.trace is None:
            return self.enumeration.domain(self.inputs.symbols)
        result: Domain | None = None
        for domain, _ in self.trace.outcomes:
            result = domain if result is None else result.unite(domain)
        return result if result is not None else Domain.positive(self.inputs.symbols)._emptied()

    @functools.cached_property
    def enumeration(self) -> Enumeration:
        """What running the model at each size of a range shows: the answer where it could not be traced."""
        return enumerating.enumerate_sizes(self)

    @functools.cached_property
    def _search(self) -> Search:
        """The search for a size at which a model runs that could not be traced."""
        return enumerating.working_size(self)

    @functools.cached_property
    def _pinned(self) -> dict[str, int]:
        """A number of channels that the layers leave no choice in, be it called C here or by the user."""
        if "C" not in self.inputs.symbols:
            return {}
        if self.trace is None:
            base = self._search.found
            return {"C": base["C"]} if base is not None else {}
        points = self._domain.project(["C"]).factors["C"].region.points(1)
        return {"C": points[0][0]} if points else {}

    @property
    def symbols(self) -> tuple[str, ...]:
        return tuple(n for n in self.inputs.symbols if n not in self._pinned)

    @property
    def input_shape(self) -> tuple[Any, ...]:
        """The first input's shape, with pinned sizes as numbers."""
        return tuple(
            self._pinned.get(str(size), size) if isinstance(size, Dim) else size for size in self.inputs.main_shape()
        )

    @functools.cached_property
    def valid_sizes(self) -> SizeSet:
        """The sizes for which the model runs."""
        return SizeSet(self._domain.fix(self._pinned))

    @functools.cached_property
    def round_trip_sizes(self) -> SizeSet:
        """The sizes for which the output's spatial size equals the input's."""
        if self.trace is None:
            return enumerating.round_trips(self)
        result: Domain | None = None
        for domain, value in self.trace.outcomes:
            kept = domain.restrict(self.returns_input_size(value))
            result = kept if result is None else result.unite(kept)
        if result is None:
            return self.valid_sizes
        return SizeSet(result.fix(self._pinned))

    def returns_input_size(self, value: Any) -> Any:
        """The condition that an output has its input's spatial size (the first tensor of the same rank is meant)."""
        given = self.inputs.main_shape()
        for tensor in tensors(value):
            if len(tensor.sizes) == len(given) and len(given) > 2:
                if any(map(is_count, names_in(tensor.sizes))):
                    return False
                return all_of(*(a == b for a, b in zip(tensor.sizes[2:], given[2:], strict=True)))
        return False

    def accepts(self, **sizes: int) -> bool:
        """Whether the model runs at these sizes; N may be left out (then: for some batch size).

        Raises:
            TypeError: a size is missing or unknown.
        """
        env = self._complete(sizes)
        if self.trace is None:
            return self._runner.run(env).error is None
        return any(domain.contains(env) for domain, _ in self.trace.outcomes)

    def output_shape(self, **sizes: int) -> Any:
        """The model's output structure at these sizes, with a tuple of ints for every tensor.

        Where the model was run, and a size depends on the contents of the tensors, it is ``shapelint.DATA_DEPENDENT``.

        Raises:
            ValueError: the model does not run at these sizes; the message says why.
            TypeError: a size is missing or unknown.
        """
        env = self._complete(sizes)
        if self.trace is None:
            result = self._runner.output(env)
            if result.error is None:
                return result.output
        else:
            for domain, value in self.trace.outcomes:
                if domain.contains(env):
                    return shapes(value, env)
        reason = self.why_not(**sizes)
        text = ", ".join(f"{k}={v}" for k, v in sizes.items())
        raise ValueError(f"{self.name} does not run at {text}: {reason.message if reason else 'unknown reason'}")

    def why_not(self, **sizes: int) -> Diagnostic | None:
        """Why the model does not run at these sizes; ``None`` if it does."""
        if self.accepts(**sizes):
            return None
        from shapelint.rules import explain_failure

        return explain_failure(self, self._complete(sizes))

    def _complete(self, sizes: Mapping[str, int]) -> dict[str, int]:
        unknown = [n for n in sizes if n not in self.inputs.symbols]
        if unknown:
            known = ", ".join(self.symbols) or "none"
            raise TypeError(f"the model has no size called {unknown[0]}; its sizes are: {known}")
        for name, value in sizes.items():
            if not isinstance(value, int) or value < 1:
                raise TypeError(f"{name} must be a whole number of at least 1, not {value!r}")
        env = {**self._pinned, **sizes}
        missing = [n for n in self.symbols if n not in env and n != "N"]
        if missing:
            raise TypeError(f"a value for {', '.join(missing)} is missing")
        for name in self.inputs.symbols:
            if name not in env:
                env[name] = self._batch(env)
        return env

    def _batch(self, env: Mapping[str, int]) -> int:
        if self.trace is None or self._domain.contains({**env, "N": 1}):
            return 1
        remaining = self._domain.fix(env).sample()
        return remaining["N"] if remaining else 1

    @functools.cached_property
    def network(self) -> Network:
        """The traced network as a graph of operations, scales and skips."""
        from shapelint.network import build_network

        return build_network(self)

    @functools.cached_property
    def graph(self) -> fx.Graph:
        """The traced operations as a ``torch.fx.Graph``; a node's ``meta`` has "shape", "domain" and "location".

        Raises:
            ValueError: the model could not be traced (its certainty is "enumerated").
        """
        from shapelint.tracing.graph import to_fx

        if self.trace is None:
            raise ValueError(f"{self.name} could not be traced: {'; '.join(self.certainty_reasons)}")
        return to_fx(self.model, self.trace)

    @functools.cached_property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """What the rules find, most severe first."""
        return self.check()

    def check(self, select: Iterable[str] | None = None, ignore: Iterable[str] = ()) -> tuple[Diagnostic, ...]:
        """What the chosen rules find (by code; ``None``: those on by default), with fixes; most severe first."""
        from shapelint import rules
        from shapelint.fixes import Mender

        return rules.check(self, select, ignore, Mender)

    def summary(self) -> str:
        """One line: "UNet: H and W: multiples of 16, at least 16; output = input; proven"."""
        from shapelint.rules import summarize

        return summarize(self)

    def as_export_dims(self) -> dict[str, dict[int, Any] | None]:
        """``dynamic_shapes`` that ``torch.export.export`` accepts: ``{"x": {0: Dim("n"), 2: 16 * Dim("h"), ...}}``.

        Give it example inputs of a batch of at least 2.

        Raises:
            ValueError: the model could not be traced.
        """
        from shapelint.helpers.exporting import export_dims

        return export_dims(self)

    def receptive_field(self) -> dict[str, ReceptiveField]:
        """By spatial size: how much of the input one place of the (first) output sees, and the total stride.

        Raises:
            ValueError: the model could not be traced.
        """
        from shapelint.helpers.fields import receptive_field

        return receptive_field(self)

    def to_json(self) -> str:
        """What was found out, as JSON with a version; ``Analysis.from_json`` reads it."""
        from shapelint.helpers.records import record

        return record(self).to_json()

    @staticmethod
    def from_json(text: str) -> AnalysisRecord:
        """What ``to_json`` wrote: the sizes, the summary and the findings, without the model.

        Raises:
            ValueError: it is something else, or of a newer format.
        """
        from shapelint.helpers.records import from_json

        return from_json(text)

    def __reduce__(self) -> Any:
        """An analysis travels as its plain data: on the other side it is an ``AnalysisRecord``."""
        from shapelint.helpers.records import from_json

        return from_json, (self.to_json(),)

    def again(self) -> Analysis:
        """The same question asked anew, of the model as it is now."""
        options = [self.inputs]
        return _likeliest(self.model, self.name, options, (), self.declared_sizes, self.limits, training=self.training)

    def __repr__(self) -> str:
        return f"Analysis({self.name}: {self.valid_sizes}; {self.certainty})"


def analyze(
    model: nn.Module,
    inputs: Any = None,
    sizes: Any = None,
    *,
    name: str | None = None,
    limits: Limits | None = None,
    training: bool = False,
) -> Analysis:
    """Find out for exactly which input sizes a model runs, and what it returns.

    Args:
        model: any module; it is left as it was.
        inputs: ``None`` (inferred from the layers), ``("N", 3, "H", "W")``, a list of shapes by position, or a
            dict by name. Equal names mean equal sizes; ints are fixed; "2*H" is an expression. "int64[N, T]" or
            ("N", "T", torch.int64) says a dtype; without one it is the parameters', or where that is refused int64 or
            bool.
        sizes: the sizes expected to work: ``None``, "256x256", {"H": 256}, "H%32==0, W%32==0", or a list of these.
        name: what messages call the model; its class's name by default.
        limits: bounds on paths, time and the complexity of sets: ``shapelint.Limits(seconds=10)``.
        training: analyse the training mode instead of the eval mode.

    Raises:
        InputError: ``inputs`` or ``sizes`` cannot be understood.
    """
    plugins.load_and_warn()
    label = name or type(model).__name__
    contract = contract_of(model) if inputs is None else None
    expected = contract.sizes if sizes is None and contract is not None else sizes
    # one after the other, as the first is nearly always meant
    others: Iterator[Inputs]
    if inputs is not None:
        others = readings(inputs, usual_dtype(model))
        options = [next(others)]
    elif contract is not None and contract.input is not None:
        others = declared_inputs(contract, usual_dtype(model))
        options = [next(others)]
    else:
        others = integer_candidates(model)
        options = _with_sizes(candidates(model), expected)
    analysis = _likeliest(model, label, options, others, expected, limits or Limits(), training=training)
    analysis.contract = contract
    if expected is not None:
        from shapelint.network.expected import parse_declaration

        parse_declaration(expected, analysis.network.symbols)
    return analysis


def _with_sizes(options: list[Inputs], sizes: Any) -> list[Inputs]:
    """Those that have the declared sizes, if the likeliest has them.

    A model that runs at no such size may run without a batch, or on a sequence: that is not what is asked.
    """
    if sizes is None or not _has_sizes(options[0], sizes):
        return options
    return [option for option in options if _has_sizes(option, sizes)]


def _has_sizes(inputs: Inputs, sizes: Any) -> bool:
    """Whether inputs have the sizes that are declared: as many, and of these names."""
    from shapelint.network.expected import parse_declaration

    try:
        parse_declaration(sizes, [name for name in inputs.symbols if name not in ("N", "B", "C")])
    except InputError:
        return False
    return True


def _likeliest(
    model: nn.Module,
    label: str,
    options: Sequence[Inputs],
    others: Iterable[Inputs],
    sizes: Any,
    bounds: Limits,
    *,
    training: bool,
) -> Analysis:
    """The analysis with the first inputs that some size of runs, else with the first.

    Inputs of which two sizes meet that have nothing to do with each other are not taken if further ones do as well.
    ``others`` are tried where a dtype is what is refused, and taken where nothing runs if they come farther.
    """
    doubtful: Analysis | None = None
    failed: list[Trace] = []
    told: Analysis | None = None
    with _in_mode(model, training) as modules:
        for option in itertools.chain(options, _if_dtypes_are_refused(others, failed)):
            analysis = _attempt(model, modules, label, option, sizes, bounds, training=training)
            found = analysis.trace
            if found is None:
                return doubtful or analysis
            if not found.outcomes:
                if not failed or (
                    len(failed) >= len(options) and all(len(found.calls) > len(other.calls) for other in failed)
                ):
                    told = analysis
                failed.append(found)
            elif _lacks_a_batch(found) and any(map(_has_layers_at_odds, failed)):
                continue
            elif not _mixes_sizes(found) and not (option.inferred and _fixes_the_batch(option, found)):
                return analysis
            else:
                doubtful = doubtful or analysis
    likeliest = doubtful or told
    assert likeliest is not None
    return likeliest


def _if_dtypes_are_refused(options: Iterable[Inputs], failed: list[Trace]) -> Iterator[Inputs]:
    for option in options:
        if any(failure.dtype for found in failed for failure in found.failures):
            yield option


def _lacks_a_batch(found: Trace) -> bool:
    """Whether a convolution is given a single image: `torch.cat([u, skip], 1)` then joins rows, and no channels."""
    convolutions = (call for call in found.calls if isinstance(call.target, _ConvNd) and call.outputs)
    return any(len(call.outputs[0].sizes) == len(call.target.kernel_size) + 1 for call in convolutions)


def _has_layers_at_odds(found: Trace) -> bool:
    """Whether a layer expects other channels than another one gives, which no other input would mend."""
    from shapelint.rules.failing import channel_counts

    counts = (channel_counts(failure) for failure in found.failures)
    return any(each is not None and all(map(str.isdecimal, each)) for each in counts)


def _fixes_the_batch(inputs: Inputs, found: Trace) -> bool:
    """Whether several tensors go together for batches of few sizes only: more of their dimensions meet by accident."""
    tensors = [value for value in inputs.args if isinstance(value, SymbolicTensor)]
    if len(tensors) < 2 or "N" not in inputs.symbols:
        return False
    batches = (domain.project(["N"]).over(["N"]).region for domain, _ in found.outcomes)
    return all(sizes.points(_FEW_BATCHES) is not None for sizes in batches)


_FEW_BATCHES = 4


def _mixes_sizes(found: Trace) -> bool:
    """Whether different sizes of the input are broadcast together: (N, T) against a table of (1, T, 32)."""
    return any(
        isinstance(a, Dim) and isinstance(b, Dim) and not set(a.symbols) & set(b.symbols)
        for a, b in (accident.sides for accident in found.accidents)
    )


def _attempt(
    model: nn.Module,
    modules: dict[str, nn.Module],
    label: str,
    inputs: Inputs,
    sizes: Any,
    limits: Limits,
    *,
    training: bool,
) -> Analysis:
    def analysis_of(found: Trace | None, *reasons: str) -> Analysis:
        return Analysis(model, label, fresh, sizes, found, reasons, limits, training=training)

    fresh = inputs.fresh()
    try:
        found = trace(model, fresh.args, dict(fresh.keywords), Domain.positive(fresh.symbols), limits, modules)
    except Undecided as reason:
        return analysis_of(None, places.reason(reason))
    analysis = analysis_of(found)
    doubt = _doubt(analysis, found)
    return analysis if doubt is None else analysis_of(None, doubt)


def _doubt(analysis: Analysis, found: Trace) -> str | None:
    """Why an exception met while tracing may be the tracer's and not the model's: PyTorch runs at that size."""
    for suspect in found.suspects:
        env = suspect.sizes().sample()
        if env is None:
            continue
        error = analysis._runner.run(env).error
        if type(error) is not type(suspect.error) or str(error) != str(suspect.error):
            return f"tracing stopped with {type(suspect.error).__name__}: {suspect.reason}"
    return None


@contextmanager
def _in_mode(model: nn.Module, training: bool) -> Iterator[dict[str, nn.Module]]:
    """The model's modules in eval or training mode, and every one back in its own mode afterwards."""
    modules = modules_by_name(model)
    switched = [m for m in modules.values() if m.training is not training]
    _set_mode(switched, training)
    try:
        yield modules
    finally:
        _set_mode(switched, not training)


def _set_mode(modules: Iterable[nn.Module], training: bool) -> None:
    for module in modules:
        # As `module.training = training` has it in the end, after asking whether it is a parameter, a module, ...
        if "training" in module.__dict__:
            module.__dict__["training"] = training
        else:
            module.training = training


__all__ = ["Analysis", "TooComplex", "analyze"]
