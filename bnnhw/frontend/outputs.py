"""What may follow the last layer: Softmax, LogSoftmax, Hardmax, Sigmoid, ArgMax, TopK."""

from __future__ import annotations

import numpy as np
import onnx

from bnnhw.frontend.attributes import attribute
from bnnhw.frontend.context import Context, node_name
from bnnhw.frontend.refusal import Refusal
from bnnhw.ir.nodes import Activation, ArgMax, Hardmax, Sigmoid, Softmax

# What may follow an answer.
_KEEPING = ("ArgMax", "TopK", "Cast", "Dropout", "Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze")


def _over_classes(context: Context, node: onnx.NodeProto, axis: int) -> None:
    shape = context.shape(context.data(node))
    if axis % len(shape) != len(shape) - 1 or any(size != 1 for size in shape[:-1]):
        raise Refusal(f"over axis {axis} of {shape}", "apply it over the classes, the last axis")


def softmax(context: Context, node: onnx.NodeProto) -> str:
    """Softmax and LogSoftmax."""
    _over_classes(context, node, int(attribute(node, "axis", -1)))
    context.emit(node, Softmax(name="", inputs=(), output="", log=node.op_type == "LogSoftmax"))
    context.notes.append(
        f"{node_name(node)}: {node.op_type} keeps the order; hardware leaves it out, software computes it"
    )
    return "software, after the hardware (the class is the same without it)"


def hardmax(context: Context, node: onnx.NodeProto) -> str:
    _over_classes(context, node, int(attribute(node, "axis", -1)))
    context.emit(node, Hardmax(name="", inputs=(), output=""))
    return "software, after the hardware (it marks the class)"


def sigmoid(context: Context, node: onnx.NodeProto) -> str:
    """The last layer's, or an activation, where something else than the choice of a class follows."""
    if not _answers(context, node.output[0]):
        context.emit(node, Activation(name="", inputs=(), output="", function="sigmoid", alpha=np.ones((), np.float32)))
        return "activation"
    context.emit(node, Sigmoid(name="", inputs=(), output=""))
    context.notes.append(f"{node_name(node)}: Sigmoid keeps the order; hardware leaves it out, software computes it")
    return "software, after the hardware (the class is the same without it)"


def _answers(context: Context, tensor: str) -> bool:
    """Whether what follows a tensor chooses a class at most."""
    readers = [node for node in context.file.nodes if tensor in node.input and context.needed & set(node.output)]
    return all(node.op_type in _KEEPING and all(_answers(context, name) for name in node.output) for node in readers)


def argmax(context: Context, node: onnx.NodeProto) -> str:
    _over_classes(context, node, int(attribute(node, "axis", 0)))
    if attribute(node, "select_last_index", 0):
        raise Refusal("the last index on a tie", "use the first, which is the default")
    context.emit(node, ArgMax(name="", inputs=(), output="", keepdims=bool(attribute(node, "keepdims", 1))))
    return "class"


def topk(context: Context, node: onnx.NodeProto) -> str:
    k = attribute(node, "k", None)
    count = int(np.asarray(context.constant(node, 1, "k") if k is None else k).reshape(()))
    largest = attribute(node, "largest", 1)
    if count != 1 or not largest:
        raise Refusal(f"the {count} {'largest' if largest else 'smallest'}", "ask for the largest one")
    if node.output[0] in context.needed:
        raise Refusal("the output is the value, not the index", "output the index")
    _over_classes(context, node, int(attribute(node, "axis", -1)))
    # The index is the second output, the value the first.
    index = node.output[1]
    chosen = ArgMax(name="", inputs=(), output="", keepdims=True)
    context.place(node, chosen, context.tensor(context.data(node)), named=True, output=index)
    context.shapes[index] = (1, *context.types[index].shape)
    return "class"
