"""Operations without a shape rule: their shape function is fitted to meta-device runs and checked on others."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import torch

from shapelint.ops.recipes import samples
from shapelint.ops.registry import Spec
from shapelint.sizes import Domain, Size, Undecided
from shapelint.sizes.dim import Dim, Ratio, evaluate
from shapelint.tracing.tensor import SymbolicTensor


def probe(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], domain: Domain, why: str) -> Any:
    """The result of ``func`` with sizes fitted to runs at sample sizes.

    Args:
        why: the reason that a rule is not enough, for whoever is told that this is not either.

    Raises:
        Undecided: the runs disagree with every formula tried, or none succeeds.
    """
    sizes = _sizes_in((args, kwargs))
    runs: list[tuple[dict[str, int], list[Any], Any]] = []
    failures = 0
    for env in samples(domain):
        try:
            result = _run(func, args, kwargs, env)
        except Exception as error:
            # A size the operation refuses: which ones cannot be told from samples.
            failures += 1
            last = error
            continue
        leaves: list[Any] = []
        structure = _flatten(result, leaves)
        runs.append((env, leaves, structure))
    if not runs:
        raise Undecided(f"{why}, and it does not run on the meta device ({last})")
    if failures or any(str(structure) != str(runs[0][2]) for _, _, structure in runs):
        raise Undecided(f"{why}, and it behaves differently for different sizes")
    fitted = iter([_fit([(env, leaves[i]) for env, leaves, _ in runs], sizes, why) for i in range(len(runs[0][1]))])
    return _build(runs[0][2], fitted)


def _run(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], env: dict[str, int]) -> Any:
    def concrete(value: Any) -> Any:
        if isinstance(value, SymbolicTensor):
            return torch.zeros([evaluate(s, env) for s in value.sizes], dtype=value.dtype, device="meta")
        if isinstance(value, torch.Tensor):
            return value.to("meta")
        if isinstance(value, Dim):
            return evaluate(value, env)
        if isinstance(value, Ratio):
            return value.number.evaluate(env) / value.divisor.evaluate(env)
        if type(value) in (list, tuple):
            return type(value)(concrete(v) for v in value)
        if isinstance(value, tuple):
            return tuple(concrete(v) for v in value)
        if isinstance(value, slice):
            return slice(concrete(value.start), concrete(value.stop), concrete(value.step))
        return value

    from torch import nn

    from shapelint.sizes import path as paths

    active = paths.active()
    paths.activate(None)
    try:
        with torch._C.DisableTorchFunction():
            if isinstance(func, nn.Module):
                return func.forward(*(concrete(a) for a in args[1:]), **{k: concrete(v) for k, v in kwargs.items()})
            return func(*(concrete(a) for a in args), **{k: concrete(v) for k, v in kwargs.items()})
    finally:
        paths.activate(active)


def _flatten(result: Any, leaves: list[Any]) -> Any:
    if isinstance(result, torch.Tensor):
        leaves.extend(result.shape)
        return ("tensor", result.ndim, result.dtype)
    if isinstance(result, (list, tuple)):
        return (type(result).__name__, [_flatten(r, leaves) for r in result])
    return ("value", result)


def _build(structure: Any, fitted: Any) -> Any:
    if structure[0] == "tensor":
        return Spec(tuple(next(fitted) for _ in range(structure[1])), structure[2])
    if structure[0] == "value":
        return structure[1]
    parts = [_build(part, fitted) for part in structure[1]]
    return parts if structure[0] == "list" else tuple(parts)


def _sizes_in(value: Any) -> list[Size]:
    found: dict[int, Size] = {}

    def visit(v: Any) -> None:
        if isinstance(v, SymbolicTensor):
            for s in v.sizes:
                visit(s)
        elif isinstance(v, Dim):
            found[id(v)] = v
        elif isinstance(v, (list, tuple)):
            for item in v:
                visit(item)
        elif isinstance(v, dict):
            for item in v.values():
                visit(item)

    visit(value)
    return list(found.values())


def _fit(points: list[tuple[dict[str, int], int]], sizes: list[Size], why: str) -> Size:
    values = {value for _, value in points}
    if len(values) == 1 and len(points) > 1:
        return values.pop()
    for candidate in _candidates(points, sizes):
        if all(evaluate(candidate, env) == value for env, value in points):
            return candidate
    raise Undecided(f"{why}, and no simple formula fits its output size")


def _candidates(points: list[tuple[dict[str, int], int]], sizes: list[Size]) -> Iterator[Size]:
    yield from sizes
    (env, value) = points[0]
    for size in sizes:
        base = evaluate(size, env)
        yield size + (value - base)
        for factor in (2, 3, 4, 8):
            yield size * factor
            yield size // factor
            yield -(-size // factor)
            yield size * factor + (value - base * factor)
    for a, b in itertools.combinations(sizes, 2):
        yield a * b
        yield a + b
