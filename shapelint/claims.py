"""Claims about a model's sizes, and the least example against each: what assertions, contracts and the plugin share.

A claim is judged on every expected size at once. Where a model could only be run, not followed, it is judged on a
range of probes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from shapelint.sizes import SizeSet, TooComplex, negate
from shapelint.sizes import all_of as every
from shapelint.sizes.condition import Member
from shapelint.sizes.dim import evaluate
from shapelint.sizes.domain import Domain
from shapelint.unknown import DATA_DEPENDENT

if TYPE_CHECKING:
    from shapelint.api import Analysis

PROBES = (1, 2, 8, 16, 24, 28, 31, 32, 33, 48, 64, 96, 100, 128, 160, 224, 256, 512)
"""The side lengths at which an endless set of sizes is tried where the model can only be run."""
MOST_MEMBERS = 64

Shape = tuple[Any, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Counterexample:
    """Sizes at which a claim does not hold.

    Attributes:
        sizes: all of them, over the spatial symbols.
        least: the smallest, with a value for every symbol.
        found: what there is instead, where the claim is about outputs.
    """

    sizes: SizeSet
    least: dict[str, int]
    found: Any = None


def expected_of(analysis: Analysis) -> Domain:
    """The sizes that claims are about: those declared, else those the linter expects."""
    from shapelint.network import expected_sizes

    return expected_sizes(analysis, analysis.network).domain


def wanted_by(analysis: Analysis, sizes: Any) -> Domain:
    """The sizes that a declaration means; without one those the linter expects.

    Raises:
        InputError: it cannot be understood.
    """
    if sizes is None:
        return expected_of(analysis)
    from shapelint.network.expected import parse_declaration

    domain = Domain.positive(analysis.inputs.symbols)
    for placed in parse_declaration(sizes, analysis.network.symbols).domain.distinct():
        domain = domain.restrict(Member(placed))
    return domain


def refused(analysis: Analysis, wanted: Domain) -> Counterexample | None:
    """The wanted sizes that do not run."""
    return _outside(analysis, wanted, analysis.valid_sizes, lambda env: analysis.accepts(**env))


def changed(analysis: Analysis, wanted: Domain) -> Counterexample | None:
    """The wanted sizes that run and are not the output's size too."""

    def returns(env: Mapping[str, int]) -> bool:
        given = shape_at(analysis.inputs.main_shape(), env)
        main = next((s for s in tensor_shapes(_run(analysis, env)) if len(s) == len(given)), None)
        return main is not None and main[2:] == given[2:]

    running = wanted.intersect(analysis._domain) if analysis.trace is not None else wanted
    found = _outside(analysis, running, analysis.round_trip_sizes, returns)
    if found is None:
        return None
    return Counterexample(found.sizes, found.least, _run(analysis, found.least))


def misshapen(analysis: Analysis, wanted: Domain, shapes: Sequence[Shape]) -> Counterexample | None:
    """The wanted sizes that run and do not give these shapes, by position; None in a shape is any size.

    Raises:
        TooComplex: it cannot be told.
    """
    if analysis.trace is None:
        return _tried(analysis, wanted, lambda env: _fits(_run(analysis, env), shapes, env))
    from shapelint.tracing.running import tensors

    wrong: Domain | None = None
    for domain, value in analysis.trace.outcomes:
        bad = _unlike(wanted.intersect(domain), [t.sizes for t in tensors(value)], shapes)
        wrong = bad if wrong is None else wrong.unite(bad)
    return _example(analysis, wrong) if wrong is not None else None


def _unlike(domain: Domain, sizes: Sequence[Shape], shapes: Sequence[Shape]) -> Domain:
    """The part of a domain on which shapes differ."""
    if len(sizes) < len(shapes) or any(len(a) != len(b) for a, b in zip(sizes, shapes, strict=False)):
        return domain
    pairs = [(x, y) for a, b in zip(sizes, shapes, strict=False) for x, y in zip(a, b, strict=True) if y is not None]
    return domain.restrict(negate(every(*(x == y for x, y in pairs))))


