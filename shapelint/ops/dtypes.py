"""Which dtypes an operation takes: PyTorch converts none where two of them are multiplied or a layer has weights.

A table beside the shape rules. Its entries are what PyTorch 2.13 does on the CPU, whose kernels check what the meta
device lets through; ``tests/ops/test_dtypes.py`` compares the functions and layers that networks use most, and each
entry that takes one tensor. What is in no table is taken to run; so is ``histc`` of integers, which only the CPU
refuses: a model that asks on which device it is gives it floats there.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn

import torch
from torch import nn

from shapelint.ops.normalized import direction_of
from shapelint.ops.registry import Target, TensorLike, name_of, resolve
from shapelint.sizes.path import SizeError

_KINDS: Final[Mapping[str, tuple[torch.dtype, ...]]] = {
    "f": (torch.float32, torch.float64, torch.float16, torch.bfloat16),
    "i": (torch.int64,),
    "j": (torch.int32, torch.int16, torch.int8),
    "u": (torch.uint8,),
    "b": (torch.bool,),
    "c": (torch.complex64, torch.complex128, torch.complex32),
}
"""Floating point, int64, the other integers with a sign, uint8, booleans and complex numbers."""
_ALL = frozenset(dtype for kind in _KINDS.values() for dtype in kind)


class DtypeError(SizeError):
    """What PyTorch would raise for every size: an operand has a dtype that the operation does not take."""


@dataclass(frozen=True, slots=True)
class Takes:
    """An operand, if it is a tensor (or ``True`` or ``False``), has none of the refused dtypes."""

    position: int
    name: str
    kinds: str
    refused: frozenset[torch.dtype]


@dataclass(frozen=True, slots=True)
class Equal:
    """An operand, if it is a tensor, has the dtype of the first; some take 16 bits beside operands of 32."""

    position: int
    name: str
    takes_16_bits: bool = False


@dataclass(frozen=True, slots=True)
class Weights:
    """The input of a layer has the dtype of a parameter; some take 16 bits beside parameters of 32."""

    name: str
    takes_16_bits: bool = False
    kept_in: str = "_parameters"


@dataclass(slots=True)
class Requirements:
    """What one function or layer asks for: of its first operand, of that and a layer's weights, of the others."""

    input: Takes | None = None
    refused: frozenset[torch.dtype] = frozenset()
    weights: Weights | None = None
    takes: tuple[Takes, ...] = ()
    equal: tuple[Equal, ...] = ()


_WORDS: Final = {
    "f": "floating point numbers",
    "fc": "floating point or complex numbers",
    "fu": "floating point numbers or uint8",
    "fi": "floating point numbers or int64",
    "fic": "floating point numbers, int64 or complex numbers",
    "fbc": "floating point or complex numbers, or booleans",
    "i": "int64 indices",
    "ij": "integer indices",
    "b": "booleans",
    "ub": "booleans",
    "ijub": "integers or booleans",
    "iju": "integers",
    "fijub": "real numbers",
    "fij": "real numbers with a sign (no uint8, no booleans)",
    "fiju": "real numbers, no booleans",
    "fijuc": "numbers, no booleans",
    "fijc": "numbers with a sign (no uint8, no booleans)",
}
_ADVICE: Final = {
    "f": ": convert it first, with .float()",
    "fc": ": convert it first, with .float()",
    "fu": ": convert it first, with .float()",
    "fi": ": convert it first, with .float()",
    "fic": ": convert it first, with .float()",
    "fbc": ": convert it first, with .float()",
    "i": ": convert it first, with .long()",
    "ij": ": convert it first, with .long()",
    "b": ": convert it first, with .bool()",
    "ub": ": convert it first, with .bool()",
    "fijuc": ": convert it first, with .float() or .long()",
    "fij": ": convert it first, with .float() or .long()",
    "fijc": ": convert it first, with .float() or .long()",
    "fiju": ": convert it first, with .float() or .long()",
}


def _place(takes: Takes) -> str:
    return "its input" if takes.position == 0 else f"`{takes.name}`"


