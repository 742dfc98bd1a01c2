"""How a tensor's contents were computed from sizes alone, so that they can be computed again at given sizes.

Positions that no rule follows (``torch.log2(places).long()``) still hang on nothing but sizes. What they are at some
sizes can be found out on the CPU; that is no proof, and whoever relies on it says so.
"""

from __future__ import annotations

import contextlib
import dataclasses
import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from types import BuiltinFunctionType, FunctionType, MethodDescriptorType, WrapperDescriptorType
from typing import Any

import torch

from shapelint.sizes import Condition, Dim, Domain, Ratio
from shapelint.sizes.dim import evaluate
from shapelint.sizes.expr import Expr
from shapelint.sizes.path import Path, following

_LARGEST = 2**16
"""A real tensor with more elements is kept in no recipe."""

_SAMPLES = 16
_TRIES = 600
_REACHES = (8, 24, 100, 260)

ON_SIZES_ONLY = frozenset(
    {
        *("zeros_like", "ones_like", "full_like", "new_zeros", "new_ones", "new_full", "new_tensor"),
        *("expand_as", "view_as", "reshape_as", "type_as"),
    }
)
"""Functions that ask a tensor for its shape and type; of the last ones, only the second tensor."""

_DRAWN = frozenset(
    {
        *("rand", "randn", "randint", "randperm", "rand_like", "randn_like", "randint_like", "normal", "bernoulli"),
        *("multinomial", "poisson", "dropout", "uniform_", "normal_", "random_", "bernoulli_", "exponential_"),
        *("rrelu", "alpha_dropout", "feature_dropout"),
    }
)
_BY_CHANCE = _DRAWN | {"empty", "empty_like", "new_empty", "empty_strided"}


class NotComputed(Exception):
    """What a recipe stands for cannot be computed at the sizes asked for."""


@dataclasses.dataclass(frozen=True, slots=True)
class Blank:
    """A tensor that is asked for its shape and type only."""

    sizes: tuple[Any, ...]
    dtype: torch.dtype


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Recipe:
    """A function's call, its tensors replaced by how they were computed.

    Attributes:
        in_place: the first argument is changed, and is the result.
        part: which of several results is meant.
        ramp: what the result is known to hold, if that is a ramp,
        like: and its shape and type then.
    """

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    in_place: bool = False
    part: int | None = None
    ramp: Any = None
    like: Blank | None = None


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Cases:
    """For each set of sizes another recipe, ``None`` where contents hang on more than sizes."""

    cases: tuple[tuple[Domain, Any], ...]


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Unfollowed:
    """Contents that were changed in a way which leaves no recipe."""


def written_through(base: Any, view: Any, change: Any) -> Any:
    """How a tensor's contents come about of which a view was changed: ``None`` unless all of it hangs on sizes.

    Args:
        base: the tensor's contents before.
        view: the call that made the view, of the tensor.
        change: the call that changed it, of the view.
    """
    if not (type(view) is type(change) is Recipe and view.args[0] is base):
        return Unfollowed()
    steps = ((view.function, view.args[1:], view.kwargs), (change.function, change.args[1:], change.kwargs))
    return Recipe(_write_through, (base, view.part, *steps), {})


def _write_through(base: torch.Tensor, part: int | None, view: Any, change: Any) -> torch.Tensor:
    written = base.clone()
    function, args, kwargs = view
    seen = function(written, *args, **kwargs)
    function, args, kwargs = change
    function(seen if part is None else seen[part], *args, **kwargs)
    return written


class _At(Path):
    """Follows given sizes, each of them a plain number, and remembers which were asked for."""

    def __init__(self, sizes: Mapping[str, int]) -> None:
        super().__init__(Domain.positive(()))
        self.sizes = sizes
        self.asked: set[str] = set()

    def decide(self, condition: Condition) -> bool:
        self.asked.update(condition.support())
        return condition.evaluate(self.sizes)

    def concrete(self, size: Expr) -> int:
        self.asked.update(size.support)
        return size.evaluate(self.sizes)


def _is_from_sizes(value: Any) -> bool:
    """Is it a float that is computed from sizes in a way that no formula says? Torch would take it for not a number."""
    return isinstance(value, float) and type(value) is not float


class _Data(Exception):
    """A tensor among the arguments holds more than sizes say."""


def is_drawn_by(function: Any) -> bool:
    """Whether a function draws numbers at random."""
    return getattr(function, "__name__", "") in _DRAWN


