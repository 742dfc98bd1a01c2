"""Elementwise operations: activations and functions of one tensor, arithmetic that broadcasts, conversions of dtype."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from shapelint.ops.broadcasting import broadcast, broadcast_into, complex_of, floating, promoted, real_of
from shapelint.ops.dimensions import axis_index, exact_divide, fail, refuse_out
from shapelint.ops.dtypes import require_kinds
from shapelint.ops.indexing import nonzero
from shapelint.ops.registry import Spec, TensorLike, is_tensor, shape_rule
from shapelint.sizes import any_of, require


def _known(names: str, suffix: str = "") -> list[str]:
    """The names, each with the suffix, that this version of torch has."""
    full = dict.fromkeys(name + suffix for name in names.split())
    return [name for name in full if any(hasattr(space, name) for space in (torch, torch.Tensor, F))]


# -- functions of one tensor ---------------------------------------------------------------------------------

_SAME_DTYPE = """
    relu relu6 leaky_relu elu selu celu rrelu hardswish hardsigmoid hardshrink softshrink threshold
    gelu silu mish softplus softsign tanhshrink logsigmoid
    neg negative positive sgn sign ceil floor round trunc fix frac square bitwise_not nan_to_num
    clone contiguous detach alias resolve_conj resolve_neg conj conj_physical pin_memory cpu cuda bernoulli
"""
_FLOATING = """
    sqrt rsqrt exp expm1 exp2 log log2 log10 log1p sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh
    arcsin arccos arctan arcsinh arccosh arctanh sigmoid logit erf erfc erfinv reciprocal lgamma digamma sinc i0
    mvlgamma deg2rad rad2deg
"""
_SPECIAL = """
    expit erf erfc erfcx erfinv sinc log1p expm1 exp2 ndtr ndtri log_ndtr logit digamma psi gammaln entr i0 i0e i1 i1e
"""
_BOOLEAN = "isnan isinf isfinite isposinf isneginf isreal signbit logical_not"
_FILLING = """
    fill zero normal uniform random exponential cauchy log_normal geometric requires_grad share_memory abs absolute