def check_dtypes(
    target: Any, asked: Requirements, dtype: torch.dtype | None, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> None:
    """Refuse operands of dtypes that a function or a layer does not take.

    Args:
        asked: what it asks for.
        dtype: that of its first operand, if the caller has it at hand.

    Raises:
        DtypeError: PyTorch raises for every size.
    """
    # Nearly every operation comes through here: no call where there is nothing to say.
    if dtype is None:
        first = args[0] if args else kwargs.get("input")
        if not isinstance(first, torch.Tensor):
            return
        dtype = first.dtype
    if dtype in asked.refused and not _converts(args, kwargs):
        assert asked.input is not None
        _refuse_operand(target, asked.input, dtype)
    weights = asked.weights
    if weights is not None:
        # Not by getattr, which asks the instance, the class and three tables before it finds a parameter.
        held = target.__dict__[weights.kept_in]
        held_weight = held[weights.name] if weights.name in held else direction_of(target)
        if held_weight is not None:
            # A parameter's property is a torch function too, and would go all the way through the tracer.
            with torch._C.DisableTorchFunction():
                kind = held_weight.dtype
            if dtype is not kind:
                _check_weights(target, dtype, kind, weights)
    if asked.takes or asked.equal:
        _check_others(target, asked, dtype, args, kwargs)


def _check_others(
    target: Any, asked: Requirements, dtype: torch.dtype, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> None:
    """Refuse operands after the first, whose dtype is given."""
    many = len(args)
    for takes in asked.takes:
        operand = args[takes.position] if many > takes.position else kwargs.get(takes.name)
        if isinstance(operand, torch.Tensor):
            kind = operand.dtype
        elif type(operand) is bool:
            kind = torch.bool
        else:
            continue
        if kind in takes.refused and not _converts(args, kwargs):
            _refuse_operand(target, takes, kind)
    for equal in asked.equal:
        operand = args[equal.position] if many > equal.position else kwargs.get(equal.name)
        if (
            isinstance(operand, torch.Tensor)
            and operand.dtype is not dtype
            and not (equal.takes_16_bits and _is_half_of(dtype, operand.dtype))
        ):
            _same(target, dtype, operand.dtype)


def _refuse_operand(target: Any, takes: Takes, dtype: torch.dtype) -> NoReturn:
    _refuse(
        f"{name_of(target)} takes {_WORDS[takes.kinds]} as {_place(takes)}, "
        f"and got {dtype}{_ADVICE.get(takes.kinds, '')}"
    )


def _check_weights(layer: nn.Module, dtype: torch.dtype, kind: torch.dtype, weights: Weights) -> None:
    """Refuse an input of another dtype than the weights, unless the layer takes it or something converts it."""
    if (weights.takes_16_bits and _is_half_of(dtype, kind)) or _converted_by_autocast():
        return
    _refuse(
        f"the input of {name_of(layer)} is {dtype} and its weights are {kind}, which PyTorch does not "
        f"combine: convert the input with .to({kind})"
    )


def _is_half_of(dtype: torch.dtype, other: torch.dtype) -> bool:
    return other is torch.float32 and dtype in (torch.float16, torch.bfloat16)


def require_kinds(what: str, input: TensorLike, kinds: str) -> None:
    """Refuse a tensor of another kind, in a rule whose arguments say which kinds there are.

    Raises:
        DtypeError: PyTorch raises for every size.
    """
    if input.dtype in _refused(kinds):
        _refuse(f"{what} takes {_WORDS[kinds]}, and got {input.dtype}{_ADVICE[kinds]}")


def same_dtypes(target: Any, first: Any, *others: Any) -> None:
    """Refuse tensors of several dtypes in an operation that converts none.

    Raises:
        DtypeError: two of them differ.
    """
    for other in others:
        if other.dtype is not first.dtype:
            _same(target, first.dtype, other.dtype)


def _same(target: Any, first: torch.dtype, other: torch.dtype) -> None:
    """Refuse two dtypes that differ, unless something converts one of them."""
    if not _converted_by_autocast():
        _refuse(
            f"{name_of(target)} combines {first} with {other}, which PyTorch does not: "
            f"convert one of them, with .to({_wider(first, other)})"
        )


def _wider(first: torch.dtype, second: torch.dtype) -> torch.dtype:
    """The dtype to convert to: what a network computes in, rather than what holds both."""
    if first.is_floating_point != second.is_floating_point:
        return first if first.is_floating_point else second
    return torch.promote_types(first, second)


def _refuse(message: str) -> NoReturn:
    raise DtypeError(message)


def _converts(args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
    """Whether the call names a dtype to convert to first: ``softmax(x, -1, dtype=torch.float32)``."""
    return any(isinstance(value, torch.dtype) for value in (*args, *kwargs.values()))


def _converted_by_autocast() -> bool:
    return torch.is_autocast_enabled("cpu") or torch.is_autocast_enabled("cuda")


# --- the table --------------------------------------------------------------------------------------------------

_AXES = (1, 2, 3)


def _for_axes(*names: str) -> Iterator[str]:
    return (f"{name}{axes}d" for name in names for axes in _AXES)


def _in_place(names: str) -> Iterator[str]:
    return (f"{name}_" for name in names.split() if hasattr(torch.Tensor, f"{name}_"))


_IN_PLACE_COMPLEX: Final = """
    sqrt rsqrt exp expm1 exp2 log log2 log10 log1p sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh
    arcsin arccos arctan arcsinh arccosh arctanh sigmoid reciprocal sinc
"""
_IN_PLACE_REAL: Final = "logit erf erfc erfinv lgamma digamma i0 mvlgamma deg2rad rad2deg"
"""Functions whose results integers cannot hold, so that only their in-place forms refuse those."""

_INPUT: Final[tuple[tuple[str, tuple[Target, ...]], ...]] = (
    (
        "f",
        (
            *_for_axes("adaptive_avg_pool", "adaptive_max_pool"), nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d,
            nn.AdaptiveAvgPool3d, "max_pool1d", "fractional_max_pool2d", "fractional_max_pool3d",
            *_for_axes("max_unpool"), nn.MaxPool1d, nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d,
            "softmax", "log_softmax", "nn.functional.softmin", "nn.functional.gumbel_softmax", "special.softmax",
            "special.log_softmax", nn.Softmax, nn.LogSoftmax, nn.Softmin, nn.Softmax2d,
            "gelu", "elu", "celu", "selu", "nn.functional.glu", "leaky_relu", "rrelu", "mish", "softplus", "softshrink",
            "hardshrink", "hardsigmoid", "hardswish", "nn.functional.logsigmoid", nn.GELU, nn.ELU, nn.CELU, nn.SELU,
            nn.GLU, nn.LeakyReLU, nn.Mish, nn.Softplus, nn.Softshrink, nn.Hardshrink, nn.Hardsigmoid, nn.Hardswish,
            nn.LogSigmoid,
            "frac", "hypot", "nextafter", "quantile", "nanquantile", "nanmean", "multinomial", torch.bernoulli,
            "mse_loss", "smooth_l1_loss", "huber_loss", "kl_div", "binary_cross_entropy",
            "binary_cross_entropy_with_logits", "cross_entropy", "nll_loss",
            "layer_norm", "nn.functional.group_norm", "nn.functional.batch_norm", "nn.functional.instance_norm",
            nn.LayerNorm, nn.GroupNorm, nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.InstanceNorm1d,
            nn.InstanceNorm2d, nn.InstanceNorm3d,
            "cosine_similarity", "cdist", "polar", "complex", "view_as_complex", "_weight_norm",
            "nn.functional.affine_grid", "nn.functional.grid_sample", "scaled_dot_product_attention",
            "exponential_", "cauchy_", "log_normal_", *_in_place(_IN_PLACE_REAL),
        ),
    ),
    (
        "fc",
        (
            *_in_place(_IN_PLACE_COMPLEX),
            "silu", nn.SiLU, "std", "var", "std_mean", "var_mean", "norm", "linalg.norm", "linalg.vector_norm",
            "linalg.matrix_norm", "normalize", "nn.functional.normalize", "rms_norm", nn.RMSNorm, "lerp", "logaddexp",
            "logcumsumexp", "rand_like", "randn_like", "normal_", "uniform_", "renorm", "stft", "linalg.inv", "inverse",
            "linalg.det", "det", "linalg.slogdet", "linalg.svd", "linalg.svdvals", "linalg.qr", "linalg.cholesky",
            "linalg.eigh", "linalg.pinv", "linalg.solve", "matrix_exp", "addcdiv",
        ),
    ),
    ("fbc", ("nn.functional.unfold", "nn.functional.fold", nn.Unfold, nn.Fold)),
    ("fi", (*_for_axes("avg_pool"), nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)),
    (
        "fiju",
        (
            "max_pool2d", "max_pool3d", nn.MaxPool2d, nn.MaxPool3d, "argmax", "argmin", "ceil", "floor", "round",
            "trunc", "fix", "kthvalue", "median", "nanmedian", "topk", "relu", "relu6", nn.ReLU, nn.ReLU6, "threshold",
            nn.Threshold, "searchsorted",
        ),
    ),
    (
        "fijub",
        (
            "amax", "amin", "aminmax", "argsort", "sort", "msort", "cummax", "cummin", "mode", "nansum", "max", "min",
            "maximum", "minimum", "fmax", "fmin", "fmod", "remainder", "__mod__", "floor_divide", "__floordiv__",
            "atan2", "copysign", "heaviside", "xlogy", "clamp", "clip", "clamp_min", "clamp_max", "lt", "le", "gt",
            "ge", "less", "less_equal", "greater", "greater_equal", "__lt__", "__le__", "__gt__", "__ge__", "sign",
            "signbit", "isposinf", "isneginf", "erf", "erfc", "erfinv", "i0", "lgamma", "digamma", "logit", "mvlgamma",
            "deg2rad", "rad2deg", "bucketize", "fft.rfft", "fft.rfft2", "fft.rfftn", "fft.ihfft", "fft.ihfft2",
            "fft.ihfftn",
        ),
    ),
    (
        "fijuc",
        (
            "abs", "absolute", "__abs__", "neg", "negative", "__neg__", "positive", "matmul", "__matmul__", "mm",
            "bmm", "mv", "dot", "vdot", "inner", "addmm", "addmv", "addbmm", "baddbmm", "linear", "cross",
            "linalg.cross", "softsign", "tanhshrink", nn.Softsign, nn.Tanhshrink, "addcmul", "pairwise_distance",
            "l1_loss", "trace", "matrix_power", "linalg.matrix_power", *_for_axes("conv"), "sub", "subtract", "rsub",
            "__sub__", "__rsub__", "__isub__",
        ),
    ),
    ("fijc", ("gradient",)),
    ("fic", tuple(_for_axes("conv_transpose"))),
    (
        "ijub",
        (
            "bitwise_not", "__invert__", "bitwise_and", "bitwise_or", "bitwise_xor", "__and__", "__or__", "__xor__",
            "__rand__", "__ror__", "__rxor__", "__iand__", "__ior__", "__ixor__", "bitwise_left_shift",
            "bitwise_right_shift", "__lshift__", "__rshift__", "__ilshift__", "__irshift__",
        ),
    ),
    (
        "iju",
        (
            "gcd", "lcm", "bincount",
        ),
    ),
)  # fmt: skip
"""What the first operand may be; the in-place form of a name that has one takes the same."""


def _of_positions() -> str:
    """Which integers ``gather`` and ``scatter`` take: older versions of PyTorch, int64 alone."""
    try:
        torch.zeros(1, device="cpu").gather(0, torch.zeros(1, dtype=torch.int32, device="cpu"))
    except RuntimeError:
        return "i"
    return "ij"


_OPERANDS: Final[tuple[tuple[int, str, str, tuple[Target, ...]], ...]] = (
    (1, "mask", "b", ("masked_fill", "masked_scatter", "masked_select")),
    (1, "condition", "ub", (torch.Tensor.where,)),
    (2, "index", _of_positions(), ("gather", "scatter", "scatter_add", "scatter_reduce")),
    (2, "index", "ij", ("index_select", "index_add")),
    (2, "index", "i", ("index_copy", "index_fill")),
    (1, "index", "i", ("take",)),
    (1, "indices", "i", ("take_along_dim", *_for_axes("max_unpool"))),
    (1, "repeats", "ij", ("repeat_interleave",)),
    (1, "other", "ijub", ("bitwise_and", "bitwise_or", "bitwise_xor", "__and__", "__or__", "__xor__")),
    (1, "other", "fijuc", ("sub", "subtract", "rsub", "__sub__", "__rsub__", "__isub__")),
)

_EQUAL: Final[tuple[tuple[Equal, tuple[Target, ...]], ...]] = (
    (Equal(1, "weight"), ("linear", *_for_axes("conv", "conv_transpose"), "prelu", "bilinear")),
    (Equal(2, "bias"), ("linear", *_for_axes("conv", "conv_transpose"))),
    (Equal(2, "weight"), ("bilinear",)),
    (Equal(1, "input2"), ("bilinear", nn.Bilinear)),
    (
        Equal(1, "other"),
        ("matmul", "__matmul__", "__rmatmul__", "linalg.matmul", "inner", "linalg.cross", "cross", "dot"),
    ),
    (Equal(1, "mat2"), ("mm", "bmm")),
    (Equal(1, "vec"), ("mv",)),
    (Equal(1, "b"), ("tensordot",)),
    (Equal(1, "B"), ("linalg.solve",)),
    (Equal(1, "x2"), ("cdist",)),
    (Equal(1, "mat1"), ("addmm",)),
    (Equal(2, "mat2"), ("addmm",)),
    (Equal(1, "batch1"), ("baddbmm", "addbmm")),
    (Equal(2, "batch2"), ("baddbmm", "addbmm")),
    (Equal(1, "end"), ("lerp",)),
    (Equal(1, "imag"), ("complex",)),
    (Equal(1, "key"), ("scaled_dot_product_attention",)),
    (Equal(2, "value"), ("scaled_dot_product_attention",)),
    (Equal(1, "grid"), ("nn.functional.grid_sample",)),
    (Equal(3, "src"), ("scatter", "scatter_add", "scatter_reduce")),
    (Equal(3, "source"), ("index_add", "index_copy")),
    (Equal(2, "source"), ("masked_scatter",)),
    (Equal(2, "values"), ("index_put",)),
    (Equal(2, "weight", takes_16_bits=True), ("nn.functional.layer_norm", "nn.functional.group_norm")),
    (Equal(3, "weight", takes_16_bits=True), ("nn.functional.instance_norm",)),
    (Equal(1, "running_mean", takes_16_bits=True), ("nn.functional.batch_norm",)),
)

_WEIGHTS: Final[tuple[tuple[Weights, tuple[type[nn.Module], ...]], ...]] = (
    (
        Weights("weight"),
        (
            nn.Linear, nn.Bilinear, nn.PReLU, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d,
            nn.ConvTranspose3d,
        ),
    ),
    (
        Weights("weight", takes_16_bits=True),
        (nn.LayerNorm, nn.GroupNorm, nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d),
    ),
    (Weights("running_mean", takes_16_bits=True, kept_in="_buffers"), (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)),
    (Weights("weight_ih_l0"), (nn.LSTM, nn.GRU, nn.RNN)),
    (Weights("weight_ih"), (nn.LSTMCell, nn.GRUCell, nn.RNNCell)),
)  # fmt: skip


def _targets(names: Iterable[Target]) -> set[Any]:
    """What the names stand for, with the in-place forms of those that have one."""
    in_place = (f"{name}_" for name in names if isinstance(name, str) and hasattr(torch.Tensor, f"{name}_"))
    return {target for name in (*names, *in_place) for target in resolve(name)}


def _table() -> dict[Any, Requirements]:
    found: defaultdict[Any, Requirements] = defaultdict(Requirements)
    for kinds, names in _INPUT:
        takes = _takes(0, "input", kinds)
        for target in _targets(names):
            # an in-place form that takes less has an entry of its own, in an earlier row
            if found[target].input is None:
                found[target].input, found[target].refused = takes, takes.refused
    for position, name, kinds, names in _OPERANDS:
        for target in _targets(names):
            found[target].takes += (_takes(position, name, kinds),)
    for equal, names in _EQUAL:
        for target in _targets(names):
            found[target].equal += (equal,)
    for weights, layers in _WEIGHTS:
        for layer in layers:
            found[layer].weights = weights
    return dict(found)


def _takes(position: int, name: str, kinds: str) -> Takes:
    return Takes(position, name, kinds, _refused(kinds))


@functools.cache
def _refused(kinds: str) -> frozenset[torch.dtype]:
    return _ALL.difference(*(_KINDS[kind] for kind in kinds))


REQUIREMENTS: Final[Mapping[Any, Requirements]] = _table()
"""By function and by class of layer; what is not in here takes whatever it is given."""
