"""Pools: the largest value, the sum or the mean of windows, or of a whole map."""

from __future__ import annotations

import numpy as np
import onnx

from bnnhw.arithmetic.formats import DataType
from bnnhw.frontend.attributes import attribute
from bnnhw.frontend.context import Context
from bnnhw.frontend.elementwise import arithmetic
from bnnhw.frontend.layers import sum_of_groups
from bnnhw.frontend.layout import named_axes
from bnnhw.frontend.maps import MapView, emit_on_map, view, view_of
from bnnhw.frontend.quantisers import MAX_DATA_BITS, to_integers
from bnnhw.frontend.ranges import range_of
from bnnhw.frontend.refusal import Refusal
from bnnhw.frontend.windows import geometry_of, named, without_pads
from bnnhw.ir.geometry import Geometry
from bnnhw.ir.nodes import MaxPool, Node, Reshape, SumPool


def max_pool(context: Context, node: onnx.NodeProto) -> str:
    if len(node.output) > 1 and node.output[1] in context.needed:
        raise Refusal("the indices of the largest values", "use their values only")
    return _max_pool(context, node, view_of(context, node))


def max_pool_nhwc(context: Context, node: onnx.NodeProto) -> str:
    """FINN's pool for data with its channels last."""
    return _max_pool(context, node, view_of(context, node, channels_last=True))


def _max_pool(context: Context, node: onnx.NodeProto, source: MapView) -> str:
    geometry = _geometry(node, source)
    padding, bare = without_pads(geometry, -np.inf)
    emit_on_map(context, node, source, *padding, _largest(bare))
    return f"max-pool {named(geometry)}"


def global_max_pool(context: Context, node: onnx.NodeProto) -> str:
    source = view_of(context, node)
    emit_on_map(context, node, source, _largest(Geometry(source.size)))
    return "max-pool of the whole map"


def average_pool(context: Context, node: onnx.NodeProto) -> str:
    source = view_of(context, node)
    geometry = _geometry(node, source)
    padding, bare = without_pads(geometry, 0.0)
    if padding and not attribute(node, "count_include_pad", 0):
        raise Refusal("means that leave the padding out, of fewer values at the edges", "set count_include_pad")
    if padding and attribute(node, "ceil_mode", 0):
        raise Refusal("ceil_mode with padding", "pad the map in a node of its own, without ceil_mode")
    emit_on_map(context, node, source, *padding, *_mean(bare))
    return f"average pool {named(geometry)}"


def global_average_pool(context: Context, node: onnx.NodeProto) -> str:
    source = view_of(context, node)
    emit_on_map(context, node, source, *_mean(Geometry(source.size)))
    return "average of the whole map"


def reduce_mean(context: Context, node: onnx.NodeProto) -> str:
    source = _reduced(context, node)
    return _reduce(context, node, source, _mean(Geometry(source.size)), "average of the whole map")


def reduce_sum(context: Context, node: onnx.NodeProto) -> str:
    if (groups := _groups(context, node)) is not None:
        return sum_of_groups(context, node, *groups)
    source = _reduced(context, node)
    return _reduce(context, node, source, [_sum(Geometry(source.size))], "sum of the whole map")


def _groups(context: Context, node: onnx.NodeProto) -> tuple[int, int] | None:
    """Groups and their sizes, where the elements of a vector are added in groups of consecutive ones."""
    shape, axes = context.shape(context.data(node)), named_axes(context, node)
    maker = context.makers.get(context.tensor(context.data(node)))
    if len(shape) != 3 or not isinstance(maker, Reshape) or attribute(node, "keepdims", 1):
        return None
    vector = len(context.types[maker.inputs[0]].shape) == 1
    return shape[1:] if vector and axes is not None and [axis % 3 for axis in axes] == [2] else None


def reduce_max(context: Context, node: onnx.NodeProto) -> str:
    source = _reduced(context, node)
    return _reduce(context, node, source, [_largest(Geometry(source.size))], "max-pool of the whole map")


