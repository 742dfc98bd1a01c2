"""Files checked in workers: the ``check_all`` of the command line."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from shapelint.caching import Cache, Dependencies
from shapelint.config import Config
from shapelint.diagnostics import Diagnostic, Location, Severity
from shapelint.isolation.jobs import DEFAULT_MEMORY, DEFAULT_TIMEOUT, End, Failure, Job, Limits, Permission
from shapelint.linting import Question, check_source, read_request
from shapelint.loading.discover import SourceFile
from shapelint.loading.errors import DID_NOT_FINISH, NAMES, LoadError
from shapelint.loading.paths import Request, is_installed
from shapelint.loading.symbols import Project
from shapelint.results import LintResult

if TYPE_CHECKING:
    from shapelint.isolation.pool import Pool

Result = TypeVar("Result")
Asked = Sequence[tuple[Request, Question]]


@dataclass(frozen=True)
class Checker:
    """Checks files in workers. Only those that define a model cost more than being read.

    What is left out here is as the settings of each file say.

    Attributes:
        jobs: workers at once; the cores if nobody says.
        timeout: seconds for one file.
        memory: megabytes for one file.
        allow: what user code may do beyond computing.
        cache: results of earlier runs.
        on_progress: told (done, of how many) when the files to be checked are known, and after each.
        pool: workers to use, whose owner ends them; else there are new ones for each call.
    """

    jobs: int | None = None
    timeout: float | None = None
    memory: int = DEFAULT_MEMORY
    allow: frozenset[Permission] = frozenset()
    cache: Cache | None = None
    on_progress: Callable[[int, int], None] | None = None
    pool: Pool | None = None
    _keys: dict[int, tuple[Config, Config]] = field(default_factory=dict, repr=False)

    def __call__(self, asked: Asked) -> list[LintResult]:
        results = dict(self._remembered(asked))
        if len(results) < len(asked):
            self._check(asked, results)
        return [results[number] for number in range(len(asked))]

    def _remembered(self, asked: Asked) -> Iterator[tuple[int, LintResult]]:
        if self.cache is None:
            return
        for number, (request, question) in enumerate(asked):
            if request.text is not None:
                continue  # standard input: no file's contents would tell whether it still holds
            found = self.cache.get(_name(request, question), self._key(question))
            if found is not None:
                yield number, found

    def _check(self, asked: Asked, results: dict[int, LintResult]) -> None:
        project = Project()
        rests_on: dict[int, Dependencies] = {}
        self._tell_progress(results, asked)
        with ExitStack() as stack:
            pool = self.pool
            for number in [number for number in range(len(asked)) if number not in results]:
                request, question = asked[number]
                found = _read(request, question, project)
                rests_on[number] = _dependencies(request, project)
                if isinstance(found, SourceFile):
                    pool = pool or stack.enter_context(new_pool(self.at_once(asked)))
                    limits = self.limits(question)
                    arguments = (request, found, question, limits.timeout)
                    pool.submit(Job(number, check_source, arguments, request.path, limits))
                else:
                    self._keep(results, number, asked, found, rests_on[number])
            for outcome in pool.outcomes() if pool else ():
                number, answer = outcome.number, outcome.result
                if isinstance(answer, Failure):
                    found, files = LintResult((failed(answer, asked[number][0].path),), files=1), frozenset[str]()
                else:
                    found, files = answer.value, frozenset(answer.files)
                whole = replace(rests_on[number], files=rests_on[number].files | files)
                self._keep(results, number, asked, found, whole)

    def _keep(
        self, results: dict[int, LintResult], number: int, asked: Asked, found: LintResult, rests_on: Dependencies
    ) -> None:
        results[number] = found
        request, question = asked[number]
        if self.cache is not None and request.text is None:
            self.cache.put(_name(request, question), self._key(question), found, rests_on)
        self._tell_progress(results, asked)

    def _tell_progress(self, results: dict[int, LintResult], asked: Asked) -> None:
        if self.on_progress is not None:
            self.on_progress(len(results), len(asked))

    def _key(self, question: Question) -> Question:
        """All that the result depends on, besides files: not how much time it may take."""
        config = question.config
        if id(config) not in self._keys:
            allow = tuple(sorted({*self.allow, *config.allow}))
            self._keys[id(config)] = config, replace(config, timeout=None, jobs=None, allow=allow)
        return replace(question, config=self._keys[id(config)][1])

    def at_once(self, asked: Asked) -> int:
        """How many workers there may be."""
        configured = (question.config.jobs for _, question in asked if question.config.jobs)
        return self.jobs or next(configured, 0) or cores()

    def limits(self, question: Question) -> Limits:
        """What a file's worker is held to."""
        config = question.config
        allow = self.allow | {Permission(name) for name in config.allow}
        return Limits(self.timeout or config.timeout or DEFAULT_TIMEOUT, self.memory, allow)


