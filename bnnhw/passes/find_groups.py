"""Finds convolutions in groups that were written out as full ones with zeros, as qonnx lowers depthwise ones."""

from __future__ import annotations

from dataclasses import replace
from math import gcd

import numpy as np

from bnnhw.arithmetic.formats import BIPOLAR
from bnnhw.ir.graph import Graph
from bnnhw.ir.nodes import Conv, Node
from bnnhw.passes.rewrite import rebuild


def run(graph: Graph) -> Graph:
    """Each Conv whose outputs see no channel but those of their own group gets these groups, as many as there are."""
    return rebuild(graph, [_grouped(node) if isinstance(node, Conv) else node for node in graph.nodes])


def _grouped(node: Conv) -> Node:
    groups, weight = _groups(node), node.weight
    if node.groups > 1 or groups == 1:
        return node
    rows, channels = weight.shape[0] // groups, weight.shape[-1] // groups
    own = [weight[g * rows : (g + 1) * rows, ..., g * channels : (g + 1) * channels] for g in range(groups)]
    found = np.concatenate(own)
    # Zeros may have been all that signs lacked.
    dtype = BIPOLAR if BIPOLAR.contains(found) else node.weight_dtype
    return replace(node, weight=found, weight_dtype=dtype, groups=groups)


def _groups(node: Conv) -> int:
    """The most groups of outputs and channels with nothing but zeros between one another."""
    seen = node.weight.any(axis=(1, 2))
    outputs, channels = seen.shape
    most = gcd(outputs, channels)
    for groups in (n for n in range(most, 1, -1) if most % n == 0):
        blocks = seen.reshape(groups, outputs // groups, groups, channels // groups).any(axis=(1, 3))
        if not (blocks & ~np.eye(groups, dtype=np.bool_)).any():
            return groups
    return 1
