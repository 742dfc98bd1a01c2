"""The one line about a model: which sizes run, what comes back, how certain that is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shapelint.claims import tensor_shapes
from shapelint.diagnostics import Severity
from shapelint.rules import wording
from shapelint.rules.failing import assumed_inputs, guessed_wrongly, nothing_runs
from shapelint.shape_text import shapes_text
from shapelint.sizes import Dim, SizeSet, TooComplex
from shapelint.sizes.expr import is_count
from shapelint.unknown import holds_unknown

if TYPE_CHECKING:
    from shapelint.api import Analysis
    from shapelint.network import ExpectedSizes

_LONGEST_FORMULA = 20


def summary(analysis: Analysis) -> str:
    """``UNet: H and W: multiples of 16, at least 16; output = input; proven``."""
    if guessed_wrongly(analysis):
        wrong = [finding.code for finding in analysis.diagnostics if finding.severity is Severity.ERROR]
        if wrong:
            assumed = f"with the inputs that were assumed: {assumed_inputs(analysis)}"
            return f"{analysis.name}: no sizes run ({wrong[0]}), {assumed}"
        return f"{analysis.name}: not judged, it {nothing_runs(analysis)}"
    try:
        told = [_valid(analysis), *_output(analysis), *_contract(analysis)]
    except TooComplex:
        told = ["the sizes that run are too complex for a sentence"]
    parts = [*told, analysis.certainty]
    return f"{analysis.name}: {'; '.join(parts)}"


def _contract(analysis: Analysis) -> list[str]:
    contract = analysis.contract
    if contract is None:
        return []
    from shapelint.rules import check

    kept = not analysis.valid_sizes.is_empty() and all(
        finding.severity is Severity.NOTE for finding in check(analysis, ["SL701"]) if finding.code == "SL701"
    )
    return [f"{'keeps' if kept else 'breaks'} its contract {contract}"]


def _valid(analysis: Analysis) -> str:
    if analysis.trace is None:
        return analysis.enumeration.sentence()
    sizes = analysis.valid_sizes
    if _runs_nowhere(analysis):
        return "no sizes run" if analysis.inputs.symbols else "does not run"
    kept = [s for s in sizes.symbols if s in analysis.network.symbols]
    return str(sizes.project(*kept)) if kept else str(sizes)


def _runs_nowhere(analysis: Analysis) -> bool:
    """Also of an input whose sizes are all fixed, so that there is no set of them that could be empty."""
    return analysis.valid_sizes.is_empty() or (analysis.trace is not None and not analysis.trace.outcomes)


def _output_seen(analysis: Analysis) -> list[str]:
    """What came back in one run, where the model was only run; which sizes the contents decide."""
    base = analysis.enumeration.base
    if base is None:
        return []
    found = list(tensor_shapes(analysis._runner.output(base).output))
    unknown = [shape for shape in found if holds_unknown(shape)]
    if not found:
        return []
    names = analysis.enumeration.varied
    place = f"{wording.at(base, names)} → " if names else "output "
    count = f"{len(found)} outputs, {'among them' if unknown else 'the first'} " if len(found) > 1 else ""
    remark = _by_contents("?") if unknown else ""
    return [f"{place}{count}{shapes_text((unknown or found)[0])}{remark}"]


def _output(analysis: Analysis) -> list[str]:
    if analysis.trace is None:
        return _output_seen(analysis)
    if _runs_nowhere(analysis):
        return []
    symbols = analysis.network.symbols
    if not symbols:
        return [f"output {_shape_text(analysis.output_shape())}"] if not analysis.symbols else []
    returning = analysis.round_trip_sizes.project(*symbols)
    valid = analysis.valid_sizes.project(*symbols)
    if not returning.is_empty():
        if valid <= returning:
            return ["output = input"]
        from shapelint.network import expected_sizes

        expected = expected_sizes(analysis, analysis.network)
        if expected.sizes <= returning or (returning & expected.sizes):
            return [f"output = input for {returning}"]
    return _formulas(analysis)


def _formulas(analysis: Analysis) -> list[str]:
    """The main output's size: as a formula where that is short, else by an example."""
    from shapelint.network import expected_sizes
    from shapelint.tracing.running import tensors

    assert analysis.trace is not None
    _, value = analysis.trace.outcomes[0]
    found = tensors(value)
    if not found:
        return []
    expected = expected_sizes(analysis, analysis.network)
    unknown = [tensor for tensor in found if _counts(tensor.sizes)]
    count = f"{len(found)} outputs, {'among them' if unknown else 'the first'} " if len(found) > 1 else "output "
    sizes = (unknown or found)[0].sizes
    if unknown:
        short = all(len(str(size)) <= _LONGEST_FORMULA for size in sizes)
        names = _counts(sizes) if short else ["?"]
        texts = [str(size) if short or not _counts([size]) else "?" for size in sizes]
        return [f"{count}({', '.join(texts)}){_by_contents(*names)}"]
    spatial = [s for s in sizes if isinstance(s, Dim) and set(s.symbols) & set(analysis.network.symbols)]
    if not spatial:
        shape = ", ".join(map(str, sizes))
        return [f"{count}({shape})"]
    texts = [_simplified(size, expected) for size in spatial]
    if all(len(text) <= _LONGEST_FORMULA for text in texts):
        return [f"{count}= {' × '.join(texts)}"]
    env = _usual(expected, analysis)
    got = " × ".join(str(size.at(**env)) for size in spatial)
    return [f"{count.strip()}: {wording.at(env, analysis.network.symbols)} → {got}"]


def _counts(sizes: Any) -> list[str]:
    """The numbers in a shape that contents decide."""
    from shapelint.tracing.loops.symbols import names_in

    return list(dict.fromkeys(filter(is_count, names_in(sizes))))


def _by_contents(*names: str) -> str:
    return f", where {' and '.join(names)} depend{'s' if len(names) == 1 else ''} on the contents of the tensors"


def _usual(expected: ExpectedSizes, analysis: Analysis) -> dict[str, int]:
    symbols = analysis.network.symbols
    running = expected.domain.intersect(analysis._domain)
    domain = analysis._domain if running.is_empty() else running
    sizes = SizeSet(domain.project(symbols))
    point = sizes.next_at_least(**dict.fromkeys(symbols, 256)) or sizes.least()
    assert point is not None
    return {**(domain.fix(point).sample() or {}), **point}


def _simplified(size: Any, expected: ExpectedSizes) -> str:
    """``H/2`` for H // 2 where the expected sizes are even."""
    from shapelint.network.scales import scale_of

    found = scale_of(size)
    if found is None:
        return str(size)
    symbol, rate = found
    from shapelint.sizes.dim import dim

    input_size = dim(symbol)
    for offset in range(-3, 4):
        exact = size * rate.denominator == input_size * rate.numerator + offset * rate.denominator
        if exact is True or (exact is not False and expected.domain.status(exact) is True):
            whole = symbol if rate.numerator == 1 else f"{rate.numerator}*{symbol}"
            text = whole if rate.denominator == 1 else f"{whole}/{rate.denominator}"
            return text if not offset else f"{text} {'+' if offset > 0 else '-'} {abs(offset)}"
    return str(size)


def _shape_text(shape: Any) -> str:
    return str(shape)
