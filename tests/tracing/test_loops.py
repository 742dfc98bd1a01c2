"""Loops whose number of rounds is a size: what is called proven agrees with PyTorch, and what is no proof is not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import shapelint
from shapelint.limits import Limits
from shapelint.tracing.loops.source import loop_at
from tests import oracle

COUNT = 0


class Adding(nn.Module):
    """A module that appends to a list of its caller's, for few items another way than for many."""

    def forward(self, collected: list[Tensor], item: Tensor) -> None:
        collected.append(item if item.shape[0] < 3 else item + 1)


class Recurrent(nn.Module):
    """A model whose forward is a function; it may use some layers and helpers."""

    def __init__(self, forward: Callable[[Any, Tensor], Any]) -> None:
        super().__init__()
        self.taking = nn.Linear(4, 8)
        self.keeping = nn.Linear(8, 8)
        self.cells = nn.ModuleList([nn.LSTMCell(4, 4), nn.LSTMCell(4, 4)])
        self.filter = nn.Conv1d(4, 5, 3)
        self.adding = Adding()
        self._forward = forward

    def forward(self, x: Tensor) -> Any:
        return self._forward(self, x)

    def add_to(self, collected: list[Tensor], x: Tensor) -> None:
        for t in range(x.shape[1]):
            collected.append(self.taking(x[:, t]))

    def joined(self, items: list[Tensor]) -> Tensor:
        return torch.stack(items, 1)

    def one_by_one(self, x: Tensor) -> Iterator[Tensor]:
        for t in range(x.shape[1]):
            yield self.taking(x[:, t])


def _hidden_state(m: Any, x: Tensor) -> Any:
    h = x.new_zeros(x.shape[0], 8)
    outputs = []
    for t in range(x.shape[1]):
        h = torch.tanh(m.taking(x[:, t]) + m.keeping(h))
        outputs.append(h)
    return torch.stack(outputs, dim=1), h


def _first_round_differs(m: Any, x: Tensor) -> Any:
    h = None
    outputs = []
    for t in range(x.shape[1]):
        h = m.taking(x[:, t]) if h is None else m.taking(x[:, t]) + m.keeping(h)
        outputs.append(h.unsqueeze(1))
    return torch.cat(outputs, 1)


def _last_output_fed_back(m: Any, x: Tensor) -> Any:
    outputs = [m.taking(x[:, 0])]
    for t in range(1, x.shape[1]):
        outputs.append(m.taking(x[:, t]) + m.keeping(outputs[-1]))
    return torch.stack(outputs, 1)


def _backwards(m: Any, x: Tensor) -> Any:
    outputs = []
    for t in range(x.shape[1] - 1, -1, -1):
        outputs.append(m.taking(x[:, t]))
    outputs.reverse()
    return torch.stack(outputs, 1)


def _reversed(m: Any, x: Tensor) -> Any:
    outputs = []
    for t in reversed(range(x.shape[1])):
        outputs.append(m.taking(x[:, t]))
    return torch.stack(outputs[::-1], 1)


def _written_into_a_tensor(m: Any, x: Tensor) -> Any:
    result = x.new_zeros(x.shape[0], x.shape[1], 8)
    for t in range(x.shape[1]):
        result[:, t] = m.taking(x[:, t])
    return result


def _layers_of_cells(m: Any, x: Tensor) -> Any:
    state = [(x.new_zeros(x.shape[0], 4), x.new_zeros(x.shape[0], 4)) for _ in m.cells]
    outputs = []
    for t in range(x.shape[1]):
        y = x[:, t]
        for number, cell in enumerate(m.cells):
            state[number] = cell(y, state[number])
            y = state[number][0]
        outputs.append(y)
    return torch.stack(outputs, 1), state


def _layer_after_layer(m: Any, x: Tensor) -> Any:
    last = []
    for cell in m.cells:
        h, c = x.new_zeros(x.shape[0], 4), x.new_zeros(x.shape[0], 4)
        inner = []
        for t in range(x.shape[1]):
            h, c = cell(x[:, t], (h, c))
            inner.append(h)
        x = torch.stack(inner, dim=1)
        last.append([h, c])
    return x, last


