"""The sizes a network is judged on: those declared, those it is pinned to, or what its strides suggest."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shapelint.network.graph import tensors_in
from shapelint.sizes import SizeSet, TooComplex, all_of
from shapelint.sizes import region as rg
from shapelint.sizes.condition import Member
from shapelint.sizes.dim import dim
from shapelint.sizes.domain import Domain
from shapelint.sizes.region import Placed
from shapelint.tracing.inputs import InputError
from shapelint.tracing.places import origin

if TYPE_CHECKING:
    from shapelint.api import Analysis
    from shapelint.network.graph import Network
    from shapelint.tracing.record import Failure

TYPICAL = (28, 32, 64, 96, 128, 224, 256, 512)
"""Side lengths of images that data sets have. A network that returns one of these as it was is made for it."""
TYPICAL_LENGTHS = (16_000, 24_000, 44_100, 48_000)

_FORMS = 'write "256x256", "H=256, W=256", or conditions such as "H%32==0, W%32==0"'


@dataclass(frozen=True, slots=True)
class ExpectedSizes:
    """The expected sizes.

    Attributes:
        domain: them, over all symbols of the analysis (the batch is free).
        declared: whether the user said so.
        pinned: whether the network leaves no other choice.
        typical: whether they were chosen because the network returns typical image sizes as they were.
    """

    domain: Domain
    symbols: tuple[str, ...]
    declared: bool = False
    pinned: bool = False
    typical: bool = False

    @property
    def sizes(self) -> SizeSet:
        """The spatial part."""
        return SizeSet(self.domain.project(self.symbols))


def expected_sizes(analysis: Analysis, network: Network) -> ExpectedSizes:
    """What the network should run on.

    Raises:
        InputError: the declared sizes cannot be understood.
    """
    symbols = network.symbols
    everything = _with_pinned(analysis)
    if analysis.declared_sizes is not None:
        declared = parse_declaration(analysis.declared_sizes, symbols)
        return ExpectedSizes(_embed(everything, declared), symbols, declared=True)
    if not symbols or analysis.trace is None:
        return ExpectedSizes(everything, symbols)
    return _assumed(analysis, network, everything)


def _with_pinned(analysis: Analysis) -> Domain:
    domain = Domain.positive(analysis.inputs.symbols)
    for name, value in (analysis._pinned or _channels_before_the_end(analysis)).items():
        domain = domain.restrict(dim(name) == value)
    return domain


def _channels_before_the_end(analysis: Analysis) -> dict[str, int]:
    """The inferred channels of a model that refuses everything: what its layers left of them before it did."""
    trace = analysis.trace
    if trace is None or trace.outcomes or not trace.failures or not analysis.inputs.inferred:
        return {}
    # the last that one number of channels came to: `if x.shape[1] == 3` leaves the others to a path of their own
    for failure in reversed(trace.failures):
        known = failure.domain.factors.get("C")
        points = known.region.points(1) if known is not None and len(known.support) == 1 else None
        if points:
            return {"C": points[0][0]}
    return {}


def _embed(everything: Domain, sizes: SizeSet) -> Domain:
    for placed in sizes.domain.distinct():
        everything = everything.restrict(Member(placed))
    return everything


# --- assumed -------------------------------------------------------------------------------------------


def _assumed(analysis: Analysis, network: Network, everything: Domain) -> ExpectedSizes:
    symbols = network.symbols
    valid = analysis._domain
    spatial = SizeSet(valid.project(symbols))
    finite = [s for s in symbols if not spatial.is_empty() and _is_finite(spatial, s)]
    regular = everything
    for symbol in symbols:
        regular = regular.restrict(dim(symbol) % network.stride(symbol) == 0)
    if finite:
        return _pinned_sizes(analysis, network, everything, regular, finite)
    refused = _refused_at_the_door(analysis, network, regular)
    if refused is not None:
        allowed = regular.subtract(refused)
        regular = (
            allowed
            if not allowed.is_empty()
            else everything.subtract(_refused_at_the_door(analysis, network, everything) or everything._emptied())
        )
    regular = without_collapse(analysis, regular)
    running = regular.intersect(valid)
    if running.is_empty():
        shifted = _one_class(analysis, network, everything, regular)
        if shifted is None:
            return ExpectedSizes(regular, symbols)
        regular = without_collapse(analysis, shifted)
        running = regular.intersect(valid)
    regular = _large_enough(regular, running, symbols)
    regular = _without_accidents(analysis, regular, symbols)
    made_for = _made_for(analysis, network, regular)
    if made_for is not None:
        return ExpectedSizes(made_for, symbols, typical=True)
    return ExpectedSizes(regular, symbols)


def _is_finite(sizes: SizeSet, symbol: str) -> bool:
    return sizes.project(symbol).is_finite()


def _pinned_sizes(
    analysis: Analysis, network: Network, everything: Domain, regular: Domain, finite: Sequence[str]
) -> ExpectedSizes:
    """The sizes that run, on the pinned axes; of these the multiples of the stride, where there are any."""
    valid = analysis._domain
    kept = _without_accidents(analysis, valid, network.symbols)
    pinned = everything
    for placed in kept.project(finite).distinct():
        pinned = pinned.restrict(Member(placed))
    for symbol in network.symbols:
        narrower = pinned.restrict(dim(symbol) % network.stride(symbol) == 0)
        if not narrower.is_empty() and not narrower.intersect(valid).is_empty():
            pinned = narrower
    running = pinned.intersect(valid)
    return ExpectedSizes(_large_enough(pinned, running, network.symbols), network.symbols, pinned=True)


def _refused_at_the_door(analysis: Analysis, network: Network, among: Domain) -> Domain | None:
    """The sizes that the author's own code refuses before any layer has run."""
    assert analysis.trace is not None
    raised = [f for f in analysis.trace.failures if f.error is not None]
    if not raised:
        return None
    layers = {id(c.domain): c.domain for c in network.calls if c.kind == "module"}
    if not layers:
        layers = {id(c.domain): c.domain for c in network.calls if c.kind == "function"}
    refused: Domain | None = None
    for failure in raised:
        sizes = failure.sizes().intersect(among)
        if sizes.is_empty() or any(not sizes.intersect(d).is_empty() for d in layers.values()):
            continue
        refused = sizes if refused is None else refused.unite(sizes)
    return refused


