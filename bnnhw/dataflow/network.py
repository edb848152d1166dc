"""Graph -> Network: the layers of the hardware, before any folding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bnnhw.arithmetic.formats import DataType, Float32
from bnnhw.dataflow.layers import INPUT, LAYERS, Layer, LookupLayer, WeightedLayer
from bnnhw.dataflow.layers.neurons import sees_few, smaller_as_tables
from bnnhw.errors import ModelError
from bnnhw.ir.digest import digest
from bnnhw.ir.graph import Graph
from bnnhw.ir.nodes import ArgMax, Dense, Encode, Gather, Lookup, Node, Reshape, Threshold, Window
from bnnhw.ir.spec import HARDWARE, last_integers


@dataclass(frozen=True, eq=False, repr=False)
class Network:
    """All that the hardware of a graph computes.

    Parameters
    ----------
    model, digest
        The graph's name, and the digest of all that it computes.
    i_shape, i_dtype
        Of the network's integer input.
    layers
        In order of the data; the last one's output is the network's.
    score_scales, score_biases
        The score of class c is ``scale[c] * integer[c] + bias[c]``; the highest wins, the first on a tie.
    """

    model: str
    digest: str
    i_shape: tuple[int, ...]
    i_dtype: DataType
    layers: tuple[Layer, ...]
    score_scales: list[int]
    score_biases: list[int]

    @classmethod
    def of(cls, graph: Graph) -> Network:
        """The network of an integer-stage `graph`.

        Raises
        ------
        ModelError
            If the graph has no layer with weights.
        """
        encode = next(node for node in graph.nodes if isinstance(node, Encode))
        label = next(node for node in graph.nodes if isinstance(node, ArgMax) and node.scale is not None)
        assert label.scale is not None and label.bias is not None
        layers = _layers(graph, encode)
        if not any(isinstance(layer, (LookupLayer, WeightedLayer)) for layer in layers):
            raise ModelError(f"model {graph.name}: no layer with weights or tables, so there is nothing to build")
        return cls(
            model=graph.name,
            digest=digest(graph),
            i_shape=graph.tensors[encode.output].shape,
            i_dtype=encode.dtype,
            layers=layers,
            score_scales=[int(v) for v in label.scale],
            score_biases=[int(v) for v in label.bias],
        )

    def __repr__(self) -> str:
        return f"<Network {self.model}: {len(self.layers)} layers, {self.macs:,} MACs per inference>"

    @property
    def macs(self) -> int:
        """Multiply-accumulates per inference."""
        return sum(layer.macs for layer in self.layers)

    @property
    def affine_scores(self) -> bool:
        """Whether the scores differ from the integers."""
        return any(scale != 1 for scale in self.score_scales) or any(self.score_biases)

    @property
    def result(self) -> DataType:
        """Format of the integers that the hardware gives."""
        return self.layers[-1].result

    def readers(self, index: int) -> list[tuple[int, int]]:
        """Which layers read layer `index` (or INPUT), each with the position among its inputs."""
        inputs = [(k, p, source) for k, layer in enumerate(self.layers) for p, source in enumerate(layer.inputs)]
        return [(k, p) for k, p, source in inputs if source == index]


def _layers(graph: Graph, encode: Encode) -> tuple[Layer, ...]:
    layers: list[Layer] = []
    made = {encode.output: INPUT}  # which layer makes a tensor of the graph
    last = last_integers(graph)
    for node in graph.nodes[graph.nodes.index(encode) + 1 : graph.nodes.index(last) + 1]:
        if not isinstance(node, HARDWARE):
            continue
        if isinstance(node, Reshape):
            made[node.output] = made[node.inputs[0]]
        elif not isinstance(node, Window) and node.output not in made:
            layer, done = _layer(graph, node, made, layers, encode.dtype)
            made.update(dict.fromkeys(done, len(layers)))
            layers.append(layer)
    return tuple(layers)


def _layer(
    graph: Graph, node: Node, made: dict[str, int], layers: list[Layer], i_dtype: DataType
) -> tuple[Layer, list[str]]:
    """The layer that `node` starts, and the tensors that are inside of it, the one that it makes last."""
    output, sources = node.output, list(node.inputs)
    own: dict[str, Any] = {}
    done: list[str] = []
    chain = _chain(graph, node)
    if chain:
        own, done, output = {"chain": chain}, [part.output for part in chain[:-1]], chain[-1].output
    elif isinstance(node, Dense):
        window, threshold = graph.producer(node.inputs[0]), None
        if isinstance(window, Window):
            sources = list(window.inputs)
        after = graph.consumers(node.output)
        # Thresholds of negated sums are a layer of their own, unless the weights were negated.
        if len(after) == 1 and isinstance(after[0], Threshold) and not after[0].negate.any():
            threshold, output = after[0], after[0].output
        own = {"window": window if isinstance(window, Window) else None, "threshold": threshold}
    format_ = graph.tensors[output].format
    assert not isinstance(format_, Float32)
    inputs = tuple(made[name] for name in sources)
    (kind,) = (kind for kind in ([LookupLayer] if chain else LAYERS) if chain or type(node) in kind.nodes)
    layer = kind(
        name=node.name,
        inputs=inputs,
        i_shapes=tuple(graph.tensors[name].shape for name in sources),
        o_shape=graph.tensors[output].shape,
        i_dtypes=tuple(i_dtype if k == INPUT else layers[k].dtype for k in inputs),
        format=format_,
        node=node,
        **own,
    )
    return layer, [*done, output]


def _chain(graph: Graph, node: Node) -> tuple[Node, ...]:
    """What becomes logic together from `node` on: tables and choices of bits, neurons that see few bits, and the sums
    that the network ends with; nothing where `node` begins nothing like that."""
    chain: list[Node] = []
    while step := _step(graph, node, chain):
        chain += step
        readers = graph.consumers(chain[-1].output)
        if chain[-1] is last_integers(graph) or len(readers) != 1:
            break
        (node,) = readers
    while chain and isinstance(chain[-1], Reshape):
        chain.pop()
    return tuple(chain)


def _step(graph: Graph, node: Node, chain: list[Node]) -> list[Node]:
    """`node`, with the thresholds of its sums, where it becomes logic behind `chain`."""
    compares = isinstance(node, Threshold) and node.compares
    if isinstance(node, (Gather, Lookup)) or (chain and (isinstance(node, Reshape) or compares)):
        return [node]
    if type(node) is not Dense or len(graph.tensors[node.inputs[0]].shape) > 1:
        return []
    x, last = graph.tensors[node.inputs[0]].format, last_integers(graph)
    assert not isinstance(x, Float32)
    if node is last:
        # Behind tables, the sums are the popcounts of the classes.
        counts = any(isinstance(part, Lookup) for part in chain)
        return [node] if counts or (chain and sees_few(node, x.storage)) else []
    after = graph.consumers(node.output)
    if len(after) != 1 or not isinstance(after[0], Threshold) or after[0] is last:
        return []
    return [node, after[0]] if smaller_as_tables(node, after[0], x.storage) else []
