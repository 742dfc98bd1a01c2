"""Linting on machinery that exists already: any ``concurrent.futures.Executor``, and shards of a CI matrix.

A file is one task of plain data. A task that comes back without an answer (its worker was killed, the pool broke) is
done again, in a process of its own: no file is lost, and none is told twice.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from shapelint.linting import Question, check_file, relative_location
from shapelint.loading.errors import BAD_INPUT, LoadError
from shapelint.loading.paths import Request
from shapelint.results import LintResult

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future

Item = TypeVar("Item")

_turn = threading.RLock()


@dataclass(frozen=True, slots=True)
class Shard:
    """One part of so many: the first is 1."""

    number: int
    count: int

    def of(self, items: Sequence[Item]) -> list[Item]:
        """This shard's items; every item is in exactly one shard."""
        return list(items[self.number - 1 :: self.count])


def parse_shard(text: str) -> Shard:
    """A shard from "3/8".

    Raises:
        LoadError: it is no such thing.
    """
    number, _, count = text.partition("/")
    if number.strip().isdecimal() and count.strip().isdecimal() and 1 <= int(number) <= int(count):
        return Shard(int(number), int(count))
    raise LoadError(BAD_INPUT, f'"{text}" is no shard; write 3/8 for the third of eight')


def on_executor(executor: Executor) -> Callable[[Sequence[tuple[Request, Question]]], list[LintResult]]:
    """Check files on an executor; the results come in the order of the files."""

    def check_all(asked: Sequence[tuple[Request, Question]]) -> list[LintResult]:
        tasks = [(dataclasses.replace(request, path=request.path.absolute()), question) for request, question in asked]
        return [_at_home(result) for result in _results(executor, tasks)]

    return check_all


def check_one(task: tuple[Request, Question]) -> LintResult:
    """What a worker does: one file. Threads take turns: what is imported and patched is so for the whole process."""
    from shapelint.loading.importing import forget_user_modules

    with _turn:
        forget_user_modules()
        return check_file(*task)


def _results(executor: Executor, tasks: Sequence[tuple[Request, Question]]) -> list[LintResult]:
    from concurrent.futures import wait

    futures = [_submitted(executor, task) for task in tasks]
    # what is lost is done again afterwards, when no thread of this process is at work any more
    wait([future for future in futures if future is not None])
    return [_answer(future, task) for future, task in zip(futures, tasks, strict=True)]


def _submitted(executor: Executor, task: tuple[Request, Question]) -> Future[LintResult] | None:
    try:
        return executor.submit(check_one, task)
    except RuntimeError:
        return None  # the pool broke over an earlier task and takes no more


def _answer(future: Future[LintResult] | None, task: tuple[Request, Question]) -> LintResult:
    """The task's result; of a task that has none, what a second attempt apart from all others gives."""
    if future is not None:
        error = future.exception()
        if error is None:
            return future.result()
    return _alone(task)


def _alone(task: tuple[Request, Question]) -> LintResult:
    from shapelint.isolation.checking import Checker

    (result,) = Checker(jobs=1)([task])
    return result


def _at_home(result: LintResult) -> LintResult:
    """With paths as seen from this process, wherever the worker ran; findings are made relative with all others."""
    return dataclasses.replace(
        result,
        models=tuple(dataclasses.replace(m, location=relative_location(m.location)) for m in result.models),
        skipped=tuple(dataclasses.replace(s, location=relative_location(s.location)) for s in result.skipped),
    )
