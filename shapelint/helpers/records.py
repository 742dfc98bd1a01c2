"""An analysis as plain data: what is kept of it in a file, in a cache, or on the way to another process."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shapelint import __version__
from shapelint.codec import decoder, encode
from shapelint.diagnostics import Diagnostic
from shapelint.sizes import SizeSet

if TYPE_CHECKING:
    from shapelint.api import Analysis

FORMAT = 1
"""Raised whenever a reader of the older format would misread the newer."""


@dataclass(frozen=True, slots=True)
class AnalysisRecord:
    """What was found out about a model, without the model: made by ``Analysis.to_json`` and by pickling an analysis.

    Attributes:
        name: the model's.
        symbols: the names of the input sizes that can vary.
        input_shape: numbers and names.
        outputs: the shapes of the tensors it returns, as formulas.
        valid_sizes: the sizes at which it runs.
        round_trip_sizes: those at which the output's spatial size is the input's.
        certainty, certainty_reasons: as of the analysis.
        summary_line: what ``summary()`` gives.
        diagnostics: what the rules found.
        version: the shapelint that found it.
    """

    name: str
    symbols: tuple[str, ...]
    input_shape: tuple[int | str, ...]
    outputs: tuple[tuple[int | str, ...], ...]
    valid_sizes: SizeSet
    round_trip_sizes: SizeSet
    certainty: str
    certainty_reasons: tuple[str, ...]
    summary_line: str
    diagnostics: tuple[Diagnostic, ...]
    version: str = __version__

    def accepts(self, **sizes: int) -> bool:
        """Whether the model runs at these sizes; N may be left out."""
        return sizes in self.valid_sizes

    def summary(self) -> str:
        """The one line about the model."""
        return self.summary_line

    def to_dict(self) -> dict[str, Any]:
        """Plain data, with the number of its format."""
        return {
            "format": FORMAT,
            "version": self.version,
            "name": self.name,
            "symbols": list(self.symbols),
            "input_shape": list(self.input_shape),
            "outputs": [list(shape) for shape in self.outputs],
            "valid_sizes": self.valid_sizes.to_data(),
            "round_trip_sizes": self.round_trip_sizes.to_data(),
            "certainty": self.certainty,
            "certainty_reasons": list(self.certainty_reasons),
            "summary": self.summary_line,
            "diagnostics": [encode(finding) for finding in self.diagnostics],
        }

    def to_json(self) -> str:
        """``to_dict`` as JSON."""
        return json.dumps(self.to_dict(), ensure_ascii=False)

    def __repr__(self) -> str:
        return f"AnalysisRecord({self.name}: {self.valid_sizes}; {self.certainty})"


def record(analysis: Analysis) -> AnalysisRecord:
    """The plain data of an analysis."""
    from shapelint.tracing.running import tensors

    outcomes = analysis.trace.outcomes if analysis.trace is not None else []
    shapes = dict.fromkeys(_plain(tensor.sizes) for _, value in outcomes for tensor in tensors(value))
    return AnalysisRecord(
        name=analysis.name,
        symbols=analysis.symbols,
        input_shape=_plain(analysis.input_shape),
        outputs=tuple(shapes),
        valid_sizes=analysis.valid_sizes,
        round_trip_sizes=analysis.round_trip_sizes,
        certainty=analysis.certainty,
        certainty_reasons=tuple(analysis.certainty_reasons),
        summary_line=analysis.summary(),
        diagnostics=tuple(finding.plain() for finding in analysis.diagnostics),
    )


def from_json(text: str) -> AnalysisRecord:
    """The record that ``to_json`` wrote.

    Raises:
        ValueError: it is none, or of a newer format.
    """
    try:
        return from_dict(json.loads(text))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"this is no analysis of shapelint's: {error!r}") from error


def from_dict(data: Mapping[str, Any]) -> AnalysisRecord:
    """The record that ``to_dict`` gave.

    Raises:
        ValueError: it is of a newer format.
    """
    if data["format"] > FORMAT:
        raise ValueError(f"format {data['format']} is newer than this shapelint's ({FORMAT}); update it to read this")
    return AnalysisRecord(
        name=data["name"],
        symbols=tuple(data["symbols"]),
        input_shape=tuple(data["input_shape"]),
        outputs=tuple(map(tuple, data["outputs"])),
        valid_sizes=SizeSet.from_data(data["valid_sizes"]),
        round_trip_sizes=SizeSet.from_data(data["round_trip_sizes"]),
        certainty=data["certainty"],
        certainty_reasons=tuple(data["certainty_reasons"]),
        summary_line=data["summary"],
        diagnostics=tuple(map(decoder(Diagnostic), data["diagnostics"])),
        version=data["version"],
    )


def _plain(shape: tuple[Any, ...]) -> tuple[int | str, ...]:
    return tuple(size if type(size) is int else str(size) for size in shape)


__all__ = ["FORMAT", "AnalysisRecord", "from_dict", "from_json", "record"]
