"""Functions of a model's own code are explored like modules, where loops or branches in them call for it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import shapelint
from shapelint.sizes.dim import dim
from shapelint.tracing.functions import Explored, functions_above, functions_around, is_plain_call
from shapelint.tracing.tensor import symbolic_tensor
from tests import oracle
from tests.test_random_loops import QUICK


def decorated(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: Any) -> Any:
        return function(*args)

    return wrapper


def stop() -> Any:
    raise KeyError("stop")


class Calling(nn.Module):
    def forward(self, x: Tensor) -> Any:
        return self.outer(x)

    @decorated
    def outer(self, x: Tensor) -> Any:
        return list(self.bit_by_bit(x))

    def bit_by_bit(self, x: Tensor) -> Iterator[Any]:
        yield stop()

    def other(self, x: Tensor) -> Tensor:
        return x

    @staticmethod
    def no_method() -> None:
        """It is not asked for sizes."""


def test_the_functions_that_an_exception_came_through_and_others_of_their_classes() -> None:
    with pytest.raises(KeyError) as caught:
        Calling()(torch.ones(1))
    names = [function.__name__ for function in functions_around(caught.value)]
    assert set(names) >= {"outer", "other", "stop"}
    assert not {"forward", "__init__", "bit_by_bit", "no_method"} & set(names)
    assert vars(Calling)["outer"] in functions_around(caught.value)


def with_a_variable_without_value(function: Callable[..., Any]) -> Callable[..., Any]:
    def wrapper(*args: Any) -> Any:
        return function(*args) if args else later

    if function is stop:
        later = None
    return wrapper


class Wrapped(nn.Module):
    def forward(self, x: Tensor) -> Any:
        return self.inner(x)

    @with_a_variable_without_value
    def inner(self, x: Tensor) -> Any:
        return stop()


def test_a_decorator_whose_variables_have_no_value_is_looked_through() -> None:
    with pytest.raises(KeyError) as caught:
        Wrapped()(torch.ones(1))
    assert vars(Wrapped)["inner"] in functions_around(caught.value)


def _with_contents() -> Tensor:
    tensor = symbolic_tensor((2,), torch.int64)
    tensor.value = [dim("T"), 3]
    return tensor


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (symbolic_tensor((1, dim("T")), torch.float32), True),
        ([symbolic_tensor((1, dim("T")), torch.float32), (dim("T"), 3, "same", None)], True),
        (nn.Identity(), True),
        (_with_contents(), False),
        (iter([]), False),
        (object(), False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_a_function_may_be_given(value: Any, plain: bool) -> None:
    assert is_plain_call((value,), {}) is plain
    assert is_plain_call((), {"value": value}) is plain


def tiles(x: Tensor, step: int) -> Tensor:
    kept = []
    for at in range(0, x.shape[-1], step):
        kept.append(x[..., at : at + step])
    return torch.cat(kept, -1)


class Sides(nn.Module):
    """Three methods with a loop and a branch each, one after the other."""

    def one(self, x: Tensor) -> Tensor:
        x = tiles(x, 3)
        return F.pad(x, (0, 1)) if x.shape[-1] % 2 else x

    def two(self, x: Tensor) -> Tensor:
        x = tiles(x, 4)
        return x[..., 1:] if x.shape[-1] > 12 else x

    def three(self, x: Tensor) -> Tensor:
        x = tiles(x, 5)
        return x * 2 if x.shape[-1] > 7 else F.pad(x, (2, 0))

    def forward(self, x: Tensor) -> Tensor:
        return self.three(self.two(self.one(x)))


class Caught(nn.Module):
    """Deals with what its own method raises for some sizes."""

    def checked(self, x: Tensor) -> Tensor:
        last = x
        for t in range(x.shape[-1]):
            last = torch.cat([last, x[..., t : t + 1]], -1)
        if x.shape[-1] % 4:
            raise ValueError("multiples of 4")
        return last

    def forward(self, x: Tensor) -> Tensor:
        x = self.checked(F.pad(x, (0, -x.shape[-1] % 4)))[..., ::3]
        try:
            return self.checked(x)
        except ValueError:
            return F.pad(x, (0, -x.shape[-1] % 4))


class Filling(nn.Module):
    """Hands a list to its methods, which fill it, one of them on one side of a branch only."""

    def fill(self, x: Tensor, kept: list[Tensor]) -> Tensor:
        if x.shape[-1] > 6:
            kept.append(x[..., :2])
        else:
            kept.append(x[..., :1])
        return tiles(x, 2)

    def forward(self, x: Tensor) -> Any:
        kept: list[Tensor] = []
        x = self.fill(self.fill(x, kept), kept)
        return x, torch.cat(kept, -1)


class Setting(nn.Module):
    """Sets an attribute in a method, which another one reads."""

    def __init__(self) -> None:
        super().__init__()
        self.length = 0

    def note(self, x: Tensor) -> Tensor:
        x = tiles(x, 3)
        self.length = 5
        if x.shape[-1] > 5:
            self.length = x.shape[-1] + 1
        return x

    def restored(self, x: Tensor) -> Tensor:
        return F.interpolate(x, size=self.length)

    def forward(self, x: Tensor) -> Tensor:
        return self.restored(self.note(x)[..., :2])


class Structures(nn.Module):
    """Its method returns another structure for other sizes."""

    def split(self, x: Tensor) -> Any:
        x = tiles(x, 3)
        return (x[..., :4], x[..., 4:]) if x.shape[-1] > 4 else x

    def forward(self, x: Tensor) -> Tensor:
        parts = self.split(x)
        return parts[1] if isinstance(parts, tuple) else parts


class Raising(nn.Module):
    """Its method refuses some sizes after a loop."""

    def checked(self, x: Tensor) -> Tensor:
        x = tiles(x, 3)
        if x.shape[-1] < 4:
            raise ValueError("at least 4 columns")
        return x[..., 3:] if x.shape[-1] > 9 else x

    def forward(self, x: Tensor) -> Tensor:
        return self.checked(x) + 1


class Noting(nn.Module):
    """Sets an attribute that is a number after one round of a loop, and a size after another."""

    def __init__(self) -> None:
        super().__init__()
        self.last = 0

    def noted(self, x: Tensor) -> Tensor:
        self.last = x.shape[-1]
        return F.pad(x, (0, self.last))

    def forward(self, x: Tensor) -> Tensor:
        kept = []
        for at in range(0, x.shape[-1], 4):
            kept.append(self.noted(x[..., at : at + 4]))
        return torch.cat(kept, -1)


class Same(nn.Module):
    """Its method returns what it was given for some sizes, which the caller then writes into."""

    def padded(self, x: Tensor) -> Tensor:
        if x.shape[-1] % 3:
            x = F.pad(x, (0, -x.shape[-1] % 3))
        return x

    def forward(self, x: Tensor) -> Any:
        x = tiles(x, 3)
        y = self.padded(x)
        y.unsqueeze_(0)
        return y.squeeze(0), tiles(y, 2)


class Counting(nn.Module):
    """Counts in attributes, in a method with a loop that takes several plans until it can be followed."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = 1
        self.kept: list[Tensor] = []

    def looping(self, x: Tensor) -> Tensor:
        self.seen += 1
        self.first = self.seen
        last = None
        for t in range(x.shape[-1]):
            last = x[..., t : t + 1] if last is None else torch.cat([last, x[..., t : t + 1]], -1)
        self.kept = [last]
        self.seen += self.first
        del self.first
        return F.pad(last, (0, self.seen))

    def forward(self, x: Tensor) -> Tensor:
        x = self.looping(tiles(x, 3))
        more = 7 if hasattr(self, "first") else 1
        return torch.cat([F.pad(x, (0, more)), *self.kept, x[..., : self.seen]], -1)


