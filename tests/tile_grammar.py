"""A grammar of models that work on tiles in methods of their own: what is followed once is followed for all sizes.

The parts refuse short tiles, branch on their length, change their arguments in place or keep something; the methods
loop over tiles, blend each with the one before, fit one tensor to another, and call each other.
"""

from __future__ import annotations

import random

HEAD = """\
import torch
from torch import Tensor, nn
from torch.nn import functional as F


def match(x: Tensor, like: Tensor) -> Tensor:
    if x.shape[-1] != like.shape[-1]:
        return F.interpolate(x, size=like.shape[-1])
    return x
"""


def source(seed: int) -> str:
    """A module with the model as ``Model``, for inputs of shape (N, 2, T)."""
    chance = random.Random(seed)
    parts = [_part(chance, f"Part{number}") for number in range(chance.randint(1, 3))]
    return "\n\n".join([HEAD, *parts, _model(chance, len(parts))])


def _part(chance: random.Random, name: str) -> str:
    kernel = chance.randint(1, 4)
    layer = chance.choice(
        [
            f"nn.Conv1d(2, 2, {kernel})",
            f"nn.Conv1d(2, 2, {kernel}, padding={chance.randint(0, 2)})",
            f"nn.Conv1d(2, 2, {kernel}, stride=2, padding={kernel // 2})",
            f"nn.ConvTranspose1d(2, 2, {kernel + 2}, stride=2, padding=1)",
            "nn.AvgPool1d(2, ceil_mode=True)",
        ]
    )
    least = chance.randint(2, 6)
    after = chance.choice(
        [
            "return x",
            f"return x[..., 1:] if x.shape[-1] > {least} else x",
            f"return F.pad(x, (0, -x.shape[-1] % {least}))",
            "return x.flatten(1).unflatten(1, (2, -1))",
            f"if x.shape[-1] < {least}:\n            raise ValueError('short')\n        return x",
            "self.last = x.shape[-1]\n        return x * 2",
            "return torch.cat([x, x.mean(-1, keepdim=True)], -1)",
            "x[..., 0] = 0\n        return x",
        ]
    )
    return f"""\
class {name}(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = {layer}

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer(x)
        {after}
"""


def _model(chance: random.Random, parts: int) -> str:
    steps = "\n".join(f"        {step}" for step in _steps(chance))
    return f"""\
class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.parts = nn.ModuleList([{", ".join(f"Part{number}()" for number in range(parts))}])
        self.kept = []

{_blend(chance)}
{_fit(chance)}
{_tiled(chance, "encode", parts)}
{_tiled(chance, "decode", parts)}
    def forward(self, x: Tensor):
        self.kept = []
{steps}
        return y
"""


def _steps(chance: random.Random) -> list[str]:
    limit = chance.randint(3, 9)
    first = chance.choice(
        ["y = self.encode(x)", f"y = self.encode(x) if x.shape[-1] > {limit} else self.parts[0](x.clone())"]
    )
    more = [
        "y = self.decode(y)",
        "y = self.fit(y, x)",
        "y = match(y, x)",
        "y = y + self.fit(self.encode(x), y)",
        "y = self.parts[-1](y)",
        f"y = self.decode(y) if y.shape[-1] > {limit} else y",
        "y = torch.cat([y, *self.kept], -1)",
    ]
    return [first, *chance.sample(more, chance.randint(1, 3))]


def _blend(chance: random.Random) -> str:
    body = chance.choice(
        [
            "for j in range(extent):\n            b[..., j] = a[..., -extent + j] + b[..., j]",
            "if extent > 1:\n            b = torch.cat([a[..., -extent:] + b[..., :extent], b[..., extent:]], -1)",
            "b[..., :extent] = a[..., -extent:]",
        ]
    )
    return f"""\
    def blend(self, a: Tensor, b: Tensor, extent: int) -> Tensor:
        extent = min(a.shape[-1], b.shape[-1], extent)
        {body}
        return b
"""


def _fit(chance: random.Random) -> str:
    body = chance.choice(
        [
            "return F.pad(x, (0, like.shape[-1] - x.shape[-1]))",
            "if x.shape[-1] > like.shape[-1]:\n            x = x[..., :like.shape[-1]]\n        return match(x, like)",
            "return x if x.shape[-1] == like.shape[-1] else F.interpolate(x, size=like.shape[-1])",
        ]
    )
    return f"""\
    def fit(self, x: Tensor, like: Tensor) -> Tensor:
        {body}
"""


def _tiled(chance: random.Random, name: str, parts: int) -> str:
    step = chance.randint(2, 5)
    size = step + chance.randint(0, 2)
    extent = chance.randint(1, 3)
    part = f"self.parts[{chance.randrange(parts)}]"
    tile = chance.choice([f"{part}(tile)", f"{part}(tile.clone())", f"{part}(F.pad(tile, (1, 1)))"])
    blended = chance.choice(
        [
            f"if i > 0:\n                tile = self.blend(tiles[i - 1], tile, {extent})",
            "if i == 0:\n                self.kept.append(tile[..., :1])",
            f"tile = tile[..., :{step}]",
        ]
    )
    return f"""\
    def {name}(self, x: Tensor) -> Tensor:
        tiles = []
        for i in range(0, x.shape[-1], {step}):
            tile = x[..., i : i + {size}]
            tiles.append({tile})
        result = []
        for i, tile in enumerate(tiles):
            {blended}
            result.append(tile[..., :{chance.randint(2, 6)}])
        return torch.cat(result, -1)
"""
