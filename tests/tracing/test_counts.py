"""Numbers that contents decide: followed for all of them at once, and compared with PyTorch on several contents."""

from __future__ import annotations

import itertools
import logging
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import shapelint
from shapelint import DATA_DEPENDENT
from shapelint.limits import Limits
from tests.oracle import flatten_shapes, same_shapes, shapes_of

QUICK = Limits(enumeration_seconds=0.01)
FRAMES = ("N", "T", 8)
ROWS = ("T", 8)

torch.manual_seed(0)
LAYER = nn.Linear(8, 8)
HEADS = nn.ModuleList(nn.Linear(8, 8) for _ in range(3))
NAMED = nn.ModuleDict({f"expert_{i}": nn.Linear(8, 8) for i in range(3)})
WIDTHS = nn.ModuleList(nn.Linear(8, 4 + i) for i in range(3))
CONVOLUTION = nn.Conv1d(8, 8, 4)


class Model(nn.Module):
    """A function as a model."""

    def __init__(self, function: Callable[[torch.Tensor], Any]) -> None:
        super().__init__()
        self.function = function
        self.layers = nn.ModuleList([LAYER, HEADS, NAMED, WIDTHS, CONVOLUTION])

    def forward(self, x):
        return self.function(x)


class Selecting(nn.Module):
    """Refuses to select nothing."""

    def forward(self, x):
        rows = x[x[:, 0] > 0]
        if len(rows) == 0:
            raise ValueError("nothing is selected")
        return rows.mean(0)


def positive(x):
    return x[..., 0] > 0


def select(x):
    return x[x > 0]


def write_back(x):
    mask = positive(x)
    y = torch.zeros_like(x)
    y[mask] = LAYER(x[mask])
    return y


def same_mask_made_twice(x):
    y = torch.zeros_like(x)
    y[x[..., 0] > 0] = LAYER(x[x[..., 0] > 0])
    return y


def mask_and_its_opposite(x):
    mask = positive(x)
    y = torch.empty_like(x)
    y[mask] = x[mask] + 1
    y[~mask] = x[~mask] - 1
    return y


def places(x):
    found = torch.nonzero(x[0] > 0)
    return x[0][tuple(found.t())], found.flip(1), torch.where(x > 0)[1]


def masked_select(x):
    mask = positive(x).unsqueeze(-1).expand_as(x)
    return LAYER(torch.masked_select(x, mask).view(-1, 8))


def flattened_mask(x):
    mask = positive(x)
    index = mask.flatten().nonzero().squeeze(1)
    rows = x.flatten(0, 1)
    return torch.zeros_like(rows).index_add_(0, index, rows[mask.view(-1)]).view_as(x)


def different_ones(x):
    found, inverse, counts = torch.unique(x.round(), return_inverse=True, return_counts=True)
    return found, inverse, counts.max(), torch.unique(x, dim=0)


def padded_back(x):
    rows = x[positive(x)]
    return F.pad(rows, (0, 0, 0, x.shape[0] - rows.shape[0]))


def at_most_five(x):
    rows = x[positive(x)]
    best = rows[:, 0].topk(min(5, rows.shape[0]))[1]
    return rows[best]


def five_or_all(x):
    rows = x[positive(x)]
    return rows[rows[:, 0].topk(5)[1]] if rows.shape[0] > 5 else rows


def greatest_if_any(x):
    mask = positive(x)
    return x[mask].amax(0) if mask.any() else x.new_zeros(8)


def greatest_if_counted(x):
    mask = positive(x)
    if mask.sum() == 0:
        return x.sum((0, 1))
    return x[mask].amax(0)


def greatest_if_long(x):
    rows = x[positive(x)]
    return rows.amax(0) if len(rows) else x.new_zeros(8)


def count_as_size(x):
    mask = positive(x)
    y = torch.zeros(int(mask.sum()), 8)
    y[:] = x[mask]
    return y, x[: mask.sum().item()]


def walk_over_rows(x):
    y = torch.zeros_like(x)
    for i in positive(x).nonzero():
        y[i] = LAYER(x[i])
    return y


def walk_over_count(x):
    hidden = x.new_zeros(8)
    for i in range(x[positive(x)].shape[0]):
        hidden = hidden + x[i]
    return hidden


