"""A float network: its layers get quantised weights, and what flows between them quantisers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from bnnhw.errors import InputError, ModelError
from bnnhw.frontend import importer
from bnnhw.frontend.container import unpacked
from bnnhw.frontend.context import Context, node_name
from bnnhw.frontend.refusal import Refusal
from bnnhw.frontend.weights import split
from bnnhw.quantisation import placement
from bnnhw.quantisation.calibration import Activation, Count, calibrate, observe
from bnnhw.quantisation.correction import Correction, corrections
from bnnhw.quantisation.ranges import Codes
from bnnhw.quantisation.rewriting import Rewriting, affine_of
from bnnhw.quantisation.settings import Choice, Settings
from bnnhw.quantisation.weights import Weights, quantise

Array = NDArray[np.generic]
Float = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Layer:
    """A layer with weights.

    Parameters
    ----------
    node
        Of the file.
    choice
        What was asked for.
    weights
        None where the file's own are quantised already, and stay.
    """

    node: onnx.NodeProto
    choice: Choice
    weights: Weights | None

    @property
    def name(self) -> str:
        return node_name(self.node)


class FloatNetwork:
    """What a file holds, and what becomes of it.

    Parameters
    ----------
    path
        The file.
    wanted
        What was asked for.

    Raises
    ------
    ModelError
        If the file cannot be read, or has no layer with constant weights.
    InputError
        If something was asked for a layer that is not there, or two things for one tensor.
    """

    def __init__(self, path: Path, wanted: Settings) -> None:
        context, _ = importer.walk(path)
        self.path, self.wanted, self.file = path, wanted, context.file
        self.model = onnx.ModelProto.FromString(unpacked(path))
        self.constants = context.constants
        needed = [node for node in self.file.nodes if context.needed & set(node.output)]
        self._nodes = needed
        self._first, self._last = placement.ends(needed, self.constants, self.file.input)
        self._float = _float_layers(context, needed)
        self._folds = self._foldable() if wanted.fold else {}
        self._corrections: Mapping[str, Correction] = {}
        self.layers = self._quantised_layers()
        if not self.layers:
            raise ModelError(f"{path}: holds no layer with constant weights (Conv, MatMul, Gemm): nothing to quantise")
        self._placement = placement.place(
            needed, self.constants, self.file.input, codes=self.file.input_format is not None
        )
        points = self._placement.points
        users = dict.fromkeys(
            [*(layer.name for layer in self.layers), *(name for some in points.values() for name in some)]
        )
        wanted.check_names(users)
        self._points = {tensor: (tuple(some), self._of_users(some)) for tensor, some in points.items()}

    def _choice(self, name: str) -> Choice:
        """What was asked for the layer `name`."""
        return self.wanted.choice(name, first=name in self._first, last=name in self._last)

    def _quantised_layers(self) -> list[Layer]:
        """All layers, those of float weights with quantised ones."""
        found = []
        for node in self._nodes:
            if not placement.is_layer(node, self.constants):
                continue
            choice = self._choice(node_name(node))
            weights = None
            if node_name(node) in self._float:
                rows = _rows(self.constants[node.input[1]], node)
                if node.output[0] in self._folds:
                    factor, _ = affine_of(self._folds[node.output[0]], self.constants)
                    rows = rows * factor.astype(np.float64)[:, None]
                weights = quantise(rows, choice.weights)
            found.append(Layer(node, choice, weights))
        return found

    def _of_users(self, users: Sequence[str]) -> Choice:
        """What was asked for a tensor that several nodes take."""
        asked = {name: self._choice(name) for name in users}
        single = {name: choice for name, choice in asked.items() if name in self.wanted.layers}
        for name, choice in single.items():
            first = next(iter(single))
            if choice.activations != single[first].activations:
                raise InputError(
                    f"{self.wanted.source}: {first} and {name} take the same tensor, as {single[first].activations} "
                    f"and as {choice.activations}: use one format"
                )
        if single:
            return next(iter(single.values()))
        # Of what is asked for in general, the most bits.
        return max(asked.values(), key=lambda choice: choice.bits, default=self._choice(""))

    def unscaled(self) -> onnx.ModelProto:
        """The result with scales of 1: whether it maps does not depend on them."""
        return self.written(
            [
                Activation(tensor, users, Codes(choice.bits, choice.bits > 1), 1.0, 0.0, 0.0, 0.0, 0.0)
                for tensor, (users, choice) in self._points.items()
            ]
        )

    def calibrated(self, inputs: Float, count: Count | None) -> list[Activation]:
        """The codes of what flows between the layers, as samples (N, ...) show it behind the new weights."""
        model = self._rewritten(quantisers=False).finished()
        return calibrate(
            observe(model, list(self._points), inputs, str(self.path), count),
            self._points,
            shared=self._placement.scales,
            summed=self._placement.units,
            fixed=self._fixed_scales(),
        )

    @property
    def corrected(self) -> list[tuple[str, int, str]]:
        """The layers whose outputs are to be corrected: output, axis of the channels, and how."""
        return [
            (layer.node.output[0], placement.channel_axis(layer.node), layer.choice.correction)
            for layer in self.layers
            if layer.weights is not None and layer.choice.correction != "none"
        ]

    def correct(self, inputs: Float) -> None:
        """Finds what the outputs of layers get for what their weights do to them."""

        def made(found: Mapping[str, Correction]) -> onnx.ModelProto:
            self._corrections = found
            return self._rewritten(quantisers=False).finished()

        self._corrections = corrections(self._folded(), made, self.corrected, inputs, str(self.path))

    def _folded(self) -> onnx.ModelProto:
        """The float network, its batch normalisations folded where they will be."""
        made = Rewriting(self.model, self.file.nodes)
        for output, norm in self._folds.items():
            node = made.layer(output)
            factor, _ = affine_of(norm, self.constants)
            weight = np.asarray(self.constants[node.input[1]], np.float32)
            made.fold(node, norm, self.constants)
            axis = placement.output_axis(node)
            folded = np.moveaxis(np.moveaxis(weight, axis, -1) * factor, -1, axis)
            node.input[1] = made.constant(f"{node.input[1]}.folded", folded)
        return made.finished()

    def _rewritten(self, *, quantisers: bool) -> Rewriting:
        """The file with its quantised weights, behind `quantisers` that say so or as plain constants."""
        made = Rewriting(self.model, self.file.nodes)
        done: dict[tuple[str, int, str], str] = {}
        for layer in self.layers:
            if layer.weights is None:
                continue
            output = layer.node.output[0]
            node = made.layer(output)
            name = str(node.input[1])
            if output in self._folds:
                made.fold(node, self._folds[output], self.constants)
            # Layers that share a tensor in one format share it afterwards; one that is folded has its own.
            key = (name, placement.output_axis(node), layer.weights.format)
            if key not in done:
                shape = self.constants[name].shape
                done[key] = made.weights(name, layer.weights, shape, key[1], quantiser=quantisers)
            node.input[1] = done[key]
            if output in self._corrections:
                made.correct(node, *self._corrections[output], self.constants[name].ndim)
        return made

    def written(self, activations: Sequence[Activation]) -> onnx.ModelProto:
        """The whole result."""
        made = self._rewritten(quantisers=True)
        for activation in activations:
            made.quantise(activation.tensor, activation.codes, activation.scale)
        return made.finished()

    def _foldable(self) -> dict[str, onnx.NodeProto]:
        """By the output of a layer of float weights: the batch normalisation that alone reads it."""
        readers: dict[str, list[onnx.NodeProto]] = {}
        for node in self._nodes:
            for name in node.input:
                readers.setdefault(name, []).append(node)
        found = {}
        for node in self._nodes:
            after = readers.get(node.output[0], [])
            alone = len(after) == 1 and after[0].op_type == "BatchNormalization" and node.output[0] != self.file.output
            if node_name(node) in self._float and alone and len(readers[node.input[1]]) == 1:
                outputs = (self.constants[node.input[1]].shape[placement.output_axis(node)],)
                parameters = [self.constants.get(name) for name in after[0].input[1:5]]
                if all(array is not None and array.shape == outputs for array in parameters):
                    found[node.output[0]] = after[0]
        return found

    def _fixed_scales(self) -> dict[str, float]:
        """The scales of the file's own quantisers, where they have one."""
        found = {}
        for node in self._nodes:
            if node.op_type in ("Quant", "IntQuant", "BipolarQuant"):
                scale = self.constants.get(node.input[1])
                if scale is not None and scale.size == 1:
                    found[node.output[0]] = abs(float(scale.reshape(())))
        return found


def _float_layers(context: Context, nodes: Sequence[onnx.NodeProto]) -> set[str]:
    """Names of the layers whose weights are no whole multiples of a scale."""
    found = set()
    for node in nodes:
        if not placement.is_layer(node, context.constants):
            continue
        weight, scales = context.constants[node.input[1]], context.scales.get(node.input[1])
        if weight.ndim < 2 or weight.dtype != np.float32 or not np.isfinite(weight).all():
            continue  # the importer says what is wrong with them
        try:
            split(_rows(weight, node), None if scales is None else _rows(scales, node))
        except Refusal:
            found.add(node_name(node))
    return found


def _rows(weight: Array, node: onnx.NodeProto) -> NDArray[np.float64]:
    """The weights of a layer as (MH, K)."""
    moved = np.moveaxis(np.asarray(weight, np.float64), placement.output_axis(node), 0)
    return moved.reshape(len(moved), -1)
