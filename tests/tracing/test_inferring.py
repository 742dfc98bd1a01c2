"""What a model is given where nobody says: by its layers, and by what its arguments are called."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import shapelint
from shapelint.tracing.tensor import SymbolicTensor


def given(analysis: shapelint.Analysis) -> list[tuple[str, torch.dtype]]:
    tensors = [value for value in analysis.inputs.args if isinstance(value, SymbolicTensor)]
    return [(",".join(map(str, tensor.sizes)), tensor.dtype) for tensor in tensors]


class Embedded(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(20, 8)
        self.fc = nn.Linear(8, 3)


def test_lengths_are_one_integer_for_each_text() -> None:
    class Averaged(Embedded):
        def forward(self, words: Tensor, lengths: Tensor) -> Tensor:
            return self.fc(self.table(words).sum(1) / lengths[:, None])

    analysis = shapelint.analyze(Averaged())
    assert given(analysis) == [("N,T", torch.int64), ("N", torch.int64)]
    assert analysis.accepts(N=2, T=5)


def test_masks_beside_token_ids_are_integers_or_booleans_as_the_model_takes_them() -> None:
    class Filled(Embedded):
        def forward(self, ids: Tensor, attention_mask: Tensor) -> Tensor:
            return self.fc(self.table(ids).masked_fill(attention_mask[..., None], 0.0))

    class Multiplied(Embedded):
        def forward(self, ids: Tensor, attention_mask: Tensor) -> Tensor:
            return self.fc(self.table(ids) * (1 - attention_mask[..., None]))

    assert given(shapelint.analyze(Filled())) == [("N,T", torch.int64), ("N,T", torch.bool)]
    assert given(shapelint.analyze(Multiplied())) == [("N,T", torch.int64), ("N,T", torch.int64)]


def test_a_time_is_one_number_for_each_sample() -> None:
    class Frequencies(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(16, 16)

        def forward(self, t: Tensor) -> Tensor:
            angles = t[:, None] * torch.arange(8)[None]
            return self.fc(torch.cat([angles.sin(), angles.cos()], -1))

    assert given(shapelint.analyze(Frequencies())) == [("N", torch.float32)]


class Classes(nn.Module):
    """Classes as vectors."""

    def __init__(self, *, converted: bool) -> None:
        super().__init__()
        self.fc = nn.Linear(10, 4)
        self.converted = converted

    def forward(self, labels: Tensor) -> Tensor:
        vectors = F.one_hot(labels, 10)
        return self.fc(vectors.float() if self.converted else vectors)


def test_integers_are_tried_where_floating_point_numbers_are_refused() -> None:
    analysis = shapelint.analyze(Classes(converted=True))
    assert given(analysis) == [("N", torch.int64)]
    assert analysis.accepts(N=3)


def test_where_nothing_runs_the_attempt_that_came_farthest_is_told() -> None:
    analysis = shapelint.analyze(Classes(converted=False))
    assert given(analysis) == [("N", torch.int64)]
    refusal = analysis.why_not(N=3)
    assert refusal is not None
    assert "the input of Linear is torch.int64" in refusal.why


class Masked(nn.Module):
    """A layer of a sequence or an image, and what a mask does to what it gives."""

    def __init__(self, layer: nn.Module, use: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.layer = layer
        self.use = use

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return self.use(self.layer(x), mask)


def _averaged(y: Tensor, mask: Tensor) -> Tensor:
    return (y * mask.unsqueeze(-1)).sum(1) / mask.sum(1, keepdim=True)


SEQUENCE, IMAGE = ["N,T,C", "N,T"], ["N,C,H,W", "N,H,W"]


@pytest.mark.parametrize(
    ("layer", "use", "expected", "dtype"),
    [
        (nn.Linear(16, 8), _averaged, SEQUENCE, torch.float32),
        (nn.Linear(16, 8), lambda y, mask: y.masked_fill(~mask.unsqueeze(-1), 0.0).sum(1), SEQUENCE, torch.bool),
        (nn.Linear(16, 8), lambda y, mask: (y @ y.mT).masked_fill(mask[:, None] == 0, -9.0), SEQUENCE, torch.float32),
        (nn.Conv1d(16, 8, 3, padding=1), lambda y, mask: y * mask.unsqueeze(1), ["N,C,T", "N,T"], torch.float32),
        (nn.Conv2d(3, 8, 3, padding=1), lambda y, mask: y * mask.unsqueeze(1), IMAGE, torch.float32),
        (nn.Conv2d(3, 8, 3, padding=1), lambda y, mask: y * mask, ["N,C,H,W", "N,1,H,W"], torch.float32),
        (nn.Conv2d(3, 8, 3), lambda y, mask: y * mask[:, :, 1:-1, 1:-1], ["N,C,H,W", "N,1,H,W"], torch.float32),
        (nn.Conv2d(3, 3, 3), lambda y, mask: y * F.unfold(mask, 3)[:, 26:, :1, None], ["N,C,H,W"] * 2, torch.float32),
    ],
)
def test_a_mask_may_have_fewer_dimensions(
    layer: nn.Module, use: Callable[[Tensor, Tensor], Tensor], expected: list[str], dtype: torch.dtype
) -> None:
    model = Masked(layer, use).eval()
    analysis = shapelint.analyze(model)
    assert analysis.certainty == "proven", analysis.certainty_reasons
    assert given(analysis) == [(expected[0], torch.float32), (expected[1], dtype)]
    symbols = {"N": 2, "C": 16 if isinstance(layer, nn.Linear) or "T" in expected[0] else 3, "T": 5, "H": 6, "W": 7}
    args, _ = analysis.inputs.concrete(symbols, "cpu")
    sizes = {name: symbols[name] for name in analysis.symbols}
    assert analysis.output_shape(**sizes) == tuple(model(*args).shape)


def test_a_mask_of_steps_has_the_batch_first_wherever_the_layer_has_it() -> None:
    class Encoding(nn.Module):
        def __init__(self, *, batch_first: bool) -> None:
            super().__init__()
            self.layer = nn.TransformerEncoderLayer(16, 2, batch_first=batch_first)

        def forward(self, x: Tensor, padding_mask: Tensor) -> Tensor:
            return self.layer(x, src_key_padding_mask=padding_mask)

    for batch_first, expected in ((True, "N,T,C"), (False, "T,N,C")):
        analysis = shapelint.analyze(Encoding(batch_first=batch_first))
        assert given(analysis) == [(expected, torch.float32), ("N,T", torch.float32)]
        assert analysis.accepts(N=2, T=5)


def test_a_mask_of_features_is_as_large_as_these() -> None:
    class Chosen(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(16, 8)

        def forward(self, x: Tensor, mask: Tensor) -> Tensor:
            return self.layer(x * mask)

    first, second = given(shapelint.analyze(Chosen()))
    assert first == second