"""


@shape_rule(*_known(_SAME_DTYPE), "__neg__", "__pos__", "__invert__", "data")
def same_shape(input: TensorLike, *args: Any, **kwargs: Any) -> Spec:
    """An activation, a rounding, a copy: nothing happens to size or dtype."""
    return Spec(input.shape)


@shape_rule(*_known(_SAME_DTYPE + _FLOATING + _FILLING + " logical_not", "_"))
def in_place(input: TensorLike, *args: Any, **kwargs: Any) -> TensorLike:
    """The in-place form of a function of one tensor, or a filling with values."""
    return input


@shape_rule(*_known(_FLOATING), *(f"special.{name}" for name in _SPECIAL.split() if hasattr(torch.special, name)))
def real_function(input: TensorLike, *args: Any, **kwargs: Any) -> Spec:
    """exp, sqrt, sigmoid ...: integers become floating point."""
    dtype = input.dtype
    return Spec(input.shape, dtype if dtype.is_floating_point else floating(dtype))


@shape_rule(*_known(_BOOLEAN))
def property_of_values(input: TensorLike, *args: Any, **kwargs: Any) -> Spec:
    """isnan, isfinite, logical_not ...: a truth value for each element."""
    return Spec(input.shape, torch.bool)


@shape_rule("abs", "absolute", "__abs__", "real", "imag")
def real_part(input: TensorLike, *args: Any, **kwargs: Any) -> Spec:
    """Magnitude, real and imaginary part: a complex dtype becomes a real one."""
    return Spec(input.shape, real_of(input.dtype))


@shape_rule("angle")
def angle(input: TensorLike) -> Spec:
    """Phase of each element, floating point."""
    return Spec(input.shape, real_of(floating(input.dtype)))


@shape_rule(nn.Identity)
def identity(module: nn.Identity, input: Any) -> Any:
    """Whatever is passed comes back."""
    return input


@shape_rule(
    nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.SELU, nn.CELU, nn.RReLU, nn.GELU, nn.SiLU, nn.Mish,
    nn.Sigmoid, nn.LogSigmoid, nn.Tanh, nn.Tanhshrink, nn.Softplus, nn.Softsign, nn.Softshrink, nn.Hardshrink,
    nn.Hardsigmoid, nn.Hardswish, nn.Threshold,
)  # fmt: skip
def activation(module: nn.Module, input: TensorLike) -> Spec:
    """An activation module keeps the shape."""
    return Spec(input.shape)


@shape_rule("hardtanh")
def hardtanh(input: TensorLike, min_val: Any = -1.0, max_val: Any = 1.0, *args: Any, **options: Any) -> Spec:
    """Clipping, by default to -1 ... 1, and uint8 has no -1."""
    require_kinds("hardtanh", input, "fij" if min_val < 0 or max_val < 0 else "fiju")
    return Spec(input.shape)


@shape_rule("hardtanh_")
def hardtanh_in_place(input: TensorLike, *args: Any, **options: Any) -> TensorLike:
    """The in-place form of ``hardtanh``."""
    hardtanh(input, *args, **options)
    return input


@shape_rule(nn.Hardtanh)
def hardtanh_module(module: nn.Hardtanh, input: TensorLike) -> Spec:
    """The module form of ``hardtanh``."""
    return hardtanh(input, module.min_val, module.max_val)


@shape_rule("dropout", "dropout3d", "alpha_dropout")
def dropout(input: TensorLike, p: Any = 0.5, training: bool = True, *args: Any, **options: Any) -> Spec:
    """Dropout of single elements."""
    _require_scaled(input, p, options.get("train", training))
    return Spec(input.shape)


def _require_scaled(input: TensorLike, p: Any, training: bool) -> None:
    """In training what is left is scaled, which integers cannot hold; where all or nothing is left, nobody asks."""
    if training and 0 < p < 1:
        require_kinds("dropout in training", input, "f")


@shape_rule("dropout_", "alpha_dropout_")
def dropout_in_place(input: TensorLike, *args: Any, **options: Any) -> TensorLike:
    """The in-place forms of dropout."""
    dropout(input, *args, **options)
    return input


@shape_rule(nn.Dropout, nn.Dropout3d, nn.AlphaDropout)
def dropout_module(module: nn.Dropout | nn.Dropout3d | nn.AlphaDropout, input: TensorLike) -> Spec:
    """The module forms of dropout."""
    return dropout(input, module.p, module.training)


@shape_rule(F.dropout1d)
def dropout1d(input: TensorLike, p: Any = 0.5, training: bool = True, *args: Any, **options: Any) -> Spec:
    """Dropout of whole channels of a signal, batched or not."""
    _require_scaled(input, p, training)
    if input.ndim not in (2, 3):
        fail("dropout1d takes (channels, length) or (batch, channels, length), and got {} dimensions", input.ndim)
    return Spec(input.shape)


@shape_rule("dropout2d", "feature_dropout", "feature_alpha_dropout")
def channel_dropout(input: TensorLike, p: float = 0.5, training: bool = True, *args: Any, **options: Any) -> Spec:
    """Dropout of whole channels, which only training looks for."""
    _require_scaled(input, p, options.get("train", training))
    if options.get("train", training) and p > 0 and input.ndim < 2:
        _require_channels(input)
    return Spec(input.shape)


def _require_channels(input: TensorLike) -> None:
    """An empty tensor is let through as it is."""
    empty = any_of(*(size == 0 for size in input.shape))
    require(empty, "dropout of channels needs at least 2 dimensions, and got {}", input.ndim)


@shape_rule(nn.Dropout2d, nn.FeatureAlphaDropout)
def channel_dropout_module(module: nn.Dropout2d | nn.FeatureAlphaDropout, input: TensorLike) -> Spec:
    """The module forms of dropout of whole channels."""
    return channel_dropout(input, module.p, module.training)


@shape_rule(nn.Dropout1d)
def dropout1d_module(module: nn.Dropout1d, input: TensorLike) -> Spec:
    """The module form of ``dropout1d``."""
    return dropout1d(input, module.p, module.training)


@shape_rule("prelu")
def prelu(input: TensorLike, weight: TensorLike) -> Spec:
    """PReLU learns one slope, or one for each channel of dimension 1."""
    if weight.ndim > 1:
        fail("the weight of prelu has {} dimensions; it may have 0 or 1", weight.ndim)
    slopes = weight.shape[0] if weight.ndim else 1
    if type(slopes) is int and slopes == 1:
        return Spec(input.shape)
    if not input.ndim:
        require(slopes == 1, "prelu with {} parameters needs a channel dimension, and got a single number", slopes)
    channels = input.shape[1] if input.ndim > 1 else 1
    require(any_of(channels == slopes, slopes == 1), "prelu has {} parameters for {} channels", slopes, channels)
    return Spec(input.shape)


@shape_rule(nn.PReLU)
def prelu_module(module: nn.PReLU, input: TensorLike) -> Spec:
    """The module form of ``prelu``."""
    return prelu(input, module.weight)


@shape_rule("glu")
def glu(input: TensorLike, dim: int = -1) -> Spec:
    """The gated linear unit halves a dimension of even size."""
    if not input.ndim:
        fail("glu needs at least one dimension")
    axis = axis_index(dim, input.ndim)
    shape = input.shape
    half = exact_divide(shape[axis], 2, "glu halves dimension {}, whose size {} is odd", axis, shape[axis])
    return Spec((*shape[:axis], half, *shape[axis + 1 :]))


@shape_rule(nn.GLU)
def glu_module(module: nn.GLU, input: TensorLike) -> Spec:
    """The module form of ``glu``."""
    return glu(input, module.dim)


@shape_rule("softmax", "log_softmax", "softmin", "special.softmax", "special.log_softmax")
def softmax(
    input: TensorLike, dim: int | None = None, *args: Any, dtype: torch.dtype | None = None, **kwargs: Any
) -> Spec:
    """Softmax over one dimension, which must exist."""
    dtype = next((each for each in args if isinstance(each, torch.dtype)), dtype)
    if dim is None and "axis" in kwargs:
        dim = kwargs["axis"]
    if dim is not None:
        axis_index(dim, input.ndim)
    return Spec(input.shape, dtype)


@shape_rule("gumbel_softmax")
def gumbel_softmax(logits: TensorLike, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1) -> Spec:
    """Samples with the shape of the logits."""
    axis_index(dim, logits.ndim)
    return Spec(logits.shape)


@shape_rule(nn.Softmax, nn.LogSoftmax, nn.Softmin)
def softmax_module(module: nn.Softmax | nn.LogSoftmax | nn.Softmin, input: TensorLike) -> Spec:
    """The module forms of softmax."""
    return softmax(input, module.dim)


@shape_rule(nn.Softmax2d)
def softmax2d(module: nn.Softmax2d, input: TensorLike) -> Spec:
    """Softmax over the channels of an image, batched or not."""
    if input.ndim not in (3, 4):
        fail("Softmax2d takes 3 or 4 dimensions, and got {}", input.ndim)
    return Spec(input.shape)


@shape_rule("native_dropout")
def native_dropout(input: TensorLike, p: float, train: bool | None) -> tuple[Spec, Spec]:
    """The result and the mask of what was kept."""
    return Spec(input.shape), Spec(input.shape, torch.bool)


# -- two and three tensors -----------------------------------------------------------------------------------


def _shape_of(*operands: Any) -> tuple[Any, ...]:
    """The shapes of those operands that are tensors, broadcast; torch makes a tensor of plain numbers as well."""
    shapes = [operand.shape for operand in operands if isinstance(operand, torch.Tensor)]
    if not shapes:
        return ()
    return shapes[0] if len(shapes) == 1 else broadcast(*shapes)


_ARITHMETIC = """
    add sub subtract mul multiply remainder fmod floor_divide pow bitwise_and bitwise_or bitwise_xor gcd lcm
    bitwise_left_shift bitwise_right_shift nextafter hypot heaviside ldexp
