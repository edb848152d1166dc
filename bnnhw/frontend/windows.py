"""Where the windows of convolutions and pools lie, read from a node's attributes; and explicit padding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import onnx

from bnnhw.frontend.attributes import attribute, floats
from bnnhw.frontend.context import Context
from bnnhw.frontend.layout import named_axes
from bnnhw.frontend.maps import MapView, emit_on_map, lies_channels_last, view
from bnnhw.frontend.refusal import Refusal, shown
from bnnhw.ir.geometry import Geometry
from bnnhw.ir.nodes import Node, Pad

Pads = tuple[int, int, int, int]


def geometry_of(node: onnx.NodeProto, source: MapView, kernel: Sequence[int]) -> Geometry:
    """The windows of a Conv or pool on the map `source`, its padding included."""
    axes = len(source.spatial)
    if len(kernel) != axes:
        raise Refusal(f"a kernel of {len(kernel)} axes on a map of {axes}", "export the model again")
    strides, dilations = (_numbers(node, name, [1] * axes, axes) for name in ("strides", "dilations"))
    found = Geometry(_two(kernel), _two(strides), _two(dilations))
    if min(*found.kernel, *found.strides, *found.dilations) < 1:
        raise Refusal("a kernel, stride or dilation below 1", "export the model again")
    rule = str(attribute(node, "auto_pad", "NOTSET"))
    if rule in ("SAME_UPPER", "SAME_LOWER"):
        return _ceiled(replace(found, pads=_same(found, source.size, rule == "SAME_LOWER")), node, source)
    if rule not in ("NOTSET", "VALID", ""):
        raise Refusal(f"its auto_pad is {rule}", "use NOTSET, VALID, SAME_UPPER or SAME_LOWER")
    pads = [0] * (2 * axes) if rule == "VALID" else _numbers(node, "pads", [0] * (2 * axes), 2 * axes)
    return _ceiled(replace(found, pads=_four(pads)), node, source)


def without_pads(geometry: Geometry, value: float) -> tuple[list[Node], Geometry]:
    """The padding of `geometry` as a node of its own, and the rest."""
    return pad_nodes(geometry.pads, value), replace(geometry, pads=(0, 0, 0, 0))


def pad_nodes(pads: Pads, value: float) -> list[Node]:
    return [Pad(name="", inputs=(), output="", pads=pads, value=value)] if any(pads) else []


def named(geometry: Geometry) -> str:
    """A kernel for a report."""
    return "x".join(str(size) for size in geometry.kernel)


def pad(context: Context, node: onnx.NodeProto) -> str:
    mode = str(attribute(node, "mode", "constant"))
    if mode != "constant":
        raise Refusal(f"padding of mode {mode}", "pad with a constant")
    name = str(node.input[0])
    rank = len(context.shape(name))
    pads = attribute(node, "pads", None)
    numbers = [int(n) for n in np.asarray(context.constant(node, 1, "pads") if pads is None else pads).reshape(-1)]
    value = floats(np.asarray(attribute(node, "value", 0.0)), "value")
    if pads is None and len(node.input) > 2 and node.input[2]:
        value = floats(context.constant(node, 2, "value"), "value")
    axes = named_axes(context, node, 3) if pads is None else None
    axes = list(range(rank)) if axes is None else [axis % rank for axis in axes]
    if len(numbers) != 2 * len(set(axes)):
        raise Refusal(f"pads {shown(numbers)} for {len(axes)} axes", "export the model again")
    ends = dict(zip(axes, zip(numbers[: len(axes)], numbers[len(axes) :], strict=True), strict=True))
    if not any(numbers):
        context.alias(node)
        return "nothing"
    known = lies_channels_last(context, name)
    # Where nothing else tells, axes that are padded are no channels.
    last = any(ends.get(1, ())) if known is None else known
    source = view(context, name, channels_last=last)
    first = 1 if last else 2
    spatial = [ends.pop(axis, (0, 0)) for axis in range(first, first + len(source.spatial))]
    if any(any(end) for end in ends.values()):
        raise Refusal("padding of samples or channels", "pad rows and columns only")
    number = float(value.reshape(()))
    four = _four([begin for begin, _ in spatial] + [end for _, end in spatial])
    emit_on_map(context, node, source, *pad_nodes(four, number))
    return f"padding with {number:g}"


def _numbers(node: onnx.NodeProto, name: str, default: list[int], count: int) -> list[int]:
    found = [int(number) for number in attribute(node, name, None) or default]
    if len(found) != count:
        raise Refusal(f"its {name} are {shown(found)}", f"use {count} numbers")
    return found


def _two(numbers: Sequence[int]) -> tuple[int, int]:
    """Numbers of one or two axes as those of a map."""
    return numbers[0], numbers[1] if len(numbers) == 2 else 1


def _four(pads: Sequence[int]) -> Pads:
    """Padding of one or two axes, all their beginnings first, as that of a map."""
    if min(pads) < 0:
        raise Refusal(f"pads {shown(list(pads))}", "use pads that are not negative; cut nothing off")
    if len(pads) == 2:
        return pads[0], 0, pads[1], 0
    return pads[0], pads[1], pads[2], pads[3]


def _same(found: Geometry, size: tuple[int, int], lower: bool) -> Pads:
    """Padding for as many windows as fit the map by their strides; an odd one more at the end, or the beginning."""
    begins, ends = [], []
    for length, extent, stride in zip(size, found.extent, found.strides, strict=True):
        total = max((-(-length // stride) - 1) * stride + extent - length, 0)
        begins.append(total - total // 2 if lower else total // 2)
        ends.append(total - begins[-1])
    return begins[0], begins[1], ends[0], ends[1]


def _ceiled(found: Geometry, node: onnx.NodeProto, source: MapView) -> Geometry:
    """With `ceil_mode`, the padding below and right that a last window needs which starts before the map's end."""
    if not attribute(node, "ceil_mode", 0):
        return found
    pads = list(found.pads)
    for axis, (length, extent, stride) in enumerate(zip(source.size, found.extent, found.strides, strict=True)):
        whole = length + pads[axis] + pads[axis + 2]
        last = -(-(whole - extent) // stride) * stride
        if last >= length + pads[axis]:
            last -= stride
        pads[axis + 2] += max(0, last + extent - whole)
    return replace(found, pads=_four(pads))
