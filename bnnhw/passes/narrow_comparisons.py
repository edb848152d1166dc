"""Leaves out comparisons whose bits no table reads, and makes a vector of the others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bnnhw.ir.graph import Graph
from bnnhw.ir.nodes import Gather, Lookup, Node, Reshape, Threshold
from bnnhw.passes.rewrite import Builder


def run(graph: Graph) -> Graph:
    """A Lookup behind comparisons on the chip reads a Threshold of just the bits that its tables are wired to, and that
    a Gather of what it compares."""
    builder = Builder(graph)
    for node in graph.nodes:
        compared = _comparison(graph, node)
        if isinstance(node, Lookup) and compared is not None:
            node = _narrowed(builder, node, compared)
        builder.add(node)
    return builder.graph(graph.outputs)


def _comparison(graph: Graph, node: Node) -> Threshold | None:
    """What makes the bits that `node` reads by comparisons, where nothing else reads them."""
    before = graph.producer(node.inputs[0])
    while isinstance(before, Reshape) and len(graph.consumers(before.output)) == 1:
        before = graph.producer(before.inputs[0])
    found = isinstance(before, Threshold) and before.compares and len(graph.consumers(before.output)) == 1
    return before if found and isinstance(before, Threshold) else None


def _narrowed(builder: Builder, node: Lookup, compared: Threshold) -> Lookup:
    read = np.unique(node.wiring)
    source, places = _source(builder, compared.inputs[0], read)
    row = read % len(compared.thresholds)  # the channels are the last axis
    bits = replace(
        compared,
        name=builder.unique(f"{compared.name}.read"),
        output=builder.unique(f"{compared.output}.read"),
        thresholds=compared.thresholds[row],
        negate=compared.negate[row] if compared.negate.ndim else compared.negate,
        doubtful=compared.doubtful[row] if compared.doubtful.size else compared.doubtful,
    )
    chosen = builder.unique(f"{bits.output}.compared", {bits.output})
    gather = Gather(name=chosen, inputs=(source,), output=chosen, source=compared.source, places=places)
    builder.add(replace(bits, inputs=(builder.add(gather),)))
    return replace(node, inputs=(bits.output,), wiring=np.searchsorted(read, node.wiring))


def _source(builder: Builder, name: str, places: NDArray[np.int64]) -> tuple[str, NDArray[np.int64]]:
    """The vector of which elements are chosen to make the tensor `name`, and which of them are the `places` of that."""
    found: tuple[str, NDArray[np.int64]] | None = None
    first = name, places
    while True:
        if len(builder.tensors[name].shape) == 1:
            found = name, places
        node = builder.makers.get(name)
        if not isinstance(node, (Gather, Reshape)):
            break
        places = node.places.reshape(-1)[places] if isinstance(node, Gather) else places
        name = node.inputs[0]
    if found is not None:
        return found
    name, places = first
    flat = builder.unique(f"{name}.vector")
    shape = (int(np.prod(builder.tensors[name].shape)),)
    return builder.add(Reshape(name=flat, inputs=(name,), output=flat, shape=shape)), places
