"""Look-ups by texts with sizes in them: surely hit, surely missed, or told apart by nobody."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import shapelint
from tests import oracle


class Looking(nn.Module):
    """A model that keeps tables."""

    def __init__(self, look: Callable[[Any, Tensor], Tensor], held: dict[Any, Any] | None = None) -> None:
        super().__init__()
        self.table: dict[Any, Any] = dict(held or {})
        self.other: dict[Any, Any] = {}
        self.listed: dict[Any, Any] = {}
        self.numbered: dict[Any, Any] = {}
        self.exchanged: dict[Any, Any] = {}
        self.former: dict[Any, Any] = {}
        self.latter: dict[Any, Any] = dict(held or {})
        self.look = look

    def exchange(self) -> None:
        self.exchanged = {"8": 1}

    def forward(self, x: Tensor) -> Tensor:
        return self.look(self, x)


def _memo(model: Any, x: Tensor) -> Tensor:
    for _ in range(2):
        height, width = x.shape[-2:]
        key = f"{height}_{width}"
        if key not in model.table:
            model.table[key] = torch.ones(height, width)
        x = x * model.table[key]
    return functional.avg_pool2d(x, 2)


def _padding(model: Any, x: Tensor) -> Tensor:
    sizes = x.shape[2:]
    try:
        padded = functional.pad(x, model.table[f"{sizes}"])
    except KeyError:
        by = [round(0.25 * size) for size in sizes]
        model.table[f"{sizes}"] = [n for n in by[::-1] for _ in range(2)]
        padded = functional.pad(x, model.table[f"{sizes}"])
        model.other[f"{[size * 1 for size in padded.shape[2:]]}"] = tuple(slice(n, -n if n else None) for n in by)
    return padded[(..., *model.other[f"{list(padded.shape[2:])}"])]


def _by_str(model: Any, x: Tensor) -> Tensor:
    return model.table.setdefault(str(x.shape[2]) + "!", x)


def _by_other_formula(model: Any, x: Tensor) -> Tensor:
    model.table[f"{x.shape[2] - x.shape[2] % 2}"] = x[:, :, 1:]
    return model.table.get(f"{max(x.shape[2] // 2 * 2, 0)}", x)


def _by_larger(model: Any, x: Tensor) -> Tensor:
    model.table[f"{x.shape[2]}"] = x[:, :, 1:]
    return model.table.get(f"{x.shape[2] + 1}", x)


_MADE: dict[str, Any] = {}


def _in_global_table(model: Any, x: Tensor) -> Tensor:
    shapes = [tuple(x.shape), tuple(x.shape[2:])]
    key = "...as," + ",".join(f"{shape}" for shape in shapes)
    try:
        made = _MADE[key]
    except KeyError:
        made = torch.ones(x.shape[2:]) if x.shape[2] > 4 else torch.ones(1, x.shape[3])
        _MADE[key] = made
    return torch.cat([x, x], 2) + _MADE[key][:1] + made[-1:]


@pytest.mark.parametrize("look", [_memo, _padding, _by_str, _by_other_formula, _by_larger, _in_global_table])
def test_a_look_up_that_surely_hits_or_misses_is_followed(look: Callable[[Any, Tensor], Tensor]) -> None:
    analysis = shapelint.analyze(Looking(look), (1, 1, "H", "W"))
    assert analysis.certainty == "proven", analysis.certainty_reasons
    _compare(analysis, look)
    _MADE.clear()


def test_a_table_of_the_whole_process_is_left_as_it_was() -> None:
    _MADE.clear()
    _MADE["as"] = 1
    assert shapelint.analyze(Looking(_in_global_table), (1, 1, "H", "W")).certainty == "proven"
    assert len(_MADE) == 1
    assert _MADE.get("as") == 1


def _compare(analysis: shapelint.Analysis, look: Callable[[Any, Tensor], Tensor], held: Any = None) -> None:
    for height in range(1, 13):
        for width in (1, 2, 8, height, height + 1):
            truth = oracle.run(Looking(look, held), (1, 1, height, width), device="cpu")
            accepted = analysis.accepts(H=height, W=width)
            expected = None if isinstance(truth, oracle.Failure) else truth
            assert (analysis.output_shape(H=height, W=width) if accepted else None) == expected, (height, width)


def _by_either(model: Any, x: Tensor) -> Tensor:
    model.table[f"{x.shape[2]}"] = x
    return model.table.get(f"{x.shape[3]}", x[:, :, :1])


def _stored_after_wording(model: Any, x: Tensor) -> Tensor:
    one = f"{x.shape[2]}"
    other = f"{x.shape[3]}"
    model.table[one] = x
    return x[:, :, :1] if other in model.table else x


def _stored_after_a_number(model: Any, x: Tensor) -> Tensor:
    key = f"{x.shape[2]}"
    model.table["8"] = x
    return x[:, :, :1] if key in model.table else x


def _digits_in_a_row(model: Any, x: Tensor) -> Tensor:
    model.table[f"{x.shape[2]}{x.shape[3]}"] = x
    return model.table.get(f"{x.shape[3]}{x.shape[2]}", x[:, :, :1])


def _after_a_digit(model: Any, x: Tensor) -> Tensor:
    return x[:, :, :1] if f"1{x.shape[2]}" in model.table else x


def _another_table(model: Any, x: Tensor) -> Tensor:
    table = model.former
    key = f"{x.shape[2]}"
    table = model.latter
    return x[:, :, :1] if key in table else x


def _by_its_keys(model: Any, x: Tensor) -> Tensor:
    model.listed[f"{x.shape[2]}"] = x
    return x[:, :, : len(next(iter(model.listed)))]


def _by_numbers_of_its_keys(model: Any, x: Tensor) -> Tensor:
    model.numbered[f"{x.shape[2]}"] = x
    return x[:, :, : sum(int(key) % 3 for key in model.numbered.keys())]  # noqa: SIM118 - as people write it


def _exchanged_meanwhile(model: Any, x: Tensor) -> Tensor:
    key = f"{x.shape[2]}"
    model.exchange()
    return x[:, :, :1] if key in model.exchanged else x


def _length_too(model: Any, x: Tensor) -> Tensor:
    key = f"{x.shape[2]}"
    model.table[key] = x
    return model.table[key][:, :, : len(key)]


@pytest.mark.parametrize(
    "look",
    [
        *(_by_either, _stored_after_wording, _stored_after_a_number, _digits_in_a_row, _after_a_digit),
        *(_another_table, _length_too, _by_its_keys, _by_numbers_of_its_keys, _exchanged_meanwhile),
    ],
)
def test_a_look_up_that_hits_for_some_sizes_is_made_at_each(look: Callable[[Any, Tensor], Tensor]) -> None:
    held = {"8": 1, "18": 1, "text": 1}
    analysis = shapelint.analyze(Looking(look, held), (1, 1, "H", "W"))
    assert analysis.certainty == "enumerated"
    _compare(analysis, look, held)


def test_a_shape_is_worded_as_torch_words_it() -> None:
    def look(model: Any, x: Tensor) -> Tensor:
        model.table[f"{tuple(x.shape[2:])}"] = x
        return model.table.get(f"{x.shape[2:]}", x[:, :, :1])

    analysis = shapelint.analyze(Looking(look), (1, 1, "H", "W"))
    assert analysis.certainty == "proven", analysis.certainty_reasons
    _compare(analysis, look)


def test_a_missing_key_is_told_as_a_formula() -> None:
    def look(model: Any, x: Tensor) -> Tensor:
        key = f"{x.shape[2]}x"
        if key not in model.table:
            raise ValueError(f"no table for {key}")
        return x

    diagnostic = shapelint.analyze(Looking(look), (1, 1, "H", "W")).why_not(H=4, W=4)
    assert diagnostic is not None
    assert "no table for Hx" in f"{diagnostic.message} {diagnostic}"
