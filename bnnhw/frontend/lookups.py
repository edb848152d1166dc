"""Tables that bits look up: choose k bits of each node, make an address of them, and gather from a constant at it.

What stands between, until the last Gather, is followed by what it does to the numbers: products with constants, sums of
constants, and casts, in floats or integers and in any order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import onnx
from numpy.typing import NDArray

from bnnhw.frontend.attributes import attribute
from bnnhw.frontend.context import Addresses, Context
from bnnhw.frontend.layout import named_axes
from bnnhw.frontend.ranges import range_of
from bnnhw.frontend.refusal import Refusal
from bnnhw.ir.nodes import Lookup

# Inputs of a node: a table of more takes more logic than there is.
MAX_INPUTS = 8
# Addresses are whole numbers that float32 holds, too.
MAX_ADDRESS = 1 << 24
_CASTS = (
    onnx.TensorProto.FLOAT,
    onnx.TensorProto.DOUBLE,
    onnx.TensorProto.INT32,
    onnx.TensorProto.INT64,
)

Whole = NDArray[np.int64]


def choose(context: Context, node: onnx.NodeProto, places: Whole) -> str:
    """A Gather of bits (1, B) at places (M, k): the bits of M addresses."""
    nodes, k = places.shape
    tensor = context.tensor(node.input[0])
    values = range_of(context, tensor)
    if not values.whole or values.low < 0 or values.high > 1:
        raise Refusal(
            "chooses inputs of tables that are not known to be 0 or 1", "compare them with thresholds before it"
        )
    if k > MAX_INPUTS:
        raise Refusal(f"tables of {k} inputs", f"use tables of {MAX_INPUTS} inputs or fewer")
    context.addresses[node.output[0]] = Addresses(
        str(node.name or node.output[0]), tensor, places, np.ones((nodes, k), np.int64), np.zeros(nodes, np.int64)
    )
    context.shapes[node.output[0]] = (1, nodes, k)
    return f"{k} bits of {nodes} nodes each"


def follow(context: Context, node: onnx.NodeProto) -> str:
    """What `node` makes of addresses or of their bits."""
    context.addresses.update(dict.fromkeys(node.output))
    names = context.all_data(node)
    found, shape = context.addresses.get(names[0]), context.shape(names[0])
    assert found is not None
    rule = _RULES.get(node.op_type)
    made = None if rule is None or len(names) > 1 else rule(context, node, found, shape)
    if made is None:
        raise Refusal(
            f"reads the bits that {found.node} chose",
            "add their products with powers of two, and look the sum up in a constant table of one axis",
        )
    if isinstance(made, str):
        del context.addresses[node.output[0]]
        return made
    after, size = made
    if np.abs(after.factors).sum(axis=1).max() + np.abs(after.offsets).max() >= MAX_ADDRESS:
        raise Refusal("addresses that float32 does not hold", "use tables of fewer entries together")
    context.addresses[node.output[0]], context.shapes[node.output[0]] = after, size
    return "addresses in tables" if after.summed else "bits of addresses"


Shape = tuple[int, ...]
# What a node makes of addresses with their shape; or what to say of it where it ends them; None where nothing is known.
Made = tuple[Addresses, Shape] | str | None


def _keep(context: Context, node: onnx.NodeProto, found: Addresses, shape: Shape) -> Made:
    kept = node.op_type == "Identity" or attribute(node, "to", onnx.TensorProto.FLOAT) in _CASTS
    return (found, shape) if kept else None


def _multiply(context: Context, node: onnx.NodeProto, found: Addresses, shape: Shape) -> Made:
    factor = _spread(_numbers(context, node), shape)
    if not found.summed:
        return replace(found, factors=found.factors * factor), shape
    factor = factor.reshape(-1)
    return replace(found, factors=found.factors * factor[:, None], offsets=found.offsets * factor), shape


def _weigh(context: Context, node: onnx.NodeProto, found: Addresses, shape: Shape) -> Made:
    """A product of the bits (1, M, k) with powers (k,) or (k, 1)."""
    if found.summed or node.input[0] in context.constants:
        return None
    powers = _numbers(context, node)
    if powers.shape not in ((shape[2],), (shape[2], 1)):
        return None
    made = replace(found, factors=found.factors * powers.reshape(-1), summed=True)
    return made, (1, shape[1], *powers.shape[1:])


def _sum(context: Context, node: onnx.NodeProto, found: Addresses, shape: Shape) -> Made:
    axes = named_axes(context, node)
    if found.summed or axes is None or [axis % 3 for axis in axes] != [2]:
        return None
    return replace(found, summed=True), (1, shape[1], *([1] if attribute(node, "keepdims", 1) else []))


def _add(context: Context, node: onnx.NodeProto, found: Addresses, shape: Shape) -> Made:
    negated = node.op_type == "Sub"
    if not found.summed or (negated and node.input[0] in context.constants):
        return None
    constant = _spread(_numbers(context, node), shape).reshape(-1)
    return replace(found, offsets=found.offsets + (-constant if negated else constant)), shape


def _squeeze(context: Context, node: onnx.NodeProto, found: Addresses, shape: Shape) -> Made:
    """(1, M, 1) becomes (1, M)."""
    axes = named_axes(context, node)
    dropped = found.summed and axes is not None and [axis % len(shape) for axis in axes] == [2]
    return (found, shape[:2]) if dropped else None


def _reshape(context: Context, node: onnx.NodeProto, found: Addresses, shape: Shape) -> Made:
    target = [int(size) for size in context.constant(node, 1, "shape").reshape(-1)]
    flat = found.summed and len(target) == 2 and target[1] in (-1, shape[1])
    return (found, shape[:2]) if flat else None


def _look_up(context: Context, node: onnx.NodeProto, found: Addresses, shape: Shape) -> Made:
    """A Gather of the entries at the addresses: here they end."""
    if len(shape) != 2 or not found.summed or node.input[0] not in context.constants or attribute(node, "axis", 0):
        return None
    table = context.constants[node.input[0]]
    nodes, k = found.wiring.shape
    words = (np.arange(1 << k)[:, None] >> np.arange(k)) & 1  # (2**k, k)
    addresses = found.offsets[:, None] + found.factors @ words.T
    if table.ndim != 1:
        return None
    size = len(table)
    if addresses.min() < -size or addresses.max() >= size:
        raise Refusal(
            f"addresses out of range: from {addresses.min()} to {addresses.max()} in tables of {size} entries "
            f"together, where {nodes} nodes of {k} inputs need {nodes << k}",
            "give each node a table of 2^k entries, and its rows as offsets",
        )
    met = np.unique(addresses % size)
    if len(met) != size:
        raise Refusal(
            f"tables of {size} entries together, of which {nodes} nodes of {k} inputs read {len(met)}",
            "give each node a table of 2^k entries",
        )
    if not np.isin(table, (0, 1)).all():
        raise Refusal("tables with entries other than 0 and 1", "use tables of bits, and more nodes for wider numbers")
    made = Lookup(name="", inputs=(), output="", wiring=found.wiring, tables=table[addresses] == 1)
    context.emit(node, made, inputs=(found.tensor,))
    context.layers += 1
    return f"layer {context.layers - 1}: {nodes} tables of {k} inputs"


_RULES: dict[str, Callable[[Context, onnx.NodeProto, Addresses, Shape], Made]] = {
    "Cast": _keep,
    "Identity": _keep,
    "Mul": _multiply,
    "MatMul": _weigh,
    "ReduceSum": _sum,
    "Add": _add,
    "Sub": _add,
    "Squeeze": _squeeze,
    "Reshape": _reshape,
    "Gather": _look_up,
}


def _numbers(context: Context, node: onnx.NodeProto) -> Whole:
    """The other operand: whole numbers."""
    value = context.constant(node, 0 if node.input[0] in context.constants else 1, "operand")
    numbers = np.asarray(value, np.float64)
    if value.dtype.kind not in "fiu" or not np.isfinite(numbers).all() or (np.rint(numbers) != numbers).any():
        raise Refusal("a factor or an addend of addresses that is no whole number", "make addresses of powers of two")
    return numbers.astype(np.int64)


def _spread(numbers: Whole, shape: tuple[int, ...]) -> Whole:
    """`numbers` as they meet a tensor of `shape`, without its batch axis."""
    try:
        return np.asarray(np.broadcast_to(numbers, shape)[0])
    except ValueError:
        what = f"an operand of shape {numbers.shape} for addresses of {shape}"
        raise Refusal(what, "export the model again") from None
