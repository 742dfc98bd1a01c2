"""Attention: ``scaled_dot_product_attention`` and multi-head attention.

The transformer layers have no rules: their ``forward`` is traced down to these.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from shapelint.ops.broadcasting import broadcast
from shapelint.ops.dimensions import Shape
from shapelint.ops.registry import Spec, TensorLike, Unsupported, shape_rule
from shapelint.sizes import Size, any_of, divides, require


@shape_rule("scaled_dot_product_attention")
def scaled_dot_product_attention(
    query: TensorLike,
    key: TensorLike,
    value: TensorLike,
    attn_mask: TensorLike | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Spec:
    for name, tensor in (("query", query), ("key", key), ("value", value)):
        require(tensor.ndim >= 2, "attention: the {} has {} dimension(s), and needs 2 or more", name, tensor.ndim)
    *query_batch, length, features = query.shape
    *key_batch, source, key_features = key.shape
    *value_batch, value_source, value_features = value.shape
    require(features == key_features, "attention: the query has {} features, the key {}", features, key_features)
    require(source == value_source, "attention: the key has a length of {}, the value {}", source, value_source)
    require(attn_mask is None or not is_causal, "attention takes attn_mask or is_causal, not both")
    if enable_gqa:
        key_batch = _repeated_heads(key_batch, query_batch)
        value_batch = _repeated_heads(value_batch, query_batch)
    weights_batch = broadcast(tuple(query_batch), tuple(key_batch))
    if attn_mask is not None:
        allowed = (torch.bool, torch.float32, query.dtype)
        require(attn_mask.dtype in allowed, "attention takes a mask of booleans or floats, and got {}", attn_mask.dtype)
        _require_expandable(tuple(attn_mask.shape), (*weights_batch, length, source))
    return Spec((*broadcast(weights_batch, tuple(value_batch)), length, value_features))


def _repeated_heads(batch: list[Size], query_batch: list[Size]) -> list[Size]:
    require(len(batch) >= 1 and len(query_batch) >= 1, "grouped attention needs a dimension of heads")
    heads, query_heads = batch[-1], query_batch[-1]
    require(divides(heads, query_heads), "{} query heads do not share {} key or value heads", query_heads, heads)
    return [*batch[:-1], query_heads]


def _require_expandable(shape: Shape, target: Shape) -> None:
    reason = "attention: the mask has shape {}, which does not expand to {}"
    require(2 <= len(shape) <= len(target), reason, shape, target)
    for size, wanted in zip(shape, target[len(target) - len(shape) :], strict=True):
        require(any_of(size == wanted, size == 1), reason, shape, target)


def multi_head_shapes(
    query: Shape,
    key: Shape,
    value: Shape,
    heads: Size,
    features: tuple[Size, Size, Size],
    masks: tuple[Shape | None, Shape | None],
    extra_keys: int,
) -> tuple[Shape, Size, Shape]:
    """Multi-head attention of tensors with the batch second.

    Args:
        features: what the layer expects of the query, the key and the value.
        masks: the shapes of attn_mask and key_padding_mask.
        extra_keys: the keys that add_bias_kv and add_zero_attn append.

    Returns:
        The query's shape less its features, the source length with the extra keys, and the batch or nothing.
    """
    rank = len(query)
    require(rank in (2, 3), "attention takes a query of 3 dimensions, or 2 without a batch, and got {}", rank)
    for name, shape, expected in zip(("query", "key", "value"), (query, key, value), features, strict=True):
        require(len(shape) == rank, "attention: the query has {} dimensions, the {} {}", rank, name, len(shape))
        require(shape[-1] == expected, "attention: the {} has {} features, expected {}", name, shape[-1], expected)
    require(key[0] == value[0], "attention: the key has a length of {}, the value {}", key[0], value[0])
    batch = query[1:-1]
    for name, shape in (("key", key), ("value", value)):
        if batch:
            require(shape[1] == batch[0], "attention: the query has a batch of {}, the {} {}", batch[0], name, shape[1])
    length, source = query[0], key[0]
    _require_masks(masks, (length, source), batch, heads)
    return query[:-1], source + extra_keys, batch


def _require_masks(masks: tuple[Shape | None, Shape | None], lengths: Shape, batch: Shape, heads: Size) -> None:
    mask, padding = masks
    if mask is not None:
        every_head = batch[0] * heads if batch else heads
        _require_exactly(mask, lengths if len(mask) == 2 else (every_head, *lengths), "attn_mask")
    if padding is not None:
        _require_exactly(padding, (*batch, lengths[1]), "key_padding_mask")


def _require_exactly(shape: Shape, expected: Shape, name: str) -> None:
    reason = "attention: {} has shape {}, and should have {}"
    require(len(shape) == len(expected), reason, name, shape, expected)
    for size, wanted in zip(shape, expected, strict=True):
        require(size == wanted, reason, name, shape, expected)


def _weights_shape(lengths: Shape, batch: Shape, source: Size, heads: Size, average: bool) -> Shape:
    return (*batch, lengths[0], source) if average else (*batch, heads, lengths[0], source)


def _batch_second(shape: Shape, batch_first: bool) -> Shape:
    return (shape[1], shape[0], *shape[2:]) if batch_first and len(shape) == 3 else tuple(shape)


@shape_rule(nn.MultiheadAttention)
def multihead_attention_module(
    module: Any,
    query: TensorLike,
    key: TensorLike,
    value: TensorLike,
    key_padding_mask: TensorLike | None = None,
    need_weights: bool = True,
    attn_mask: TensorLike | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Spec, Spec | None]:
    heads, batch_first = module.num_heads, module.batch_first
    require(attn_mask is not None or not is_causal, "attention: is_causal needs an attn_mask")
    leading, source, batch = multi_head_shapes(
        _batch_second(query.shape, batch_first),
        _batch_second(key.shape, batch_first),
        _batch_second(value.shape, batch_first),
        heads,
        (module.embed_dim, module.kdim, module.vdim),
        (_shape_of(attn_mask), _shape_of(key_padding_mask)),
        (module.bias_k is not None) + module.add_zero_attn,
    )
    output = Spec((*query.shape[:-1], module.out_proj.out_features))
    if not need_weights:
        return output, None
    return output, Spec(_weights_shape(leading, batch, source, heads, average_attn_weights))


@shape_rule("multi_head_attention_forward")
def multi_head_attention_forward(
    query: TensorLike,
    key: TensorLike,
    value: TensorLike,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: TensorLike | None,
    in_proj_bias: TensorLike | None,
    bias_k: TensorLike | None,
    bias_v: TensorLike | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: TensorLike,
    out_proj_bias: TensorLike | None,
    training: bool = True,
    key_padding_mask: TensorLike | None = None,
    need_weights: bool = True,
    attn_mask: TensorLike | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: TensorLike | None = None,
    k_proj_weight: TensorLike | None = None,
    v_proj_weight: TensorLike | None = None,
    static_k: TensorLike | None = None,
    static_v: TensorLike | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Spec, Spec | None]:
    if static_k is not None or static_v is not None:
        raise Unsupported("attention with static keys or values")
    require(attn_mask is not None or not is_causal, "attention: is_causal needs an attn_mask")
    require(
        divides(num_heads, embed_dim_to_check),
        "attention: {} features do not split into {} heads",
        embed_dim_to_check,
        num_heads,
    )
    key_features: Size = embed_dim_to_check
    value_features: Size = embed_dim_to_check
    if use_separate_proj_weight and k_proj_weight is not None and v_proj_weight is not None:
        key_features, value_features = k_proj_weight.shape[1], v_proj_weight.shape[1]
    leading, source, batch = multi_head_shapes(
        tuple(query.shape),
        tuple(key.shape),
        tuple(value.shape),
        num_heads,
        (embed_dim_to_check, key_features, value_features),
        (_shape_of(attn_mask), _shape_of(key_padding_mask)),
        (bias_k is not None) + add_zero_attn,
    )
    output = Spec((*leading, out_proj_weight.shape[0]))
    if not need_weights:
        return output, None
    return output, Spec(_weights_shape(leading, batch, source, num_heads, average_attn_weights))


def _shape_of(tensor: TensorLike | None) -> Shape | None:
    return None if tensor is None else tuple(tensor.shape)
