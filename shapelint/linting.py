"""From paths to findings: what ``shapelint check`` and ``shapelint.lint`` do.

Each file is one call of ``check_file``, which takes and returns plain data, so that it can as well run in another
process. Whatever goes wrong in a file becomes a finding of that file and costs no other file its result.
"""

from __future__ import annotations

import dataclasses
import math
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from shapelint.baseline import Compared, compare
from shapelint.config import NO_SETTINGS, Config, ConfigError, Configurations, Overlay
from shapelint.diagnostics import Applicability, Diagnostic, Fix, Location, Severity
from shapelint.limits import Pairs, limits_of, of_found
from shapelint.loading import paths as path_arguments
from shapelint.loading.configured import as_configured, check_entries, with_configured
from shapelint.loading.discover import SourceFile, Target, read_named, read_source
from shapelint.loading.errors import BAD_INPUT, CANNOT_TRACE, DID_NOT_FINISH, LoadError
from shapelint.loading.given import give, in_cell
from shapelint.loading.importing import elsewhere, forget_user_modules, imported, reason_of, user_location
from shapelint.loading.notebooks import is_notebook
from shapelint.loading.paths import Request
from shapelint.loading.shapes import parse_inputs, parse_sizes
from shapelint.loading.symbols import Project
from shapelint.results import LintResult, ModelResult, SkippedModel
from shapelint.selection import Choice, Selection, rule_names
from shapelint.suppressions import unsuppressed
from shapelint.words import plural

if TYPE_CHECKING:
    from concurrent.futures import Executor
    from types import ModuleType

    from shapelint.api import Analysis
    from shapelint.distributing import Shard
    from shapelint.loading.building import Built

Result = TypeVar("Result")

_WRONG_MODEL: Final = frozenset({"SL302", "SL402"})
_CONTRACT: Final = "SL701"
_MOST_ALTERNATIVES: Final = 4
_MOST_OF_THE_TIME: Final = 0.6
"""No further model is begun after this part of a file's time: the worker would be ended, and all results lost."""

