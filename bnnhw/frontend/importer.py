"""Model file -> Graph: walks the nodes in the order of their edges and translates one after the other.

`load_qonnx` and `inspect` share this walk: what the one refuses is what the other shows as refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from bnnhw.dtypes import DataType
from bnnhw.errors import ModelError
from bnnhw.frontend import container
from bnnhw.frontend.constants import fold
from bnnhw.frontend.refusal import Refusal
from bnnhw.ir.graph import Graph, TensorType
from bnnhw.ir.nodes import Node
from bnnhw.ir.shapes import infer

Array = NDArray[np.generic]


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
    """

    node: str
    op: str
    becomes: str
    ok: bool


@dataclass
class Context:
    """The state of one walk.

    Parameters
    ----------
    constants
        Every tensor whose value is known.
    scales
        The quantiser's scale of constants that went through one, as an array of their shape.
    shapes
        Shape of every other tensor, with a batch axis of 1; None where a refused node makes it.
    current
        The IR tensor that stands for a tensor of the file, where the names differ.
    """

    file: container.Container
    constants: dict[str, Array]
    scales: dict[str, Array]
    shapes: dict[str, tuple[int, ...] | None]
    current: dict[str, str]
    nodes: list[Node]
    types: dict[str, TensorType]
    notes: list[str]
    layers: int = 0

    def shape(self, tensor: str) -> tuple[int, ...]:
        shape = self.shapes[tensor]
        assert shape is not None
        return shape

    def constant(self, node: onnx.NodeProto, position: int, what: str) -> Array:
        """A constant input, by position."""
        name = node.input[position] if position < len(node.input) else ""
        if name not in self.constants:
            raise Refusal(f"its {what} is not a constant", "export the model with constant parameters")
        return self.constants[name]

    def emit(self, node: onnx.NodeProto, *made: Node) -> None:
        """Appends IR nodes that together stand for `node`, whose data is its one input that is no constant."""
        tensor = self.data(node)
        tensor = self.current.get(tensor, tensor)
        for k, part in enumerate(made):
            last = k == len(made) - 1
            output = node.output[0] if last else f"{node.output[0]}.{k}"
            name = self._unique(node_name(node) if last else f"{node_name(node)}.{k}")
            placed = replace(part, name=name, inputs=(tensor,), output=output, source=(node_name(node),))
            try:
                self.types[output] = infer(placed, self.types[tensor])
            except ValueError as error:
                raise Refusal(str(error), "export the model again") from None
            self.nodes.append(placed)
            tensor = output
        self.shapes[node.output[0]] = (1, *self.types[tensor].shape)

    def alias(self, node: onnx.NodeProto) -> None:
        """`node` changes nothing."""
        tensor = self.data(node)
        self.current[node.output[0]] = self.current.get(tensor, tensor)
        self.shapes[node.output[0]] = self.shapes[tensor]

    def data(self, node: onnx.NodeProto) -> str:
        """The one input that is not a constant.

        Raises
        ------
        Refusal
            If there are several.
        """
        found = [name for name in dict.fromkeys(node.input) if name and name not in self.constants]
        if len(found) != 1 or list(node.input).count(found[0]) != 1:
            raise Refusal(
                f"{len(found)} inputs that are no constants", "only chains of layers map to hardware in this version"
            )
        return found[0]

    def _unique(self, name: str) -> str:
        taken = {node.name for node in self.nodes}
        candidate, k = name, 1
        while candidate in taken:
            k += 1
            candidate = f"{name}.{k}"
        return candidate


Handler = Callable[[Context, onnx.NodeProto], str]


def node_name(node: onnx.NodeProto) -> str:
    """The node's name, or that of its output where it has none."""
    return str(node.name or (node.output[0] if node.output else node.op_type))