"""
_DIVISION = "div divide true_divide atan2 arctan2 xlogy copysign"
_COMPARISON = """
    eq ne lt le gt ge not_equal less less_equal greater greater_equal logical_and logical_or logical_xor
"""
_DUNDERS = "add sub mul mod floordiv pow and or xor lshift rshift"


def _dunders(names: str, prefix: str = "") -> list[str]:
    return [name for name in (f"__{prefix}{each}__" for each in names.split()) if hasattr(torch.Tensor, name)]


@shape_rule(
    *_known(_ARITHMETIC), "rsub", "maximum", "minimum", "fmax", "fmin", *_dunders(_DUNDERS), *_dunders(_DUNDERS, "r")
)
def arithmetic(input: Any, other: Any = None, *args: Any, exponent: Any = None, **options: Any) -> Spec:
    """Arithmetic on two operands that broadcast; the dtype is promoted."""
    if options:
        refuse_out(options)
    if other is None:
        other = exponent
    shape = input.shape if type(other) in (int, float) and is_tensor(input) else _shape_of(input, other)
    return Spec(shape, promoted(input, other))


@shape_rule(*_known(_DIVISION), "logaddexp", "logaddexp2", *_dunders("truediv div"), *_dunders("truediv div", "r"))
def division(input: Any, other: Any, *, rounding_mode: str | None = None, **options: Any) -> Spec:
    """True division and its like: integers give floating point, unless a rounding mode keeps them."""
    if options:
        refuse_out(options)
    dtype = promoted(input, other)
    if rounding_mode is None:
        first = input if is_tensor(input) else other
        dtype = floating(dtype or first.dtype)
    return Spec(_shape_of(input, other), dtype)


@shape_rule("float_power")
def float_power(input: Any, exponent: Any) -> Spec:
    """Powers in double precision."""
    dtypes = [operand.dtype for operand in (input, exponent) if is_tensor(operand)]
    is_complex = any(dtype.is_complex for dtype in dtypes)
    return Spec(_shape_of(input, exponent), torch.complex128 if is_complex else torch.float64)


@shape_rule(*_known(_COMPARISON), "isclose", *_dunders("lt le gt ge"))
def comparison(input: Any, other: Any, *args: Any, **options: Any) -> Spec:
    """Comparisons broadcast and give truth values."""
    if options:
        refuse_out(options)
    return Spec(_shape_of(input, other), torch.bool)


@shape_rule(*_dunders("eq ne"))
def equality(input: TensorLike, other: Any) -> Any:
    """``==`` and ``!=``, which anything may be compared with (``x == "replicate"``)."""
    if is_tensor(other) or isinstance(other, (int, float, complex)):
        return comparison(input, other)
    return NotImplemented


@shape_rule("isin")
def isin(elements: Any, test_elements: Any, **options: Any) -> Spec:
    """Whether each element is among others."""
    return Spec(elements.shape if is_tensor(elements) else (), torch.bool)


@shape_rule(torch.polygamma)
def polygamma(n: int, input: TensorLike) -> Spec:
    """The derivatives of digamma."""
    return real_function(input)


@shape_rule("_weight_norm")
def weight_norm(v: TensorLike, g: TensorLike, dim: int = 0) -> Spec:
    """A direction scaled to given lengths."""
    return Spec(broadcast(v.shape, g.shape))


@shape_rule("renorm")
def renorm(input: TensorLike, p: Any, dim: int, maxnorm: Any) -> Spec:
    """Slices scaled down to a greatest norm."""
    if input.ndim < 2:
        fail("renorm needs at least 2 dimensions, and got {}", input.ndim)
    axis_index(dim, input.ndim)
    return Spec(input.shape)


@shape_rule(
    *_known(_ARITHMETIC, "_"), *_dunders(_DUNDERS, "i"), "addcmul_", "addcdiv_", "lerp_", "clamp_", "clip_",
    "clamp_min_", "clamp_max_",
)  # fmt: skip
def arithmetic_in_place(input: TensorLike, *others: Any, **options: Any) -> TensorLike:
    """Arithmetic into the first tensor, which keeps its shape and dtype."""
    dtype = promoted(input, *others)
    if dtype is not None:
        _require_castable(dtype, input.dtype)
    return written_into(input, *others, **options)


@shape_rule(*_known(_DIVISION, "_"), *_dunders("truediv div", "i"))
def division_in_place(input: TensorLike, other: Any, *, rounding_mode: str | None = None) -> TensorLike:
    """Division into the first tensor, which integers cannot hold."""
    dtype = promoted(input, other) or input.dtype
    _require_castable(dtype if rounding_mode else floating(dtype), input.dtype)
    return written_into(input, other)


@shape_rule(*_known(_COMPARISON, "_"), "copy_", "masked_fill_", "masked_scatter_")
def written_into(input: TensorLike, *others: Any, **options: Any) -> TensorLike:
    """Tensors that are written into another must broadcast to its shape."""
    for other in (*others, *options.values()):
        if is_tensor(other):
            broadcast_into(input.shape, other.shape)
    return input


@shape_rule("nn.init.uniform_", "nn.init.normal_", "nn.init.constant_", "nn.init.kaiming_uniform_")
def initialized(tensor: TensorLike, *parameters: Any, **options: Any) -> TensorLike:
    """What the weights of a layer begin as: a layer may be made in ``forward``, for the input's size."""
    return tensor


