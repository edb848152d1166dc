"""Feature maps: how a file lays them out, and how the graph does, channels last."""

from __future__ import annotations

from dataclasses import dataclass

import onnx

from bnnhw.frontend.context import Context
from bnnhw.frontend.refusal import Refusal
from bnnhw.ir.elementwise import ELEMENTWISE
from bnnhw.ir.nodes import Concat, Conv, Gather, MaxPool, Node, Pad, Product, Reshape, Slice, Sum, SumPool, Transpose

# qonnx's variants of standard operators, for data of the shape (N, H, W, C).
_CHANNELS_LAST = "channels_last"
TO_LAST, TO_FIRST = (1, 2, 0), (2, 0, 1)
# Nodes that give maps as the graph has them.
_MAPS = (Conv, Pad, MaxPool, SumPool, Sum, Concat)


@dataclass(frozen=True)
class MapView:
    """A tensor of the file, taken as a feature map (H, W, C); sequences are maps of one column.

    Parameters
    ----------
    tensor
        The IR tensor.
    shape
        Of one sample in the file: (C, H, W), (H, W, C), (C, L) or (L, C).
    channels_last
        Whether the channels are the last axis in the file.
    """

    tensor: str
    shape: tuple[int, ...]
    channels_last: bool

    @property
    def channels(self) -> int:
        return self.shape[-1 if self.channels_last else 0]

    @property
    def spatial(self) -> tuple[int, ...]:
        """Height and width, or length."""
        return self.shape[:-1] if self.channels_last else self.shape[1:]

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of the map."""
        return self.spatial[0], self.spatial[-1] if len(self.spatial) == 2 else 1

    def to_map(self) -> list[Node]:
        """What makes a map of the tensor."""
        if self.channels_last:
            return [] if len(self.shape) == 3 else [_reshape(self.shape[0], 1, self.shape[1])]
        return [*([] if len(self.shape) == 3 else [_reshape(*self.shape, 1)]), _transpose(TO_LAST)]

    def from_map(self, shape: tuple[int, ...]) -> list[Node]:
        """What gives a map of `shape` the file's layout."""
        rows, _, channels = shape
        if self.channels_last:
            return [] if len(self.shape) == 3 else [_reshape(rows, channels)]
        return [_transpose(TO_FIRST), *([] if len(self.shape) == 3 else [_reshape(channels, rows)])]


def view(context: Context, name: str, *, channels_last: bool) -> MapView:
    """The tensor `name` of the file as a map.

    Raises
    ------
    Refusal
        If it has no or too many axes besides batch and channels.
    """
    shape = context.shape(name)[1:]
    if len(shape) not in (2, 3):
        raise Refusal(f"on a tensor of shape {(1, *shape)}", "use maps (N, C, H, W) or sequences (N, C, L)")
    return MapView(context.tensor(name), shape, channels_last)


def view_of(context: Context, node: onnx.NodeProto, *, channels_last: bool = False) -> MapView:
    """The data of an operator that exists for either layout, the one in a domain of its own."""
    return view(context, context.data(node), channels_last=channels_last or of_channels_last(node))


def of_channels_last(node: onnx.NodeProto) -> bool:
    """Whether an operator is the variant for data with its channels last."""
    return node.domain.endswith(_CHANNELS_LAST)


def emit_on_map(context: Context, node: onnx.NodeProto, source: MapView, *made: Node) -> None:
    """Appends what stands for `node` on the map `source`, and what lies between it and the file's layout."""
    before = source.to_map()
    shape = context.infer((source.tensor,), *before, *made).shape
    context.emit(node, *before, *made, *source.from_map(shape), inputs=(source.tensor,))


def lies_channels_last(context: Context, name: str) -> bool | None:
    """Whether the axis of channels of a tensor of the file is the last one, as the nodes that made it show.

    None where nothing tells: elementwise nodes alone made it from the input, or a reshape does more than to add axes of
    size 1. Of a single pixel such an axis may be on either side.
    """
    maker = context.makers.get(context.tensor(name))
    while isinstance(maker, (*ELEMENTWISE, Product, Reshape, Slice, Gather)):
        if isinstance(maker, Reshape):
            before, after = (_sizes(context, tensor) for tensor in (*maker.inputs, maker.output))
            if before != after or len(after) < 2:
                return None
        maker = context.makers.get(maker.inputs[0])
    if isinstance(maker, Transpose):
        pixel = len(_sizes(context, maker.output)) < 2
        return maker.perm[-1] == 0 or (False if maker.perm == TO_FIRST and not pixel else None)
    return True if isinstance(maker, _MAPS) else None


def _sizes(context: Context, tensor: str) -> list[int]:
    """Of the axes along which a tensor extends."""
    return [size for size in context.types[tensor].shape if size > 1]


def _reshape(*shape: int) -> Reshape:
    return Reshape(name="", inputs=(), output="", shape=shape)


def _transpose(perm: tuple[int, ...]) -> Transpose:
    return Transpose(name="", inputs=(), output="", perm=perm)
