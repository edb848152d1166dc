"""Model file -> Graph: walks the nodes in the order of their edges and translates one after the other.

`load_qonnx` and `inspect_qonnx` share this walk: what the one refuses is what the other shows as refused.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx

from bnnhw.arithmetic.formats import DataType
from bnnhw.errors import ModelError
from bnnhw.frontend import container, lookups
from bnnhw.frontend.attributes import attribute
from bnnhw.frontend.constants import fold, folded_scale
from bnnhw.frontend.context import Context, Unreached, node_name
from bnnhw.frontend.explanations import explain_unknown
from bnnhw.frontend.integer_operators import INTEGER_OPERATORS
from bnnhw.frontend.linear_quantisers import check_integers
from bnnhw.frontend.operators import CONSTANT_QUANTISERS, HANDLERS
from bnnhw.frontend.refusal import Refusal
from bnnhw.ir.graph import Graph, TensorType


@dataclass(frozen=True)
class Row:
    """One node of a model file and what becomes of it.

    Parameters
    ----------
    node, op
        Its name and operator.
    becomes
        What it is in the graph, or why it is refused.
    ok
        Whether it maps.
    inputs, outputs
        Names of the tensors that it takes and gives, where the file has names.
    """

    node: str
    op: str
    becomes: str
    ok: bool
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()


def load_qonnx(path: Path, *, input_format: DataType | None = None, output_tensor: str | None = None) -> Graph:
    """The imported graph of a QONNX file.

    Parameters
    ----------
    path
        An .onnx file, or one compressed with gzip.
    input_format
        The integer format of the input's values, where the file does not tell and no quantiser follows.
    output_tensor
        Which of the file's outputs is the answer; None for the first, or the classes of a TopK.

    Raises
    ------
    ModelError
        If the file cannot be read; or with every node that does not map, its reason and its remedy.
    """
    context, rows = walk(path, output_tensor)
    file = context.file
    others = ", ".join(map(repr, file.outputs[1:]))
    chosen = f"output {file.output!r} is the answer, and {others} not computed: --output-tensor chooses another"
    # A line each, whatever the names in the file are.
    problems = tuple(" ".join(f"{row.node} ({row.op}): {row.becomes}".split()) for row in rows if not row.ok)
    if problems:
        several = f" ({chosen})" if others else ""
        raise ModelError(f"{path}: {len(problems)} of {len(rows)} nodes do not map to hardware{several}", problems)
    output = context.current.get(file.output, file.output)
    if output not in context.types or output == file.input:
        raise ModelError(f"{path}: output {file.output!r} does not depend on the input: export the model again")
    if not context.layers:
        raise ModelError(
            f"{path}: holds no layer with weights (Conv, MatMul, Gemm) or tables (Gather): there is nothing to make "
            "hardware of"
        )
    # The answer has its name of the file, under which other executors know it.
    names = {output: file.output}
    nodes = [
        replace(
            node,
            inputs=tuple(names.get(name, name) for name in node.inputs),
            output=names.get(node.output, node.output),
        )
        for node in context.nodes
    ]
    types = {names.get(name, name): type_ for name, type_ in context.types.items()}
    return Graph(
        name=file.name,
        input=file.input,
        nodes=tuple(nodes),
        tensors={file.input: types[file.input], **{node.output: types[node.output] for node in nodes}},
        outputs={"outputs": file.output},
        notes=(*context.notes, *([chosen] if others else [])),
        input_format=input_format or file.input_format,
    )


def inspect_qonnx(path: Path, *, output_tensor: str | None = None) -> list[Row]:
    """Every node of a QONNX file with what becomes of it, in the order of the file as far as the data allows.

    Raises
    ------
    ModelError
        If the file cannot be read.
    """
    return walk(path, output_tensor)[1]


def walk(path: Path, output_tensor: str | None = None) -> tuple[Context, list[Row]]:
    file = container.read(path, output_tensor)
    context = Context(
        file=file,
        constants=dict(file.constants),
        needed=_needed(file),
        shapes={file.input: file.input_shape},
        types={file.input: TensorType(file.input_shape[1:])},
    )
    rows = []
    for node in file.nodes:
        ok = True
        if not context.needed & set(node.output):
            becomes = "not needed for the output"
        else:
            try:
                becomes = _translate(context, node)
            except (Refusal, Unreached) as reason:
                context.shapes.update(dict.fromkeys(node.output))
                ok = isinstance(reason, Unreached)
                becomes = "not looked at, since a node before it is refused" if ok else str(reason)
        tensors = tuple(filter(None, node.input)), tuple(filter(None, node.output))
        rows.append(Row(node_name(node), node.op_type, becomes, ok, *tensors))
    return context, rows


def _translate(context: Context, node: onnx.NodeProto) -> str:
    try:
        if node.op_type == "Shape" and node.input[0] not in context.constants:
            return _fold_shape(context, node)
        if all(not name or name in context.constants for name in node.input):
            return _fold(context, node)
        if any(name in context.addresses for name in node.input):
            return lookups.follow(context, node)
        if node.op_type not in HANDLERS:
            raise explain_unknown(node.op_type, HANDLERS)
        if node.op_type not in INTEGER_OPERATORS:
            check_integers(context, node)
        return HANDLERS[node.op_type](context, node)
    except (ValueError, IndexError, KeyError, TypeError, OverflowError, MemoryError) as error:
        # A malformed node: its parameters are not what its operator needs.
        raise Refusal(f"malformed ({error})".replace("\n", " ")[:160], "export the model again") from None


def _fold_shape(context: Context, node: onnx.NodeProto) -> str:
    shape = context.shape(node.input[0])
    cut = slice(attribute(node, "start", 0), attribute(node, "end", None))
    context.define(node.output[0], np.array(shape[cut], np.int64))
    return "constant: a shape"


def _fold(context: Context, node: onnx.NodeProto) -> str:
    if node.op_type in CONSTANT_QUANTISERS:
        return CONSTANT_QUANTISERS[node.op_type](context, node)
    inputs = [context.constants.get(name) for name in node.input]
    for name, value in zip(node.output, fold(node, inputs, context.file.opset), strict=False):
        context.define(name, value)
    scale = folded_scale(node, inputs, [context.scales.get(name) for name in node.input], context.file.opset)
    if scale is not None:
        context.scales[node.output[0]] = scale
    return "constant"


def _needed(file: container.Container) -> set[str]:
    """Every tensor that the output depends on."""
    needed = {file.output}
    for node in reversed(file.nodes):
        if needed & set(node.output):
            needed |= set(node.input) - {""}
    return needed
