"""Reductions, cumulative functions, norms, distances and losses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from shapelint.ops.broadcasting import broadcast, floating, promoted, real_of
from shapelint.ops.dimensions import (
    Shape,
    agree,
    axis_index,
    axis_indices,
    fail,
    named,
    numpy_names,
    refuse_out,
)
from shapelint.ops.elementwise import arithmetic
from shapelint.ops.registry import Spec, TensorLike, Unsupported, is_tensor, shape_rule
from shapelint.sizes import Size, require, smax


def reduced(shape: Shape, dim: Any, keepdim: Any = False) -> Shape:
    """The shape without the dimensions (all for ``None`` or none listed), or with ones in their place."""
    ndim = len(shape)
    if isinstance(dim, (tuple, list)) and dim:
        axes = axis_indices(dim, ndim)
    elif dim is None or isinstance(dim, (tuple, list)):
        return (1,) * ndim if keepdim else ()
    else:
        axes = [axis_index(dim, ndim)]
    if keepdim:
        return tuple(1 if axis in axes else size for axis, size in enumerate(shape))
    return tuple(size for axis, size in enumerate(shape) if axis not in axes)


def _require_elements(shape: Shape, dim: Any, what: str) -> None:
    """Require something to choose from: the greatest of nothing does not exist."""
    if not shape:
        return
    axes = range(len(shape)) if dim is None or dim == () else dim if isinstance(dim, (tuple, list)) else (dim,)
    for axis in axes:
        size = shape[axis_index(axis, len(shape))]
        if type(size) is int and size > 0:
            continue
        require(size != 0, "{} of dimension {}, which is empty (size {})", what, axis, size)


def _summed(dtype: torch.dtype) -> torch.dtype | None:
    """Sums and products of integers are 64 bits wide."""
    return None if dtype.is_floating_point or dtype.is_complex else torch.int64


@shape_rule("sum", "nansum", "prod")
@numpy_names
def total(input: TensorLike, dim: Any = None, keepdim: bool = False, *, dtype: Any = None, **options: Any) -> Spec:
    """Sums and products over dimensions or everything."""
    if options:
        refuse_out(options)
    if isinstance(dim, torch.dtype):
        dim, dtype = None, dim
    return Spec(reduced(input.shape, dim, keepdim), dtype or _summed(input.dtype))


@shape_rule("mean", "nanmean")
@numpy_names
def mean(input: TensorLike, dim: Any = None, keepdim: bool = False, *, dtype: Any = None, **options: Any) -> Spec:
    """Means over dimensions or everything."""
    if options:
        refuse_out(options)
    if dtype is None and not (input.dtype.is_floating_point or input.dtype.is_complex):
        fail("mean needs floating point or complex numbers, and got {}", input.dtype)
    return Spec(reduced(input.shape, dim, keepdim), dtype)


@shape_rule("logsumexp", "special.logsumexp")
@numpy_names
def logsumexp(input: TensorLike, dim: Any, keepdim: bool = False, **options: Any) -> Spec:
    """log(sum(exp)) over dimensions."""
    return Spec(reduced(input.shape, dim, keepdim), floating(input.dtype))


@shape_rule("all", "any", "_is_all_true", "_is_any_true")
@numpy_names
def truth(input: TensorLike, dim: Any = None, keepdim: bool = False, **options: Any) -> Spec:
    """Whether all or any elements are true."""
    if options:
        refuse_out(options)
    return Spec(reduced(input.shape, dim, keepdim), torch.uint8 if input.dtype is torch.uint8 else torch.bool)


@shape_rule("count_nonzero")
@numpy_names
def count_nonzero(input: TensorLike, *dims: int, dim: Any = None) -> Spec:
    """How many elements are not zero."""
    given = dims[0] if len(dims) == 1 else dims or dim
    return Spec(reduced(input.shape, given), torch.int64)


@shape_rule("amax", "amin")
@numpy_names
def extreme(input: TensorLike, dim: Any = (), keepdim: bool = False, **options: Any) -> Spec:
    """The greatest or least over dimensions, of which none may be empty."""
    if options:
        refuse_out(options)
    _require_elements(input.shape, dim, "the extreme value")
    return Spec(reduced(input.shape, dim, keepdim))


@shape_rule("max", "min")
@numpy_names
def extreme_with_index(input: TensorLike, *args: Any, **options: Any) -> Any:
    """max and min in all their forms: of everything, of two tensors, over a dimension with positions."""
    if options.get("other") is not None or (args and is_tensor(args[0])):
        return arithmetic(input, options.get("other", args[0] if args else None))
    if options:
        refuse_out(options)
    dim = options.get("dim", args[0] if args else None)
    keepdim = options.get("keepdim", args[1] if len(args) > 1 else False)
    _require_elements(input.shape, dim, "max or min")
    if dim is None:
        return Spec(())
    shape = reduced(input.shape, int(dim), keepdim)
    return named("values indices", Spec(shape), Spec(shape, torch.int64))


@shape_rule("aminmax")
@numpy_names
def aminmax(input: TensorLike, *, dim: int | None = None, keepdim: bool = False) -> Any:
    """The least and the greatest."""
    _require_elements(input.shape, dim, "aminmax")
    shape = reduced(input.shape, dim, keepdim)
    return named("min max", Spec(shape), Spec(shape))


@shape_rule("argmax", "argmin")
@numpy_names
def argmax(input: TensorLike, dim: int | None = None, keepdim: bool = False) -> Spec:
    """The position of the greatest or least, along a dimension or among all."""
    _require_elements(input.shape, dim, "argmax or argmin")
    return Spec(reduced(input.shape, dim, keepdim), torch.int64)


@shape_rule("median", "nanmedian")
@numpy_names
def median(input: TensorLike, dim: int | None = None, keepdim: bool = False, **options: Any) -> Any:
    """The median of everything, or along a dimension with its positions."""
    if dim is None:
        return Spec(())
    _require_elements(input.shape, dim, "median or mode")
    shape = reduced(input.shape, dim, keepdim)
    return named("values indices", Spec(shape), Spec(shape, torch.int64))


@shape_rule("mode")
@numpy_names
def mode(input: TensorLike, dim: int = -1, keepdim: bool = False, **options: Any) -> Any:
    """The most frequent value along a dimension, with its positions."""
    return median(input, dim, keepdim)


@shape_rule("quantile", "nanquantile")
@numpy_names
def quantile(input: TensorLike, q: Any, dim: int | None = None, keepdim: bool = False, **options: Any) -> Spec:
    """Quantiles; several of them make a new first dimension."""
    if is_tensor(q) and q.ndim > 1:
        fail("quantile: q must be a number or a vector, and has {} dimensions", q.ndim)
    _require_elements(input.shape, dim, "quantile")
    before = q.shape if is_tensor(q) else ()
    return Spec((*before, *reduced(input.shape, dim, keepdim)))


def _spread_arguments(args: tuple[Any, ...], options: dict[str, Any]) -> tuple[Any, Any]:
    """Dimension and keepdim of std and var: ``(dim, unbiased, keepdim)`` or ``(unbiased)`` by position."""
    dim = options.get("dim", args[0] if args and not isinstance(args[0], bool) else None)
    keepdim = options.get("keepdim", args[2] if len(args) > 2 else False)
    return dim, keepdim


@shape_rule("std", "var")
@numpy_names
def spread(input: TensorLike, *args: Any, **options: Any) -> Spec:
    """Standard deviation and variance."""
    if options:
        refuse_out(options)
    return Spec(reduced(input.shape, *_spread_arguments(args, options)), real_of(input.dtype))


@shape_rule("std_mean", "var_mean")
@numpy_names
def spread_and_mean(input: TensorLike, *args: Any, **options: Any) -> tuple[Spec, Spec]:
    """Both at once."""
    shape = reduced(input.shape, *_spread_arguments(args, options))
    return Spec(shape, real_of(input.dtype)), Spec(shape)


@shape_rule("norm")
@numpy_names
def norm(
    input: TensorLike, p: Any = "fro", dim: Any = None, keepdim: bool = False, out: Any = None, dtype: Any = None
) -> Spec:
    """The old norm of vectors and matrices."""
    return Spec(reduced(input.shape, dim, keepdim), dtype or real_of(input.dtype))


@shape_rule("linalg.vector_norm")
@numpy_names
def vector_norm(
    input: TensorLike, ord: Any = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None, **options: Any
) -> Spec:
    """Norms of vectors, over one or more dimensions."""
    if isinstance(ord, float) and (ord == float("inf") or ord < 0):
        _require_elements(input.shape, dim, "a norm without a neutral element")
    return Spec(reduced(input.shape, dim, keepdim), dtype or real_of(input.dtype))


@shape_rule("linalg.norm")
@numpy_names
def linalg_norm(
    input: TensorLike, ord: Any = None, dim: Any = None, keepdim: bool = False, *, dtype: Any = None, **options: Any
) -> Spec:
    """Norms of vectors or, with an order and two dimensions, of matrices."""
    if ord is not None and dim is None and input.ndim not in (1, 2):
        fail("linalg.norm with an order takes a vector or a matrix, and got {} dimensions", input.ndim)
    return Spec(reduced(input.shape, dim, keepdim), dtype or real_of(input.dtype))


@shape_rule("linalg.matrix_norm")
@numpy_names
def matrix_norm(
    input: TensorLike, ord: Any = "fro", dim: Any = (-2, -1), keepdim: bool = False, *, dtype: Any = None
) -> Spec:
    """Norms of matrices."""
    if input.ndim < 2:
        fail("matrix_norm takes matrices, and got {} dimension(s)", input.ndim)
    return Spec(reduced(input.shape, dim, keepdim), dtype or real_of(input.dtype))


# -- cumulative ----------------------------------------------------------------------------------------------


@shape_rule("cumsum", "cumprod", "logcumsumexp")
@numpy_names
def cumulative(input: TensorLike, dim: int, *, dtype: Any = None, **options: Any) -> Spec:
    """Running sums and products."""
    if options:
        refuse_out(options)
    axis_index(dim, input.ndim)
    return Spec(input.shape, dtype or _summed(input.dtype))


@shape_rule("cumsum_", "cumprod_")
@numpy_names
def cumulative_in_place(input: TensorLike, dim: int, *, dtype: Any = None) -> TensorLike:
    """Running sums in place."""
    axis_index(dim, input.ndim)
    return input


@shape_rule("cummax", "cummin")
@numpy_names
def cumulative_extreme(input: TensorLike, dim: int, **options: Any) -> Any:
    """Running extremes with their positions."""
    axis_index(dim, input.ndim)
    return named("values indices", Spec(input.shape), Spec(input.shape, torch.int64))


@shape_rule("diff")
@numpy_names
def diff(input: TensorLike, n: int = 1, dim: int = -1, prepend: Any = None, append: Any = None) -> Spec:
    """Differences of neighbours: one element fewer each time, never fewer than none."""
    if not input.ndim:
        fail("diff needs at least one dimension")
    axis = axis_index(dim, input.ndim)
    sizes = list(input.shape)
    for extra in (prepend, append):
        if is_tensor(extra):
            sizes[axis] = sizes[axis] + (extra.shape[axis] if extra.ndim else 1)
    sizes[axis] = smax(sizes[axis] - n, 0)
    return Spec(tuple(sizes))


@shape_rule("gradient")
def gradient(input: TensorLike, *, spacing: Any = None, dim: Any = None, edge_order: int = 1) -> tuple[Spec, ...]:
    """Differences along each dimension, of the input's shape; at the borders they need neighbours."""
    if is_tensor(spacing) or (isinstance(spacing, (list, tuple)) and any(map(is_tensor, spacing))):
        raise Unsupported("gradient with spacing by tensors")
    dims = range(input.ndim) if dim is None else (dim,) if isinstance(dim, int) else dim
    axes = axis_indices(dims, input.ndim)
    if isinstance(spacing, (list, tuple)) and len(spacing) != len(axes):
        fail("gradient: {} spacings for {} dimensions", len(spacing), len(axes))
    if edge_order not in (1, 2):
        fail("gradient: edge_order must be 1 or 2, and is {}", edge_order)
    for axis in axes:
        size = input.shape[axis]
        require(size > edge_order, "gradient needs {} elements in a dimension, and got {}", edge_order + 1, size)
    return tuple(Spec(input.shape, floating(input.dtype)) for _ in axes)


