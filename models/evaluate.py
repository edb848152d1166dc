"""Measures the shipped models with executors that share no code with bnnhw: qonnx's, or onnxruntime for lookup tables.

    python models/evaluate.py [--check | --texts] [--data FOLDER] [MODEL ...]

Writes model.json, golden.npz and README.md of each model. With ``--check`` nothing is written: the script fails if a
model.json says something else. With ``--texts`` nothing is measured: README.md is written from model.json. Needs the
extra ``dev``.
"""

from __future__ import annotations

import argparse
import json
import sys
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from datasets import source_of
from numpy.typing import NDArray
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.custom_op.registry import getCustomOp  # noqa: F401  (registers the quantisers)
from qonnx.transformation.change_batchsize import ChangeBatchSize
from qonnx.transformation.infer_shapes import InferShapes
from qonnx.util.cleanup import cleanup_model
from texts import facts_of, readme

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from models.lookup.executor import LookupExecutor, has_tables  # noqa: E402

BATCH = 100
GOLDEN_SAMPLES = {"digits": 360, "mnist": 128, "mnist-cnn": 256, "cifar": 64}  # by name, else by its first word
MAP_SAMPLES = 2  # of the golden samples: so many have their feature maps in the file, which are large
LAYERS = ("Conv", "Gemm", "MatMul")
QUANTISERS = ("Quant", "BipolarQuant")
PASSING = ("MaxPool", "Reshape", "Flatten")  # between a quantiser and the layer that it feeds


