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
from shapelint.words import listed

if TYPE_CHECKING:
    from shapelint.api import Analysis

REACH: Final = 160
REACH_OF_ONE: Final = 512
"""A single size costs less to try than several, so it is tried further."""

_USUAL: Final = (64, 32, 128, 224, 256, 28, 16, 96, 48, 512)
_LONG: Final = (1600, 4096, 16_000, 65_536)
"""What sound has, whose networks often refuse less than a second of it."""

_LEAST_REPEATS: Final = 3


@dataclass(frozen=True, slots=True)
class Enumeration:
    """What running a model at sizes showed.

    Attributes:
        base: a size that runs, of every symbol; None if none was found.
        varied: the symbols that were varied.
        reach: they were tried from 1 to this.
        wanted: they were to be tried up to this.
        alone: for each of them the values that run while the others stay at the base.
        together: the values that run for all of them alike.
        batches: whether a batch of 2 runs where one of 1 does.
    """

    base: Mapping[str, int] | None
    varied: tuple[str, ...]
    reach: int
    wanted: int
    alone: Mapping[str, tuple[int, ...]]
    together: tuple[int, ...]
    batches: bool

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
        tried = f"in 1…{self.reach}" + (" (there was no time for more)" if self.reach < self.wanted else "")
        if self.base is None:
            return f"no size was found to run {tried}" if self.varied else "the model does not run"
        if not self.varied:
            return "runs"
        of_all = pattern(self.together, self.reach)
        alone = {name: pattern(values, self.reach) for name, values in self.alone.items()}
        if all(found == of_all for found in alone.values()):
            how = ", each alone and all alike" if len(self.varied) > 1 else ""
            return f"{listed(self.varied)}: {self._told(of_all)} {tried}{how}"
        parts = [f"{name}: {self._told(found)} (with {self._others(name)})" for name, found in alone.items()]
        return "; ".join([*parts, f"{' = '.join(self.varied)}: {self._told(of_all)}"]) + f"; {tried}"

    def _told(self, found: AxisSizes) -> str:
        assert self.base is not None
        if found == _NONE:
            return f"{' × '.join(str(self.base[name]) for name in self.varied)} runs, and none"
        from shapelint.rules.wording import axis_phrase

        return axis_phrase(found)

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
    base, varied = analysis._base, tuple(name for name in analysis.symbols if name != "N")
    wanted = REACH_OF_ONE if len(varied) == 1 else REACH
    if base is None or not varied:
        return Enumeration(base, varied, REACH, REACH, {}, (), batches=False)
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
    return Enumeration(base, varied, reach, wanted, seen, tuple(together), batches=batches)


def working_size(analysis: Analysis) -> dict[str, int] | None:
    """A size that runs: all spatial sizes alike, a batch of one, and channels as some layer of the model has them."""
    deadline = time.monotonic() + analysis.limits.enumeration_seconds
    inferred = ("C",) if analysis.inputs.inferred and "C" in analysis.inputs.symbols else ()
    varied = [name for name in analysis.inputs.symbols if name != "N" and name not in inferred]
    one = {"N": 1} if "N" in analysis.inputs.symbols else {}
    for size in (*_USUAL, *(_LONG if len(varied) == 1 else ()), *range(1, REACH)):
        for channels in _channels(analysis.model) if inferred else (1,):
            env = {**one, **dict.fromkeys(varied, size), **dict.fromkeys(inferred, channels)}
            if _runs(analysis, env):
                return env
            if time.monotonic() > deadline:
                return None
        if not varied:
            return None
    return None


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
    return analysis._runner.run(env).error is None


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
