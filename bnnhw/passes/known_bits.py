"""What is known of bits before they are looked up: constants, bits that are others, and thermometer codes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from bnnhw.ir.graph import Graph
from bnnhw.ir.nodes import Encode, Gather, MultiThreshold, Node, Reshape, Slice, Threshold

Whole = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class KnownBits:
    """Bits (B,), each a comparison ``source >= level``, or where it is `negated` the contrary.

    Parameters
    ----------
    source
        (B,): bits of one source are a thermometer code.
    level
        (B,) float64.
    negated
        (B,)
    constant
        (B,): 0 or 1 for a bit that is always that, else -1.
    """

    source: Whole
    level: NDArray[np.float64]
    negated: NDArray[np.bool_]
    constant: Whole

    @classmethod
    def nothing(cls, size: int) -> KnownBits:
        """Bits of which nothing is known."""
        return cls(np.arange(size), np.zeros(size), np.zeros(size, np.bool_), np.full(size, -1))

    def reachable(self, wiring: Whole) -> NDArray[np.bool_]:
        """Which addresses of nodes with this `wiring` (M, k) can occur: (M, 2**k)."""
        nodes, k = wiring.shape
        words = (np.arange(1 << k)[:, None] >> np.arange(k)) & 1 == 1  # (2**k, k)
        found = np.ones((nodes, 1 << k), np.bool_)
        reached = words[None] ^ self.negated[wiring][:, None]  # whether the source is at the level, (M, 2**k, k)
        for j in range(k):
            fixed = self.constant[wiring[:, j], None]
            found &= (fixed < 0) | (fixed == words[None, :, j])
            for i in range(k):
                one, other = wiring[:, i], wiring[:, j]
                implied = (self.source[one] == self.source[other]) & (self.level[one] >= self.level[other])
                found &= ~(implied[:, None] & reached[:, :, i] & ~reached[:, :, j])
        return found


def encoded_bits(graph: Graph, encode: Encode) -> KnownBits:
    """What is known of the bits that `encode` gives, from the comparisons in front of it."""
    found = KnownBits.nothing(prod(graph.tensors[encode.output].shape))
    places, compared = np.arange(len(found.source)), False
    node = graph.producer(encode.inputs[0])
    while node is not None:
        if isinstance(node, MultiThreshold) and not compared and len(node.thresholds) == 1 and node.out_scale:
            levels = np.broadcast_to(node.thresholds[0], graph.tensors[node.output].shape).reshape(-1)[places]
            falls = np.full(len(places), node.out_scale < 0)
            found, compared = replace(found, level=levels.astype(np.float64), negated=falls), True
        elif (chosen := _chosen(node, graph)) is not None:
            places = chosen[places]
        else:
            break
        node = graph.producer(node.inputs[0])
    return replace(found, source=places) if compared else found


def compared_bits(graph: Graph, node: Threshold) -> KnownBits:
    """What is known of bits that comparisons of integers give."""
    size = prod(graph.tensors[node.output].shape)
    row = np.arange(size) % len(node.thresholds)
    negated = np.broadcast_to(node.negate, len(node.thresholds))[row]
    cuts = node.thresholds[row, 0].astype(np.float64)
    places = np.arange(size)
    before = graph.producer(node.inputs[0])
    while before is not None and (chosen := _chosen(before, graph)) is not None:
        places, before = chosen[places], graph.producer(before.inputs[0])
    # -x >= cut is not x >= 1 - cut.
    return replace(KnownBits.nothing(size), source=places, level=np.where(negated, 1 - cuts, cuts), negated=negated)


def _chosen(node: Node, graph: Graph) -> Whole | None:
    """Which element of what it reads each element is, where `node` only chooses some."""
    if isinstance(node, Reshape):
        return np.arange(prod(node.shape))
    if isinstance(node, Slice):
        return np.flatnonzero(node.kept)
    return node.places.reshape(-1) if isinstance(node, Gather) else None
