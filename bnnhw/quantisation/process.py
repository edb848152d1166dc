"""From a float file and samples to a QONNX file that maps, and what is told of it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
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
from bnnhw.inputs import Inputs, read_inputs
from bnnhw.ir.graph import Graph
from bnnhw.passes import to_integers
from bnnhw.progress import Progress
from bnnhw.quantisation.calibration import Activation, Count
from bnnhw.quantisation.network import FloatNetwork, Layer
from bnnhw.quantisation.settings import Settings

Array = NDArray[Any]

SUFFIXES = (".onnx", ".onnx.gz")
# Formats of weights that are far from what they stand for.
COARSE = ("binary", "ternary", "int2")


def quantise_file(
    path: Path, samples: Path, output: Path, wanted: Settings, *, progress: Progress, count: Count | None
) -> dict[str, Any]:
    """See `bnnhw.quantize`."""
    if not path.is_file() or not path.name.endswith(SUFFIXES):
        raise InputError(f"{path}: no ONNX file: name an .onnx or .onnx.gz file")
    if output.suffix != ".onnx":
        raise InputError(f"{output}: the name of a QONNX file ends in .onnx")
    if output.resolve() == path.resolve():
        raise InputError(f"{output}: the model itself: give the result another name")
    if _maps(path):
        raise ModelError(f"{path}: every layer of it is quantised already, and it maps to hardware: use it as it is")
    with progress(f"quantising the weights of {path}"):
        network = _network(path, wanted)
        imported = _imported(network.unscaled(), path)
    given = read_inputs(imported, samples)
    if not len(given.values):
        raise InputError(f"{samples}: no samples: `inputs` must be (N, ...) with N of at least 1")
    if network.corrected:
        with progress("correcting the outputs of the layers"):
            network.correct(given.values)
    with progress(f"calibrating on {len(given.values)} samples"):
        activations = network.calibrated(given.values, count)
    model = network.written(activations)
    with progress("checking that the result maps to hardware"):
        graph = to_integers(_imported(model, path))
    with progress("comparing the answers before and after"):
        before = _answers(network.model, network.file.output, given, str(path))
        after = reference.run(graph, given.values)
    write_bytes(output, model.SerializeToString())
    return {
        "model": str(path),
        "file": str(output),
        "inputs": given.source,
        "samples": len(given.values),
        "layers": [_layer_row(layer, activations) for layer in network.layers],
        "activations": [_activation_row(activation) for activation in activations],
        "accuracy": _accuracy(given.labels, before, after),
        "notes": [*_hints(network.layers), *graph.notes],
    }


def _hints(layers: Sequence[Layer]) -> list[str]:
    """What could be asked for as well."""
    coarse = [layer for layer in layers if layer.weights is not None and layer.weights.format in COARSE]
    if not any(layer.choice.correction == "none" for layer in coarse):
        return []
    return ["weights of one or two bits lose much without training: a correction (scale) gives some of it back"]


def _maps(path: Path) -> bool:
    """Whether a model file maps to hardware as it is."""
    try:
        to_integers(importer.load_qonnx(path))
    except ModelError:
        return False
    return True


def _network(path: Path, wanted: Settings) -> FloatNetwork:
    try:
        return FloatNetwork(path, wanted)
    except (ValueError, IndexError, KeyError, TypeError, OverflowError) as error:
        # A node is not what its operator needs; the importer says so more precisely, if it gets there.
        importer.load_qonnx(path)
        raise ModelError(f"{path}: malformed ({error})".replace("\n", " ")[:200] + ": export the model again") from None


def _imported(model: onnx.ModelProto, path: Path) -> Graph:
    """The imported graph of `model`; what does not map is told of the file `path`."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / path.name.removesuffix(".gz")
        file.write_bytes(model.SerializeToString())
        try:
            return importer.load_qonnx(file)
        except ModelError as error:
            raise ModelError(error.summary.replace(str(file), str(path)), error.problems) from None


def _answers(model: onnx.ModelProto, output: str, given: Inputs, where: str) -> dict[str, Array]:
    """What the float network answers: ``outputs`` and ``prediction``, as `bnnhw.infer` gives them."""
    run = executor(model, [output], where)
    outputs = np.concatenate([run(sample)[output] for sample in given.values])
    scores = outputs.reshape(len(outputs), -1)
    index = outputs.dtype.kind in "iu" and scores.shape[1] == 1
    return {"outputs": outputs, "prediction": scores[:, 0] if index else scores.argmax(axis=1)}


def _accuracy(labels: Array | None, before: dict[str, Array], after: dict[str, Array]) -> dict[str, Any]:
    """Shares of the samples: right before, right after (None without labels), and of the same class; and how far the
    outputs are from those before, in units of their root mean square."""
    first, second = (answer["prediction"].reshape(-1) for answer in (before, after))
    outputs, others = (answer["outputs"].reshape(-1).astype(np.float64) for answer in (before, after))
    power = float(np.square(outputs).mean())
    return {
        "before": None if labels is None else float((first == labels).mean()),
        "after": None if labels is None else float((second == labels).mean()),
        "same_class": float((first == second).mean()),
        "output_error": float(np.sqrt(np.square(others - outputs).mean() / power)) if power else 0.0,
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