def _one_class(analysis: Analysis, network: Network, everything: Domain, regular: Domain) -> Domain | None:
    """The multiples of the strides, with the one other class that runs on axes whose multiples are all refused.

    A causal video codec takes 8k + 1 frames, the first by itself: its views refuse 8k. Where tensors that meet refuse
    each other the network is wrong (an ``output_padding`` is missing), and where the author refuses them it is told.
    """
    assert analysis.trace is not None
    valid = SizeSet(analysis._domain.project(network.symbols))
    if valid.is_empty() or any(_refuses(f, regular) and not _of_one_tensor(f) for f in analysis.trace.failures):
        return None
    example = valid.least()
    assert example is not None
    running = everything
    shifted = False
    for symbol in network.symbols:
        stride, sizes = network.stride(symbol), valid.project(symbol)
        wanted = dim(symbol) % stride == 0
        if (sizes & SizeSet.where([symbol], wanted)).is_empty():
            wanted, shifted = dim(symbol) % stride == example[symbol] % stride, True
            if not (sizes - SizeSet.where([symbol], wanted)).is_empty():
                return None
        running = running.restrict(wanted)
    return running if shifted else None


def _refuses(failure: Failure, sizes: Domain) -> bool:
    try:
        return not failure.sizes().intersect(sizes).is_empty()
    except TooComplex:
        return True


def _of_one_tensor(failure: Failure) -> bool:
    """Whether an operation refuses a tensor for its own shape's sake, or a list because nothing is in it."""
    if failure.error is not None:
        return not origin(failure.error)[1]  # PyTorch raised it, no `raise` of the author's
    if failure.call is None:
        return False
    return len(list(tensors_in((failure.call.arguments, failure.call.keywords)))) == 1


