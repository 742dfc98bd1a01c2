"""One pool serves round after round of jobs, and says so when it is asked for one too early."""

from __future__ import annotations

import operator
from pathlib import Path

import pytest

from shapelint.isolation.branching import package_of
from shapelint.isolation.jobs import Answer, Job, Limits
from shapelint.isolation.pool import Pool


def job(number: int, path: Path, a: int = 1, b: int = 1, afresh: bool = False) -> Job:
    return Job(number, operator.add, (a, b), path, Limits(), afresh)


def taken(pool: Pool) -> dict[int, object]:
    outcomes = {outcome.number: outcome.result for outcome in pool.outcomes()}
    return {number: result.value for number, result in outcomes.items() if isinstance(result, Answer)}


@pytest.fixture
def package(tmp_path: Path) -> Path:
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "__init__.py").touch()
    return tmp_path / "net"


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_round_after_round(package: Path, method: str) -> None:
    with Pool(2, method=method) as pool:
        for turn in range(3):
            for number in range(3):
                pool.submit(job(number, package / f"{number}.py", turn, number))
            pool.submit(job(3, package.parent / "loose.py", turn, 3))
            assert taken(pool) == {number: turn + number for number in range(4)}


def test_no_job_before_all_outcomes_are_taken(tmp_path: Path) -> None:
    with Pool(1) as pool:
        pool.submit(job(0, tmp_path / "a.py"))
        pool.submit(job(1, tmp_path / "b.py"))
        outcomes = pool.outcomes()
        next(outcomes)
        with pytest.raises(RuntimeError, match="before all outcomes"):
            pool.submit(job(2, tmp_path / "c.py"))
        assert len(list(outcomes)) == 1
        pool.submit(job(2, tmp_path / "c.py"))
        assert taken(pool) == {2: 2}


def test_numbers_tell_jobs_apart(tmp_path: Path) -> None:
    with Pool(1) as pool:
        pool.submit(job(0, tmp_path / "a.py"))
        with pytest.raises(RuntimeError, match="job 0 already"):
            pool.submit(job(0, tmp_path / "b.py"))


def test_a_job_afresh_shares_no_package(package: Path) -> None:
    assert package_of(job(0, package / "a.py")) is not None
    assert package_of(job(0, package / "a.py", afresh=True)) is None


@pytest.mark.parametrize(("files", "warm"), [(1, False), (9, True)])
def test_many_files_find_what_they_need_loaded(tmp_path: Path, files: int, warm: bool) -> None:
    loaded = "'shapelint.rules.summary' in __import__('sys').modules"
    with Pool(1) as pool:
        for number in range(files):
            pool.submit(Job(number, eval, (loaded,), tmp_path / f"{number}.py", Limits()))
        assert taken(pool) == dict.fromkeys(range(files), warm)
