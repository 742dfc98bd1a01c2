"""A grammar of networks: a description is plain data (JSON), drawn at random, and built into an ``nn.Module``.

    describe(chooser)        a random description; the chooser is a seeded ``random.Random`` or hypothesis
    build(description)       the network
    smaller(description)     descriptions with something taken away, to shrink a failure

A block is a dictionary with its ``op`` and parameters, channels left out: they are whatever arrives, so that
every description builds and only sizes decide what runs.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

import torch
import torch.nn.functional as F
from torch import nn

Block = dict[str, Any]
Description = dict[str, Any]
Item = TypeVar("Item")

CONVS: dict[int, Callable[..., nn.Module]] = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
TRANSPOSED: dict[int, Callable[..., nn.Module]] = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
MAX_POOLS = {1: nn.MaxPool1d, 2: nn.MaxPool2d, 3: nn.MaxPool3d}
AVG_POOLS = {1: nn.AvgPool1d, 2: nn.AvgPool2d, 3: nn.AvgPool3d}
ADAPTIVE: dict[int, Callable[..., torch.Tensor]] = {
    1: F.adaptive_avg_pool1d,
    2: F.adaptive_avg_pool2d,
    3: F.adaptive_avg_pool3d,
}
INSTANCE_NORMS = {1: nn.InstanceNorm1d, 2: nn.InstanceNorm2d, 3: nn.InstanceNorm3d}
LINEAR_MODE = {1: "linear", 2: "bilinear", 3: "trilinear"}


class Chooser(Protocol):
    """Where a description's random decisions come from."""

    def choice(self, items: Sequence[Item]) -> Item: ...
    def randint(self, low: int, high: int) -> int: ...


# --------------------------------------------------------------------------------------------- describing


def describe(chooser: Chooser, rank: int | None = None) -> Description:
    """A network: an encoder and decoder, or a chain, with a head."""
    rank = rank or chooser.choice((1, 2, 2, 2, 3))
    blocks = [_some_block(chooser, rank, depth=2) for _ in range(chooser.randint(0, 2))]
    blocks += [_coder(chooser, rank, depth=chooser.randint(0, 2)) for _ in range(chooser.randint(0, 2))]
    blocks += [_some_block(chooser, rank, depth=1) for _ in range(chooser.randint(0, 2))]
    blocks += _head(chooser, rank)
    return {"rank": rank, "channels": chooser.choice((1, 3, 4)), "blocks": blocks or [{"op": "relu"}]}


def _some_block(chooser: Chooser, rank: int, depth: int) -> Block:
    rules: list[Callable[[Chooser, int], Block]] = [
        _conv, _same_conv, _keeping, _keeping, _strided_conv, _transposed, _pool, _pool, _scale, _crop, _pad, _dense,
        _stretch, _adaptive,
    ]  # fmt: skip
    if rank == 2:
        rules += [_shuffle, _unshuffle]
    if chooser.randint(0, 9) == 0:
        rules = [_guard, _window, _pool_loop]
    if depth > 0 and chooser.randint(0, 3) == 0:
        return chooser.choice((_coder, _parallel))(chooser, rank, depth - 1)
    return chooser.choice(rules)(chooser, rank)


def _coder(chooser: Chooser, rank: int, depth: int) -> Block:
    """Down, something, up, and a merge with what went down."""
    merge = chooser.choice((*MERGES, *LENIENT))
    # A strict merge behind just anything runs nowhere; most of the time what is between keeps the size.
    free = merge in LENIENT or chooser.randint(0, 3) == 0
    inner = [_down(chooser, rank) if free else _exact_down(chooser, rank)]
    inner += [_coder(chooser, rank, depth - 1)] if depth > 0 else []
    if chooser.randint(0, 2) == 0:
        inner += [_some_block(chooser, rank, 0) if free else _keeping(chooser, rank)]
    inner += [_up(chooser, rank, inner[0], free)]
    return {"op": "skip", "inner": inner, "merge": merge}


