"""What must not get worse by an edit, read off a file in a worker: findings, parameters, sizes that are right."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from shapelint.linting import Question, analyse_target, check_file, read_request
from shapelint.loading.errors import LoadError
from shapelint.loading.given import give
from shapelint.loading.importing import imported
from shapelint.loading.paths import Request
from shapelint.results import LintResult
from shapelint.sizes import SizeSet, TooComplex

if TYPE_CHECKING:
    from shapelint.api import Analysis
    from shapelint.loading.building import Built

Overlay = tuple[tuple[str, str], ...]
"""Files that hold other texts than on the disk."""


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """One model.

    Attributes:
        name: as reports call it.
        parameters: the shapes in its state dict, by name.
        expected: the sizes that are expected to work; None where that was not told.
        runs, returns: all sizes for which it runs, and for which it returns its input's size.
    """

    name: str
    parameters: tuple[tuple[str, tuple[int, ...]], ...]
    expected: SizeSet | None
    runs: SizeSet
    returns: SizeSet

    def lost(self, after: ModelFacts, *, reshaped: bool = False) -> str:
        """What an edit takes away, in words; empty if nothing.

        ``reshaped`` says that parameters are to have other shapes: then only their names must stay.
        """
        if [name for name, _ in self.parameters] != [name for name, _ in after.parameters]:
            return "its parameters have other names, which no checkpoint of before fits"
        if self.parameters != after.parameters and not reshaped:
            return "its parameters have other shapes, which no checkpoint of before fits"
        if self.expected is None:
            return ""
        try:
            if not self.expected & self.runs <= after.runs:
                return "expected sizes that ran do not run any more"
            if not self.expected & self.returns <= after.returns:
                return "expected sizes that came back as they were do not any more"
        except TooComplex:
            return "its sizes are too complex to compare"
        return ""


@dataclass(frozen=True, slots=True)
class Survey:
    """One file: what the linter says of it, and the facts of its models."""

    result: LintResult
    models: tuple[ModelFacts, ...] = ()


def survey(request: Request, question: Question, overlay: Overlay) -> Survey:
    """Analyse one file, with the texts of an overlay in place of what files hold."""
    for path, text in overlay:
        give(Path(path), text)
    result = check_file(request, question)
    try:
        source = read_request(request, question)
        with imported(source.path) as module:
            models = tuple(
                analyse_target(module, target, source.path, question, _facts, lambda facts: not facts.runs.is_empty())
                for target in source.targets
            )
    except LoadError:
        # The result tells of it, as a finding.
        return Survey(result)
    return Survey(result, models)


def _facts(built: Built, analysis: Analysis) -> ModelFacts:
    from shapelint.rules.context import Context

    parameters = tuple((name, tuple(value.shape)) for name, value in built.model.state_dict().items())
    expected = Context(analysis).expected.sizes if analysis.trace is not None else None
    return ModelFacts(built.name, parameters, expected, analysis.valid_sizes, analysis.round_trip_sizes)
