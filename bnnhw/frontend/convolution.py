"""Convolutions: Conv, and Im2Col with the MatMul after it."""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray

from bnnhw.arithmetic.formats import DataType
from bnnhw.frontend.attributes import attribute, floats
from bnnhw.frontend.context import Context, Windows, node_name
from bnnhw.frontend.elementwise import arithmetic
from bnnhw.frontend.maps import MapView, emit_on_map, of_channels_last, view_of
from bnnhw.frontend.refusal import Refusal, shown
from bnnhw.frontend.weights import split
from bnnhw.frontend.windows import geometry_of, named, without_pads
from bnnhw.ir.geometry import Geometry
from bnnhw.ir.nodes import Conv, Node

Integers = NDArray[np.int16]


def conv(context: Context, node: onnx.NodeProto) -> str:
    weight = context.weights(node)
    after: list[Node] = []
    if len(node.input) > 2 and node.input[2]:
        bias = floats(context.constant(node, 2, "bias"), "bias")
        if bias.shape != weight.shape[:1]:
            raise Refusal(f"a bias of shape {bias.shape} for weights of shape {weight.shape}", "use one per output")
        after.append(arithmetic("add", bias))
    source = view_of(context, node)
    axes = len(source.spatial)
    if weight.ndim != axes + 2 or weight.size == 0 or weight.dtype.kind not in "fiu":
        raise Refusal(
            f"weights of shape {weight.shape} and type {weight.dtype}", f"use numbers with {axes + 2} axes for this map"
        )
    scales = context.scales.get(node.input[1])
    flat = (len(weight), -1)
    integers, dtype, scale = split(weight.reshape(flat), None if scales is None else scales.reshape(flat))
    integers = integers.reshape(weight.shape)
    if not of_channels_last(node):
        integers = np.moveaxis(integers, 1, -1)
    kernel = integers.shape[1:-1]
    if tuple(attribute(node, "kernel_shape", kernel)) != kernel:
        raise Refusal(f"a kernel_shape other than that of its weights, {kernel}", "export the model again")
    integers = integers.reshape(len(integers), *(*kernel, 1)[:2], -1)
    groups = int(attribute(node, "group", 1))
    if groups < 1 or len(integers) % groups:
        raise Refusal(f"{len(integers)} outputs in {groups} groups", "use the same number of outputs in every group")
    geometry = geometry_of(node, source, kernel)
    return convolve(context, node, source, integers, dtype, scale, geometry, groups=groups, after=after)


def im2col(context: Context, node: onnx.NodeProto) -> str:
    """qonnx's lowered convolution: windows as vectors, ordered by row, column, channel, for the MatMul after it."""
    source = view_of(context, node, channels_last=True)
    if len(source.shape) != 3:
        raise Refusal(f"on a tensor of shape {(1, *source.shape)}", "use maps (N, H, W, C)")
    kernel, strides, dilations = (
        _pair(node, name, default) for name, default in (("kernel_size", None), ("stride", 1), ("dilations", 1))
    )
    above, left, below, right = _whole(node, "pad_amount", 0, 4)
    geometry = Geometry(kernel, strides, dilations, (above, left, below, right))
    rows, columns = geometry.output(*source.size)
    if node.output[0] == context.file.output:
        raise Refusal("its windows are the model's output", "end the model with a layer or what follows it")
    value = float(attribute(node, "pad_value", 0))
    context.windows[node.output[0]] = Windows(node_name(node), source.tensor, geometry, value)
    context.shapes[node.output[0]] = (1, rows, columns, geometry.taps * source.channels)
    return f"windows of {named(geometry)} for the MatMul after it"


def convolve(
    context: Context,
    node: onnx.NodeProto,
    source: MapView,
    weight: Integers,
    dtype: DataType,
    scale: NDArray[np.float64],
    geometry: Geometry,
    *,
    groups: int = 1,
    value: float = 0.0,
    before: list[Node] | None = None,
    after: list[Node] | None = None,
) -> str:
    """Appends a convolution with integer weights (MH, KH, KW, C / groups) of the map `source`, padded with `value`.

    `before` follows the padding, `after` the convolution, both channels last.
    """
    padding, bare = without_pads(geometry, value)
    layer = Conv(
        name="", inputs=(), output="", weight=weight, weight_dtype=dtype, weight_scale=scale, geometry=bare,
        groups=groups,
    )  # fmt: skip
    channels = weight.shape[-1] * groups
    if channels != source.channels:
        raise Refusal(f"weights of {channels} channels on a map of {source.channels}", "export the model again")
    emit_on_map(context, node, source, *padding, *(before or []), layer, *(after or []))
    context.layers += 1
    kind = "" if groups == 1 else " depthwise," if groups == channels else f" {groups} groups,"
    return f"layer {context.layers - 1}: {channels} -> {len(weight)}, {named(geometry)},{kind} {dtype} weights"


def _whole(node: onnx.NodeProto, name: str, default: int | None, count: int) -> list[int]:
    """`count` numbers of an attribute that may also be a single one."""
    found = attribute(node, name, default)
    numbers = [int(number) for number in np.asarray([] if found is None else found).reshape(-1)]
    if len(numbers) not in (1, count):
        raise Refusal(f"its {name} is {shown(numbers)}", f"use {count} numbers")
    return numbers if len(numbers) == count else numbers * count


def _pair(node: onnx.NodeProto, name: str, default: int | None) -> tuple[int, int]:
    down, across = _whole(node, name, default, 2)
    return down, across
