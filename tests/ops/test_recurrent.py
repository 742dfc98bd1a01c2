"""Recurrent layers and cells against torch."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import rnn

import shapelint
from shapelint.ops import recurrent
from shapelint.ops.registry import Unsupported, function_rule, module_rule
from tests import oracle
from tests.ops.against_torch import check, shaped

assert recurrent.__name__  # importing it registers the rules

LAYERS = [(nn.LSTM, 0), (nn.LSTM, 2), (nn.GRU, 0), (nn.RNN, 0)]


def ranges(*shapes: tuple[Any, ...], least: int = 1) -> dict[str, range]:
    return {name: range(least, 5) for name in "TNCML" if any(name in shape for shape in shapes)}


def layer(family: Any, projection: int, **options: Any) -> nn.Module:
    if projection:
        options["proj_size"] = projection
    return family(4, 3, **options)  # type: ignore[no-any-return]


@pytest.mark.parametrize(("batch_first", "bidirectional"), itertools.product((False, True), repeat=2))
@pytest.mark.parametrize(("family", "projection"), LAYERS)
def test_layers(family: Any, projection: int, batch_first: bool, bidirectional: bool) -> None:
    for layers in (1, 2):
        module = layer(family, projection, num_layers=layers, batch_first=batch_first, bidirectional=bidirectional)
        for shape in (("T", "N", 4), ("T", "N", "C"), ("T", 4), ("T",), (1, 1, "T", 4)):
            check(module, shaped(*shape), sizes=ranges(shape, least=0))
        states, hidden = layers * (1 + bidirectional), projection or 3
        for shape, state in (
            (("T", "N", 4), (states, "M")),
            (("T", "N", 4), ("L", 2)),
            (("T", "N", 4), (states,)),
            (("T", 4), (states,)),
            (("T", 4), (states, 1)),
        ):
            initial: Any = shaped(*state, hidden)
            if family is nn.LSTM:
                initial = (initial, shaped(*state, 3))
            check(module, shaped(*shape), initial, sizes=ranges(shape, state))


@pytest.mark.parametrize("family", [nn.LSTMCell, nn.GRUCell, nn.RNNCell])
def test_cells(family: Any) -> None:
    cell = family(4, 3)
    for shape in (("N", 4), ("N", "C"), (4,), ("C",), (1, "N", 4)):
        check(cell, shaped(*shape), sizes=ranges(shape, least=0) or {"N": (1,)})
    for shape, state in ((("N", 4), ("M", 3)), ((4,), (3,)), (("N", 4), (3,)), (("N", 4), (1, "M"))):
        if family is nn.GRUCell and len(shape) != len(state):
            continue  # torch 2.13 crashes
        initial: Any = shaped(*state)
        given = (initial, initial) if family is nn.LSTMCell else initial
        check(cell, shaped(*shape), given, sizes=ranges(shape, state) or {"N": (1,)})


@pytest.mark.parametrize("batch_first", [False, True])
def test_functions_behind_the_layers(batch_first: bool) -> None:
    weights = [shaped(12, 4), shaped(12, 3), shaped(12), shaped(12)]
    options = (True, 1, 0.0, False, False, batch_first)
    sizes = {"T": range(4), "N": range(1, 4)}
    state, sequence = shaped(1, "N", 3), shaped(*(("N", "T", 4) if batch_first else ("T", "N", 4)))
    check(torch.lstm, sequence, [state, state], weights, *options, sizes=sizes)
    weights = [shaped(9, 4), shaped(9, 3), shaped(9), shaped(9)]
    check(torch.gru, sequence, state, weights, *options, sizes=sizes)
    weights = [shaped(3, 4), shaped(3, 3), shaped(3), shaped(3)]
    check(torch.rnn_tanh, sequence, state, weights, *options, sizes=sizes)


def test_functions_behind_the_cells() -> None:
    sizes = {"N": range(1, 4), "C": range(3, 6)}
    state = shaped("N", 3)
    check(torch.lstm_cell, shaped("N", "C"), [state, state], shaped(12, 4), shaped(12, 3), sizes=sizes)
    check(torch.gru_cell, shaped("N", "C"), state, shaped(9, 4), shaped(9, 3), sizes=sizes)
    check(torch.rnn_relu_cell, shaped("N", "C"), state, shaped(3, 4), shaped(3, 3), sizes=sizes)


def test_a_packed_sequence_is_said_to_be_beyond_the_rule() -> None:
    packed = nn.utils.rnn.pack_padded_sequence(torch.ones(5, 2, 4), torch.tensor([5, 3]))
    module = nn.GRU(4, 3)
    rule, function = module_rule(module), function_rule(torch.gru)
    assert rule is not None
    assert function is not None
    with pytest.raises(Unsupported):
        rule(module, packed)
    weights = [parameter.detach() for parameter in module.parameters()]
    with pytest.raises(Unsupported):
        function(packed.data, packed.batch_sizes, torch.ones(1, 2, 3), weights, True, 1, 0.0, False, False)


class Packing(nn.Module):
    """A recurrent layer around which sequences are packed and padded again."""

    def __init__(
        self, family: Any, lengths: Any, *, is_sorted: bool = True, total: bool = False, **options: Any
    ) -> None:
        super().__init__()
        self.recurrent = family(5, 7, 2, **options)
        self.lengths, self.is_sorted, self.total = lengths, is_sorted, total

    def forward(self, x: torch.Tensor) -> Any:
        batch_first = self.recurrent.batch_first
        batch, steps = x.shape[:2] if batch_first else (x.shape[1], x.shape[0])
        lengths = self.lengths(x, batch, steps)
        packed, state = self.recurrent(rnn.pack_padded_sequence(x, lengths, batch_first, self.is_sorted))
        total = steps if self.total else None
        padded, found = rnn.pad_packed_sequence(packed, batch_first, total_length=total)
        return padded, found, state


def _counted(x: torch.Tensor, batch: int, steps: int) -> torch.Tensor:
    return (x.abs().sum(2) > 4).sum(1 if x.shape[0] == batch else 0).clamp(min=1)


_LENGTHS = {
    "all": lambda x, batch, steps: torch.full((batch,), steps),
    "two": lambda x, batch, steps: [steps, steps - 1],
    "fixed": lambda x, batch, steps: torch.tensor([4, 2]),
    "unsorted": lambda x, batch, steps: [steps - 1, steps],
}


def _agree(make: Any, inputs: Any) -> shapelint.Analysis:
    analysis = shapelint.analyze(make(), inputs)
    assert analysis.certainty == "proven", analysis.certainty_reasons
    sizes = [{"N": n, "T": t} for n, t in itertools.product(range(1, 7), range(1, 8))]
    differing = oracle.same_answer(analysis, oracle.Oracle(make, inputs, "cpu"), sizes)
    assert not differing, "\n".join(map(str, differing[:5]))
    return analysis


@pytest.mark.parametrize("lengths", list(_LENGTHS))
@pytest.mark.parametrize("batch_first", [False, True])
def test_sequences_packed_to_known_lengths(lengths: str, batch_first: bool) -> None:
    inputs = ("N", "T", 5) if batch_first else ("T", "N", 5)
    for family in (nn.LSTM, nn.GRU, nn.RNN):
        _agree(lambda f=family: Packing(f, _LENGTHS[lengths], batch_first=batch_first), inputs)


@pytest.mark.parametrize("total", [False, True])
def test_sequences_packed_to_lengths_that_data_decide(total: bool) -> None:
    def make() -> nn.Module:
        options: dict[str, Any] = {"batch_first": True, "bidirectional": True, "proj_size": 3}
        return Packing(nn.LSTM, _counted, is_sorted=False, total=total, **options)

    analysis = _agree(make, ("N", "T", 5))
    padded, found, (hidden, cell) = analysis.output_shape(N=3, T=6)
    assert padded == (3, 6 if total else shapelint.DATA_DEPENDENT, 6)
    assert (found, hidden, cell) == ((3,), (4, 3, 3), (4, 3, 7))


def test_padded_steps_do_not_match_the_input_where_data_decide_them() -> None:
    class Joining(Packing):
        def forward(self, x: torch.Tensor) -> Any:
            return torch.cat([x, super().forward(x)[0]], 2)

    analysis = shapelint.analyze(Joining(nn.GRU, _counted, is_sorted=False, batch_first=True), ("N", "T", 5))
    assert analysis.certainty == "enumerated"


def test_a_packed_sequence_that_is_not_padded_again() -> None:
    """Lengths beyond the input's are refused by the layer only."""

    class Packed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(5, 7)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.linear(rnn.pack_padded_sequence(x, [4, 2]).data)  # type: ignore[no-any-return]

    _agree(Packed, ("T", "N", 5))


def test_padded_sequences_do_not_lie_row_by_row() -> None:
    class Viewing(Packing):
        def forward(self, x: torch.Tensor) -> Any:
            return super().forward(x)[0].view(-1, 7)

    analysis = _agree(lambda: Viewing(nn.GRU, _LENGTHS["all"], batch_first=True), ("N", "T", 5))
    assert not analysis.accepts(N=2, T=2)


def test_the_initial_state_of_a_packed_sequence() -> None:
    class Starting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.recurrent = nn.GRU(5, 7)

        def forward(self, x: torch.Tensor) -> Any:
            lengths = torch.full((x.shape[1],), x.shape[0])
            return self.recurrent(rnn.pack_padded_sequence(x, lengths), torch.zeros(1, 3, 7))[1]

    assert not _agree(Starting, ("T", "N", 5)).accepts(N=2, T=2)
