"""A network as a picture: what each operation is, and the shape and format of what it gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bnnhw.arithmetic.formats import FLOAT32
from bnnhw.charts import INK, Drawing
from bnnhw.dag_layout import lay_out
from bnnhw.frontend import Row
from bnnhw.ir.graph import Graph, TensorType
from bnnhw.ir.nodes import ArgMax, Conv, Dense, Encode, GroupedDense, MatMul, Node, Window

# Fill of a box, and what it says in the legend.
COLOURS = {
    "weights": ("#bcd9f0", "hardware, with weights"),
    "hardware": ("#e3eff9", "hardware"),
    "software": ("#f0f0f0", "software on the host"),
    "possible": ("#e8f3e8", "maps to hardware"),
    "refused": ("#f6c9c4", "does not"),
}
MARGIN, PAD, LINE, LETTER = 20, 9, 16, 6.7
MAX_LETTERS = 44


@dataclass(frozen=True)
class Box:
    """One operation.

    Parameters
    ----------
    kind
        One of `COLOURS`.
    title, lines
        What is written in it.
    inputs
        Names of the boxes that lead to it.
    """

    kind: str
    title: str
    lines: tuple[str, ...]
    inputs: tuple[str, ...]


def graph_boxes(graph: Graph) -> dict[str, Box]:
    """The boxes of a graph of stage ``integer``, by their tensors' names."""
    found = {graph.input: Box("software", "input", (graph.input, _gives(graph.tensors[graph.input])), ())}
    for node in graph.nodes:
        made = graph.tensors[node.output]
        # The class is chosen by the hardware, from its integers.
        chosen = isinstance(node, ArgMax) and graph.tensors[node.inputs[0]].format != FLOAT32
        hardware = chosen or (made.format != FLOAT32 and not isinstance(node, Encode))
        kind = "weights" if isinstance(node, Dense) else "hardware" if hardware else "software"
        role = next(
            (role for role, tensor in graph.outputs.items() if tensor == node.output and role != "integers"), ""
        )
        gives = "a class" if chosen else _gives(made)
        last = f"{role}: {gives}" if role else gives
        found[node.output] = Box(kind, _title(node), (node.name, last), tuple(dict.fromkeys(node.inputs)))
    return found


def file_boxes(rows: Sequence[Row]) -> dict[str, Box]:
    """The boxes of the nodes of a file that does not map."""
    maker = {tensor: f"{k}" for k, row in enumerate(rows) for tensor in row.outputs}
    return {
        f"{k}": Box(
            "possible" if row.ok else "refused",
            row.op,
            (row.node, row.becomes),
            tuple(dict.fromkeys(maker[name] for name in row.inputs if name in maker)),
        )
        for k, row in enumerate(rows)
    }


def picture(name: str, boxes: Mapping[str, Box]) -> str:
    """The boxes as SVG, in the order of the data from top to bottom."""
    texts = {key: [_short(text) for text in (box.title, *box.lines)] for key, box in boxes.items()}
    sizes = {
        key: (2 * PAD + LETTER * max(len(line) for line in lines), 2 * PAD + LINE * len(lines) - 4)
        for key, lines in texts.items()
    }
    edges = [(other, key) for key, box in boxes.items() for other in box.inputs]
    layout = lay_out(sizes, edges)
    legend = [COLOURS[key] for key in COLOURS if any(box.kind == key for box in boxes.values())]
    top = MARGIN + 30 + LINE * len(legend)
    least = 2 * MARGIN + LETTER * max(len(name), *(len(words) + 4 for _, words in legend))
    width = max(layout.width + 2 * MARGIN, least)
    left = (width - layout.width) / 2
    drawing = Drawing(round(width), round(layout.height + top + MARGIN))
    drawing.text(MARGIN, MARGIN + 8, name, bold=True)
    for k, (colour, words) in enumerate(legend):
        drawing.box(MARGIN, MARGIN + 18 + LINE * k, 12, 12, colour, edge=INK)
        drawing.text(MARGIN + 20, MARGIN + 28 + LINE * k, words)
    for points in layout.edges:
        moved = [(x + left, y + top) for x, y in points]
        drawing.line(moved, INK)
        x, y = moved[-1]
        drawing.line([(x - 4, y - 7), (x, y), (x + 4, y - 7)], INK)
    for key, box in boxes.items():
        x, y = layout.boxes[key][0] + left, layout.boxes[key][1] + top
        drawing.box(x, y, *sizes[key], COLOURS[box.kind][0], edge=INK)
        for k, line in enumerate(texts[key]):
            drawing.text(x + sizes[key][0] / 2, y + PAD + 10 + LINE * k, line, anchor="middle", bold=k == 0)
    return drawing.svg()


def _title(node: Node) -> str:
    """The operation, with its weights or its geometry."""
    if isinstance(node, (Dense, MatMul, Conv)):
        rows, columns = node.weight.shape[0], node.weight[0].size
        groups = f", {node.groups} groups" if isinstance(node, (GroupedDense, Conv)) and node.groups > 1 else ""
        return f"{node.op} {columns} to {rows}, {node.weight_dtype}{groups}"
    if isinstance(node, Window):
        return f"{node.op} {' x '.join(map(str, node.geometry.kernel))}"
    return node.op


def _gives(tensor: TensorType) -> str:
    """Shape and format."""
    return f"{' x '.join(map(str, tensor.shape)) or '1'}, {tensor.format}"


def _short(text: str) -> str:
    return text if len(text) <= MAX_LETTERS else f"{text[: MAX_LETTERS - 4]} ..."
