"""When the result of an earlier run holds, and when it does not."""

import json
import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import shapelint
from shapelint import caching
from shapelint.caching import FOLDER, Cache, Dependencies, plain
from shapelint.cli import main
from shapelint.codec import decoder, encode
from shapelint.config import Config
from shapelint.diagnostics import Applicability, Diagnostic, Edit, Fix, Location, Severity
from shapelint.isolation.checking import Asked, Checker
from shapelint.linting import Question, lint_detailed
from shapelint.results import Assumption, LintResult, ModelResult, SkippedModel

ROOT = Path(shapelint.__file__).parents[1]
PLACE = Location("net.py", 3, 5, 3, 9)
RESULT = LintResult(
    (
        Diagnostic(
            "SL101",
            "lossy-round-trip",
            Severity.ERROR,
            "message",
            PLACE,
            Location("net.py", 9),
            "Net",
            "up",
            fixes=(Fix("add it", Applicability.SAFE, True, (Edit(PLACE, "2"),)),),
        ),
    ),
    (ModelResult("Net", PLACE, "Net()", (Assumption("n", "3"),), "any size"),),
    (SkippedModel("Block", PLACE, "it is small"),),
    1,
)


def net(stride: str = "2") -> str:
    return f"""\
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = nn.Conv2d(3, 8, 3, stride={stride}, padding=1)
    def forward(self, x):
        return self.down(x)
"""


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SHAPELINT_CACHE_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    write("pyproject.toml", "")


def write(name: str, text: str) -> str:
    """Written well before the run, as far as its times tell."""
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text(text)
    os.utime(name, (1_700_000_000, 1_700_000_000))
    return name


def cache(started: float = 4e9) -> Cache:
    return Cache(Path(FOLDER), started)


class TestEntries:
    """One entry: kept, read, outdated."""

    def test_what_is_kept_comes_back(self) -> None:
        files = frozenset({write("net.py", "x")})
        cache().put("net.py", "question", RESULT, Dependencies(files))
        assert cache().get("net.py", "question") == RESULT
        assert cache().get("other.py", "question") is None
        assert cache().get("net.py", "another question") is None

    @pytest.mark.parametrize("change", ["net.py", "config.yaml", "removed.py", "new.py"])
    def test_a_change_of_what_it_rests_on_ends_it(self, change: str) -> None:
        files = frozenset(write(name, "x") for name in ("net.py", "config.yaml", "removed.py"))
        cache().put("net.py", "", RESULT, Dependencies(files, frozenset({"new.py"})))
        assert cache().get("net.py", "") == RESULT
        if change == "removed.py":
            Path(change).unlink()
        else:
            write(change, "y")
        assert cache().get("net.py", "") is None

    def test_a_file_that_changes_during_the_run_is_not_trusted(self) -> None:
        cache(started=1e9).put("net.py", "", RESULT, Dependencies(frozenset({write("net.py", "x")})))
        assert cache().get("net.py", "") is None

    @pytest.mark.parametrize("code", ["SL901", "SL907"])
    def test_what_the_surroundings_may_have_caused_is_not_kept(self, code: str) -> None:
        failed = LintResult((Diagnostic(code, "", Severity.ERROR, ""),))
        cache().put("net.py", "", failed, Dependencies())
        assert cache().get("net.py", "") is None

    @pytest.mark.parametrize(
        "text",
        ["", "{", "[]", "null", "\0\xff", "{}", '{"question": 3}', "[" * 100_000],
        ids=["empty", "cut", "list", "null", "binary", "no keys", "other", "deep"],
    )
    def test_a_corrupt_entry_is_as_good_as_none(self, text: str) -> None:
        cache().put("net.py", "", RESULT, Dependencies())
        (entry,) = Path(FOLDER).glob("*.json")
        entry.write_text(text)
        assert cache().get("net.py", "") is None
        cache().put("net.py", "", RESULT, Dependencies())
        assert cache().get("net.py", "") == RESULT

    @pytest.mark.parametrize("part", ["diagnostics", "models", "files"])
    def test_so_is_one_with_other_contents(self, part: str) -> None:
        cache().put("net.py", "", RESULT, Dependencies())
        (entry,) = Path(FOLDER).glob("*.json")
        data = json.loads(entry.read_text())
        for wrong in ("text", [{"unknown": 1}], {"a": 1}):
            data["result"][part] = wrong
            entry.write_text(json.dumps(data))
            assert cache().get("net.py", "") is None

    def test_versions_of_everything_count(self, monkeypatch: pytest.MonkeyPatch) -> None:
        cache().put("net.py", "", RESULT, Dependencies())
        monkeypatch.setattr(shapelint, "__version__", "9")
        assert cache().get("net.py", "") is None

    def test_a_place_that_cannot_be_written_keeps_nothing(self) -> None:
        write(FOLDER, "a file, no directory")
        cache().put("net.py", "", RESULT, Dependencies())
        assert cache().get("net.py", "") is None

    def test_writers_at_once_leave_whole_entries(self) -> None:
        def work() -> None:
            for _ in range(30):
                cache().put("net.py", "", RESULT, Dependencies())
                assert cache().get("net.py", "") in (RESULT, None)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert cache().get("net.py", "") == RESULT
        assert len(list(Path(FOLDER).glob("*.json*"))) == 1

    def test_version_control_does_not_see_it(self) -> None:
        cache().put("net.py", "", RESULT, Dependencies())
        assert (Path(FOLDER) / ".gitignore").read_text() == "*\n"


