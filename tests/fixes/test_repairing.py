"""``check --fix`` and ``--diff`` as one runs them, and what they refuse."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from shapelint.cli import main
from shapelint.diagnostics import Applicability, Diagnostic, Edit, Fix, Location, Severity
from shapelint.fixes.editing import OverlapError, edited
from shapelint.fixes.files import ChangedMeanwhileError, EditedFile, write
from shapelint.fixes.repairing import repair
from shapelint.isolation.checking import Checker
from shapelint.isolation.pool import Pool
from shapelint.linting import lint, lint_detailed
from shapelint.results import LintResult
from tests.fixes import golden


def check(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["check", "--no-cache", *arguments])


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    shutil.copy(golden.IDIOMS / "keyword_2d.py", tmp_path / "net.py")
    return Path("net.py")


def test_a_patch_is_shown_and_nothing_written(broken: Path) -> None:
    before = broken.read_bytes()
    result = check("net.py", "--diff", "--size", "64x64")
    expected = (golden.IDIOMS / "keyword_2d.golden").read_text()
    assert result.stdout in expected.replace("keyword_2d.py", "net.py")
    assert "Would fix 2 findings in 1 file; none left." in result.stderr
    assert result.exit_code == 1
    assert broken.read_bytes() == before


def test_files_are_edited_once(broken: Path) -> None:
    data = broken.read_text().replace("\n", "\r\n").encode("utf-8-sig")
    broken.write_bytes(data)
    broken.chmod(0o754)
    result = check("net.py", "--fix")
    assert "Fixed 2 findings in 1 file; none left." in result.stderr
    assert result.exit_code == 0
    after = broken.read_bytes()
    assert after.startswith(b"\xef\xbb\xbf")
    assert after.count(b"\r\n") == after.count(b"\n")
    assert b"x = self.up2(x, output_size=down2_size)\r\n" in after
    assert stat.S_IMODE(broken.stat().st_mode) == 0o754
    assert sorted(os.listdir()) == ["net.py"]
    again = check("net.py", "--fix")
    assert again.exit_code == 0
    assert "Nothing to fix." in again.stderr
    assert broken.read_bytes() == after


def test_an_edit_that_does_not_prove_itself_is_undone(broken: Path) -> None:
    before = broken.read_bytes()

    def lint_with_wrong_fixes(check_all: object) -> LintResult:
        result = lint_detailed(["net.py"], check_all=check_all)  # type: ignore[arg-type]
        return dataclasses.replace(result, diagnostics=tuple(map(_with_wrong_fix, result.diagnostics)))

    def _with_wrong_fix(finding: Diagnostic) -> Diagnostic:
        place = next(fix for fix in finding.fixes if fix.edits).edits[0].location
        wrong = Edit(place, ", bias=False")
        return dataclasses.replace(finding, fixes=(Fix("wrong", Applicability.SAFE, True, (wrong,)),))

    made = repair(lint_with_wrong_fixes, Checker(1), unsafe=False)
    assert made.files == ()
    assert made.fixed == 0
    assert "undone: the finding is still there" in made.undone[0]
    assert made.summary(written=True) == "No finding could be fixed; 2 left."
    assert broken.read_bytes() == before


def test_a_file_that_changed_meanwhile_is_left_alone(broken: Path) -> None:
    file = EditedFile.read(broken).with_edits([Edit(Location("net.py", 1, 1, 1, 1), "# new\n")])
    broken.write_text("x = 1\n")
    with pytest.raises(ChangedMeanwhileError, match="left alone"):
        write([file])
    assert broken.read_text() == "x = 1\n"
    assert sorted(os.listdir()) == ["net.py"]


def test_fixes_of_findings_can_be_applied(broken: Path) -> None:
    findings = lint([broken])
    assert [finding.code for finding in findings] == ["SL101", "SL101"]
    assert findings[0].fixes[0].apply() == (broken,)
    assert not [finding for finding in lint([broken]) if finding.severity is not Severity.NOTE]


def test_a_fix_by_hand_cannot_be_applied() -> None:
    with pytest.raises(ValueError, match="by hand"):
        Fix("think", Applicability.MANUAL, True).apply()


def test_files_of_one_package_are_mended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    package = tmp_path / "nets"
    package.mkdir()
    for name in ("one", "two"):
        shutil.copy(golden.IDIOMS / "keyword_2d.py", package / f"{name}.py")
    (package / "__init__.py").write_text("from nets.one import Net\nfrom nets.two import Net as Other\n")
    result = check("nets", "--fix")
    assert "Fixed 4 findings in 2 files; none left." in result.stderr
    assert result.exit_code == 0


def test_one_set_of_workers_serves_all_fixes(broken: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(broken, "other.py")
    started: list[Pool] = []
    start = Pool._start

    def watched(pool: Pool) -> None:
        started.append(pool)
        start(pool)

    monkeypatch.setattr(Pool, "_start", watched)
    assert "Fixed 4 findings in 2 files; none left." in check(".", "--fix").stderr
    assert len(started) == 1
    assert started[0]._server is None  # ended


def test_other_encodings_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(golden.CORPUS / "programs" / "latin_1.py", "net.py")
    before = Path("net.py").read_bytes().decode("latin-1")
    (finding, *_) = lint(["net.py"])
    assert finding.location is not None
    assert before.splitlines()[finding.location.line - 1][finding.location.column - 1 :].startswith(
        "nn.ConvTranspose2d"
    )
    assert "none left" in check("net.py", "--fix", "--unsafe-fixes").stderr
    after = Path("net.py").read_bytes().decode("latin-1")
    assert after == before.replace(
        "3, 2, 1), nn.ReLU(), nn.ConvT", "3, 2, 1, output_padding=1), nn.ReLU(), nn.ConvT"
    ).replace("(größe, 1, 3, 2, 1)", "(größe, 1, 3, 2, 1, output_padding=1)")


def test_all_programs_are_mended_at_once_and_stay_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for case in golden.cases():
        if case.path.parent != golden.IDIOMS:
            shutil.copy(case.path, tmp_path)

    def lint_all(check_all: object) -> LintResult:
        return lint_detailed(["."], check_all=check_all)  # type: ignore[arg-type]

    made = repair(lint_all, Checker(2), unsafe=True)
    assert made.undone == ()
    left = [finding for finding in made.after.diagnostics if finding.severity is not Severity.NOTE]
    assert left == []
    assert len(made.files) == len(list(tmp_path.glob("*.py")))
    made.write()
    again = repair(lint_all, Checker(2), unsafe=True)
    assert again.files == ()
    assert again.undone == ()


SHARED = """from torch import nn

