"""From paths to findings: what ``shapelint check`` and ``shapelint.lint`` do.

Each file is one call of ``check_file``, which takes and returns plain data, so that it can as well run in another
process. Whatever goes wrong in a file becomes a finding of that file and costs no other file its result.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from shapelint.diagnostics import Diagnostic, Fix, Location, Severity
from shapelint.loading import paths as path_arguments
from shapelint.loading.discover import SourceFile, Target, read_named, read_source
from shapelint.loading.errors import BAD_INPUT, CANNOT_TRACE, NAMES, LoadError
from shapelint.loading.importing import elsewhere, forget_user_modules, imported, reason_of, user_location
from shapelint.loading.paths import Request
from shapelint.loading.shapes import parse_inputs, parse_sizes
from shapelint.loading.symbols import Project
from shapelint.results import LintResult, ModelResult, SkippedModel
from shapelint.selection import Selection, make_selection

if TYPE_CHECKING:
    from types import ModuleType

    from shapelint.api import Analysis
    from shapelint.loading.building import Built


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of every model: its inputs and expected sizes, where the user declares them.

    Attributes:
        model: ``--model``: an expression that is evaluated in the file.
        inputs: ``--input``, as written.
        sizes: ``--size``, as written.
    """

    model: str | None = None
    inputs: tuple[str, ...] = ()
    sizes: tuple[str, ...] = ()


def lint(
    paths: Iterable[str | os.PathLike[str]],
    *,
    model: str | None = None,
    inputs: str | Sequence[str] | None = None,
    sizes: str | Sequence[str] | None = None,
    select: Sequence[str] = (),
    extend_select: Sequence[str] = (),
    ignore: Sequence[str] = (),
) -> list[Diagnostic]:
    """Lint files, directories, ``FILE:NAME`` and ``package.module:NAME``; the findings, by file and line.

    >>> lint(["unet.py"], model="UNet(3, 2)", sizes="512x512")  # doctest: +SKIP
    """
    result = lint_detailed(
        paths, model=model, inputs=inputs, sizes=sizes, select=select, extend_select=extend_select, ignore=ignore
    )
    return list(result.diagnostics)


def lint_detailed(
    paths: Iterable[str | os.PathLike[str]],
    *,
    model: str | None = None,
    inputs: str | Sequence[str] | None = None,
    sizes: str | Sequence[str] | None = None,
    select: Sequence[str] = (),
    extend_select: Sequence[str] = (),
    ignore: Sequence[str] = (),
) -> LintResult:
    """As ``lint``, with a summary of each model, and what was passed over.

    Raises:
        LoadError: a rule selector, or ``inputs``, is not understood.
    """
    question = Question(model, _texts(inputs), _texts(sizes))
    parse_inputs(question.inputs)
    selection = _selection(select, extend_select, ignore)
    forget_user_modules()
    project = Project()
    requests, findings = _requests([os.fspath(path) for path in paths])
    if model is not None and len(requests) != 1:
        raise LoadError(BAD_INPUT, f"--model names a model of one file, and {len(requests)} files are given")
    results = [check_file(request, question, project) for request in requests]
    findings += [finding for result in results for finding in result.diagnostics]
    wanted = [_relative(finding) for finding in findings if selection is None or selection.wants(finding)]
    return LintResult(
        diagnostics=tuple(sorted(dict.fromkeys(wanted), key=_order)),
        models=tuple(entry for result in results for entry in result.models),
        skipped=tuple(entry for result in results for entry in result.skipped),
        files=len(requests),
    )


def check_file(request: Request, question: Question = Question(), project: Project | None = None) -> LintResult:
    """Analyse every model of one file."""
    try:
        source = read_request(request, question, project)
    except LoadError as error:
        return LintResult((error.diagnostic(),), files=1)
    skipped = tuple(
        SkippedModel(entry.name, _relative_location(entry.location), entry.reason) for entry in source.skipped
    )
    if not source.targets:
        return LintResult(skipped=skipped, files=1)
    try:
        with imported(source.path) as module:
            outcomes = [_check_target(module, target, source.path, question) for target in source.targets]
    except LoadError as error:
        return LintResult((error.diagnostic(),), skipped=skipped, files=1)
    findings = [finding for found, _ in outcomes for finding in found]
    models = tuple(model for _, model in outcomes if model is not None)
    if request.named and not models:
        findings = [dataclasses.replace(finding, severity=Severity.ERROR) for finding in findings]
    return LintResult(tuple(findings), models, skipped, 1)


def _texts(given: str | Sequence[str] | None) -> tuple[str, ...]:
    if given is None:
        return ()
    return (given,) if isinstance(given, str) else tuple(given)


