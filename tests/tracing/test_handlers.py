"""Sizes that fail where the user's own code catches exceptions go on: they are not taken as refused."""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import shapelint
from tests import oracle


class Swallowing:
    """A context manager of one's own that lets nothing out."""

    def __enter__(self) -> Swallowing:
        return self

    def __exit__(self, *error: object) -> bool:
        return True


class Timed:
    """A context manager of one's own that only looks."""

    def __enter__(self) -> Timed:
        return self

    def __exit__(self, *error: object) -> None:
        if error[0] is None:
            return
        self.failed = True


@contextlib.contextmanager
def ignoring() -> Iterator[None]:
    try:
        yield
    except RuntimeError:
        return


@contextlib.contextmanager
def cleaning() -> Iterator[None]:
    try:
        yield
    finally:
        torch.is_grad_enabled()


def precision(enabled: bool) -> Any:
    return torch.autocast("cpu", enabled=False) if enabled else contextlib.nullcontext()


def quiet(enabled: bool) -> Any:
    return contextlib.suppress(RuntimeError) if enabled else contextlib.nullcontext()


def whatever(manager: Any) -> Any:
    return manager


class Managed(nn.Module):
    """Pools inside a ``with``; what comes out if that fails is the input."""

    def __init__(self, manager: Callable[[], Any]) -> None:
        super().__init__()
        self.manager = manager

    def forward(self, x: Tensor) -> Tensor:
        with self.manager():
            return F.max_pool2d(x, 4)
        return x


class Written(Managed):
    """As ``Managed``, with the context managers written out."""

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad(), contextlib.nullcontext():
            return F.max_pool2d(x, 4)


class SeveralLines(Managed):
    """As ``Managed``, as the second item of several; the items take several lines."""

    def forward(self, x: Tensor) -> Tensor:
        # fmt: off
        with (
            torch.no_grad(),
            self
            .manager(),
        ):
            # fmt: on
            return F.max_pool2d(x, 4)
        return x


class Nested(Managed):
    """A ``with`` that does nothing inside a ``try``."""

    def forward(self, x: Tensor) -> Tensor:
        try:
            with torch.no_grad():
                return F.max_pool2d(x, 4)
        except RuntimeError:
            return x


class Bare(Managed):
    """An ``except`` for whatever is raised."""

    def forward(self, x: Tensor) -> Tensor:
        try:
            return x.new_zeros(hash(x.shape[2]))
        except:  # noqa: E722 - what the test is about
            return x


class Decorated(Managed):
    """A context manager used as a decorator."""

    @ignoring()
    def forward(self, x: Tensor) -> Tensor:
        return F.max_pool2d(x, 4)


class Stacked(Managed):
    def forward(self, x: Tensor) -> Tensor:
        with contextlib.ExitStack() as stack:
            stack.enter_context(contextlib.suppress(RuntimeError))
            return F.max_pool2d(x, 4)
        return x


@pytest.mark.parametrize(
    "model",
    [
        Managed(functools.partial(contextlib.suppress, RuntimeError)),
        Managed(Swallowing),
        Managed(ignoring),
        Managed(functools.partial(quiet, True)),
        Managed(functools.partial(whatever, contextlib.suppress(RuntimeError))),
        SeveralLines(Swallowing),
        Stacked(Swallowing),
    ],
)
def test_sizes_that_a_context_manager_lets_go_on_are_not_refused(model: nn.Module) -> None:
    analysis = shapelint.analyze(model, ("N", 3, "H", "W"))
    assert analysis.certainty == "enumerated"
    assert "which catches the sizes that fail" in analysis.certainty_reasons[0]
    assert analysis.output_shape(H=3, W=9) == (1, 3, 3, 9)


@pytest.mark.parametrize(
    "model",
    [
        Managed(Timed),
        Managed(cleaning),
        Managed(contextlib.nullcontext),
        Managed(torch.no_grad),
        Managed(functools.partial(torch.autocast, "cpu", enabled=False)),
        Managed(functools.partial(precision, True)),
        Written(Timed),
        SeveralLines(Timed),
    ],
)
def test_context_managers_that_let_exceptions_pass_cost_no_proof(model: nn.Module) -> None:
    analysis = shapelint.analyze(model, ("N", 3, "H", "W"))
    assert analysis.certainty == "proven"
    assert not analysis.accepts(H=3, W=9)
    assert analysis.accepts(H=4, W=9)


def test_a_context_manager_that_lets_exceptions_pass_to_a_handler_costs_no_proof() -> None:
    analysis = shapelint.analyze(Nested(Timed), ("N", 3, "H", "W"))
    assert analysis.certainty == "proven"
    assert analysis.output_shape(H=3, W=9) == (1, 3, 3, 9)
    assert analysis.output_shape(H=4, W=9) == (1, 3, 1, 2)


