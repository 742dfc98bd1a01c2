"""``view`` takes no copy: at which sizes it can be had of tensors that do not lie row by row, against torch."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import shapelint
from shapelint.ops.layout import joined, layout_after, placed_in
from shapelint.ops.registry import function_rule
from shapelint.tracing.tensor import symbolic_tensor


def _last(x: Tensor) -> Tensor:
    """The same sizes with the channels innermost in memory."""
    return x.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)


def _in_rows(x: Tensor) -> Tensor:
    return x if x.is_contiguous() else x.contiguous()


class Turned(nn.Module):
    """Tokens, turned on every path."""

    def forward(self, x: Tensor) -> Tensor:
        tokens = x.flatten(2)
        return tokens.transpose(1, 2) if x.shape[2] > 3 else tokens.repeat(1, 1, 2).transpose(1, 2)


class Half(nn.Module):
    """Turned for some sizes only."""

    def forward(self, x: Tensor) -> Tensor:
        return x.transpose(2, 3) if x.shape[2] > 3 else x


def _by_strides(x: Tensor, step: int) -> Tensor:
    rows, width = x.shape[0] * 4 * x.shape[2], x.shape[3]
    return x.view(rows, width).as_strided((rows, (width - 2) // step + 1, 2), (width, step, 1))


CASES: dict[str, Callable[[Tensor], Tensor]] = {
    "t_view_merge": lambda x: x.transpose(1, 2).view(x.shape[0], -1, x.shape[3]),
    "t_view_all": lambda x: x.transpose(2, 3).view(x.shape[0], -1),
    "permute_tokens": lambda x: x.permute(0, 2, 3, 1).view(x.shape[0], -1, x.shape[1]),
    "permute_bad": lambda x: x.permute(0, 2, 3, 1).view(x.shape[0], x.shape[2], -1),
    "contig": lambda x: x.permute(0, 2, 3, 1).contiguous().view(x.shape[0], x.shape[2], -1),
    "twice": lambda x: x.transpose(1, 2).transpose(1, 2).view(x.shape[0], -1),
    "relu": lambda x: torch.relu(x.transpose(1, 2)).view(x.shape[0], -1),
    "add": lambda x: (x.transpose(1, 2) + 1).view(x.shape[0], -1),
    "add2": lambda x: (x.transpose(2, 3) + x.transpose(2, 3)).view(x.shape[0], x.shape[1], -1),
    "slice": lambda x: x[:, :, 1:].view(x.shape[0], -1),
    "slice_last": lambda x: x[..., 1:].view(x.shape[0], x.shape[1], -1),
    "slice_ok": lambda x: x[:, 1:].view(x.shape[0], -1),
    "slice_relu": lambda x: torch.relu(x[..., 1:]).view(x.shape[0], -1),
    "select": lambda x: x[:, 0].view(-1),
    "select_b": lambda x: x[0].view(-1),
    "select_last": lambda x: x[..., 0].view(x.shape[0], -1),
    "expand": lambda x: x[:, :1].expand(-1, 3, -1, -1).view(x.shape[0], 3, -1),
    "expand_bad": lambda x: x[:, :1].expand(-1, 3, -1, -1).view(x.shape[0], -1),
    "chunk": lambda x: x.chunk(2, 1)[0].view(x.shape[0], -1),
    "chunk_b": lambda x: x.chunk(2, 3)[0].view(x.shape[0], x.shape[1], -1),
    "unbind": lambda x: x.unbind(1)[0].view(x.shape[0], -1),
    "reshape_view": lambda x: x.permute(0, 2, 3, 1).reshape(x.shape[0], -1, x.shape[1]).transpose(1, 2).view(x.shape),
    "reshape_copy": lambda x: x.permute(0, 2, 3, 1).reshape(x.shape[0], -1).view(x.shape[0], x.shape[1], -1),
    "reshape_noncopy": lambda x: x.permute(0, 2, 3, 1).reshape(x.shape[0], -1, x.shape[1]).view(x.shape[0], -1),
    "heads": lambda x: x.flatten(2).transpose(1, 2).view(x.shape[0], -1, 2, 2).transpose(1, 2).view(x.shape[0], 2, -1),
    "heads_bad": lambda x: (
        x.flatten(2).transpose(1, 2).view(x.shape[0], -1, 2, 2).transpose(1, 2).view(x.shape[0], -1, 4)
    ),
    "swap_to_swapped": lambda x: x.transpose(2, 3).view(x.shape),
    "view_as": lambda x: x.transpose(2, 3).view_as(x),
    "shuffle": lambda x: x.view(x.shape[0], 2, 2, x.shape[2], x.shape[3]).transpose(1, 2).view(x.shape),
    "shuffle_ok": lambda x: x.view(x.shape[0], 2, 2, x.shape[2], x.shape[3]).transpose(1, 2).contiguous().view(x.shape),
    "unsq": lambda x: x.transpose(1, 2).unsqueeze(2).view(x.shape[0], -1),
    "squeeze": lambda x: x[:, :1].squeeze(1).view(x.shape[0], -1),
    "mean_view": lambda x: x.transpose(1, 2).mean(3).view(x.shape[0], -1),
    "double": lambda x: x.transpose(2, 3).double().view(x.shape[0], x.shape[1], -1),
    "float": lambda x: x[..., 1:].float().view(x.shape[0], x.shape[1], -1),
    "conv": lambda x: F.conv2d(x, torch.zeros(2, 4, 1, 1)).permute(0, 2, 3, 1).view(x.shape[0], -1),
    "matmul": lambda x: (x.transpose(2, 3) @ x).view(x.shape[0], -1),
    "flip": lambda x: x.transpose(2, 3).flip(1).view(x.shape[0], -1),
    "inplace": lambda x: x.transpose(2, 3).clone().add_(1).view(x.shape[0], x.shape[1], -1),
    "movedim": lambda x: x.movedim(1, -1).view(x.shape[0], -1, x.shape[1]),
    "movedim_b": lambda x: x.movedim(1, -1).view(x.shape[0], -1),
    "T": lambda x: x[0, 0].T.view(-1),
    "mT": lambda x: x.mT.view(x.shape[0], x.shape[1], -1),
    "unflatten": lambda x: x.flatten(2).mT.unflatten(2, (2, 2)).view(x.shape[0], -1, 4),
    "narrow": lambda x: x.narrow(3, 0, 1).view(x.shape[0], -1),
    "dropout": lambda x: F.dropout(x[..., 1:], 0.5, False).view(x.shape[0], x.shape[1], -1),
    "dropout module": lambda x: nn.Dropout(0.5).eval()(x[..., 1:]).view(x.shape[0], x.shape[1], -1),
    "hardtanh": lambda x: F.hardtanh(x.mT).view(x.shape[0], -1),
    "hardtanh module": lambda x: nn.Hardtanh()(x.mT).view(x.shape[0], -1),
    "none_index": lambda x: x[:, None, ..., 0].view(x.shape[0], -1),
    "step": lambda x: x[:, ::2].view(x.shape[0], -1),
    "seven": lambda x: x[:, :, None, None, None, None, None].transpose(1, 3).view(x.shape[0], -1),
    "many": lambda x: x[(slice(None), slice(None), *[None] * 10)].transpose(1, 3).view(x.shape[0], -1),
    "rows of ones": lambda x: x[:, 1:].unflatten(3, (-1, 1)).view(x.shape[0], 3, -1),
    "lstm": lambda x: nn.LSTM(3, 2, batch_first=True)(x.new_zeros(x.shape[0], x.shape[2], 3))[0].view(x.shape[0], -1),
    "lstm_time": lambda x: nn.LSTM(3, 2)(x.new_zeros(x.shape[2], x.shape[0], 3))[0].view(x.shape[2], -1),
    "gru_split": lambda x: nn.GRU(3, 4, batch_first=True)(x.new_zeros(x.shape[0], x.shape[2], 3))[0].view(
        x.shape[0], -1, 2, 2
    ),
    "channels_last": lambda x: x.contiguous(memory_format=torch.channels_last).view(x.shape[0], -1),
    "channels_last_rows": lambda x: x.to(memory_format=torch.channels_last).view(x.shape[0], x.shape[1], -1),
    "pool_of_last": lambda x: F.avg_pool2d(_last(x), 1).view(x.shape[0], -1),
    "conv_of_last_all": lambda x: F.conv2d(_last(x), torch.zeros(2, 4, 1, 1)).view(x.shape[0], -1),
    "norm_of_last": lambda x: F.group_norm(_last(x), 2).view(x.shape[0], x.shape[1], -1),
    "pad_of_transposed": lambda x: F.pad(x.transpose(2, 3), (1, 1)).view(x.shape[0], -1),
    "asked": lambda x: _in_rows(x.transpose(2, 3)).view(x.shape[0], -1),
    "asked_last": lambda x: _in_rows(x[:, :, 1:]).view(x.shape[0], -1),
    "joined": lambda x: Turned()(x).view(x.shape[0], -1),
    "joined_split": lambda x: Turned()(x).view(*x.shape[:1], -1, x.shape[1]),
    "strides": lambda x: x.new_zeros(x.transpose(2, 3).stride(3) + x.stride(2), 1),
    "windows": lambda x: x.unfold(3, 2, 1).view(x.shape[0], 4, x.shape[2], -1),
    "windows side by side": lambda x: x.unfold(3, 2, 2).view(x.shape[0], 4, x.shape[2], -1),
    "windows turned": lambda x: x.unfold(3, 3, 2).transpose(3, 4).relu().view(x.shape[0], 4, x.shape[2], -1),
    "windows of rows": lambda x: x.unfold(dimension=2, size=1, step=1).view(x.shape[0], -1),
    "windows by strides": lambda x: _by_strides(x, 2).view(-1, x.shape[3] // 2, 2),
    "windows by strides that overlap": lambda x: _by_strides(x, 1).view(-1, (x.shape[3] - 1) * 2),
    "copy of a cut": lambda x: x[..., 1:].narrow(2, 0, 1).clone().view(x.shape[0], -1),
    "copy of a cut of what is turned": lambda x: x.mT[..., 1:].clone().view(x.shape[0], x.shape[1], -1),
    "copy of a cut that is turned": lambda x: x[..., 1:].mT.clone().view(x.shape[0], x.shape[1], -1),
    "copy of one of many": lambda x: x.permute(1, 2, 3, 0)[0, 1:].clone().view(-1, x.shape[0]),
    "copy with more dimensions": lambda x: x.transpose(0, 1)[:, None, 1:].clone().view(4, -1),
    "pool of a cut": lambda x: F.avg_pool2d(x[:, 1:, ..., ::2], 1).view(x.shape[0], -1),
    "pool of a cut of last": lambda x: F.avg_pool2d(_last(x)[..., 1:], 1).view(x.shape[0], -1),
    "batch": lambda x: x.transpose(0, 1).view(-1, x.shape[2], x.shape[3]),
}


class Views(nn.Module):
    def __init__(self, forward: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self._forward = forward

    def forward(self, x: Tensor) -> Tensor:
        return self._forward(x)


@pytest.mark.parametrize("forward", CASES.values(), ids=CASES)
def test_a_view_runs_where_it_needs_no_copy(forward: Callable[[Tensor], Tensor]) -> None:
    analysis = shapelint.analyze(Views(forward), ("N", 4, "H", "W"))
    assert analysis.certainty == "proven"
    for batch, height, width in itertools.product(range(1, 4), range(1, 7), range(1, 7)):
        sizes = {"N": batch, "H": height, "W": width}
        try:
            expected = tuple(forward(torch.zeros(batch, 4, height, width)).shape)
        except RuntimeError:
            assert not analysis.accepts(**sizes), sizes
        else:
            assert analysis.output_shape(**sizes) == expected


def test_what_a_layout_depends_on_is_known_until_it_is_found() -> None:
    turned, other = placed_in((2, 3), (1, 0)), placed_in((2, 3), (1, 0))
    of_both = joined([((2, 3), None), ((2, 3), turned)], (2, 3))
    assert of_both is not None
    later = joined([((2, 3), of_both)], (2, 3))
    assert later is not None
    assert later.comes_from({id(turned)})
    assert later.comes_from({id(of_both)})
    assert turned.comes_from({id(turned)})
    assert not later.comes_from({id(other)})
    askers: set[int] = set()
    turned.askers.append(askers)
    later.placement()
    assert askers == {id(turned)}
    assert not later.comes_from({id(turned)})


def test_a_cut_depends_on_what_it_is_cut_from() -> None:
    whole = symbolic_tensor((2, 3), torch.float32)
    whole.strided = placed_in((2, 3), (1, 0))
    rule, made = function_rule(torch.Tensor.__getitem__), symbolic_tensor((2, 2), torch.float32)
    assert rule is not None
    cut = layout_after(rule, "__getitem__", whole, ((slice(None), slice(1, None)),), {}, made)
    assert cut is not None
    assert cut.comes_from({id(whole.strided)})


def test_a_view_of_what_lies_otherwise_for_other_sizes_is_not_proven() -> None:
    analysis = shapelint.analyze(Views(lambda x: Half()(x).view(1, -1)), (1, 4, "H", 2))
    assert analysis.certainty == "enumerated"
    assert "how its elements lie in memory" in analysis.certainty_reasons[0]
    assert [size for size in range(1, 8) if analysis.accepts(H=size)] == [1, 2, 3]


def test_the_reason_says_that_a_copy_would_be_needed() -> None:
    analysis = shapelint.analyze(Views(CASES["t_view_all"]), ("N", 4, "H", "W"))
    reason = analysis.why_not(N=1, H=3, W=5)
    assert reason is not None
    assert "would need a copy of an input of shape [1, 4, 5, 3]" in reason.message
