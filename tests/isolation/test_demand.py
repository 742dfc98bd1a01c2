"""What many workers would load is loaded once for all of them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from shapelint.isolation import demand
from shapelint.isolation.demand import Demand, apart, with_loaded
from shapelint.isolation.jobs import Answer, Job, Limits
from shapelint.isolation.pool import Pool

# Is it there already? And then it is needed.
_NEED = "('libcst' in __import__('sys').modules, __import__('shapelint.fixes.rewriting'))[0]"


def test_what_one_worker_had_to_load_the_later_ones_find(tmp_path: Path) -> None:
    with Pool(1) as pool:
        for number in range(9):
            pool.submit(Job(number, eval, (_NEED,), tmp_path / f"{number}.py", Limits()))
        found = {outcome.number: outcome.result for outcome in pool.outcomes()}
    values = [result.value for _, result in sorted(found.items()) if isinstance(result, Answer)]
    assert values == [False] + [True] * 8


def test_an_answer_says_what_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demand, "_MODULES", ("sys", "surely.not.there"))
    assert apart(with_loaded(b"a\nb")) == (["sys"], b"a\nb")


@pytest.mark.parametrize(("asked", "left", "loaded"), [(1, 98, True), (1, 20, False), (10, 3, True), (10, 2, False)])
def test_only_what_more_files_want_than_there_are_workers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, asked: int, left: int, loaded: bool
) -> None:
    (tmp_path / "wanted_by_some.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(demand, "_MODULES", ("wanted_by_some",))
    monkeypatch.delitem(sys.modules, "wanted_by_some", raising=False)
    ten = Demand()
    for number in range(10):
        ten.note(["wanted_by_some"] if number < asked else [])
    ten.meet(left, at_once=2)
    assert ("wanted_by_some" in sys.modules) is loaded