def is_collapse(failure: Failure) -> bool:
    """Whether it refuses sizes of which too little is left, rather than sizes of a wrong kind."""
    return failure.error is None and any(
        words in failure.reason for words in ("larger than the padded input", "empty", "would make a size", "single")
    )


def without_collapse(analysis: Analysis, regular: Domain) -> Domain:
    """Without the sizes that some layer finds too small, if larger ones are left."""
    assert analysis.trace is not None
    for failure in analysis.trace.failures:
        if failure.condition is not None and is_collapse(failure):
            try:
                rest = regular.subtract(failure.sizes())
            except TooComplex:
                continue  # left among the expected ones: the rules report what fails there
            if not rest.is_empty() and not SizeSet(rest).is_finite():
                regular = rest
    return regular


def _large_enough(regular: Domain, running: Domain, symbols: Sequence[str]) -> Domain:
    """Without the small sizes at which every network of some depth has nothing left: that is not a finding."""
    for symbol in symbols:
        low = running.project([symbol]).factors[symbol].region.bounds(0)[0]
        if low is not None:
            regular = regular.restrict(dim(symbol) >= low)
    failing = SizeSet(regular.project(symbols)) - SizeSet(running.project(symbols))
    if failing.is_empty() or not failing.is_finite():
        return regular
    return regular.subtract(_embed(regular, failing))


def _without_accidents(analysis: Analysis, regular: Domain, symbols: Sequence[str]) -> Domain:
    """Without the sizes that run only because something happens to be 1, unless nothing else is left."""
    assert analysis.trace is not None
    for accident in analysis.trace.accidents:
        try:
            sizes = accident.domain.restrict(accident.condition).intersect(regular)
        except TooComplex:
            continue  # which sizes these are cannot be told: none is left out on suspicion
        if sizes.is_empty():
            continue
        rest = regular.subtract(_embed(Domain.positive(regular.symbols), SizeSet(sizes.project(symbols))))
        if not rest.is_empty():
            regular = rest
    return regular


def _made_for(analysis: Analysis, network: Network, regular: Domain) -> Domain | None:
    """The typical image sizes that come back as they were, where no multiple of the stride does."""
    returning = analysis.round_trip_sizes
    names = network.symbols
    if not network.pairs or returning.is_empty():
        return None
    mine = SizeSet(regular.project(names))
    theirs = returning.project(*names)
    if not (mine & theirs).is_empty():
        return None
    typical = TYPICAL_LENGTHS if len(names) == 1 else TYPICAL
    points = [(size,) * len(names) for size in typical if dict.fromkeys(names, size) in theirs]
    if not points:
        return None
    return _embed(_with_pinned(analysis), SizeSet.from_points(names, points))


# --- declared ------------------------------------------------------------------------------------------


def parse_declaration(sizes: Any, symbols: Sequence[str]) -> SizeSet:
    """The sizes that a user declares: "256x256", {"H": 256}, "H%32==0, W%32==0", or a list of these.

    Raises:
        InputError: they cannot be understood; the message shows what can.
    """
    if isinstance(sizes, SizeSet):
        return sizes
    if not symbols:
        raise InputError("sizes are declared, but the input has no size that could vary")
    if isinstance(sizes, str):
        return _from_text(sizes, symbols)
    if isinstance(sizes, int):
        return _from_numbers((sizes,), symbols, str(sizes))
    if isinstance(sizes, Mapping):
        return _from_mapping(sizes, symbols)
    if isinstance(sizes, Iterable):
        items = list(sizes)
        if items and all(isinstance(i, int) for i in items):
            return _from_numbers(tuple(items), symbols, str(sizes))
        found = [parse_declaration(item, symbols) for item in items]
        if found:
            result = found[0]
            for other in found[1:]:
                result = result | other
            return result
    raise InputError(f"{sizes!r} is not understood as sizes; {_FORMS}")