def _require_castable(source: torch.dtype, target: torch.dtype) -> None:
    if source is not target and not torch.can_cast(source, target):
        fail("a result of type {} cannot be stored in a tensor of type {}", source, target)


@shape_rule("addcmul", "addcdiv")
def add_product(input: TensorLike, tensor1: TensorLike, tensor2: TensorLike, *, value: Any = 1) -> Spec:
    """A tensor plus the product or quotient of two others, all broadcast."""
    return Spec(broadcast(input.shape, tensor1.shape, tensor2.shape), promoted(input, tensor1, tensor2))


@shape_rule("lerp")
def lerp(input: TensorLike, end: TensorLike, weight: Any) -> Spec:
    """Linear interpolation between two tensors."""
    return Spec(_shape_of(input, end, weight))


@shape_rule("clamp", "clip")
def clamp(input: TensorLike, min: Any = None, max: Any = None, **options: Any) -> Spec:
    """Limits, numbers or tensors that broadcast."""
    if options:
        refuse_out(options)
    if min is None and max is None:
        fail("clamp needs a minimum or a maximum")
    return Spec(_shape_of(input, min, max), promoted(input, min, max))


@shape_rule("clamp_min")
def clamp_min(input: TensorLike, min: Any) -> Spec:
    """A lower limit, a number or a tensor that broadcasts."""
    return Spec(_shape_of(input, min), promoted(input, min))


