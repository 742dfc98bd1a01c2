"""Where a model cannot be followed symbolically, it is run: at each size of a range, which is said with the answer.

Each size is tried alone, with the others at a size that runs, and all of them alike. What is seen is told as a pattern
("multiples of 7 in 1…512"); beyond the range nothing is claimed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from torch import nn

from shapelint.claims import tensor_shapes
from shapelint.sizes import SizeSet
from shapelint.sizes.dim import evaluate
from shapelint.sizes.domain import Domain
from shapelint.sizes.sizeset import AxisSizes
from shapelint.tracing.running import TooMuchWork
from shapelint.words import listed

if TYPE_CHECKING:
    from shapelint.api import Analysis

REACH: Final = 160
REACH_OF_ONE: Final = 512
"""A single size costs less to try than several, so it is tried further."""

_USUAL: Final = (64, 32, 128, 224, 256, 28, 16, 96, 48, 512)
_USUAL_VOLUMES: Final = (32, 64, 16, 96, 128, 8, 48, 112)
_LONG: Final = (1600, 4096, 16_000, 65_536)
"""What sound has, whose networks often refuse less than a second of it."""

_LEAST_REPEATS: Final = 3
_PER_SECOND: Final = 1e11
"""Multiplications that a CPU makes: where a run has to be made there, it is to be one of many."""

_LEAST_REACH: Final = 8
"""Of fewer sizes than these nothing is told but that they run: they show no pattern."""


@dataclass(frozen=True, slots=True)
class Search:
    """Looking for a size that runs.

    Attributes:
        found: it; None if there was none.
        tried: sizes of every symbol that were tried before.
        complete: whether all that were to be tried could be, in the time there was.
        error: what the first run raised.
    """

    found: Mapping[str, int] | None
    tried: tuple[int, ...] = ()
    complete: bool = True
    error: Exception | None = None

    def sentence(self) -> str:
        """What there is to say where none was found."""
        if self.complete:
            return f"no size was found to run in 1…{REACH}"
        return "no size was found to run in the time there was"


@dataclass(frozen=True, slots=True)
class Enumeration:
    """What running a model at sizes showed.

    Attributes:
        search: how a size that runs was looked for.
        varied: the symbols that were varied.
        reach: they were tried from 1 to this.
        wanted: they were to be tried up to this.
        alone: for each of them the values that run while the others stay at the base.
        together: the values that run for all of them alike.
        batches: whether a batch of 2 runs where one of 1 does.
    """

    search: Search
    varied: tuple[str, ...]
    reach: int
    wanted: int
    alone: Mapping[str, tuple[int, ...]]
    together: tuple[int, ...]
    batches: bool

    @property
    def base(self) -> Mapping[str, int] | None:
        """A size that runs, of every symbol; None if none was found."""
        return self.search.found

    def points(self) -> Iterator[dict[str, int]]:
        """Every size that was seen to run."""
        if self.base is None:
            return
        yield dict(self.base)
        for name, values in self.alone.items():
            yield from ({**self.base, name: value} for value in values)
        for value in self.together:
            yield {**self.base, **dict.fromkeys(self.varied, value)}

    def domain(self, symbols: Sequence[str]) -> Domain:
        """The sizes that were seen to run, as a set; batches of any size if one of 2 ran."""
        if self.base is None:
            return Domain.positive(symbols)._emptied()
        named = [name for name in symbols if name != "N" or not self.batches]
        seen = SizeSet.from_points(named, {tuple(point[name] for name in named) for point in self.points()})
        return (SizeSet(Domain.positive(symbols)) & seen).domain

    def sentence(self) -> str:
        """In words: "T: multiples of 7 in 1…512"."""
        if self.base is None:
            return self.search.sentence() if self.varied else "the model does not run"
        if not self.varied:
            return "runs"
        if self.reach < min(self.wanted, _LEAST_REACH):
            return f"{self._at_base()} runs (there was no time to try other sizes)"
        tried = f"in 1…{self.reach}" + (" (there was no time for more)" if self.reach < self.wanted else "")
        of_all = pattern(self.together, self.reach)
        alone = {name: pattern(values, self.reach) for name, values in self.alone.items()}
        if all(found == of_all for found in alone.values()):
            how = ", each alone and all alike" if len(self.varied) > 1 else ""
            return f"{listed(self.varied)}: {self._told(of_all)} {tried}{how}"
        parts = [f"{name}: {self._told(found)} (with {self._others(name)})" for name, found in alone.items()]
        return "; ".join([*parts, f"{' = '.join(self.varied)}: {self._told(of_all)}"]) + f"; {tried}"

    def _told(self, found: AxisSizes) -> str:
        if found == _NONE:
            return f"{self._at_base()} runs, and none"
        from shapelint.rules.wording import axis_phrase

        return axis_phrase(found)

    def _at_base(self) -> str:
        assert self.base is not None
        return " × ".join(str(self.base[name]) for name in self.varied)

    def _others(self, name: str) -> str:
        assert self.base is not None
        return ", ".join(f"{other} = {self.base[other]}" for other in self.varied if other != name)


_NONE: Final = AxisSizes(None, 1, (), ())


def pattern(running: Sequence[int], reach: int) -> AxisSizes:
    """The shortest rule that the sizes from 1 to ``reach`` follow several times over; else the sizes one by one."""
    members = set(running)
    for modulus in range(1, reach // _LEAST_REPEATS + 1):
        breaks = (size for size in range(reach - modulus, 0, -1) if (size in members) != (size + modulus in members))
        begin = next(breaks, 0) + 1
        if reach - begin + 1 < max(_LEAST_REPEATS * modulus, reach // 2):
            continue
        tail = [size for size in sorted(members) if size >= begin]
        if not tail:
            break  # from some size on nothing runs: a few sizes, told one by one
        residues = tuple(sorted({size % modulus for size in tail}))
        first = begin
        while first > 1 and (first - 1 in members) == ((first - 1) % modulus in residues):
            first -= 1
        start = min(size for size in members if size >= first)
        return AxisSizes(start, modulus, residues, tuple(sorted(size for size in members if size < first)))
    return AxisSizes(None, 1, (), tuple(sorted(members)))


def enumerate_sizes(analysis: Analysis) -> Enumeration:
    """Run the model at each size of a range, as long as there is time."""
    deadline = time.monotonic() + analysis.limits.enumeration_seconds
    search, varied = analysis._search, tuple(name for name in analysis.symbols if name != "N")
    base = search.found
    wanted = REACH_OF_ONE if len(varied) == 1 else REACH
    if base is None or not varied:
        return Enumeration(search, varied, REACH, REACH, {}, (), batches=False)
    alone: dict[str, list[int]] = {name: [] for name in varied}
    together: list[int] = []
    reach = 0
    while reach < wanted and time.monotonic() < deadline:
        reach += 1
        for name, found in alone.items():
            if _runs(analysis, {**base, name: reach}):
                found.append(reach)
        if _runs(analysis, {**base, **dict.fromkeys(varied, reach)}):
            together.append(reach)
    batches = "N" in base and _runs(analysis, {**base, "N": 2})
    seen = {name: tuple(found) for name, found in alone.items()}
    return Enumeration(search, varied, reach, wanted, seen, tuple(together), batches=batches)


def working_size(analysis: Analysis) -> Search:
    """A size that runs: all spatial sizes alike, a batch of one, and channels as some layer of the model has them."""
    deadline = time.monotonic() + analysis.limits.enumeration_seconds
    inferred = ("C",) if analysis.inputs.inferred and "C" in analysis.inputs.symbols else ()
    varied = [name for name in analysis.inputs.symbols if name != "N" and name not in inferred]
    one = {"N": 1} if "N" in analysis.inputs.symbols else {}
    usual = _USUAL_VOLUMES if len(varied) > 2 else (*_USUAL, *_LONG) if len(varied) == 1 else _USUAL
    tried: dict[int, None] = {}
    first: Exception | None = None
    complete = True
    for size in dict.fromkeys((*usual, *range(1, REACH + 1))) if varied else (1,):
        tried[size] = None
        for channels in _channels(analysis.model) if inferred else (1,):
            env = {**one, **dict.fromkeys(varied, size), **dict.fromkeys(inferred, channels)}
            error = analysis._runner.run(env, most=_PER_SECOND * analysis.limits.enumeration_seconds).error
            if error is None:
                return Search(env)
            first = first or error
            complete = complete and not isinstance(error, TooMuchWork)
            if time.monotonic() > deadline:
                return Search(None, tuple(tried), complete=False, error=first)
    return Search(None, tuple(tried), complete, first)


def _channels(model: nn.Module) -> tuple[int, ...]:
    """Numbers of channels that an input may have, likeliest first: what the first layers take."""
    taken = (
        getattr(module, name, None)
        for module in model.modules()
        for name in ("in_channels", "in_features", "num_features", "input_size", "embed_dim")
    )
    known = [size for size in taken if isinstance(size, int) and size > 0]
    return tuple(dict.fromkeys([*known[:2], 3, 1]))


def _runs(analysis: Analysis, env: Mapping[str, int]) -> bool:
    return analysis._runner.run(env, most=_PER_SECOND * analysis.limits.enumeration_seconds).error is None


def round_trips(analysis: Analysis) -> SizeSet:
    """Of the sizes that were seen to run, those that come back."""
    names = [name for name in analysis.symbols if name != "N"]
    kept = [
        tuple(env[name] for name in names)
        for env in analysis.enumeration.points()
        if _comes_back(analysis, env, analysis._runner.output(env).output)
    ]
    return SizeSet(Domain.positive(analysis.symbols)) & SizeSet.from_points(names, kept)


def _comes_back(analysis: Analysis, env: Mapping[str, int], output: Any) -> bool:
    given = [evaluate(size, env) for size in analysis.inputs.main_shape()]
    same_rank = (shape for shape in tensor_shapes(output) if len(shape) == len(given) > 2)
    return list(next(same_rank, ())[2:]) == given[2:] if len(given) > 2 else False
