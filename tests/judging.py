"""Judge an analysis of a described network: every size in a range, against the oracle."""

from __future__ import annotations

import random
import statistics
import warnings
from dataclasses import dataclass
from typing import Any

import shapelint
from tests.grammar import Description, build
from tests.oracle import Answers, Disagreement, Failure, Oracle, compare, same_answer

SYMBOLS = {1: ("T",), 2: ("H", "W"), 3: ("D", "H", "W")}
LIMIT = 96
_FALLBACK = 48
_PAIRS = 48


@dataclass(frozen=True, slots=True)
class Judgement:
    """What comparing one network came to."""

    sizes: int
    running: int
    certainty: str
    reasons: tuple[str, ...]
    disagreements: tuple[Disagreement, ...]


def judge(description: Description, limit: int = LIMIT, share: float = 1.0) -> Judgement:
    """Compare ``accepts`` and ``output_shape`` with PyTorch at every size.

    All axes together, each alone with the others held at a size that runs, and some random combinations.

    Args:
        description: the network.
        limit: the largest size.
        share: of the sizes beside those with all axes together, which part to try.
    """
    rank = description["rank"]
    inputs = (2, description["channels"], *SYMBOLS[rank])
    oracle = Oracle(lambda: build(description), inputs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        every = _every_size(oracle, rank, limit, share)
        try:
            analysis = shapelint.analyze(oracle.model, inputs)
            found = same_answer(analysis, oracle, every)
        except Exception as error:  # no network that builds may make the analysis raise: that is a wrong answer too
            found = [Disagreement({}, "runs or raises", f"stops with {type(error).__name__}: {error}")]
            return Judgement(len(every), 0, "none", (str(error),), tuple(found))
        confirmed = [difference for difference in found if _on_the_cpu_too(analysis, description, inputs, difference)]
    running = sum(not isinstance(oracle(**sizes), Failure) for sizes in every)
    return Judgement(len(every), running, analysis.certainty, tuple(analysis.certainty_reasons), tuple(confirmed))


def _every_size(oracle: Oracle, rank: int, limit: int, share: float) -> list[dict[str, int]]:
    symbols = SYMBOLS[rank]
    together = [dict.fromkeys(symbols, size) for size in range(1, limit + 1)]
    if rank == 1:
        return together
    fitting = [sizes[symbols[0]] for sizes in together if not isinstance(oracle(**sizes), Failure)]
    held = statistics.median_low(fitting) if fitting else _FALLBACK
    base = dict.fromkeys(symbols, held)
    alone = [{**base, symbol: size} for symbol in symbols for size in range(1, limit + 1)]
    chance = random.Random(limit)
    mixed = [{symbol: chance.randint(1, limit) for symbol in symbols} for _ in range(_PAIRS)]
    others = alone + mixed
    return together + chance.sample(others, round(share * len(others)))


def _on_the_cpu_too(analysis: Answers, description: Description, inputs: Any, difference: Disagreement) -> bool:
    """The meta device is an oracle for speed; where it and the CPU differ, the CPU is right."""
    if not difference.sizes:
        return True
    actual = Oracle(lambda: build(description), inputs, "cpu")(**difference.sizes)
    return compare(analysis, actual, difference.sizes) is not None