@pytest.mark.parametrize("network", [Sides, Caught, Filling, Setting, Structures, Raising, Noting, Same, Counting])
def test_a_network_of_functions_is_as_pytorch_has_it(network: type[nn.Module], monkeypatch: pytest.MonkeyPatch) -> None:
    # they have few parts, and their functions shall be followed again from where they begin
    monkeypatch.setattr("shapelint.tracing.recalling.MANY_PARTS", -1)
    analysis = shapelint.analyze(network(), ("N", 2, "T"), limits=QUICK)
    assert analysis.certainty == "proven", analysis.certainty_reasons
    for t in range(1, 28):
        result = oracle.run(network(), (1, 2, t), device="cpu")
        assert oracle.compare(analysis, result, {"N": 1, "T": t}) is None, t


def test_the_paths_of_functions_add_up() -> None:
    analysis = shapelint.analyze(Sides(), ("N", 2, "T"))
    assert analysis.trace is not None
    # a method's two sides, and those of its loop, do not multiply with those of the next
    assert analysis.trace.runs < 40


def match(x: Tensor, like: Tensor) -> Tensor:
    if x.shape[-1] != like.shape[-1]:
        x = F.interpolate(x, size=like.shape[-1])
    return x


class Levels(nn.Module):
    """A decoder that fits each level to its skip, by a function for some and a method for others."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList(nn.Conv1d(2, 2, 3, stride=2, padding=1) for _ in range(8))
        self.up = nn.ModuleList(nn.ConvTranspose1d(2, 2, 2, stride=2) for _ in range(8))

    def fitted(self, x: Tensor, like: Tensor) -> Tensor:
        if x.shape[-1] > like.shape[-1]:
            return x[..., : like.shape[-1]]
        return match(x, like)

    def forward(self, x: Tensor) -> Tensor:
        skips = []
        for down in self.down:
            skips.append(x)
            x = down(x)
        for level, up in enumerate(self.up):
            skip = skips.pop()
            x = up(x)
            x = skip + (match(x, skip) if level % 2 else self.fitted(x, skip))
        return x


def test_branches_in_functions_do_not_multiply() -> None:
    analysis = shapelint.analyze(Levels(), ("N", 2, "T"))
    assert analysis.certainty == "proven", analysis.certainty_reasons
    assert analysis.trace is not None
    assert analysis.trace.runs < 60
    assert all(analysis.output_shape(N=1, T=t) == (1, 2, t) for t in (1, 2, 17, 255, 256, 257))


def test_the_functions_above_end_at_the_forward() -> None:
    found: list[str] = []

    class Network(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return self.inner(x)

        def inner(self, x: Tensor) -> Tensor:
            return noting(x)

    def noting(x: Tensor) -> Tensor:
        found.extend(function.__name__ for function in functions_above())
        return x

    globals()["noting"] = noting
    try:
        Network()(torch.ones(1))
    finally:
        del globals()["noting"]
    assert found == ["noting", "inner"]


def test_a_loop_in_a_function_is_followed_again_without_what_came_before() -> None:
    walked: list[str] = []

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.parts = nn.Sequential(*(nn.Conv1d(2, 2, 1) for _ in range(14)))

        def first(self, x: Tensor) -> Tensor:
            walked.append("first")
            return tiles(self.parts(x), 3)

        def second(self, x: Tensor) -> Tensor:
            walked.append("second")
            last = None
            for t in range(x.shape[-1]):
                last = x[..., t : t + 1] if last is None else torch.cat([last, x[..., t : t + 1]], -1)
            return tiles(last, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.second(self.first(x))

    analysis = shapelint.analyze(Network(), ("N", 2, "T"))
    assert analysis.certainty == "proven", analysis.certainty_reasons
    assert walked.count("second") > walked.count("first")


def test_a_method_that_sets_attributes_is_followed_again_without_what_came_before() -> None:
    walked: list[str] = []

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.parts = nn.Sequential(*(nn.Conv1d(2, 2, 1) for _ in range(14)))
            self.rounds = 0

        def looping(self, x: Tensor) -> Tensor:
            walked.append("looping")
            self.rounds = 2
            last = None
            for t in range(x.shape[-1]):
                last = x[..., t : t + 1] if last is None else torch.cat([last, x[..., t : t + 1]], -1)
            return F.pad(last, (0, self.rounds))

        def forward(self, x: Tensor) -> Tensor:
            walked.append("forward")
            return self.looping(self.parts(x))

    analysis = shapelint.analyze(Network(), ("N", 2, "T"))
    assert analysis.certainty == "proven", analysis.certainty_reasons
    assert walked.count("looping") > walked.count("forward") == 2


class SettingInLoops(nn.Module):
    """A method with a loop that sets an attribute."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = nn.Sequential(*(nn.Conv1d(2, 2, 1) for _ in range(14)))
        self.last = None

    def looping(self, x: Tensor) -> Tensor:
        self.last = None
        for t in range(x.shape[-1]):
            part = x[..., t : t + 1]
            self.last = part if self.last is None else torch.cat([self.last, part], -1)
        return self.last

    def forward(self, x: Tensor) -> Tensor:
        return tiles(self.looping(tiles(self.parts(x), 3)[..., :9]), 2)


def test_functions_that_do_not_help_are_run_as_before() -> None:
    analysis = shapelint.analyze(SettingInLoops(), ("N", 2, "T"), limits=QUICK)
    for t in range(1, 14):
        result = oracle.run(SettingInLoops(), (1, 2, t), device="cpu")
        assert oracle.compare(analysis, result, {"N": 1, "T": t}) is None, t

    def raised(method: Any, x: Tensor) -> BaseException:
        with pytest.raises(KeyError) as caught:
            method(x)
        return caught.value

    class Raising(nn.Module):
        def one(self, x: Tensor) -> Any:
            return stop()

    explored = Explored()
    change = raised(Raising().one, torch.ones(1))
    explored.add_around(change)
    assert vars(Raising)["one"] in explored
    explored.add([tiles])
    explored.add_around(change)
    assert list(explored) == [tiles]
    explored.add_around(change)
    assert list(explored) == [tiles]


def test_functions_are_what_they_were_after_an_analysis() -> None:
    before = Sides.one.__code__, tiles.__code__, tiles.__kwdefaults__
    shapelint.analyze(Sides(), ("N", 2, "T"))
    assert (Sides.one.__code__, tiles.__code__, tiles.__kwdefaults__) == before