def recipe_after(function: Any, args: Any, kwargs: dict[str, Any], *, in_place: bool, part: int | None = None) -> Any:
    """How a call's result was computed, ``None`` if its contents hang on the input's or on chance."""
    name = getattr(function, "__name__", "")
    if name in _BY_CHANCE:
        return None
    try:
        first = tuple(map(_kept, args)) if name not in ON_SIZES_ONLY else tuple(_asked_for_sizes(name, args))
        named = {key: _kept(a) for key, a in kwargs.items() if key not in ("device", "out")} if kwargs else {}
    except _Data:
        return None
    return Recipe(function, first, named, in_place, part)


def _asked_for_sizes(name: str, args: Any) -> Iterator[Any]:
    """Arguments of a function that asks one of them for no more than its shape and type."""
    for at, value in enumerate(args):
        asked = (at == 0) != name.endswith("_as") and isinstance(value, torch.Tensor)
        yield Blank(tuple(value.shape), value.dtype) if asked else _kept(value)


def _kept(value: Any) -> Any:
    if issubclass(type(value), torch.Tensor):
        recipe = getattr(value, "recipe", None)
        if recipe is not None:
            return recipe
        contents = getattr(value, "value", None)
        if isinstance(contents, (int, list, tuple, Dim)) and not isinstance(contents, bool):
            return Recipe(torch.tensor, (contents,), {"dtype": value.dtype})
        if type(value) not in (torch.Tensor, torch.nn.Parameter) or value.is_meta or value.numel() > _LARGEST:
            raise _Data
        return value
    if type(value) in (list, tuple):
        return type(value)(_kept(v) for v in value)
    return slice(_kept(value.start), _kept(value.stop), _kept(value.step)) if type(value) is slice else value


def computed(recipe: Any, sizes: dict[str, int]) -> torch.Tensor:
    """What a recipe gives at these sizes, on the CPU.

    Raises:
        NotComputed: nothing.
    """
    return computed_from(recipe, sizes, {})


def computed_from(recipe: Any, sizes: dict[str, int], done: dict[int, Any]) -> torch.Tensor:
    """What a recipe gives, some parts of which, by their ids, are done.

    Raises:
        NotComputed: nothing.
    """
    with torch._C.DisableTorchFunction(), torch.no_grad():
        try:
            result = _computed(recipe, sizes, done)
        except Exception as error:  # whatever stops it, the contents stay unknown
            raise NotComputed(str(error)) from error
    if not isinstance(result, torch.Tensor):
        raise NotComputed
    return result


def _computed(value: Any, sizes: dict[str, int], done: dict[int, Any]) -> Any:
    if isinstance(value, (Recipe, Cases, Unfollowed, Blank)):
        if id(value) not in done:
            done[id(value)] = _run(value, sizes, done)
        return done[id(value)]
    if isinstance(value, Dim):
        return evaluate(value, sizes)
    if isinstance(value, Ratio):
        return value.number.evaluate(sizes) / value.divisor.evaluate(sizes)
    if _is_from_sizes(value):
        with following(_At(sizes)):
            return float(value)
    if isinstance(value, torch.Tensor):
        return value.cpu()
    if isinstance(value, torch.device):
        return torch.device("cpu")
    if isinstance(value, slice):
        return slice(*(_computed(bound, sizes, done) for bound in (value.start, value.stop, value.step)))
    if isinstance(value, dict):
        return {name: _computed(v, sizes, done) for name, v in value.items()}
    if isinstance(value, (list, tuple)):
        parts = [_computed(v, sizes, done) for v in value]
        return parts if isinstance(value, list) else tuple(parts)
    return value


def _run(recipe: Any, sizes: dict[str, int], done: dict[int, Any]) -> Any:
    if isinstance(recipe, Unfollowed):
        raise NotComputed
    if isinstance(recipe, Blank):
        return torch.empty([evaluate(size, sizes) for size in recipe.sizes], dtype=recipe.dtype)
    if isinstance(recipe, Cases):
        return _computed(next(case for domain, case in recipe.cases if domain.contains(sizes)), sizes, done)
    args = [_computed(a, sizes, done) for a in recipe.args]
    if recipe.in_place:
        args[0] = args[0].clone()
    result = recipe.function(*args, **{name: _computed(v, sizes, done) for name, v in recipe.kwargs.items()})
    if recipe.in_place:
        return args[0]
    return result if recipe.part is None else result[recipe.part]


class Results:
    """What a recipe gives at some sizes: each layer of a network computes the same positions anew."""

    def __init__(self, recipe: Any) -> None:
        self._recipe = recipe
        self._known: dict[tuple[tuple[str, int], ...], torch.Tensor] = {}

    def are_of(self, recipe: Any) -> bool:
        """Whether a recipe gives the same as this one, whatever the sizes."""
        return _are_alike(self._recipe, recipe, set())

    def at(self, sizes: dict[str, int]) -> torch.Tensor:
        """As :func:`computed`."""
        key = tuple(sizes.items())
        if key not in self._known:
            self._known[key] = computed(self._recipe, sizes)
        return self._known[key]


