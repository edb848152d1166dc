"""Constant expressions of a model file, evaluated once: shapes, and weights on their way through quantisers."""

from __future__ import annotations

from math import prod

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator

from bnnhw.frontend.container import MOST_ELEMENTS
from bnnhw.frontend.refusal import Refusal

Array = NDArray[np.generic]

# Standard operators that exporters leave in constant expressions; onnx's own reference evaluates them.
FOLDABLE = frozenset(
    "Abs Add And Cast Ceil Clip Concat Constant ConstantOfShape Div Equal Exp Expand Flatten Floor Gather Identity Max Min Mul "
    "Neg Not Pow Range ReduceMax ReduceMin ReduceProd ReduceSum Reciprocal Reshape Round Shape Sign Size Slice Sqrt Squeeze Sub "
    "Transpose Unsqueeze Where".split()
)

_ELEMENTWISE = frozenset("Add Sub Mul Div Pow Max Min Where Equal And".split())


def fold(node: onnx.NodeProto, inputs: list[Array | None], opsets: tuple[onnx.OperatorSetIdProto, ...]) -> list[Array]:
    """The outputs of a standard operator on constants.

    Raises
    ------
    Refusal
        If the operator is not one of `FOLDABLE`, fails, or makes a tensor of absurd size.
    """
    if node.op_type not in FOLDABLE or any(a.type in (a.GRAPH, a.GRAPHS) for a in node.attribute):
        raise Refusal("an operator that is not evaluated on constants", "fold the constants before the export")
    _check_size(node, inputs)
    names = [name or f"_{k}" for k, name in enumerate(node.input)]
    version = next((o.version for o in opsets if o.domain in ("", "ai.onnx")), 13)
    clone = onnx.NodeProto()
    clone.CopyFrom(node)
    clone.domain = ""
    present = {name: array for name, array in zip(names, inputs, strict=True) if array is not None}
    graph = onnx.helper.make_graph(
        [clone],
        "constant",
        [onnx.helper.make_tensor_value_info(n, onnx.helper.np_dtype_to_tensor_dtype(a.dtype), a.shape) for n, a in present.items()],
        [onnx.helper.make_value_info(name, onnx.TypeProto()) for name in node.output if name],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", version)])
    try:
        with np.errstate(all="ignore"):
            return [np.asarray(value) for value in ReferenceEvaluator(model).run(None, present)]
    except Exception as error:  # whatever a malformed node makes the evaluator raise
        raise Refusal(f"cannot be evaluated on constants ({error})".replace("\n", " ")[:160], "export the model again") from None


def _check_size(node: onnx.NodeProto, inputs: list[Array | None]) -> None:
    """Refuses expressions that would fill the memory before they are run."""
    arrays = [array for array in inputs if array is not None]
    size = float(sum(array.size for array in arrays))
    try:
        if node.op_type in _ELEMENTWISE:
            size = float(prod(np.broadcast_shapes(*(array.shape for array in arrays))))
        elif node.op_type in ("ConstantOfShape", "Expand"):
            size = float(np.prod(np.maximum(np.asarray(arrays[-1], float), 1))) * max(1, arrays[0].size)
        elif node.op_type == "Range":
            start, limit, delta = (float(array) for array in arrays)  # type: ignore[arg-type]
            size = abs((limit - start) / delta) if delta else np.inf
    except (ValueError, TypeError, IndexError) as error:
        raise Refusal(f"operands that do not fit ({error})", "export the model again") from None
    if not size <= MOST_ELEMENTS:
        raise Refusal(f"a constant of {size:.3g} elements", "export the model again")