class Executor:
    """A model in qonnx's executor; what the file does to one sample, for many at once."""

    measured_with = "qonnx 1.0.0"
    trained_beside = "brevitas 0.13.4, "

    def __init__(self, path: Path, weight_bits: int) -> None:
        self.weight_bits = weight_bits
        self.model: ModelWrapper = cleanup_model(ModelWrapper(str(path)))
        self.model = self.model.transform(ChangeBatchSize(BATCH)).transform(InferShapes())
        graph = self.model.graph
        self.input, self.output = graph.input[0].name, graph.output[0].name
        self._producers = {name: node for node in graph.node for name in node.output}
        nodes = [node for node in graph.node if node.op_type in LAYERS]
        self.accumulators = [node.output[0] for node in nodes]
        self.activations = [self._unshaped(node.input[0]) for node in nodes]
        self.activation_scales = [self._scale(name) for name in self.activations]
        # Weights that cleanup has folded are integers already: their scale is 1.
        weights = [self._scale(node.input[1]) if node.input[1] in self._producers else 1.0 for node in nodes]
        self.accumulator_scales = [a * w for a, w in zip(self.activation_scales, weights, strict=True)]
        self.layers = [self._describe(node) for node in nodes]

    def _unshaped(self, name: str) -> str:
        """What `name` was before it became a vector."""
        while name in self._producers and self._producers[name].op_type in ("Reshape", "Flatten"):
            name = self._producers[name].input[0]
        return name

    def _scale(self, name: str) -> float:
        node = self._producers[name]
        while node.op_type in PASSING:
            node = self._producers[node.input[0]]
        if node.op_type not in QUANTISERS:
            raise ValueError(f"{name} comes from {node.op_type}, not from a quantiser")
        return float(np.asarray(self.model.get_initializer(node.input[1])).reshape(-1)[0])

    def _describe(self, node: onnx.NodeProto) -> dict[str, Any]:
        """Inputs and outputs of a layer; those of a convolution are of one window, and it has a map of them."""
        outputs = self.model.get_tensor_shape(node.output[0])
        if node.op_type != "Conv":
            return {"mw": self.model.get_tensor_shape(node.input[0])[-1], "mh": outputs[-1]}
        _, channels, *kernel = self.model.get_tensor_shape(node.input[1])
        pooled = any(found.op_type == "MaxPool" for found in self._after(node))
        return {
            "mw": channels * prod(kernel),
            "mh": outputs[1],
            "kernel": kernel,
            "map": outputs[2:],
            "pooled": pooled,
        }

    def _after(self, node: onnx.NodeProto) -> list[onnx.NodeProto]:
        """The operations between `node` and the next layer."""
        found: list[onnx.NodeProto] = []
        following = self.model.find_direct_successors(node)
        while following and following[0].op_type not in LAYERS:
            found += following
            following = self.model.find_direct_successors(following[0])
        return found

    def size(self) -> dict[str, int]:
        """Weights and multiplications; every place of a map counts for these."""
        weights = sum(layer["mw"] * layer["mh"] for layer in self.layers)
        macs = sum(layer["mw"] * layer["mh"] * prod(layer.get("map", ())) for layer in self.layers)
        return {"weights": weights, "weight_bits": weights * self.weight_bits, "macs": macs}

    def outputs(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """The model's outputs (N, classes) for samples `x`."""
        return np.concatenate([self._run(part)[self.output] for part in _batches(x)])[: len(x)]

    def integers(self, x: NDArray[np.float32]) -> dict[str, NDArray[np.int16]]:
        """The integers inside, ``acc0`` .. and ``act0`` ..: (N, values) or (N, rows, columns, channels) each."""
        found: dict[str, list[NDArray[np.int16]]] = {}
        for part in _batches(x):
            context = self._run(part)
            for k, (name, scale) in enumerate(zip(self.accumulators, self.accumulator_scales, strict=True)):
                found.setdefault(f"acc{k}", []).append(_integers(context[name], scale))
            for k, (name, scale) in enumerate(zip(self.activations, self.activation_scales, strict=True)):
                found.setdefault(f"act{k}", []).append(_integers(context[name], scale))
        return {name: np.concatenate(parts)[: len(x)] for name, parts in found.items()}

    def _run(self, batch: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        return execute_onnx(self.model, {self.input: batch}, return_full_exec_context=True)


def _batches(x: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Parts of `x` of equal size; the last sample fills the last one."""
    padded = np.concatenate([x, np.repeat(x[-1:], -len(x) % BATCH, axis=0)])
    return np.split(padded, len(padded) // BATCH)


def _integers(values: NDArray[np.float32], scale: float) -> NDArray[np.int16]:
    ratio = values.astype(np.float64) / scale
    integers = np.rint(ratio)
    if np.abs(ratio - integers).max() > 1e-3:
        raise ValueError("values that are no multiples of their scale")
    return (integers.transpose(0, 2, 3, 1) if integers.ndim == 4 else integers).astype(np.int16)


def executor_of(name: str) -> Executor | LookupExecutor:
    """The executor of the shipped model `name`."""
    path = HERE / name / "model.onnx"
    if has_tables(path):
        return LookupExecutor(path)
    return Executor(path, 2 if name.endswith(("ternary", "sparse")) else 1)


def evaluate(name: str, data: Path | None, *, check: bool) -> bool:
    """Measures one model; returns whether it agrees with its model.json (always, when that is written)."""
    folder = HERE / name
    source = source_of(name)
    data_set = source.read(data or source.folder)
    test = data_set.test
    executor = executor_of(name)
    outputs = executor.outputs(test.x)
    accuracy = round(float((outputs.argmax(axis=1) == test.y).mean()), 4)
    facts = {
        **facts_of(name),
        "test_set": data_set.test_set,
        "samples": len(test.x),
        "accuracy": accuracy,
        **executor.size(),
        "trained_with": f"torch 2.13.0, {executor.trained_beside}seed 1",
        "measured_with": executor.measured_with,
        "layers": executor.layers,
    }
    print(f"{name}: {accuracy:.2%} of {len(test.x)}, {facts['weights']:,} weights", flush=True)
    if check:
        known = json.loads((folder / "model.json").read_text())
        return bool(known["accuracy"] == accuracy and known["weights"] == facts["weights"])
    write_golden(name, executor, test.x, test.y, outputs)
    (folder / "model.json").write_text(json.dumps(facts, indent=2) + "\n")
    write_readme(name)
    return True


def write_golden(
    name: str,
    executor: Executor | LookupExecutor,
    x: NDArray[np.float32],
    y: NDArray[np.int64],
    outputs: NDArray[np.float32],
) -> None:
    """golden.npz of a model; arrays of feature maps hold fewer samples than the others."""
    count = min(len(x), GOLDEN_SAMPLES.get(name, GOLDEN_SAMPLES.get(name.split("-")[0], BATCH)))
    x = x[:count]
    bytes_do = bool((x == x.astype(np.uint8)).all())
    arrays = {key: a[:MAP_SAMPLES] if a.ndim == 4 else a for key, a in executor.integers(x).items()}
    np.savez_compressed(
        HERE / name / "golden.npz",
        inputs=x.astype(np.uint8) if bytes_do else x,
        labels=y[:count].astype(np.uint8),
        outputs=outputs[:count],
        prediction=outputs[:count].argmax(axis=1).astype(np.uint8),
        **arrays,
    )


def write_readme(name: str) -> None:
    """README.md of a model, from its model.json."""
    facts = json.loads((HERE / name / "model.json").read_text())
    (HERE / name / "README.md").write_text(readme(name, facts))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("models", nargs="*", default=sorted(p.parent.name for p in HERE.glob("*/model.onnx")))
    parser.add_argument("--texts", action="store_true", help="write README.md from model.json, measure nothing")
    parser.add_argument("--check", action="store_true", help="compare with model.json, write nothing")
    parser.add_argument("--data", type=Path, help="folder of the data set (default: beside the checkout)")
    options = parser.parse_args()
    if options.texts:
        for name in options.models:
            write_readme(name)
        return
    wrong = [name for name in options.models if not evaluate(name, options.data, check=options.check)]
    if wrong:
        sys.exit(f"evaluate: model.json differs: {', '.join(wrong)}")


if __name__ == "__main__":
    main()