def experts(x):
    weights, chosen = x[:, :3].softmax(-1).topk(2)
    mask = F.one_hot(chosen, 3).permute(2, 1, 0)
    y = torch.zeros_like(x)
    for i, head in enumerate(HEADS):
        which, token = torch.where(mask[i])
        y.index_add_(0, token, head(x[token]) * weights[token, which, None])
    return y


def experts_that_are_asked(x):
    chosen = x[:, :3].argmax(-1)
    y = torch.zeros_like(x)
    for i, head in enumerate(HEADS):
        mask = chosen == i
        if mask.any():
            y[mask] = head(x[mask])
    return y


def images_joined(x):
    rows, numbers = [], []
    for i in range(x.shape[0]):
        found = x[i][positive(x[i])]
        rows.append(found)
        numbers.append(torch.full((found.shape[0],), i))
    return torch.cat(rows), torch.cat(numbers)


def images_padded(x):
    padded = []
    for i in range(x.shape[0]):
        rows = x[i][positive(x[i])]
        padded.append(F.pad(rows, (0, 0, 0, x.shape[1] - rows.shape[0])))
    return torch.stack(padded)


def images_with_a_default(x):
    found = []
    for i in range(x.shape[0]):
        rows = x[i][positive(x[i])]
        found.append(rows.amax(0) if len(rows) else x.new_zeros(8))
    return torch.stack(found)


def images_written(x):
    y = torch.zeros_like(x)
    for i in range(x.shape[0]):
        index = positive(x[i]).nonzero().squeeze(1)
        if index.numel() == 0:
            continue
        y[i, index] = x[i, index] * 2
    return y


def experts_walked_over(x):
    chosen = x[:, :3].topk(2)[1]
    mask = F.one_hot(chosen, 4).permute(2, 1, 0)
    y = torch.zeros_like(x)
    for expert in torch.greater(mask.sum((-1, -2)), 0).nonzero():
        expert = expert[0]
        if expert == 3:
            continue
        which, token = torch.where(mask[expert])
        y.index_add_(0, token, LAYER(x[token]) * x[token, which, None])
    return y


def expert_by_name(x):
    y = torch.zeros_like(x)
    for expert in (F.one_hot(x[:, :3].argmax(-1), 3).sum(0) > 0).nonzero():
        rows = torch.where(x[:, :3].argmax(-1) == expert[0])[0]
        y.index_add_(0, rows, NAMED[f"expert_{expert[0]}"](x[rows]))
    return y


def expert_by_number(x):
    return WIDTHS[x[0, :3].argmax()](x)


def cut_out(x):
    peak = x[:, 0].argmax().item()
    return x[: peak + 1], x[max(peak - 2, 0) : min(peak + 3, x.shape[0])]


def bounding_box(x):
    rows = torch.where((x > 0).any(1))[0]
    return x[int(rows[0]) : int(rows[-1]) + 1] if rows.numel() else x


def longest(x):
    mask = positive(x)
    return x[:, : int(mask.sum(1).max())]


def best_of_each_channel(x):
    found = []
    for channel in range(3):
        values = x[:, channel]
        index = values.gt(0).nonzero().squeeze(1)
        found.append(values[index].topk(min(len(index), 5))[0])
    return torch.cat(found)


def two_sequences(x):
    return nn.utils.rnn.pad_sequence([x[x[:, 0] > 0], x[x[:, 1] > 0]], batch_first=True)


def nothing_or_some(x):
    mask = positive(x)
    return x[mask] if mask.any() else x.new_zeros(0, 8)


def different_if_any(x):
    rows = x[positive(x)]
    return torch.unique(rows, dim=0) if rows.shape[0] else rows


def refused_on_both_sides_of_a_branch_on_contents(x):
    y = CONVOLUTION(x.t()[None]).sum(-1) if (x > 0).any() else CONVOLUTION(x.t()[None]).mean(-1)
    return CONVOLUTION(x.t()[None]).amax(-1) + y


def repeated(x):
    return x.repeat_interleave(x[:, 0].abs().round().long(), 0), torch.bincount(x[:, 1].abs().long(), minlength=3)


def matched(x):
    a, b = x[x[:, 0] > 0], x[x[:, 1] > 0]
    if a.shape[0] == 0 or b.shape[0] == 0:
        return torch.zeros(0, 2, dtype=torch.long)
    likeness = a @ b.t()
    best = likeness.max(1)[1]
    mutual = likeness.max(0)[1][best] == torch.arange(a.shape[0])
    kept = mutual.nonzero()[:, 0]
    return torch.stack([kept, best[kept]], 1)


