"""Files checked in workers: the ``check_all`` of the command line."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shapelint.diagnostics import Diagnostic, Location, Severity
from shapelint.isolation.jobs import DEFAULT_MEMORY, DEFAULT_TIMEOUT, Answer, End, Failure, Job, Limits, Permission
from shapelint.isolation.pool import Pool
from shapelint.linting import Question, check_file, read_request
from shapelint.loading.errors import DID_NOT_FINISH, NAMES, LoadError
from shapelint.loading.paths import Request
from shapelint.loading.symbols import Project
from shapelint.results import LintResult

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
        on_progress: told (done, of how many) after each file.
    """

    jobs: int | None = None
    timeout: float | None = None
    memory: int = DEFAULT_MEMORY
    allow: frozenset[Permission] = frozenset()
    on_progress: Callable[[int, int], None] | None = None

    def __call__(self, asked: Asked) -> list[LintResult]:
        results: dict[int, LintResult] = {}
        project = Project()
        with Pool(self._at_once(asked)) as pool:
            for number, (request, question) in enumerate(asked):
                found = _read(request, question, project)
                if found is None:
                    pool.submit(Job(number, check_file, (request, question), request.path, self._limits(question)))
                else:
                    results[number] = found
                    self._progress(len(results), len(asked))
            for outcome in pool.outcomes():
                request, _ = asked[outcome.number]
                results[outcome.number] = (
                    outcome.result.value
                    if isinstance(outcome.result, Answer)
                    else LintResult((failed(outcome.result, request.path),), files=1)
                )
                self._progress(len(results), len(asked))
        return [results[number] for number in range(len(asked))]

    def _at_once(self, asked: Asked) -> int:
        configured = (question.config.jobs for _, question in asked if question.config.jobs)
        return self.jobs or next(configured, 0) or cores()

    def _limits(self, question: Question) -> Limits:
        config = question.config
        allow = self.allow | {Permission(name) for name in config.allow}
        return Limits(self.timeout or config.timeout or DEFAULT_TIMEOUT, self.memory, allow)

    def _progress(self, done: int, total: int) -> None:
        if self.on_progress is not None:
            self.on_progress(done, total)


def _read(request: Request, question: Question, project: Project) -> LintResult | None:
    """What reading a file alone says of it; None if it holds a model, which only running it can tell about."""
    try:
        source = read_request(request, question, project)
    except LoadError as error:
        return LintResult((error.diagnostic(),), files=1)
    return None if source.targets else check_file(request, question, project)


def isolated(function: Callable[..., Any], arguments: tuple[Any, ...], path: Path, limits: Limits) -> Any:
    """One call in a worker.

    Raises:
        LoadError: SL907, the worker gave no answer.
    """
    with Pool(1) as pool:
        pool.submit(Job(0, function, arguments, path, limits))
        (outcome,) = pool.outcomes()
    if isinstance(outcome.result, Failure):
        finding = failed(outcome.result, path)
        raise LoadError(DID_NOT_FINISH, finding.message, finding.location)
    return outcome.result.value


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
            return f"linting this file failed inside shapelint, which is a bug: {' '.join(detail.split())[-400:]}"


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
