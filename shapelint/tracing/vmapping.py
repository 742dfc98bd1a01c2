"""``torch.vmap`` on symbolic tensors: the function runs once, on one slice, and its results get the batch's dimension.

What checks a call is torch's own code; only the part that hands tensors to C is replaced. How the results lie in memory
depends on how torch batches each operation, so that is said not to be known.
"""

from __future__ import annotations

from typing import Any

import torch
import torch._functorch.vmap as functorch
from torch.utils._pytree import tree_leaves, tree_unflatten

from shapelint.ops.placement import UNKNOWN, Layout
from shapelint.sizes import Undecided
from shapelint.tracing.tensor import SymbolicTensor

_original_impl: Any = functorch.vmap_impl
_original_flat: Any = functorch._flat_vmap
_original_unbatched: Any = functorch._maybe_remove_batch_dim


def in_one_piece(
    func: Any, in_dims: Any, out_dims: Any, randomness: str, chunk_size: Any, *args: Any, **kwargs: Any
) -> Any:
    """``vmap`` whose chunks are not taken apart: they are put together again, whatever their size."""
    if chunk_size is not None and any(map(_is_symbolic, tree_leaves(args))):
        chunk_size = None
    return _original_impl(func, in_dims, out_dims, randomness, chunk_size, *args, **kwargs)


def on_one_slice(
    func: Any, batch: Any, in_dims: Any, args: Any, structure: Any, out_dims: Any, randomness: str, **kwargs: Any
) -> Any:
    """The function's results on one slice, each with the batch's dimension."""
    if not any(map(_is_symbolic, args)):
        return _original_flat(func, batch, in_dims, args, structure, out_dims, randomness, **kwargs)
    slices = [arg if dim is None else _slice(arg, dim) for arg, dim in zip(args, in_dims, strict=True)]
    made = func(*tree_unflatten(slices, structure), **kwargs)
    return functorch._unwrap_batched(made, out_dims, 0, batch, func)


def batched(name: str, result: Any, level: int, batch: Any, dim: int | None) -> Any:
    """A result with the batch as this dimension."""
    if dim is None or not _is_symbolic(result):
        return _original_unbatched(name, result, level, batch, dim)
    spread = result.unsqueeze(dim)
    sizes = list(spread.shape)
    sizes[dim] = batch
    made = spread.expand(sizes)
    made.strided = Layout(lambda: UNKNOWN)
    return made


FUNCTIONS = {"vmap_impl": in_one_piece, "_flat_vmap": on_one_slice, "_maybe_remove_batch_dim": batched}


def _slice(tensor: Any, dim: int) -> Any:
    """One of the tensors along a dimension, which may be empty: any of them, so none that holds known positions."""
    if not (tensor.dtype.is_floating_point or tensor.dtype.is_complex or tensor.dtype is torch.bool):
        raise Undecided(f"torch.vmap over a tensor of {tensor.dtype}, whose numbers may be looked up")
    taken = tensor.sum(dim, dtype=tensor.dtype)
    if dim:
        taken.strided = Layout(lambda: UNKNOWN)
    return taken


def _is_symbolic(value: Any) -> bool:
    return type(value) is SymbolicTensor
