"""A random file from one number."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto

from tests.onnx_models import Net
from tests.random_files.affine import affine, between_quantiser_and_layer, relu
from tests.random_files.branches import branch, concatenation, joined, residual, residual_chain, sum_of_layers
from tests.random_files.builder import Builder, Grid, Value
from tests.random_files.endings import Ending, ending
from tests.random_files.functions import function, unequal
from tests.random_files.inputs import draw
from tests.random_files.layers import layer
from tests.random_files.layouts import as_map, channels_last, flat, part
from tests.random_files.quantisers import activation
from tests.random_files.windows import pad, pool

# The domains under which tools write QONNX's operators.
DOMAINS = ("qonnx.custom_op.general", "onnx.brevitas", "finn.custom_op.general")
SAMPLES = 24


@dataclass(frozen=True)
class File:
    """A random model file and inputs for it.

    Parameters
    ----------
    seed
        Makes it again.
    model
        What the file holds.
    inputs
        (N, ...) as the model takes them.
    ending
        Its outputs.
    traits
        What the tool may refuse in it: keys of `refusals`.
    story
        What it is made of, in order.
    """

    seed: int
    model: onnx.ModelProto
    inputs: NDArray[np.generic]
    ending: Ending
    traits: frozenset[str]
    story: tuple[str, ...]


def make(seed: int, samples: int = SAMPLES) -> File:
    """The file of that number."""
    rng = np.random.default_rng([11, seed])
    shape = _shape(rng)
    batch = [1, 1, "N", None, 4][int(rng.integers(5))]
    element = TensorProto.FLOAT
    if rng.random() < 0.12:
        element = TensorProto.UINT8 if rng.random() < 0.7 else TensorProto.INT8
    net = Net((batch, *shape), opset=int(rng.integers(9, 18)), domain=str(rng.choice(DOMAINS)), element=element)
    b = Builder(net, rng, batch)
    b.tell(f"input {batch} {shape} {TensorProto.DataType.Name(element)}, operator set {net.opset}")
    x, low, high = _start(b, shape, element)
    step = x.grid.step if b.annotation and x.grid else 0.0
    if x.grid is None:
        x = _two_quantisers(b, x)
    x = _network(b, x)
    end = ending(b, x)
    model = _model(b, end)
    inputs = draw(rng, shape, element, b.cuts, low, high, samples, step)
    return File(seed, model, inputs, end, frozenset(b.traits), tuple(b.story))


def _shape(rng: np.random.Generator) -> tuple[int, ...]:
    """Vectors, sequences and maps; channels, rows and columns are often alike."""
    rank = int(rng.choice([1, 2, 3], p=[0.35, 0.1, 0.55]))
    if rank == 1:
        return (int(rng.integers(2, 13)),)
    channels = int(rng.choice([1, 2, 3, 4]))
    if rank == 2:
        return channels, channels if rng.random() < 0.2 else int(rng.integers(2, 9))
    rows = int(rng.integers(2, 7))
    columns = [rows, rows, channels, int(rng.integers(1, 7))][int(rng.integers(4))]
    return channels, rows, columns


def _start(b: Builder, shape: tuple[int, ...], element: int) -> tuple[Value, float, float]:
    """From the network's input to its first quantised tensor, and the ends of the input's range."""
    x = Value("x", shape, 0, spread=1.0, line=(1.0, 0.0))
    low, high = -2.0, 2.0
    if element != TensorProto.FLOAT:
        low, high = (0.0, 255.0) if element == TensorProto.UINT8 else (-128.0, 127.0)
        x = b.put("Cast", x, to=TensorProto.FLOAT, mean=(low + high) / 2, spread=74.0)
        if b.chance(0.15):
            b.tell("integers as they are")
            return replace(x, grid=Grid(1.0, low, high), line=None), low, high
    elif b.chance(0.25):
        low, high = 0.0, b.pick(1.0, 255.0)
        x = replace(x, mean=high / 2, spread=0.29 * high)
    if element == TensorProto.FLOAT and b.chance(0.06):
        return _annotated(b, x)
    if b.chance({1: 0.08, 2: 0.2, 3: 0.0}[len(x.shape)]):
        x = as_map(b, x)
    if x.power > 20 and b.chance(0.7):
        x = _scaled(b, x, "Div", 255.0)
    if x.mean > 0.3 and b.chance(0.5):
        x = _scaled(b, _scaled(b, x, "Mul", 2.0 / max(2 * x.mean, 1e-3)), "Sub", 1.0)
    if b.chance(0.25):
        x = affine(b, x, before=True)
    if x.is_map and b.chance(0.12):
        x = pool(b, x, sums=b.chance(0.3))
    if x.is_map and b.chance(0.1):
        x = pad(b, x, b.pick(0.0, 0.0, 1.0))
    if len(x.shape) > 1 and b.chance(0.15):
        x = channels_last(b, x)
    if x.is_map and b.chance(0.08):
        x = flat(b, x)
    if b.chance(0.08):
        return x, low, high
    return activation(b, x, bits=b.pick(2, 3, 4, 8)), low, high


def _annotated(b: Builder, x: Value) -> tuple[Value, float, float]:
    """An input of integers in floats, as FINN's annotation tells."""
    name, low, high = b.pick(("BIPOLAR", -1.0, 1.0), ("INT2", -2.0, 1.0), ("TERNARY", -1.0, 1.0), ("UINT4", 0.0, 15.0))
    b.tell(f"annotated as {name}")
    b.annotation = name
    step = 2.0 if name == "BIPOLAR" else 1.0
    grid = Grid(step, low, high)
    return replace(x, grid=grid, mean=(low + high) / 2, spread=(high - low) / 3.5, line=None), low, high


