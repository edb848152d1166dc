"""Operators that move or keep values: reshapes, transposes, casts."""

from __future__ import annotations

from math import prod

import numpy as np
import onnx

from bnnhw.frontend.attributes import attribute
from bnnhw.frontend.context import Context
from bnnhw.frontend.ranges import range_of
from bnnhw.frontend.refusal import Refusal, shown
from bnnhw.ir.nodes import ArgMax, Reshape, Transpose

_FLOATS = (onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16, onnx.TensorProto.DOUBLE)
# Integers in which sums of few numbers do not run over, and what they hold that float32 holds as well.
_HELD = {
    onnx.TensorProto.BOOL: (0, 1),
    onnx.TensorProto.INT32: (-(1 << 24), 1 << 24),
    onnx.TensorProto.INT64: (-(1 << 24), 1 << 24),
}
_INDICES = (onnx.TensorProto.INT32, onnx.TensorProto.INT64, onnx.TensorProto.UINT32, onnx.TensorProto.UINT64)


def unchanged(context: Context, node: onnx.NodeProto) -> str:
    context.alias(node)
    return "nothing"


def dropout(context: Context, node: onnx.NodeProto) -> str:
    if len(node.input) > 2 and node.input[2] and np.any(context.constant(node, 2, "training mode")):
        raise Refusal("dropout in training mode", "export the model in evaluation mode")
    return unchanged(context, node)


def cast(context: Context, node: onnx.NodeProto) -> str:
    """To float32, which every tensor of the graph has; or of whole numbers to integers that hold them."""
    to = attribute(node, "to", onnx.TensorProto.FLOAT)
    if to != onnx.TensorProto.FLOAT and not (to in _INDICES and isinstance(context.end(node), ArgMax)):
        values = range_of(context, context.tensor(context.data(node)))
        held = _HELD.get(to)
        if to in _FLOATS:
            raise Refusal("a cast to floats of other widths", "export the model in float32 throughout")
        if held is None or not values.whole or not held[0] <= values.low <= values.high <= held[1]:
            raise Refusal("a cast to integers, which rounds", "quantise with Quant instead")
    return unchanged(context, node)


def _to(context: Context, node: onnx.NodeProto, shape: tuple[int, ...]) -> str:
    """A reshape to `shape`, batch axis included."""
    before = context.shape(context.data(node))
    if isinstance(context.end(node), ArgMax):
        return unchanged(context, node)  # one number per sample stays that, whatever its axes
    if len(shape) < 2 or shape[0] != 1:
        raise Refusal(f"a reshape to {shape}, which mixes samples", "keep the batch axis, 1 or symbolic, in front")
    if prod(shape) != prod(before):
        raise Refusal(f"cannot reshape {before} to {shape}", "export the model again")
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
    if sizes and sizes[0] == context.file.batch:
        sizes[0] = 1
    if sizes.count(-1) > 1 or any(size < -1 or size == 0 for size in sizes):
        raise Refusal(f"a reshape to {shown(sizes)}", "export the model again")
    if -1 in sizes:
        rest = prod(size for size in sizes if size != -1)
        if prod(before) % rest:
            raise Refusal(
                f"cannot reshape {before} to {shown(sizes)}", "export the model with a batch of 1 or a symbolic one"
            )
        sizes[sizes.index(-1)] = prod(before) // rest
    return _to(context, node, tuple(sizes))


def flatten(context: Context, node: onnx.NodeProto) -> str:
    before = context.shape(context.data(node))
    axis = int(attribute(node, "axis", 1))
    axis += len(before) if axis < 0 else 0
    return _to(context, node, (prod(before[:axis]), prod(before[axis:])))


def named_axes(context: Context, node: onnx.NodeProto, position: int = 1) -> list[int] | None:
    """The axes that a node names: an attribute at first, since operator set 13 or 18 the input at `position`."""
    axes = attribute(node, "axes", None)
    if axes is None and len(node.input) > position and node.input[position]:
        axes = context.constant(node, position, "axes")
    return None if axes is None else [int(axis) for axis in np.asarray(axes).reshape(-1)]


def squeeze(context: Context, node: onnx.NodeProto) -> str:
    before = context.shape(context.data(node))
    axes = named_axes(context, node)
    if axes is None:
        raise Refusal("a squeeze of all axes, which may take the batch axis", "name the axes")
    gone = {axis % len(before) for axis in axes}
    return _to(context, node, tuple(size for k, size in enumerate(before) if k not in gone))


def unsqueeze(context: Context, node: onnx.NodeProto) -> str:
    before = context.shape(context.data(node))
    axes = named_axes(context, node)
    if axes is None:
        raise Refusal("no axes", "export the model again")
    after = list(before)
    for axis in sorted(axis % (len(before) + len(axes)) for axis in axes):
        after.insert(axis, 1)
    return _to(context, node, tuple(after))


def depth_to_space(context: Context, node: onnx.NodeProto) -> str:
    """Channels become blocks of pixels, which is a change of layout."""
    _, channels, rows, columns = _map_shape(context, node)
    size = int(attribute(node, "blocksize", 0))
    if size < 1 or channels % size**2:
        raise Refusal(f"blocks of {size} x {size} of {channels} channels", "export the model again")
    rest = channels // size**2
    if attribute(node, "mode", "DCR") == "DCR":
        apart, perm = (size, size, rest, rows, columns), (2, 3, 0, 4, 1)
    else:
        apart, perm = (rest, size, size, rows, columns), (0, 3, 1, 4, 2)
    _rearranged(context, node, apart, perm, (rest, rows * size, columns * size))
    return "change of layout"


def space_to_depth(context: Context, node: onnx.NodeProto) -> str:
    """Blocks of pixels become channels, which is a change of layout."""
    _, channels, rows, columns = _map_shape(context, node)
    size = int(attribute(node, "blocksize", 0))
    if size < 1 or rows % size or columns % size:
        raise Refusal(f"blocks of {size} x {size} of a map of {rows} x {columns}", "export the model again")
    down, across = rows // size, columns // size
    apart = (channels, down, size, across, size)
    _rearranged(context, node, apart, (2, 4, 0, 1, 3), (channels * size**2, down, across))
    return "change of layout"


def _map_shape(context: Context, node: onnx.NodeProto) -> tuple[int, ...]:
    shape = context.shape(context.data(node))
    if len(shape) != 4:
        raise Refusal(f"on a tensor of shape {shape}", "use maps (N, C, H, W)")
    return shape


def _rearranged(
    context: Context, node: onnx.NodeProto, apart: tuple[int, ...], perm: tuple[int, ...], shape: tuple[int, ...]
) -> None:
    context.emit(
        node,
        Reshape(name="", inputs=(), output="", shape=apart),
        Transpose(name="", inputs=(), output="", perm=perm),
        Reshape(name="", inputs=(), output="", shape=shape),
    )


def transpose(context: Context, node: onnx.NodeProto) -> str:
    rank = len(context.shape(context.data(node)))
    perm = [int(axis) for axis in attribute(node, "perm", range(rank - 1, -1, -1))]
    if sorted(perm) != list(range(rank)) or perm[0] != 0:
        raise Refusal(f"a permutation {perm} that moves the batch axis", "keep the batch axis in front")
    context.emit(node, Transpose(name="", inputs=(), output="", perm=tuple(axis - 1 for axis in perm[1:])))
    return f"permutation of axes {perm[1:]}"