def reduce_min(context: Context, node: onnx.NodeProto) -> str:
    """The largest one of what is turned around, and turned back."""
    source = _reduced(context, node)
    turned = arithmetic("mul", np.array(-1))
    made = [turned, _largest(Geometry(source.size)), turned]
    return _reduce(context, node, source, made, "min-pool of the whole map")


def _reduced(context: Context, node: onnx.NodeProto) -> MapView:
    """The map whose rows and columns, no more and no less, are reduced."""
    name = context.data(node)
    axes = named_axes(context, node)
    shape = context.shape(name)
    inner = list(range(1, len(shape)))
    reduced = [] if axes is None else sorted(axis % len(shape) for axis in axes)
    # The axis that is left is that of the channels.
    source = view(context, name, channels_last=reduced == inner[:-1])
    if reduced not in (inner[:-1], inner[1:]):
        raise Refusal(
            f"over axes {axes} of {shape}, which does not map", "reduce over rows and columns, and over nothing else"
        )
    return source


def _reduce(context: Context, node: onnx.NodeProto, source: MapView, made: list[Node], becomes: str) -> str:
    if attribute(node, "keepdims", 1):
        emit_on_map(context, node, source, *made)
    else:
        vector = Reshape(name="", inputs=(), output="", shape=(source.channels,))
        context.emit(node, *source.to_map(), *made, vector, inputs=(source.tensor,))
    return becomes


def quant_average_pool(context: Context, node: onnx.NodeProto) -> str:
    """qonnx's QuantAvgPool2d: integers are summed, and the sum shifted right, which rounds down."""
    layout = str(attribute(node, "data_layout", "NCHW"))
    source = view_of(context, node, channels_last=layout == "NHWC")
    if len(source.shape) != 3:
        raise Refusal(f"on a tensor of shape {(1, *source.shape)}", "use maps of rows and columns")
    kernel, stride, wide, narrow = (int(attribute(node, name, 1)) for name in ("kernel", "stride", "ibits", "obits"))
    geometry = Geometry((kernel, kernel), (stride, stride))
    geometry.output(*source.size)
    if not 1 <= wide <= MAX_DATA_BITS or narrow < 1:
        raise Refusal(f"from {wide} to {narrow} bits", f"use 1 to {MAX_DATA_BITS}")
    shift = max(0, (((1 << wide) - 1) * geometry.taps).bit_length() - narrow)
    values = range_of(context, source.tensor)
    if not (values.whole and values.bounded):
        raise Refusal("of values that are not known to be integers", "put a quantiser of a whole scale before it")
    low, high = (geometry.taps * int(end) >> shift for end in (values.low, values.high))
    if not -(1 << (MAX_DATA_BITS - 1)) <= low <= high < 1 << MAX_DATA_BITS - (low < 0):
        raise Refusal(f"values from {low} to {high}", f"use no more than {MAX_DATA_BITS} bits")
    made: list[Node] = [_sum(geometry)]
    if shift:
        made += [arithmetic("mul", np.array(2.0**-shift)), to_integers(DataType.smallest(low, high), "FLOOR")]
    emit_on_map(context, node, source, *made)
    return f"sum pool {named(geometry)}, shifted right by {shift}"


def _geometry(node: onnx.NodeProto, source: MapView) -> Geometry:
    geometry = geometry_of(node, source, [int(size) for size in attribute(node, "kernel_shape", [])])
    wide = [max(geometry.pads[axis], geometry.pads[axis + 2]) >= geometry.kernel[axis] for axis in (0, 1)]
    # Steps from tap to tap that are longer than the map can miss it, too.
    missed = [any(geometry.pads) and geometry.dilations[axis] > source.size[axis] for axis in (0, 1)]
    if any(wide) or any(missed):
        raise Refusal(f"pads {geometry.pads} that leave a window outside the map", "pad by less than the kernel")
    return geometry


def _largest(geometry: Geometry) -> MaxPool:
    return MaxPool(name="", inputs=(), output="", geometry=geometry, minimum=np.array(False))


def _sum(geometry: Geometry) -> SumPool:
    return SumPool(name="", inputs=(), output="", geometry=geometry)


def _mean(geometry: Geometry) -> list[Node]:
    return [_sum(geometry), arithmetic("div", np.array(geometry.taps))]
