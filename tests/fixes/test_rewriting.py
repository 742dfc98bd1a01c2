"""Code is written in another way, and only what is meant to change does."""

from __future__ import annotations

import pytest

from shapelint.fixes.rewriting import with_arguments, with_import, with_statement_before


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("f()", "f(op=1)"),
        ("f(a, b)", "f(a, b, op=1)"),
        ("f(a,b)", "f(a,b,op=1)"),
        ("f( a )", "f( a, op=1 )"),
        ("f(a, b = 2)", "f(a, b = 2, op = 1)"),
        ("f(*a, **b)", "f(*a, **b, op=1)"),
        ("f(a,)", "f(a, op=1,)"),
        ("f(a,  # one\n)", "f(a, op=1,  # one\n)"),
        ("f(\n    a, b,\n)", "f(\n    a, b, op=1,\n)"),
        ("f(\n    a, b  # both\n)", "f(\n    a, b, op=1  # both\n)"),
        ("f(\n    a,\n)", "f(\n    a,\n    op=1,\n)"),
        ("f(\n    a,\n    b,\n)", "f(\n    a,\n    b,\n    op=1,\n)"),
        ("f(\n\ta,\n\tb\n\t)", "f(\n\ta,\n\tb,\n\top=1\n\t)"),
        ("f(\n    a,  # one\n    b  # two\n)", "f(\n    a,  # one\n    b,  # two\n    op=1\n)"),
        (
            "f(\n    a,\n    b,  # two\n    # below\n)",
            "f(\n    a,\n    b,  # two\n    # below\n    op=1,\n)",
        ),
        ("f(a, b,\n  c, d)", "f(a, b,\n  c, d, op=1)"),
        ("f(a,\n  b)", "f(a,\n  b,\n  op=1)"),
        ("net\n    .f(a, b)", "net\n    .f(a, b, op=1)"),
    ],
)
def test_an_argument_more(code: str, expected: str) -> None:
    assert with_arguments(code, ["op=1"]) == expected


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("f(op=1)", "f()"),
        ("f(a, op=1)", "f(a)"),
        ("f(a, op=1,)", "f(a,)"),
        ("f(a, op=1, b=2)", "f(a, b=2)"),
        ("f(\n    a,\n    op=1,\n    b=2,\n)", "f(\n    a,\n    b=2,\n)"),
        ("f(\n    a,  # one\n    op=1,  # two\n)", "f(\n    a,  # one\n)"),
        ("f(\n    a,\n    op=1\n    )", "f(\n    a\n    )"),
        ("f(a,  # one\n  op=1)", "f(a  # one\n  )"),
        ("f(\n    a, op=1\n)", "f(\n    a\n)"),
    ],
)
def test_an_argument_less(code: str, expected: str) -> None:
    assert with_arguments(code, removing=["op"]) == expected


def test_several_at_once() -> None:
    code = "f(\n    a,\n    op=1  # one\n)"
    assert with_arguments(code, ["b=2", "c=(3, 4)"], ["op"]) == "f(\n    a,\n    b=2,\n    c=(3, 4)\n)"


FUNCTIONS = '''"""What it is."""
from __future__ import annotations
import os  # why


def f(x):
\t# of y
\ty = g(x)  # after
\tz = 1; w = g(y)
\treturn w
def h(x): y = g(x); return y
'''


@pytest.mark.parametrize(
    ("place", "before", "after"),
    [
        ((8, 1), "\ty = g(x)  # after", "\ts = 1\n\ty = g(x)  # after"),
        ((9, 8), "z = 1; w = g(y)", "z = 1; s = 1; w = g(y)"),
        ((11, 10), "def h(x): y", "def h(x): s = 1; y"),
    ],
)
def test_a_statement_more(place: tuple[int, int], before: str, after: str) -> None:
    assert with_statement_before(FUNCTIONS, *place, "s = 1") == FUNCTIONS.replace(before, after)


def test_no_statement_where_none_starts() -> None:
    assert with_statement_before(FUNCTIONS, 8, 3, "s = 1") == FUNCTIONS


def test_an_import_more() -> None:
    changed = FUNCTIONS.replace("os  # why\n", "os  # why\nimport torch.nn.functional as F\n")
    assert with_import(FUNCTIONS, "torch.nn.functional", "F") == changed
