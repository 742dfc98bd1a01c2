from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from shapelint.diagnostics import Diagnostic, Severity
from shapelint.rules import wording
from shapelint.rules.base import Example, Rule

if TYPE_CHECKING:
    from shapelint.network import Pair
    from shapelint.rules.context import Context, Culprit, Fault


class LossyRoundTrip(Rule):
    """
    ## What it does
    Finds decoder steps (a transposed convolution, an unpooling, an upsampling) that do not restore the size their
    encoder step had, where that makes the model raise or return another size than it got.

    ## Why is this bad
    A strided convolution maps several neighbouring sizes to one: with kernel 3, stride 2 and padding 1 both 31 and 32
    become 16. The transposed convolution with the same parameters can return only one of them, 31. Then a skip does
    not fit, or the reconstruction is smaller than the image and the loss raises.

    ## Example
    ```python
    self.down = nn.Conv2d(3, 16, 3, stride=2, padding=1)         # 64 -> 32
    self.up = nn.ConvTranspose2d(16, 3, 3, stride=2, padding=1)  # 32 -> 63
    ```

    ## Use instead
    ```python
    self.up = nn.ConvTranspose2d(16, 3, 3, stride=2, padding=1, output_padding=1)  # 32 -> 64
    ```
    or, for every size, tell the layer in `forward` which size to return:
    ```python
    y = self.up(features, output_size=x.shape[-2:])
    ```

    ## How it is decided
    Encoder and decoder steps are paired on the traced graph, last opened first closed, each axis on its own. For the
    expected sizes w of the pair, what both make of w is compared with w. With Res = (w + 2*padding - K) mod stride, a
    pair with the same parameters returns w - Res + output_padding. A pair is reported if a merge or the model's output
    is wrong for it; a later crop, pad or resize that makes up for it silences the rule.

    ## Fix safety
    `output_size=` serves every size and is safe. `output_padding` moves the exact round trip from some sizes to
    others; it is safe where the expected sizes were declared, and unsafe where they were assumed.

    Where neither can be written (an `nn.Sequential` hands no `output_size` on), two unsafe fixes are offered: the
    decoder's feature map is resized where it meets the skip, `F.interpolate(y, size=skip.shape[-2:])`; and the input is
    padded with zeros to the next size that is right today, and the output cropped to the input's size.
    """

    code = "SL101"
    name = "lossy-round-trip"
    summary = "a decoder step does not restore the size that its encoder step had"

    VALID = (
        Example(
            """
            class Model(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.down = nn.Conv2d(3, 8, 3, stride=2, padding=1)
                    self.up = nn.ConvTranspose2d(8, 3, 3, stride=2, padding=1, output_padding=1)

                def forward(self, x):
                    return self.up(self.down(x))
            """
        ),
        Example(
            """
            class Model(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.down = nn.Conv2d(3, 8, 3, stride=2, padding=1)
                    self.up = nn.ConvTranspose2d(8, 3, 3, stride=2, padding=1)

                def forward(self, x):
                    return self.up(self.down(x), output_size=x.shape[-2:])
            """
        ),
        Example(
            """
            class Model(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.pool = nn.MaxPool2d(2)
                    self.up = nn.ConvTranspose2d(3, 3, 2, stride=2)

                def forward(self, x):
                    y = self.up(self.pool(x))
                    return y + x[..., : y.shape[-2], : y.shape[-1]]
            """
        ),
    )
    INVALID = (
        Example(
            """
            class Model(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.down = nn.Conv2d(3, 8, 3, stride=2, padding=1)
                    self.up = nn.ConvTranspose2d(8, 3, 3, stride=2, padding=1)

                def forward(self, x):
                    return self.up(self.down(x))
            """,
            message="`up` does not restore the size that `down` had",
        ),
        Example(
            """
            class Model(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.pool = nn.MaxPool2d(2)
                    self.up = nn.ConvTranspose2d(3, 3, 2, stride=2)

                def forward(self, x):
                    return torch.cat([self.up(self.pool(x)), x], 1)
            """,
            sizes="250x255",
            message="`up` does not restore the width that `pool` had",
        ),
    )

    def check(self, context: Context) -> Iterator[Diagnostic]:
        for members in _together(context):
            yield self._tell(context, members)

    def _tell(self, context: Context, members: Sequence[_Entry]) -> Diagnostic:
        from shapelint.rules.context import label, use_of

        first = members[0]
        pair = first[0].pair
        assert pair is not None
        own = [entry for entry in members if entry[0].pair is not None and _same_layers(entry[0].pair, pair)]
        symbols = [s for s in context.symbols if any(entry[0].symbol == s for entry in own)]
        up, down = pair.up[-1].call, pair.down[0].call
        others = list(dict.fromkeys(label(c.pair.up[-1].call) for c, _ in members if c.pair is not None))[1:]
        what = wording.axis_word(symbols, context.symbols)
        message = f"`{label(up)}` does not restore the {what} that `{label(down)}` had"
        if others:
            message += f"; nor {'does' if len(others) == 1 else 'do'} {wording.listed([f'`{o}`' for o in others])}"
        fault = next((f for _, faults in members for f in faults), None)
        return self.finding(
            Severity.ERROR,
            message,
            location=context.site(up),
            use=use_of(up),
            model=context.model,
            layer=label(up),
            axis=", ".join(symbols),
            sizes=_sizes(context, [entry[0] for entry in own]),
            example=_example(context, first[0], fault, members),
            why=_why(context, first[0], fault),
            certainty=context.certainty,
            fixes=context.fixes([entry[0] for entry in members]),
        )


