"""Sizes that fail where the user's own code catches exceptions go on: they are not taken as refused."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import shapelint


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
        Nested(Swallowing),
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


def test_a_context_manager_used_as_a_decorator_is_one_too() -> None:
    analysis = shapelint.analyze(Decorated(Timed), ("N", 3, "H", "W"))
    assert analysis.certainty == "enumerated"


def test_a_bare_except_does_not_hide_that_the_analysis_gave_up() -> None:
    analysis = shapelint.analyze(Bare(Timed), ("N", 3, "H", "W"))
    assert analysis.certainty == "enumerated"
    assert analysis.output_shape(H=3, W=9) == (3,)