def differing(old: Analysis, new: Analysis) -> Counterexample | None:
    """The sizes that both accept and that give other outputs; the example's ``found`` is the pair of outputs."""
    from shapelint.tracing.running import tensors

    if old.trace is None or new.trace is None:
        common = old._domain.intersect(new._domain)
        found = _tried(old, common, lambda env: not new.accepts(**env) or _run(old, env) == _run(new, env))
    else:
        wrong: Domain | None = None
        for domain, value in old.trace.outcomes:
            for other, made in new.trace.outcomes:
                mine, theirs = [t.sizes for t in tensors(value)], [t.sizes for t in tensors(made)]
                common = domain.intersect(other)
                bad = common if len(mine) != len(theirs) else _unlike(common, mine, theirs)
                wrong = bad if wrong is None else wrong.unite(bad)
        found = _example(old, wrong) if wrong is not None else None
    if found is None:
        return None
    return Counterexample(found.sizes, found.least, (_run(old, found.least), _run(new, found.least)))


def shape_at(shape: Sequence[Any], env: Mapping[str, int]) -> tuple[int, ...]:
    """A shape in numbers."""
    return tuple(evaluate(size, env) for size in shape)


def tensor_shapes(output: Any) -> Iterator[tuple[Any, ...]]:
    """The tensors' shapes in an output's structure, in order: numbers, and ``DATA_DEPENDENT``."""
    if isinstance(output, tuple) and output and all(type(size) is int or size is DATA_DEPENDENT for size in output):
        yield output
    elif isinstance(output, Mapping):
        for value in output.values():
            yield from tensor_shapes(value)
    elif isinstance(output, (list, tuple)):
        for value in output:
            yield from tensor_shapes(value)


def _run(analysis: Analysis, env: Mapping[str, int]) -> Any:
    return analysis.output_shape(**{name: env[name] for name in analysis.symbols if name in env})


def _fits(output: Any, shapes: Sequence[Shape], env: Mapping[str, int]) -> bool:
    found = list(tensor_shapes(output))
    return len(found) >= len(shapes) and all(
        len(have) == len(want) and all(y is None or x == evaluate(y, env) for x, y in zip(have, want, strict=True))
        for have, want in zip(found, shapes, strict=False)
    )


def _outside(
    analysis: Analysis, wanted: Domain, good: SizeSet, test: Callable[[Mapping[str, int]], bool]
) -> Counterexample | None:
    if wanted.is_empty():
        return None
    if analysis.trace is None:
        return _tried(analysis, wanted, test)
    symbols = analysis.network.symbols
    if not symbols:
        return Counterexample(SizeSet(wanted.project(())), wanted.sample() or {}) if good.is_empty() else None
    sizes = SizeSet(wanted.project(symbols)) - good.project(*symbols)
    return None if sizes.is_empty() else _counterexample(sizes, wanted)


def _example(analysis: Analysis, wrong: Domain) -> Counterexample | None:
    return None if wrong.is_empty() else _counterexample(SizeSet(wrong.project(analysis.network.symbols)), wrong)


def _counterexample(sizes: SizeSet, among: Domain) -> Counterexample:
    point = sizes.least() or {}
    rest = among.fix(point).sample() or {}
    return Counterexample(sizes, {**rest, **point})


def _tried(analysis: Analysis, wanted: Domain, test: Callable[[Mapping[str, int]], bool]) -> Counterexample | None:
    """The probes at which a claim does not hold."""
    symbols = analysis.network.symbols
    wrong = []
    for point in probes(SizeSet(wanted.project(symbols))):
        env = {**{name: 1 for name in analysis.inputs.symbols if name == "N"}, **point}
        if not test(env):
            wrong.append((point, env))
    if not wrong:
        return None
    points = [tuple(point[name] for name in symbols) for point, _ in wrong]
    return Counterexample(SizeSet.from_points(symbols, points), wrong[0][1])


def probes(sizes: SizeSet) -> list[dict[str, int]]:
    """Members of a set to try: all of a small one, else those at or above usual side lengths."""
    if sizes.is_finite():
        few = list(islice(sizes.enumerate(1 << 16), MOST_MEMBERS + 1))
        if len(few) <= MOST_MEMBERS:
            return few
    found = (sizes.next_at_least(**dict.fromkeys(sizes.symbols, size)) for size in PROBES)
    return list({tuple(point.values()): point for point in found if point is not None}.values())


__all__ = [
    "Counterexample",
    "TooComplex",
    "changed",
    "differing",
    "expected_of",
    "misshapen",
    "probes",
    "refused",
    "shape_at",
    "tensor_shapes",
    "wanted_by",
]