def size_refused_on_both_sides(x):
    y = x.sum(0) if x[positive(x)].shape[0] > 2 else x.mean(0)
    return CONVOLUTION(x.t()[None]).mean(-1) + y


PROVEN = {
    select: FRAMES,
    write_back: FRAMES,
    same_mask_made_twice: FRAMES,
    mask_and_its_opposite: FRAMES,
    places: FRAMES,
    masked_select: FRAMES,
    flattened_mask: FRAMES,
    different_ones: FRAMES,
    padded_back: ROWS,
    at_most_five: ROWS,
    five_or_all: ROWS,
    greatest_if_any: FRAMES,
    greatest_if_counted: FRAMES,
    greatest_if_long: FRAMES,
    count_as_size: ROWS,
    walk_over_rows: ROWS,
    walk_over_count: ROWS,
    experts: ROWS,
    experts_that_are_asked: ROWS,
    images_joined: FRAMES,
    images_padded: FRAMES,
    images_with_a_default: FRAMES,
    images_written: FRAMES,
    experts_walked_over: ROWS,
    expert_by_name: ROWS,
    expert_by_number: ROWS,
    cut_out: ROWS,
    bounding_box: ROWS,
    longest: FRAMES,
    best_of_each_channel: ROWS,
    two_sequences: ROWS,
    nothing_or_some: FRAMES,
    different_if_any: ROWS,
    refused_on_both_sides_of_a_branch_on_contents: ROWS,
    repeated: ROWS,
    matched: ROWS,
    size_refused_on_both_sides: ROWS,
}


def run(function: Callable[[torch.Tensor], Any], shape: tuple[int, ...]) -> list[Any]:
    """The shapes for several contents; ``None`` for those that PyTorch refuses."""
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))
    found: list[Any] = []
    for x in (torch.zeros(shape), torch.ones(shape), 2 * noise, -noise.abs(), noise.abs(), noise.where(noise > 1, 0.0)):
        try:
            found.append(flatten_shapes(shapes_of(function(x))))
        except (RuntimeError, IndexError, ValueError):
            found.append(None)
    return found


@pytest.mark.parametrize("function", PROVEN, ids=lambda function: function.__name__)
def test_every_count_as_pytorch_has_it(function: Callable[[torch.Tensor], Any]) -> None:
    given = PROVEN[function]
    analysis = shapelint.analyze(Model(function), given)
    assert analysis.certainty == "proven", analysis.certainty_reasons
    names = given[:-1]
    for sizes in itertools.product(range(1, 8), repeat=len(names)):
        env = dict(zip(names, sizes, strict=True))
        found = run(function, (*sizes, 8))
        assert analysis.accepts(**env) is (found[0] is not None)
        for shapes in found:
            assert (shapes is None) is (found[0] is None)
            if shapes is not None:
                assert same_shapes(flatten_shapes(analysis.output_shape(**env)), shapes), env


def test_exactly_the_axes_that_contents_decide_are_unknown() -> None:
    analysis = shapelint.analyze(Model(places), FRAMES)
    unknown = DATA_DEPENDENT
    assert analysis.output_shape(N=2, T=5) == ((unknown,), (unknown, 2), (unknown,))
    assert shapelint.analyze(Model(at_most_five), ROWS).output_shape(T=5) == (unknown, 8)
    assert shapelint.analyze(Model(write_back), FRAMES).output_shape(N=2, T=5) == (2, 5, 8)


def test_the_summary_names_them() -> None:
    told = "output (?1), where ?1 depends on the contents of the tensors; proven"
    assert told in shapelint.analyze(Model(select), FRAMES).summary()

    def long_formula(x):
        return best_of_each_channel(x[0].flatten(1).t())

    told = "output (?), where ? depends on the contents of the tensors; proven"
    assert told in shapelint.analyze(Model(long_formula), (1, 3, "H", "W")).summary()


def another_mask(x):
    y = torch.zeros_like(x)
    y[x[..., 0] > 0] = x[x[..., 0] > 1]
    return y


def changed_mask(x):
    mask = positive(x)
    rows = x[mask]
    mask[0] = True
    y = torch.zeros_like(x)
    y[mask] = rows
    return y