def _are_alike(a: Any, b: Any, seen: set[tuple[int, int]]) -> bool:
    """Whether two recipes, or arguments in them, come to the same; real tensors may change, and are never alike."""
    if type(a) is not type(b):
        return False
    if isinstance(a, Recipe):
        if (id(a), id(b)) in seen:
            return True  # asked already; one that is not alike ends it all
        seen.add((id(a), id(b)))
        if (a.function, a.in_place, a.part) != (b.function, b.in_place, b.part):
            return False
        return _are_alike(a.args, b.args, seen) and _are_alike(a.kwargs, b.kwargs, seen)
    if isinstance(a, Blank):
        return a.dtype == b.dtype and _are_alike(a.sizes, b.sizes, seen)
    if isinstance(a, Dim):
        return a.expr is b.expr
    if isinstance(a, slice):
        return _are_alike((a.start, a.stop, a.step), (b.start, b.stop, b.step), seen)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_are_alike(value, b[name], seen) for name, value in a.items())
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(_are_alike(x, y, seen) for x, y in zip(a, b, strict=True))
    if type(a) is float:
        return repr(a) == repr(b)
    return a is b if isinstance(a, _FUNCTIONS) else type(a) in _BY_VALUE and bool(a == b)


_BY_VALUE = frozenset({int, bool, str, type(None), type(...), torch.dtype, torch.device})
_FUNCTIONS = (FunctionType, BuiltinFunctionType, MethodDescriptorType, WrapperDescriptorType)


def fixed_contents(recipe: Any) -> Any:
    """The numbers that a recipe gives whatever the sizes are, as lists; ``None`` if there are no such."""
    if recipe is None or symbols_in(recipe):
        return None
    try:
        return computed(recipe, {}).tolist()
    except NotComputed:
        return None


def sizes_in(value: Any, found: dict[Expr, Dim], seen: set[int]) -> bool:
    """Collect the sizes that a recipe's contents are computed from; false where they hang on more than these."""
    if isinstance(value, Dim):
        found[value.expr] = value
        return True
    if id(value) in seen:
        return True
    seen.add(id(value))
    parts: tuple[Any, ...] = ()
    if isinstance(value, Recipe):
        parts = (*value.args, *value.kwargs.values())
    elif isinstance(value, Blank):
        parts = value.sizes
    elif isinstance(value, slice):
        parts = (value.start, value.stop, value.step)
    elif isinstance(value, dict):
        parts = tuple(value.values())
    elif isinstance(value, (list, tuple)):
        parts = tuple(value)
    elif isinstance(value, (Cases, Unfollowed, Ratio)) or _is_from_sizes(value):
        return False
    return all(sizes_in(part, found, seen) for part in parts)


def symbols_in(value: Any, seen: set[int] | None = None) -> frozenset[str]:
    """The sizes that a recipe's contents hang on."""
    seen = set() if seen is None else seen
    if isinstance(value, Dim):
        return frozenset(value.symbols)
    if id(value) in seen:
        return frozenset()
    seen.add(id(value))
    parts: Iterator[Any] = iter(())
    if isinstance(value, Recipe):
        parts = iter((*value.args, *value.kwargs.values()))
    elif isinstance(value, Cases):
        # the sizes that choose a case count too
        names = {name for domain, _ in value.cases for name in domain.symbols}
        return frozenset(names)
    elif isinstance(value, Blank):
        parts = iter(value.sizes)
    elif isinstance(value, Ratio):
        return frozenset((*value.number.support, *value.divisor.support))
    elif _is_from_sizes(value):
        at = _At(defaultdict(lambda: 1))
        with following(at), contextlib.suppress(ArithmeticError, ValueError):  # what was asked for until then counts
            float(value)
        return frozenset(at.asked)
    elif isinstance(value, slice):
        parts = iter((value.start, value.stop, value.step))
    elif isinstance(value, dict):
        parts = iter(value.values())
    elif isinstance(value, (list, tuple)):
        parts = iter(value)
    return frozenset().union(*(symbols_in(part, seen) for part in parts))


def samples(domain: Domain) -> list[dict[str, int]]:
    """Some sizes of a domain, drawn independently: at regular ones, formulas of different sizes coincide."""
    draw = random.Random(len(domain.symbols))
    found: list[dict[str, int]] = []
    for attempt in range(_TRIES):
        reach = _REACHES[attempt % len(_REACHES)]
        env = {name: draw.randint(1, reach) for name in domain.symbols}
        if attempt % 3 == 0:
            env = {name: -(-size // 32) * 32 for name, size in env.items()}
        if domain.contains(env) and env not in found:
            found.append(env)
        if len(found) == _SAMPLES:
            return found
    least = domain.sample()
    return found or ([least] if least else [])
