"""Negates the weights of channels whose activation falls as the accumulator rises, so that every comparison is >=."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bnnhw.dtypes import DataType
from bnnhw.errors import ModelError
from bnnhw.ir.elementwise import direction
from bnnhw.ir.graph import Graph
from bnnhw.ir.nodes import Dense, Dequant, Encode, Node
from bnnhw.passes.rewrite import joined, label


def run(graph: Graph) -> Graph:
    """Flips channels of every layer that a quantiser follows; the Dequant after it turns the sign back.

    Raises
    ------
    ModelError
        If an operation between a layer and its quantiser is not monotone; it names both.
    """
    nodes = list(graph.nodes)
    for k, node in enumerate(nodes):
        if not isinstance(node, Dense):
            continue
        end = next((j for j in range(k + 1, len(nodes)) if isinstance(nodes[j], Encode)), None)
        if end is None:
            continue  # the last layer's own numbers go out, whatever their direction
        flip = _directions(graph, node, nodes[k + 1 : end + 1]) < 0
        if not flip.any():
            continue
        weight = np.where(flip[:, None], -node.weight, node.weight).astype(np.int16)
        scale = nodes[k + 1]
        assert isinstance(scale, Dequant)
        nodes[k] = replace(node, weight=weight, weight_dtype=_holding(node.weight_dtype, weight), flip=node.flip ^ flip)
        nodes[k + 1] = replace(scale, scale=np.where(flip, -scale.scale, scale.scale))
    return joined(graph, nodes)


def _directions(graph: Graph, dense: Dense, chain: list[Node]) -> NDArray[np.int8]:
    product = np.ones(dense.weight.shape[0], np.int8)
    for node in chain:
        try:
            product = product * direction(node)
        except TypeError:
            raise ModelError(
                f"model {graph.name}: layer {label(dense)}: {label(node)} ({node.op}) between it and its "
                "quantiser is not monotone, so thresholds cannot replace it; use monotone activations"
            ) from None
    return product


def _holding(dtype: DataType, weight: NDArray[np.int16]) -> DataType:
    """`dtype`, or where it has no room for the negated weights the smallest format that has."""
    return dtype if dtype.contains(weight) else DataType.smallest(int(weight.min()), int(weight.max()))
