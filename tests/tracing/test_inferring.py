"""What a model is given where nobody says: by its layers, and by what its arguments are called."""

from __future__ import annotations

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
