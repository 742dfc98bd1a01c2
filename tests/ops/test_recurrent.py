"""Recurrent layers and cells against torch."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import nn

from shapelint.ops import recurrent
from shapelint.ops.registry import Unsupported, function_rule, module_rule
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
