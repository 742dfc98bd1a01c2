"""Recurrent layers and cells: LSTM, GRU and plain RNN, as modules and as the functions behind them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence

from shapelint.ops.dimensions import Shape
from shapelint.ops.extents import extent_of
from shapelint.ops.registry import Spec, TensorLike, Unsupported, is_tensor, shape_rule
from shapelint.sizes import Size, implied, require, smin
from shapelint.sizes.path import content_count


@dataclass(frozen=True, slots=True)
class Packed:
    """What is known of the numbers in ``batch_sizes``: how many sequences of how many steps were packed."""

    sequences: Size
    steps: Size


def _require_shape(actual: Shape, expected: Shape, what: str) -> None:
    reason = "{} has shape {}, and should have {}"
    require(len(actual) == len(expected), reason, what, actual, expected)
    for size, wanted in zip(actual, expected, strict=True):
        require(size == wanted, reason, what, actual, expected)


def _require_features(shape: Shape, expected: Size) -> None:
    require(shape[-1] == expected, "the input has {} features, and input_size is {}", shape[-1], expected)


def _sequence(shape: Shape, batch_first: bool) -> tuple[Size, Shape]:
    """The length of the input sequence, and its batch or nothing."""
    require(
        len(shape) in (2, 3),
        "a recurrent layer takes a tensor of 3 dimensions, or 2 without a batch, and got {}",
        len(shape),
    )
    batch: Shape = () if len(shape) == 2 else shape[:1] if batch_first else shape[1:2]
    length = shape[1] if batch and batch_first else shape[0]
    require(length >= 1, "a recurrent layer got an empty sequence (length {})", length)
    return length, batch


def _output(length: Size, batch: Shape, features: Size, batch_first: bool) -> Shape:
    return (*batch, length, features) if batch_first else (length, *batch, features)


def _batch_first(output: Shape, batch_first: bool) -> Spec:
    """Layers work through time outermost, and only turn their output at the end."""
    return Spec(output, order=(1, 0, 2) if batch_first and len(output) == 3 else None)


def _layer_shapes(module: Any, input: Any) -> tuple[Shape, Shape, Shape]:
    """The shapes of a recurrent module's output, hidden state and (for an LSTM) cell state."""
    directions = 2 if module.bidirectional else 1
    hidden, projected = module.hidden_size, module.proj_size or module.hidden_size
    layers = module.num_layers * directions
    output: Shape
    batch: Shape
    if isinstance(input, PackedSequence):
        output, batch = (input.data.shape[0], projected * directions), (_sequences(input.batch_sizes),)
        require(len(input.data.shape) == 2, "what is packed has {} dimensions, and not 2", len(input.data.shape))
        _require_features(input.data.shape, module.input_size)
    else:
        length, batch = _sequence(input.shape, module.batch_first)
        _require_features(input.shape, module.input_size)
        output = _output(length, batch, projected * directions, module.batch_first)
    return output, (layers, *batch, projected), (layers, *batch, hidden)


def _made(input: Any, output: Shape, batch_first: bool) -> Any:
    """A recurrent layer's output, packed if its input is."""
    if isinstance(input, PackedSequence):
        made: Any = Spec(output, input.data.dtype)
        return PackedSequence(made, *input[1:])
    return _batch_first(output, batch_first)


@shape_rule(nn.GRU, nn.RNN)
def gru_or_rnn_module(module: Any, input: Any, hx: TensorLike | None = None) -> tuple[Any, Spec]:
    output, hidden, _ = _layer_shapes(module, input)
    if hx is not None:
        _require_shape(hx.shape, hidden, "the hidden state")
    return _made(input, output, module.batch_first), Spec(hidden)


@shape_rule(nn.LSTM)
def lstm_module(
    module: Any, input: Any, hx: tuple[TensorLike, TensorLike] | None = None
) -> tuple[Any, tuple[Spec, Spec]]:
    output, hidden, cell = _layer_shapes(module, input)
    if hx is not None:
        _require_shape(hx[0].shape, hidden, "the hidden state")
        _require_shape(hx[1].shape, cell, "the cell state")
    return _made(input, output, module.batch_first), (Spec(hidden), Spec(cell))


@shape_rule("lstm")
def lstm(
    input: TensorLike,
    hx: Sequence[TensorLike],
    params: Sequence[TensorLike],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool = False,
) -> tuple[Spec, Spec, Spec]:
    if is_tensor(hx):
        raise Unsupported("a packed sequence: its sizes depend on the lengths inside")
    hidden, cell = (tuple(state.shape) for state in hx)
    output = _functional_output(input, hidden, params, num_layers, bidirectional, batch_first)
    return output, Spec(hidden), Spec(cell)


@shape_rule("gru", "rnn_tanh", "rnn_relu")
def gru_or_rnn(
    input: TensorLike,
    hx: TensorLike,
    params: Sequence[TensorLike],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool = False,
) -> tuple[Spec, Spec]:
    if is_tensor(params):
        raise Unsupported("a packed sequence: its sizes depend on the lengths inside")
    hidden = tuple(hx.shape)
    return _functional_output(input, hidden, params, num_layers, bidirectional, batch_first), Spec(hidden)


def _functional_output(
    input: TensorLike,
    hidden: Shape,
    params: Sequence[TensorLike],
    num_layers: int,
    bidirectional: bool,
    batch_first: bool,
) -> Spec:
    shape = input.shape
    length, batch = _sequence(shape, batch_first)
    _require_features(shape, params[0].shape[1])
    directions = 2 if bidirectional else 1
    _require_shape(hidden, (num_layers * directions, *batch, hidden[-1]), "the hidden state")
    return _batch_first(_output(length, batch, hidden[-1] * directions, batch_first), batch_first)


