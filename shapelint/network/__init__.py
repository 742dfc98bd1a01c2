"""The traced network as a graph: what feeds what, at which scale, which decoder step undoes which encoder step."""

from shapelint.network.expected import ExpectedSizes, expected_sizes
from shapelint.network.graph import Network, Pair, Skip, build_network
from shapelint.network.origins import construction_of, recording_origins
from shapelint.network.steps import Step, Window

__all__ = [
    "ExpectedSizes",
    "Network",
    "Pair",
    "Skip",
    "Step",
    "Window",
    "build_network",
    "construction_of",
    "expected_sizes",
    "recording_origins",
]