_NO_MEMORY: Final = "can't allocate memory"


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of every model: its inputs and expected sizes, where the user declares them.

    Attributes:
        model: ``--model``: an expression that is evaluated in the file.
        inputs: ``--input``, as written.
        sizes: ``--size``, as written.
        selection: the rules to check; None for those that are on by default.
        config: the settings that hold for the file.
        limits: ``--limit``: bounds on the effort, over those of the settings.
    """

    model: str | None = None
    inputs: tuple[str, ...] = ()
    sizes: tuple[str, ...] = ()
    selection: Selection | None = None
    config: Config = NO_SETTINGS
    limits: Pairs = ()


CheckAll = Callable[[Sequence[tuple[Request, Question]]], Sequence[LintResult]]


def lint(
    paths: Iterable[str | os.PathLike[str]],
    *,
    model: str | None = None,
    inputs: str | Sequence[str] | None = None,
    sizes: str | Sequence[str] | None = None,
    select: Sequence[str] = (),
    extend_select: Sequence[str] = (),
    ignore: Sequence[str] = (),
    config: str | os.PathLike[str] | None = None,
    baseline: str | os.PathLike[str] | None = None,
    executor: Executor | None = None,
) -> list[Diagnostic]:
    """Lint files, directories, ``FILE:NAME`` and ``package.module:NAME``; the findings, by file and line.

    With an executor (a ``ProcessPoolExecutor``, a dask cluster's) each file is a task of it; else all are linted here.

    >>> lint(["unet.py"], model="UNet(3, 2)", sizes="512x512")  # doctest: +SKIP
    """
    from shapelint.distributing import on_executor

    result = lint_detailed(
        paths,
        model=model,
        inputs=inputs,
        sizes=sizes,
        select=select,
        extend_select=extend_select,
        ignore=ignore,
        config=config,
        baseline=baseline,
        check_all=on_executor(executor) if executor is not None else None,
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
    config: str | os.PathLike[str] | None = None,
    baseline: str | os.PathLike[str] | None = None,
    check_all: CheckAll | None = None,
    shard: Shard | None = None,
    standard_input: Request | None = None,
    as_project: bool = False,
    limits: Pairs = (),
    overlay: Overlay | None = None,
) -> LintResult:
    """As ``lint``, with a summary of each model, and what was passed over; of a shard's files alone if one is given.

    ``check_all`` checks the files, each with its question, and gives a result for each in the same order; they are
    checked one after the other in this process if it is left out.

    ``standard_input`` is what the path ``-`` means. ``as_project`` treats files that are named as if they had been met
    in a directory, which is how tools name files. ``overlay`` has settings that win over those of the files.

    Raises:
        LoadError: a rule selector, ``inputs`` or a configuration file is not understood.
    """
    configurations = Configurations(Path(config) if config is not None else None, overlay)
    chosen = Choice(tuple(select), tuple(extend_select), tuple(ignore))
    question = Question(model, _texts(inputs), _texts(sizes), limits=limits)
    parse_inputs(question.inputs)
    ask = _Asking(question, chosen, configurations)
    general = ask.config_here()
    requests, findings = _requests([os.fspath(path) for path in paths], configurations, standard_input, as_project)
    if model is not None and len(requests) != 1:
        raise LoadError(BAD_INPUT, f"--model names a model of one file, and {len(requests)} files are given")
    ask.check_models([request.path for request in requests])
    requests = shard.of(requests) if shard is not None else requests
    results = (check_all or check_all_here)([(request, ask.about(request.path)) for request in requests])
    told = [dataclasses.replace(entry, diagnostics=tuple(filter(ask.wants, entry.diagnostics))) for entry in results]
    files = [(request.path, result) for request, result in zip(requests, told, strict=True)]
    findings += unsuppressed(files, rule_names, ask.checks)
    wanted = sorted(dict.fromkeys(_relative(finding) for finding in findings if ask.wants(finding)), key=order)
    compared = (
        compare(Path(baseline), wanted, [path for path, _ in files]) if baseline is not None else Compared(wanted)
    )
    return LintResult(
        diagnostics=tuple(compared.new),
        models=tuple(entry for result in results for entry in result.models),
        skipped=tuple(entry for result in results for entry in result.skipped),
        files=len(requests),
        fail_on=general.fail_on,
        remarks=tuple(dict.fromkeys((*compared.remarks, *(remark for entry in results for remark in entry.remarks)))),
    )


@dataclass(frozen=True)
class _Asking:
    """What each file is asked: the command line's question with the settings that hold there."""

    question: Question
    choice: Choice
    configurations: Configurations

    def config_here(self) -> Config:
        """The settings for the run as a whole: those of the working directory."""
        config = self.configurations.of_directory(Path.cwd())
        self.choice.of(config)
        return config

    def check_models(self, paths: Sequence[Path]) -> None:
        """The models that the settings of these files and of the run name must be there."""
        configs = [self.config_here(), *map(self.configurations.of_file, paths)]
        for config in {id(config): config for config in configs}.values():
            check_entries(config, paths)

    def about(self, path: Path) -> Question:
        config = self.configurations.of_file(path)
        return dataclasses.replace(self.question, selection=self.choice.of(config, path), config=config)

    def checks(self, path: Path, code: str) -> bool:
        """Is a code looked for in a file?"""
        return self.choice.checks(code, self.configurations.of_file(path), path)

    def wants(self, finding: Diagnostic) -> bool:
        """Do the settings of the file that a finding is told in select it?"""
        place = finding.location
        if place is None:
            selection = self.choice.of(self.config_here())
        else:
            selection = self.choice.of(self.configurations.of_file(Path(place.path)), Path(place.path))
        return selection is None or selection.wants(finding)


def check_all_here(asked: Sequence[tuple[Request, Question]]) -> list[LintResult]:
    """Check files one after the other, in this process."""
    forget_user_modules()
    project = Project()
    return [check_file(request, question, project) for request, question in asked]


def check_file(request: Request, question: Question = Question(), project: Project | None = None) -> LintResult:
    """Analyse every model of one file."""
    try:
        source = read_request(request, question, project)
    except LoadError as error:
        return LintResult((error.diagnostic(),), files=1)
    return check_source(request, source, question)


def check_source(request: Request, source: SourceFile, question: Question, seconds: float = math.inf) -> LintResult:
    """Analyse every model of a file that was read, as far as there are seconds for it: a worker is ended after them."""
    enough = time.monotonic() + _MOST_OF_THE_TIME * seconds
    skipped = tuple(
        SkippedModel(entry.name, relative_location(entry.location), entry.reason) for entry in source.skipped
    )
    if not source.targets:
        return LintResult(skipped=skipped, files=1)
    if request.text is not None:
        give(request.path, request.text)
    from shapelint.ops.plugins import load_and_tell

    remarks = load_and_tell()
    limits = of_found((*question.config.limits, *question.limits), len(source.targets), named=request.named)
    found = dataclasses.replace(question, limits=limits)
    try:
        with imported(source.path) as module:
            outcomes: list[tuple[tuple[Diagnostic, ...], ModelResult | None]] = []
            for target in source.targets:
                if outcomes and time.monotonic() > enough:
                    break
                outcomes.append(_check_target(module, target, source.path, question if target.named else found))
    except LoadError as error:
        return LintResult((error.diagnostic(),), skipped=skipped, files=1, remarks=remarks)
    findings = [finding for found, _ in outcomes for finding in found]
    findings += _left_out(source.targets, len(outcomes), Severity.ERROR if request.named else Severity.NOTE)
    models = tuple(model for _, model in outcomes if model is not None)
    if request.named and not models:
        findings = [dataclasses.replace(finding, severity=Severity.ERROR) for finding in findings]
    return LintResult(tuple(findings), models, skipped, 1, remarks=remarks)


def _left_out(targets: Sequence[Target], done: int, severity: Severity) -> Iterator[Diagnostic]:
    """What there was no time for. A file that was only met in a directory has no claim to more."""
    left = len(targets) - done
    if left:
        name = targets[done].name
        message = (
            f"{left} of {len(targets)} models of this file were not analysed, {name} and what follows: it had no more "
            "time (--timeout gives a file more)"
        )
        yield LoadError(DID_NOT_FINISH, message, targets[done].location).diagnostic(severity=severity)


def _texts(given: str | Sequence[str] | None) -> tuple[str, ...]:
    if given is None:
        return ()
    return (given,) if isinstance(given, str) else tuple(given)


def _requests(
    arguments: Sequence[str], configurations: Configurations, standard_input: Request | None, as_project: bool
) -> tuple[list[Request], list[Diagnostic]]:
    """Every file once, less the excluded ones of directories; a finding for every argument that means none."""
    requests: dict[tuple[Path, str | None], Request] = {}
    findings: list[Diagnostic] = []
    for argument in arguments:
        try:
            given_text = (standard_input,) if argument == "-" and standard_input else None
            for request in given_text or path_arguments.resolve(argument, configurations.exclude):
                if as_project and request.expression is None:
                    if configurations.exclude(request.path):
                        continue
                    request = dataclasses.replace(request, named=False)
                requests.setdefault((request.path.resolve(), request.expression), request)
        except ConfigError:
            raise
        except LoadError as error:
            findings.append(error.diagnostic())
    return list(requests.values()), findings


def read_request(request: Request, question: Question, project: Project | None = None) -> SourceFile:
    """The models to analyse in one file.

    Raises:
        LoadError: the file cannot be read, or has no such model.
    """
    if request.text is not None:
        give(request.path, request.text)
    expression = question.model or request.expression
    if expression:
        return as_configured(read_named(request.path, expression, project), question.config.models, project)
    source = read_source(request.path, project, named=request.named)
    return with_configured(source, question.config.models, project)


@dataclass(frozen=True, slots=True)
class _Examined:
    """What one analysis says, in plain data."""

    model: ModelResult
    diagnostics: tuple[Diagnostic, ...]

    @property
    def runs(self) -> bool:
        """Is there a size at which the model runs, as far as the findings tell?"""
        return not any(_doubtful(finding) and finding.severity is Severity.ERROR for finding in self.diagnostics)


def _check_target(
    module: ModuleType, target: Target, path: Path, question: Question
) -> tuple[tuple[Diagnostic, ...], ModelResult | None]:
    try:
        examine = partial(_examine, question.selection)
        found = analyse_target(module, target, path, question, examine, lambda examined: examined.runs)
    except LoadError as error:
        # A model that nobody named and whose arguments had to be guessed may fail without the user having failed.
        severity = Severity.NOTE if error.guessed and not target.named else Severity.ERROR
        return (error.diagnostic(model=target.name, severity=severity),), None
    if found.runs or not found.model.assumptions:
        return found.diagnostics, found.model
    return tuple(map(_doubted, found.diagnostics)), dataclasses.replace(found.model, judged=False)


def _doubtful(finding: Diagnostic) -> bool:
    """Whether other arguments could cure it: also a contract's number of channels, unlike its sizes."""
    return finding.code in _WRONG_MODEL or (finding.code == _CONTRACT and finding.axis is None)


def _doubted(finding: Diagnostic) -> Diagnostic:
    """With guessed arguments, a model that does not run may well be a wrong guess: that is a remark, no verdict."""
    if not _doubtful(finding):
        return finding
    message = f"{finding.message} (with assumed arguments: say with --model how it is made)"
    return dataclasses.replace(finding, severity=Severity.NOTE, message=message, assumed=True)


def _examine(selection: Selection | None, built: Built, analysis: Analysis) -> _Examined:
    model = ModelResult(
        name=built.name,
        location=relative_location(built.location),
        expression=built.expression,
        assumptions=built.assumptions,
        summary=analysis.summary().removeprefix(f"{built.name}:").strip(),
        certainty=analysis.certainty,
        certainty_reasons=tuple(analysis.certainty_reasons),
    )
    found = analysis.diagnostics if selection is None else analysis.check(sorted(selection.codes))
    judged = all(finding.code != CANNOT_TRACE for finding in found)
    return _Examined(dataclasses.replace(model, judged=judged), tuple(finding.plain() for finding in found))


def analyse_target(
    module: ModuleType,
    target: Target,
    path: Path,
    question: Question,
    read: Callable[[Built, Analysis], Result],
    good: Callable[[Result], bool],
) -> Result:
    """Build a target, analyse it and read what is wanted off the analysis.

    Where a reading is not ``good`` and the model's arguments had to be assumed, others are tried. The first good
    reading counts, else the very first.

    Raises:
        LoadError: it cannot be built (SL902) or followed (SL904), or the inputs are not understood (SL906).
    """
    from shapelint.loading.building import alternatives

    results: list[Result] = []
    failure: LoadError | None = None
    assume = dict(question.config.assume)
    for built in islice(alternatives(module, target, path, assume), _MOST_ALTERNATIVES):
        try:
            result = _read(built, target, path, question, read)
        except LoadError as error:
            failure = failure or error
            continue
        if good(result):
            return result
        results.append(result)
    if results:
        return results[0]
    assert failure is not None
    raise failure


def _read(
    built: Built, target: Target, path: Path, question: Question, read: Callable[[Built, Analysis], Result]
) -> Result:
    """Read off an analysis of the model at the sizes that are declared for it.

    Those that the settings declare for all models are an answer only where they fit: "512x512" says nothing of a
    network for sound.
    """
    declared = question.sizes or _texts(target.sizes)
    general = question.config.sizes
    if declared or not general:
        return _read_at(declared, built, target, path, question, read)
    try:
        return _read_at(general, built, target, path, question, read)
    except LoadError as error:
        if error.code != BAD_INPUT:
            raise
    fitting = [sizes for sizes in general if len(general) > 1 and _fits(sizes, built, target, path, question)]
    return _read_at(fitting, built, target, path, question, read)


def _fits(sizes: str, built: Built, target: Target, path: Path, question: Question) -> bool:
    """Do the sizes speak of this model's inputs?"""
    try:
        return _read_at((sizes,), built, target, path, question, _is_judged)
    except LoadError as error:
        if error.code != BAD_INPUT:
            raise
        return False


def _is_judged(built: Built, analysis: Analysis) -> bool:
    return analysis.diagnostics is not None


def _read_at(
    declared: Sequence[str],
    built: Built,
    target: Target,
    path: Path,
    question: Question,
    read: Callable[[Built, Analysis], Result],
) -> Result:
    """Read off an analysis of the model, on the CPU if its code reads values: the meta device has none."""
    from shapelint.api import analyze
    from shapelint.loading.building import on_cpu
    from shapelint.tracing.inputs import InputError

    inputs = parse_inputs(question.inputs or _texts(target.inputs), target.location)
    sizes = parse_sizes(declared)
    try:
        limits = limits_of(question.config.limits, question.limits)
        analysis = analyze(built.model, inputs, sizes, name=built.name, limits=limits)
        if analysis.certainty == "enumerated" and (with_values := on_cpu(built)):
            try:
                analysis = analyze(with_values.model, inputs, sizes, name=built.name, limits=limits)
            except RuntimeError as error:
                if _NO_MEMORY not in str(error):  # else it is too large to be run: what the meta device shows stands
                    raise
        return read(built, analysis)
    except InputError as error:
        raise LoadError(BAD_INPUT, str(error), target.location) from error
    except Exception as error:
        location = user_location(error, path)
        message = f"cannot analyse {target.name}: {reason_of(error)}{elsewhere(error, path)}"
        place = target.location if location.line == 1 else location
        guessed = bool(built.assumptions) or inputs is None
        raise LoadError(CANNOT_TRACE, message, place, guessed=guessed) from error


def order(finding: Diagnostic) -> tuple[str, int, int, str, str]:
    """Reports tell findings by file, line, column and code."""
    place = finding.location or Location("", 0)
    return place.path, place.line, place.column, finding.code, finding.message


def _relative(finding: Diagnostic) -> Diagnostic:
    """The finding with its paths as seen from the working directory."""
    return dataclasses.replace(
        finding,
        location=finding.location and relative_location(finding.location),
        use=finding.use and relative_location(finding.use),
        fixes=tuple(_relative_fix(fix) for fix in finding.fixes),
    )


def _relative_fix(fix: Fix) -> Fix:
    if any(is_notebook(edit.location.path) for edit in fix.edits):
        return dataclasses.replace(fix, applicability=Applicability.MANUAL, edits=())
    edits = tuple(dataclasses.replace(edit, location=relative_location(edit.location)) for edit in fix.edits)
    return dataclasses.replace(fix, edits=edits)


def relative_location(location: Location) -> Location:
    """The location with its path as seen from the working directory, if it is below that; in a notebook, its cell."""
    if cell := in_cell(location.path, location.line):
        return relative_location(_shifted(location, *cell))
    path = Path(location.path)
    if not path.is_absolute() or not path.is_relative_to(Path.cwd()):
        return location
    return dataclasses.replace(location, path=str(path.relative_to(Path.cwd())))


def _shifted(location: Location, path: str, first: int) -> Location:
    end = location.end_line and location.end_line - first + 1
    return dataclasses.replace(location, path=path, line=location.line - first + 1, end_line=end)


def skipped_lines(result: LintResult) -> Iterator[str]:
    """What was passed over and why, a line each, and how many."""
    for entry in result.skipped:
        yield f"{entry.location.path}:{entry.location.line}: {entry.name} is not analysed by itself: {entry.reason}"
    yield f"{plural(len(result.skipped), 'name')} passed over"
