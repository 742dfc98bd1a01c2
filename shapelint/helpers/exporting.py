"""The sizes that run, as ``torch.export`` wants them told: ``analysis.as_export_dims()``.

A graph that is exported has one path, and takes no tensor to have a size of 1 that could be another. So the sizes
are narrowed to those at which no size in the network is 1; and where sizes that were rounded meet again (in a
decoder, at a branch), to the multiples of its stride, at which nothing is rounded. A recurrent layer is exported step
by step: what it counts stays static.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import nn
from torch.export import Dim as ExportDim

from shapelint.sizes import Dim, SizeSet, TooComplex, all_of
from shapelint.sizes.dim import dim
from shapelint.sizes.domain import Domain
from shapelint.tracing.tensor import SymbolicTensor

if TYPE_CHECKING:
    from shapelint.api import Analysis


@dataclass(frozen=True, slots=True)
class _Class:
    """The sizes ``step * k + rest`` with ``k`` from ``first`` on."""

    step: int
    rest: int
    first: int

    def export_dim(self, name: str) -> Any:
        root = ExportDim(name, min=self.first) if self.first > 1 else ExportDim(name)
        multiple = root if self.step == 1 else self.step * root
        return multiple + self.rest if self.rest else multiple


def export_dims(analysis: Analysis) -> dict[str, dict[int, Any] | None]:
    """``dynamic_shapes`` for ``torch.export.export``, by the names of ``forward``'s arguments.

    Sizes that the network fixes, or that only run in certain combinations, are left static.

    Raises:
        ValueError: the model could not be traced, or its arguments have no names.
    """
    if analysis.trace is None:
        raise ValueError(f"{analysis.name} could not be traced: {'; '.join(analysis.certainty_reasons)}")
    classes = _classes(analysis)
    made = {name: found.export_dim(name.lower()) for name, found in classes.items()}
    return {name: _axes(value, made) for name, value in _arguments(analysis).items()}


def _arguments(analysis: Analysis) -> Mapping[str, Any]:
    parameters = list(inspect.signature(analysis.model.forward).parameters.values())
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if len(names) < len(analysis.inputs.args):
        raise ValueError(f"the arguments of {analysis.name}.forward have no names, which torch.export goes by")
    return {**dict(zip(names, analysis.inputs.args, strict=False)), **analysis.inputs.keywords}


def _axes(value: Any, made: Mapping[str, Any]) -> dict[int, Any] | None:
    if not isinstance(value, SymbolicTensor):
        return None
    found = {axis: made[str(size)] for axis, size in enumerate(value.sizes) if str(size) in made}
    return found or None


def _classes(analysis: Analysis) -> dict[str, _Class]:
    """For each size that may vary freely the class of sizes that are exported."""
    sizes = analysis._domain
    for name, value in analysis._pinned.items():
        sizes = sizes.restrict(dim(name) == value)
    sizes = _without_ones(analysis, sizes)
    static = _counted(analysis) | set(analysis._pinned)
    symbols = [name for name in analysis.inputs.symbols if name not in static]
    if not _has_branches(analysis):
        found = _product(sizes, symbols)
        if found is not None:
            return found
    from shapelint.network import expected_sizes

    expected = expected_sizes(analysis, analysis.network).domain.intersect(sizes)
    return _product(expected, symbols) or {}


def _has_branches(analysis: Analysis) -> bool:
    """Whether sizes meet that went different ways, in the network's code or in PyTorch's."""
    assert analysis.trace is not None
    network = analysis.network
    return len(analysis.trace.outcomes) > 1 or network.upsamples or any(call.kind == "join" for call in network.calls)


def _counted(analysis: Analysis) -> set[str]:
    """The sizes that recurrent layers count."""
    return {
        name
        for call in analysis.network.calls
        if call.kind == "module" and isinstance(call.target, nn.RNNBase)
        for operand in analysis.network.operands[call.index]
        for size in operand.sizes
        if isinstance(size, Dim)
        for name in size.symbols
        if name in analysis.network.symbols
    }


def _without_ones(analysis: Analysis, sizes: Domain) -> Domain:
    for size in _all_sizes(analysis):
        try:
            narrowed = sizes.restrict(size >= 2)
        except TooComplex:
            continue  # a size that no set expresses is no axis that an export looks at by itself
        if not narrowed.is_empty():
            sizes = narrowed
    return sizes


def _all_sizes(analysis: Analysis) -> Iterator[Dim]:
    seen: set[Any] = set()
    given = analysis.inputs.main_shape()
    for shape in (given, *(output.sizes for call in analysis.network.calls for output in call.outputs)):
        for size in shape:
            if isinstance(size, Dim) and len(size.symbols) == 1 and size.expr not in seen:
                seen.add(size.expr)
                yield size


def _product(sizes: Domain, symbols: Sequence[str]) -> dict[str, _Class] | None:
    """A class for each symbol, such that all their combinations are among the sizes; None if there are none."""
    if sizes.is_empty():
        return None
    found = {name: cls for name in symbols if (cls := _class_of(SizeSet(sizes), name)) is not None}
    if not found:
        return None
    conditions = [
        condition
        for name, cls in found.items()
        for condition in (dim(name) % cls.step == cls.rest, dim(name) >= cls.step * cls.first + cls.rest)
    ]
    everything = Domain.positive(list(found)).restrict(all_of(*conditions))
    return found if everything.is_subset(sizes.project(found)) else None


def _class_of(sizes: SizeSet, name: str) -> _Class | None:
    """One residue class of a symbol's sizes: the multiples if they are among them."""
    try:
        axis = sizes.axis(name)
    except TooComplex:
        return None  # then the size stays as it is in the example
    if axis.start is None:
        return None
    rest = axis.residues[0]
    return _Class(axis.modulus, rest, max(-((rest - axis.start) // axis.modulus), 0))
