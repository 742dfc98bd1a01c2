"""Which findings to show: ``--select``, ``--extend-select`` and ``--ignore``.

A selector is a code (``SL101``), the beginning of one (``SL1``), a rule's name (``lossy-round-trip``) or ``ALL``.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from shapelint.diagnostics import Diagnostic
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
    ignored = _codes(ignore, rules)
    return Selection((chosen | _codes(extend_select, rules)) - ignored, ignored)


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
        raise LoadError(BAD_INPUT, f"no rule is called {selector}{hint}")
    return found