@shape_rule("trapezoid", "trapz")
def trapezoid(y: TensorLike, x: Any = None, *, dx: Any = None, dim: int = -1) -> Spec:
    """The area below a curve: a dimension is gone."""
    axis = _trapezoid_axis(y, x, dim)
    return Spec(y.shape[:axis] + y.shape[axis + 1 :])


@shape_rule("cumulative_trapezoid")
def cumulative_trapezoid(y: TensorLike, x: Any = None, *, dx: Any = None, dim: int = -1) -> Spec:
    """The area below a curve up to each point but the first."""
    axis = _trapezoid_axis(y, x, dim)
    return Spec((*y.shape[:axis], smax(y.shape[axis] - 1, 0), *y.shape[axis + 1 :]))


def _trapezoid_axis(y: TensorLike, x: Any, dim: int) -> int:
    if x is not None or floating(y.dtype) is not y.dtype:
        raise Unsupported("the trapezoid rule with points given, or of whole numbers")
    return axis_index(dim, y.ndim)


@shape_rule("histc")
def histc(input: TensorLike, bins: Size = 100, min: Any = 0, max: Any = 0) -> Spec:
    """How many elements fall into each bin."""
    require(bins >= 1, "histc needs at least one bin, and got {}", bins)
    return Spec((bins,))