def _two_quantisers(b: Builder, x: Value) -> Value:
    """Two quantisers read the same floats, and a layer each of them."""
    b.tell("two quantisers of the input")
    first, second = (activation(b, x, bits=3) for _ in range(2))
    parts = [branch(b, first, b.between(1, 5)), branch(b, second, b.between(1, 5))]
    return joined(b, parts)


def _scaled(b: Builder, x: Value, op: str, by: float) -> Value:
    b.tell(f"{op} {by:g}")
    factor, addend = {"Div": (1 / by, 0.0), "Mul": (by, 0.0), "Sub": (1.0, -by)}[op]
    assert x.line is not None
    line = (x.line[0] * factor, x.line[1] * factor + addend)
    return b.put(
        op, x, b.constant(np.full(b.pick((), (1,)), by)), mean=x.mean * factor + addend, spread=x.spread * factor,
        line=line,
    )  # fmt: skip


def _network(b: Builder, x: Value) -> Value:
    """Blocks that each take a quantised tensor and give one."""
    for k in range(b.pick(0, 1, 1, 2, 2, 3)):
        if x.is_map and x.size > 1 and b.chance(0.15 if k else 0.12):
            x = _pooled(b, x)
        if x.is_map and b.chance(0.06) and x.grid is not None and x.grid.holds_zero:
            x = pad(b, x)
        if b.chance(0.15):
            x = between_quantiser_and_layer(b, x)
        if b.chance(0.1):
            x = part(b, x)
        kind = b.weighted(chain=6, residual=2, concat=1.5, layers=1, stream=1)
        if kind == "residual":
            x = residual(b, x)
        elif kind == "concat":
            x = concatenation(b, x)
        elif kind == "layers":
            x = sum_of_layers(b, x)
        elif kind == "stream":
            x = residual_chain(b, x)
        else:
            x = _chain(b, x)
        if x.grid is not None and x.grid.bits > 8:
            b.traits.add("more than 8 bits")
        if x.is_map and b.chance(0.2):
            x = flat(b, x)
    if x.is_map and b.chance(0.2):
        x = _pooled(b, x)
    return x


def _pooled(b: Builder, x: Value) -> Value:
    """A pool of quantised values; a mean of more than a few bits is quantised again."""
    made = pool(b, x)
    if made.grid is not None and made.grid.largest > 100:
        made = activation(b, replace(made, grid=None), bits=4)
    return made


def _chain(b: Builder, x: Value) -> Value:
    """A layer, arithmetic, perhaps a pool on either side of the quantiser."""
    outputs = b.between(1, 8)
    if x.is_map and b.chance(0.3):  # as many channels as there may be columns
        outputs = b.pick(x.shape[-1], max(1, x.shape[-1] - 2))
    x = layer(b, x, outputs)
    where = b.weighted(none=6, before=1, between=1) if x.is_map else "none"
    if where == "before":
        if b.chance(0.3):
            x = relu(b, affine(b, x) if b.chance(0.5) else x)
        x = pool(b, x)
    for _ in range(b.pick(0, 1, 1, 1, 2)):
        x = affine(b, x)
        if x.is_map and b.chance(0.08):
            x = flat(b, x)
    if where == "between" and x.is_map:
        x = pool(b, x, sums=b.chance(0.2))
    if b.chance(0.04):
        b.traits.add("sums that fork")
        b.tell("two quantisers of the same sums")
        return joined(b, [activation(b, x, bits=3), activation(b, x, bits=3)])
    kind = b.weighted(quantiser=9, function=1, unequal=0.4)
    if kind == "unequal":
        return unequal(b, x)
    if kind == "function":
        x = function(b, x)
    return activation(b, x, bits=b.pick(2, 3, 4, 4, 8))


def _model(b: Builder, end: Ending) -> onnx.ModelProto:
    """The file, in one of the forms that exporters give it."""
    b.net.shapes = [value for value in b.net.shapes if value.name not in end.outputs]
    if b.chance(0.1):
        b.tell("a node that nothing reads")
        b.net.node("Relu", end.scores)
    if b.chance(0.1):
        b.tell("Constant nodes")
        b.net.nodes = [
            *(onnx.helper.make_node("Constant", [], [tensor.name], value=tensor) for tensor in b.net.constants),
            *b.net.nodes,
        ]
        b.net.constants = []
    if b.chance(0.2):
        b.tell("nodes in another order")
        b.net.nodes = _shuffled(b, b.net.nodes)
    model = b.net.model(*end.outputs)
    if end.index:
        model.graph.output[-1].type.tensor_type.elem_type = TensorProto.INT64
    if b.annotation:
        annotation = model.graph.quantization_annotation.add(tensor_name="x")
        annotation.quant_parameter_tensor_names.append(
            onnx.StringStringEntryProto(key="finn_datatype", value=b.annotation)
        )
    if b.chance(0.15):  # as exports before IR version 4 had it
        b.tell("initialisers among the inputs")
        for tensor in b.net.constants:
            model.graph.input.append(
                onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))
            )
    return model


def _shuffled(b: Builder, nodes: list[onnx.NodeProto]) -> list[onnx.NodeProto]:
    """In any order in which no node comes before one that it reads from."""
    made = {name for node in nodes for name in node.output}
    known: set[str] = set()
    waiting, done = list(nodes), []
    while waiting:
        ready = [node for node in waiting if not (set(node.input) & made) - known]
        done.append(b.pick(*ready))
        known |= set(done[-1].output)
        waiting.remove(done[-1])
    return done
