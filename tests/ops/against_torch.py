"""A shape rule against PyTorch itself, at every size of a range: first on plain ints, then all sizes at once."""

from __future__ import annotations

import dataclasses
import itertools
import re
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from shapelint.ops.registry import Spec, function_rule, module_rule
from shapelint.sizes import Dim, Domain, Path, Size, SizeError, following
from shapelint.sizes.dim import dim, evaluate

# the tensors are tiny: threads would only wait for each other
torch.set_num_threads(1)

RAISES = "raises"
_RAISED = (RuntimeError, ValueError, TypeError, IndexError, AssertionError, NotImplementedError)


@dataclasses.dataclass(frozen=True)
class Shaped:
    """A tensor argument; a size is a number or an expression of symbols, such as "W" or "2*H + 1"."""

    shape: tuple[int | str, ...]
    dtype: torch.dtype = torch.float32

    def at(self, env: Mapping[str, Any]) -> tuple[Any, ...]:
        return tuple(eval(size, {}, dict(env)) if isinstance(size, str) else size for size in self.shape)


def shaped(*shape: int | str, dtype: torch.dtype = torch.float32) -> Shaped:
    return Shaped(shape, dtype)


class Symbolic:
    """What a rule sees of a traced tensor."""

    def __init__(self, shape: Sequence[Size], dtype: torch.dtype) -> None:
        self.shape = tuple(shape)
        self.dtype = dtype
        self.ndim = len(self.shape)
        self.value: Any = None

    @property
    def __class__(self) -> type:  # isinstance(symbolic, torch.Tensor) holds, as it does for a traced tensor
        return torch.Tensor


def check(
    target: Callable[..., Any] | nn.Module,
    *arguments: Any,
    sizes: Mapping[str, Iterable[int]] | None = None,
    device: str = "cpu",
    symbolic: bool = True,
    **keywords: Any,
) -> None:
    """The rule of a function or module says what torch does, for every combination of the sizes.

    Args:
        arguments: as the function takes them; ``Shaped`` stands for a tensor, a string in it for a symbol.
        sizes: the range of each symbol.
        device: where torch runs.
        symbolic: whether to check the rule on symbols too.
    """
    rule = module_rule(target) if isinstance(target, nn.Module) else function_rule(target)
    assert rule is not None, f"{target} has no rule"
    call = rule if not isinstance(target, nn.Module) else _bound(rule, target)
    ranges = {name: tuple(values) for name, values in (sizes or {}).items()}
    outcomes: dict[tuple[int, ...], Any] = {}
    for values in itertools.product(*ranges.values()):
        env = dict(zip(ranges, values, strict=True))
        expected = _outcome(target, *_filled(arguments, keywords, env, _real(device)))
        actual = _outcome(call, *_filled(arguments, keywords, env, Symbolic))
        assert _comparable(actual, _first_dtype(arguments)) == expected, (target, arguments, keywords, env)
        outcomes[values] = expected
    if symbolic and ranges:
        _check_symbolic(call, arguments, keywords, list(ranges), outcomes)


def _check_symbolic(
    call: Callable[..., Any],
    arguments: Sequence[Any],
    keywords: Mapping[str, Any],
    names: list[str],
    outcomes: Mapping[tuple[int, ...], Any],
) -> None:
    """One run on symbols agrees with every outcome at sizes of 1 and more."""
    path = Path(Domain.positive(names))
    env = {name: dim(name) for name in names}
    with following(path):
        result = _outcome(call, *_filled(arguments, keywords, env, Symbolic))
    for values, expected in outcomes.items():
        at = dict(zip(names, values, strict=True))
        if min(values) < 1:
            continue
        if result == RAISES or not path.domain.contains(at):
            assert expected == RAISES, (call, arguments, keywords, at, "refused symbolically")
        else:
            actual = _comparable(_evaluated(result, at), _first_dtype(arguments))
            assert actual == expected, (call, arguments, keywords, at, "symbolically")


def _bound(rule: Callable[..., Any], module: nn.Module) -> Callable[..., Any]:
    return lambda *arguments, **keywords: rule(module, *arguments, **keywords)


def _outcome(call: Callable[..., Any], arguments: list[Any], keywords: dict[str, Any]) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _described(call(*arguments, **keywords))
    except _RAISED as error:
        if not isinstance(error, SizeError) and (getattr(call, "__module__", "") or "").startswith(
            ("shapelint", "tests")
        ):
            raise
        return RAISES


def _described(value: Any) -> Any:
    if isinstance(value, Spec):
        return value
    if isinstance(value, torch.Tensor):
        return tuple(value.shape), value.dtype
    if isinstance(value, (tuple, list)):
        return tuple(_described(item) for item in value)
    return value


def _comparable(value: Any, dtype: torch.dtype) -> Any:
    if isinstance(value, Spec):
        return tuple(value.shape), value.dtype or dtype
    if isinstance(value, tuple):
        return tuple(_comparable(item, dtype) for item in value)
    return value


def _evaluated(value: Any, env: Mapping[str, int]) -> Any:
    if isinstance(value, Spec):
        return Spec(tuple(evaluate(size, env) for size in value.shape), value.dtype)
    if isinstance(value, tuple):
        return tuple(_evaluated(item, env) for item in value)
    return evaluate(value, env) if isinstance(value, Dim) else value


def _filled(
    arguments: Sequence[Any], keywords: Mapping[str, Any], env: Mapping[str, Any], make: Callable[[Any, Any], Any]
) -> tuple[list[Any], dict[str, Any]]:
    return (
        [_fill(argument, env, make) for argument in arguments],
        {name: _fill(argument, env, make) for name, argument in keywords.items()},
    )


def _fill(argument: Any, env: Mapping[str, Any], make: Callable[[Any, Any], Any]) -> Any:
    if isinstance(argument, Shaped):
        return make(argument.at(env), argument.dtype)
    if isinstance(argument, list):
        return [_fill(item, env, make) for item in argument]
    if isinstance(argument, tuple):
        return tuple(_fill(item, env, make) for item in argument)
    if isinstance(argument, str) and (argument in env or any(sign in argument for sign in "+*/ ")):
        return eval(argument, {}, dict(env))
    return argument


def _real(device: str) -> Callable[[Any, Any], Any]:
    """Tensors of ones, which any window, weight or variance may be; of zeros where they are indices."""

    def make(shape: Any, dtype: torch.dtype) -> torch.Tensor:
        return torch.full(shape, int(dtype is not torch.int64), dtype=dtype, device=device)

    return make


def _first_dtype(arguments: Sequence[Any]) -> torch.dtype:
    return next((argument.dtype for argument in arguments if isinstance(argument, Shaped)), torch.float32)


def label(value: object) -> str:
    """A test's name for a parameter: the same in every process, so without addresses."""
    return re.sub(r" at 0x[0-9a-f]+", "", str(value))