@shape_rule("multinomial")
def multinomial(input: TensorLike, num_samples: Size, replacement: bool = False, **options: Any) -> Spec:
    """So many draws from each row of probabilities."""
    if input.ndim not in (1, 2):
        fail("multinomial takes a vector or rows of probabilities, and got {} dimensions", input.ndim)
    require(num_samples >= 1, "multinomial cannot draw {} samples", num_samples)
    if not replacement:
        have = input.shape[-1]
        require(num_samples <= have, "multinomial cannot draw {} of {} without replacement", num_samples, have)
    return Spec((*input.shape[:-1], num_samples), torch.int64)


# -- distances -----------------------------------------------------------------------------------------------


@shape_rule("cdist")
def cdist(x1: TensorLike, x2: TensorLike, p: float = 2.0, compute_mode: Any = None) -> Spec:
    """Distances of all rows of one matrix to all of another, for batches of matrices."""
    if x1.ndim < 2 or x2.ndim < 2:
        fail("cdist takes matrices, and got {} and {} dimensions", x1.ndim, x2.ndim)
    a, b = x1.shape, x2.shape
    agree(a[-1], b[-1], "cdist: the points have {} coordinates in one and {} in the other")
    return Spec((*broadcast(a[:-2], b[:-2]), a[-2], b[-2]))


