"""What the model does with a tensor later on, before it is quantised again or multiplied."""

from __future__ import annotations

import numpy as np

from bnnhw.ir.elementwise import QUANTISERS
from bnnhw.ir.graph import Graph
from bnnhw.ir.nodes import Concat, Conv, MatMul, MaxPool, Pad, Reshape, Slice, SumPool


def paddings(graph: Graph) -> dict[str, set[float]]:
    """Which values pad a tensor somewhere on, where nothing but other paddings, pools and joins is in between."""
    padding: dict[str, set[float]] = {name: set() for name in graph.tensors}
    for node in reversed(graph.nodes):
        for name in node.inputs:
            if isinstance(node, (Pad, MaxPool, Concat, Slice, Reshape)):
                padding[name] |= padding[node.output]
            if isinstance(node, Pad) and np.isfinite(node.value):
                padding[name].add(node.value)
    return padding


def later_taps(graph: Graph) -> dict[str, int]:
    """By how many taps of pools each tensor is added up, where neither a layer nor a quantiser is in between."""
    taps = dict.fromkeys(graph.tensors, 1)
    for node in reversed(graph.nodes):
        if not isinstance(node, (MatMul, Conv, *QUANTISERS)):
            own = node.geometry.taps if isinstance(node, SumPool) else 1
            taps |= {name: max(taps[name], own * taps[node.output]) for name in node.inputs}
    return taps
