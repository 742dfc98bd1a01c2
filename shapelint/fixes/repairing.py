"""Applying the fixes of a whole run, one after the other, until none is left.

Each one is tried on the texts first: the files that it touches, and those that may import them, are analysed with the
edited texts in new processes. It is kept if its finding is gone, no new one has come, every expected size that was
right still is, and all parameters have the shapes they had; else it is undone and told. Files are written at the end.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from shapelint.diagnostics import Applicability, Diagnostic, Edit, Fix, Severity
from shapelint.fixes.editing import OverlapError
from shapelint.fixes.files import ChangedMeanwhileError, EditedFile, write
from shapelint.fixes.surveying import ModelFacts, Survey, survey
from shapelint.isolation.jobs import Failure, Job
from shapelint.linting import Question
from shapelint.loading.errors import LoadError
from shapelint.loading.given import forget, give
from shapelint.loading.paths import Request
from shapelint.loading.sources import read_text
from shapelint.results import LintResult
from shapelint.words import plural

if TYPE_CHECKING:
    from shapelint.isolation.checking import Checker
    from shapelint.linting import CheckAll

Lint = Callable[["CheckAll"], LintResult]
_MOST_FIXES = 500


@dataclass(frozen=True)
class Repair:
    """What became of a run's fixes.

    Attributes:
        before, after: the findings without the fixes and with them.
        files: those that change.
        undone: fixes that were tried and not kept, and why.
    """

    before: LintResult
    after: LintResult
    files: tuple[EditedFile, ...]
    undone: tuple[str, ...] = ()

    @property
    def fixed(self) -> int:
        return _serious(self.before) - _serious(self.after)

    def summary(self, *, written: bool) -> str:
        """``Fixed 3 findings in 1 file; 1 left.``"""
        if not _serious(self.before):
            return "Nothing to fix."
        left = _serious(self.after)
        rest = f"{left} left" if left else "none left"
        if not self.files:
            return f"No finding could be fixed; {rest}."
        verb = "Fixed" if written else "Would fix"
        return f"{verb} {plural(self.fixed, 'finding')} in {plural(len(self.files), 'file')}; {rest}."

    def diff(self) -> str:
        return "".join(file.diff() for file in self.files)

    def write(self) -> None:
        """Replace the files.

        Raises:
            ChangedMeanwhileError, OSError: none was written.
        """
        write(self.files)


def repair(lint: Lint, checker: Checker, *, unsafe: bool) -> Repair:
    """Lint, and apply every fix that proves itself."""
    with ExitStack() as stack:
        session = _Session(checker, stack)
        stack.callback(forget)
        before = after = lint(session)
        tried: set[frozenset[Edit]] = set()
        undone: list[str] = []
        for _ in range(_MOST_FIXES):
            found = next(_applicable(after, tried, unsafe=unsafe), None)
            if found is None:
                break
            finding, fix = found
            tried.add(frozenset(fix.edits))
            try:
                trial = session.attempt(fix)
                now = lint(trial)
                reason = _objection(finding, after, now) or trial.objection(fix)
            except (OverlapError, ChangedMeanwhileError) as error:
                reason = str(error)
            if reason:
                session.show()
                undone.append(f"{finding}: a fix was tried and undone: {reason}")
            else:
                session, after = trial, now
        return Repair(before, after, tuple(f for f in session.files.values() if f.after != f.before), tuple(undone))


def _applicable(result: LintResult, tried: set[frozenset[Edit]], *, unsafe: bool) -> Iterator[tuple[Diagnostic, Fix]]:
    """The fixes that are left to try, safe ones first."""
    for allowed in (Applicability.SAFE, Applicability.UNSAFE) if unsafe else (Applicability.SAFE,):
        for finding in _told(result):
            for fix in finding.fixes:
                if fix.edits and fix.verified and fix.applicability is allowed and frozenset(fix.edits) not in tried:
                    yield finding, fix


def _objection(finding: Diagnostic, before: LintResult, after: LintResult) -> str:
    """Why the findings after an edit speak against it; empty if they do not."""
    were, are = Counter(map(_kind, _told(before))), Counter(map(_kind, _told(after)))
    if are[_kind(finding)] >= were[_kind(finding)]:
        return "the finding is still there"
    new = next((found for found in _told(after) if are[_kind(found)] > were[_kind(found)]), None)
    return f"another finding would take its place: {new.code} {new.message}" if new is not None else ""


def _kind(finding: Diagnostic) -> tuple[object, ...]:
    """What a finding is about, wherever its line has moved."""
    path = finding.location.path if finding.location else ""
    return path, finding.code, finding.model, finding.layer, "" if finding.layer else finding.message


def _told(result: LintResult) -> list[Diagnostic]:
    return [finding for finding in result.diagnostics if finding.severity is not Severity.NOTE]


def _serious(result: LintResult) -> int:
    return len(_told(result))


@dataclass
class _Session:
    """The texts as they are to be so far, and what each file says with them. It checks files as ``CheckAll`` does."""

    checker: Checker
    stack: ExitStack
    asked: list[tuple[Request, Question]] = field(default_factory=list)
    results: dict[int, LintResult] = field(default_factory=dict)
    facts: dict[int, tuple[ModelFacts, ...]] = field(default_factory=dict)
    files: dict[Path, EditedFile] = field(default_factory=dict)
    earlier: Mapping[int, tuple[ModelFacts, ...]] = field(default_factory=dict)

    def __call__(self, asked: Sequence[tuple[Request, Question]]) -> list[LintResult]:
        if not self.asked:
            from shapelint.isolation.checking import new_pool

            # Starting workers takes as long as analysing dozens of files: these serve the whole run.
            pool = self.stack.enter_context(new_pool(self.checker.at_once(asked)))
            self.checker = replace(self.checker, pool=pool)
            self.asked = list(asked)
            self.results = dict(enumerate(self.checker(asked)))
        return [self.results[number] for number in range(len(asked))]

    def attempt(self, fix: Fix) -> _Session:
        """The session with a fix made, analysed.

        Raises:
            OverlapError: its edits do not go together.
            ChangedMeanwhileError: a file is not what was linted.
        """
        files = dict(self.files)
        edits: dict[Path, list[Edit]] = {}
        for edit in fix.edits:
            edits.setdefault(Path(edit.location.path), []).append(edit)
        for path, own in edits.items():
            files[path] = (files[path] if path in files else _read(path)).with_edits(own)
        concerned = self._concerned(set(edits))
        earlier = {number: self.facts[number] for number in concerned if number in self.facts}
        missing = [number for number in concerned if number not in earlier]
        untouched, surveys = self._surveys((missing, self.files), (concerned, files))
        earlier |= {number: found.models for number, found in untouched.items()}
        results = {**self.results, **{number: found.result for number, found in surveys.items()}}
        facts = {**self.facts, **earlier, **{number: found.models for number, found in surveys.items()}}
        trial = replace(self, results=results, facts=facts, files=files, earlier=earlier)
        trial.show()
        return trial

    def show(self) -> None:
        """Let this process read the files as they are to be: comments, and lines to quote."""
        forget()
        for path, file in self.files.items():
            give(path, file.source)

    def objection(self, fix: Fix) -> str:
        """Why the models after an edit speak against it; empty if they do not."""
        for number, models in self.earlier.items():
            now = {model.name: model for model in self.facts[number]}
            for model in models:
                if model.name not in now:
                    return f"{model.name} cannot be analysed any more"
                if lost := model.lost(now[model.name], reshaped=fix.reshapes):
                    return f"{model.name}: {lost}"
        return ""

    def _surveys(self, *batches: tuple[Sequence[int], Mapping[Path, EditedFile]]) -> list[dict[int, Survey]]:
        """Batches of files, each with its own texts, analysed in new processes."""
        from shapelint.isolation.checking import failed

        pool = self.checker.pool
        assert pool is not None
        found: list[dict[int, Survey]] = [{} for _ in batches]
        jobs: list[tuple[int, int]] = []
        for batch, (numbers, files) in enumerate(batches):
            overlay = tuple((str(path.absolute()), file.source) for path, file in files.items())
            for number in numbers:
                request, question = self.asked[number]
                arguments, limits = (request, question, overlay), self.checker.limits(question)
                pool.submit(Job(len(jobs), survey, arguments, request.path, limits, afresh=True))
                jobs.append((batch, number))
        for outcome in pool.outcomes():
            (batch, number), answer = jobs[outcome.number], outcome.result
            if isinstance(answer, Failure):
                failure = failed(answer, self.asked[number][0].path)
                found[batch][number] = Survey(LintResult((failure,), files=1))
            else:
                found[batch][number] = answer.value
        return found

    def _concerned(self, paths: set[Path]) -> list[int]:
        """The edited files, and all that mention one of their names, or the name of one that does."""
        texts = [_text(request) for request, _ in self.asked]
        places = [request.path.absolute() for request, _ in self.asked]
        names = {_module_name(path) for path in paths}
        edited = {path.absolute() for path in paths}
        concerned: set[int] = set()
        while True:
            pattern = re.compile(rf"\b({'|'.join(map(re.escape, sorted(names)))})\b")
            more = {
                number for number, place in enumerate(places)
                if number not in concerned and (place in edited or pattern.search(texts[number]))
            }  # fmt: skip
            if not more:
                return sorted(concerned)
            concerned |= more
            names |= {_module_name(places[number]) for number in more}


def _read(path: Path) -> EditedFile:
    try:
        return EditedFile.read(path)
    except (OSError, UnicodeDecodeError, SyntaxError) as error:
        raise ChangedMeanwhileError(f"{path} cannot be read: {error}") from error


def _text(request: Request) -> str:
    try:
        return read_text(request.path)
    except LoadError:
        return ""


def _module_name(path: Path) -> str:
    return path.absolute().parent.name if path.stem == "__init__" else path.stem
