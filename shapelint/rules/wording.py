"""Words that the rules' messages share."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence

from shapelint.sizes import AxisSizes, SizeSet, TooComplex

_AXIS_WORDS = {"H": "height", "W": "width", "D": "depth", "T": "length", "L": "length"}


def listed(parts: Sequence[str], last: str = "and") -> str:
    """``a, b and c``."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} {last} {parts[-1]}"


def axis_word(symbols: Sequence[str], all_symbols: Sequence[str]) -> str:
    """ "size" for all axes of several, else "height", "width", "height and width"."""
    if len(all_symbols) > 1 and set(symbols) == set(all_symbols):
        return "size"
    return listed([_AXIS_WORDS.get(s, f"size along {s}") for s in symbols])


def at(env: Mapping[str, int], symbols: Sequence[str]) -> str:
    """``64 × 64``; ``T = 320`` for one axis."""
    if len(symbols) == 1:
        return f"{symbols[0]} = {env[symbols[0]]}"
    return " × ".join(str(env[s]) for s in symbols)


def named(env: Mapping[str, int], symbols: Iterable[str]) -> str:
    """``H = 64 and W = 48``."""
    return listed([f"{s} = {env[s]}" for s in symbols])


def axis_phrase(axis: AxisSizes) -> str:
    """An axis' sizes without the threshold that says nothing: "even sizes", "multiples of 8"."""
    if axis.start is None or axis.exceptions:
        return axis.sentence()
    least = min((r or axis.modulus) for r in axis.residues)
    text = axis.sentence()
    if axis.start <= least:
        text = text.removesuffix(f", at least {axis.start}")
    if axis.modulus > 2 and len(axis.residues) == axis.modulus - 1:
        (missing,) = set(range(axis.modulus)) - set(axis.residues)
        more = f"{missing} more than " if missing else ""
        return f"all sizes except {more}the multiples of {axis.modulus}"
    return text


def points(sizes: SizeSet, symbols: Sequence[str]) -> str:
    """A finite set: "155 × 128 × 128", or a sentence where there are many."""
    found = list(itertools.islice(sizes.enumerate(1 << 20), 5))
    return listed([at(env, symbols) for env in found]) if len(found) < 5 else sizes.sentence()


def phrase(sizes: SizeSet) -> str:
    """ "multiples of 8" where that is meant of every axis, else the whole sentence."""
    texts = set()
    for placed in sizes.domain.distinct():
        if len(placed.support) > 1:
            return str(sizes)
        try:
            texts.add(axis_phrase(sizes.axis(placed.support[0])))
        except TooComplex:
            return str(sizes)
    return texts.pop() if len(texts) == 1 else str(sizes)


def either_axis(sizes: Mapping[str, SizeSet]) -> str:
    """Sizes of which one wrong axis is enough: "H or W: even sizes"."""
    by_text: dict[str, list[str]] = {}
    for symbol, found in sizes.items():
        try:
            text = axis_phrase(found.axis(symbol))
        except TooComplex:
            text = "some sizes"
        by_text.setdefault(text, []).append(symbol)
    return "; ".join(f"{listed(symbols, 'or')}: {text}" for text, symbols in by_text.items())


def code_of(name: str) -> str:
    return f"`{name}`"


def sentence(text: str) -> str:
    """With a capital letter."""
    return text[:1].upper() + text[1:]
