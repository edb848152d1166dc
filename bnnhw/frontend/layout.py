"""Operators that move or keep values: reshapes, transposes, casts."""

from __future__ import annotations

from math import prod

import numpy as np
import onnx

from bnnhw.frontend.attributes import attribute
from bnnhw.frontend.importer import Context
from bnnhw.frontend.refusal import Refusal
from bnnhw.ir.nodes import Reshape, Transpose

_FLOATS = (onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE, onnx.TensorProto.FLOAT16)


def unchanged(context: Context, node: onnx.NodeProto) -> str:
    context.alias(node)
    return "nothing"


def cast(context: Context, node: onnx.NodeProto) -> str:
    if attribute(node, "to", onnx.TensorProto.FLOAT) not in _FLOATS:
        raise Refusal("a cast to integers, which rounds", "quantise with Quant instead")
    context.alias(node)
    return "nothing"


def _to(context: Context, node: onnx.NodeProto, shape: tuple[int, ...]) -> str:
    """A reshape to `shape`, batch axis included."""
    before = context.shape(context.data(node))
    if prod(shape) != prod(before) or not shape:
        raise Refusal(f"cannot reshape {before} to {shape}", "export the model again")
    if len(shape) < 2 or shape[0] != 1:
        raise Refusal(f"a reshape to {shape}, which mixes samples", "keep the batch axis in front")
    context.emit(node, Reshape(name="", inputs=(), output="", shape=shape[1:]))
    return f"reshape to {', '.join(str(size) for size in shape[1:])}"


def reshape(context: Context, node: onnx.NodeProto) -> str:
    before = context.shape(context.data(node))
    target = attribute(node, "shape", None)
    if target is None:
        target = context.constant(node, 1, "shape")
    sizes = [int(size) for size in np.asarray(target).reshape(-1)]
    if not attribute(node, "allowzero", 0):
        sizes = [before[k] if size == 0 and k < len(before) else size for k, size in enumerate(sizes)]
    if sizes.count(-1) > 1 or any(size < -1 or size == 0 for size in sizes):
        raise Refusal(f"a reshape to {sizes}", "export the model again")
    if -1 in sizes:
        rest = prod(size for size in sizes if size != -1)
        if prod(before) % rest:
            raise Refusal(f"cannot reshape {before} to {sizes}", "export the model again")
        sizes[sizes.index(-1)] = prod(before) // rest
    return _to(context, node, tuple(sizes))


def flatten(context: Context, node: onnx.NodeProto) -> str:
    before = context.shape(context.data(node))
    axis = int(attribute(node, "axis", 1)) % (len(before) + 1)
    return _to(context, node, (prod(before[:axis]), prod(before[axis:])))


def _axes(context: Context, node: onnx.NodeProto, rank: int) -> list[int] | None:
    axes = attribute(node, "axes", None)
    if axes is None and len(node.input) > 1 and node.input[1]:
        axes = context.constant(node, 1, "axes")
    return None if axes is None else [int(axis) % rank for axis in np.asarray(axes).reshape(-1)]


def squeeze(context: Context, node: onnx.NodeProto) -> str:
    before = context.shape(context.data(node))
    axes = _axes(context, node, len(before))
    if axes is None:
        raise Refusal("a squeeze of all axes, which may take the batch axis", "name the axes")
    return _to(context, node, tuple(size for k, size in enumerate(before) if k not in axes))


def unsqueeze(context: Context, node: onnx.NodeProto) -> str:
    before = context.shape(context.data(node))
    extra = np.asarray(attribute(node, "axes", context.constants.get(node.input[1] if len(node.input) > 1 else "", ()))).size
    axes = _axes(context, node, len(before) + extra) or []
    after = list(before)
    for axis in sorted(axes):
        after.insert(axis, 1)
    return _to(context, node, tuple(after))


def transpose(context: Context, node: onnx.NodeProto) -> str:
    rank = len(context.shape(context.data(node)))
    perm = [int(axis) for axis in attribute(node, "perm", range(rank - 1, -1, -1))]
    if sorted(perm) != list(range(rank)) or perm[0] != 0:
        raise Refusal(f"a permutation {perm} that moves the batch axis", "keep the batch axis in front")
    context.emit(node, Transpose(name="", inputs=(), output="", perm=tuple(axis - 1 for axis in perm[1:])))
    return f"permutation of axes {perm[1:]}"
