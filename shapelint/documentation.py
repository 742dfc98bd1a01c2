"""The documentation of every code, from the rules' own files: for ``explain``, ``rules``, SARIF and ``docs/rules``.

python -m shapelint.documentation docs/rules            writes the pages
python -m shapelint.documentation docs/rules --check    fails if a page is not what would be written
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import click

from shapelint.loading.codes import ANALYSIS_CODES, AnalysisCode
from shapelint.rules import RuleInfo, all_rules

INDEX: Final = "README.md"
_HEADING: Final = re.compile(r"^## .*\n+", re.MULTILINE)
_FENCE: Final = re.compile(r"^```.*$\n?", re.MULTILINE)


@lru_cache(maxsize=1)
def documented() -> tuple[RuleInfo | AnalysisCode, ...]:
    """The lint rules and what the SL9xx codes mean, by code."""
    lint_rules = all_rules()
    known = {rule.code for rule in lint_rules}
    others = [code for code in ANALYSIS_CODES if code.code not in known]
    return tuple(sorted([*lint_rules, *others], key=lambda rule: rule.code))


def rule_data(rule: RuleInfo | AnalysisCode) -> dict[str, Any]:
    """A rule as plain data."""
    return {
        "code": rule.code,
        "name": rule.name,
        "summary": rule.summary,
        "default": rule.default,
        "documentation": rule.documentation.strip(),
    }


def page(rule: RuleInfo | AnalysisCode) -> str:
    """A rule's page, in Markdown."""
    default = "" if rule.default else f"Off by default: `--extend-select {rule.code}` turns it on.\n\n"
    return f"# {rule.code} {rule.name}\n\n{default}{rule.documentation.strip()}\n"


def plain(rule: RuleInfo | AnalysisCode) -> str:
    """A rule's documentation without Markdown's fences and marks of headings."""
    text = _FENCE.sub("", rule.documentation.strip())
    return _HEADING.sub(lambda match: match.group().strip("# \n").upper() + "\n", text).strip()


def pages() -> Mapping[str, str]:
    """Every page by the name of its file, and the index."""
    rows = "".join(
        f"| [{rule.code}]({file_name(rule)}) | {rule.name} | {rule.summary}{off_by_default(rule)} |\n"
        for rule in documented()
    )
    index = f"# Rules\n\n| code | name | what |\n|---|---|---|\n{rows}"
    return {INDEX: index} | {file_name(rule): page(rule) for rule in documented()}


def off_by_default(rule: RuleInfo | AnalysisCode) -> str:
    """The remark behind a summary."""
    return "" if rule.default else " (off by default: --extend-select)"


def file_name(rule: RuleInfo | AnalysisCode) -> str:
    return f"{rule.code}-{rule.name}.md"


def outdated(folder: Path) -> tuple[str, ...]:
    """The files of a folder that are not as the rules say: missing, different, or of no rule."""
    wanted = pages()
    present = {file.name: file.read_text(encoding="utf-8") for file in folder.glob("*.md")}
    return tuple(sorted(name for name in {*wanted, *present} if wanted.get(name) != present.get(name)))


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--check", is_flag=True, help="Write nothing; fail if a page is not up to date.")
def main(folder: Path, check: bool) -> None:
    """Write a page for every rule, and remove those of rules that are gone."""
    if check:
        if old := outdated(folder):
            raise click.ClickException(f"not up to date: {', '.join(old)}; run python -m {__spec__.name} {folder}")
        return
    folder.mkdir(parents=True, exist_ok=True)
    wanted = pages()
    for name in outdated(folder):
        if name in wanted:
            (folder / name).write_text(wanted[name], encoding="utf-8")
        else:
            (folder / name).unlink()


if __name__ == "__main__":
    main()