def test_a_context_manager_used_as_a_decorator_is_one_too() -> None:
    analysis = shapelint.analyze(Decorated(Timed), ("N", 3, "H", "W"))
    assert analysis.certainty == "enumerated"


def test_a_bare_except_does_not_hide_that_the_analysis_gave_up() -> None:
    analysis = shapelint.analyze(Bare(Timed), ("N", 3, "H", "W"))
    assert analysis.certainty == "enumerated"
    assert analysis.output_shape(H=3, W=9) == (3,)


class Trying(nn.Module):
    """A model whose forward is a function."""

    def __init__(self, forward: Callable[[Any, Tensor], Any]) -> None:
        super().__init__()
        self.down = nn.Conv2d(3, 3, 3, stride=2, padding=1)
        self.up = nn.ConvTranspose2d(3, 3, 3, stride=2, padding=1)
        self.folding = Folding()
        self._forward = forward

    def forward(self, x: Tensor) -> Any:
        return self._forward(self, x)


class Folding(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.view(x.shape[0], 3, -1, 4, x.shape[3])


def _decoder(m: Any, x: Tensor) -> Any:
    y = m.up(m.down(x))
    try:
        return torch.cat([y, x], 1)
    except RuntimeError:
        return torch.cat([F.interpolate(y, size=x.shape[2:]), x], 1)


def _whatever_is_raised(m: Any, x: Tensor) -> Any:
    try:
        y = x[:, :, 5]
    except Exception as error:
        print("short:", error)  # noqa: T201 - what the test is about
        y = x.mean(2)
    return y


def _several_attempts(m: Any, x: Tensor) -> Any:
    for size in (8, 4, 1):
        try:
            y = x.reshape(x.shape[0], 3, size, x.shape[2] // size, x.shape[3])
            break
        except RuntimeError:
            continue
    return y


def _one_in_another(m: Any, x: Tensor) -> Any:
    try:
        try:
            return x @ x
        except ValueError:
            return x[:1]
    except RuntimeError:
        return x[:, :1]


def _several_operations(m: Any, x: Tensor) -> Any:
    try:
        y = F.max_pool2d(x, 6)
        y = y.view(y.shape[0], 3, -1, 2)
    except RuntimeError:
        return x.mean((2, 3))
    else:
        return y @ y.transpose(2, 3)


@pytest.mark.parametrize(
    "forward", [_decoder, _whatever_is_raised, _several_attempts, _one_in_another, _several_operations]
)
def test_sizes_that_fail_go_on_in_the_handler(forward: Callable[[Any, Tensor], Any]) -> None:
    model = Trying(forward)
    analysis = shapelint.analyze(model, ("N", 3, "H", "W"))
    assert analysis.certainty == "proven", analysis.certainty_reasons
    for height, width in itertools.product(range(1, 17), repeat=2):
        sizes = {"N": 2, "H": height, "W": width}
        assert oracle.compare(analysis, oracle.run(model, (2, 3, height, width)), sizes) is None


def _goes_by_the_words(m: Any, x: Tensor) -> Any:
    try:
        return x + x.transpose(2, 3)
    except RuntimeError as error:
        return x if "must match" in str(error) else x[:1]


def _an_exception_of_unknown_class(m: Any, x: Tensor) -> Any:
    try:
        return x[:, :, 5]
    except RuntimeError:
        return x


def _in_a_module(m: Any, x: Tensor) -> Any:
    try:
        return m.folding(x)
    except RuntimeError:
        return x


def _finally(m: Any, x: Tensor) -> Any:
    try:
        return x + x.transpose(2, 3)
    except RuntimeError:
        y = x
    finally:
        x = x[:, :, :1]
    return x + y


def _let_go_on_before_it_comes_to_the_handler(m: Any, x: Tensor) -> Any:
    y = x
    try:
        with Swallowing():
            y = F.max_pool2d(x, 4)
    except RuntimeError:
        return x[:, :1]
    return y


@pytest.mark.parametrize(
    "forward",
    [
        _let_go_on_before_it_comes_to_the_handler,
        _goes_by_the_words,
        _an_exception_of_unknown_class,
        _in_a_module,
        _finally,
    ],
)
def test_what_a_handler_does_with_an_exception_is_not_guessed(forward: Callable[[Any, Tensor], Any]) -> None:
    analysis = shapelint.analyze(Trying(forward), ("N", 3, "H", "W"))
    assert analysis.certainty == "enumerated"
    assert "which catches the sizes that fail" in analysis.certainty_reasons[0]
