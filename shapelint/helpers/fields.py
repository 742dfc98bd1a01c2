"""Receptive fields: how much of the input one place of the output sees, along each axis.

The way back is followed exactly: for each place of the output within one period of the strides, every operation says
which stretch of its input those places come from. Borders are not in the way: the stretch is what the place would see
in a large enough input.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from math import ceil, floor
from typing import TYPE_CHECKING, Any, NamedTuple

from shapelint.network.scales import scale_of
from shapelint.network.steps import Window, function_name, kind_of, parameters_of, spatial_axes, window_of
from shapelint.ops.registry import function_rule, module_rule
from shapelint.sizes import Dim
from shapelint.sizes.dim import evaluate
from shapelint.tracing.running import tensors
from shapelint.tracing.tensor import SymbolicTensor

if TYPE_CHECKING:
    from shapelint.api import Analysis
    from shapelint.tracing.record import Call

MOST_PLACES = 4096
_POINTWISE_FAMILIES = frozenset(f"shapelint.ops.{family}" for family in ("elementwise", "broadcasting", "conversions"))
_ALONG_AN_AXIS = frozenset({"softmax", "log_softmax", "softmin", "gumbel_softmax", "Softmax", "LogSoftmax", "Softmin"})
_POINTWISE_LAYERS = frozenset(
    {
        "Identity", "BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "SyncBatchNorm", "Dropout", "Dropout1d",
        "Dropout2d", "Dropout3d", "AlphaDropout", "FeatureAlphaDropout",
    }
)  # fmt: skip
_POINTWISE_FUNCTIONS = frozenset(
    {
        "batch_norm", "dropout", "dropout1d", "dropout2d", "dropout3d", "contiguous", "clone",
    }
)  # fmt: skip
_MOVES = frozenset(
    {
        "permute", "transpose", "movedim", "moveaxis", "squeeze", "unsqueeze", "view", "reshape", "flatten",
        "unflatten", "swapaxes", "t", "expand", "chunk", "split", "unbind", "stack", "cat", "concat",
        "concatenate",
    }
)  # fmt: skip


class ReceptiveField(NamedTuple):
    """One axis' field.

    Attributes:
        size: the most places of the input that one place of the output depends on, from the first to the last; None
            for all of them (through a global pooling, attention, or an operation that is not known to be local).
        stride: the network's total stride.
    """

    size: int | None
    stride: int


class Stretch(NamedTuple):
    """Places from ``low`` to ``high``."""

    low: int
    high: int

    def joined(self, other: Stretch) -> Stretch:
        return Stretch(min(self.low, other.low), max(self.high, other.high))


class Everything:
    """Every place: what is said of an operation that is not local."""


ALL = Everything()
Need = Stretch | Everything


def receptive_field(analysis: Analysis) -> dict[str, ReceptiveField]:
    """The field along each spatial axis of the first output.

    Raises:
        ValueError: the model could not be traced, or runs at no size.
    """
    if analysis.trace is None:
        raise ValueError(f"{analysis.name} could not be traced: {'; '.join(analysis.certainty_reasons)}")
    env = _usual(analysis)
    returned = next((value for domain, value in analysis.trace.outcomes if domain.contains(env)), ())
    if not tensors(returned):
        raise ValueError(f"{analysis.name} returns no tensor")
    output = tensors(returned)[0]
    network = analysis.network
    return {
        symbol: ReceptiveField(_Back(analysis, symbol, env).field(output), network.stride(symbol))
        for symbol in network.symbols
    }


def _usual(analysis: Analysis) -> dict[str, int]:
    """A size at which the network is used, and not its smallest: there every layer has an inside."""
    from shapelint.network import expected_sizes
    from shapelint.sizes import SizeSet

    symbols = analysis.network.symbols
    domain = expected_sizes(analysis, analysis.network).domain.intersect(analysis._domain)
    if domain.is_empty():
        domain = analysis._domain
    wanted = {s: 8 * analysis.network.stride(s) + 64 for s in symbols}
    sizes = SizeSet(domain.project(symbols))
    point = (sizes.next_at_least(**wanted) or sizes.least()) if symbols else {}
    rest = domain.fix(point).sample() if point is not None else None
    if point is None or rest is None:
        raise ValueError(f"{analysis.name} runs at no size")
    return {**rest, **point}


class _Back:
    """The way from an output back to the inputs, along one axis."""

    def __init__(self, analysis: Analysis, symbol: str, env: Mapping[str, int]) -> None:
        self.network = analysis.network
        self.calls = [c for c in self.network.calls if c.domain.contains(env)]
        self.symbol = symbol
        self.env = env

    def field(self, output: SymbolicTensor) -> int | None:
        axis = self._axis(output)
        if axis is None:
            return None
        size = self._size(output, axis)
        period = max(int((scale_of(output.sizes[axis]) or ("", Fraction(1)))[1] * self.network.stride(self.symbol)), 1)
        widest = 0
        for place in range(size // 2, size // 2 + min(period, MOST_PLACES)):
            need = self._seen(output, Stretch(place, place))
            if isinstance(need, Everything):
                return None
            widest = max(widest, need.high - need.low + 1 if need is not None else 0)
        return widest

    def _seen(self, output: SymbolicTensor, places: Stretch) -> Need | None:
        """The places of the inputs that some places of the output come from."""
        needs: dict[int, Need] = {id(output): places}
        seen: Need | None = None
        for call in reversed(self.calls):
            for made in call.outputs:
                need = needs.get(id(made))
                if need is None:
                    continue
                if call.kind == "input":
                    seen = _joined(seen, need)
                for tensor in self.network.operands[call.index]:
                    back = self._through(call, made, tensor, need)
                    if back is None:
                        continue
                    needs[id(tensor)] = _joined(needs.get(id(tensor)), back)
        for tensor in self._given():
            if id(tensor) in needs:
                seen = _joined(seen, needs[id(tensor)])
        return seen

    def _given(self) -> Iterator[SymbolicTensor]:
        made = {id(output) for call in self.calls for output in call.outputs}
        yielded: set[int] = set()
        for call in self.calls:
            for tensor in self.network.operands[call.index]:
                if id(tensor) not in made | yielded and self._axis(tensor) is not None:
                    yielded.add(id(tensor))
                    yield tensor

    def _through(self, call: Call, made: SymbolicTensor, tensor: SymbolicTensor, need: Need) -> Need | None:
        """The places of an operand; None where its axis has nothing to do with the input's."""
        before, after = self._axis(tensor), self._axis(made)
        if before is None:
            return ALL if _depends(tensor, self.symbol) or after is None else None
        if after is None or isinstance(need, Everything):
            return ALL
        return self._local(call, made, after, tensor, before)(need)

    def _local(
        self, call: Call, made: SymbolicTensor, after: int, tensor: SymbolicTensor, before: int
    ) -> Callable[[Stretch], Need | None]:
        kind = kind_of(call)
        old, new = self._size(tensor, before), self._size(made, after)
        if kind in ("conv", "conv_transpose", "pool", "unpool"):
            return self._window(call, after, len(made.sizes))
        if kind in ("shuffle", "unshuffle"):
            return _blocks(Fraction(new, old))
        if kind == "resize":
            return _resized(call, old, new)
        name = _name(call)
        if name == "pad" or name.endswith(("Pad1d", "Pad2d", "Pad3d")):
            padding = self._padding(call, after)
            return lambda need: Stretch(need.low - padding, need.high - padding)
        if name == "__getitem__":
            return self._sliced(call, tensor, before, old)
        if name.lower().startswith("adaptive"):
            return lambda need: Stretch(need.low * old // new, -(-(need.high + 1) * old // new) - 1)
        if name in _ALONG_AN_AXIS:
            elsewhere = _axis_of_softmax(call, len(tensor.sizes)) not in (None, before)
            return (lambda need: need) if elsewhere else _everything
        if old == new and (call.kind == "join" or name in _MOVES or _is_pointwise(call)):
            return lambda need: need
        return _everything

    def _window(self, call: Call, after: int, rank: int) -> Callable[[Stretch], Need | None]:
        axes = spatial_axes(call, rank)
        if -after > axes:
            return lambda need: need
        window = window_of(call, after, axes)
        if window is None:
            window = _same_window(call, after)
        return _transposed(window) if window.transposed else _sliding(window)

    def _padding(self, call: Call, after: int) -> int:
        """How many places are added before the first."""
        given = call.target.padding if call.kind == "module" else None
        if given is None:
            given = call.arguments[1] if len(call.arguments) > 1 else call.keywords.get("pad", ())
        position = 2 * (-after - 1)
        return self._number(given[position]) if position < len(given) else 0

    def _sliced(self, call: Call, tensor: SymbolicTensor, before: int, size: int) -> Callable[[Stretch], Need | None]:
        index = call.arguments[1] if isinstance(call.arguments[1], tuple) else (call.arguments[1],)
        part = _index_at(index, len(tensor.sizes) + before, len(tensor.sizes))
        if not isinstance(part, slice):
            return _everything
        start = 0 if part.start is None else self._number(part.start)
        step = 1 if part.step is None else self._number(part.step)
        first = start + size if start < 0 else start
        return lambda need: Stretch(first + need.low * step, first + need.high * step)

    def _number(self, size: Any) -> int:
        return int(evaluate(size, self.env)) if isinstance(size, Dim) else int(size)

    def _axis(self, tensor: SymbolicTensor) -> int | None:
        """The axis, counted from the end, that grows with the input size."""
        for position, size in enumerate(tensor.sizes):
            found = scale_of(size)
            if found is not None and found[0] == self.symbol:
                return position - len(tensor.sizes)
        return None

    def _size(self, tensor: SymbolicTensor, axis: int) -> int:
        return self._number(tensor.sizes[axis])


def _everything(need: Stretch) -> Need:
    return ALL


def _joined(a: Need | None, b: Need) -> Need:
    if a is None:
        return b
    if isinstance(a, Everything) or isinstance(b, Everything):
        return ALL
    return a.joined(b)


def _depends(tensor: SymbolicTensor, symbol: str) -> bool:
    """Whether a tensor without that axis was made from one with it: a product of sizes is left, or a call made it."""
    return tensor.call is not None or any(isinstance(size, Dim) and symbol in size.symbols for size in tensor.sizes)


def _name(call: Call) -> str:
    return type(call.target).__name__ if call.kind == "module" else function_name(call.target)


def _axis_of_softmax(call: Call, rank: int) -> int | None:
    """The axis, counted from the end, that a softmax adds up."""
    dim = call.target.dim if call.kind == "module" else call.keywords.get("dim", (*call.arguments, None, None)[1])
    return dim % rank - rank if isinstance(dim, int) else None


def _is_pointwise(call: Call) -> bool:
    name = _name(call)
    if call.kind == "module":
        rule = module_rule(call.target)
        return name in _POINTWISE_LAYERS or (rule is not None and rule.__module__ in _POINTWISE_FAMILIES)
    rule = function_rule(call.target)
    return name in _POINTWISE_FUNCTIONS or (rule is not None and rule.__module__ in _POINTWISE_FAMILIES)


def _sliding(window: Window) -> Callable[[Stretch], Need | None]:
    def back(need: Stretch) -> Stretch:
        first = need.low * window.stride - window.padding
        return Stretch(first, need.high * window.stride - window.padding + window.effective - 1)

    return back


def _transposed(window: Window) -> Callable[[Stretch], Need | None]:
    """A place is made by every input place i with i * stride - padding + tap * dilation equal to it."""
    taps = [tap * window.dilation for tap in range(window.kernel_size)]

    def back(need: Stretch) -> Stretch | None:
        ends = [
            (place + window.padding - tap) // window.stride
            for place in range(need.low, need.high + 1)
            for tap in taps
            if (place + window.padding - tap) % window.stride == 0
        ]
        return Stretch(min(ends), max(ends)) if ends else None

    return back


def _same_window(call: Call, after: int) -> Window:
    """``padding="same"``: the odd place, if there is one, is added at the end."""
    given = parameters_of(call)

    def at(name: str) -> int:
        value = given.get(name) or 1
        return int(value[after] if isinstance(value, (tuple, list)) and len(value) >= -after else value)

    weight = given.get("weight")
    kernel = at("kernel_size") if weight is None else int(weight.shape[after])
    window = Window("conv", kernel, at("stride"), 0, at("dilation"))
    return Window("conv", kernel, window.stride, (window.effective - 1) // 2, window.dilation)


def _blocks(ratio: Fraction) -> Callable[[Stretch], Need | None]:
    """Pixel (un)shuffle: places in blocks."""
    if ratio >= 1:
        return lambda need: Stretch(need.low // int(ratio), need.high // int(ratio))
    block = int(1 / ratio)
    return lambda need: Stretch(need.low * block, need.high * block + block - 1)


def _resized(call: Call, old: int, new: int) -> Callable[[Stretch], Need | None]:
    given = call.keywords if call.kind == "function" else vars(call.target)
    named = given.get("mode")
    mode = named or (call.arguments[3] if call.kind == "function" and len(call.arguments) > 3 else "nearest")
    if given.get("antialias"):
        return _everything
    if mode in ("nearest", "nearest-exact"):
        shift = Fraction(1, 2) if mode == "nearest-exact" else Fraction(0)
        return lambda need: Stretch(floor((need.low + shift) * old / new), floor((need.high + shift) * old / new))
    if mode == "area":
        return lambda need: Stretch(need.low * old // new, -(-(need.high + 1) * old // new) - 1)
    reach = 1 if mode == "bicubic" else 0

    def source(place: int) -> Fraction:
        if given.get("align_corners"):
            return Fraction(place * (old - 1), max(new - 1, 1))
        return (place + Fraction(1, 2)) * old / new - Fraction(1, 2)

    def back(need: Stretch) -> Stretch:
        low, high = source(need.low), source(need.high)
        before = reach if low.denominator > 1 else 0
        return Stretch(floor(low) - before, ceil(high) + (reach if high.denominator > 1 else 0))

    return back


def _index_at(index: tuple[Any, ...], axis: int, rank: int) -> Any:
    """What an index says of an axis; a full slice where it says nothing."""
    real = sum(part is not None and part is not Ellipsis for part in index)
    position = 0
    for part in index:
        if part is None:
            continue
        if part is Ellipsis:
            position += rank - real
            if axis < position:
                return slice(None)
            continue
        if position == axis:
            return part
        position += 1
    return slice(None)
