"""A model file that is changed: constants and nodes are added, and what nothing reads goes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from bnnhw.frontend.attributes import attribute
from bnnhw.quantisation.placement import channel_axis
from bnnhw.quantisation.ranges import Codes
from bnnhw.quantisation.weights import Weights

Array = NDArray[np.generic]
Float = NDArray[np.float32]

DOMAIN = "qonnx.custom_op.general"
# Before 4, every constant had to be an input as well.
IR_VERSION = 8


class Rewriting:
    """A copy of a model, while it is changed.

    Parameters
    ----------
    nodes
        Its nodes in the order of their edges.
    """

    def __init__(self, model: onnx.ModelProto, nodes: tuple[onnx.NodeProto, ...]) -> None:
        self.model = onnx.ModelProto()
        self.model.CopyFrom(model)
        graph = self.model.graph
        del graph.node[:]
        graph.node.extend(nodes)
        self._taken = {name for node in nodes for name in (node.name, *node.output)}
        self._taken |= {tensor.name for tensor in graph.initializer} | {value.name for value in graph.input}

    def fresh(self, name: str) -> str:
        """A name like `name` that nothing has."""
        found, k = name, 1
        while found in self._taken:
            k += 1
            found = f"{name}.{k}"
        self._taken.add(found)
        return found

    def constant(self, name: str, value: Array) -> str:
        """A new initialiser."""
        made = self.fresh(name)
        self.model.graph.initializer.append(numpy_helper.from_array(np.asarray(value), made))
        return made

    def layer(self, output: str) -> onnx.NodeProto:
        """The node that makes the tensor `output`."""
        return next(node for node in self.model.graph.node if output in node.output)

    def quantise(self, tensor: str, codes: Codes, scale: float) -> None:
        """Everything that reads `tensor` reads it through a Quant; what the model outputs stays."""
        graph = self.model.graph
        made = self.fresh(f"{tensor}.quantised")
        for node in graph.node:
            node.input[:] = [made if name == tensor else name for name in node.input]
        node = self._quant(tensor, made, np.array(scale, np.float32), codes.bits, signed=codes.signed, narrow=False)
        place = next((k + 1 for k, node in enumerate(graph.node) if tensor in node.output), 0)
        graph.node.insert(place, node)

    def weights(self, name: str, weights: Weights, shape: tuple[int, ...], axis: int, *, quantiser: bool) -> str:
        """The tensor of quantised weights of `shape`, whose outputs lie along `axis`; as a constant, or behind a Quant
        that changes nothing but says what they are."""
        moved = np.moveaxis(weights.values.reshape(_first(shape, axis)), 0, axis)
        constant = self.constant(f"{name}.quantised", np.ascontiguousarray(moved))
        if not quantiser:
            return constant
        sizes = [1] * len(shape)
        sizes[axis] = len(weights.scale)
        scale, made = weights.scale.reshape(sizes), self.fresh(f"{name}.weights")
        if weights.format == "binary":
            inputs = [constant, self.constant(f"{made}.scale", scale)]
            node = helper.make_node("BipolarQuant", inputs, [made], name=self.fresh(f"{made}.quantiser"), domain=DOMAIN)
        else:
            bits = 2 if weights.format == "ternary" else int(weights.format.removeprefix("int"))
            node = self._quant(constant, made, scale, bits, signed=True, narrow=True)
        self.model.graph.node.insert(0, node)
        return made

    def _quant(self, tensor: str, made: str, scale: Array, bits: int, *, signed: bool, narrow: bool) -> onnx.NodeProto:
        inputs = [
            tensor,
            self.constant(f"{made}.scale", scale),
            self.constant(f"{made}.zero", np.zeros((), np.float32)),
            self.constant(f"{made}.bits", np.array(bits, np.float32)),
        ]
        return helper.make_node(
            "Quant",
            inputs,
            [made],
            name=self.fresh(f"{made}.quantiser"),
            domain=DOMAIN,
            signed=int(signed),
            narrow=int(narrow),
            rounding_mode="ROUND",
        )

    def fold(self, layer: onnx.NodeProto, norm: onnx.NodeProto, constants: Mapping[str, Array]) -> None:
        """The batch normalisation `norm` becomes part of `layer`, but for its weights, which the caller gives.

        The layer's bias takes the factor, and an Add of what is left takes the place of `norm`.
        """
        factor, addend = affine_of(norm, constants)
        rank = constants[layer.input[1]].ndim
        shape = addend.shape if channel_axis(layer) == -1 else (-1, *([1] * (rank - 2)))
        if len(layer.input) > 2 and layer.input[2]:
            bias = np.asarray(constants[layer.input[2]], np.float32) * factor
            layer.input[2] = self.constant(f"{layer.input[2]}.folded", bias)
        name = self.constant(f"{norm.output[0]}.addend", addend.reshape(shape))
        added = helper.make_node("Add", [layer.output[0], name], [norm.output[0]], name=norm.name)
        self.layer(norm.output[0]).CopyFrom(added)

    def correct(self, layer: onnx.NodeProto, factor: Float, addend: Float, rank: int) -> None:
        """The outputs of `layer`, of `rank` axes, get a factor and an addend each; the tensor keeps its name."""
        output, raw = layer.output[0], self.fresh(f"{layer.output[0]}.raw")
        shape = factor.shape if channel_axis(layer) == -1 else (-1, *([1] * (rank - 2)))
        layer.output[0] = raw
        place = next(k for k, node in enumerate(self.model.graph.node) if raw in node.output) + 1
        added = [("Add", addend, output)]
        if (factor != 1).any():
            added.insert(0, ("Mul", factor, self.fresh(f"{output}.scaled")))
        for op, operand, made in added:
            operands = [raw, self.constant(f"{made}.{op.lower()}", operand.reshape(shape))]
            node = helper.make_node(op, operands, [made], name=self.fresh(f"{made}.{op.lower()}.node"))
            self.model.graph.node.insert(place, node)
            place, raw = place + 1, made

    def finished(self) -> onnx.ModelProto:
        """The model without what nothing reads, and with the operator set of its quantisers."""
        model, graph = self.model, self.model.graph
        read = {value.name for value in graph.output}
        kept: list[onnx.NodeProto] = []
        for node in reversed(graph.node):
            if read & set(node.output):
                kept.append(node)
                read |= set(node.input)
        kept.reverse()
        del graph.node[:]
        graph.node.extend(kept)
        constants = [tensor for tensor in graph.initializer if tensor.name in read]
        gone = {tensor.name for tensor in graph.initializer} - read
        inputs = [value for value in graph.input if value.name not in gone]
        for part, values in ((graph.initializer, constants), (graph.input, inputs)):
            copies = [type(value).FromString(value.SerializeToString()) for value in values]
            del part[:]
            part.extend(copies)
        if all(entry.domain != DOMAIN for entry in model.opset_import):
            model.opset_import.append(helper.make_opsetid(DOMAIN, 1))
        model.ir_version = max(model.ir_version, IR_VERSION)
        return model


def affine_of(norm: onnx.NodeProto, constants: Mapping[str, Array]) -> tuple[Float, Float]:
    """What a batch normalisation multiplies its channels by, and adds to them."""
    gamma, beta, mean, variance = (np.asarray(constants[name], np.float32) for name in norm.input[1:5])
    factor = gamma / np.sqrt(variance + np.float32(attribute(norm, "epsilon", 1e-5)))
    return factor, beta - mean * factor


def _first(shape: tuple[int, ...], axis: int) -> list[int]:
    """`shape` with `axis` in front."""
    sizes = list(shape)
    return [sizes.pop(axis), *sizes]
