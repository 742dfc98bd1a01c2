"""Random forwards with a loop over a size that calls parts, as Python source: caches, counters, attributes, aliases."""

from __future__ import annotations

import random
from collections.abc import Sequence

PARTS = '''
import torch
import torch.nn.functional as F
from torch import nn


class Caching(nn.Module):
    """A causal layer: it keeps its last columns in the caller's list, at the place that the caller's counter says."""

    def __init__(self, columns):
        super().__init__()
        self.columns = columns
        self.layer = nn.Linear(4, 4)

    def forward(self, x, cache, at):
        before = cache[at[0] % len(cache)]
        cache[at[0] % len(cache)] = x[:, -self.columns :]
        at[0] += 1
        if before is None:
            return self.layer(x)
        return self.layer(torch.cat([before, x], 1))


class Keyed(nn.Module):
    """Makes a new cache of the one it is given."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x, cache=None):
        new = {"last": x[:, -1:]}
        if cache:
            x = torch.cat([cache["last"], x], 1)
            new["older"] = cache
        return self.layer(x), new if len(new) == 1 else {"last": new["last"], "first": new["older"]["last"]}


class Marking(nn.Module):
    def forward(self, x):
        self.seen = x
        return x * 2


class Listing(nn.Module):
    """Keeps what it got in a list of its own."""

    def __init__(self):
        super().__init__()
        self.items = []

    def forward(self, x):
        self.items.append(x)
        return x + 1


class Replacing(nn.Module):
    """Puts what it got in the place of what was in a list of its own."""

    def __init__(self):
        super().__init__()
        self.items = [None]

    def forward(self, x):
        self.items[0] = x
        return x + 1


class Comparing(nn.Module):
    """Asks whether its arguments are one object."""

    def forward(self, x, y):
        return x[:, -1:] if x is y else torch.cat([x, x], 1)


class Filling(nn.Module):
    """Puts something into one list and looks at the other, which may be the same."""

    def forward(self, x, into, other):
        into[0] = x
        return x if other[0] is None else torch.cat([x, other[0]], 1)


class Reshaping(nn.Module):
    """Changes its argument in place."""

    def forward(self, x):
        x.unsqueeze_(0)
        return x.sum(0)


class Same(nn.Module):
    def forward(self, x):
        return x


class Refusing(nn.Module):
    """A layer that needs three columns."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Conv1d(4, 4, 3)

    def forward(self, x):
        return self.layer(x.transpose(1, 2)).transpose(1, 2)


class Cropping(nn.Module):
    def forward(self, x):
        return x[:, :3] if x.shape[1] > 3 else x + 1


class Inner(nn.Module):
    """A part of parts."""

    def __init__(self):
        super().__init__()
        self.caching = Caching(1)
        self.cropping = Cropping()

    def forward(self, x, cache, at):
        x = self.cropping(self.caching(x, cache, at))
        return self.caching(x, cache=cache, at=at)


class Looking(nn.Module):
    """Takes no more of what is kept than it is told to."""

    def __init__(self):
        super().__init__()
        self.caching, self.same = Caching(1), Same()

    def forward(self, x, kept, how):
        before = kept[0]
        if how == "not":
            kept[0] = x
        if how == "not" or before is None:
            return x + 1
        if how == "shape":
            return F.pad(x, (0, 0, 0, before.shape[1] % 3))
        if how == "dtype":
            return F.pad(x, (0, 0, 0, 2 if before.dtype is torch.float64 else 1))
        if how == "memory":
            return F.pad(x, (0, 0, 0, 2 if before.is_contiguous() else 1))
        if how == "result":
            return self.same(before)
        if how == "deep":
            return self.caching(x, [before], [0])
        return torch.cat([x, before.to(x.dtype)], 1) if x.shape[1] > 2 else x


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.looking = Looking()
        self.caching = Caching(2)
        self.keyed = Keyed()
        self.marking = Marking()
        self.listing = Listing()
        self.replacing = Replacing()
        self.comparing = Comparing()
        self.filling = Filling()
        self.reshaping = Reshaping()
        self.same = Same()
        self.refusing = Refusing()
        self.cropping = Cropping()
        self.inner = Inner()

    def forward(self, x):
        T = x.shape[1]
        self.listing.items.clear()
        self.replacing.items[0] = None
        self.marking.seen = x[:, :1]
        cache, box, other, at, keyed, y = [None, None], [None], [None], [0], None, x
        outs, kept = [], [None]
'''
CHUNKS = (
    *["x[:, t : t + 1]"] * 2,
    "x[:, 2 * t : 2 * t + 2]",
    "x[:, :2]",
    "x[:, t : t + 3]",
    "x[:, :4]",
    "x[:, t * 4 : t * 4 + 4]",
    "x",
)
CALLS = (
    *["y = self.caching(y, cache, at)"] * 3,
    *["y = self.inner(y, cache, at)"] * 2,
    "y = self.inner(y, cache=cache, at=[0])",
    "at = [0]",
    "at[0] = 0",
    "y, keyed = self.keyed(y, keyed)",
    "y, keyed = self.keyed(y, cache=keyed)",
    "y, _ = self.keyed(y)",
    "y = self.marking(y)",
    "y = torch.cat([y, self.marking.seen], 1)",
    "y = self.listing(y)",
    "y = torch.cat(self.listing.items[-2:] + [y], 1)",
    "y = self.replacing(y)",
    "y = y if self.replacing.items[0] is None else torch.cat([y, self.replacing.items[0]], 1)",
    "y = self.comparing(y, y)",
    "y = self.comparing(y, y * 1)",
    "y = self.filling(y, box, box)",
    "y = self.filling(y, box, other)",
    "other[0] = box[0]",
    "box = [y]",
    "y = self.reshaping(y)",
    "z = y * 1; y = self.reshaping(z); y = y + z[0]",
    "z = self.same(y); z.unsqueeze_(0); y = z.sum(0)",
    "z = self.cropping(y); w = self.cropping(y); z.unsqueeze_(0); y = torch.cat([w, z.sum(0)], 1)",
    "z = self.marking(y); z.unsqueeze_(0); y = self.marking(y)",
    "w = [None]; z = self.inner(y, w, [0]); w[0].unsqueeze_(0); y = self.inner(y, [None], [0])",
    "y = self.refusing(y)",
    *["y = self.cropping(y)"] * 2,
    "y = y[:, :5]",
)
LOOKS = (
    *['y = self.looking(y, kept, "not")'] * 2,
    *(f'y = self.looking(y, kept, "{how}")' for how in ("shape", "dtype", "memory", "result", "deep", "in part")),
    "y = y if kept[0] is None else torch.cat([y, kept[0].to(y.dtype)], 1)",
    "kept = [y]",
    "kept[0] = y.double()",
    "kept[0] = y[:, :2].contiguous()",
    "kept[0] = y[:, -1:]",
    "y = self.cropping(y)",
)
"""Calls of parts that look at some of what they are given, and what these are given."""
CONDITIONS = ("T > 5", "t == 0", "t > 1", "t % 2", "y.shape[1] > 2", "at[0] > 2", "T > 9")
LOOPS = (
    *["for t in range(T):"] * 3,
    "for t in range(1 + (T - 1) // 4):",
    "for t in range(0, T, 2):",
    "for t in range(T // 2):",
)
ENDS = (
    "",
    "y = self.cropping(y)",
    "y = y[:, :6] if T > 7 else y",
    "y = self.caching(y, cache, at)",
    "y = self.marking.seen",
    "y = self.refusing(y)",
)


def source(seed: int, calls: Sequence[str] = CALLS) -> str:
    """A module with a class ``Model`` that takes a tensor (N, T, 4) and makes some of these calls."""
    chosen = random.Random(seed)
    lines = []
    for _ in range(chosen.randint(0, 2)):
        lines.append(chosen.choice(calls))
    for _ in range(chosen.randint(1, 2)):
        lines.append(chosen.choice(LOOPS))
        lines.append(f"    y = {chosen.choice(CHUNKS)}")
        for _ in range(chosen.randint(1, 4)):
            call = chosen.choice(calls)
            if chosen.random() < 0.2:
                lines.append(f"    if {chosen.choice(CONDITIONS)}:")
                call = f"    {call}"
            lines.append(f"    {call}")
        lines.append(chosen.choice(("    outs.append(y)", "    outs.append(y[:, :1])", "    y = y[:, :2]")))
        lines.append("y = torch.cat(outs, 1) if outs else x")
        lines.append(chosen.choice(ENDS))
        lines.append("outs = []")
    lines.append("return y, cache, box, self.marking.seen, self.replacing.items[0], len(self.listing.items)")
    return PARTS + "".join(f"        {line}\n" for line in lines if line)