def _chunks_that_grow(m: Any, x: Tensor) -> Any:
    x = x.transpose(1, 2)
    for i in range(1 + (x.shape[2] - 1) // 4):
        if i == 0:
            out = m.filter(x[:, :, :3])
        else:
            out = torch.cat([out, m.filter(x[:, :, 4 * i - 3 : 4 * i + 1])], 2)
    return out


def _chunks_with_a_remainder(m: Any, x: Tensor) -> Any:
    collected = []
    for i in range(max(x.shape[1] // 8, 1)):
        rest = x.shape[1] % 8
        start = 8 * i + (0 if i == 0 else rest)
        collected.append(m.taking(x[:, start : 8 * (i + 1) + rest]))
    return torch.cat(collected, dim=1)


def _windows(m: Any, x: Tensor) -> Any:
    means = []
    for i in range(0, x.shape[1] - 8 + 1, 3):
        means.append(x[:, i : i + 8].mean(1))
    return torch.stack(means, 1)


def _overlapping_tiles(m: Any, x: Tensor) -> Any:
    tiles = []
    for i in range(0, x.shape[1], 3):
        tiles.append(m.taking(x[:, i : i + 5]))
    kept = []
    for i, tile in enumerate(tiles):
        if i > 0:
            tile = tile + tiles[i - 1][:, -1:]
        kept.append(tile[:, :3])
    return torch.cat(kept, 1)


def _slice_to_the_end(m: Any, x: Tensor) -> Any:
    for t in range(x.shape[1]):
        rest = x[:, t:]
    return rest


def _sum_that_needs_three(m: Any, x: Tensor) -> Any:
    total = 0
    for t in range(x.shape[1]):
        total = total + x[:, t : t + 3].reshape(x.shape[0], 3, -1).mean()
    return total


def _skips_the_ends(m: Any, x: Tensor) -> Any:
    kept = []
    for t in range(x.shape[1]):
        if t < 1 or t + 3 > x.shape[1]:
            continue
        kept.append(x[:, t : t + 3])
    return torch.stack(kept)


def _refuses_in_the_last_rounds(m: Any, x: Tensor) -> Any:
    for t in range(x.shape[1] // 2):
        if t + 3 > x.shape[1]:
            raise ValueError("too short")
    return x


def _returns_early(m: Any, x: Tensor) -> Any:
    for t in range(x.shape[1]):
        if t == 2:
            return x[:, t]
    return x


def _two_lists(m: Any, x: Tensor) -> Any:
    once, twice = [x[:, 0]], []
    for t in range(1, x.shape[1]):
        twice.append(x[:, t])
        twice.append(x[:, t - 1])
        once += [once[-1] + x[:, t]]
    return torch.stack(once, 1), torch.stack(twice, 1), len(twice)


def _loop_over_what_a_loop_made(m: Any, x: Tensor) -> Any:
    first = []
    for t in range(x.shape[1]):
        first.append(m.taking(x[:, t]))
    second = []
    for item in first:
        second.append(m.keeping(item))
    return torch.stack(second, 1), len(first), second[-1], second[0]


def _nested(m: Any, x: Tensor) -> Any:
    rows = []
    for n in range(x.shape[0]):
        row = []
        for t in range(x.shape[1]):
            row.append(m.taking(x[n, t]))
        rows.append(torch.stack(row))
    return torch.stack(rows)


def _comprehension(m: Any, x: Tensor) -> Any:
    return torch.stack([m.taking(x[:, t]) for t in range(x.shape[1])], dim=1)


def _comprehension_in_a_variable(m: Any, x: Tensor) -> Any:
    pairs = [x[:, t : t + 2] for t in range(x.shape[1] - 1)]
    return torch.cat(pairs, dim=1)


def _comprehension_with_a_name_that_is_used_elsewhere(m: Any, x: Tensor) -> Any:
    t = x.shape[0]
    y = torch.stack([m.taking(x[:, t]) for t in range(x.shape[1])])
    return y, x.new_zeros(t)


def _comprehension_that_keeps_a_state(m: Any, x: Tensor) -> Any:
    h = m.taking(x[:, 0])
    return torch.stack([h := m.keeping(h) for _ in range(x.shape[1])]), h


def _comprehension_with_functions_in_it(m: Any, x: Tensor) -> Any:
    return torch.stack([(lambda: m.taking(x[:, t]))() for t in range(x.shape[1])])


def _comprehensions_in_a_comprehension(m: Any, x: Tensor) -> Any:
    rows = torch.stack([torch.stack([m.taking(x[n, t]) for t in range(x.shape[1])]) for n in range(x.shape[0])])
    return rows, torch.stack([torch.stack([cell(x[:, t])[0] for t in range(x.shape[1])]) for cell in m.cells])


def _comprehension_in_a_loop(m: Any, x: Tensor) -> Any:
    rows = []
    for t in range(x.shape[1]):
        rows.append(torch.stack([m.taking(x[n, t]) for n in range(x.shape[0])]))
    return torch.stack(rows)


def _comprehension_in_the_line_of_a_loop(m: Any, x: Tensor) -> Any:
    rows = []
    for row in torch.stack([m.taking(x[:, t]) for t in range(x.shape[1])]): rows.append(row)  # fmt: skip  # noqa: E701
    return torch.stack(rows)


def _joined_under_another_name(m: Any, x: Tensor) -> Any:
    join = torch.stack
    return join([m.taking(x[:, t]) for t in range(x.shape[1])])


def _loop_whose_head_takes_several_lines(m: Any, x: Tensor) -> Any:
    outputs = []
    for (
        t,
        item,
    ) in enumerate(
        x.unbind(1),
    ):
        outputs.append(m.taking(item) + x[:, t, :1])
    return torch.stack(outputs)


def _long_loop(m: Any, x: Tensor) -> Any:
    outputs = []
    for t in range(x.shape[1]):
        y = m.taking(x[:, t])
        y = torch.tanh(torch.relu(torch.tanh(torch.relu(torch.tanh(torch.relu(torch.tanh(torch.relu(y))))))))
        y = torch.tanh(torch.relu(torch.tanh(torch.relu(torch.tanh(torch.relu(torch.tanh(torch.relu(y))))))))
        y = torch.tanh(torch.relu(torch.tanh(torch.relu(torch.tanh(torch.relu(torch.tanh(torch.relu(y))))))))
        outputs.append(y)
    return torch.stack(outputs)


def _unbound(m: Any, x: Tensor) -> Any:
    outputs = []
    for item in x.unbind(1):
        outputs.append(m.taking(item))
    return torch.stack(outputs, 1)


def _unbound_side_by_side(m: Any, x: Tensor) -> Any:
    outputs = []
    for t, (a, b) in enumerate(zip(x.unbind(1), (x * 2).unbind(1))):  # noqa: B905 - as people write it
        outputs.append(m.taking(a + b + x[:, t]))
    return torch.stack(outputs, 1)


def _items_of_unbound(m: Any, x: Tensor) -> Any:
    items = x.unbind(1)
    return items[0] + items[-1], items[3]


def _rows_of_a_tensor(m: Any, x: Tensor) -> Any:
    outputs = []
    for row in x.transpose(0, 1):
        outputs.append(m.taking(row))
    return torch.stack(outputs)


def _split(m: Any, x: Tensor) -> Any:
    outputs = []
    for part in x.split(3, dim=1):
        outputs.append(m.taking(part).mean(1))
    return torch.stack(outputs, 1), torch.cat([m.taking(part) for part in x.split(3, dim=1)], 1)


def _counted(m: Any, x: Tensor) -> Any:
    count = 0
    for _ in range(x.shape[1]):
        count += 2
    return x.new_zeros(count, 3)


def _padded_in_every_round(m: Any, x: Tensor) -> Any:
    for _ in range(x.shape[1] - 2):
        x = F.pad(x, (0, 0, 0, 1))
    return x


def _scan(m: Any, x: Tensor) -> Any:
    decay = torch.einsum("bld,dn->bldn", x, x.new_zeros(4, 6))
    h = x.new_zeros(x.shape[0], 4, 6)
    ys = []
    for i in range(x.shape[1]):
        h = decay[:, i] * h + decay[:, i]
        ys.append(torch.einsum("bdn,bn->bd", h, x.new_zeros(x.shape[0], x.shape[1], 6)[:, i, :]))
    return torch.stack(ys, dim=1)


def _a_list_is_returned(m: Any, x: Tensor) -> Any:
    outputs = []
    for t in range(x.shape[1]):
        outputs.append(m.taking(x[:, t]))
    return outputs


def _different_branches_by_batch(m: Any, x: Tensor) -> Any:
    outputs = []
    for t in range(x.shape[1]):
        y = m.taking(x[:, t])
        outputs.append(y if y.shape[0] > 2 else y.repeat(2, 1))
    return torch.stack(outputs, 1)


def _told_by_identity(m: Any, x: Tensor) -> Any:
    first = h = x[:, 0]
    outputs = []
    for _ in range(x.shape[1]):
        if h is not first:
            outputs.append(h)
        h = m.keeping(m.taking(x[:, 0]))
    return torch.stack(outputs)


def _inner_rounds_of_another_width(m: Any, x: Tensor) -> Any:
    outputs = []
    for t in range(x.shape[1]):
        outputs.append(x[:, t] if t in (0, x.shape[1] - 1) else m.taking(x[:, t]))
    return torch.cat(outputs, 1)


def _inner_rounds_do_not_fit(m: Any, x: Tensor) -> Any:
    outputs = [x[:, 0]]
    for t in range(1, x.shape[1] - 1):
        outputs.append(m.taking(x[:, t]))
    outputs.append(x[:, -1])
    return torch.stack(outputs, 1)


def _inner_rounds_set_what_is_returned(m: Any, x: Tensor) -> Any:
    for t in range(x.shape[1]):
        if 0 < t < x.shape[1] - 1:
            y = m.taking(x[:, t])
    return y


def _inner_rounds_raise(m: Any, x: Tensor) -> Any:
    h = x[:, 0]
    for t in range(x.shape[1]):
        if t == x.shape[1] - 1:
            h = x[:, t]
        elif t > 0:
            raise ValueError("more than two")
    return h


def _inner_rounds_branch(m: Any, x: Tensor) -> Any:
    outputs = []
    for t in range(x.shape[1]):
        if t in (0, x.shape[1] - 1):
            outputs.append(x[:, t])
        elif x.shape[0] > 2:
            outputs.append(m.taking(x[:, t]))
        else:
            outputs.append(x[:, t] + 1)
    return torch.cat(outputs, 1)


def _inner_rounds_set_an_attribute(m: Any, x: Tensor) -> Any:
    m.mark = 0
    for t in range(x.shape[1]):
        if t not in (0, x.shape[1] - 1):
            m.mark = 3
    return x[:, :, : 1 + m.mark]


def _inner_rounds_need_an_even_batch(m: Any, x: Tensor) -> Any:
    outputs = []
    for t in range(x.shape[1]):
        y = x[:, t]
        if t not in (0, x.shape[1] - 1):
            y = y.view(2, -1, 4).reshape(x.shape[0], 4)
        outputs.append(y)
    return torch.stack(outputs, 1)


def _as_before_where_there_are_inner_rounds(m: Any, x: Tensor) -> Any:
    h = x[:, :3]
    for t in range(x.shape[1]):
        if t == x.shape[1] - 1:
            h = h * 1
        elif t > 0:
            h = x.new_zeros(x.shape[0], 3, 4)
    return h


def _as_before_but_for_small_sizes(m: Any, x: Tensor) -> Any:
    h = x.new_zeros(x.shape[0], max(x.shape[1] - 3, 0))
    for t in range(x.shape[1]):
        if t == x.shape[1] - 1:
            h = h + 1
        elif t > 0:
            h = x.new_zeros(x.shape[0], x.shape[1] - 3)
    return h


def _widest_of_none(m: Any, x: Tensor) -> Any:
    return x.new_zeros(max([m.taking(x[:, t]).shape[1] for t in range(1, x.shape[1] - 1)]))


def _widest_of_rounds(m: Any, x: Tensor) -> Any:
    rows = []
    for t in range(x.shape[1]):
        rows.append(x[:, t] if t in (0, x.shape[1] - 1) else m.taking(x[:, t]))
    return x.new_zeros(max(row.shape[1] for row in rows))


def _last_tile(m: Any, x: Tensor) -> Any:
    for t in range(0, x.shape[1], 4):
        y = x[:, t : t + 4]
    return y


def _set_if_there_is_a_round(m: Any, x: Tensor) -> Any:
    h = None
    for t in range(1, x.shape[1] - 1):
        h = x[:, t]
    return x if h is None else h


def _counted_with_none(m: Any, x: Tensor) -> Any:
    number, items = 0, []
    for t in range(1, x.shape[1] - 1):
        number += 2
        items.append(m.taking(x[:, t]))
    items.append(x[:, 0])
    items.append(x[:, -1])
    return x.new_zeros(number + 1, len(items)), items[0], items[-1], items[1]


def _contents_count_after_a_loop(m: Any, x: Tensor) -> Any:
    joined = _overlapping_tiles(m, x)
    return joined + x[x > 0].sum()


PROVEN = [
    _contents_count_after_a_loop,
    _inner_rounds_of_another_width,
    _inner_rounds_do_not_fit,
    _inner_rounds_set_what_is_returned,
    _inner_rounds_raise,
    _inner_rounds_branch,
    _inner_rounds_set_an_attribute,
    _inner_rounds_need_an_even_batch,
    _as_before_where_there_are_inner_rounds,
    _as_before_but_for_small_sizes,
    _widest_of_none,
    _widest_of_rounds,
    _last_tile,
    _set_if_there_is_a_round,
    _counted_with_none,
    _told_by_identity,
    _hidden_state,
    _first_round_differs,
    _last_output_fed_back,
    _backwards,
    _reversed,
    _written_into_a_tensor,
    _layers_of_cells,
    _layer_after_layer,
    _chunks_that_grow,
    _chunks_with_a_remainder,
    _windows,
    _overlapping_tiles,
    _slice_to_the_end,
    _sum_that_needs_three,
    _skips_the_ends,
    _refuses_in_the_last_rounds,
    _returns_early,
    _two_lists,
    _loop_over_what_a_loop_made,
    _nested,
    _comprehension,
    _comprehension_in_a_variable,
    _comprehension_with_a_name_that_is_used_elsewhere,
    _comprehension_that_keeps_a_state,
    _comprehension_with_functions_in_it,
    _comprehensions_in_a_comprehension,
    _comprehension_in_a_loop,
    _comprehension_in_the_line_of_a_loop,
    _joined_under_another_name,
    _loop_whose_head_takes_several_lines,
    _long_loop,
    _unbound,
    _unbound_side_by_side,
    _items_of_unbound,
    _rows_of_a_tensor,
    _split,
    _counted,
    _padded_in_every_round,
    _scan,
    _a_list_is_returned,
    _different_branches_by_batch,
]


def assert_as_pytorch(analysis: shapelint.Analysis, forward: Callable[[Any, Tensor], Any]) -> None:
    model = Recurrent(forward)
    for n, t in [(2, t) for t in range(1, 33)] + [(n, t) for n in (1, 3, 4) for t in (1, 2, 3, 4, 5, 9)]:
        assert oracle.compare(analysis, oracle.run(model, (n, t, 4), device="cpu"), {"N": n, "T": t}) is None, (n, t)


def _every_second(m: Any, x: Tensor) -> Any:
    total = 0
    for t in range(x.shape[1]):
        total = total + (m.taking(x[:, t]) if t % 2 == 0 else 1)
    return total


def _every_third_and_the_first(m: Any, x: Tensor) -> Any:
    outputs = []
    for t in range(x.shape[1]):
        if t == 0 or t % 3 == 2:
            outputs.append(m.taking(x[:, t]))
        elif t % 3 == 1:
            last = x[:, t]
    return torch.stack(outputs, 1), last


def _every_fourth_joins_two(m: Any, x: Tensor) -> Any:
    return torch.cat([x[:, t - 1 : t + 1] if t % 4 == 3 else x[:, t : t + 1] for t in range(x.shape[1])], 1)


def _grows_by_turns(m: Any, x: Tensor) -> Any:
    y = x[:, :1]
    for t in range(1, x.shape[1]):
        y = torch.cat([y, x[:, :2] if t % 2 else x[:, t : t + 1]], 1)
    return y


def _another_name_for_the_list(m: Any, x: Tensor) -> Any:
    outputs: list[Tensor] = []
    same = outputs
    for t in range(x.shape[1]):
        outputs.append(m.taking(x[:, t]))
    return torch.stack(same, 1)


def _two_names_fill_the_list(m: Any, x: Tensor) -> Any:
    outputs = same = [x[:, 0]]
    for t in range(x.shape[1]):
        outputs.append(x[:, t])
        same += [x[:, t], x[:, 0]]
    return torch.stack(outputs, 1), len(same)


def _another_name_for_some_sizes(m: Any, x: Tensor) -> Any:
    outputs: list[Tensor] = []
    same = outputs
    for t in range(x.shape[1]):
        outputs.append(x[:, t])
        if x.shape[1] > 5:
            same = [x[:, 0]]
    return torch.stack(same, 1), len(same)


def _the_list_is_looked_up_afterwards(m: Any, x: Tensor) -> Any:
    outputs = []
    for t in range(x.shape[1]):
        outputs.append(x[:, t])
        kept = {"all": outputs}
        same = outputs
    return torch.stack(kept["all"], 1), len(same)


def _a_module_appends_afterwards(m: Any, x: Tensor) -> Any:
    outputs = []
    for t in range(x.shape[1]):
        outputs.append(x[:, t])
    m.adding(outputs, x[:, 0])
    return torch.stack(outputs, 1)


def _overlapping_tiles(m: Any, x: Tensor) -> Any:
    tiles = []
    for t in range(0, x.shape[1], 6):
        tiles.append(m.taking(x[:, t : t + 8]))
    rows = []
    for i, tile in enumerate(tiles):
        if i > 0:
            extent = min(tiles[i - 1].shape[1], tile.shape[1], 2)
            for y in range(extent):
                tile[:, y] = tiles[i - 1][:, y - extent] * (1 - y / extent) + tile[:, y] * (y / extent)
        rows.append(tile[:, :6])
    return torch.cat(rows, 1)


def _few_rounds_that_differ_after_many(m: Any, x: Tensor) -> Any:
    total = x.new_zeros(x.shape[0], 8)
    for t in range(x.shape[1]):
        total = total + m.taking(x[:, t])
    y = x[:, :1]
    for _ in range(min(x.shape[1], 4)):
        y = torch.cat([y, y], 1)
    parts = [x[:, :t] for t in range(min(x.shape[1], 3))]
    return total, y, len(parts), parts[-1]


def _refused_in_a_loop_in_a_loop(m: Any, x: Tensor) -> Any:
    total = x.new_zeros(4)
    for n in range(x.shape[0]):
        for t in range(x.shape[1] - 1):
            total = total + x[n, n + t : n + t + 2].reshape(2, 4).sum(0)
    return total


def _each_size_refused_by_one_of_two(m: Any, x: Tensor) -> Any:
    for t in range(x.shape[1]):
        x[:, : t + 4].reshape(x.shape[0], 4, 4)
        x[:, t : t + 4].reshape(x.shape[0], 4, 4)
    return x


def _refused_with_what_the_first_round_alone_finds(m: Any, x: Tensor) -> Any:
    cache = [None]
    for t in range(0, x.shape[1], 2):
        y = x[:, t : t + 3]
        before, cache[0] = cache[0], y[:, -2:]
        y = m.filter((y if before is None else torch.cat([before, y], 1)).transpose(1, 2))
    return cache, y


PROVEN += [
    _overlapping_tiles,
    _refused_with_what_the_first_round_alone_finds,
    _refused_in_a_loop_in_a_loop,
    _each_size_refused_by_one_of_two,
    _few_rounds_that_differ_after_many,
    _every_second,
    _every_third_and_the_first,
    _every_fourth_joins_two,
    _grows_by_turns,
    _another_name_for_the_list,
    _two_names_fill_the_list,
    _another_name_for_some_sizes,
    _the_list_is_looked_up_afterwards,
    _a_module_appends_afterwards,
]


@pytest.mark.parametrize("forward", PROVEN)
def test_one_round_stands_for_many(forward: Callable[[Any, Tensor], Any]) -> None:
    analysis = shapelint.analyze(Recurrent(forward), ("N", "T", 4))
    assert analysis.certainty == "proven", analysis.certainty_reasons
    assert_as_pytorch(analysis, forward)


@pytest.mark.parametrize("forward", [_overlapping_tiles, _inner_rounds_of_another_width], ids=lambda f: f.__name__)
def test_sizes_without_inner_rounds_take_no_path_of_their_own(forward: Callable[[Any, Tensor], Any]) -> None:
    trace = shapelint.analyze(Recurrent(forward), ("N", "T", 4)).trace
    assert trace is not None
    fewest = {_overlapping_tiles: 3, _inner_rounds_of_another_width: 2}
    assert sum(call.target is torch.cat for call in trace.calls) <= fewest[forward]


def _added_to_another(m: Any, x: Tensor) -> Any:
    outputs: list[Tensor] = []
    for t in range(x.shape[1]):
        outputs.append(x[:, t])
        count = len([x, *outputs]) + len([x] + outputs)  # noqa: RUF005
    return x.new_zeros(count)


def _gone_through_inside(m: Any, x: Tensor) -> Any:
    outputs = [x[:, :1]]
    for t in range(x.shape[1]):
        outputs.append(x[:, t])
        for y in outputs:
            last = m.taking(y.view(-1, 4))
    return last


def _copied_inside(m: Any, x: Tensor) -> Any:
    outputs = [x[:, 0]]
    for t in range(x.shape[1]):
        outputs.append(x[:, t])
        kept = outputs.copy()
    return torch.stack(kept, 1)


def _a_module_appends_inside(m: Any, x: Tensor) -> Any:
    outputs: list[Tensor] = []
    for t in range(x.shape[1]):
        m.adding(outputs, x[:, t])
    return torch.stack(outputs, 1)


def _a_comprehension_is_counted(m: Any, x: Tensor) -> Any:
    return x.new_zeros(len([x[:, t] for t in range(x.shape[1])]))


def _a_comprehension_is_handed_on(m: Any, x: Tensor) -> Any:
    return m.joined([x[:, t] for t in range(x.shape[1])])


def _every_seventh(m: Any, x: Tensor) -> Any:
    total = 0
    for t in range(x.shape[1]):
        total = total + (m.taking(x[:, t]) if t % 7 == 0 else 1)
    return total


def _length_asked_inside(m: Any, x: Tensor) -> Any:
    outputs = []
    for t in range(x.shape[1]):
        outputs.append(m.taking(x[:, t]))
        y = outputs[len(outputs) - 1]
    return y


def _the_list_in_a_dict(m: Any, x: Tensor) -> Any:
    outputs: list[Tensor] = []
    kept = {"all": outputs}
    for t in range(x.shape[1]):
        outputs.append(m.taking(x[:, t]))
    return torch.stack(kept["all"], 1)


def _a_list_of_the_callers(m: Any, x: Tensor) -> Any:
    outputs: list[Tensor] = []
    m.add_to(outputs, x)
    return torch.stack(outputs, 1)


def _generator(m: Any, x: Tensor) -> Any:
    return torch.stack(list(m.one_by_one(x)), 1)


def _attribute_that_counts(m: Any, x: Tensor) -> Any:
    m.rounds = 0
    for _ in range(x.shape[1]):
        m.rounds += 1
    return x.new_zeros(m.rounds, 2)


def _global_that_counts(m: Any, x: Tensor) -> Any:
    global COUNT
    COUNT = 0
    for _ in range(x.shape[1]):
        COUNT += 1
    return x.new_zeros(COUNT, 2)


def _iterator_that_goes_on(m: Any, x: Tensor) -> Any:
    numbers = iter(range(1, 1000))
    for _ in range(x.shape[1]):
        last = next(numbers)
    return x.new_zeros(last, 2)


def _dict_that_grows(m: Any, x: Tensor) -> Any:
    kept = {}
    for t in range(x.shape[1]):
        kept[f"{len(kept)}"] = x[:, t]
    return torch.stack(list(kept.values()), 1)


def _grows_more_and_more(m: Any, x: Tensor) -> Any:
    y = x[:, :1, :1]
    for _ in range(x.shape[1] % 9):
        y = torch.cat([y, y], 1)
    return y


def _items_of_growing_length(m: Any, x: Tensor) -> Any:
    outputs = []
    for t in range(x.shape[1]):
        outputs.append(x[:, : t + 1])
    return torch.cat(outputs, 1)


def _position_that_advances(m: Any, x: Tensor) -> Any:
    position = torch.zeros(1, dtype=torch.long)
    outputs = []
    for t in range(x.shape[1]):
        outputs.append(m.taking(x[:, t]) + F.embedding(position, torch.zeros(6, 8)))
        position = position + 1
    return torch.stack(outputs, 1)


def _length_of_a_comprehension(m: Any, x: Tensor) -> Any:
    return x.new_zeros(len([m.taking(x[:, t]) for t in range(x.shape[1])]), 2)


def _comprehension_is_returned(m: Any, x: Tensor) -> Any:
    return list([m.taking(x[:, t]) for t in range(x.shape[1])])  # noqa: C411 - a call gets the list


def _comprehension_joined_elsewhere(m: Any, x: Tensor) -> Any:
    def join(items: list[Tensor]) -> Tensor:
        return torch.stack(items)

    return join([m.taking(x[:, t]) for t in range(x.shape[1])])


def _comprehension_that_is_not_always_joined(m: Any, x: Tensor) -> Any:
    items = [m.taking(x[:, t]) for t in range(x.shape[1])]
    return torch.stack(items) if x.shape[0] > 2 else x


def _comprehension_that_fills_a_dict(m: Any, x: Tensor) -> Any:
    items = {t: m.taking(x[:, t]) for t in range(x.shape[1])}
    return torch.stack(list(items.values()))


def _comprehension_with_two_loops(m: Any, x: Tensor) -> Any:
    return torch.stack([x[n, t] for n in range(x.shape[0]) for t in range(x.shape[1])])


def _set_in_the_line_of_a_loop(m: Any, x: Tensor) -> Any:
    outputs = []
    for _ in {t % 2 for t in range(x.shape[1])}: outputs.append(x)  # fmt: skip  # noqa: E701
    return torch.stack(outputs)


def _items_that_alternate(m: Any, x: Tensor) -> Any:
    outputs = []
    for t in range(x.shape[1]):
        outputs.append(x[:, t])
        outputs.append(x[:, t, :2])
    return outputs


def _caught_in_the_last_rounds(m: Any, x: Tensor) -> Any:
    caught = 0
    for t in range(x.shape[1]):
        try:
            x[:, t : t + 3].reshape(x.shape[0], 3, 4)
        except RuntimeError:
            caught = caught + 1
    return x.new_zeros(caught)


@pytest.mark.parametrize(
    "forward",
    [
        _caught_in_the_last_rounds,
        _comprehension_is_returned,
        _comprehension_joined_elsewhere,
        _comprehension_that_fills_a_dict,
        _comprehension_that_is_not_always_joined,
        _comprehension_with_two_loops,
        _length_of_a_comprehension,
        _set_in_the_line_of_a_loop,
        _items_that_alternate,
        _length_asked_inside,
        _added_to_another,
        _gone_through_inside,
        _copied_inside,
        _a_module_appends_inside,
        _a_comprehension_is_counted,
        _a_comprehension_is_handed_on,
        _every_seventh,
        _the_list_in_a_dict,
        _a_list_of_the_callers,
        _generator,
        _attribute_that_counts,
        _global_that_counts,
        _iterator_that_goes_on,
        _dict_that_grows,
        _grows_more_and_more,
        _items_of_growing_length,
    ],
)
def test_rounds_that_are_not_alike_are_no_proof(forward: Callable[[Any, Tensor], Any]) -> None:
    limits = Limits(enumeration_seconds=0.2)
    analysis = shapelint.analyze(Recurrent(forward), ("N", "T", 4), limits=limits)
    if forward is not _grows_more_and_more:  # there are few rounds, so each number of them is explored
        assert analysis.certainty == "enumerated"
        assert "test_loops.py:" in analysis.certainty_reasons[0]
    assert_as_pytorch(analysis, forward)


def test_positions_that_advance_are_not_the_same_in_every_round() -> None:
    # PyTorch refuses more rounds than the table has rows, and sees that on the CPU alone
    limits = Limits(enumeration_seconds=0.2)
    analysis = shapelint.analyze(Recurrent(_position_that_advances), ("N", "T", 4), limits=limits)
    assert analysis.certainty == "enumerated"
    assert "`position` changes from round to round" in analysis.certainty_reasons[0]


def test_the_reason_names_what_changes() -> None:
    limits = Limits(enumeration_seconds=0.2)
    analysis = shapelint.analyze(Recurrent(_grows_too_fast), ("N", "T", 4), limits=limits)
    reason = "a loop of T rounds cannot be followed as a whole: `y` changes from round to round"
    assert reason in analysis.certainty_reasons[0]


def test_a_branch_that_tells_rounds_apart_is_named_in_words() -> None:
    limits = Limits(enumeration_seconds=0.2)
    (reason,) = shapelint.analyze(Recurrent(_every_seventh), ("N", "T", 4), limits=limits).certainty_reasons
    assert "a branch in it is taken in some of the rounds only" in reason
    assert "#" not in reason


def _grows_too_fast(m: Any, x: Tensor) -> Any:
    y = x[:, :1, :1]
    for _ in range(x.shape[1]):
        y = torch.cat([y, y], 1)
    return y


def test_runs_are_bounded_where_loops_are_followed() -> None:
    limits = Limits(paths_with_loops=1, enumeration_seconds=0.2)
    analysis = shapelint.analyze(Recurrent(_first_round_differs), ("N", "T", 4), limits=limits)
    assert analysis.certainty == "enumerated"
    assert "more than 1 runs" in analysis.certainty_reasons[0]


def test_layers_in_a_loop_are_in_the_graph_with_sizes_of_the_input_alone() -> None:
    analysis = shapelint.analyze(Recurrent(_chunks_with_a_remainder), ("N", "T", 4))
    layers = [node for node in analysis.graph.nodes if node.target == "taking"]
    assert layers
    for node in layers:
        assert {name for size in node.meta["shape"] for name in getattr(size, "symbols", ())} <= {"N", "T"}


def test_a_model_is_left_as_it_was() -> None:
    model = Recurrent(_attribute_that_counts)
    shapelint.analyze(model, ("N", "T", 4), limits=Limits(enumeration_seconds=0.2))
    assert not hasattr(model, "rounds")


def test_a_loop_is_found_by_its_line_where_no_columns_are_known() -> None:
    code = _long_loop.__code__
    line = code.co_firstlineno + 2
    loop = loop_at(code, (line, line, None, None))
    assert loop is not None
    assert (loop.variable, loop.filled) == ("t", {"outputs"})
    assert loop_at(code, (line + 1, line + 1, None, None)) is None
