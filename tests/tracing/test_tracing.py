"""Tracing the forwards people write: what runs, what comes back, and that the model is left as it was."""

from __future__ import annotations

import functools
import itertools
import math
import sys
from collections import namedtuple
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import shapelint
from shapelint.limits import Limits
from shapelint.sizes import TooComplex
from shapelint.tracing import calls, eager, tracer
from tests import oracle

Pair = namedtuple("Pair", ["low", "high"])


@dataclass
class Output:
    features: Tensor
    side: int


class Model(nn.Module):
    """A model whose forward is a function; it may use two layers."""

    def __init__(self, forward: Callable[[Any, Tensor], Any]) -> None:
        super().__init__()
        self.down = nn.Conv2d(3, 3, 3, stride=2, padding=1)
        self.up = nn.ConvTranspose2d(3, 3, 2, stride=2)
        self.skips: list[Tensor] = []
        self.window = 4
        self._forward = forward

    def forward(self, x: Tensor) -> Any:
        return self._forward(self, x)


def _resize_if_different(m: Any, x: Tensor) -> Tensor:
    y = m.up(m.down(x))
    if y.shape[-2:] != x.shape[-2:]:
        y = F.interpolate(y, size=x.shape[-2:])
    return torch.cat([x, y], 1)


def _pad_from_difference(m: Any, x: Tensor) -> Tensor:
    y = m.up(m.down(x))
    dy, dx = x.size(2) - y.size(2), x.size(3) - y.size(3)
    return x + F.pad(y, [dx // 2, dx - dx // 2, dy // 2, dy - dy // 2])


def _raise(m: Any, x: Tensor) -> Tensor:
    h, w = x.shape[-2:]
    if h % 8 or w % 8:
        raise ValueError(f"sizes must be multiples of 8, got {h} x {w}")
    return m.down(x)


def _assert(m: Any, x: Tensor) -> Tensor:
    y = m.up(m.down(x))
    assert y.shape == x.shape, "must round-trip"
    return y


def _swallow(m: Any, x: Tensor) -> Tensor:
    try:
        if x.shape[2] < 10:
            raise RuntimeError("small")
        return x[:, :, ::2]
    except RuntimeError:
        return x


def _window(m: Any, x: Tensor) -> Tensor:
    size = 7
    pad = (size - x.shape[2] % size) % size
    if pad > 0:
        x = F.pad(x, (0, 0, 0, pad))
    b, c, h, w = x.shape
    return x.view(b, c, h // size, size, w).permute(0, 2, 1, 3, 4).reshape(-1, c, size, w)


def _set_attribute(m: Any, x: Tensor) -> Tensor:
    if x.shape[2] <= m.window:
        m.window = int(x.shape[2])
    return F.avg_pool2d(x, (m.window, 1))


def _attribute_list(m: Any, x: Tensor) -> Tensor:
    m.skips.append(x)
    y = m.up(m.down(x))
    return F.interpolate(y, size=m.skips.pop().shape[2:])


def _arithmetic(m: Any, x: Tensor) -> Tensor:
    h, w = x.shape[-2:]
    new = (max(int(h * 0.5), 1), max(math.ceil(w / 3), min(h, 2)))
    return F.adaptive_avg_pool2d(x, new)


def _shrink_until_small(m: Any, x: Tensor) -> Tensor:
    x = x[:, :, :40, :40]
    while x.shape[2] > 5:
        x = F.max_pool2d(x, 2, ceil_mode=True)
    return x


def _range(m: Any, x: Tensor) -> Tensor:
    x = x[:, :, :6]
    return torch.stack([x[:, :, i].mean(-1) for i in range(x.shape[2])], -1)


def _data_branch(m: Any, x: Tensor) -> Tensor:
    if torch.isnan(x).any():
        raise ValueError("not a number")
    return m.down(x)


def _square(m: Any, x: Tensor) -> Tensor:
    tokens = x.flatten(2)
    side = int(tokens.shape[2] ** 0.5)
    return tokens.view(x.shape[0], 3, side, side)


def _custom_function(m: Any, x: Tensor) -> Tensor:
    return Double.apply(x)[..., 1:]


class Double(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return torch.cat([x, x], -1)


def _checkpointed(m: Any, x: Tensor) -> Tensor:
    return torch.utils.checkpoint.checkpoint(m.down, x, use_reentrant=True)


@torch.jit.script
def _halved(x: Tensor) -> Tensor:
    return x[:, :, ::2]


@functools.lru_cache(maxsize=4)
def _half(size: int) -> int:
    return size // 2


def _scripted_and_cached(m: Any, x: Tensor) -> Tensor:
    return _halved(x)[..., : _half(x.shape[-1])]


def _lengths_as_tensors(m: Any, x: Tensor) -> Tensor:
    stride = torch.tensor(3)
    frames = torch.ceil(torch.tensor(x.shape[-1]) / stride).to(torch.int64)
    return F.pad(x, (0, int(frames * stride - x.shape[-1])))


def _limits_as_tensors(m: Any, x: Tensor) -> Tensor:
    return torch.clamp(x, 0, torch.tensor(min(x.shape[2], x.shape[3])) * 2 - 1)


def _sizes_that_tensors_hold(m: Any, x: Tensor) -> Tensor:
    lengths = (torch.full((x.shape[0],), x.shape[2]) - 1) // 2
    longest = lengths.max()
    ones = torch.ones(longest + 1, 3).view(1, longest + 1, -1, 1).expand(-1, -1, -1, lengths.max() + 2)
    return ones[:, 1:longest]


def _sizes_through_plain_functions(m: Any, x: Tensor) -> Tensor:
    rows = torch.div(x.shape[2], 2, rounding_mode="trunc")
    both = torch.stack([rows, torch.tensor(x.shape[3])])
    return x.new_zeros(both[0], 3, both[1] + 1).expand(both[0], -1, -1)


def _contents_that_change_no_size(m: Any, x: Tensor) -> Tensor:
    x = x + 1 if 3 in x[:, 0] else x[..., :]
    return m.down(x) if (x > 0).any().item() else m.down(-x)


FORWARDS = [
    *(_resize_if_different, _pad_from_difference, _raise, _assert, _swallow, _window, _set_attribute),
    *(_attribute_list, _arithmetic, _shrink_until_small, _range, _square, _custom_function, _checkpointed),
    *(_scripted_and_cached, _lengths_as_tensors, _limits_as_tensors, _sizes_through_plain_functions),
    _sizes_that_tensors_hold,
    _contents_that_change_no_size,
]


@pytest.mark.parametrize("forward", FORWARDS, ids=lambda f: f.__name__.strip("_"))
def test_every_size_as_pytorch_has_it(forward: Callable[[Any, Tensor], Any]) -> None:
    analysis = shapelint.analyze(Model(forward), ("N", 3, "H", "W"))
    assert analysis.certainty == "proven", analysis.certainty_reasons
    for h, w in [(s, s) for s in range(1, 50)] + [(s, 12) for s in range(1, 50)] + [(9, s) for s in range(1, 30)]:
        result = oracle.run(Model(forward), (1, 3, h, w), device="cpu")
        if isinstance(result, oracle.Failure):
            assert not analysis.accepts(H=h, W=w), (h, w)
        else:
            assert analysis.output_shape(H=h, W=w) == result, (h, w)


@pytest.mark.parametrize(
    ("forward", "expected"),
    [
        (lambda m, x: {"a": x, "b": [x.shape[2], "text"]}, {"a": (1, 3, 8, 6), "b": [8, "text"]}),
        (lambda m, x: Pair(x, x[:, :1]), Pair((1, 3, 8, 6), (1, 1, 8, 6))),
        (lambda m, x: Output(x, x.shape[3]), {"features": (1, 3, 8, 6), "side": 6}),
        (lambda m, x: x if x.shape[2] > 4 else (x, x), (1, 3, 8, 6)),
        (lambda m, x: None if x.shape[2] < 4 else x, (1, 3, 8, 6)),
        (lambda m, x: ((), x.sum()), ([], ())),
    ],
)
def test_output_structures(forward: Callable[[Any, Tensor], Any], expected: Any) -> None:
    assert shapelint.analyze(Model(forward), ("N", 3, "H", "W")).output_shape(H=8, W=6) == expected


def test_a_check_of_contents_says_nothing_about_sizes() -> None:
    analysis = shapelint.analyze(Model(_data_branch), ("N", 3, "H", "W"))
    assert analysis.certainty == "proven"
    assert analysis.accepts(H=1, W=1)


def test_the_model_is_left_as_it_was() -> None:
    model = Model(_set_attribute).train()
    model.skips.append(torch.zeros(1))
    before = dict(vars(model)), list(model.skips)
    shapelint.analyze(model, ("N", 3, "H", "W"))
    assert (dict(vars(model)), list(model.skips)) == before
    assert model.training
    assert model.down.training


def test_the_model_is_left_as_it_was_when_the_analysis_gives_up() -> None:
    def forward(m: Any, x: Tensor) -> Tensor:
        m.cache = x
        rows = {i: x[:, :, i] for i in range(x.shape[2])}
        return torch.cat(list(rows.values()), -1)

    model = Model(forward)
    analysis = shapelint.analyze(model, ("N", 3, "H", "W"))
    assert analysis.certainty == "enumerated"
    assert not hasattr(model, "cache")
    assert analysis.output_shape(H=3, W=4) == (1, 3, 12)


def test_an_operation_that_fails_inside_a_try_is_not_taken_as_refused() -> None:
    def forward(m: Any, x: Tensor) -> Tensor:
        try:
            return F.max_pool2d(x, 4)
        except RuntimeError:
            return x

    analysis = shapelint.analyze(Model(forward), ("N", 3, "H", "W"))
    assert analysis.certainty == "proven"
    assert analysis.output_shape(H=3, W=9) == (1, 3, 3, 9)
    assert analysis.output_shape(H=4, W=9) == (1, 3, 1, 2)


class Pooled(nn.Module):
    """A submodule that refuses small inputs: torch raises, or its own check."""

    def __init__(self, *, checks: bool) -> None:
        super().__init__()
        self.checks = checks

    def forward(self, x: Tensor) -> Tensor:
        if self.checks:
            if x.shape[2] < 4:
                raise RuntimeError("too small")
            return x[:, :, ::4]
        return F.max_pool2d(x, 4)


class Cautious(nn.Module):
    """A model that calls its submodule inside a ``try``."""

    def __init__(self, *, checks: bool, handler: str) -> None:
        super().__init__()
        self.pooled = Pooled(checks=checks)
        self.handler = handler
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        return self.raising(x) if self.handler == "raises" else self.ending(x)

    def ending(self, x: Tensor) -> Tensor:
        try:
            return self.pooled(x)
        except RuntimeError:
            return x

    def raising(self, x: Tensor) -> Tensor:
        try:
            return self.pooled(x)
        except RuntimeError as error:
            raise ValueError("cannot pool") from error
        finally:
            self.calls += 1


@pytest.mark.parametrize("checks", [False, True], ids=["torch raises", "its own check raises"])
def test_a_caller_that_catches_what_a_module_raises_goes_on(checks: bool) -> None:
    analysis = shapelint.analyze(Cautious(checks=checks, handler="goes on"), ("N", 3, "H", 8))
    assert analysis.certainty == "enumerated"
    assert "inside a `try` or `with`" in analysis.certainty_reasons[0]
    assert analysis.output_shape(H=3) == (1, 3, 3, 8)


@pytest.mark.parametrize("checks", [False, True], ids=["torch raises", "its own check raises"])
def test_a_caller_that_raises_again_or_only_cleans_up_refuses(checks: bool) -> None:
    analysis = shapelint.analyze(Cautious(checks=checks, handler="raises"), ("N", 3, "H", 8))
    assert analysis.certainty == "proven"
    assert [size for size in range(1, 8) if analysis.accepts(H=size)] == [4, 5, 6, 7]


def _crop_by_tensors(m: Any, x: Tensor) -> Tensor:
    """How one published U-Net crops a skip: the sizes are kept in tensors until F.pad."""
    y = F.max_pool2d(x, 3)
    crop = torch.tensor(x.shape)[2:] - torch.tensor(y.shape)[2:]
    half = (crop / 2).int()
    return F.pad(x, (-torch.stack((half, half)).t().flatten()).tolist())


def _sizes_in_a_tensor(m: Any, x: Tensor) -> Tensor:
    shape = torch.tensor([[x.shape[2], x.shape[3]], [3, 5]])
    longest = int(torch.max(shape.flatten()[:2]))
    return x.new_zeros(longest, int(shape.prod()), int((shape[0] * torch.tensor([2, 3])).sum()))


@pytest.mark.parametrize("forward", [_crop_by_tensors, _sizes_in_a_tensor])
def test_sizes_that_are_kept_in_tensors(forward: Callable[[Any, Tensor], Any]) -> None:
    analysis = shapelint.analyze(Model(forward), (1, 3, "H", "W"))
    assert analysis.certainty == "proven"
    for height in range(3, 20):
        for width in (3, 7, 16):
            try:
                expected = tuple(forward(None, torch.zeros(1, 3, height, width)).shape)
            except RuntimeError:
                assert not analysis.accepts(H=height, W=width)
            else:
                assert analysis.output_shape(H=height, W=width) == expected


@pytest.mark.parametrize(
    "forward",
    [
        lambda x: torch.Tensor(x),
        lambda x: torch.Tensor(torch.zeros(x.shape[2], 3)),
        lambda x: torch.Tensor(x.shape[0], x.shape[2]),
        lambda x: torch.Tensor(x.shape),
        lambda x: torch.Tensor([x.shape[0], x.shape[2]]),
        lambda x: x.as_subclass(torch.Tensor),
        lambda x: x.new(x.shape[2], 2),
        lambda x: x.new(x.shape),
        lambda x: x.new([x.shape[2], 2]),
        lambda x: x.new(x),
        lambda x: torch.cat([x.new(), x.new(2 * x.shape[2])]),
        lambda x: torch.autograd.Variable(x[..., : x.shape[2] // 2]),
        lambda x: torch.autograd.Variable(torch.zeros(3, x.shape[2]), requires_grad=True) + x,
        lambda x: x.new_tensor([1.0, 2.0]).expand(x.shape[2], 2),
        lambda x: x.new_tensor([[1.0], [2.0]]).expand((*x.shape[1:], 2, -1)),
        lambda x: x.new_tensor([1.0, 2.0, 3.0])[: x.shape[2]],
        lambda x: x.new_tensor([1.0, 2.0])[(1,)].expand(3, 1),
        lambda x: torch.zeros(torch.broadcast_shapes((3, 1, x.shape[2]), (x.shape[1], 1), x.shape[2])),
    ],
)
def test_tensors_that_are_constructed(forward: Callable[[Tensor], Tensor]) -> None:
    analysis = shapelint.analyze(Model(lambda m, x: forward(x)), (1, 3, "H"))
    assert analysis.certainty == "proven"
    for size in range(1, 5):
        assert analysis.output_shape(H=size) == tuple(forward(torch.zeros(1, 3, size)).shape)
    assert torch.Tensor([1.0, 2.0]).tolist() == [1.0, 2.0]


def test_one_of_two_conditions_but_not_both() -> None:
    def forward(m: Any, x: Tensor) -> Tensor:
        tall, wide = x.shape[2] > 4, x.shape[3] > 6
        x = x[..., 1:] if tall ^ wide else x
        return x[:, :, 1:] if True ^ wide else x

    analysis = shapelint.analyze(Model(forward), (1, 3, "H", "W"))
    assert analysis.certainty == "proven", analysis.certainty_reasons
    for height in range(3, 8):
        for width in range(4, 10):
            assert analysis.output_shape(H=height, W=width) == tuple(forward(0, torch.zeros(1, 3, height, width)).shape)


def test_libraries_for_several_frameworks_take_a_traced_tensor_for_torchs() -> None:
    def forward(m: Any, x: Tensor) -> Tensor:
        framework = type(x).__module__.partition(".")[0]
        return __import__(framework).einsum("nchw,nchw->nhw", x, x)

    analysis = shapelint.analyze(Model(forward), (1, 3, "H", 8))
    assert analysis.certainty == "proven"
    assert analysis.output_shape(H=5) == (1, 5, 8)


def test_modules_are_left_where_they_are() -> None:
    model = Model(lambda m, x: m.down.to(x)(x) + m.down.to(x.device)(x) + m.down.double().float()(x))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    analysis = shapelint.analyze(model, (1, 3, "H", 8))
    assert analysis.certainty == "proven"
    assert analysis.output_shape(H=9) == (1, 3, 5, 4)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_autocast_for_the_device_of_the_input() -> None:
    def forward(m: Any, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=torch.is_autocast_enabled(x.device.type)):
            y = m.down(x).to(torch.get_autocast_dtype(x.device.type))
        assert y.shape[2] % 2 == 0
        return y

    analysis = shapelint.analyze(Model(forward), ("N", 3, "H", 8))
    assert analysis.certainty == "proven"
    assert [size for size in range(1, 9) if analysis.accepts(H=size)] == [3, 4, 7, 8]
    assert analysis._runner.run({"N": 1, "H": 8}).error is None
    with pytest.raises(RuntimeError):
        torch.get_autocast_dtype("meta")


def test_builtins_are_put_back() -> None:
    shapelint.analyze(Model(_arithmetic), ("N", 3, "H", "W"))
    assert "int" not in globals()
    assert "max" not in globals()
    assert math.sqrt(16) == 4
    assert nn.Module.__call__.__module__ == "torch.nn.modules.module"


def test_to_compare_dtypes_with_weights_takes_no_torch_function(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def call_real(func: Any, args: Any, kwargs: Any) -> Any:
        asked.append(func)
        return func(*args, **kwargs)

    monkeypatch.setattr(eager, "call_real", call_real)
    analysis = shapelint.analyze(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)), ("N", 3, "H", "W"))
    assert analysis.certainty == "proven"
    assert asked == []


METHODS = ("__call__", "__setattr__", "__delattr__", "to", "_apply")


def test_methods_of_all_modules_are_put_back() -> None:
    def are() -> list[Any]:
        functions = [vars(nn.Module)[name] for name in METHODS]
        return [(f, f.__code__, f.__defaults__, f.__kwdefaults__) for f in functions]

    within: list[Any] = []

    def forward(m: Any, x: Tensor) -> Tensor:
        within.extend(are())
        return x

    before = are()
    shapelint.analyze(Model(forward), ("N", 3, "H", "W"))
    assert are() == before
    assert not any(inside == outside for inside, outside in zip(within, before, strict=True))


def test_another_thread_uses_modules_as_ever_while_one_traces() -> None:
    others = nn.Linear(2, 2)

    def forward(m: Any, x: Tensor) -> Tensor:
        with ThreadPoolExecutor(1) as executor:
            executor.submit(others.to, torch.float64).result()
            executor.submit(setattr, others, "name", "linear").result()
            assert executor.submit(others, torch.zeros(1, 2, dtype=torch.float64)).result().shape == (1, 2)
        return x

    analysis = shapelint.analyze(Model(forward), ("N", 3, "H", "W"))
    assert analysis.certainty == "proven"
    assert others.weight.dtype == torch.float64
    assert others.name == "linear"


def test_independent_branches_add_up_instead_of_multiplying() -> None:
    class Block(nn.Module):
        def __init__(self, period: int) -> None:
            super().__init__()
            self.period = period

        def forward(self, x: Tensor) -> Tensor:
            return F.relu(x) if x.shape[2] % self.period else F.pad(x, (0, 0, 1, 1))[:, :, 1:-1]

    model = nn.Sequential(*(Block(2 + i % 5) for i in range(40)))
    analysis = shapelint.analyze(model, ("N", 3, "H", "W"))
    assert analysis.trace is not None
    assert analysis.trace.runs <= 1 + 2 * 40
    for h in (101, 60, 7):
        assert analysis.output_shape(H=h, W=5) == oracle.run(model, (1, 3, h, 5))


def test_effort_is_bounded_and_the_answer_says_so() -> None:
    def forward(m: Any, x: Tensor) -> Tensor:
        for i in range(20):
            x = x[:, :, 1:] if x.shape[2] % (i + 3) == 1 else x
        return x

    analysis = shapelint.analyze(Model(forward), ("N", 3, "H", "W"), limits=Limits(paths_per_module=8))
    assert analysis.certainty == "enumerated"
    assert "more than 8 paths" in analysis.certainty_reasons[0]
    assert analysis.output_shape(H=31, W=5) == oracle.run(Model(forward), (1, 3, 31, 5))


def test_a_loop_that_only_contents_end_is_given_up() -> None:
    def forward(m: Any, x: Tensor) -> Tensor:
        first = 0
        while x[0, 0, first, 0] > 0:
            first += 1
        return x[:, :, first:]

    analysis = shapelint.analyze(Model(forward), ("N", 3, "H", "W"))
    assert analysis.certainty == "enumerated"
    (reason,) = analysis.certainty_reasons
    line = forward.__code__.co_firstlineno + 2
    wanted = "more than 64 branches on what tensors hold follow one another, and no size ends that"
    assert reason == f"{wanted} (at test_tracing.py:{line})"
    assert analysis.output_shape(H=31, W=5) == (1, 3, shapelint.DATA_DEPENDENT, 5)


def test_an_operation_without_a_rule_is_probed_and_named() -> None:
    @torch.library.custom_op("shapelint_tests::thirds", mutates_args=(), schema="(Tensor x) -> Tensor")
    def thirds(x: Tensor) -> Tensor:
        return x[..., ::3].clone()

    @thirds.register_fake
    def _(x: Tensor) -> Tensor:
        return x.new_empty((*x.shape[:-1], (x.shape[-1] + 2) // 3))

    analysis = shapelint.analyze(Model(lambda m, x: thirds(x)), ("N", 3, "H", "W"))
    assert analysis.certainty in {"probed", "enumerated"}
    assert "thirds" in analysis.certainty_reasons[0]
    assert analysis.output_shape(H=5, W=10) == (1, 3, 5, 4)


def test_a_bug_of_the_models_own_is_not_a_size_it_refuses() -> None:
    analysis = shapelint.analyze(Model(lambda m, x: m.no_such_layer(x)), ("N", 3, "H", "W"))
    assert not analysis.accepts(H=8, W=8)
    reason = analysis.why_not(H=8, W=8)
    assert reason is not None
    assert "no_such_layer" in f"{reason.message} {reason.why}"


class LearnedQueries(nn.Module):
    """Queries that are learned meet themselves before they meet the image: much to compute, and no size in it."""

    def __init__(self) -> None:
        super().__init__()
        self.queries = nn.Parameter(torch.zeros(200, 128))
        self.proj = nn.Linear(128, 128)

    def forward(self, x: Tensor) -> Tensor:
        queries = self.proj(self.queries)
        return queries @ x.flatten(2).mean(2, keepdim=True).expand(-1, 128, -1)


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_what_learned_tensors_alone_determine_is_not_computed(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[object] = []
    original = eager.call_real
    monkeypatch.setattr(eager, "call_real", lambda func, a, k: (called.append(func), original(func, a, k))[1])
    analysis = shapelint.analyze(LearnedQueries().to(device), ("N", 1, "H", "W"))
    assert analysis.certainty == "proven"
    assert analysis.output_shape(H=7, W=5) == (1, 200, 1)
    assert F.linear not in called


def test_a_long_reason_is_cut_short_and_keeps_its_line() -> None:
    def forward(m: Any, x: Tensor) -> Tensor:
        h = x.shape[2]
        for step in range(2, 40):
            h = h // step + (h + step) // 3
        return x.new_zeros([len(range(h))])

    (reason,) = shapelint.analyze(Model(forward), ("N", 3, "H", "W")).certainty_reasons
    assert reason.startswith("a plain number is needed where the size is ")
    assert " … " in reason
    assert reason.endswith(f" (at test_tracing.py:{forward.__code__.co_firstlineno + 4})")
    assert len(reason) < 300


@pytest.mark.parametrize(
    ("forward", "named"),
    [
        (lambda m, x: torch.FloatTensor(x.shape[2], 2), "torch.FloatTensor(x.shape[2], 2)"),
        (lambda m, x: torch.LongTensor([x.shape[2]]), "torch.LongTensor([x.shape[2]])"),
    ],
)
def test_what_is_computed_within_pytorch_is_named_as_it_is_written(forward: Any, named: str) -> None:
    (reason,) = shapelint.analyze(Model(forward), ("N", 3, "H", "W")).certainty_reasons
    assert reason.startswith(f"`{named}` needs a plain number where the size is H")


def test_a_tensor_is_given_another_shape_in_place() -> None:
    model = Model(lambda m, x: (x.new_empty(0).resize_(x.shape[2], 4), x[0, 0, :1].clone().resize_as_(x[:, 0])))
    analysis = shapelint.analyze(model, ("N", 3, "H", "W"))
    assert analysis.certainty == "proven"
    for height, width in itertools.product(range(1, 6), repeat=2):
        sizes = {"N": 2, "H": height, "W": width}
        assert oracle.compare(analysis, oracle.run(model, (2, 3, height, width)), sizes) is None


def test_a_tensor_of_plain_sizes_that_gets_others_in_place_is_no_proof() -> None:
    def forward(m: Any, x: Tensor) -> Tensor:
        y = torch.zeros(1)
        y.resize_(x.shape[2], x.shape[3])
        return x + y

    analysis = shapelint.analyze(Model(forward), ("N", 3, "H", "W"))
    assert analysis.certainty == "enumerated"
    assert analysis.accepts(H=5, W=7)


def test_results_too_different_to_be_brought_together_end_the_proof_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def join(members: Any, join_tensors: Any) -> Any:
        raise TooComplex("the paths of a branch overlap")

    monkeypatch.setattr(tracer.exploring, "join", join)
    analysis = shapelint.analyze(nn.ReLU(), ("N", 3, "H"))
    assert analysis.certainty == "enumerated"
    assert "the paths of a branch overlap" in analysis.certainty_reasons[0]
    assert analysis.output_shape(H=7) == (1, 3, 7)


@pytest.fixture
def restless_threads() -> Iterator[None]:
    """Threads that hardly let each other run."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("restless_threads")
def test_analyses_in_several_threads_give_what_one_gives() -> None:
    def sizes(forward: Callable[[Any, Tensor], Any]) -> str:
        return str(shapelint.analyze(Model(forward), ("N", 3, "H", "W")).valid_sizes)

    with ThreadPoolExecutor(4) as executor:
        assert list(executor.map(sizes, FORWARDS[:8])) == [sizes(forward) for forward in FORWARDS[:8]]
    assert nn.Module.__call__.__code__ is calls._original_call.__code__


def test_a_model_that_branches_otherwise_when_it_is_run_again_is_not_proven() -> None:
    runs = []

    def forward(m: Any, x: Tensor) -> Tensor:
        runs.append(x)
        return m.down(x) if x.shape[2 + len(runs) % 2] > 4 else x

    analysis = shapelint.analyze(Model(forward), ("N", 3, "H", "W"))
    assert analysis.certainty == "enumerated"
    assert analysis.certainty_reasons[0].startswith("run again, the model branches on")


def test_what_a_rule_refuses_on_one_path_is_not_taken_for_a_fault_of_the_tracing() -> None:
    class Refusing(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if x.shape[-1] < 4:
                return x.kthvalue(4).values
            return {}["no such key"]

    analysis = shapelint.analyze(Refusing(), ("N", 2, "T"))
    assert analysis.certainty == "proven", analysis.certainty_reasons
    assert analysis.valid_sizes.is_empty()


def test_a_result_written_into_a_tensor_of_no_size_is_run() -> None:
    class Writing(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            out = torch.empty(0)
            torch.add(x, 1, out=out)
            return out

    analysis = shapelint.analyze(Writing(), ("N", 2, "T"))
    assert analysis.certainty == "enumerated"
    assert "out=" in analysis.certainty_reasons[0]
    assert analysis.output_shape(N=2, T=7) == (2, 2, 7)


def test_layers_made_for_the_size_of_the_input_are_followed() -> None:
    class Making(nn.Module):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
            places = torch.arange(x.shape[-1])
            return nn.Linear(x.shape[-1], 4)(x), nn.Embedding(x.shape[-1], 2)(places), nn.LayerNorm(x.shape[-1])(x)

    analysis = shapelint.analyze(Making(), ("N", 2, "T"))
    assert analysis.certainty == "proven", analysis.certainty_reasons
    assert analysis.output_shape(N=3, T=7) == ((3, 2, 4), (7, 2), (3, 2, 7))


def test_what_data_decide_to_return_is_not_proven() -> None:
    """Of two structures for the same sizes neither is the one the model returns."""

    class Single(nn.Module):
        def forward(self, x: torch.Tensor) -> Any:
            return x[..., 1:] if (x > 0).any() else (x, x)

    class Pair(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = Single()

        def forward(self, x: torch.Tensor) -> Any:
            return self.inner(x)

    for model in (Single(), Pair()):
        analysis = shapelint.analyze(model, ("N", 3, "T"))
        assert analysis.certainty == "enumerated"
        assert "what tensors hold" in " ".join(analysis.certainty_reasons)


class Numbers(nn.Module):
    """Computes with numbers in 0-d tensors and returns as many columns as they say."""

    step: torch.Tensor

    def __init__(self, count: Callable[[Any, int], Any], dtype: torch.dtype = torch.int64) -> None:
        super().__init__()
        self.register_buffer("step", torch.tensor(3, dtype=dtype))
        self._count = count

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.new_zeros(1, int(self._count(self, x.shape[-1])))


def _aliased(m: Numbers, size: int) -> Any:
    same = m.step + size
    other = same.to(torch.int64)
    other += 5
    return same


NUMBERS: dict[str, Callable[[Numbers, int], Any]] = {
    "codec": lambda m, t: torch.ceil((t - m.step + 4) / m.step + 1).to(torch.int64) * m.step + 3 - m.step,
    "again and again": lambda m, t: ((t + m.step) - m.step + (t + m.step)) - m.step,
    "floored": lambda m, t: (t + m.step) // 2 + (t + m.step) // m.step,
    "compared": lambda m, t: t + (1 if (t + m.step) * 2 > m.step + 30 else 2),
    "truth": lambda m, t: (t - m.step + 9).to(torch.bool).to(torch.int64) + (m.step - m.step).to(torch.bool),
    "as they were": _aliased,
    "a float": lambda m, t: (t + m.step) * 0.5 + (t + m.step) / 2,
}


@pytest.mark.parametrize("count", NUMBERS.values(), ids=NUMBERS)
def test_numbers_in_tensors_are_what_pytorch_makes_of_them(count: Callable[[Numbers, int], Any]) -> None:
    # twice, as the dtypes of the first time are remembered
    for dtype in (torch.int64, torch.int32, torch.float32, torch.int64):
        analysis = shapelint.analyze(Numbers(count, dtype), (1, "T"))
        asked = oracle.Oracle(functools.partial(Numbers, count, dtype), (1, "T"), device="cpu")
        assert oracle.same_answer(analysis, asked, [{"T": size} for size in range(1, 40)]) == []


def test_the_dtype_of_numbers_in_tensors_is_not_that_of_another_default() -> None:
    class Halved(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            half = torch.tensor(x.shape[-1]) / 2
            return (half + 1).expand(x.shape[-1])

    dtypes = []
    before = torch.get_default_dtype()
    try:
        for default in (torch.float32, torch.float64, torch.float32):
            torch.set_default_dtype(default)
            trace = shapelint.analyze(Halved(), (1, "T")).trace
            assert trace is not None
            dtypes.append(trace.outcomes[0][1].dtype)
    finally:
        torch.set_default_dtype(before)
    assert dtypes == [torch.float32, torch.float64, torch.float32]


class Reordered(nn.Module):
    """Dimensions reordered by a tensor of their numbers."""

    def forward(self, x: Tensor) -> Tensor:
        first = torch.tensor([1, 0], device=x.device)
        order = torch.cat((first, torch.arange(2, x.ndim, device=x.device)))
        return x.permute(*order)


class Counted(nn.Module):
    """A size and a position out of a tensor."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        places = torch.tensor([0, 4, 1], device=x.device)
        return x.new_zeros(int(places.max()) + 2, x.shape[2]), x[:, places[1].item()]


@pytest.mark.parametrize("model", [Reordered, Counted])
def test_numbers_put_on_the_device_of_the_input_are_known(model: type[nn.Module]) -> None:
    shape = ("N", "C", "W")
    analysis = shapelint.analyze(model(), shape)
    assert analysis.certainty == "proven", analysis.certainty_reasons
    asked = oracle.Oracle(model, shape, device="cpu")
    assert oracle.same_answer(analysis, asked, [{"N": 2, "C": c, "W": w} for c in range(1, 9) for w in (1, 3)]) == []


def test_numbers_that_no_size_decides_are_known_whatever_they_were_computed_from() -> None:
    class Cut(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            ones = torch.ones_like(x[:1, :1, :1], dtype=torch.long)
            return x[:, : int((ones * 3).sum() - 1)]

    analysis = shapelint.analyze(Cut(), ("N", "C", "W"))
    assert analysis.certainty == "proven", analysis.certainty_reasons
    assert analysis.output_shape(N=1, C=7, W=2) == (1, 2, 2)


def test_a_layer_that_is_given_no_sizes_is_as_good_as_any_other() -> None:
    class Weighing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used = 0
            self.width = 0

        def forward(self, weight: torch.Tensor, sign: int = 1) -> torch.Tensor:
            self.used = self.used + sign
            if self.width % 2:  # a size, though none is given
                raise ValueError("odd sizes are not weighed")
            return weight * self.used

    class Weighed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(3, 3, 1))
            self.weighing = nn.utils.parametrizations.weight_norm(nn.Conv1d(3, 3, 1))
            self.inner = Weighing()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.inner.used, self.inner.width = 0, x.shape[-1]
            x = self.weighing(x)
            if x.shape[-1] > 9:
                x = x[..., 2:]
            weight = self.inner(self.weight)
            weight = self.inner(weight, sign=1)
            return x[..., self.inner.used :] + F.conv1d(x, weight).mean()

    model = Weighed()
    analysis = shapelint.analyze(model, ("N", 3, "T"))
    assert (model.inner.used, model.inner.width) == (0, 0)
    assert analysis.certainty == "proven"
    asked = oracle.Oracle(Weighed, ("N", 3, "T"), device="cpu")
    assert oracle.same_answer(analysis, asked, [{"N": 2, "T": size} for size in range(1, 24)]) == []
    assert analysis.trace is not None
    assert {failure.layer for failure in analysis.trace.failures if failure.error is not None} == {"inner"}


class Scaling(nn.Module):
    def __init__(self, forward: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self._forward = forward

    def forward(self, x: Tensor) -> Any:
        return self._forward(x)


SCALES: dict[str, Callable[[Tensor], Any]] = {
    "decibels": lambda x: torch.clamp(x, min=x.max().item() - 80.0),
    "to one": lambda x: (x / (x.abs().max().item() + 1.0))[:, 1:],
    "filled": lambda x: torch.full((x.shape[1],), x.mean().item()),
    "bordered": lambda x: F.pad(x, (0, 1), value=x.min().item()),
}


@pytest.mark.parametrize("forward", SCALES.values(), ids=SCALES)
def test_a_float_that_data_decide_may_scale(forward: Callable[[Tensor], Any]) -> None:
    analysis = shapelint.analyze(Scaling(forward), ("N", "T"))
    assert analysis.certainty == "proven", analysis.certainty_reasons
    asked = oracle.Oracle(lambda: Scaling(forward), ("N", "T"), device="cpu")
    assert oracle.same_answer(analysis, asked, [{"N": 2, "T": t} for t in range(1, 9)]) == []


DECIDING: dict[str, Callable[[Tensor], Any]] = {
    "compared": lambda x: x if x.max().item() > 1 else x[:, 1:],
    "a size": lambda x: x[:, : int(x.max().item()) + 1],
    "rounded": lambda x: x[:, : math.ceil(x.max().item() * 2) + 1],
    "of several": lambda x: x * x[0].item(),
}


@pytest.mark.parametrize("forward", DECIDING.values(), ids=DECIDING)
def test_a_float_that_data_decide_may_not_decide(forward: Callable[[Tensor], Any]) -> None:
    analysis = shapelint.analyze(Scaling(forward), ("N", "T"))
    assert analysis.certainty == "enumerated"
    assert analysis.accepts(N=1, T=2) is (forward is not DECIDING["of several"])


class Halving(nn.Module):
    """A block whose class has a call in the place of ``forward``."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 3, 3)

    def __call__(self, x: Tensor, halved: bool = False) -> Tensor:
        return self.layer(F.max_pool2d(x, 2) if halved else x)


class Halved(nn.Module):
    """A model whose class has a call in the place of ``forward``, and parts like that."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = Halving(), Halving()

    def __call__(self, image: Tensor) -> Tensor:
        return self.second(self.first(image), halved=image.shape[2] > 9)


class Framed(nn.Module):
    """A model whose class pads the input before PyTorch calls ``forward``."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 3, 3)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return super().__call__(F.pad(args[0], (0, args[0].shape[3] % 2, 0, 1)), *args[1:], **kwargs)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x)


class Around(nn.Module):
    """A model whose parts have calls of their own, one of them on some sizes alone."""

    def __init__(self) -> None:
        super().__init__()
        self.framed, self.halving = Framed(), Halving()

    def forward(self, x: Tensor) -> Tensor:
        x = self.framed(x)
        return self.halving(self.framed(x), halved=True) if x.shape[2] > 12 else x


@pytest.mark.parametrize("shape", [("N", 3, "H", "W"), None])
@pytest.mark.parametrize("model", [Halved, Framed, Around])
def test_a_call_that_a_class_puts_in_the_place_of_pytorchs(
    model: type[nn.Module], shape: tuple[str | int, ...] | None
) -> None:
    analysis = shapelint.analyze(model(), shape)
    assert analysis.certainty == "proven", analysis.certainty_reasons
    asked = oracle.Oracle(model, ("N", 3, "H", "W"), device="cpu")
    envs = [{"N": 1, "H": h, "W": w} for h in range(1, 20) for w in (1, 2, 3, 7, 8, 12)]
    assert oracle.same_answer(analysis, asked, envs) == []
