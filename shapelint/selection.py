"""Which findings to show: ``--select``, ``--extend-select`` and ``--ignore``.

A selector is a code (``SL101``), the beginning of one (``SL1``), a rule's name (``lossy-round-trip``) or ``ALL``.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from shapelint.config import Config, ConfigError, place_of
from shapelint.diagnostics import Diagnostic
from shapelint.loading.codes import ANALYSIS_CODES
from shapelint.loading.errors import BAD_INPUT, LoadError

EVERYTHING = "ALL"
ANALYSIS_PREFIX = "SL9"


@dataclass(frozen=True, slots=True)
class Selection:
    """The chosen codes. What the analysis could not do (SL9xx) is told unless it is ignored by name."""

    codes: frozenset[str]
    ignored: frozenset[str] = frozenset()

    def wants(self, finding: Diagnostic) -> bool:
        if finding.code.startswith(ANALYSIS_PREFIX):
            return finding.code not in self.ignored
        return finding.code in self.codes


class UnknownRuleError(LoadError):
    """A selector that matches no rule."""

    def __init__(self, selector: str, message: str) -> None:
        super().__init__(BAD_INPUT, message)
        self.selector = selector


Selectors = tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]
_NOTHING: Final[Selectors] = ((), (), ())


@dataclass(frozen=True)
class Choice:
    """``--select``, ``--extend-select`` and ``--ignore``, to be put upon the settings of each file."""

    select: tuple[str, ...] = ()
    extend_select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    _known: dict[tuple[Selectors, tuple[str, ...]], Selection | None] = field(default_factory=dict, repr=False)

    def of(self, config: Config, path: Path | None = None) -> Selection | None:
        """The rules to check in a file. None where nothing is chosen: then the analysis' own defaults stand.

        Raises:
            LoadError: a selector matches no rule.
        """
        configured = (config.select, config.extend_select, config.ignore)
        in_file = config.ignored_in(path) if path else ()
        if (configured, in_file) not in self._known:
            try:
                _combine(configured, _NOTHING, in_file)
            except UnknownRuleError as error:
                raise ConfigError(error.message, place_of(config, error.selector)) from error
            asked = (self.select, self.extend_select, self.ignore)
            self._known[configured, in_file] = _combine(configured, asked, in_file)
        return self._known[configured, in_file]

    def checks(self, code: str, config: Config, path: Path) -> bool:
        """Is a code looked for in a file?"""
        if code.startswith(ANALYSIS_PREFIX):
            return True
        selection = self.of(config, path)
        return code in (_defaults() if selection is None else selection.codes)


def rule_names() -> dict[str, str]:
    """The name of every code."""
    from shapelint.rules import all_rules

    return {code.code: code.name for code in ANALYSIS_CODES} | {rule.code: rule.name for rule in all_rules()}


def _defaults() -> frozenset[str]:
    from shapelint.rules import all_rules

    return frozenset(rule.code for rule in all_rules() if rule.default)


def _combine(configured: Selectors, asked: Selectors, ignored_in_file: tuple[str, ...]) -> Selection | None:
    """The settings' choice, then the command line's upon it, then what the settings take out in one file."""
    if not (any(configured) or any(asked) or ignored_in_file):
        return None
    names, defaults = rule_names(), _defaults()
    select, extend_select, ignore = configured
    selection = make_selection(names, defaults, select=select, extend_select=extend_select, ignore=ignore)
    select, extend_select, ignore = asked
    selection = adjust(selection, names, select=select, extend_select=extend_select, ignore=ignore)
    return adjust(selection, names, ignore=ignored_in_file)


def make_selection(
    rules: Mapping[str, str],
    defaults: Iterable[str],
    *,
    select: Sequence[str] = (),
    extend_select: Sequence[str] = (),
    ignore: Sequence[str] = (),
) -> Selection:
    """Work out the selection from selectors; ``rules`` maps codes to names.

    Raises:
        LoadError: a selector matches no rule.
    """
    chosen = _codes(select, rules) if select else frozenset(defaults)
    return adjust(Selection(chosen), rules, extend_select=extend_select, ignore=ignore)


def adjust(
    selection: Selection,
    rules: Mapping[str, str],
    *,
    select: Sequence[str] = (),
    extend_select: Sequence[str] = (),
    ignore: Sequence[str] = (),
) -> Selection:
    """A selection, and a stronger voice upon it: what is selected there is no longer ignored.

    Raises:
        LoadError: a selector matches no rule.
    """
    added, ignored = _codes(extend_select, rules), _codes(ignore, rules)
    if select:
        return Selection((_codes(select, rules) | added) - ignored, ignored)
    return Selection((selection.codes | added) - ignored, (selection.ignored - added) | ignored)


def split_selectors(texts: Iterable[str]) -> tuple[str, ...]:
    """``("SL1,SL2", "SL301")`` -> ``("SL1", "SL2", "SL301")``."""
    return tuple(part.strip() for text in texts for part in text.split(",") if part.strip())


def _codes(selectors: Iterable[str], rules: Mapping[str, str]) -> frozenset[str]:
    return frozenset(code for selector in selectors for code in _matching(selector, rules))


def _matching(selector: str, rules: Mapping[str, str]) -> frozenset[str]:
    if selector.upper() == EVERYTHING:
        return frozenset(rules)
    found = frozenset(
        code for code, name in rules.items() if code.startswith(selector.upper()) or name == selector.lower()
    )
    if not found:
        near = difflib.get_close_matches(selector, [*rules, *rules.values()], n=1)
        hint = f"; did you mean {near[0]}?" if near else "; `shapelint rules` lists them"
        raise UnknownRuleError(selector, f"no rule is called {selector}{hint}")
    return found