@shape_rule("clamp_max")
def clamp_max(input: TensorLike, max: Any) -> Spec:
    """An upper limit, a number or a tensor that broadcasts."""
    return Spec(_shape_of(input, max), promoted(input, max))


@shape_rule("masked_fill")
def masked_fill(input: TensorLike, mask: TensorLike, value: Any) -> Spec:
    """A mask that broadcasts with its tensor."""
    if is_tensor(value) and value.ndim:
        fail("masked_fill takes a single number, and got a value with {} dimensions", value.ndim)
    return Spec(broadcast(input.shape, mask.shape))


@shape_rule("masked_scatter")
def masked_scatter(input: TensorLike, mask: TensorLike, source: TensorLike) -> Spec:
    """A mask that broadcasts with its tensor; how much of the source is read depends on the data."""
    return Spec(broadcast(input.shape, mask.shape))


@shape_rule(torch.where)
def where(condition: TensorLike, input: Any = None, other: Any = None, **options: Any) -> Any:
    """A choice between two operands; all three broadcast. Without operands, where the condition is true."""
    if options:
        refuse_out(options)
    if input is None or other is None:
        return nonzero(condition, as_tuple=True)
    require_kinds("torch.where", condition, "ub")
    shape = _shape_of(condition, input, other)
    dtype = promoted(input, other)
    return Spec(shape, dtype or next(each.dtype for each in (input, other) if is_tensor(each)))


@shape_rule(torch.Tensor.where)
def where_method(input: TensorLike, condition: TensorLike, other: Any) -> Any:
    """``input.where(condition, other)``."""
    return where(condition, input, other)


@shape_rule("complex")
def complex_of_parts(real: TensorLike, imag: TensorLike) -> Spec:
    """A complex tensor of two parts that broadcast."""
    return Spec(broadcast(real.shape, imag.shape), complex_of(real.dtype))


@shape_rule("polar")
def polar(abs: TensorLike, angle: TensorLike) -> Spec:
    """A complex tensor of magnitude and phase."""
    return Spec(broadcast(abs.shape, angle.shape), complex_of(abs.dtype))
