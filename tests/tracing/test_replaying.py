"""Later paths through a forward take over what the first one found out, and find the same as PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import shapelint
from tests import oracle


class Block(nn.Module):
    """A part that counts its calls outside of itself, where nothing sees it."""

    calls = 0

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 2, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        Block.calls += 1
        return self.conv(x)


class Keeping(nn.Module):
    """A part that keeps what it computes in its model's list."""

    def __init__(self, kept: list[Tensor]) -> None:
        super().__init__()
        self.kept = kept

    def forward(self, x: Tensor) -> Tensor:
        self.kept.append(x)
        return x * 2


class Setting(nn.Module):
    """A part that remembers its last input's size."""

    side = 0

    def forward(self, x: Tensor) -> Tensor:
        self.side = x.shape[-1]
        return x * 2


class Same(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x


class Squeezing(nn.Module):
    """A part that changes its argument's shape in place."""

    def forward(self, x: Tensor) -> Tensor:
        x.unsqueeze_(0)
        return x.sum(0)


class Forking(nn.Module):
    """A part that returns two tensors for some sizes, and one for others."""

    def forward(self, x: Tensor) -> Any:
        return (x + 1, x * 2) if x.shape[-1] > 8 else x + 2


class Cache:
    """What a part remembers, in an object of its own."""

    def __init__(self) -> None:
        self.kept: list[Tensor] = []
        self.length = 0

    def keep(self, x: Tensor) -> None:
        self.kept.append(x)
        self.length += x.shape[-1]


class Caching(nn.Module):
    """A part that makes a cache, fills it, and returns it under two names, beside one that it has had for long."""

    def __init__(self) -> None:
        super().__init__()
        self.old = Cache()

    def forward(self, x: Tensor) -> Any:
        cache = Cache()
        y = x[..., :8] * 2 if x.shape[-1] > 8 else x + 1
        cache.keep(y)
        return y, cache, [cache], self.old


class Network(nn.Module):
    def __init__(self, forward: Callable[[Any, Tensor], Any]) -> None:
        super().__init__()
        self.block = Block()
        self.features: list[Tensor] = []
        self.keeping = Keeping(self.features)
        self.setting = Setting()
        self.same = Same()
        self.squeezing = Squeezing()
        self.forking = Forking()
        self.caching = Caching()
        self.hooked = Block()
        self.seen: list[Tensor] = []
        self.hooked.register_forward_hook(lambda module, inputs, output: self.seen.append(output))
        self._forward = forward

    def forward(self, x: Tensor) -> Any:
        return self._forward(self, x)


def _crop(m: Any, x: Tensor) -> Tensor:
    y = m.block(x)
    return y[..., :8] if x.shape[-1] > 8 else y


def _changed_in_place_after_the_branch(m: Any, x: Tensor) -> Tensor:
    y = m.block(x)
    if x.shape[-1] > 8:
        y.unsqueeze_(0)
        return y.flatten(0, 1)
    return torch.cat([y, y], 3)


def _kept_in_a_list(m: Any, x: Tensor) -> Tensor:
    m.features.clear()
    y = m.keeping(x)
    return torch.cat([y[..., :8], m.features[0]], 3) if x.shape[-1] > 8 else torch.cat(m.features, 1)


def _a_list_made_in_forward(m: Any, x: Tensor) -> Tensor:
    m.features = m.keeping.kept = []
    y = m.keeping(x)
    return torch.cat([y[..., :8], m.features[0]], 3) if x.shape[-1] > 8 else torch.cat(m.features, 1)


def _set_on_the_part(m: Any, x: Tensor) -> Tensor:
    y = m.setting(x)
    return y[..., : m.setting.side - 4] if x.shape[-1] > 8 else y[..., : m.setting.side // 2]


def _returned_as_it_came(m: Any, x: Tensor) -> Tensor:
    y = x + 1
    z = m.same(y)
    if x.shape[-1] > 8:
        z.unsqueeze_(0)
        return y[0]
    z.unsqueeze_(1)
    return y[:, 0]


def _argument_changed_in_place(m: Any, x: Tensor) -> Tensor:
    y = x + 1
    z = m.squeezing(y)
    return y[0, ..., :8] + z[..., :8] if x.shape[-1] > 8 else y[0] + z


def _hooked(m: Any, x: Tensor) -> Tensor:
    m.seen.clear()
    y = m.hooked(x)
    return m.seen[0][..., :8] if x.shape[-1] > 8 else m.seen[0] + y


def _two_late_branches(m: Any, x: Tensor) -> Tensor:
    y = m.block(x)
    if x.shape[-1] > 8:
        y = m.block(y[..., :8])
    if x.shape[-2] > 8:
        y = m.block(y[..., :8, :])
    return y


def _result_changed_in_place_after_the_branch(m: Any, x: Tensor) -> Tensor:
    y = torch.relu(x)
    if x.shape[-1] > 8:
        return y.unsqueeze_(0).flatten(0, 1)[..., :8]
    return torch.cat([y, y], 3)


def _result_changed_in_place_by_a_part(m: Any, x: Tensor) -> Tensor:
    y = torch.relu(x)
    if x.shape[-1] > 8:
        return m.squeezing(y)[..., :8]
    return y.transpose(2, 3)


def _result_changed_in_place_before_the_branch(m: Any, x: Tensor) -> Tensor:
    y = torch.relu(x)
    y.unsqueeze_(1)
    return y[..., :8] if x.shape[-1] > 8 else y.squeeze(1)


def _result_given_other_data(m: Any, x: Tensor) -> Tensor:
    y = torch.relu(x)
    if x.shape[-1] > 8:
        y.data = x[..., :8]
    return torch.cat([y, y], 2)


def _result_written_into(m: Any, x: Tensor) -> Tensor:
    y, z = torch.relu(x), x.new_empty(0)
    if x.shape[-1] > 8:
        torch.add(y[..., :8], 1, out=z)
    return z


def _own_argument_given_another_rank(m: Any, x: Tensor) -> Any:
    x.unsqueeze_(1)
    if x.shape[-1] % 4:
        return [torch.nn.functional.pad(x, (0, 4 - x.shape[-1] % 4)), x]
    return [x, x]


def _own_argument_given_another_rank_on_one_path(m: Any, x: Tensor) -> Any:
    if x.shape[-1] > 8:
        return [x.unsqueeze_(1).flatten(0, 1), x[:, 0]]
    return [torch.cat([x, x], 3), x]


def _positions_overwritten(m: Any, x: Tensor) -> Tensor:
    at = torch.arange(x.shape[-1])
    if x.shape[-1] > 8:
        at.clamp_(max=2)
        return x[..., :3].index_select(3, at)
    return x.index_select(3, at)


def _another_structure_and_a_late_crop(m: Any, x: Tensor) -> Tensor:
    found = m.forking(x)
    y = torch.cat(found, 2) if isinstance(found, tuple) else found
    if x.shape[-2] > 7:
        y = y[..., :2]
    return y[..., :1] if x.shape[-2] > 9 else y


def _a_cache_for_each_path(m: Any, x: Tensor) -> Tensor:
    y, cache, (again,), old = m.caching(x)
    again.keep(y[..., :1])
    assert old is m.caching.old
    return torch.cat(cache.kept, -1)[..., : cache.length - 1]


def _the_same_function_after_it_failed(m: Any, x: Tensor) -> Tensor:
    failed = False
    try:
        y = torch.cat([x, x[None]])
    except RuntimeError:
        y = torch.cat([x, x], 2)
        failed = True
    y = y[..., :8] if x.shape[-1] > 8 else y
    return y.sum(1) if failed else y


FORWARDS = [
    _the_same_function_after_it_failed,
    _a_cache_for_each_path,
    _another_structure_and_a_late_crop,
    _result_changed_in_place_after_the_branch,
    _result_changed_in_place_by_a_part,
    _result_changed_in_place_before_the_branch,
    _result_given_other_data,
    _result_written_into,
    _own_argument_given_another_rank,
    _own_argument_given_another_rank_on_one_path,
    _positions_overwritten,
    _crop,
    _changed_in_place_after_the_branch,
    _kept_in_a_list,
    _a_list_made_in_forward,
    _set_on_the_part,
    _returned_as_it_came,
    _argument_changed_in_place,
    _hooked,
    _two_late_branches,
]


@pytest.mark.parametrize("forward", FORWARDS, ids=lambda f: f.__name__.strip("_"))
def test_every_path_as_pytorch_has_it(forward: Callable[[Any, Tensor], Any]) -> None:
    analysis = shapelint.analyze(Network(forward), ("N", 2, "H", "W"))
    assert analysis.certainty == "proven", analysis.certainty_reasons
    for sizes in [(1, 2, h, w) for h in (3, 8, 9, 20) for w in (2, 7, 8, 9, 10, 31)]:
        expected = oracle.run(Network(forward), sizes, device="cpu")
        assert not isinstance(expected, oracle.Failure)
        assert analysis.output_shape(H=sizes[2], W=sizes[3]) == expected, sizes


def test_what_comes_before_a_branch_is_walked_through_once() -> None:
    Block.calls = 0
    shapelint.analyze(Network(_crop), ("N", 2, "H", "W"))
    assert Block.calls == 1


def _late_crop(m: Any, x: Tensor) -> Tensor:
    y = torch.relu(torch.relu(x) + 1)
    return y[..., :8] if x.shape[-1] > 8 else y


def test_functions_before_a_branch_are_followed_once() -> None:
    trace = shapelint.analyze(Network(_late_crop), ("N", 2, "H", "W")).trace
    assert trace is not None
    assert [call.target for call in trace.calls].count(torch.relu) == 2


def test_a_part_that_returns_several_structures_is_walked_through_once() -> None:
    trace = shapelint.analyze(Network(_another_structure_and_a_late_crop), ("N", 2, "H", "W")).trace
    assert trace is not None
    # the caller: two structures, three heights each; the part: two widths
    assert trace.runs == 2 * 3 + 2


def test_caches_that_are_alike_are_one() -> None:
    trace = shapelint.analyze(Network(_a_cache_for_each_path), ("N", 2, "H", "W")).trace
    assert trace is not None
    assert trace.runs == 1 + 2


def test_what_a_branch_decides_is_walked_through_for_each_side() -> None:
    Block.calls = 0
    shapelint.analyze(Network(_two_late_branches), ("N", 2, "H", "W"))
    assert Block.calls == 1 + 1 + 2


class State:
    """What one layer of a network remembers of the sequence, filled by the layer."""

    def __init__(self) -> None:
        self.kept: dict[int, Any] = {0: None}
        self.seen = False


class Memory:
    def __init__(self, layers: int) -> None:
        self.layers = [State() for _ in range(layers)]


class Remembering(nn.Module):
    """A causal convolution that leaves its last five columns in its caller's memory."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number
        self.conv = nn.Conv1d(4, 4, 3, padding=2)

    def forward(self, x: Tensor, memory: Memory) -> tuple[Tensor, Memory]:
        state = memory.layers[self.number]
        if state.seen and x.shape[-1] == 1:
            return x * 2, memory
        state.seen = True
        tail = x if x.shape[-1] >= 5 else nn.functional.pad(x, (5 - x.shape[-1], 0))
        state.kept[0] = tail[..., -5:] if self.number else tail
        return self.conv(x)[..., : x.shape[-1]], memory


class WithMemory(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([Remembering(0), Remembering(1)])

    def forward(self, x: Tensor) -> Any:
        memory = Memory(2)
        for layer in self.layers:
            x, memory = layer(x, memory)
        return x, [state.kept[0] for state in memory.layers]


def test_what_a_path_leaves_in_an_object_of_its_callers_is_not_there_on_another() -> None:
    analysis = shapelint.analyze(WithMemory(), ("N", 4, "T"))
    assert analysis.certainty == "proven", analysis.certainty_reasons
    asked = oracle.Oracle(WithMemory, ("N", 4, "T"))
    assert not oracle.same_answer(analysis, asked, [{"N": 1, "T": t} for t in range(1, 20)])
