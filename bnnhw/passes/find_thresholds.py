"""Replaces everything between two layers by integer thresholds."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnnhw.ir.bounds import reach
from bnnhw.ir.elementwise import apply
from bnnhw.ir.graph import Graph
from bnnhw.ir.nodes import Dense, Encode, Node, Threshold
from bnnhw.passes.rewrite import joined


def run(graph: Graph) -> Graph:
    """Each Dense, Dequant, .., Encode becomes Dense, Threshold.

    The threshold of a level is the smallest accumulator at which the float32 chain reaches it. Every operation of the
    chain is
    monotone in float32, roundings included, and no channel falls any more; so bisection over the channel's reachable
    accumulators finds that point exactly, for all of them.
    """
    nodes: list[Node] = []
    k = 0
    while k < len(graph.nodes):
        node = graph.nodes[k]
        nodes.append(node)
        k += 1
        end = next((j for j in range(k, len(graph.nodes)) if isinstance(graph.nodes[j], (Encode, Dense))), None)
        if isinstance(node, Dense) and end is not None:
            encode = graph.nodes[end]
            assert isinstance(encode, Encode)
            nodes.append(_threshold(graph, node, list(graph.nodes[k : end + 1]), encode))
            k = end + 1
    return joined(graph, nodes)


def _threshold(graph: Graph, dense: Dense, chain: list[Node], encode: Encode) -> Threshold:
    dtype = graph.tensors[dense.inputs[0]].dtype
    assert dtype is not None
    low, high = reach(dense.weight, dtype)
    levels = encode.offset + encode.step * np.arange(1, encode.levels)
    found = np.repeat(low[None, :], len(levels), axis=0)
    beyond = np.repeat(high[None, :] + 1, len(levels), axis=0)
    while (found < beyond).any():
        middle = (found + beyond) // 2
        # Where the search is over, `middle` may be one past the reachable range; what the chain makes of it is not
        # used.
        value: NDArray[Any] = middle
        for node in chain:
            value = apply(node, value)
        reached = value >= levels[:, None]
        searching = found < beyond
        beyond = np.where(searching & reached, middle, beyond)
        found = np.where(searching & ~reached, middle + 1, found)
    sources = tuple(name for node in chain for name in node.source)
    return Threshold(
        name=f"{dense.name}.thresholds",
        inputs=(),
        output=encode.output,
        source=tuple(dict.fromkeys(sources)),
        thresholds=found.T,
        offset=encode.offset,
        step=encode.step,
        dtype=encode.dtype,
    )
