"""Parts of a tensor at constant places: Slice, Split and Gather."""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray

from bnnhw.frontend import lookups
from bnnhw.frontend.attributes import attribute
from bnnhw.frontend.context import Context
from bnnhw.frontend.refusal import Refusal
from bnnhw.ir.nodes import Gather, Node, Reshape, Slice

Kept = NDArray[np.bool_]


def slice_(context: Context, node: onnx.NodeProto) -> str:
    """Ranges of axes; before operator set 10 they are attributes."""
    shape = context.shape(context.data(node))
    starts, ends, axes, steps = (_list(context, node, k, name) for k, name in enumerate(_PARAMETERS, 1))
    if starts is None or ends is None:
        raise Refusal("no range", "export the model again")
    places = [range(size) for size in shape]
    axes = list(range(len(starts))) if axes is None else axes
    for start, end, axis, step in zip(starts, ends, axes, steps or [1] * len(starts), strict=True):
        axis = _axis(axis, shape)
        if axis == 0 and range(1)[start:end:step] != range(1):
            raise Refusal("a part of the samples", "keep all samples: the batch axis is the first one")
        places[axis] = range(shape[axis])[start:end:step]
    _emit(context, node, 0, _places(shape, places), None)
    return "slice"


_PARAMETERS = ("starts", "ends", "axes", "steps")


def split(context: Context, node: onnx.NodeProto) -> str:
    """Parts of given sizes, or alike."""
    shape = context.shape(context.data(node))
    axis = _axis(int(attribute(node, "axis", 0)), shape)
    sizes = _list(context, node, 1, "split")
    if sizes is None:
        whole = -(-shape[axis] // len(node.output))
        sizes = [max(0, min(whole, shape[axis] - whole * k)) for k in range(len(node.output))]
    if axis == 0 or sum(sizes) != shape[axis] or len(sizes) < len(node.output) or min(sizes) < 1:
        raise Refusal(f"parts of {sizes[:8]} along axis {axis} of {shape}", "export the model again")
    start = 0
    for k, size in enumerate(sizes[: len(node.output)]):
        if node.output[k] in context.needed:
            places = [range(n) for n in shape]
            places[axis] = range(start, start + size)
            _emit(context, node, k, _places(shape, places), None)
        start += size
    return f"{len(node.output)} slices"


def gather(context: Context, node: onnx.NodeProto) -> str:
    """Certain places of an axis, in their order; a single one without the axis."""
    if node.input[0] in context.constants:
        raise Refusal(
            "a table that the data looks up (an embedding)",
            "embed outside of the network, and make the embedded values its input",
        )
    shape = context.shape(context.data(node))
    axis = _axis(int(attribute(node, "axis", 0)), shape)
    indices = np.asarray(context.constant(node, 1, "list of places")).astype(np.int64)
    flat = axis == len(shape) - 1 == 1  # of vectors, in any order
    if axis == 0 or indices.ndim > (2 if flat else 1):
        raise Refusal(f"places of shape {indices.shape} along axis {axis}", "gather along an axis behind the batch")
    if indices.ndim == 2:
        context.addresses[node.output[0]] = None
    indices = np.where(indices < 0, indices + shape[axis], indices)
    wanted = indices.reshape(-1)
    if len(wanted) == 0 or not ((wanted >= 0) & (wanted < shape[axis])).all():
        raise Refusal(f"places that an axis of {shape[axis]} has not", "export the model again")
    if indices.ndim == 2:
        return lookups.choose(context, node, indices)
    if (np.diff(wanted) <= 0).any():
        if flat:
            context.emit(node, Gather(name="", inputs=(), output="", places=wanted))
            return "choice of elements"
        if len(set(wanted.tolist())) < len(wanted):
            raise Refusal("places of an axis several times", "gather each place once, or repeat weights instead")
        every = np.arange(np.prod(shape[1:])).reshape(shape[1:])
        context.emit(node, Gather(name="", inputs=(), output="", places=every.take(wanted, axis=axis - 1)))
        return "another order"
    places = [range(size) for size in shape]
    chosen: list[range | list[int]] = [*places]
    chosen[axis] = wanted.tolist()
    _emit(context, node, 0, _places(shape, chosen), axis if indices.ndim == 0 else None)
    return "slice"


def _axis(axis: int, shape: tuple[int, ...]) -> int:
    if not -len(shape) <= axis < len(shape):
        raise Refusal(f"along axis {axis} of {shape}", "export the model again")
    return axis % len(shape)


def _list(context: Context, node: onnx.NodeProto, position: int, name: str) -> list[int] | None:
    found = attribute(node, name, None)
    if found is None and position < len(node.input) and node.input[position]:
        found = context.constant(node, position, name)
    return None if found is None else [int(number) for number in np.asarray(found).reshape(-1)]


def _places(shape: tuple[int, ...], places: list[range] | list[range | list[int]]) -> Kept:
    """The elements of a sample that have these places."""
    for axis in places[1:]:
        if len(axis) == 0:
            raise Refusal("an empty part", "export the model again")
        if len(axis) > 1 and axis[1] < axis[0]:
            raise Refusal("places in reverse", "slice with positive steps; permute weights instead")
    kept = np.zeros(shape[1:], np.bool_)
    kept[np.ix_(*(list(axis) for axis in places[1:]))] = True
    return kept


def _emit(context: Context, node: onnx.NodeProto, output: int, kept: Kept, dropped: int | None) -> None:
    """Appends what makes an output of `node`; the axis `dropped`, of size 1, is left out."""
    name = node.output[output]
    tensor = context.tensor(context.data(node))
    made: list[Node] = [] if kept.all() else [Slice(name="", inputs=(), output="", kept=kept)]
    shape = context.infer([tensor], *made).shape
    if dropped is not None:
        made.append(Reshape(name="", inputs=(), output="", shape=(*shape[: dropped - 1], *shape[dropped:])))
    for k, part in enumerate(made):
        last = k == len(made) - 1
        tensor = context.place(node, part, tensor, named=isinstance(part, Slice) and not output, output=name * last)
    context.current[name] = tensor
    context.shapes[name] = (1, *context.types[tensor].shape)