def _name(request: Request, question: Question) -> tuple[object, ...]:
    """Which entry of the cache is a file's; the entry itself says for which settings it holds."""
    return Path.cwd(), request, question.model, question.inputs, question.sizes


def _dependencies(request: Request, project: Project) -> Dependencies:
    read, absent = project.rests_on()
    files = {str(path) for path in read if not is_installed(path)}
    return Dependencies(frozenset({*files, str(request.path.absolute())}), frozenset(map(str, absent)))


def new_pool(at_once: int) -> Pool:
    """Imported only where a file holds a model."""
    from shapelint.isolation.pool import Pool

    return Pool(at_once)


def _read(request: Request, question: Question, project: Project) -> LintResult | SourceFile:
    """What reading a file alone says of it; its models if it holds any, which only running it can tell about."""
    try:
        source = read_request(request, question, project)
    except LoadError as error:
        return LintResult((error.diagnostic(),), files=1)
    return source if source.targets else check_source(request, source, question)


def isolated(work: Callable[[], Result], path: Path, limits: Limits | None = None) -> Result:
    """One call in a worker.

    Raises:
        LoadError: what the call raised; SL907 if the worker gave no answer.
    """
    with new_pool(1) as pool:
        pool.submit(Job(0, _attempt, (work,), path, limits or Limits()))
        (outcome,) = pool.outcomes()
    if isinstance(outcome.result, Failure):
        finding = failed(outcome.result, path)
        raise LoadError(DID_NOT_FINISH, finding.message, finding.location)
    value: Result | LoadError = outcome.result.value
    if isinstance(value, LoadError):
        raise value
    return value


def _attempt(work: Callable[[], Result]) -> Result | LoadError:
    """In the worker: an error that the user is to be told is an answer, too."""
    try:
        return work()
    except LoadError as error:
        return error


def failed(failure: Failure, path: Path) -> Diagnostic:
    """The finding for a file whose worker gave no answer."""
    place, where = _place(failure, path)
    return Diagnostic(
        code=DID_NOT_FINISH,
        name=NAMES[DID_NOT_FINISH],
        severity=Severity.ERROR,
        message=f"{_told(failure)}{where}",
        location=place,
    )


def cores() -> int:
    """The processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _told(failure: Failure) -> str:
    detail = failure.detail
    match failure.end:
        case End.TIMEOUT:
            return f"linting this file took longer than {detail} s and was stopped (--timeout gives it more)"
        case End.MEMORY:
            return f"linting this file took more than {detail} MB of memory and was stopped (--memory gives it more)"
        case End.SIGNAL:
            return f"linting this file ended Python with {detail}{_KNOWN.get(detail, '')}"
        case End.EXIT:
            return f"linting this file ended without an answer ({_exit(detail)})"
        case End.ERROR:
            return f"linting this file failed inside shapelint, which is a bug: {_last_lines(detail)}"


def _last_lines(trace: str) -> str:
    """A traceback's exception, and where it was raised."""
    lines = [line.strip() for line in trace.strip().splitlines()]
    frames = [line for line in lines if line.startswith("File ")]
    return f"{lines[-1]} ({frames[-1]})" if frames else lines[-1]


_KNOWN = {
    "SIGSEGV": " (a crash in native code)",
    "SIGABRT": " (native code gave up)",
    "SIGKILL": " (often because the machine's memory was used up)",
}


def _exit(detail: str) -> str:
    return f"exit status {detail}" if detail.isdigit() else detail


def _place(failure: Failure, path: Path) -> tuple[Location, str]:
    """The innermost line of the file that was being executed; and where else, if another file's code was."""
    for file, line in failure.frames:
        if _same(file, path):
            return Location(str(path), line), ""
    user = next(_outside(failure.frames), None)
    return Location(str(path), 1), f" (in {user[0]}, line {user[1]})" if user else ""


def _outside(frames: Sequence[tuple[str, int]]) -> Iterator[tuple[str, int]]:
    """Frames in files that are the user's."""
    from shapelint.isolation.guard import is_users

    return (frame for frame in frames if not frame[0].startswith("<") and is_users(frame[0]))


def _same(file: str, path: Path) -> bool:
    try:
        return path.samefile(file)
    except OSError:
        return False