def _parallel(chooser: Chooser, rank: int, depth: int) -> Block:
    count = chooser.randint(2, 3)
    free = chooser.randint(0, 4) == 0
    branches = [
        [_some_block(chooser, rank, depth) if free else _keeping(chooser, rank) for _ in range(chooser.randint(1, 2))]
        for _ in range(count)
    ]
    return {"op": "parallel", "branches": branches, "merge": chooser.choice(("cat", "add", "stack"))}


def _down(chooser: Chooser, rank: int) -> Block:
    return chooser.choice((_strided_conv, _strided_conv, _pool))(chooser, rank)


def _exact_down(chooser: Chooser, rank: int) -> Block:
    if chooser.randint(0, 1):
        return _strided_conv(chooser, rank)
    window = [chooser.randint(2, 3)] * rank
    return {**_pool(chooser, rank), "kernel": window, "stride": window, "padding": [0] * rank, "dilation": 1}


def _up(chooser: Chooser, rank: int, down: Block, free: bool) -> Block:
    """Mostly the transposed twin of what went down; where it is free to, sometimes with a mistake in it."""
    kind = chooser.randint(0, 5) if free else chooser.randint(1 if _divides_exactly(down) else 3, 5)
    stride = down.get("stride", [2] * rank)
    if kind == 0:
        return _transposed(chooser, rank)
    if kind == 1:
        return {"op": "scale", "factor": [float(s) for s in stride], "mode": "nearest", "recompute": None}
    if kind == 2 or down["op"] != "conv":
        return {**_block("transposed"), "out": 4, "kernel": stride, "stride": stride, "padding": [0] * rank,
                "dilation": [1] * rank, "output_padding": [0] * rank}  # fmt: skip
    limit = min(max(pair) for pair in zip(stride, down["dilation"], strict=True)) - 1
    extra = chooser.randint(0, limit)
    twin = {key: down[key] for key in ("kernel", "stride", "padding", "dilation")}
    return {**_block("transposed"), "out": chooser.randint(2, 5), **twin, "output_padding": [extra] * rank}


def _divides_exactly(down: Block) -> bool:
    """Whether multiples of the stride are divided by it, so that multiplying undoes it."""
    window = zip(down["kernel"], down["stride"], down["padding"], strict=True)
    return all(0 <= 2 * padding - kernel + stride < stride for kernel, stride, padding in window)


def _block(op: str) -> Block:
    return {"op": op}


def _axes(chooser: Chooser, rank: int, low: int, high: int) -> list[int]:
    """One number for all axes, most of the time."""
    if chooser.randint(0, 3):
        return [chooser.randint(low, high)] * rank
    return [chooser.randint(low, high) for _ in range(rank)]


def _conv(chooser: Chooser, rank: int) -> Block:
    kernel = _axes(chooser, rank, 1, 9 if chooser.randint(0, 3) == 0 else 5)
    return {"op": "conv", "out": chooser.randint(2, 6), "kernel": kernel, "stride": _axes(chooser, rank, 1, 5),
            "padding": _axes(chooser, rank, 0, 4), "dilation": _axes(chooser, rank, 1, 4), "mode": "zeros"}  # fmt: skip