_Entry = tuple["Culprit", tuple["Fault", ...]]


def _together(context: Context) -> list[list[_Entry]]:
    """Culprits that one line of source makes, and the axes of one pair, told together."""
    groups: dict[object, list[_Entry]] = {}
    for culprit, faults in context.blamed:
        if culprit.pair is None:
            continue
        call = culprit.pair.up[-1].call
        site = context.site(call)
        key = site if site is not None and call.kind == "module" else (site, call.layer)
        groups.setdefault(key, []).append((culprit, faults))
    order = {symbol: position for position, symbol in enumerate(context.symbols)}
    for members in groups.values():
        members.sort(key=lambda entry: (_index(entry[0]), order[entry[0].symbol]))
    return list(groups.values())


def _index(culprit: Culprit) -> int:
    return culprit.pair.up[-1].call.index if culprit.pair else 0


def _same_layers(a: Pair, b: Pair) -> bool:
    return [s.call for s in a.steps] == [s.call for s in b.steps]


def _sizes(context: Context, culprits: Sequence[Culprit]) -> str:
    """At which sizes of the input the pair is not exact, whatever is expected."""
    if context.expected.declared and context.expected.sizes.is_finite():
        return wording.points(context.expected.sizes, context.symbols)
    found = {}
    for culprit in culprits:
        assert culprit.pair is not None
        pair = culprit.pair
        made = pair.restored(pair.had)
        everywhere = context.expected.domain.positive(context.expected.domain.symbols)
        wrong = context.differ(pair.returned if made is None else made, pair.had, everywhere)
        if wrong is not None:
            found[culprit.symbol] = context.spatial(wrong)
    return wording.either_axis(found) if found else context.expected.sizes.sentence()


def _example(context: Context, culprit: Culprit, fault: Fault | None, members: Sequence[_Entry]) -> str:
    from shapelint.rules.context import label

    pair = culprit.pair
    assert pair is not None
    env = _env(context, culprit, fault)
    had = context.size_at(pair.had, env)
    made = pair.restored(pair.had)
    returns = context.size_at(pair.returned if made is None else made, env)
    text = f"For {wording.at(env, context.symbols)}: `{label(pair.down[0].call)}` had {had}, "
    text += f"`{label(pair.up[-1].call)}` returns {returns}"
    return text + _consequence(context, fault, env)


def _env(context: Context, culprit: Culprit, fault: Fault | None) -> dict[str, int]:
    if fault is not None:
        both = fault.sizes.intersect(culprit.sizes)
        if not both.is_empty():
            return fault.example if both.contains(fault.example) else context.example(both)
    return context.example(culprit.sizes)


def _consequence(context: Context, fault: Fault | None, env: dict[str, int]) -> str:
    from shapelint.rules.context import label

    if fault is None:
        return ""
    if fault.kind == "output":
        got = " × ".join(str(context.size_at(s, env)) for s in fault.value.sizes[2:])
        return f"; the model returns {got}"
    if fault.call is None:
        return ""
    place = fault.call.place.location() if fault.call.place else None
    where = f" in line {place.line}" if place else ""
    return f"; `{label(fault.call)}`{where} raises"


def _why(context: Context, culprit: Culprit, fault: Fault | None) -> str:
    from shapelint.rules.context import label

    pair = culprit.pair
    assert pair is not None
    env = _env(context, culprit, fault)
    width = context.size_at(pair.had, env)
    parts = []
    for step in pair.steps:
        made = step.width(width)
        if made is None:
            made = context.size_at(step.after, env)
        name = f"`{label(step.call)}`"
        window = step.window
        if window is None or window.absolute:
            parts.append(f"{name} makes {made} of {width}")
        else:
            note = ""
            if not window.transposed and not window.ceil_mode and (rest := window.dropped(width)):
                note = f", dropping a remainder of {rest} (Res)"
            elif window.kind == "conv_transpose":
                note = f" with output_padding = {window.output_padding}"
            parts.append(f"{name}: {window.arithmetic(width)}{note}")
        width = int(made)
    return "; ".join(parts)
