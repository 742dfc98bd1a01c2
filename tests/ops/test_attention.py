"""Attention against torch."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from shapelint.ops import attention
from shapelint.ops.registry import Unsupported, function_rule
from tests.ops.against_torch import check, shaped

assert attention.__name__  # importing it registers the rules


def ranges(*shapes: tuple[Any, ...]) -> dict[str, range]:
    wide = {"E": range(3, 6), "F": range(3, 6)}
    return {name: wide.get(name, range(1, 4)) for name in "NMLSTABEFH" if any(name in shape for shape in shapes)}


@pytest.mark.parametrize(
    ("query", "key", "value"),
    [
        (("N", 2, "L", 4), ("N", 2, "S", 4), ("N", 2, "S", 5)),
        (("N", 2, "L", 4), ("M", 2, "S", 4), ("M", 2, "S", 4)),
        (("N", 2, "L", 4), (1, "H", "S", 4), (1, 2, "S", 4)),
        (("N", "L", 4), ("M", 1, "S", 4), ("S", 4)),
        (("N", "L", 4), ("N", "S", 4), ("N", "T", 3)),
        (("N", 2, "L", "E"), ("N", 2, "S", "F"), ("N", 2, "S", 4)),
        (("L", 4), ("S", 4), ("S", 4)),
        ((4,), ("S", 4), ("S", 4)),
    ],
)
def test_scaled_dot_product(query: tuple[Any, ...], key: tuple[Any, ...], value: tuple[Any, ...]) -> None:
    sizes = ranges(query, key, value)
    check(F.scaled_dot_product_attention, shaped(*query), shaped(*key), shaped(*value), sizes=sizes)


@pytest.mark.parametrize(
    "mask", [("L", "S"), ("A", "B"), ("N", 1, "L", "S"), ("N", 2, "L", "S"), (1, 1, 1, "S"), ("S",), ("A", 1, 1, "S")]
)
def test_masks(mask: tuple[Any, ...]) -> None:
    sizes = ranges(("N", "L", "S"), mask)
    for features in (4, 5):
        tensors = shaped("N", 2, "L", 4), shaped("N", 2, "S", 4), shaped("N", 2, "S", features)
        check(F.scaled_dot_product_attention, *tensors, shaped(*mask), sizes=sizes)
    check(F.scaled_dot_product_attention, *tensors, shaped(*mask), is_causal=True, sizes=sizes)


@pytest.mark.parametrize(("heads", "shared"), [(4, 2), (4, 1), (4, 4), (4, 3), (2, 4)])
@pytest.mark.parametrize("grouped", [False, True])
def test_grouped_heads(heads: int, shared: int, grouped: bool) -> None:
    tensors = shaped("N", heads, 3, 4), shaped("N", shared, "S", 4), shaped("N", shared, "S", 4)
    check(F.scaled_dot_product_attention, *tensors, enable_gqa=grouped, sizes=ranges(("N", "S")))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"batch_first": True},
        {"kdim": 5, "vdim": 6},
        {"add_bias_kv": True},
        {"add_zero_attn": True},
        {"kdim": 5, "batch_first": True, "add_bias_kv": True, "add_zero_attn": True},
    ],
)
@pytest.mark.parametrize("training", [False, True])
def test_multihead_modules(options: dict[str, Any], training: bool) -> None:
    module = nn.MultiheadAttention(4, 2, **options).train(training)
    keys, values = options.get("kdim", 4), options.get("vdim", 4)
    for query, key, value in (
        (("L", "N", 4), ("S", "N", keys), ("S", "N", values)),
        (("L", "N", 4), ("S", "M", keys), ("S", "M", values)),
        (("L", "N", 4), ("S", "N", keys), ("T", "N", values)),
        (("L", "N", "E"), ("S", "N", keys), ("S", "N", values)),
        (("L", 4), ("S", keys), ("S", values)),
        (("L", "N", 4), ("S", keys), ("S", values)),
    ):
        tensors = [shaped(*_ordered(shape, options)) for shape in (query, key, value)]
        check(module, *tensors, need_weights=False, sizes=ranges(query, key, value))
        check(module, *tensors, average_attn_weights=False, sizes=ranges(query, key, value))
    for query, key, value in (
        (("L", "N", 4), ("S", "N", keys), ("S", "N", values)),
        (("L", 4), ("S", keys), ("S", values)),
    ):
        tensors = [shaped(*_ordered(shape, options)) for shape in (query, key, value)]
        for mask in (("A", "B"), ("A", "L", "S")):
            check(module, *tensors, attn_mask=shaped(*mask), sizes=ranges(query, key, mask) | {"A": range(1, 5)})
        padding = shaped("A", "S", dtype=torch.bool), shaped("B", dtype=torch.bool)
        for mask in padding:
            check(module, *tensors, key_padding_mask=mask, sizes=ranges(query, key, mask.shape))
        check(module, *tensors, is_causal=True, sizes=ranges(query, key))


def _ordered(shape: tuple[Any, ...], options: dict[str, Any]) -> tuple[Any, ...]:
    return (shape[1], shape[0], shape[2]) if options.get("batch_first") and len(shape) == 3 else shape


def test_multihead_function() -> None:
    packed = (4, 2, shaped(12, 4), shaped(12), None, None, False, 0.0, shaped(4, 4), shaped(4))
    sizes = {"L": range(1, 4), "N": range(1, 4), "S": range(1, 4), "E": range(3, 6)}
    check(
        F.multi_head_attention_forward,
        shaped("L", "N", "E"),
        shaped("S", "N", 4),
        shaped("S", "N", 4),
        *packed,
        sizes=sizes,
    )
    separate = (4, 2, None, shaped(12), None, None, True, 0.0, shaped(4, 4), shaped(4))
    weights = {"q_proj_weight": shaped(4, 4), "k_proj_weight": shaped(4, 5), "v_proj_weight": shaped(4, 6)}
    tensors = shaped("L", "N", "E"), shaped("S", "N", 5), shaped("S", "N", 6)
    check(F.multi_head_attention_forward, *tensors, *separate, use_separate_proj_weight=True, sizes=sizes, **weights)
    odd = (4, 3, shaped(12, 4), shaped(12), None, None, False, 0.0, shaped(4, 4), shaped(4))
    check(
        F.multi_head_attention_forward,
        shaped("L", 4),
        shaped("S", 4),
        shaped("S", 4),
        *odd,
        sizes={"L": (2,), "S": (3,)},
    )


def test_static_keys_are_said_to_be_beyond_the_rule() -> None:
    rule = function_rule(F.multi_head_attention_forward)
    assert rule is not None
    x = torch.ones(3, 1, 4)
    with pytest.raises(Unsupported):
        rule(x, x, x, 4, 2, None, None, None, None, False, 0.0, torch.ones(4, 4), None, static_k=x)
