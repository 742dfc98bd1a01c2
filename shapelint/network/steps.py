"""One operation on one spatial axis: its kernel, stride and paddings, and what width it makes of another.

Layers and functions are read alike; every parameter is taken per axis.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from shapelint.sizes import Dim, Size, formulas, scaled_floor, smin
from shapelint.tracing.record import Call

Parameters = Mapping[str, Any]

_CONV = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
_TRANSPOSED = ("input", "weight", "bias", "stride", "padding", "output_padding", "groups", "dilation")
_MAX_POOL = ("input", "kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices")
_AVG_POOL = ("input", "kernel_size", "stride", "padding", "ceil_mode", "count_include_pad")
_LP_POOL = ("input", "norm_type", "kernel_size", "stride", "ceil_mode")
_UNPOOL = ("input", "indices", "kernel_size", "stride", "padding", "output_size")
_RESIZE = ("input", "size", "scale_factor")

_FUNCTIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    **{f"conv{n}d": ("conv", _CONV) for n in (1, 2, 3)},
    **{f"conv_transpose{n}d": ("conv_transpose", _TRANSPOSED) for n in (1, 2, 3)},
    **{f"max_pool{n}d": ("pool", _MAX_POOL) for n in (1, 2, 3)},
    **{f"max_pool{n}d_with_indices": ("pool", _MAX_POOL) for n in (1, 2, 3)},
    **{f"avg_pool{n}d": ("pool", _AVG_POOL) for n in (1, 2, 3)},
    **{f"lp_pool{n}d": ("pool", _LP_POOL) for n in (1, 2, 3)},
    **{f"max_unpool{n}d": ("unpool", _UNPOOL) for n in (1, 2, 3)},
    "interpolate": ("resize", _RESIZE),
    "upsample": ("resize", _RESIZE),
    "pixel_shuffle": ("shuffle", ("input", "upscale_factor")),
    "pixel_unshuffle": ("unshuffle", ("input", "downscale_factor")),
}

_MODULES: tuple[tuple[str, str], ...] = (
    ("_ConvTransposeNd", "conv_transpose"),
    ("_ConvNd", "conv"),
    ("_MaxPoolNd", "pool"),
    ("_AvgPoolNd", "pool"),
    ("_LPPoolNd", "pool"),
    ("_MaxUnpoolNd", "unpool"),
    ("Upsample", "resize"),
    ("PixelShuffle", "shuffle"),
    ("PixelUnshuffle", "unshuffle"),
)


@dataclass(frozen=True, slots=True)
class Window:
    """The parameters of a sliding window on one axis, in torch's names.

    Attributes:
        kind: "conv", "conv_transpose", "pool", "unpool".
        absolute: the size was given (``output_size``), not calculated.
    """

    kind: str
    kernel_size: int
    stride: int
    padding: int = 0
    dilation: int = 1
    output_padding: int = 0
    ceil_mode: bool = False
    absolute: bool = False

    @property
    def effective(self) -> int:
        """``K``: how many columns the kernel looks across."""
        return formulas.effective_kernel_size(self.kernel_size, self.dilation)

    @property
    def transposed(self) -> bool:
        return self.kind in ("conv_transpose", "unpool")

    def width(self, width: Size) -> Any:
        """What it makes of a width; formulas (1) and (4), and pooling's rounding."""
        if self.transposed:
            return self.stride * (width - 1) + (self.effective - 2 * self.padding + self.output_padding)
        if not self.ceil_mode:
            return (width + (2 * self.padding - self.effective)) // self.stride + 1
        windows = (width + (2 * self.padding - self.effective + self.stride - 1)) // self.stride + 1
        return smin(windows, (width + self.padding - 1) // self.stride + 1)

    def dropped(self, width: Size) -> Any:
        """Res: the columns that the rounding of formula (1) drops."""
        return (width + (2 * self.padding - self.effective)) % self.stride

    def text(self) -> str:
        """``kernel 3, stride 2, padding 1``."""
        parts = [f"kernel {self.kernel_size}", f"stride {self.stride}"]
        if self.padding:
            parts.append(f"padding {self.padding}")
        if self.dilation != 1:
            parts.append(f"dilation {self.dilation}")
        if self.output_padding:
            parts.append(f"output_padding {self.output_padding}")
        return ", ".join(parts)

    def arithmetic(self, width: int) -> str:
        """The calculation for one width: ``(32 + 2*1 - 3) // 2 + 1 = 16``."""
        if self.kind == "conv_transpose":
            terms = f"{self.stride}*({width} - 1) - 2*{self.padding} + {self.effective} + {self.output_padding}"
        elif self.kind == "unpool":
            terms = f"{self.stride}*({width} - 1) - 2*{self.padding} + {self.effective}"
        else:
            rounded = f" + {self.stride - 1}" if self.ceil_mode else ""
            padding = f" + 2*{self.padding}" if self.padding else ""
            terms = f"({width}{padding} - {self.effective}{rounded}) // {self.stride} + 1"
        return f"{terms} = {self.width(width)}"


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One call's effect on one axis.

    Attributes:
        call: the operation.
        symbol: the input size that the axis comes from.
        axis: which dimension of the tensor, counted from the end (-1 is the last).
        before, after: the sizes it gets and makes.
        ratio: the change of scale: 1/2 for a stride of 2.
        window: its parameters, where it has a sliding window.
    """

    call: Call
    symbol: str
    axis: int
    before: Any
    after: Any
    ratio: Fraction
    kind: str
    window: Window | None

    @property
    def layer(self) -> str:
        return self.call.layer

    def width(self, width: Any) -> Any:
        """What the step makes of another width; ``None`` if that cannot be told from the step alone."""
        if self.window is not None:
            return None if self.window.absolute else self.window.width(width)
        factor = self._factor()
        return None if factor is None else scaled_floor(width, factor)

    def _factor(self) -> Any:
        if self.kind in ("shuffle", "unshuffle"):
            return self.ratio.numerator if self.ratio > 1 else None
        if self.kind != "resize":
            return None
        factor = parameters_of(self.call).get("scale_factor")
        if isinstance(factor, (tuple, list)):
            factor = factor[self.axis] if len(factor) >= -self.axis else None
        if not isinstance(factor, (int, float)):
            return None
        return int(factor) if float(factor).is_integer() else factor


def kind_of(call: Call) -> str:
    """ "conv", "conv_transpose", "pool", "unpool", "resize", "shuffle", "unshuffle", or "other"."""
    if call.kind == "module":
        names = {base.__name__ for base in type(call.target).__mro__}
        for name, kind in _MODULES:
            if name in names:
                return kind
        return "pool" if names & {"AvgPool1d", "AvgPool2d", "AvgPool3d"} else "other"
    known = _FUNCTIONS.get(function_name(call.target))
    return known[0] if known else "other"


def function_name(target: Any) -> str:
    """The plain name of a torch function or method."""
    return str(getattr(target, "__name__", target))


def parameters_of(call: Call) -> dict[str, Any]:
    """The parameters a call was made with, in torch's names, for layers and functions alike."""
    if call.kind == "module":
        names = ("kernel_size", "stride", "padding", "dilation", "output_padding", "ceil_mode", "size", "scale_factor")
        found = {name: getattr(call.target, name) for name in names if hasattr(call.target, name)}
        output_size = call.keywords.get("output_size")
        if output_size is None and "indices" not in call.keywords:
            position = 3 if kind_of(call) == "unpool" else 2
            output_size = call.arguments[position] if len(call.arguments) > position else None
        return {**found, "output_size": output_size}
    known = _FUNCTIONS.get(function_name(call.target))
    if known is None:
        return dict(call.keywords)
    return {**dict(zip(known[1], call.arguments, strict=False)), **call.keywords}


def argument_names(call: Call) -> tuple[str, ...]:
    """The names of a function's positional arguments, as far as they are known here."""
    known = _FUNCTIONS.get(function_name(call.target))
    return known[1] if known else ()


_WINDOW = ("kernel_size", "stride", "padding", "dilation", "output_padding")


def flat(values: Iterable[Any]) -> Iterator[Any]:
    """The values, and those in tuples and lists among them."""
    for value in values:
        if isinstance(value, (tuple, list)):
            yield from value
        else:
            yield value


def window_of(call: Call, axis: int, axes: int) -> Window | None:
    """The sliding window of a call on the spatial axis ``axis`` (negative) of ``axes``; ``None`` if it has none."""
    kind = kind_of(call)
    if kind not in ("conv", "conv_transpose", "pool", "unpool"):
        return None
    given = parameters_of(call)
    weight = given.get("weight")
    kernel = given.get("kernel_size") if weight is None else tuple(weight.shape[2:])
    if any(isinstance(value, Dim) for value in flat((kernel, *(given.get(name) for name in _WINDOW[1:])))):
        return None  # a window as large as the input, or a part of it

    def at(value: Any, default: int) -> int:
        if value is None or value == () or value == []:
            return default
        if isinstance(value, (tuple, list)):
            value = value[axis] if len(value) == axes else value[0]
        return int(value)

    kernel_size = at(kernel, 1)
    stride = at(given.get("stride"), kernel_size if kind in ("pool", "unpool") else 1)
    dilation = at(given.get("dilation"), 1)
    padding = given.get("padding")
    if isinstance(padding, str):
        if padding == "same":
            return None
        padding = 0
    window = Window(kind, kernel_size, stride, at(padding, 0), dilation)
    if kind == "conv_transpose":
        window = replace(window, output_padding=at(given.get("output_padding"), 0))
    return replace(
        window,
        ceil_mode=bool(given.get("ceil_mode")) and kind == "pool",
        absolute=given.get("output_size") is not None,
    )


def spatial_axes(call: Call, rank: int) -> int:
    """How many of a tensor's last axes the operation slides along."""
    if call.kind == "module":
        kernel = getattr(call.target, "kernel_size", None)
        if isinstance(kernel, (tuple, list)):
            return len(kernel)
        digits = [c for c in type(call.target).__name__ if c.isdigit()]
    else:
        digits = [c for c in function_name(call.target) if c.isdigit()]
    return int(digits[0]) if digits else max(rank - 2, 1)


def ratio_text(ratio: Fraction) -> str:
    """ "2 times smaller", "4 times larger"."""
    if ratio < 1:
        inverse = 1 / ratio
        return f"{_number(inverse)} times smaller"
    return f"{_number(ratio)} times larger"


def _number(value: Fraction) -> str:
    return str(value.numerator) if value.denominator == 1 else f"{float(value):g}"


def product_of(ratios: Sequence[Fraction]) -> Fraction:
    return math.prod(ratios, start=Fraction(1))
