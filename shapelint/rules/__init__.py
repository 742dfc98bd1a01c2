"""The lint rules: one file each, found by walking this package. Importing it does not import torch."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from shapelint.diagnostics import Diagnostic, Severity
from shapelint.rules.base import Example, Rule, RuleInfo

if TYPE_CHECKING:
    from shapelint.api import Analysis
    from shapelint.rules.context import Context, Mends

__all__ = ["Example", "Rule", "RuleInfo", "all_rules", "check", "explain_failure", "rule_classes", "summarize"]

_ORDER = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.NOTE: 2}


@lru_cache(maxsize=1)
def rule_classes() -> Mapping[str, type[Rule]]:
    """Every rule by its code, in order.

    Raises:
        ValueError: two rules have the same code.
    """
    found: dict[str, type[Rule]] = {}
    for entry in pkgutil.iter_modules(__path__):
        if not entry.name.startswith("sl"):
            continue
        module = importlib.import_module(f"{__name__}.{entry.name}")
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, Rule) and value.__module__ == module.__name__:
                if value.code in found:
                    raise ValueError(f"{value.code} is both {found[value.code].__name__} and {value.__name__}")
                found[value.code] = value
    return dict(sorted(found.items()))


def all_rules() -> tuple[RuleInfo, ...]:
    """What there is to know of every rule, by code."""
    return tuple(rule.info() for rule in rule_classes().values())


def check(
    analysis: Analysis,
    select: Iterable[str] | None = None,
    ignore: Iterable[str] = (),
    mending: Callable[[Context], Mends] | None = None,
) -> tuple[Diagnostic, ...]:
    """The findings of the chosen rules (by code; ``None``: those on by default), most severe first.

    ``mending`` makes what proposes fixes; without it findings have none.
    """
    from shapelint.rules.analysis import findings as analysis_findings
    from shapelint.rules.analysis import not_judged
    from shapelint.rules.context import Context
    from shapelint.rules.failing import guessed_wrongly
    from shapelint.rules.guessing import without_guesses
    from shapelint.sizes import TooComplex

    rules = rule_classes()
    chosen = [c for c, rule in rules.items() if (rule.default if select is None else c in set(select))]
    context = Context(analysis, frozenset(chosen) if select is not None else frozenset())
    if mending is not None and analysis.trace is not None:
        context.mender = mending(context)
    dropped = frozenset(ignore)
    try:
        found = [d for code in chosen if code not in dropped for d in rules[code]().check(context)]
        found = without_guesses(context, found)
    except TooComplex as reason:
        found = [] if guessed_wrongly(analysis) else [not_judged(context, reason)]
    found += [*analysis_findings(context, found)]
    return tuple(sorted(dict.fromkeys(d for d in found if d.code not in dropped), key=_order))


def _order(finding: Diagnostic) -> tuple[int, str, int, int, str, str]:
    place = finding.location
    where = (place.path, place.line, place.column) if place else ("", 0, 0)
    return (_ORDER[finding.severity], *where, finding.code, finding.message)


def explain_failure(analysis: Analysis, env: Mapping[str, int]) -> Diagnostic:
    """Why the model does not run at these sizes."""
    from shapelint.rules.failing import explain

    return explain(analysis, dict(env))


def summarize(analysis: Analysis) -> str:
    """One line: "UNet: H and W: multiples of 16, at least 16; output = input; proven"."""
    from shapelint.rules.summary import summary

    return summary(analysis)
