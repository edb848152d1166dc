"""Random imported graphs: the float networks that the passes turn into integers, with all that makes that hard."""

from __future__ import annotations

import numpy as np

from bnnhw.arithmetic.formats import BIPOLAR, TERNARY, DataType
from bnnhw.ir.graph import Graph, TensorType
from bnnhw.ir.nodes import Arithmetic, BipolarQuant, Clip, MatMul, MultiThreshold, Node, Quant
from bnnhw.ir.shapes import infer
from bnnhw.ir.spec import verify

F32 = np.float32


def graph_of(nodes: list[Node], shape: tuple[int, ...], name: str = "random") -> Graph:
    """A chain of nodes whose names, inputs and outputs are filled in."""
    tensors = {"x": TensorType(shape)}
    linked, tensor = [], "x"
    for k, node in enumerate(nodes):
        fields = {f: getattr(node, f) for f in node.__dataclass_fields__}
        placed = type(node)(**{**fields, "name": f"{node.op}_{k}", "inputs": (tensor,), "output": f"t{k}"})
        tensors[placed.output] = infer(placed, tensors[tensor])
        linked.append(placed)
        tensor = placed.output
    return verify(
        Graph(name=name, input="x", nodes=tuple(linked), tensors=tensors, outputs={"outputs": tensor}), "imported"
    )


def arithmetic(operation: str, operand: object) -> Node:
    return Arithmetic(name="", inputs=(), output="", operation=operation, operand=np.asarray(operand, F32))  # type: ignore[arg-type]


def quant(bits: int, scale: float = 1.0, *, signed: bool = True, narrow: bool = False, zero: float = 0.0) -> Node:
    return Quant(
        name="",
        inputs=(),
        output="",
        scale=np.array(scale, F32),
        zero_point=np.array(zero, F32),
        bits=bits,
        signed=signed,
        narrow=narrow,
        rounding="ROUND",
    )


def bipolar(scale: float = 1.0) -> Node:
    return BipolarQuant(name="", inputs=(), output="", scale=np.array(scale, F32))


def multi_threshold(thresholds: object, scale: float, bias: float) -> Node:
    """Thresholds (C, n) or (1, n)."""
    return MultiThreshold(
        name="", inputs=(), output="", thresholds=np.asarray(thresholds, F32).T, out_scale=scale, out_bias=bias
    )


def matmul(rng: np.random.Generator, mw: int, mh: int, dtype: DataType, scale: object = 1.0) -> Node:
    if dtype is BIPOLAR:
        weight = rng.integers(0, 2, (mh, mw)) * 2 - 1
    else:
        weight = rng.integers(dtype.min, dtype.max + 1, (mh, mw))
    return MatMul(
        name="",
        inputs=(),
        output="",
        weight=weight.astype(np.int16),
        weight_dtype=dtype,
        weight_scale=np.asarray(scale, np.float64),
    )


def batch_norm(rng: np.random.Generator, channels: int) -> list[Node]:
    """Factors of both signs, a zero among them, one so small that the neuron is constant, and cuts outside the
    reach."""
    factor = rng.normal(0, 1, channels) * 10.0 ** rng.integers(-2, 1, channels)
    factor[rng.integers(channels)] = 0.0
    factor[rng.integers(channels)] = 1e-30
    addend = rng.normal(0, 2, channels) * 10.0 ** rng.integers(-1, 2, channels)
    return [arithmetic("mul", factor), arithmetic("add", addend)]


QUANTISERS: dict[str, list[Node]] = {
    "bipolar": [bipolar()],
    "scaled bipolar": [bipolar(0.1)],
    "negative bipolar": [bipolar(-0.5)],
    "ternary": [quant(2, narrow=True)],
    "int2": [quant(2, 0.5)],
    "uint2 after relu": [Clip(name="", inputs=(), output="", low=0.0, high=np.inf), quant(2, 0.7, signed=False)],
    "uint4 with zero point": [quant(4, 0.3, signed=False, zero=7.0)],
    "int8": [quant(8, 0.05)],
    "two in a row": [quant(4, 0.25), quant(2, 0.5, narrow=True)],
    "odd levels": [multi_threshold([[-2.0, 0.0, 2.0]], 1.0, -1.5)],
    "mapped to 0 and 1": [bipolar(), arithmetic("add", 1.0), arithmetic("mul", 0.5)],
    "falling count": [multi_threshold([[-1.0, 1.0]], -1.0, 1.0)],
}

WEIGHTS = (BIPOLAR, TERNARY, DataType("int", 3), DataType("uint", 2))


def random_graph(seed: int, quantiser: str) -> Graph:
    """Two or three layers with one kind of activation."""
    rng = np.random.default_rng(seed)
    sizes = [int(v) for v in rng.integers(3, 14, 3)]
    nodes: list[Node] = [arithmetic("mul", 2.0), arithmetic("add", -1.0), quant(3, 1 / 3, narrow=True)]
    for mw, mh in zip(sizes, sizes[1:], strict=False):
        dtype = WEIGHTS[rng.integers(len(WEIGHTS))]
        scale = rng.choice([1.0, 0.1, 0.25])
        nodes += [matmul(rng, mw, mh, dtype, scale), *batch_norm(rng, mh), *QUANTISERS[quantiser]]
    nodes += [matmul(rng, sizes[-1], 4, BIPOLAR), arithmetic("add", 0.3), arithmetic("mul", 0.7)]
    return graph_of(nodes, (sizes[0],), f"random{seed}")
