"""Every rule's own examples: it has no word for the valid ones, and finds the invalid ones with the text they name."""

from __future__ import annotations

import linecache
import textwrap
from collections.abc import Iterator
from typing import Any

import pytest
import torch
import torch.nn.functional as functional
from torch import nn

import shapelint
from shapelint.diagnostics import Diagnostic, Severity
from shapelint.rules import Example, Rule, rule_classes

RULES = list(rule_classes().values())
HEADINGS = ("## What it does", "## Why is this bad", "## Example", "## Use instead", "## How it is decided")


def build(example: Example, name: str) -> nn.Module:
    """The example's model, with its source where ``inspect`` finds it."""
    source = "import torch\nimport torch.nn.functional as F\nfrom torch import nn\n\n" + textwrap.dedent(example.source)
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    names: dict[str, Any] = {"torch": torch, "nn": nn, "F": functional, "__name__": "example"}
    exec(compile(source, name, "exec"), names)
    model = names["Model"]()
    assert isinstance(model, nn.Module)
    return model


def findings(example: Example, rule: type[Rule], name: str) -> tuple[Diagnostic, ...]:
    analysis = shapelint.analyze(build(example, name), example.inputs, example.sizes)
    return analysis.check(None if rule.default else [rule.code])


def examples(kind: str) -> list[object]:
    return list(_examples(kind))


def _examples(kind: str) -> Iterator[object]:
    for rule in RULES:
        for number, example in enumerate(getattr(rule, kind)):
            yield pytest.param(rule, example, f"{rule.code}_{kind}_{number}.py", id=f"{rule.code}-{number}")


@pytest.mark.parametrize(("rule", "example", "name"), examples("VALID"))
def test_valid(rule: type[Rule], example: Example, name: str) -> None:
    found = [d for d in findings(example, rule, name) if d.code == rule.code]
    assert not found, found


@pytest.mark.parametrize(("rule", "example", "name"), examples("INVALID"))
def test_invalid(rule: type[Rule], example: Example, name: str) -> None:
    found = findings(example, rule, name)
    assert [d.code for d in found if d.severity is not Severity.NOTE or d.code == rule.code] == [rule.code], found
    own = next(d for d in found if d.code == rule.code)
    assert example.message in own.message
    assert own.severity is example.severity
    assert own.model == "Model"
    assert own.sizes


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_documentation(rule: type[Rule]) -> None:
    info = rule.info()
    positions = [info.documentation.find(heading) for heading in HEADINGS]
    assert all(p >= 0 for p in positions), HEADINGS[positions.index(-1)]
    assert positions == sorted(positions)
    assert rule.VALID
    assert rule.INVALID
    assert info.summary
    assert not info.summary.endswith(".")
    assert info.name == info.name.lower()
    module = rule.__module__.rpartition(".")[2]
    assert module == f"{rule.code.lower()}_{rule.name.replace('-', '_')}"
