"""What a Graph means, in numpy, to the last bit."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from math import prod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bnnhw.arithmetic.formats import Float32
from bnnhw.errors import InputError
from bnnhw.ir.graph import Graph
from bnnhw.ir.nodes import (
    ArgMax,
    Concat,
    Conv,
    Dense,
    Encode,
    Hardmax,
    Lookup,
    MatMul,
    MaxPool,
    Node,
    Scale,
    Sigmoid,
    Softmax,
    Sum,
    SumPool,
    Threshold,
    Window,
)
from bnnhw.ir.spec import last_integers
from bnnhw.reference import bit_sliced
from bnnhw.reference import packed as packed_kernels
from bnnhw.reference.kernels import evaluate, scale_sums

Array = NDArray[Any]

# Elements of the largest tensor that are worked on at once: more of them make it slower, as caches hold less of them.
STEP_ELEMENTS = 1 << 22


def run(graph: Graph, inputs: ArrayLike, *, packed: bool = True) -> dict[str, Array]:
    """Every output of `graph`, by role: ``outputs``, ``prediction`` and, in the integer stage, ``integers``.

    Parameters
    ----------
    inputs
        (N, ...) as the model's own input takes them.
    packed
        Multiply on packed bits instead of plainly; the integers are the same.

    Raises
    ------
    InputError
        If the inputs have another shape, are no numbers, or are not finite.
    """
    values = check_inputs(graph, inputs)
    largest = max(prod(type_.shape) for type_ in graph.tensors.values())
    workers = os.cpu_count() or 1
    step = max(1, min(STEP_ELEMENTS // largest, -(-len(values) // workers)))

    def part(start: int) -> dict[str, Array]:
        tensors = _evaluate_all(graph, values[start : start + step], packed)
        found = {role: tensors[name] for role, name in graph.outputs.items()}
        found.setdefault("prediction", _prediction(graph, tensors))
        return found

    # numpy lets threads run side by side.
    with ThreadPoolExecutor(workers) as pool:
        parts = list(pool.map(part, range(0, max(1, len(values)), step)))
    return {role: np.concatenate([some[role] for some in parts]) for role in parts[0]}


def run_all(graph: Graph, inputs: ArrayLike, *, packed: bool = True) -> dict[str, Array]:
    """Every tensor of `graph`, by name, (N, ...) each; see `run`. Packed, there are no windows of convolutions."""
    return _evaluate_all(graph, check_inputs(graph, inputs), packed)


def _evaluate_all(graph: Graph, values: NDArray[np.float32], packed: bool) -> dict[str, Array]:
    tensors: dict[str, Array] = {graph.input: values}
    sliced: dict[str, bit_sliced.Words] = {}  # the same bits as in `tensors`, where tables gave them
    for node in graph.nodes:
        before = graph.producer(node.inputs[0])
        if packed and isinstance(node, Window) and all(type(n) is Dense for n in graph.consumers(node.output)):
            continue  # the layer after it takes its own windows
        if packed and type(node) is Dense:  # groups are too short for words of bits
            source = before.inputs[0] if isinstance(before, Window) else node.inputs[0]
            dtype = graph.tensors[source].format
            assert not isinstance(dtype, Float32)
            x = np.asarray(tensors[source], np.int32)
            if isinstance(before, Window):
                found = packed_kernels.convolution(x, dtype.storage, before, node.weight, node.weight_dtype)
            else:
                found = packed_kernels.dense(x, dtype.storage, node.weight, node.weight_dtype)
            tensors[node.output] = found
        elif packed and isinstance(node, Lookup):
            x = tensors[node.inputs[0]]
            words = sliced.get(node.inputs[0])
            sliced[node.output] = bit_sliced.lookup(node, bit_sliced.pack_samples(x) if words is None else words)
            tensors[node.output] = bit_sliced.unpack_samples(sliced[node.output], len(values)).astype(x.dtype)
        else:
            tensors[node.output] = evaluate(node, *(tensors[name] for name in node.inputs))
    return tensors


def doubtful(graph: Graph, inputs: ArrayLike) -> NDArray[np.bool_]:
    """Samples (N,) that another executor of the model may see otherwise, since float32 decides by its rounding there: a
    sum lies on a threshold or just below one, or scores are as good as equal, within float32's own error."""
    tensors = run_all(graph, inputs)
    found = np.zeros(len(next(iter(tensors.values()))), np.bool_)
    for node in graph.nodes:
        values = tensors.get(node.inputs[0])
        if isinstance(node, Threshold) and node.doubtful.size:
            assert values is not None
            found |= _on_edge(node, values)
        elif isinstance(node, Scale) and node.noise.any():
            assert values is not None
            found |= _near_code(node, values).reshape(len(values), -1).any(axis=1)
        elif (
            isinstance(node, Sigmoid) and (scores := np.sort(tensors[node.output].reshape(len(found), -1))).shape[1] > 1
        ):
            found |= scores[:, -1] == scores[:, -2]  # that far up, float32 has 1 for all
        elif isinstance(node, ArgMax) and node.scale is not None and node.bias is not None and node.margin >= 0:
            assert values is not None
            scores = np.sort(np.asarray(values, np.int64).reshape(len(found), -1) * node.scale + node.bias, axis=1)
            if scores.shape[1] > 1:
                found |= scores[:, -1] - scores[:, -2] <= node.margin
    return found


