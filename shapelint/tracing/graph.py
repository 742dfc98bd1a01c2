"""The traced operations as a ``torch.fx.Graph``: what other tools print, walk and compare."""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Mapping
from typing import Any

import torch
from torch import fx, nn

from shapelint.sizes import Dim, SizeSet
from shapelint.tracing.record import Call, Trace
from shapelint.tracing.tensor import SymbolicTensor


def select_path(*alternatives: Any) -> Any:
    """Where the paths of a branch on a size come together: the alternative of the path that was taken.

    In a graph it stands for the branch; called, it gives the first alternative.
    """
    return alternatives[0]


def to_fx(model: nn.Module, trace: Trace) -> fx.Graph:
    """The calls of a trace as a graph.

    Leaf layers are ``call_module`` nodes with their dotted path, functions ``call_function``, methods ``call_method``;
    branches join in ``call_function(select_path)``. A node's ``meta`` has "shape" (a tuple of sizes, or one for each
    output), "domain" (the SizeSet that reaches it), "location" and "requirement" (the conditions it states, if any).
    Operations with several outputs are followed by one ``getitem`` node for each, in flattened order.
    """
    return _Writer(model, trace).write()


class _Writer:
    def __init__(self, model: nn.Module, trace: Trace) -> None:
        self.trace = trace
        self.graph = fx.Graph()
        self.nodes: dict[int, fx.Node] = {}
        self.attributes: dict[int, fx.Node] = {}
        self.modules = {name: module for name, module in model.named_modules() if name}
        self.names = {id(p): name for name, p in (*model.named_parameters(), *model.named_buffers())}
        self.requirements: dict[int, list[str]] = {}
        for failure in trace.failures:
            if failure.call is not None and failure.condition is not None:
                texts = self.requirements.setdefault(failure.call.index, [])
                if str(failure.condition) not in texts:
                    texts.append(str(failure.condition))

    def write(self) -> fx.Graph:
        for call in self.trace.calls:
            node = self._node(call)
            self._describe(node, call)
            self._note_outputs(node, call)
        values = [value for _, value in self.trace.outcomes]
        self.graph.output(self._argument(values[0] if len(values) == 1 else tuple(values)))
        return self.graph

    def _node(self, call: Call) -> fx.Node:
        if call.kind == "input":
            return self.graph.placeholder(str(call.target))
        arguments = tuple(self._argument(a) for a in call.arguments)
        keywords = {name: self._argument(v) for name, v in call.keywords.items()}
        if call.kind == "join":
            return self.graph.call_function(select_path, arguments)
        if call.kind == "module":
            if self.modules.get(call.layer) is call.target:
                return self.graph.call_module(call.layer, arguments[1:], keywords)
            return self.graph.call_function(call.target, arguments[1:], keywords)
        name = getattr(call.target, "__name__", "")
        if arguments and isinstance(arguments[0], fx.Node) and getattr(torch.Tensor, name, None) is call.target:
            return self.graph.call_method(name, arguments, keywords)
        return self.graph.call_function(call.target, arguments, keywords)

    def _describe(self, node: fx.Node, call: Call) -> None:
        shapes = [tuple(output.sizes) for output in call.outputs]
        node.meta["shape"] = shapes[0] if len(shapes) == 1 else shapes
        node.meta["domain"] = SizeSet(call.domain)
        node.meta["location"] = call.place.location() if call.place is not None else None
        requirements = self.requirements.get(call.index)
        node.meta["requirement"] = " and ".join(requirements) if requirements else None

    def _note_outputs(self, node: fx.Node, call: Call) -> None:
        if len(call.outputs) == 1:
            self.nodes[id(call.outputs[0])] = node
            return
        for position, output in enumerate(call.outputs):
            item = self.graph.call_function(operator.getitem, (node, position))
            item.meta.update(node.meta, shape=tuple(output.sizes), requirement=None)
            self.nodes[id(output)] = item

    def _argument(self, value: Any) -> Any:
        if isinstance(value, SymbolicTensor):
            return self.nodes.get(id(value), value)
        if isinstance(value, Dim):
            return _plain_size(value)
        if isinstance(value, torch.Tensor):
            return self._attribute(value)
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return type(value)(*(self._argument(v) for v in value))
        if isinstance(value, tuple):
            return tuple(self._argument(v) for v in value)
        if isinstance(value, list):
            return [self._argument(v) for v in value]
        if isinstance(value, Mapping):
            return {str(k): self._argument(v) for k, v in value.items()}
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return {f.name: self._argument(getattr(value, f.name)) for f in dataclasses.fields(value)}
        if isinstance(value, slice):
            return slice(self._argument(value.start), self._argument(value.stop), self._argument(value.step))
        return value

    def _attribute(self, tensor: torch.Tensor) -> Any:
        name = self.names.get(id(tensor))
        if name is None:
            return tensor
        if id(tensor) not in self.attributes:
            node = self.graph.get_attr(name)
            node.meta["shape"] = tuple(tensor.shape)
            self.attributes[id(tensor)] = node
        return self.attributes[id(tensor)]


def _plain_size(size: Dim) -> Dim:
    """The same size as no SymInt: torch.fx warns of raw SymInts among arguments."""
    plain = Dim.__new__(Dim)
    plain.expr = size.expr
    return plain