@shape_rule("cosine_similarity")
@numpy_names
def cosine_similarity(x1: Any = None, x2: Any = None, dim: int = 1, eps: float = 1e-8, **names: Any) -> Spec:
    """The cosine of the angle between vectors along a dimension."""
    x1, x2 = names.get("input", x1), names.get("other", x2)
    shape = broadcast(x1.shape, x2.shape)
    return Spec(reduced(shape, dim), promoted(x1, x2))


@shape_rule(nn.CosineSimilarity)
def cosine_similarity_module(module: nn.CosineSimilarity, x1: TensorLike, x2: TensorLike) -> Spec:
    """The module form of ``cosine_similarity``."""
    return cosine_similarity(x1, x2, module.dim)


@shape_rule("pairwise_distance")
@numpy_names
def pairwise_distance(
    x1: Any = None, x2: Any = None, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False, **names: Any
) -> Spec:
    """The distance of vectors along the last dimension."""
    x1, x2 = names.get("input", x1), names.get("other", x2)
    return Spec(reduced(broadcast(x1.shape, x2.shape), -1, keepdim), promoted(x1, x2))


# -- losses --------------------------------------------------------------------------------------------------


def _loss(shape: Shape, reduction: str, dtype: torch.dtype | None = None) -> Spec:
    if reduction not in ("none", "mean", "sum", "batchmean"):
        fail("{} is not a reduction", reduction)
    return Spec(shape if reduction == "none" else (), dtype)