def _on_edge(node: Threshold, values: Array) -> NDArray[np.bool_]:
    compared = np.where(node.negate, -values, values).reshape(len(values), -1, node.thresholds.shape[0])
    found = np.zeros(len(values), np.bool_)
    first, past = np.moveaxis(node.doubtful, 2, 0)
    for level in np.flatnonzero((first < past).any(axis=0)):
        found |= ((compared >= first[:, level]) & (compared < past[:, level])).any(axis=(1, 2))
    return found


def _near_code(node: Scale, values: Array) -> NDArray[np.bool_]:
    """Where a quotient comes so close to another code that float32 may give that one; of the shape of `values`."""
    total, one = scale_sums(node, values), 1 << node.shift
    reach = np.ceil(node.noise * one).astype(np.int64)
    lower, upper = ((total + side * reach) >> node.shift for side in (-1, 1))
    return np.clip(lower, node.low, node.high) != np.clip(upper, node.low, node.high)


def trace(graph: Graph, inputs: ArrayLike, *, packed: bool = True) -> dict[str, Array]:
    """Accumulators and activations of an integer-stage graph, in layer order.

    ``act0`` is the quantised input, ``acc<i>`` the accumulator of layer i as the model file has it (channels that the
    compiler flipped are flipped back), ``act<i+1>`` what the last operation before the next layer makes of it: the
    activation, after the pool where one follows. All integers, (N, channels) or (N, height, width, channels).
    """
    tensors = run_all(graph, inputs, packed=packed)
    return {name: _as_filed(node, tensors[node.output]) for name, node in traced(graph).items()}


def traced(graph: Graph) -> dict[str, Node]:
    """The operations of an integer-stage graph whose results `trace` gives, by the names that it gives them."""
    found: dict[str, Node] = {}
    layer = 0
    last = graph.nodes.index(last_integers(graph))
    for node in graph.nodes[: last + 1]:
        if isinstance(node, Window):
            continue
        if isinstance(node, Encode):
            found["act0"] = node
        elif isinstance(node, Dense):
            found[f"acc{layer}"] = node
            layer += 1
        elif isinstance(node, (Threshold, Scale, MaxPool, SumPool, Sum, Concat)):
            found[f"act{layer}"] = node
    return found


def trace_tables(graph: Graph, inputs: ArrayLike) -> dict[str, Array]:
    """The bits inside a graph of stage ``imported`` whose only layers are tables, before any of them is simplified.

    ``act0``, (N, B), is what the first tables read, ``act<i+1>``, (N, M), what those of layer i give; empty for a graph
    that has no tables, or a product with weights in front of some.
    """
    tables = [node for node in graph.nodes if isinstance(node, Lookup)]
    weighted = [k for k, node in enumerate(graph.nodes) if isinstance(node, (MatMul, Conv))]
    if not tables or any(k < graph.nodes.index(tables[-1]) for k in weighted):
        return {}
    tensors = run_all(graph, inputs)
    names = [tables[0].inputs[0], *(node.output for node in tables)]
    return {f"act{k}": tensors[name] for k, name in enumerate(names)}


def _as_filed(node: Node, values: Array) -> Array:
    """A result of `node` as the model file has it."""
    return np.where(node.flip, -np.asarray(values), values) if isinstance(node, Dense) else values


def encode_inputs(graph: Graph, inputs: ArrayLike) -> NDArray[np.int32]:
    """What the software does before the hardware: the network's integer input values, (N, MW)."""
    value: Array = check_inputs(graph, inputs)
    for node in graph.nodes:
        value = evaluate(node, value)
        if isinstance(node, Encode):
            break
    return np.asarray(value, np.int32)


def finish(graph: Graph, integers: ArrayLike) -> dict[str, Array]:
    """What the software does after the hardware: ``outputs`` and ``prediction`` of the last layer's integers (N, C)."""
    name = graph.outputs["integers"]
    array = np.asarray(integers)
    tensors: dict[str, Array] = {name: array.reshape(len(array), *graph.tensors[name].shape)}
    for node in graph.nodes:
        if node.inputs[0] in tensors:
            tensors[node.output] = evaluate(node, tensors[node.inputs[0]])
    return {role: tensors[name] for role, name in graph.outputs.items()}


def check_inputs(graph: Graph, inputs: ArrayLike) -> NDArray[np.float32]:
    """`inputs` as float32 (N, *input shape).

    Raises
    ------
    InputError
        If they have another shape, are no numbers, or are not finite.
    """
    array = np.asarray(inputs)
    shape = graph.tensors[graph.input].shape
    wanted = f"(N, {', '.join(str(size) for size in shape)})"
    if array.dtype.kind not in "fiub":
        raise InputError(f"inputs of model {graph.name} must be numbers, not {array.dtype}")
    if array.ndim == 0 or array.shape[1:] != shape:
        raise InputError(f"inputs of model {graph.name} must have the shape {wanted}, not {array.shape}")
    values = array.astype(np.float32)
    if not np.isfinite(values).all():
        raise InputError(f"inputs of model {graph.name} hold NaN or infinity: clean the data")
    if graph.input_format is not None and not graph.input_format.contains(values):
        raise InputError(f"inputs of model {graph.name} must be {graph.input_format} values, as the model states")
    return values


def _prediction(graph: Graph, tensors: dict[str, Array]) -> Array:
    """The class of a graph that has no integer scores yet: of what goes into a final softmax or sigmoid."""
    node = graph.producer(graph.outputs["outputs"])
    if isinstance(node, ArgMax):
        return tensors[node.output].reshape(-1)
    name = node.inputs[0] if isinstance(node, (Softmax, Hardmax, Sigmoid)) else graph.outputs["outputs"]
    return evaluate(ArgMax(name="", inputs=(), output=""), tensors[name])
