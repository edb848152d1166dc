"""A float model file -> a QONNX file that maps to hardware: weights first, then what flows between the layers."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from bnnhw import reference
from bnnhw.errors import InputError, ModelError
from bnnhw.executor import executor
from bnnhw.files import write_bytes
from bnnhw.frontend import importer
from bnnhw.frontend.container import unpacked
from bnnhw.frontend.context import Context, node_name
from bnnhw.frontend.refusal import Refusal
from bnnhw.frontend.weights import split
from bnnhw.inputs import Inputs, read_inputs
from bnnhw.passes import to_integers
from bnnhw.quantisation import Progress, placement
from bnnhw.quantisation.calibration import Activation, Count, calibrate, observe
from bnnhw.quantisation.correction import Correction, corrections
from bnnhw.quantisation.ranges import Codes
from bnnhw.quantisation.rewriting import Rewriting, affine_of
from bnnhw.quantisation.settings import Choice, Settings
from bnnhw.quantisation.weights import Weights, quantise

Array = NDArray[np.generic]

SUFFIXES = (".onnx", ".onnx.gz")


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


def quantise_file(
    path: Path, samples: Path, output: Path, wanted: Settings, *, progress: Progress, count: Count | None
) -> dict[str, Any]:
    """See `bnnhw.quantize`."""
    if not path.is_file() or not path.name.endswith(SUFFIXES):
        raise InputError(f"{path}: no ONNX file: name an .onnx or .onnx.gz file")
    if output.suffix != ".onnx":
        raise InputError(f"{output}: the name of a QONNX file ends in .onnx")
    if maps(path):
        raise ModelError(f"{path}: every layer of it is quantised already, and it maps to hardware: use it as it is")
    network = _Network(path, wanted)
    with progress(f"quantising the weights of {path}"):
        layers = network.layers()
        points = network.points(layers)
        network.check_names(layers, points)
    given = read_inputs(importer_graph(network.written(layers, network.unscaled(points)), path), samples)
    if not len(given.values):
        raise InputError(f"{samples}: no samples: `inputs` must be (N, ...) with N of at least 1")
    with progress("correcting the outputs of layers"):
        network.correct(layers, given.values)
    with progress(f"calibrating on {len(given.values)} samples"):
        tensors = list(points)
        seen = observe(network.rewritten(layers, quantisers=False).finished(), tensors, given.values, str(path), count)
        activations = network.calibrated(points, seen)
    model = network.written(layers, activations)
    with progress("checking that the result maps to hardware"):
        graph = to_integers_of(model, path)
    with progress("comparing the classes before and after"):
        before = classes(network.model, network.file.output, given, str(path))
        after = reference.run(graph, given.values)["prediction"].reshape(-1)
    write_bytes(output, model.SerializeToString())
    return {
        "model": str(path),
        "file": str(output),
        "inputs": given.source,
        "samples": len(given.values),
        "layers": [_layer_row(layer, activations) for layer in layers],
        "activations": [_activation_row(activation) for activation in activations],
        "accuracy": _accuracy(given, before, after),
        "notes": list(graph.notes),
    }


class _Network:
    """What the file holds."""

    def __init__(self, path: Path, wanted: Settings) -> None:
        context, _ = importer.walk(path)
        self.path, self.wanted, self.file = path, wanted, context.file
        self.model = onnx.ModelProto.FromString(unpacked(path))
        self.constants = context.constants
        self._context: Context = context
        needed = [node for node in self.file.nodes if context.needed & set(node.output)]
        self._nodes = needed
        self._first, self._last = placement.ends(needed, self.constants)
        self._float = _float_layers(context, needed)
        self._folds = self._foldable() if wanted.fold else {}
        self._corrections: Mapping[str, Correction] = {}

    def choice(self, name: str) -> Choice:
        """What was asked for the layer `name`."""
        return self.wanted.choice(name, first=name in self._first, last=name in self._last)

    def layers(self) -> list[Layer]:
        """All of them, those of float weights with quantised ones."""
        found = []
        for node in self._nodes:
            if not placement.is_layer(node, self.constants):
                continue
            choice = self.choice(node_name(node))
            weights = None
            if node_name(node) in self._float:
                rows = _rows(self.constants[node.input[1]], node)
                if node.output[0] in self._folds:
                    factor, _ = affine_of(self._folds[node.output[0]], self.constants)
                    rows = rows * factor.astype(np.float64)[:, None]
                weights = quantise(rows, choice.weights)
            found.append(Layer(node, choice, weights))
        if not found:
            raise ModelError(
                f"{self.path}: holds no layer with constant weights (Conv, MatMul, Gemm): there is nothing to quantise"
            )
        return found

    def points(self, layers: Sequence[Layer]) -> dict[str, tuple[tuple[str, ...], Choice]]:
        """The tensors that need codes, with their users and what was asked for."""
        self.placement = placement.place(
            self._nodes, self.constants, self.file.input, codes=self.file.input_format is not None
        )
        return {tensor: (tuple(users), self._of_users(users)) for tensor, users in self.placement.points.items()}

    def _of_users(self, users: Sequence[str]) -> Choice:
        """What was asked for a tensor that several nodes take."""
        asked = {name: self.choice(name) for name in users}
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
        # Of the layers' general settings: the most bits.
        return max(asked.values(), key=lambda choice: choice.bits, default=self.choice(""))

    def check_names(self, layers: Sequence[Layer], points: dict[str, tuple[tuple[str, ...], Choice]]) -> None:
        """Refuses settings of layers that are not there."""
        names = [layer.name for layer in layers]
        self.wanted.check_names(dict.fromkeys([*names, *(name for users, _ in points.values() for name in users)]))

    def unscaled(self, points: dict[str, tuple[tuple[str, ...], Choice]]) -> list[Activation]:
        """Codes of scale 1: whether the network maps does not depend on the scales."""
        return [
            Activation(tensor, users, Codes(choice.bits, choice.bits > 1), 1.0, 0.0, 0.0, 0.0, 0.0)
            for tensor, (users, choice) in points.items()
        ]

    def calibrated(self, points: dict[str, tuple[tuple[str, ...], Choice]], seen: dict[str, Any]) -> list[Activation]:
        """Codes whose scales come from what was seen."""
        return calibrate(
            seen, points, shared=self.placement.scales, summed=self.placement.units, fixed=self._fixed_scales()
        )

    def correct(self, layers: Sequence[Layer], inputs: NDArray[np.float32]) -> None:
        """Finds what the outputs of layers get for what their weights do to them, where that was asked for."""
        wanted = [
            (layer.node.output[0], 1 if layer.node.op_type == "Conv" else -1, layer.choice.correction)
            for layer in layers
            if layer.weights is not None and layer.choice.correction != "none"
        ]

        def made(found: Mapping[str, Correction]) -> onnx.ModelProto:
            self._corrections = found
            return self.rewritten(layers, quantisers=False).finished()

        if wanted:
            self._corrections = corrections(self._folded(), made, wanted, inputs, str(self.path))

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

    def rewritten(self, layers: Sequence[Layer], *, quantisers: bool = True) -> Rewriting:
        """The file with its quantised weights."""
        made = Rewriting(self.model, self.file.nodes)
        done: dict[tuple[str, int, str], str] = {}
        for layer in layers:
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

    def written(self, layers: Sequence[Layer], activations: Sequence[Activation]) -> onnx.ModelProto:
        """The whole result."""
        made = self.rewritten(layers)
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


def maps(path: Path) -> bool:
    """Whether a model file maps to hardware as it is."""
    try:
        to_integers(importer.load_qonnx(path))
    except ModelError:
        return False
    return True


def to_integers_of(model: onnx.ModelProto, path: Path) -> Any:
    """The integer-stage graph of `model`, under the name of the file `path`."""
    return to_integers(importer_graph(model, path))


def importer_graph(model: onnx.ModelProto, path: Path) -> Any:
    """The imported graph of `model`; what does not map is told of the file `path`."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / path.name.removesuffix(".gz")
        file.write_bytes(model.SerializeToString())
        try:
            return importer.load_qonnx(file)
        except ModelError as error:
            summary = error.summary.replace(str(file), str(path))
            raise ModelError(summary, error.problems) from None