ZERO = 0


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = nn.Conv2d(1, 4, 3, stride=2, padding=1)
        self.up = nn.ConvTranspose2d(4, 1, 3, 2, 1, ZERO)
        self.head = nn.Conv2d(1, 1, 1, 1, ZERO)

    def forward(self, x):
        return self.head(self.up(self.down(x)))
"""


def test_a_constant_of_several_parameters_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "net.py"
    file.write_text(SHARED)
    (finding,) = lint([file])
    finding.fixes[0].apply()
    assert file.read_text() == SHARED.replace("2, 1, ZERO)", "2, 1, 1)")


def _replaced(text: str, spans: list[tuple[int, int, int, int, str]]) -> str:
    """Text with spans (line, column, end line, end column; counted from 1) written anew, as another program would."""
    lines = text.splitlines(keepends=True)
    starts = [sum(map(len, lines[:number])) for number in range(len(lines) + 1)]
    newline = "\r\n" if "\r\n" in text else "\n"
    for line, column, end_line, end_column, new in sorted(set(spans), reverse=True):
        end = starts[end_line - 1] + end_column - 1
        text = text[: starts[line - 1] + column - 1] + new.replace("\n", newline) + text[end:]
    return text


@pytest.mark.parametrize("name", ["wide_characters", "crlf_and_bom", "type_comments", "pix2pix_blocks"])
def test_edits_as_data_make_the_same_file(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = Path("net.py")
    shutil.copy(golden.CORPUS / "programs" / f"{name}.py", file)
    before = EditedFile.read(file)
    data = json.loads(check("net.py", "--output-format", "json").stdout)[0]["fixes"]
    sarif = json.loads(check("net.py", "--output-format", "sarif").stdout)["runs"][0]
    assert sarif["columnKind"] == "unicodeCodePoints"
    replacements = [
        [
            (r["startLine"], r["startColumn"], r["endLine"], r["endColumn"], replacement["insertedContent"]["text"])
            for change in fix["artifactChanges"]
            for replacement in change["replacements"]
            for r in [replacement["deletedRegion"]]
        ]
        for fix in next(result for result in sarif["results"] if "fixes" in result)["fixes"]
    ]
    finding = lint([file])[0]
    told = [fix for fix in finding.fixes if fix.edits]
    edits = [fix["edits"] for fix in data if fix["edits"]]
    assert len(told) == len(edits) == len(replacements) > 0
    names = ("line", "column", "end_line", "end_column", "text")
    for fix, as_json, as_sarif in zip(told, edits, replacements, strict=True):
        file.write_bytes(before.data)
        assert fix.apply() == (file,)
        after = EditedFile.read(file).after
        assert after != before.before
        assert _replaced(before.before, [tuple(edit[name] for name in names) for edit in as_json]) == after
        assert _replaced(before.before, as_sarif) == after


TWO_MODELS = '''"""Two models that share a helper."""

from torch import nn


def up(i, o, extra=0):
    return nn.ConvTranspose1d(i, o, 3, stride=2, padding=1, output_padding=extra)


class Even(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = nn.Conv1d(1, 4, 3, stride=2, padding=1)
        self.up = up(4, 1)

    def forward(self, x):
        y = self.down(x)
        return self.up(y)


class Odd(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = nn.Conv1d(1, 4, 3, stride=2, padding=1)
        self.up = up(4, 1)

    def forward(self, x):
        return x + self.up(self.down(x))


# shapelint: Even() input=(N, 1, T) size=64
# shapelint: Odd() input=(N, 1, T) size=65
'''


def test_a_fix_that_breaks_another_model_is_undone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(TWO_MODELS)
    result = check("net.py", "--fix")
    assert "a fix was tried and undone: another finding would take its place: SL101 `up` does not" in result.stderr
    assert "Fixed 1 finding in 1 file; none left." in result.stderr
    expected = TWO_MODELS.replace("self.up(y)", "self.up(y, output_size=x.shape[-1:])")
    assert Path("net.py").read_text() == expected


def test_layers_that_need_different_values(tmp_path: Path) -> None:
    source = (golden.IDIOMS / "loop_2d.py").read_text()
    file = tmp_path / "net.py"
    source = source.replace("for i, o in [(8, 4), (4, 1)]", "for i, o, k in [(8, 4, 3), (4, 1, 4)]")
    file.write_text(source.replace("(i, o, 3", "(i, o, k"))
    (finding, *_) = [finding for finding in lint([file]) if finding.code == "SL101"]
    assert finding.fixes[0].applicability is Applicability.MANUAL
    assert "not written by --fix: the layers that line 13 builds need different values" in finding.fixes[0].description


def test_edits_do_not_overlap() -> None:
    one = Edit(Location("a.py", 1, 1, 1, 3), "x")
    with pytest.raises(OverlapError):
        edited("abc\n", [one, Edit(Location("a.py", 1, 2, 1, 4), "y")])
    assert edited("äbc\r\nd\r\n", [one, Edit(Location("a.py", 2, 1, 2, 1), "n\n")]) == "xc\r\nn\r\nd\r\n"


def test_unsafe_alone_is_refused() -> None:
    assert check("net.py", "--unsafe-fixes").exit_code == 2
    assert check("-", "--fix").exit_code == 2