def load_qonnx(path: Path, *, input_format: DataType | None = None) -> Graph:
    """The imported graph of a QONNX file.

    Parameters
    ----------
    path
        An .onnx file, or one compressed with gzip.
    input_format
        The integer format of the input's values, where the file does not tell and no quantiser follows.

    Raises
    ------
    ModelError
        If the file cannot be read; or with every node that does not map, its reason and its remedy.
    """
    context, rows = _walk(path)
    problems = tuple(f"{row.node} ({row.op}): {row.becomes}" for row in rows if not row.ok)
    if problems:
        raise ModelError(f"{path}: {len(problems)} of {len(rows)} nodes do not map to hardware", problems)
    file = context.file
    output = context.current.get(file.output, file.output)
    if output not in context.types or output == file.input:
        raise ModelError(f"{path}: output {file.output!r} does not depend on the input: export the model again")
    return Graph(
        name=file.name,
        input=file.input,
        nodes=tuple(context.nodes),
        tensors={file.input: context.types[file.input], **{n.output: context.types[n.output] for n in context.nodes}},
        outputs={"outputs": output},
        notes=tuple(context.notes),
        input_format=input_format or file.input_format,
    )


def inspect(path: Path) -> list[Row]:
    """Every node of a QONNX file with what becomes of it, in the order of the data.

    Raises
    ------
    ModelError
        If the file cannot be read.
    """
    return _walk(path)[1]


def _walk(path: Path) -> tuple[Context, list[Row]]:
    from bnnhw.frontend.operators import HANDLERS, explain_unknown

    file = container.read(path)
    context = Context(
        file=file,
        constants=dict(file.constants),
        scales={},
        shapes={file.input: file.input_shape},
        current={},
        nodes=[],
        types={file.input: TensorType(file.input_shape[1:])},
        notes=[],
    )
    needed = _needed(file)
    rows = []
    for node in file.nodes:
        if not needed & set(node.output):
            rows.append(Row(node_name(node), node.op_type, "not needed for the output", True))
            continue
        try:
            becomes, ok = _translate(context, node, HANDLERS, explain_unknown), True
        except Refusal as refusal:
            becomes, ok = str(refusal), False
            context.shapes.update({name: None for name in node.output})
        rows.append(Row(node_name(node), node.op_type, becomes, ok))
    return context, rows


def _translate(
    context: Context, node: onnx.NodeProto, handlers: dict[str, Handler], explain_unknown: Callable[[str], Refusal]
) -> str:
    if node.op_type == "Shape" and node.input[0] in context.shapes:
        return _fold_shape(context, node)
    if all(not name or name in context.constants for name in node.input):
        return _fold(context, node)
    if node.op_type not in handlers:
        raise explain_unknown(node.op_type)
    if any(name in context.shapes and context.shapes[name] is None for name in node.input):
        context.shapes.update({name: None for name in node.output})
        return "not looked at, since a node before it is refused"
    try:
        return handlers[node.op_type](context, node)
    except (ValueError, IndexError, KeyError, TypeError, OverflowError) as error:
        # A malformed node: its parameters are not what its operator needs.
        raise Refusal(f"malformed ({error})".replace("\n", " ")[:160], "export the model again") from None


def _fold_shape(context: Context, node: onnx.NodeProto) -> str:
    shape = context.shapes[node.input[0]]
    if shape is None:
        context.shapes[node.output[0]] = None
        return "not looked at, since a node before it is refused"
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    cut = slice(attributes.get("start", 0), attributes.get("end"))
    context.constants[node.output[0]] = np.array(shape[cut], np.int64)
    return "constant: a shape"


def _fold(context: Context, node: onnx.NodeProto) -> str:
    from bnnhw.frontend.operators import QUANTISERS, SCALE_KEEPERS

    if node.op_type in QUANTISERS:
        return QUANTISERS[node.op_type](context, node)
    inputs = [context.constants.get(name) for name in node.input]
    values = fold(node, inputs, context.file.opsets)
    for name, value in zip(node.output, values, strict=False):
        context.constants[name] = value
    if node.op_type in SCALE_KEEPERS and node.input[0] in context.scales:
        scaled = fold(node, [context.scales[node.input[0]], *inputs[1:]], context.file.opsets)
        context.scales[node.output[0]] = scaled[0]
    return "constant"


def _needed(file: container.Container) -> set[str]:
    """Every tensor that the output depends on."""
    needed = {file.output}
    for node in reversed(file.nodes):
        if needed & set(node.output):
            needed |= set(node.input)
    return needed