def classes(model: onnx.ModelProto, output: str, given: Inputs, where: str) -> NDArray[np.int64]:
    """The class of each sample, as `bnnhw.infer` gives it: the model's own, or the largest of its outputs."""
    run = executor(model, [output], where)
    found = []
    for sample in given.values:
        scores = run(sample)[output].reshape(-1)
        index = scores.dtype.kind in "iu" and scores.size == 1
        found.append(int(scores[0]) if index else int(scores.argmax()))
    return np.array(found, np.int64)


def _accuracy(given: Inputs, before: Array, after: Array) -> dict[str, Any]:
    """Shares of the samples: right before, right after (None without labels), and of the same class."""
    labels = given.labels
    return {
        "before": None if labels is None else float((before == labels).mean()),
        "after": None if labels is None else float((after == labels).mean()),
        "same_class": float((before == after).mean()),
    }


def _layer_row(layer: Layer, activations: Sequence[Activation]) -> dict[str, Any]:
    takes = next((one for one in activations if layer.name in one.users), None)
    weights = layer.weights
    return {
        "layer": layer.name,
        "op": layer.node.op_type,
        "weights": "kept" if weights is None else weights.format,
        "weight_error": None if weights is None else weights.error,
        "takes": None if takes is None else takes.tensor,
    }


def _activation_row(activation: Activation) -> dict[str, Any]:
    return {
        "tensor": activation.tensor,
        "users": list(activation.users),
        "format": str(activation.codes),
        "scale": activation.scale,
        "levels": activation.codes.max - activation.codes.min + 1,
        "low": activation.low,
        "high": activation.high,
        "clipped": activation.clipped,
        "error": activation.error,
    }