def _selection(select: Sequence[str], extend_select: Sequence[str], ignore: Sequence[str]) -> Selection | None:
    """None where nothing is chosen: then the analysis' own defaults stand, and no rule needs to be imported."""
    if not (select or extend_select or ignore):
        return None
    from shapelint.rules import all_rules

    rules = all_rules()
    names = {rule.code: rule.name for rule in rules} | NAMES
    defaults = [rule.code for rule in rules if rule.default]
    return make_selection(names, defaults, select=select, extend_select=extend_select, ignore=ignore)


def _requests(arguments: Sequence[str]) -> tuple[list[Request], list[Diagnostic]]:
    """Every file once, and a finding for every argument that means none."""
    requests: dict[tuple[Path, str | None], Request] = {}
    findings: list[Diagnostic] = []
    for argument in arguments:
        try:
            for request in path_arguments.resolve(argument):
                requests.setdefault((request.path.resolve(), request.expression), request)
        except LoadError as error:
            findings.append(error.diagnostic())
    return list(requests.values()), findings


def read_request(request: Request, question: Question, project: Project | None = None) -> SourceFile:
    """The models to analyse in one file.

    Raises:
        LoadError: the file cannot be read, or has no such model.
    """
    expression = question.model or request.expression
    if expression:
        return read_named(request.path, expression, project)
    return read_source(request.path, project, named=request.named)


def _check_target(
    module: ModuleType, target: Target, path: Path, question: Question
) -> tuple[tuple[Diagnostic, ...], ModelResult | None]:
    try:
        built, analysis = analyse_target(module, target, path, question)
    except LoadError as error:
        # A model that nobody named and whose arguments had to be guessed may fail without the user having failed.
        severity = Severity.NOTE if error.guessed and not target.named else Severity.ERROR
        return (error.diagnostic(model=target.name, severity=severity),), None
    model = ModelResult(
        name=built.name,
        location=_relative_location(built.location),
        expression=built.expression,
        assumptions=built.assumptions,
        summary=analysis.summary().removeprefix(f"{built.name}:").strip(),
        certainty=analysis.certainty,
        certainty_reasons=tuple(analysis.certainty_reasons),
    )
    return tuple(analysis.diagnostics), model


def analyse_target(module: ModuleType, target: Target, path: Path, question: Question) -> tuple[Built, Analysis]:
    """Build a target and analyse it; where that fails on the meta device, which has no values, on the CPU.

    Raises:
        LoadError: it cannot be built (SL902) or followed (SL904).
    """
    from shapelint.api import analyze
    from shapelint.loading.building import build

    inputs = parse_inputs(question.inputs or _texts(target.inputs), target.location)
    sizes = parse_sizes(question.sizes or _texts(target.sizes))
    built = build(module, target, path)
    try:
        return built, analyze(built.model, inputs, sizes, name=built.name)
    except LoadError:
        raise
    except Exception as error:
        failure = error
    if built.device == "meta":
        try:
            again = build(module, target, path, device="cpu")
            return again, analyze(again.model, inputs, sizes, name=again.name)
        except Exception as error:
            failure = error
    location = user_location(failure, path)
    if location.line == 1:
        location = target.location
    raise LoadError(
        CANNOT_TRACE,
        f"cannot analyse {target.name}: {reason_of(failure)}{elsewhere(failure, path)}",
        location,
        guessed=bool(built.assumptions),
    ) from failure


def _order(finding: Diagnostic) -> tuple[str, int, int, str, str]:
    place = finding.location or Location("", 0)
    return place.path, place.line, place.column, finding.code, finding.message


def _relative(finding: Diagnostic) -> Diagnostic:
    """The finding with its paths as seen from the working directory."""
    return dataclasses.replace(
        finding,
        location=finding.location and _relative_location(finding.location),
        use=finding.use and _relative_location(finding.use),
        fixes=tuple(_relative_fix(fix) for fix in finding.fixes),
    )


def _relative_fix(fix: Fix) -> Fix:
    edits = tuple(dataclasses.replace(edit, location=_relative_location(edit.location)) for edit in fix.edits)
    return dataclasses.replace(fix, edits=edits)


def _relative_location(location: Location) -> Location:
    path = Path(location.path)
    if not path.is_absolute() or not path.is_relative_to(Path.cwd()):
        return location
    return dataclasses.replace(location, path=str(path.relative_to(Path.cwd())))


def skipped_lines(result: LintResult) -> Iterator[str]:
    """What was passed over and why, a line each."""
    for entry in result.skipped:
        yield f"{entry.location.path}:{entry.location.line}: {entry.name} is not analysed by itself: {entry.reason}"
