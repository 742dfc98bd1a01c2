"""Every code is documented, from its own file, and ``docs/rules`` is what those files say."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from shapelint.cli import main
from shapelint.documentation import INDEX, documented, file_name, outdated, page, pages, plain
from shapelint.documentation import main as write_pages
from shapelint.loading.errors import NAMES

DOCS = Path(__file__).parents[1] / "docs" / "rules"
CODES = [rule.code for rule in documented()]


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, arguments)
    return result.exit_code, result.output


def test_the_pages_are_up_to_date() -> None:
    assert outdated(DOCS) == (), "run python -m shapelint.documentation docs/rules"


def test_whatever_can_be_reported_is_documented() -> None:
    assert {*NAMES, "SL903", "SL905"} <= set(CODES)
    assert len(set(CODES)) == len(CODES)


@pytest.mark.parametrize("rule", documented(), ids=lambda rule: str(rule.code))
def test_a_page_has_the_headings_that_a_reader_looks_for(rule: object) -> None:
    text = page(rule)  # type: ignore[arg-type]
    assert "## What it" in text
    assert "```" not in plain(rule)  # type: ignore[arg-type]
    assert "##" not in plain(rule)  # type: ignore[arg-type]


def test_the_index_links_every_page() -> None:
    assert all(f"({file_name(rule)})" in pages()[INDEX] for rule in documented())


class TestWriting:
    """``python -m shapelint.documentation``."""

    def test_writes_what_is_missing_and_removes_what_is_no_rule(self, tmp_path: Path) -> None:
        (tmp_path / "SL999-gone.md").write_text("old")
        assert CliRunner().invoke(write_pages, [str(tmp_path)]).exit_code == 0
        assert {file.name for file in tmp_path.iterdir()} == pages().keys()

    def test_check_names_what_is_not_up_to_date_and_changes_nothing(self, tmp_path: Path) -> None:
        CliRunner().invoke(write_pages, [str(tmp_path)])
        (tmp_path / INDEX).write_text("edited")
        result = CliRunner().invoke(write_pages, [str(tmp_path), "--check"])
        assert (result.exit_code, "not up to date: README.md" in result.output) == (1, True)
        assert (tmp_path / INDEX).read_text() == "edited"


class TestExplain:
    """``shapelint explain CODE``."""

    @pytest.mark.parametrize("code", CODES)
    def test_every_code(self, code: str) -> None:
        status, output = run("explain", code)
        assert status == 0
        assert output.startswith(f"# {code} ")

    @pytest.mark.parametrize("name", ["SL101", "sl101", "lossy-round-trip", "Lossy-Round-Trip"])
    def test_by_code_or_name_in_any_case(self, name: str) -> None:
        assert run("explain", name)[1].startswith("# SL101 lossy-round-trip\n")

    def test_as_data(self) -> None:
        data = json.loads(run("explain", "SL601", "--output-format", "json")[1])
        assert (data["code"], data["name"], data["default"]) == ("SL601", "dropped-border", False)

    @pytest.mark.parametrize(
        ("name", "hint"),
        [
            ("SL1O1", "did you mean SL101?"),
            ("lossy-roundtrip", "did you mean lossy-round-trip?"),
            ("xyz", "`shapelint rules` lists them"),
        ],
    )
    def test_what_does_not_exist_is_told_with_the_nearest(self, name: str, hint: str) -> None:
        status, output = run("explain", name)
        assert status == 2
        assert f"there is no rule {name}" in output
        assert hint in output


class TestRules:
    """``shapelint rules``."""

    def test_a_line_each(self) -> None:
        lines = run("rules")[1].splitlines()
        assert [line[:5] for line in lines] == CODES
        assert "(off by default: --extend-select)" in next(line for line in lines if line.startswith("SL601"))

    def test_as_data(self) -> None:
        assert [rule["code"] for rule in json.loads(run("rules", "--output-format", "json")[1])] == CODES
