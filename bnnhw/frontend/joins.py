"""Where branches meet: Add, Sub, Sum and Concat of several tensors."""

from __future__ import annotations

import numpy as np
import onnx

from bnnhw.frontend import elementwise
from bnnhw.frontend.attributes import attribute
from bnnhw.frontend.context import Context
from bnnhw.frontend.maps import MapView, lies_channels_last, view
from bnnhw.frontend.refusal import Refusal
from bnnhw.ir.nodes import Concat, Node, Sum


def add(context: Context, node: onnx.NodeProto) -> str:
    """Of a tensor and a constant, or of tensors. Sum, which takes any number, works alike."""
    names = context.all_data(node)
    if len(names) == 1 and len(node.input) == 1:
        context.alias(node)
        return "nothing"
    if len(names) == 1 and len(node.input) == 2:
        return elementwise.add(context, node)
    if len(names) < len(node.input):
        raise Refusal("constants among several tensors", "add the constants in a node of their own")
    return _sum(context, node, names)


def subtract(context: Context, node: onnx.NodeProto) -> str:
    """Of a constant, or of a tensor, which is added with its sign changed."""
    names = context.all_data(node)
    if len(names) < 2:
        return elementwise.sub(context, node)
    turned = f"{names[1]}.negated"
    context.current[turned] = context.place(node, elementwise.arithmetic("mul", np.array(-1)), context.tensor(names[1]))
    context.shapes[turned] = context.shape(names[1])
    return _sum(context, node, [names[0], turned])


def _sum(context: Context, node: onnx.NodeProto, names: list[str]) -> str:
    shapes = [context.shape(name) for name in names]
    if any(shape != shapes[0] for shape in shapes):
        raise Refusal(f"tensors of shapes {', '.join(map(str, shapes[:4]))}", "add tensors of one shape")
    made = Sum(name="", inputs=(), output="", coefficients=np.ones((len(names), 1), np.int64))
    if len(shapes[0]) in (3, 4):
        last = any(lies_channels_last(context, name) for name in names)
        _join(context, node, [view(context, name, channels_last=last) for name in names], made)
    else:
        context.emit(node, made, inputs=[context.tensor(name) for name in names])
    return f"sum of {len(names)} tensors"


def concat(context: Context, node: onnx.NodeProto) -> str:
    names = context.all_data(node)
    if len(names) < len(node.input):
        raise Refusal("constants among the tensors", "join tensors that the network computes")
    shapes = [context.shape(name) for name in names]
    rank = len(shapes[0])
    axis = int(attribute(node, "axis", 1))
    if not -rank <= axis < rank:
        raise Refusal(f"along axis {axis} of {shapes[0]}", "export the model again")
    if any(len(shape) != rank or _without(shape, axis) != _without(shapes[0], axis) for shape in shapes):
        raise Refusal(f"tensors of shapes {', '.join(map(str, shapes[:4]))}", "join maps of one height and width")
    axis %= rank
    made = Concat(name="", inputs=(), output="")
    if rank in (3, 4):
        # The axis along which maps are joined is that of the channels, if what made them does not tell otherwise.
        last = axis == rank - 1
        if not (last or axis == 1) or (not last) in [lies_channels_last(context, name) for name in names]:
            raise Refusal(f"along axis {axis} of {shapes[0]}", "join along the channels")
        _join(context, node, [view(context, name, channels_last=last) for name in names], made)
    elif rank == 2 and axis == 1:
        context.emit(node, made, inputs=[context.tensor(name) for name in names])
    else:
        raise Refusal(f"along axis {axis} of {shapes[0]}", "join along the channels of maps or vectors")
    return f"concatenation of {len(names)} tensors"


def _without(shape: tuple[int, ...], axis: int) -> list[int]:
    sizes = list(shape)
    del sizes[axis]
    return sizes


def _join(context: Context, node: onnx.NodeProto, sources: list[MapView], made: Node) -> None:
    """Appends `made` on maps, and what lies between them and the file's layout."""
    tensors = []
    for source in sources:
        tensor = source.tensor
        for part in source.to_map():
            tensor = context.place(node, part, tensor)
        tensors.append(tensor)
    shape = context.infer(tensors, made).shape
    context.emit(node, made, *sources[0].from_map(shape), inputs=tensors)
