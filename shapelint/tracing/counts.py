"""What the contents of tensors decide: how many elements a mask selects, how many different ones there are.

Such a number gets a symbol of its own (``?1``), any number from 0 to as many as there are elements, and is carried on
like a size. What is required of it must hold, or fail, whatever it is; a branch on it is followed both ways, and the
ways must have come to the same sizes that run where the model ends. Else the answer hangs on contents, and nothing is
proven. Two masks are taken to have nothing to do with each other, except for one and the same tensor, and what only
puts its elements in other places; so ``y[mask] = f(x[mask])`` fits.

A symbol is named by where on its path it is made, so that a path that is run again for another branch has it again.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import torch

from shapelint.ops.broadcasting import repeated_by_expanding
from shapelint.ops.extents import extent_of
from shapelint.ops.ramps import INTEGERS
from shapelint.sizes import Condition, Dim, Domain, Size, TooComplex, Undecided, all_of, implied, product, smax
from shapelint.sizes import expr as ex
from shapelint.sizes.dim import dim
from shapelint.tracing import joining
from shapelint.tracing.loops.holding import held, is_same
from shapelint.tracing.loops.repeated import Repeated
from shapelint.tracing.tensor import SymbolicTensor, symbolic_tensor

if TYPE_CHECKING:
    from shapelint.tracing.exploring import ExploringPath
    from shapelint.tracing.loops.rounds import Round
    from shapelint.tracing.record import Call

_SAME_ELEMENTS = frozenset(
    {
        *("view", "view_as", "reshape", "reshape_as", "flatten", "unflatten", "ravel", "unsqueeze", "squeeze", "T"),
        *("permute", "transpose", "t", "mT", "swapaxes", "swapdims", "movedim", "flip", "roll"),
        *("contiguous", "clone", "detach", "cpu", "bool", "long", "int"),
    }
)
"""Functions whose result has the same elements in other places, or as numbers of another type."""

_SAME_FROM_SAME = frozenset(
    {
        *("eq", "ne", "gt", "ge", "lt", "le", "and", "or", "xor", "invert", "logical_and", "logical_or", "logical_xor"),
        *("logical_not", "bitwise_and", "bitwise_or", "bitwise_not", "isnan", "isinf", "isfinite", "to", "float"),
        *("sum", "mean", "amax", "amin", "abs", "norm", "sigmoid", "softmax", "neg", "any", "all", "getitem", "select"),
        *("argmax", "argmin", "max", "min", "squeeze", "unsqueeze", "permute", "transpose", "view", "reshape"),
        *("flatten", "long", "int", "bool", "expand", "expand_as"),
    }
)
"""Functions that give the same for the same arguments: two masks made by them in the same way are alike."""

_SOME_ELEMENTS = frozenset({"__getitem__", "select", "narrow", "index_select", "max", "min", "amax", "amin"})
_PLACES = frozenset({"nonzero", "argwhere", "where"})

_DEEPEST = 6
"""So many functions in a row are looked through to see whether two masks are made in the same way."""

_KINDS = frozenset({torch.bool, torch.uint8, torch.int32, torch.int64})
_SUMS = frozenset({"sum", "count_nonzero"})
_ANY: dict[tuple[str, int], bool] = {
    ("gt", 0): True,
    ("ne", 0): True,
    ("ge", 1): True,
    ("eq", 0): False,
    ("le", 0): False,
    ("lt", 1): False,
}
"""Comparisons of a count with a number that ask whether there is any; and whether they hold if there is."""


class Counts:
    """The symbols of one analysis.

    Attributes:
        asked: how many symbols the present operation has made,
        made: and how often any was made.
        limits: what the contents cannot be, by symbol, in the order they were made.
        narrowed: where exceptions were raised that only some contents raise.
    """

    def __init__(self, path: ExploringPath) -> None:
        self.path = path
        self.asked = 0
        self.made = 0
        self.limits: dict[str, bool | Condition] = {}
        self.narrowed: list[str] = []
        self._names: dict[Any, str] = {}
        self._within: dict[str, str] = {}
        self._ended: set[str] = set()
        self._changed: dict[torch.dtype, list[int]] = {}
        self._counted: list[tuple[SymbolicTensor, int, Dim]] = []
        self._mixed: set[Any] = set()
        self._left: dict[Any, tuple[Any, list[Any]]] = {}
        self._numbers: list[tuple[SymbolicTensor, int, Size, Dim]] = []
        self._totals: dict[Any, Dim] = {}
        self._joined = 0

    # --- making symbols --------------------------------------------------------------------------

    def new(self, most: Size | None, least: Size = 0) -> Dim:
        """A number that contents decide; ``most`` only counts where a set of sizes can be made of it."""
        while True:
            name = self._name((self.here(), self.asked, _key(most), _key(least)))
            self.asked += 1
            if name not in self.path.domain.parts:
                break
        return self._begin(name, most, least)

    def here(self) -> tuple[tuple[int, int], ...]:
        """The place on the path; a path that is run again comes to it again."""
        return tuple((len(frame.calls), len(frame.steps)) for frame in self.path.frames)

    def joined(self) -> Dim:
        """A size that is another one on the paths that contents choose between."""
        self._joined += 1
        return self._begin(self._name(self._joined), None, 0)

    def _name(self, key: Any) -> str:
        return self._names.setdefault(key, f"{ex.COUNT}{len(self._names) + 1}")

    def _begin(self, name: str, most: Size | None, least: Size) -> Dim:
        self.made += 1
        path = self.path
        count: Dim = dim(name)
        if path.rounds:
            self._within[name] = path.rounds[-1].number
        self._ended.discard(name)
        path.domain = path.domain.with_count(name)
        self.limits[name] = all_of(*(limit for limit in _limits(count, most, least) if self._is_expressible(limit)))
        path.domain = path.domain.restrict(self.limits[name])
        return count

    def _is_expressible(self, limit: bool | Condition) -> bool:
        """Whether a set can be made of it; of what cannot, nothing is taken to be known."""
        try:
            self.path.domain.restrict(limit)
        except TooComplex:
            return False
        return True

    # --- what they are to the path ----------------------------------------------------------------

    def whatever(self, condition: Condition, reason: str, arguments: tuple[object, ...]) -> bool | Condition:
        """A requirement as one on sizes alone.

        Raises:
            Undecided: it holds for some contents, and not for others.
        """
        names = [name for name in condition.support() if ex.is_count(name)]
        if not names:
            return condition
        domain = self.path.domain
        try:
            if domain.status(condition) is True:
                return True
            always = domain.for_all(names, condition)
            settled = isinstance(always, Condition) or always
            some = domain.restrict(condition)
            if isinstance(always, Condition):
                settled = some.status(always) is True
            elif not always:
                settled = some.is_empty()
        except TooComplex as limit:
            raise Undecided(str(limit)) from limit
        if not settled:
            raise Undecided(f"whether this runs depends on the contents of the tensors: {reason.format(*arguments)}")
        return always

    def spans(self, domain: Domain, names: Iterable[str] | None = None) -> bool:
        """Whether sizes are in a domain whatever the contents decide."""
        counts = set(domain.counts if names is None else names).intersection(domain.parts)
        if not counts:
            return True
        whole = domain.project(name for name in domain.parts if name not in counts)
        for name, limit in self.limits.items():
            if name in counts:
                whole = _with_limited(whole, name, limit)
        return whole.is_subset(domain)

    def check(self, domains: list[Domain]) -> None:
        """Contents decide nothing about which sizes run, nor which of several structures is returned.

        Args:
            domains: the sizes for which each of them is.

        Raises:
            Undecided: they do.
        """
        if all(map(self.spans, domains)):
            return
        whole = domains[0]
        for domain in domains[1:]:
            whole = whole.unite(domain)
        if self.spans(whole):
            raise Undecided("which structure the model returns depends on the contents of the tensors")
        why = self.narrowed[0] if self.narrowed else "it runs for some, and for others it does not"
        raise Undecided(f"whether the model runs depends on the contents of the tensors: {why}")

    def raised(self, error: str) -> None:
        """An exception ends the path: if only some contents raise it, that may matter at the model's end."""
        if not self.spans(self.path.domain):
            self.narrowed.append(error)

    # --- rounds of loops --------------------------------------------------------------------------

    def are_within(self, names: Iterable[str]) -> bool:
        """Whether one of these symbols was made by a round that is being followed, and is another one in the others."""
        numbers = {each.number for each in self.path.rounds}
        return any(self._within.get(name) in numbers for name in names)

    def mix_rounds(self) -> None:
        """A branch on contents: one round may take it and the next one not, though each is followed as all are."""
        self._mixed.update((each.site, each.begun) for each in self.path.rounds)

    def check_mixed(self, current: Round, left: Any) -> None:
        """What a round leaves, whichever way it went, is the same; what was there before it is left as it was.

        Raises:
            Undecided: it is not.
        """
        key = (current.site, current.begun)
        if key in self._mixed:
            self._check_same(key, left)

    def check_joined(self, place: Any, items: Any) -> None:
        """As :meth:`check_mixed`, for a list that a comprehension has made."""
        if self._mixed:
            self._check_same((self.here(), place), items)

    def _check_same(self, key: Any, left: Any) -> None:
        leaves: list[Any] = []
        structure = joining.flatten(left, leaves)
        known = self._left.setdefault(key, (structure, leaves))
        if not (joining.same_structure(known[0], structure) and all(map(_is_same_leaf, known[1], leaves))):
            raise Undecided("what a round of a loop adds to a list depends on the contents of the tensors")

    def bounded_by(self, numbers: Iterable[str]) -> set[str]:
        """The symbols whose limits hang on which round of a loop it is.

        Raises:
            Undecided: a branch was taken on one of them, and nothing of it can be remembered after the round.
        """
        rounds = set(numbers)
        found = {name for name in self._within if name in self.path.domain.parts and self._hangs_on(name, rounds)}
        if found and not self.spans(self.path.domain, found):
            raise Undecided("which branch a round of a loop takes depends on the contents of the tensors")
        return found

    def _hangs_on(self, name: str, numbers: set[str]) -> bool:
        limit = self.limits[name]
        return isinstance(limit, Condition) and not numbers.isdisjoint(limit.support())

    def end(self, number: str) -> None:
        """A round is over that stands for many, and each of them has numbers of its own."""
        self._ended |= {name for name, within in self._within.items() if within == number}

    def check_names(self, names: Iterable[str]) -> None:
        """No number of a round that is over is used."""
        for name in names:
            if name in self._ended:
                raise Undecided("the contents of the tensors decide a size that differs from round to round of a loop")

    def totals(self, items: Repeated, axis: int) -> Repeated:
        """Tensors to be joined along an axis; those that each round of a loop made, of sizes of its own, as one."""
        runs = [self._total(item, times, axis) for item, times in items.runs] if self._ended else items.runs
        return Repeated(*zip(*runs, strict=True)) if runs else items

    def _total(self, item: Any, times: Size, axis: int) -> tuple[Any, Size]:
        if type(item) is not SymbolicTensor or not -len(item.sizes) <= axis < len(item.sizes):
            return item, times
        size = item.sizes[axis]
        if not isinstance(size, Dim) or self._ended.isdisjoint(size.symbols):
            return item, times
        # two lists that were filled together are as long together
        key = (size.expr, _key(times))
        if key not in self._totals or self._totals[key].symbols[0] not in self.path.domain.parts:
            self._totals[key] = self.new(None)
        sizes = list(item.sizes)
        sizes[axis] = self._totals[key]
        return symbolic_tensor(tuple(sizes), item.kind, item.call), 1

    # --- what is counted --------------------------------------------------------------------------

    def changed(self, tensor: Any, index: int) -> None:
        """A tensor was changed in place by an operation of this index."""
        if type(tensor) is SymbolicTensor:
            self.note_change(tensor.kind, index)
        elif isinstance(tensor, torch.Tensor):
            self.note_change(tensor.dtype, index)

    def note_change(self, kind: torch.dtype, index: int) -> None:
        """Some tensor of this type was changed in place."""
        self._changed.setdefault(kind, []).append(index)

    def changes(self) -> dict[torch.dtype, int]:
        """How often tensors of each type have been changed in place."""
        return {kind: len(indices) for kind, indices in self._changed.items()}

    def in_tensor(self, tensor: Any, least: Size = 0, most: Size | None = None) -> Size:
        """How many elements of a tensor are not 0; the same number whenever it is asked."""
        if type(tensor) is not SymbolicTensor:
            return self.new(product(tensor.shape))
        source, times = self._source(tensor)
        count = self._known(source)
        if count is None:
            count = self.new(product(source.sizes) if most is None else most, least)
            source.counted = (self._last_change(source), count)
            self._counted.append((source, source.counted[0], count))
        total: Size = count * times
        return total

    def _known(self, tensor: SymbolicTensor) -> Dim | None:
        """The count of a tensor, or of one made in the same way, that was counted on this path."""
        if tensor.kind not in _KINDS:
            return None
        known = tensor.counted
        if known is not None and self._is_valid(tensor, *known):
            return known[1]
        for other, index, count in self._counted:
            if self._is_valid(other, index, count) and self._alike(other, tensor, _DEEPEST):
                return count
        return None

    def _last_change(self, tensor: SymbolicTensor) -> int:
        changes = self._changed.get(tensor.kind)
        return changes[-1] if changes else -1

    def _is_valid(self, tensor: SymbolicTensor, index: int, count: Dim) -> bool:
        return count.symbols[0] in self.path.domain.parts and self._unchanged(tensor, index)

    def _unchanged(self, tensor: SymbolicTensor, index: int, until: int | None = None) -> bool:
        """Whether no tensor of this kind, and so this one, was changed after an operation (until another one)."""
        changes = self._changed.get(tensor.kind, ())
        after = bisect.bisect_right(changes, index)
        return after == len(changes) or (until is not None and changes[after] > until)

    def _alike(self, a: Any, b: Any, depth: int) -> bool:
        """Whether two arguments hold the same, tensors of now being what they were when they were made."""
        if a is b:
            return True
        if type(a) is not SymbolicTensor or type(b) is not SymbolicTensor:
            return _same_argument(a, b)
        first, second = a.call, b.call
        if first is None or second is None or first.in_place or second.in_place or not depth or a.kind is not b.kind:
            return False
        name = getattr(first.target, "__name__", "").strip("_")
        if (
            first.target is not second.target
            or name not in _SAME_FROM_SAME
            or len(first.outputs) != len(second.outputs)
        ):
            return False
        if [o is a for o in first.outputs] != [o is b for o in second.outputs]:
            return False
        if not (self._unchanged(a, first.index) and self._unchanged(b, second.index)):
            return False
        pairs = zip(
            (*first.arguments, *first.keywords.values()), (*second.arguments, *second.keywords.values()), strict=False
        )
        same = len(first.arguments) == len(second.arguments) and list(first.keywords) == list(second.keywords)
        begin, end = sorted((first.index, second.index))
        return same and all(
            self._alike(x, y, depth - 1) and (type(x) is not SymbolicTensor or self._unchanged(x, begin, end))
            for x, y in pairs
        )

    def _source(self, tensor: SymbolicTensor) -> tuple[SymbolicTensor, Size]:
        """The tensor whose elements these are, and how often each is repeated."""
        times: Size = 1
        while (before := self._before(tensor)) is not None:
            source, repeated = before
            tensor, times = source, times * repeated
        return tensor, times

    def _before(self, tensor: SymbolicTensor) -> tuple[SymbolicTensor, Size] | None:
        call = tensor.call
        if call is None or call.in_place or not call.arguments or tensor.kind not in _KINDS:
            return None
        name, source = getattr(call.target, "__name__", ""), call.arguments[0]
        if type(source) is not SymbolicTensor or source.kind not in _KINDS:
            return None
        if not (self._unchanged(tensor, call.index) and self._unchanged(source, call.index)):
            return None
        if name in _SAME_ELEMENTS:
            return source, 1
        if name in ("expand", "expand_as"):
            times = repeated_by_expanding(source.sizes, tensor.sizes)
            return None if times is None else (source, times)
        return None

    def number_in(self, tensor: SymbolicTensor) -> Size | None:
        """The number in a tensor of one element: how many elements a mask has, or some position."""
        if any(type(size) is not int or size != 1 for size in tensor.sizes) or tensor.kind not in _KINDS:
            return None
        number = next((n for t, at, n, symbol in self._numbers if t is tensor and self._is_valid(t, at, symbol)), None)
        if number is None:
            number = self._count_in(tensor)
        limits = self._limits_of(tensor) if number is None else None
        if limits is not None:
            low, high = limits
            if implied(high == low):
                return low
            above = self.new(high - low)
            number = low + above
            self._numbers.append((tensor, self._last_change(tensor), number, above))
        return number

    def _limits_of(self, tensor: SymbolicTensor) -> tuple[Size, Size] | None:
        """The least and the greatest position that may be in a tensor, if it is known to hold positions."""
        known = extent_of(tensor)
        if known is not None and all(type(end) is int or isinstance(end, Dim) for end in (known.low, known.high)):
            return known.low, known.high
        source: Any = tensor
        while type(source) is SymbolicTensor and source.call is not None and source.kind in _KINDS:
            call, name = source.call, getattr(source.call.target, "__name__", "")
            if call.in_place or not call.arguments or not self._unchanged(source, call.index):
                return None
            if name in _PLACES:
                sizes = getattr(call.arguments[0], "shape", ())
                return (0, smax(*sizes, 1) - 1) if sizes else None
            if name in _SUMS:
                return _sum_limits(call)
            if name not in _SAME_ELEMENTS and not (name in _SOME_ELEMENTS and call.outputs[0] is source):
                return None
            source = call.arguments[0]
        return None

    def _count_in(self, tensor: SymbolicTensor) -> Size | None:
        source = self._source(tensor)[0]
        mask = _counted_by(source)
        if mask is None or source.call is None or not self._unchanged(mask, source.call.index):
            return None
        return self.in_tensor(mask) if self._unchanged(source, source.call.index) else None

    def branch(self, tensor: SymbolicTensor, what: str) -> bool:
        """A branch on a tensor's contents. Whether there is any element in a mask is remembered of it."""
        asked = self._asked(tensor)
        if asked is None:
            return self.path.data_branch(what)
        mask, holds_if_any = asked
        known = self._known(self._source(mask)[0])
        if known is not None:
            return bool(known > 0) is holds_if_any
        holds = self.path.data_branch(what)
        self.asked = 0
        if holds is holds_if_any:
            self.in_tensor(mask, least=1)
        else:
            self.in_tensor(mask, most=0)
        return holds

    def _asked(self, tensor: SymbolicTensor) -> tuple[SymbolicTensor, bool] | None:
        """The mask of which a branch asks whether it has any element; and whether it is taken if it has."""
        call = tensor.call
        if call is None or call.in_place or not call.arguments or not self._unchanged(tensor, call.index):
            return None
        name, source = getattr(call.target, "__name__", "").strip("_"), call.arguments[0]
        if type(source) is not SymbolicTensor:
            return None
        if name in ("invert", "logical_not"):
            inner = self._asked(source)
            return None if inner is None else (inner[0], not inner[1])
        if name == "any":
            alone = len(call.arguments) == 1 and not call.keywords and source.kind is torch.bool
            return (source, True) if alone and self._unchanged(source, call.index) else None
        number = call.arguments[1] if len(call.arguments) == 2 else None
        holds = _ANY.get((name, number)) if type(number) is int else None
        mask = _counted_by(self._source(source)[0])
        if holds is None or mask is None or source.call is None or not self._unchanged(mask, source.call.index):
            return None
        return mask, holds


