"""``while`` loops over a size: what is called proven agrees with PyTorch at every size tried."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import shapelint
from shapelint.sizes import Dim, negate
from shapelint.sizes.dim import of, smin
from shapelint.sizes.inequalities import inequality
from shapelint.tracing.loops.source import test_at as question_at
from tests import oracle


class Model(nn.Module):
    """A model whose forward is a function."""

    def __init__(self, forward: Callable[[Any, Tensor], Any]) -> None:
        super().__init__()
        self.taking = nn.Linear(4, 8)
        self._forward = forward

    def forward(self, x: Tensor) -> Any:
        return self._forward(self, x)


def _windows_clipped_at_the_end(m: Any, x: Tensor) -> Any:
    outputs = []
    start = 0
    while start < x.shape[1]:
        outputs.append(m.taking(x[:, start : start + 8]))
        start += 8
    return torch.cat(outputs, 1)


def _whole_windows(m: Any, x: Tensor) -> Any:
    outputs = []
    start = 0
    while not start + 10 > x.shape[1]:
        outputs.append(x[:, start : start + 10])
        start = start + 5
    return torch.stack(outputs, 1), x[:, start:]


def _left_by_a_break(m: Any, x: Tensor) -> Any:
    outputs, start, length = [], 0, x.shape[1]
    while True:
        end = min(start + 10, length)
        outputs.append(x[:, start:end])
        if end >= length:
            break
        start += 6
    return torch.cat(outputs, 1)


def _left_by_a_return(m: Any, x: Tensor) -> Any:
    h, t = x.new_zeros(x.shape[0], 8), 0
    while True:
        if t >= x.shape[1]:
            return h
        h = torch.tanh(m.taking(x[:, t]) + h)
        t += 1


def _backwards(m: Any, x: Tensor) -> Any:
    t = x.shape[1] - 1
    y = torch.zeros_like(x)
    while t >= 0:
        y[:, t] = x[:, t]
        t -= 1
    return y


def _from_both_ends(m: Any, x: Tensor) -> Any:
    i, j = 0, x.shape[1]
    while i < j:
        i += 1
        j -= 1
    return x[:, :i], x[:, j:]


def _what_is_left_of_a_tensor(m: Any, x: Tensor) -> Any:
    total = x.new_zeros(x.shape[0], 4, 4)
    while x.size(1) >= 4:
        total = total + x[:, :4]
        x = x[:, 4:]
    return total, x


def _until_it_is_long_enough(m: Any, x: Tensor) -> Any:
    y = x
    while y.shape[1] < 3 * x.shape[1]:
        y = torch.cat([y, x[:, :2]], 1)
    return y


def _one_in_another(m: Any, x: Tensor) -> Any:
    rows, i = [], 0
    while i < x.shape[1]:
        columns, j = [], 0
        while j < x.shape[0]:
            columns.append(F.pad(x[j : j + 3, i : i + 5], (0, 1)))
            j += 3
        rows.append(torch.cat(columns))
        i += 5
    return torch.cat(rows, 1)


def _begun_once_more_after_a_break(m: Any, x: Tensor) -> Any:
    found = 0
    for _ in range(2):
        t = 0
        while t < x.shape[1]:
            t += 3
            if x.shape[0] > 2:
                break
        found += t
    return x.new_zeros(found)


def _at_most_ten_rounds(m: Any, x: Tensor) -> Any:
    t = 0
    while t < x.shape[1] and t < 10:
        t += 1
    return x.new_zeros(t)


def _halving(m: Any, x: Tensor) -> Any:
    n = x.shape[1]
    while n > 1:
        n = (n + 1) // 2
    return x.new_zeros(n)


PROVEN = [
    _windows_clipped_at_the_end,
    _whole_windows,
    _left_by_a_break,
    _left_by_a_return,
    _backwards,
    _from_both_ends,
    _what_is_left_of_a_tensor,
    _until_it_is_long_enough,
    _one_in_another,
    _begun_once_more_after_a_break,
    _at_most_ten_rounds,
    _halving,
]


def _steps_of_another_length_later(m: Any, x: Tensor) -> Any:
    t = rounds = 0
    while t < x.shape[1]:
        t += 1 if rounds < 6 else 4
        rounds += 1
    return x.new_zeros(t)


def _a_round_that_adds_another_item(m: Any, x: Tensor) -> Any:
    outputs, t = [], 0
    while t < x.shape[1]:
        if t == 12:
            outputs.append(x[:, :1])
        outputs.append(x[:, t : t + 1])
        t += 2
    return torch.cat(outputs, 1)


def _continued_for_some(m: Any, x: Tensor) -> Any:
    t = 0
    while t < x.shape[1]:
        t += 2
        if t % 3 == 0:
            continue
        x = x[:, 1:]
    return x


def _an_end_that_moves(m: Any, x: Tensor) -> Any:
    t, end = 0, x.shape[1]
    while t < end:
        t += 1
        end += t % 2
        if t > 40:
            break
    return x.new_zeros(t)


def _a_flag_from_the_round_before(m: Any, x: Tensor) -> Any:
    t, again = 0, False
    while True:
        if again:
            x = F.pad(x, (0, 0, 0, 1))
        if t + 4 > x.shape[1]:
            break
        again = t % 8 == 4
        t += 4
    return x


OTHERWISE = [
    _steps_of_another_length_later,
    _a_round_that_adds_another_item,
    _continued_for_some,
    _an_end_that_moves,
    _a_flag_from_the_round_before,
]


@pytest.mark.parametrize("forward", PROVEN + OTHERWISE)
def test_every_size_as_pytorch_has_it(forward: Callable[[Any, Tensor], Any]) -> None:
    model = Model(forward)
    analysis = shapelint.analyze(model, ("N", "T", 4))
    assert analysis.certainty == "proven" or forward in OTHERWISE, analysis.certainty_reasons
    for n, t in [(2, t) for t in range(1, 41)] + list(itertools.product((1, 3, 4), (1, 2, 5, 9, 16))):
        assert oracle.compare(analysis, oracle.run(model, (n, t, 4), device="cpu"), {"N": n, "T": t}) is None, (n, t)


def test_a_loop_that_is_given_up_costs_no_more_than_before() -> None:
    def forward(m: Any, x: Tensor) -> Any:
        outputs, left, start = [], x.shape[1], 0
        while left > 0:
            size = min(left, 6)
            outputs.append(F.adaptive_avg_pool1d(x[:, start : start + size, 0], 2))
            start += size
            left -= size
        return torch.cat(outputs, -1)

    (reason,) = shapelint.analyze(Model(forward), ("N", "T", 4)).certainty_reasons
    assert reason.startswith("more than 64 branches on sizes follow one another")


def _asking(n: int, done: bool) -> None:
    i = 0
    while i < n and not done:
        i += 1
    while True:
        if n > i or n < 0:
            break
        if i == n:
            n += 1
        else:
            break


def test_questions_that_end_a_loop_are_told_from_others() -> None:
    first = _asking.__code__.co_firstlineno
    asked = {
        (line, start, end): question_at(_asking.__code__, (first + line, first + line, start, end))
        for line, start, end in [(2, 10, 15), (2, 24, 28), (5, 11, 16), (5, 20, 25), (7, 11, 17)]
    }
    goes_on = [None if test is None else test.goes_on for test in asked.values()]
    assert goes_on == [True, False, False, False, None]


def test_conditions_are_one_bound_or_none() -> None:
    n, m = Dim("N"), Dim("M")
    for condition, bound in [
        (n > 4, n - 5),
        (n // 2 >= m, n // 2 - m),
        (smin(m + 3, n) < n, n - m - 4),
        (negate(smin(m, n) >= n), n - m - 1),
    ]:
        found = inequality(condition)
        assert found is not None
        assert str(of(found)) == str(bound)
    for condition in (n == 4, n % 2 == 0, (n > 4) & (m > 2), smin(m, n) > 4):
        assert inequality(condition) is None