def _reduction_of(options: dict[str, Any]) -> str:
    if options.get("size_average") is not None or options.get("reduce") is not None:
        raise Unsupported("size_average and reduce, the old names of reduction")
    return str(options.get("reduction", "mean"))


@shape_rule("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "kl_div", "poisson_nll_loss")
def elementwise_loss(input: TensorLike, target: TensorLike, *args: Any, **options: Any) -> Spec:
    """Losses of each element against its target; the two broadcast."""
    named = (each for each in args if isinstance(each, str))
    return _loss(broadcast(input.shape, target.shape), next(named, _reduction_of(options)), promoted(input, target))


@shape_rule("binary_cross_entropy", "binary_cross_entropy_with_logits")
def binary_cross_entropy(input: TensorLike, target: TensorLike, weight: Any = None, *args: Any, **options: Any) -> Spec:
    """Losses of probabilities; input and target must have the same shape."""
    _require_same(input.shape, target.shape, "binary cross entropy")
    shape = input.shape
    for factor in (weight, options.get("pos_weight")):
        if is_tensor(factor):
            shape = broadcast(shape, factor.shape)
    return _loss(shape, _reduction_of(options))


def _require_same(a: Shape, b: Shape, what: str) -> None:
    if len(a) != len(b):
        fail("{}: the input has {} dimensions and the target {}", what, len(a), len(b))
    for axis, (x, y) in enumerate(zip(a, b, strict=True)):
        if x is not y:
            agree(x, y, "{}: dimension {} of the input is {} and of the target {}", what, axis, x, y)


@shape_rule("soft_margin_loss")
def soft_margin_loss(input: TensorLike, target: TensorLike, *args: Any, **options: Any) -> Spec:
    """A logistic loss of each element."""
    return _loss(broadcast(input.shape, target.shape), _reduction_of(options))


@shape_rule("cross_entropy", "nll_loss")
def class_loss(input: TensorLike, target: TensorLike, weight: Any = None, *args: Any, **options: Any) -> Spec:
    """Losses of class scores in dimension 1 (0 without a batch) against class numbers or probabilities."""
    scores, wanted = input.shape, target.shape
    if not scores:
        fail("class scores need at least one dimension")
    channel = 0 if len(scores) == 1 else 1
    if is_tensor(weight):
        agree(weight.shape[0], scores[channel], "cross entropy has {} class weights for {} classes")
    if target.dtype.is_floating_point:
        _require_same(scores, wanted, "cross entropy with probabilities")
    else:
        _require_same(scores[:channel] + scores[channel + 1 :], wanted, "cross entropy")
    return _loss(scores[:channel] + scores[channel + 1 :], _reduction_of(options), input.dtype)


def _module_loss(rule: Callable[..., Any], *extra: str) -> Callable[..., Any]:
    def loss(module: Any, input: TensorLike, target: TensorLike) -> Any:
        """The module form of a loss."""
        options = {name: getattr(module, name) for name in extra}
        return rule(input, target, reduction=module.reduction, **options)

    return loss


for _class in (nn.MSELoss, nn.L1Loss, nn.SmoothL1Loss, nn.HuberLoss, nn.KLDivLoss, nn.PoissonNLLLoss):
    shape_rule(_class)(_module_loss(elementwise_loss))
shape_rule(nn.BCELoss)(_module_loss(binary_cross_entropy, "weight"))
shape_rule(nn.BCEWithLogitsLoss)(_module_loss(binary_cross_entropy, "weight", "pos_weight"))
shape_rule(nn.CrossEntropyLoss, nn.NLLLoss)(_module_loss(class_loss, "weight"))