def _same_conv(chooser: Chooser, rank: int) -> Block:
    kernel, dilation = chooser.choice((1, 3, 5, 7)), chooser.randint(1, 4)
    if chooser.randint(0, 2) == 0:
        return {**_conv(chooser, rank), "kernel": _axes(chooser, rank, 1, 6), "stride": [1] * rank,
                "padding": chooser.choice(("same", "valid"))}  # fmt: skip
    mode = chooser.choice(("zeros", "zeros", "reflect", "replicate", "circular"))
    return {"op": "conv", "out": chooser.randint(2, 6), "kernel": [kernel] * rank, "stride": [1] * rank,
            "padding": [dilation * (kernel - 1) // 2] * rank, "dilation": [dilation] * rank, "mode": mode}  # fmt: skip


def _keeping(chooser: Chooser, rank: int) -> Block:
    """A block that returns the size it gets."""
    kernel, dilation = chooser.choice((1, 3, 5)), chooser.randint(1, 2)
    exact = {"kernel": [kernel] * rank, "padding": [dilation * (kernel // 2)] * rank, "dilation": [dilation] * rank}
    conv = {"op": "conv", "out": chooser.randint(2, 6), **exact, "stride": [1] * rank, "mode": "zeros"}
    dense = {"op": "dense", "layers": 2, "kernel": kernel, "dilation": dilation, "padding": exact["padding"][0]}
    return chooser.choice((conv, dense, _norm(chooser, rank), _relu(chooser, rank)))


def _strided_conv(chooser: Chooser, rank: int) -> Block:
    kernel, stride, padding = chooser.choice(
        ((3, 2, 1), (3, 2, 1), (4, 2, 1), (2, 2, 0), (3, 2, 0), (5, 2, 2), (7, 2, 3), (3, 3, 0), (3, 3, 1), (8, 4, 2),
         (4, 4, 0), (7, 4, 3), (10, 5, 3), (5, 5, 0), (1, 2, 0))
    )  # fmt: skip
    return {"op": "conv", "out": chooser.randint(2, 6), "kernel": [kernel] * rank, "stride": [stride] * rank,
            "padding": [padding] * rank, "dilation": [1] * rank, "mode": "zeros"}  # fmt: skip


def _transposed(chooser: Chooser, rank: int) -> Block:
    stride, dilation = _axes(chooser, rank, 1, 5), _axes(chooser, rank, 1, 3)
    # On meta an output_padding that is too large passes; rules for it are tested on the CPU.
    extra = [chooser.randint(0, max(s, d) - 1) for s, d in zip(stride, dilation, strict=True)]
    return {"op": "transposed", "out": chooser.randint(2, 6), "kernel": _axes(chooser, rank, 1, 6), "stride": stride,
            "padding": _axes(chooser, rank, 0, 3), "dilation": dilation, "output_padding": extra}  # fmt: skip


def _pool(chooser: Chooser, rank: int) -> Block:
    kernel = chooser.randint(1, 5)
    return {"op": "pool", "kind": chooser.choice(("max", "avg")), "kernel": [kernel] * rank,
            "stride": _axes(chooser, rank, 1, 4) if chooser.randint(0, 1) else [kernel] * rank,
            "padding": [chooser.randint(0, kernel // 2)] * rank, "dilation": chooser.choice((1, 1, 1, 2)),
            "ceil": chooser.choice((False, True))}  # fmt: skip


def _norm(chooser: Chooser, rank: int) -> Block:
    return {"op": "norm", "kind": chooser.choice(("instance", "batch", "group"))}


def _relu(chooser: Chooser, rank: int) -> Block:
    return {"op": "relu"}


def _scale(chooser: Chooser, rank: int) -> Block:
    factor = chooser.choice((2.0, 2.0, 3.0, 4.0, 0.5, 0.25, 1.5, 0.75, 1.3, 0.7, 1 / 3, 2.7))
    mode = chooser.choice(("nearest", "nearest", "nearest-exact", "linear", "area"))
    return {"op": "scale", "factor": [factor] * rank, "mode": mode, "recompute": chooser.choice((None, None, True))}


def _crop(chooser: Chooser, rank: int) -> Block:
    return {"op": "crop", "before": _axes(chooser, rank, 0, 3), "after": _axes(chooser, rank, 0, 3)}


def _pad(chooser: Chooser, rank: int) -> Block:
    mode = chooser.choice(("constant", "reflect", "replicate", "circular"))
    low = -2 if mode == "constant" else 0
    return {"op": "pad", "mode": mode, "before": _axes(chooser, rank, low, 4), "after": _axes(chooser, rank, low, 4)}


def _dense(chooser: Chooser, rank: int) -> Block:
    kernel, dilation = chooser.randint(1, 4), chooser.randint(1, 3)
    padding = dilation * (kernel - 1) // 2
    return {"op": "dense", "layers": chooser.randint(2, 4), "kernel": kernel, "dilation": dilation, "padding": padding}


def _stretch(chooser: Chooser, rank: int) -> Block:
    """Pad to a multiple, as window attention does."""
    return {"op": "stretch", "multiple": chooser.choice((2, 4, 7, 8)), "crop": chooser.choice((False, True)),
            "inner": [_down(chooser, rank), {"op": "scale", "factor": [2.0] * rank, "mode": "nearest",
                                             "recompute": None}]}  # fmt: skip


def _guard(chooser: Chooser, rank: int) -> Block:
    return {"op": "guard", "multiple": chooser.choice((2, 3, 4)), "how": chooser.choice(("raise", "assert"))}


def _adaptive(chooser: Chooser, rank: int) -> Block:
    return {"op": "adaptive", "divisor": chooser.randint(2, 4), "plus": chooser.randint(0, 2)}


def _window(chooser: Chooser, rank: int) -> Block:
    return {"op": "window", "size": chooser.choice((2, 3, 4))}


def _pool_loop(chooser: Chooser, rank: int) -> Block:
    return {"op": "pool_loop", "above": chooser.choice((8, 12, 20)), "times": chooser.randint(1, 3)}


def _shuffle(chooser: Chooser, rank: int) -> Block:
    return {"op": "shuffle", "factor": chooser.randint(2, 3)}


def _unshuffle(chooser: Chooser, rank: int) -> Block:
    return {"op": "unshuffle", "factor": chooser.randint(2, 4)}


def _head(chooser: Chooser, rank: int) -> list[Block]:
    kind = chooser.choice(("linear", "fold", "tokens", "mean", *["none"] * 12))
    if kind == "none":
        return []
    if kind == "mean":
        return [{"op": "mean"}]
    return [{"op": kind, "cells": chooser.choice((1, 4, 6, 9, 12, 16, 36, 64))}]


# ------------------------------------------------------------------------------------------------ shrinking


def smaller(description: Description) -> Iterator[Description]:
    """Every description with one block fewer, or a skip replaced by what is in it."""
    for blocks in _smaller_lists(description["blocks"]):
        yield {**description, "blocks": blocks}


def _smaller_lists(blocks: list[Block]) -> Iterator[list[Block]]:
    for place, block in enumerate(blocks):
        before, after = blocks[:place], blocks[place + 1 :]
        if len(blocks) > 1:
            yield before + after
        if "inner" in block:
            yield before + block["inner"] + after
            yield from ([*before, {**block, "inner": inner}, *after] for inner in _smaller_lists(block["inner"]))
        for branch in range(len(block.get("branches", ()))):
            yield before + block["branches"][branch] + after
            for less in _smaller_lists(block["branches"][branch]):
                branches = copy.copy(block["branches"])
                branches[branch] = less
                yield [*before, {**block, "branches": branches}, *after]


# ------------------------------------------------------------------------------------------------- building


def build(description: Description) -> nn.Module:
    """The network of a description."""
    model, _ = _sequence(description["blocks"], description["channels"], description["rank"])
    return model


Built = tuple[nn.Module, int]


def _sequence(blocks: list[Block], channels: int, rank: int) -> Built:
    modules = []
    for block in blocks:
        module, channels = _BUILDERS[block["op"]](block, channels, rank)
        modules.append(module)
    return nn.Sequential(*modules), channels


def _build_conv(block: Block, channels: int, rank: int) -> Built:
    padding = block["padding"] if isinstance(block["padding"], str) else tuple(block["padding"])
    module = CONVS[rank](
        channels, block["out"], tuple(block["kernel"]), stride=tuple(block["stride"]), padding=padding,
        dilation=tuple(block["dilation"]), padding_mode=block["mode"],
    )  # fmt: skip
    return module, block["out"]


def _build_transposed(block: Block, channels: int, rank: int) -> Built:
    names = ("kernel", "stride", "padding", "output_padding")
    kernel, stride, padding, extra = (tuple(block[name]) for name in names)
    module = TRANSPOSED[rank](
        channels, block["out"], kernel, stride, padding, output_padding=extra, dilation=tuple(block["dilation"])
    )
    return module, block["out"]


def _build_pool(block: Block, channels: int, rank: int) -> Built:
    window = (tuple(block["kernel"]), tuple(block["stride"]), tuple(block["padding"]))
    if block["kind"] == "max":
        return MAX_POOLS[rank](*window, dilation=block["dilation"], ceil_mode=block["ceil"]), channels
    return AVG_POOLS[rank](*window, ceil_mode=block["ceil"]), channels


def _build_norm(block: Block, channels: int, rank: int) -> Built:
    if block["kind"] == "instance":
        return INSTANCE_NORMS[rank](channels), channels
    if block["kind"] == "group":
        return nn.GroupNorm(1, channels), channels
    return {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}[rank](channels), channels


def _build_skip(block: Block, channels: int, rank: int) -> Built:
    inner, inside = _sequence(block["inner"], channels, rank)
    return Skip(inner, channels, inside, rank, block["merge"]), channels


def _build_parallel(block: Block, channels: int, rank: int) -> Built:
    built = [_sequence(branch, channels, rank) for branch in block["branches"]]
    if block["merge"] == "cat":
        return Parallel([module for module, _ in built], "cat"), sum(out for _, out in built)
    branches: list[nn.Module] = [nn.Sequential(module, CONVS[rank](out, channels, 1)) for module, out in built]
    return Parallel(branches, block["merge"]), channels


def _build_dense(block: Block, channels: int, rank: int) -> Built:
    growth = 3
    convs = [
        CONVS[rank](
            channels + i * growth, growth, block["kernel"], padding=block["padding"], dilation=block["dilation"]
        )
        for i in range(block["layers"])
    ]
    return Dense(convs), channels + growth * block["layers"]


def _build_stretch(block: Block, channels: int, rank: int) -> Built:
    inner, inside = _sequence(block["inner"], channels, rank)
    return Stretch(inner, block["multiple"], block["crop"]), inside


def _build_shuffle(block: Block, channels: int, rank: int) -> Built:
    factor = block["factor"]
    return nn.Sequential(nn.Conv2d(channels, channels * factor**2, 1), nn.PixelShuffle(factor)), channels


def _build_unshuffle(block: Block, channels: int, rank: int) -> Built:
    factor = block["factor"]
    return nn.Sequential(nn.PixelUnshuffle(factor), nn.Conv2d(channels * factor**2, channels, 1)), channels


def _build_linear(block: Block, channels: int, rank: int) -> Built:
    return nn.Sequential(nn.Flatten(), nn.Linear(channels * block["cells"], 5)), 5


def _plain(module: Callable[[Block], nn.Module]) -> Callable[[Block, int, int], Built]:
    """A block that leaves the channels alone."""
    return lambda block, channels, rank: (module(block), channels)


_BUILDERS: dict[str, Callable[[Block, int, int], Built]] = {
    "conv": _build_conv,
    "transposed": _build_transposed,
    "pool": _build_pool,
    "norm": _build_norm,
    "skip": _build_skip,
    "parallel": _build_parallel,
    "dense": _build_dense,
    "stretch": _build_stretch,
    "shuffle": _build_shuffle,
    "unshuffle": _build_unshuffle,
    "linear": _build_linear,
    "relu": _plain(lambda block: nn.ReLU()),
    "scale": _plain(lambda block: Scale(block["factor"], block["mode"], block["recompute"])),
    "crop": _plain(lambda block: Crop(block["before"], block["after"])),
    "pad": _plain(lambda block: Pad(block["before"], block["after"], block["mode"])),
    "guard": _plain(lambda block: Guard(block["multiple"], block["how"])),
    "adaptive": _plain(lambda block: Adaptive(block["divisor"], block["plus"])),
    "window": _plain(lambda block: Windows(block["size"])),
    "pool_loop": _plain(lambda block: PoolLoop(block["above"], block["times"])),
    "fold": lambda block, channels, rank: (Fold(channels * block["cells"]), channels),
    "tokens": lambda block, channels, rank: (Tokens(channels, block["cells"]), channels),
    "mean": _plain(lambda block: Mean()),
}


# -------------------------------------------------------------------------------- modules, as people write them


class Scale(nn.Module):
    def __init__(self, factor: list[float], mode: str, recompute: bool | None) -> None:
        super().__init__()
        self.factor = factor[0] if len(set(factor)) == 1 else tuple(factor)
        self.mode = mode
        self.recompute = recompute

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mode = LINEAR_MODE[x.dim() - 2] if self.mode == "linear" else self.mode
        return F.interpolate(x, scale_factor=self.factor, mode=mode, recompute_scale_factor=self.recompute)


class Crop(nn.Module):
    def __init__(self, before: list[int], after: list[int]) -> None:
        super().__init__()
        self.before = before
        self.after = after

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for axis, (before, after) in enumerate(zip(self.before, self.after, strict=True), start=2):
            x = x.narrow(axis, before, x.size(axis) - before - after)
        return x


class Pad(nn.Module):
    def __init__(self, before: list[int], after: list[int], mode: str) -> None:
        super().__init__()
        self.amounts = [n for pair in zip(reversed(before), reversed(after), strict=True) for n in pair]
        self.mode = mode

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.pad(x, self.amounts, mode=self.mode)


class Guard(nn.Module):
    def __init__(self, multiple: int, how: str) -> None:
        super().__init__()
        self.multiple = multiple
        self.how = how

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.how == "assert":
            assert all(size % self.multiple == 0 for size in x.shape[2:]), "wrong size"
        elif any(size % self.multiple != 0 for size in x.shape[2:]):
            raise ValueError(f"sizes must be multiples of {self.multiple}, got {tuple(x.shape)}")
        return x


class Adaptive(nn.Module):
    def __init__(self, divisor: int, plus: int) -> None:
        super().__init__()
        self.divisor = divisor
        self.plus = plus

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        target = [size // self.divisor + self.plus for size in x.shape[2:]]
        return ADAPTIVE[x.dim() - 2](x, target)


class Windows(nn.Module):
    """Partition the last axis into windows and put them together again."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shape = x.shape
        windows = x.reshape(*shape[:-1], shape[-1] // self.size, self.size)
        return windows.softmax(dim=-1).reshape(shape)


class PoolLoop(nn.Module):
    """Halve until it is small enough, or often enough: how often depends on the size."""

    def __init__(self, above: int, times: int) -> None:
        super().__init__()
        self.above = above
        self.times = times

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for _ in range(self.times):
            if x.shape[-1] <= self.above:
                break
            pooled = F.avg_pool1d(x.flatten(1, -2), 2)
            x = pooled.reshape(*x.shape[:-1], pooled.size(-1))
        return x


class Dense(nn.Module):
    def __init__(self, convs: list[nn.Module]) -> None:
        super().__init__()
        self.convs = nn.ModuleList(convs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features = [x]
        for conv in self.convs:
            features.append(conv(torch.cat(features, 1)))
        return torch.cat(features, 1)


class Stretch(nn.Module):
    def __init__(self, inner: nn.Module, multiple: int, crop: bool) -> None:
        super().__init__()
        self.inner = inner
        self.multiple = multiple
        self.crop = crop

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        sizes = x.shape[2:]
        missing = [(self.multiple - size % self.multiple) % self.multiple for size in sizes]
        if any(amount > 0 for amount in missing):
            x = F.pad(x, [n for amount in reversed(missing) for n in (0, amount)])
        x = self.inner(x)
        if self.crop:
            for axis, size in enumerate(sizes, start=2):
                x = x[(slice(None),) * axis + (slice(size),)]
        return x


class Parallel(nn.Module):
    def __init__(self, branches: list[nn.Module], merge: str) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)
        self.merge = merge

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        results = [branch(x) for branch in self.branches]
        if self.merge == "cat":
            return torch.cat(results, dim=1)
        if self.merge == "stack":
            return torch.stack(results).sum(0)
        total: torch.Tensor = results[0]
        for result in results[1:]:
            total = total + result
        return total


class Fold(nn.Module):
    def __init__(self, features: int) -> None:
        super().__init__()
        self.features = features

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.reshape(-1, self.features)


class Tokens(nn.Module):
    def __init__(self, channels: int, count: int) -> None:
        super().__init__()
        self.position = nn.Parameter(torch.zeros(1, count, channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shape = x.shape
        tokens = x.flatten(2).transpose(1, 2) + self.position
        return tokens.transpose(1, 2).reshape(shape)


class Mean(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(2).mean(-1)


class Skip(nn.Module):
    """What goes down and up again, and its merge with what went in."""

    def __init__(self, inner: nn.Module, channels: int, inside: int, rank: int, merge: str) -> None:
        super().__init__()
        self.inner = inner
        self.merge = merge
        self.match = CONVS[rank](inside, channels, 1)
        self.fuse = CONVS[rank](2 * channels, channels, 1)
        self.theta = CONVS[rank](channels, channels, 2, stride=2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.match(self.inner(x))
        return MERGES[self.merge](self, x, y)


def _cat(skip: Skip, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    result: torch.Tensor = skip.fuse(torch.cat([x, y], dim=1))
    return result


def _resized(skip: Skip, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return _cat(skip, x, F.interpolate(y, size=x.shape[2:]))


def _resized_if_needed(skip: Skip, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    if y.shape != x.shape:
        y = F.interpolate(y, size=x.shape[2:], mode=LINEAR_MODE[x.dim() - 2], align_corners=True)
    return _cat(skip, x, y)


def _padded_by_difference(skip: Skip, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    amounts: list[int] = []
    for axis in range(x.dim() - 1, 1, -1):
        difference = x.size(axis) - y.size(axis)
        amounts += [difference // 2, difference - difference // 2]
    return _cat(skip, x, F.pad(y, amounts))


def _padded_if_odd(skip: Skip, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """MONAI's way: replicate one row wherever the decoder is smaller."""
    amounts = [0] * (2 * (x.dim() - 2))
    for place in range(x.dim() - 2):
        if x.shape[-place - 1] != y.shape[-place - 1]:
            amounts[place * 2 + 1] = 1
    return _cat(skip, x, F.pad(y, amounts, "replicate"))


def _cropped(skip: Skip, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    for axis in range(2, x.dim()):
        start = (x.shape[axis] - y.shape[axis]) // 2
        x = x[(slice(None),) * axis + (slice(start, start + y.shape[axis]),)]
    return _cat(skip, x, y)


def _cropped_to_smaller(skip: Skip, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    for axis in range(2, x.dim()):
        least = min(x.size(axis), y.size(axis))
        x, y = x.narrow(axis, 0, least), y.narrow(axis, 0, least)
    return x + y


def _gated(skip: Skip, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    theta = skip.theta(x)
    signal = F.interpolate(y, size=theta.shape[2:])
    attention = F.interpolate(torch.sigmoid(theta + signal), size=x.shape[2:])
    return _cat(skip, x * attention, y)


MERGES: dict[str, Callable[[Skip, torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "cat": _cat,
    "add": lambda skip, x, y: x + y,
    "multiply": lambda skip, x, y: x * torch.sigmoid(y),
    "nothing": lambda skip, x, y: y,
    "resized": _resized,
    "resized_if_needed": _resized_if_needed,
    "padded_by_difference": _padded_by_difference,
    "padded_if_odd": _padded_if_odd,
    "cropped": _cropped,
    "cropped_to_smaller": _cropped_to_smaller,
    "gated": _gated,
}

LENIENT = ("nothing", "resized", "resized_if_needed", "padded_by_difference", "cropped_to_smaller")
"""Merges that run at nearly every size; drawn twice as often, so that what follows them is reached."""