def _cell_hidden(shape: Shape, input_size: Size, hidden_size: Size) -> Shape:
    require(
        len(shape) in (1, 2),
        "a recurrent cell takes a tensor of 2 dimensions, or 1 without a batch, and got {}",
        len(shape),
    )
    _require_features(shape, input_size)
    return (*shape[:-1], hidden_size)


@shape_rule(nn.GRUCell, nn.RNNCell)
def gru_or_rnn_cell_module(module: Any, input: TensorLike, hx: TensorLike | None = None) -> Spec:
    hidden = _cell_hidden(input.shape, module.input_size, module.hidden_size)
    if hx is not None:
        _require_shape(hx.shape, hidden, "the hidden state")
    return Spec(hidden)


@shape_rule(nn.LSTMCell)
def lstm_cell_module(
    module: Any, input: TensorLike, hx: tuple[TensorLike, TensorLike] | None = None
) -> tuple[Spec, Spec]:
    hidden = _cell_hidden(input.shape, module.input_size, module.hidden_size)
    if hx is not None:
        _require_shape(hx[0].shape, hidden, "the hidden state")
        _require_shape(hx[1].shape, hidden, "the cell state")
    return Spec(hidden), Spec(hidden)


@shape_rule("gru_cell", "rnn_tanh_cell", "rnn_relu_cell")
def gru_or_rnn_cell(
    input: TensorLike,
    hx: TensorLike,
    w_ih: TensorLike,
    w_hh: TensorLike,
    b_ih: TensorLike | None = None,
    b_hh: TensorLike | None = None,
) -> Spec:
    hidden = _cell_hidden(input.shape, w_ih.shape[1], w_hh.shape[1])
    _require_shape(hx.shape, hidden, "the hidden state")
    return Spec(hidden)


@shape_rule("lstm_cell")
def lstm_cell(
    input: TensorLike,
    hx: Sequence[TensorLike],
    w_ih: TensorLike,
    w_hh: TensorLike,
    b_ih: TensorLike | None = None,
    b_hh: TensorLike | None = None,
) -> tuple[Spec, Spec]:
    hidden = _cell_hidden(input.shape, w_ih.shape[1], w_hh.shape[1])
    _require_shape(hx[0].shape, hidden, "the hidden state")
    _require_shape(hx[1].shape, hidden, "the cell state")
    return Spec(hidden), Spec(hidden)


# -- sequences of several lengths ----------------------------------------------------------------------------


@shape_rule("_pack_padded_sequence")
def pack_padded_sequence(input: TensorLike, lengths: TensorLike, batch_first: bool) -> tuple[Spec, Spec]:
    """The steps of all sequences that are none of padding; lengths that data decide are taken to be fit."""
    if len(input.shape) < 2 or len(lengths.shape) != 1:
        raise Unsupported("a packed sequence of other than steps, batch and features")
    steps, batch = input.shape[:2] if not batch_first else (input.shape[1], input.shape[0])
    require(lengths.shape[0] == batch, "there are {} sequences and {} lengths", batch, lengths.shape[0])
    for size in input.shape:
        require(size >= 1, "an empty tensor cannot be packed (its shape is {})", tuple(input.shape))
    longest, total = _lengths(lengths, steps, batch)
    return Spec((total, *input.shape[2:])), Spec((longest,), torch.int64, Packed(batch, steps))


def _lengths(lengths: Any, steps: Size, batch: Size) -> tuple[Size, Size]:
    """The largest length, and how many steps are packed: no more than there are, whatever the lengths say."""
    known = lengths.value if hasattr(lengths, "value") else lengths.tolist()
    if isinstance(known, list):
        for one, other in itertools.pairwise(known):
            require(one >= other, "the lengths of packed sequences are not sorted: {}", tuple(known))
        require(known[-1] >= 1, "a sequence of length {} cannot be packed", known[-1])
        return known[0], sum(smin(length, steps) for length in known)
    between = extent_of(lengths)
    if between is not None and implied(between.low == between.high):
        require(between.low >= 1, "a sequence of length {} cannot be packed", between.low)
        return between.low, smin(between.low, steps) * batch
    return content_count(steps, 1), content_count(steps * batch, batch)


@shape_rule("_pad_packed_sequence")
def pad_packed_sequence(
    data: TensorLike, batch_sizes: TensorLike, batch_first: bool, padding_value: Any, total_length: Size
) -> tuple[Spec, Spec]:
    batch, rest = _sequences(batch_sizes), data.shape[1:]
    longest = batch_sizes.shape[0]
    require(total_length >= longest, "sequences of up to {} steps are padded to {}", longest, total_length)
    shape = (batch, total_length, *rest) if batch_first else (total_length, batch, *rest)
    order = (1, 0, *range(2, len(shape))) if batch_first else None
    return Spec(shape, order=order), Spec((batch,), torch.int64)


def _sequences(batch_sizes: Any) -> Size:
    """How many sequences were packed."""
    known = getattr(batch_sizes, "value", None)
    if not isinstance(known, Packed):
        raise Unsupported("a packed sequence: its sizes depend on the lengths inside")
    longest = batch_sizes.shape[0]
    require(longest <= known.steps, "a sequence of length {} was packed that has {} steps", longest, known.steps)
    return known.sequences
