"""Constant expressions of a model file, evaluated once: shapes, and weights on their way through quantisers."""

from __future__ import annotations

from math import prod

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator

from bnnhw.frontend.container import MAX_ELEMENTS
from bnnhw.frontend.refusal import Refusal

Array = NDArray[np.generic]

# Standard operators that exporters leave in constant expressions; onnx's own reference evaluates them.
# fmt: off
FOLDABLE = {
    "Abs", "Add", "And", "Cast", "Ceil", "Clip", "Concat", "Constant", "ConstantOfShape", "CumSum", "Div", "Dropout",
    "Equal", "Erf", "Exp", "Expand", "Flatten", "Floor", "Gather", "GatherElements", "Greater",
    "GreaterOrEqual", "HardSigmoid", "HardSwish", "Identity", "IsNaN", "LeakyRelu", "Less", "LessOrEqual", "Log",
    "MatMul", "Max", "Mean", "Min", "Mod", "Mul", "Neg", "Not", "Or", "Pow", "Range", "Reciprocal", "ReduceL1",
    "ReduceL2", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare", "Relu",
    "Reshape", "Round", "ScatterElements", "Shape", "Sigmoid", "Sign", "Size", "Slice", "Softmax",
    "Softplus", "Softsign", "Split", "Sqrt", "Squeeze", "Sub", "Sum", "Tanh", "Tile", "Transpose", "Trilu",
    "Unsqueeze", "Where", "Xor",
}

# Their outputs have the shape that their inputs broadcast to.
_BROADCASTING = {
    "Add", "And", "Div", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Max", "Mean", "Min", "Mod",
    "Mul", "Or", "Pow", "Sub", "Sum", "Where", "Xor",
}

# What they do to a constant they do to its scale: they move elements about, or change their sign.
_SCALE_KEEPING = {
    "Cast", "Dropout", "Expand", "Flatten", "Gather", "Identity", "Neg", "Reshape", "Slice", "Squeeze", "Tile",
    "Transpose", "Unsqueeze",
}
# fmt: on


def fold(node: onnx.NodeProto, inputs: list[Array | None], opset: int) -> list[Array]:
    """The outputs of a standard operator on constants.

    Raises
    ------
    Refusal
        If the operator is not one of `FOLDABLE`, fails, or makes a tensor of absurd size.
    """
    if node.op_type not in FOLDABLE or any(a.type in (a.GRAPH, a.GRAPHS) for a in node.attribute):
        raise Refusal("an operator that is not evaluated on constants", "fold the constants before the export")
    arrays = [array for array in inputs if array is not None]
    try:
        size = _size(node, arrays)
        if not size <= MAX_ELEMENTS:
            raise Refusal(f"a constant of {size:.3g} elements", "export the model again")
        with np.errstate(all="ignore"):
            return [np.asarray(value) for value in _evaluator(node, inputs, opset).run(None, _named(node, inputs))]
    except Refusal:
        raise
    except Exception as error:  # whatever a malformed node makes the evaluator raise
        reason = f"cannot be evaluated on constants ({error})".replace("\n", " ")[:160]
        raise Refusal(reason, "export the model again") from None


def _evaluator(node: onnx.NodeProto, inputs: list[Array | None], opset: int) -> ReferenceEvaluator:
    """onnx's reference for this one node."""
    alone = onnx.NodeProto()
    alone.CopyFrom(node)
    alone.domain = ""
    types = {name: onnx.helper.np_dtype_to_tensor_dtype(array.dtype) for name, array in _named(node, inputs).items()}
    graph = onnx.helper.make_graph(
        [alone],
        "constant",
        [onnx.helper.make_tensor_value_info(name, element, None) for name, element in types.items()],
        [onnx.helper.make_value_info(name, onnx.TypeProto()) for name in node.output if name],
    )
    return ReferenceEvaluator(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)]))


def _named(node: onnx.NodeProto, inputs: list[Array | None]) -> dict[str, Array]:
    return {name: array for name, array in zip(node.input, inputs, strict=True) if array is not None}


def _size(node: onnx.NodeProto, arrays: list[Array]) -> float:
    """Upper bound of the node's output elements: known before it is run, since they may not fit the memory."""
    if node.op_type in _BROADCASTING:
        return prod(np.broadcast_shapes(*(array.shape for array in arrays)))
    if node.op_type == "MatMul":
        first, second = (array.shape for array in arrays)
        return prod((*np.broadcast_shapes(first[:-2], second[:-2]), *first[-2:-1], *second[-1:]))
    if node.op_type == "Expand":
        return prod(np.broadcast_shapes(arrays[0].shape, tuple(_sizes(arrays[1]))))
    if node.op_type == "ConstantOfShape":
        return prod(_sizes(arrays[0]))
    if node.op_type == "Tile":
        return arrays[0].size * prod(_sizes(arrays[1]))
    if node.op_type == "Gather":
        axis = next((int(a.i) for a in node.attribute if a.name == "axis"), 0)
        return arrays[1].size * arrays[0].size // max(1, int(arrays[0].shape[axis]))
    if node.op_type == "Range":
        start, limit, delta = (float(np.float64(array.item())) for array in arrays)
        return abs((limit - start) / delta) if delta else np.inf
    return sum(array.size for array in arrays)


def _sizes(array: Array) -> list[int]:
    return [int(size) for size in array.reshape(-1)]


def folded_scale(
    node: onnx.NodeProto, inputs: list[Array | None], scales: list[Array | None], opset: int
) -> Array | None:
    """The scale of a node's output, given those of its inputs that a quantiser made; None where it has none.

    Quantised constants keep their scale when they are moved about, and multiply it when they are multiplied.
    """
    scale: Array | None = None
    if node.op_type in _SCALE_KEEPING and scales[0] is not None:
        scale = fold(node, [scales[0], *inputs[1:]], opset)[0]
    elif node.op_type == "Mul" or (node.op_type == "Div" and scales[0] is not None):
        known = [unit is not None for unit in scales]
        if sum(known) == 1:
            units = [value if unit is None else unit for value, unit in zip(inputs, scales, strict=True)]
            scale = fold(node, units, opset)[0]
    return None if scale is None or (scale == 0).any() else scale
