"""Random forwards with a loop over a size, as Python source: what rounds hand on, collect, leave out and end."""

from __future__ import annotations

import random
from collections.abc import Callable

CONDITIONS = (
    "t == 0",
    "t == 1",
    "t == T - 1",
    "t > 1",
    "t + 2 > T",
    "t < T - 2",
    "h.shape[0] > 2",
    "T > 5",
    "n > 3",
    "len(outs) > 0",
    "t % 2 == 0",
    "t % 2",
    "t % 3 == 1",
    "(t + T) % 2 == 0",
    "h is not start",
    "k is None",
    "T % 3 == 1",
)
TENSORS = (
    "x[:, t]",
    "x[:, t]",
    "h",
    "self.layer(h)",
    "x[:, t:t + 2].mean(1)",
    "x[:, max(t - 1, 0)]",
    "x[:, T - 1 - t]",
    "h + x[:, t]",
    "x[:, 0]",
)
PARTS = ("x[:, t:t + 1]", "x[:, :2]", "h.unsqueeze(1)", "x[:, t:t + 2]", "out", "x")
WINDOWS = ("x[:, t:t + 3]", "x[:, :2]", "x[:, t:]", "x[:, 2 * t:2 * t + 2]")
ODDITIES = (
    "self.put(outs, h)",
    "self.kept.append(h)",
    "self.count += 1",
    "outs = outs + [h]",
    "outs.pop()",
    "y = outs[-1]",
    "y = outs[0]",
    "alias = outs",
    "alias += [h]",
    "kept = {'all': outs}",
    "w = [y * 2 for y in outs]",
    "w = len([h] + outs)",
    "h = outs[t] if t < 2 else h",
    "w = torch.stack(outs, 1)",
)
ENDINGS = ("break", "continue", "raise ValueError('no')", "return h")
LOOPS = (
    *["for t in range(T):"] * 5,
    "for t in range(1, T):",
    "for t in range(T - 1, -1, -1):",
    "for t in range(0, T, 2):",
    "for t in range(T // 2):",
    "for t, row in enumerate(x.unbind(1)):",
    "for t in reversed(range(T)):",
    "for t in range(T - 2):",
)
RESULTS = (
    "torch.stack(outs, 1)",
    "torch.stack(outs, 1), h",
    "h, out",
    "out",
    "x.new_zeros(n + 3, 2)",
    "outs",
    "torch.cat(outs, 1), len(outs)",
    "h",
    "outs[-1], out, n",
    "torch.stack(outs[::-1])",
    "torch.stack(alias, 1), len(alias)",
    "torch.stack(kept['all'], 1)",
)
HEAD = """
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def put(self, outs, value):
        outs.append(value)

    def forward(self, x):
        self.count, self.kept = 0, []
        T = x.shape[1]
        h = {h}
        start = h
        outs = {outs}
        out = x[:, :1]
        n = {n}
        k = None
        alias = {alias}
        kept = {kept}
        {loop}
{body}
        return {result}
"""


def source(seed: int) -> str:
    """A module with a class ``Model`` that takes a tensor of N × T × 4."""
    chance = random.Random(seed)
    body = [line for _ in range(chance.randint(1, 4)) for line in _statement(chance, 0)]
    return HEAD.format(
        h=chance.choice(("x.new_zeros(x.shape[0], 4)", "x[:, 0]")),
        outs=chance.choice(("[]", "[]", "[h]")),
        n=chance.choice(("0", "1", "T")),
        kept=chance.choice(("{}", "{}", "{}", "{'all': outs}")),
        alias=chance.choice(("outs", "None", "[h]")),
        loop=chance.choice(LOOPS),
        body="\n".join(" " * 12 + line for line in body),
        result=chance.choice(RESULTS),
    )


def _statement(chance: random.Random, depth: int) -> list[str]:
    kinds: list[tuple[int, Callable[[], list[str]]]] = [
        (22, lambda: [f"h = {chance.choice(TENSORS)}"]),
        (20, lambda: [f"outs.append({chance.choice(TENSORS)})"]),
        (8, lambda: [f"outs.append({chance.choice(WINDOWS)}.mean(1))"]),
        (6, lambda: [f"out = torch.cat([out, {chance.choice(PARTS)}], 1)"]),
        (5, lambda: [f"n {chance.choice(('+=', '-='))} {chance.choice(('1', '2', 't', 'n'))}"]),
        (3, lambda: [f"k = {chance.choice(('h', 'n', 'None', 't'))}"]),
        (3, lambda: [chance.choice(ODDITIES)]),
        (4, lambda: [f"if {chance.choice(CONDITIONS)}:", "    " + chance.choice(ENDINGS)]),
        (4, lambda: [f"h = h[:, :{chance.choice(('n', '4', 'T'))}]"]),
    ]
    if depth < 2:
        kinds.append((15, lambda: _branch(chance, depth)))
    if depth < 1:
        counts = ("2", "T", "x.shape[0]", "t", "T - t")
        kinds.append((6, lambda: [f"for s in range({chance.choice(counts)}):", *_inside(chance, depth)]))
    return chance.choices([make for _, make in kinds], [weight for weight, _ in kinds])[0]()


def _branch(chance: random.Random, depth: int) -> list[str]:
    otherwise = ["else:", *_inside(chance, depth)] if chance.random() < 0.4 else []
    return [f"if {chance.choice(CONDITIONS)}:", *_inside(chance, depth), *otherwise]


def _inside(chance: random.Random, depth: int) -> list[str]:
    return ["    " + line for line in _statement(chance, depth + 1)]