def _from_numbers(numbers: tuple[int, ...], symbols: Sequence[str], text: str) -> SizeSet:
    if any(n < 1 for n in numbers):
        raise InputError(f"sizes are at least 1, and {text!r} has a smaller one")
    if len(numbers) == 1:
        numbers = numbers * len(symbols)
    if len(numbers) != len(symbols):
        names = " x ".join(symbols)
        raise InputError(f"{text!r} has {len(numbers)} sizes, and the input has {len(symbols)}: {names}")
    return SizeSet.from_points(symbols, [numbers])


def _from_mapping(sizes: Mapping[str, Any], symbols: Sequence[str]) -> SizeSet:
    result = SizeSet.where(symbols)
    for name, value in sizes.items():
        _known(name, symbols)
        values = [value] if isinstance(value, int) else list(value) if isinstance(value, Iterable) else []
        if not values or not all(isinstance(v, int) and v >= 1 for v in values):
            raise InputError(f"the size {name} must be a whole number of at least 1, or several, not {value!r}")
        points = Placed((name,), rg.from_points(1, [(int(v),) for v in values]))
        result = SizeSet(result.domain.restrict(Member(points)))
    return result


def _from_text(text: str, symbols: Sequence[str]) -> SizeSet:
    plain = re.fullmatch(r"\s*\d+(\s*[x×X*]\s*\d+)*\s*", text)
    if plain:
        return _from_numbers(tuple(int(n) for n in re.findall(r"\d+", text)), symbols, text)
    conditions = [_condition(part, text, symbols) for part in re.split(r"[,;]|\band\b", text) if part.strip()]
    if not conditions:
        raise InputError(f"{text!r} is not understood as sizes; {_FORMS}")
    result = SizeSet.where(symbols, all_of(*conditions))
    if result.is_empty():
        raise InputError(f"no size satisfies {text!r}")
    return result


def _condition(part: str, text: str, symbols: Sequence[str]) -> Any:
    written = re.sub(r"(?<![<>=!])=(?!=)", "==", part.strip())
    try:
        tree = ast.parse(written, mode="eval").body
    except SyntaxError as error:
        raise InputError(f"{_within(part.strip(), text)} is not understood; {_FORMS}") from error
    if not isinstance(tree, ast.Compare) or any(type(op) not in _COMPARISONS for op in tree.ops):
        raise InputError(f"{_within(part.strip(), text)} is no condition; {_FORMS}")
    terms = [_term(node, text, symbols) for node in (tree.left, *tree.comparators)]
    return all_of(*(_COMPARISONS[type(op)](a, b) for op, a, b in zip(tree.ops, terms[:-1], terms[1:], strict=True)))


_COMPARISONS: dict[type[ast.cmpop], Any] = {
    ast.Eq: lambda a, b: a == b,
    ast.NotEq: lambda a, b: a != b,
    ast.Lt: lambda a, b: a < b,
    ast.LtE: lambda a, b: a <= b,
    ast.Gt: lambda a, b: a > b,
    ast.GtE: lambda a, b: a >= b,
}

_OPERATIONS: dict[type[ast.operator], Any] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.FloorDiv: lambda a, b: a // b,
    ast.Mod: lambda a, b: a % b,
}


def _term(node: ast.expr, text: str, symbols: Sequence[str]) -> Any:
    if isinstance(node, ast.Name):
        _known(node.id, symbols)
        return dim(node.id)
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return node.value
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATIONS:
        left, right = _term(node.left, text, symbols), _term(node.right, text, symbols)
        try:
            return _OPERATIONS[type(node.op)](left, right)
        except ZeroDivisionError as error:
            raise InputError(f"{_within(ast.unparse(node), text)} divides by zero") from error
    raise InputError(f"{_within(ast.unparse(node), text)} is not understood; {_FORMS}")


def _within(part: str, text: str) -> str:
    """The part of a text that is wrong: not twice where it is the whole."""
    return repr(part) if part == text.strip() else f"{part!r} in {text!r}"


def _known(name: str, symbols: Sequence[str]) -> None:
    if name not in symbols:
        raise InputError(f"no size is called {name}; the sizes are {', '.join(symbols)}")