def mask_changed_through_a_view(x):
    mask = positive(x)
    rows = x[mask]
    mask[:1].fill_(True)
    y = torch.zeros_like(x)
    y[mask] = rows
    return y


def changed_between(x):
    x, y = x * 1, torch.zeros_like(x)
    rows = x[x[..., 0] > 0]
    x[:2] = -1
    y[x[..., 0] > 0] = rows
    return y


def changed_by_a_layer(x):
    x, y = x - 1, torch.zeros_like(x)
    rows = x[x[..., 0] >= 0]
    nn.ReLU(inplace=True)(x)
    y[x[..., 0] >= 0] = rows
    return y


def chance(x):
    y = torch.zeros_like(x)
    y[torch.rand(x.shape[0]) > 0.5] = x[torch.rand(x.shape[0]) > 0.5]
    return y


def expert_that_may_be_missing(x):
    return HEADS[x[0, :4].argmax()](x)


def before_the_peak(x):
    return x[: x[:, 0].argmax().item()].amax(0)


@torch.library.custom_op("test_counts::halve", mutates_args=())
def halve(x: torch.Tensor) -> torch.Tensor:
    return x[::2].clone()


@halve.register_fake
def _(x):
    return x.new_empty((x.shape[0] + 1) // 2, *x.shape[1:])


def without_a_rule(x):
    return halve(x[positive(x)])


def greatest_of_none(x):
    mask = positive(x)
    return (x[mask] if mask.any() else x[:0]).amax(0)


def greatest_of_what_may_be_none(x):
    rows = x[positive(x)]
    different = torch.unique(rows, dim=0) if rows.shape[0] else rows
    return different, rows.amax(0)


def refused_on_one_side_of_a_branch_on_contents(x):
    y = x.sum(0)
    if (x > 0).any():
        y = CONVOLUTION(x.t()[None]).mean(-1)
    return y


def greatest(x):
    return x[positive(x)].amax(0)


def refused_by_the_author(x):
    rows = x[positive(x)]
    if rows.shape[0] == 0:
        raise ValueError("nothing is selected")
    return rows.mean(0)


def refused_in_a_loop(x):
    found = []
    for i in range(x.shape[0]):
        rows = x[i][positive(x[i])]
        if rows.shape[0] == 0:
            raise ValueError("nothing is selected")
        found.append(rows.mean(0))
    return torch.stack(found)


def some_images_only(x):
    found = []
    for i in range(x.shape[0]):
        rows = x[i][positive(x[i])]
        if len(rows) > 0:
            found.append(rows.mean(0))
    return torch.stack(found)


def set_in_some_rounds(x):
    for i in range(x.shape[0]):
        rows = x[i][positive(x[i])]
        if len(rows) > 0:
            last = rows.mean(0)
    return last


def size_refused_on_one_side(x):
    return CONVOLUTION(x.t()[None]).mean(-1) if x[positive(x)].shape[0] > 2 else x.sum(0)


def stacked_rows(x):
    return torch.stack([row * 2 for row in x[positive(x)]])


def two_images_stacked(x):
    return torch.stack([x[0][positive(x[0])], x[0][positive(x[0]) & (x[0, :, 1] > 0)]])


def pairs_of_rows(x):
    return x[positive(x)].view(-1, 16)


def divided_by_a_count(x):
    return x[: x.shape[0] // x[positive(x)].shape[0]]


def another_structure(x):
    rows = x[positive(x)]
    return (x, rows) if len(rows) else x


HANGS_ON_CONTENTS = {
    another_mask: (FRAMES, r"size \?1 does not fit the size \?2"),
    changed_mask: (FRAMES, r"size \?1 does not fit the size \?2"),
    mask_changed_through_a_view: (FRAMES, r"size \?1 does not fit the size \?2"),
    changed_by_a_layer: (FRAMES, r"size \?1 does not fit the size \?2"),
    changed_between: (FRAMES, r"size \?1 does not fit the size \?2"),
    chance: (ROWS, r"size \?1 does not fit the size \?2"),
    expert_that_may_be_missing: (ROWS, "IndexError: index 3 is out of range"),
    before_the_peak: (ROWS, "which is empty"),
    without_a_rule: (ROWS, "has no shape rule, and the contents of the tensors decide the sizes it is given"),
    greatest_of_none: (ROWS, "SizeError: the extreme value of dimension 0, which is empty"),
    greatest_of_what_may_be_none: (ROWS, "which is empty"),
    refused_on_one_side_of_a_branch_on_contents: (ROWS, "whether the model runs depends on the contents"),
    greatest: (FRAMES, "which is empty"),
    refused_by_the_author: (FRAMES, r"ValueError: nothing is selected \(at test_counts.py:\d+\)"),
    refused_in_a_loop: (FRAMES, r"ValueError: nothing is selected \(at test_counts.py:\d+\)"),
    some_images_only: (FRAMES, "what a round of a loop adds to a list"),
    set_in_some_rounds: (FRAMES, "UnboundLocalError"),
    size_refused_on_one_side: (ROWS, "whether the model runs depends on the contents"),
    stacked_rows: (ROWS, "stack of an empty list"),
    two_images_stacked: (FRAMES, r"dimension 0 is \?1 and \?2"),
    pairs_of_rows: (ROWS, r"2 does not divide \?1"),
    divided_by_a_count: (ROWS, "ZeroDivisionError"),
    another_structure: (ROWS, "which structure the model returns"),
}


@pytest.mark.parametrize("function", HANGS_ON_CONTENTS, ids=lambda function: function.__name__)
def test_what_hangs_on_contents_is_not_proven(function: Callable[[torch.Tensor], Any]) -> None:
    given, reason = HANGS_ON_CONTENTS[function]
    analysis = shapelint.analyze(Model(function), given, limits=QUICK)
    assert analysis.certainty == "enumerated"
    (told,) = analysis.certainty_reasons
    assert "contents" in told
    assert re.search(reason, told), told


def test_a_part_that_refuses_some_contents_costs_the_proof() -> None:
    class Looping(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.selecting = Selecting()

        def forward(self, x):
            return torch.stack([self.selecting(x[i]) for i in range(x.shape[0])])

    for model, given in ((Selecting(), ROWS), (Looping(), FRAMES)):
        (reason,) = shapelint.analyze(model, given, limits=QUICK).certainty_reasons
        assert "nothing is selected" in reason


def test_numbers_that_some_rounds_write_are_not_those_from_before_the_loop() -> None:
    def written_positions(x):
        positions = torch.zeros(x.shape[0])
        for i in range(x.shape[0]):
            if x[i][positive(x[i])].shape[0] > 0:
                positions[i] = 7.0
        return x[positions.long()]

    analysis = shapelint.analyze(Model(written_positions), FRAMES, limits=QUICK)
    assert run(written_positions, (3, 2, 8))[1] is None
    assert analysis.certainty != "proven"


def test_a_text_that_only_tells_of_contents_chooses_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def telling(x):
        logging.getLogger(__name__).warning(f"the peak is at {x[:, 0].argmax()}")
        return x

    analysis = shapelint.analyze(Model(telling), ROWS)
    assert analysis.trace is not None
    assert analysis.trace.runs == 1
    assert len(caplog.records) == 1


def test_few_numbers_that_contents_choose_among_are_not_tried_one_by_one() -> None:
    analysis = shapelint.analyze(Model(best_of_each_channel), ROWS)
    assert analysis.trace is not None
    assert analysis.trace.runs == 1


def test_a_loop_over_what_contents_choose_takes_few_runs() -> None:
    analysis = shapelint.analyze(Model(experts_walked_over), ROWS)
    assert analysis.trace is not None
    assert analysis.trace.runs < 10


def test_one_part_called_twice_selects_twice() -> None:
    class Selects(nn.Module):
        def forward(self, x):
            if x.shape[1] > 3:
                return x[positive(x)]
            return x[positive(x)]

    class Twice(nn.Module):
        def __init__(self, together: Callable[..., torch.Tensor]) -> None:
            super().__init__()
            self.part, self.together = Selects(), together

        def forward(self, x):
            for _ in range(x.shape[1]):
                x = x * 1
            return self.together(self.part(x), self.part(x - 1))

    joined = shapelint.analyze(Twice(lambda a, b: torch.cat([a, b])), FRAMES)
    assert joined.certainty == "proven"
    assert joined.output_shape(N=2, T=3) == (DATA_DEPENDENT, 8)
    added = shapelint.analyze(Twice(torch.add), FRAMES, limits=QUICK)
    assert added.certainty == "enumerated"