def _is_same_leaf(a: Any, b: Any) -> bool:
    """Whether two sizes, or tensors, are alike in all that later sizes may hang on."""
    if type(a) is not SymbolicTensor or type(b) is not SymbolicTensor:
        return a is b or implied(a == b)
    if a.kind in INTEGERS or a.strided is not None or b.strided is not None:
        return is_same(held(a), held(b))
    return all(x is y or implied(x == y) for x, y in zip(a.sizes, b.sizes, strict=True))


def _with_limited(domain: Domain, name: str, limit: bool | Condition) -> Domain:
    """The sizes with one more symbol within its limit; where no number is, it was never made and may be any."""
    limited = domain.with_count(name).restrict(limit)
    kept = limited.project(domain.parts)
    return limited if domain.is_subset(kept) else limited.unite(domain.subtract(kept).with_count(name))


def _key(size: Size | None) -> Any:
    return size.expr if isinstance(size, Dim) else size


def _same_argument(a: Any, b: Any) -> bool:
    if isinstance(a, torch.Tensor) or isinstance(b, torch.Tensor) or type(a) is not type(b):
        return False
    if isinstance(a, Dim):
        return a.expr is b.expr
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(_same_argument, a, b))
    return isinstance(a, _PLAIN) and bool(a == b)


_PLAIN = (int, float, str, type(None), type(...), slice, torch.dtype)


def _limits(count: Dim, most: Size | None, least: Size) -> list[bool | Condition]:
    return [count >= least] if most is None else [count >= least, count <= most]


def _sum_limits(call: Call) -> tuple[Size, Size] | None:
    """Between which numbers the sums of a mask's elements lie."""
    mask = call.arguments[0]
    if type(mask) is not SymbolicTensor or mask.kind is not torch.bool:
        return None
    dimension = call.arguments[1] if len(call.arguments) > 1 else call.keywords.get("dim")
    return 0, mask.sizes[dimension] if type(dimension) is int else product(mask.sizes)


def _counted_by(tensor: SymbolicTensor) -> SymbolicTensor | None:
    """The mask whose elements a sum counts."""
    call = tensor.call
    if call is None or tensor.sizes or getattr(call.target, "__name__", "") not in _SUMS:
        return None
    mask = call.arguments[0] if len(call.arguments) == 1 and not call.keywords else None
    return mask if type(mask) is SymbolicTensor and mask.kind is torch.bool else None
