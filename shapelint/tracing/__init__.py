"""Running a model's real forward on symbolic sizes."""

from shapelint import ops
from shapelint.tracing.record import Accident, Call, Failure, Place, Trace
from shapelint.tracing.tensor import SymbolicTensor, symbolic_tensor
from shapelint.tracing.tracer import trace

ops.load()

__all__ = [
    "Accident",
    "Call",
    "Failure",
    "Place",
    "SymbolicTensor",
    "Trace",
    "symbolic_tensor",
    "trace",
]
