"""Baselines: what is in them is not reported again, whatever happens to its line and words."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from shapelint.baseline import compare, write_baseline, write_whole
from shapelint.diagnostics import Diagnostic, Location, Severity
from shapelint.loading.errors import LoadError

FILE = Path("baseline.json")
UP = Diagnostic("SL101", "lossy-round-trip", Severity.ERROR, "up", Location("unet.py", 8, 20), model="UNet", layer="up")
NOTE = Diagnostic("SL905", "not-proven", Severity.NOTE, "probed", Location("nets/ae.py", 3), model="AE")


@pytest.fixture(autouse=True)
def _in_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_project_with_old_findings_starts_clean() -> None:
    assert write_baseline(FILE, [UP, NOTE]) == 2
    compared = compare(FILE, [UP, NOTE])
    assert (compared.new, compared.known, compared.gone) == ((), 2, 0)
    assert compared.remarks == ("2 findings of the baseline not shown",)


@pytest.mark.parametrize(
    "same",
    [
        replace(UP, location=Location("unet.py", 99)),
        replace(UP, message="in other words", sizes="all", severity=Severity.WARNING),
    ],
)
def test_the_same_finding_elsewhere_in_its_file_is_known(same: Diagnostic) -> None:
    write_baseline(FILE, [UP])
    assert compare(FILE, [same]).new == ()


@pytest.mark.parametrize(
    "other",
    [
        replace(UP, code="SL201"),
        replace(UP, layer="up2"),
        replace(UP, model="UNet2"),
        replace(UP, location=Location("other.py", 8, 20)),
    ],
)
def test_another_code_layer_model_or_file_is_new(other: Diagnostic) -> None:
    write_baseline(FILE, [UP])
    assert compare(FILE, [UP, other]).new == (other,)


def test_one_more_of_the_same_is_new() -> None:
    write_baseline(FILE, [UP, UP])
    assert compare(FILE, [UP, UP, UP]).new == (UP,)


def test_what_is_gone_is_told_for_the_files_that_were_linted() -> None:
    write_baseline(FILE, [UP, NOTE])
    assert compare(FILE, [], [Path("unet.py")]).remarks == ("1 finding of the baseline no longer there: write it anew",)
    assert compare(FILE, [], [Path("other.py")]).remarks == ()


def test_paths_are_as_seen_from_the_baseline(monkeypatch: pytest.MonkeyPatch) -> None:
    write_baseline(FILE, [UP])
    Path("below").mkdir()
    monkeypatch.chdir("below")
    assert compare(Path("../baseline.json"), [replace(UP, location=Location("../unet.py", 8))]).new == ()


def test_the_file_is_the_same_whatever_the_order_with_a_line_a_finding() -> None:
    write_baseline(FILE, [UP, NOTE])
    text = FILE.read_text()
    write_baseline(FILE, [NOTE, UP])
    assert FILE.read_text() == text
    assert text.splitlines()[4].strip() == (
        '{"path": "unet.py", "code": "SL101", "model": "UNet", "layer": "up", "count": 1}'
    )
    assert json.loads(text)["version"] == 1


def test_an_empty_baseline_is_one_too() -> None:
    write_baseline(FILE, [])
    assert compare(FILE, [UP]).new == (UP,)


def test_a_path_that_does_not_exist_is_no_old_finding() -> None:
    assert write_baseline(FILE, [Diagnostic("SL906", "bad-input", Severity.ERROR, "no such file")]) == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot read the baseline baseline.json: No such file or directory; write one with --write-baseline"),
        ("{", "baseline.json:1:2: SL906 this baseline is not JSON"),
        ("[]", "this is not a baseline of this version of shapelint"),
        ('{"version": 1, "findings": [{"path": "a"}]}', "has an entry that is not understood: {'path': 'a'}"),
        ('{"version": 1, "findings": [{"count": 1}]}', "has an entry that is not understood: {'count': 1}"),
    ],
)
def test_what_is_no_baseline_is_told(text: str | None, message: str) -> None:
    if text is not None:
        FILE.write_text(text)
    with pytest.raises(LoadError) as caught:
        compare(FILE, [])
    assert message in str(caught.value)


class TestWritingWhole:
    """A file is there in full or as it was."""

    def test_nothing_is_left_beside_it(self) -> None:
        write_whole(FILE, "new")
        assert [path.name for path in Path().iterdir()] == [FILE.name]

    def test_through_a_link_its_target_is_written(self) -> None:
        Path("target.txt").write_text("old")
        Path("link.txt").symlink_to("target.txt")
        write_whole(Path("link.txt"), "new")
        assert Path("link.txt").is_symlink()
        assert Path("target.txt").read_text() == "new"

    def test_what_is_no_file_stays_what_it_is(self) -> None:
        write_whole(Path(os.devnull), "new")
        assert Path(os.devnull).is_char_device()

    def test_what_cannot_be_written_is_told(self) -> None:
        with pytest.raises(LoadError, match=r"cannot write none/report\.txt: No such file or directory"):
            write_whole(Path("none/report.txt"), "new")