def test_what_is_no_plain_data_is_not_encoded() -> None:
    with pytest.raises(TypeError, match="object is no plain data"):
        encode((object(),))


def test_the_default_result_is_written_in_two_characters() -> None:
    assert encode(LintResult()) == {}
    assert decoder(LintResult)({}) == LintResult()


def test_questions_are_told_apart_by_their_settings() -> None:
    general = Question(config=Config(assume=(("depth", 3),)))
    assert plain(general) == plain(replace(general))
    assert plain(general) != plain(Question(config=Config(assume=(("depth", 4),))))
    assert plain({3, 1, 2}) == plain({2, 3, 1})


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that a run has not answered from the cache."""
    names: list[str] = []
    keep = Checker._keep

    def noted(self: Checker, results: Any, number: int, asked: Asked, *rest: Any) -> None:
        names.append(asked[number][0].path.name)
        keep(self, results, number, asked, *rest)

    monkeypatch.setattr(Checker, "_keep", noted)
    monkeypatch.setattr(caching, "surroundings", lambda: "shapelint's own files, which someone may be editing")
    return names


def run(names: list[str], *paths: str, **options: object) -> tuple[LintResult, list[str]]:
    names.clear()
    result = lint_detailed(paths or ["."], check_all=Checker(jobs=2, cache=cache()), **options)  # type: ignore[arg-type]
    return result, sorted(names)


def test_runs_of_a_project(checked: list[str]) -> None:
    """All in one, since every run that is not answered from the cache imports torch."""
    write("net.py", net())
    write("sized.py", "import json\nfrom helper import stride\nopen('size.json')\n" + net("stride()"))
    write("helper.py", "def stride(): return 2\n")
    write("size.json", "1")
    write("later.py", "from base import Base\nclass Later(Base):\n    def forward(self, x): return x\n")
    everything = ["helper.py", "later.py", "net.py", "sized.py"]
    first, names = run(checked)
    assert names == everything
    assert [model.name for model in first.models] == ["Net", "Net"]
    assert run(checked) == (first, [])

    write("helper.py", "def stride(): return 4\n")
    second, names = run(checked)
    assert names == ["helper.py", "sized.py"]
    assert second.models != first.models
    write("size.json", "2")
    assert run(checked) == (second, ["sized.py"])
    write("base.py", "from torch import nn\nclass Base(nn.Module): pass\n")
    third, names = run(checked)
    assert "later.py" in names
    assert "Later" in {model.name for model in third.models}
    assert run(checked) == (third, [])
    assert run(checked, sizes="65x65")[1] == ["base.py", *everything]


def test_a_warm_run_does_not_import_torch() -> None:
    write("net.py", net())
    program = (
        "import sys\nfrom shapelint.cli import main\ntry:\n    main(sys.argv[1:])\n"
        "finally:\n    print('torch' in sys.modules, 'shapelint.isolation.pool' in sys.modules, file=sys.stderr)\n"
    )
    command = [sys.executable, "-c", program, "check"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = [subprocess.run(command, env=environment, capture_output=True, text=True, check=False) for _ in range(2)]
    assert [process.stderr.strip() for process in done] == ["False True", "False False"]
    assert done[0].stdout == done[1].stdout
    assert "Net: " in done[1].stdout


def test_two_runs_at_once(tmp_path: Path) -> None:
    for number in range(4):
        write(f"net{number}.py", net())
    command = [sys.executable, "-m", "shapelint", "check", "--output-format", "concise"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    runs = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert runs[0].communicate()[0] == runs[1].communicate()[0]
    assert [process.returncode for process in runs] == [0, 0]
    assert len(list(Path(FOLDER).glob("*.json"))) == 4
    assert not list(Path(FOLDER).glob("*.json.*"))


class TestCommands:
    """``--no-cache`` and ``cache clean``."""

    def test_without_a_cache_nothing_is_written(self) -> None:
        write("plain.py", "x = 1\n")
        assert CliRunner().invoke(main, ["check", "--no-cache"]).exit_code == 0
        assert not Path(FOLDER).exists()
        CliRunner().invoke(main, ["check"])
        assert Path(FOLDER).is_dir()

    def test_clean(self, tmp_path: Path) -> None:
        cache().put("net.py", "", RESULT, Dependencies())
        write("sub/net.py", "")
        os.chdir("sub")
        assert CliRunner().invoke(main, ["cache", "clean"]).output == f"Deleted {tmp_path / FOLDER}\n"
        assert not (tmp_path / FOLDER).exists()
        assert CliRunner().invoke(main, ["cache", "clean"]).output == f"There is no cache in {tmp_path}\n"

    def test_clean_deletes_nothing_else(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SHAPELINT_CACHE_DIR", str(tmp_path))
        assert not caching.clean(caching.cache_folder())
        assert Path("pyproject.toml").exists()
