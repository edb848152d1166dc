"""Measures the shipped models with qonnx's executor, which shares no code with bnnhw.

    python models/evaluate.py [--check | --texts] [--data FOLDER] [MODEL ...]

Writes model.json, golden.npz and README.md of each model. With ``--check`` nothing is written: the script fails if a
model.json says something else. With ``--texts`` nothing is measured: README.md is written from model.json. Needs the
extra ``dev``.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.custom_op.registry import getCustomOp  # noqa: F401  (registers the quantisers)
from qonnx.util.cleanup import cleanup_model

HERE = Path(__file__).resolve().parent
GOLDEN_SAMPLES = {"digits": 360, "mnist": 128}

FACTS = {
    "digits": {
        "task": "handwritten digits, 8 x 8 pixels",
        "data": "scikit-learn digits (UCI optical recognition of handwritten digits)",
        "licence": "data CC BY 4.0, weights MIT",
        "test_set": "every fifth sample",
        "input": "(N, 64) float, pixel values 0..16",
    },
    "mnist": {
        "task": "handwritten digits, 28 x 28 pixels",
        "data": "MNIST (LeCun, Cortes, Burges)",
        "licence": "data CC BY-SA 3.0, weights MIT",
        "test_set": "the 10,000 test images",
        "input": "(N, 1, 28, 28) float, pixel / 255",
    },
}


def test_set(name: str, data: Path) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Inputs as the model takes them, and labels."""
    if name.startswith("digits"):
        from sklearn.datasets import load_digits

        bunch = load_digits()
        return bunch.data[::5].astype(np.float32), bunch.target[::5].astype(np.uint8)

    def read(file: str, header: int) -> NDArray[np.uint8]:
        with gzip.open(data / file) as stream:
            return np.frombuffer(stream.read(), np.uint8, offset=header)

    images = read("t10k-images-idx3-ubyte.gz", 16).reshape(-1, 1, 28, 28).astype(np.float32) / np.float32(255)
    return images, read("t10k-labels-idx1-ubyte.gz", 8)


class Executor:
    """A model in qonnx's executor, one sample at a time as the file has it."""

    def __init__(self, path: Path) -> None:
        self.model: ModelWrapper = cleanup_model(ModelWrapper(str(path)))
        graph = self.model.graph
        self.input, self.output = graph.input[0].name, graph.output[0].name
        self.accumulators = [node.output[0] for node in graph.node if node.op_type in ("Gemm", "MatMul")]
        quantisers = [node for node in graph.node if node.op_type in ("Quant", "BipolarQuant")]
        layers = [node for node in graph.node if node.op_type in ("Gemm", "MatMul")]
        weights = {node.input[1] for node in layers}
        self.activations = [node.output[0] for node in quantisers if node.output[0] in {n.input[0] for n in layers}]
        scales = {node.output[0]: self._scalar(node) for node in quantisers}
        self.activation_scales = [scales[name] for name in self.activations]
        # Weights that cleanup has folded are integers already: their scale is 1.
        weight_scales = [scales.get(node.input[1], 1.0) for node in layers]
        self.accumulator_scales = [a * w for a, w in zip(self.activation_scales, weight_scales, strict=True)]
        shapes = [np.asarray(self.model.get_tensor_shape(name)) for name in self.accumulators]
        inputs = [np.asarray(self.model.get_tensor_shape(node.input[0])) for node in layers]
        self.layers = [{"mw": int(i[-1]), "mh": int(o[-1])} for i, o in zip(inputs, shapes, strict=True)]
        assert len(weights) == len(self.activations) == len(self.accumulators)

    def _scalar(self, node: onnx.NodeProto) -> float:
        return float(np.asarray(self.model.get_initializer(node.input[1])).reshape(-1)[0])

    def run(self, x: NDArray[np.float32], *, everything: bool) -> dict[str, NDArray[np.generic]]:
        """Outputs of samples `x`, and with `everything` the integers inside."""
        found: dict[str, list[NDArray[np.generic]]] = {}
        for sample in x:
            context = execute_onnx(self.model, {self.input: sample[None]}, return_full_exec_context=True)
            found.setdefault("outputs", []).append(context[self.output][0])
            if everything:
                for k, (name, scale) in enumerate(zip(self.accumulators, self.accumulator_scales, strict=True)):
                    found.setdefault(f"acc{k}", []).append(_integers(context[name][0], scale))
                for k, (name, scale) in enumerate(zip(self.activations, self.activation_scales, strict=True)):
                    found.setdefault(f"act{k}", []).append(_integers(context[name][0], scale))
        return {name: np.stack(rows) for name, rows in found.items()}


def _integers(values: NDArray[np.float32], scale: float) -> NDArray[np.int16]:
    ratio = values.astype(np.float64) / scale
    integers = np.rint(ratio)
    if np.abs(ratio - integers).max() > 1e-3:
        raise ValueError("values that are no multiples of their scale")
    return integers.astype(np.int16)


def evaluate(name: str, data: Path, *, check: bool) -> bool:
    """Measures one model; returns whether it agrees with its model.json (always, when that is written)."""
    folder = HERE / name
    kind = name.split("-")[0]
    x, labels = test_set(name, data)
    executor = Executor(folder / "model.onnx")
    outputs = executor.run(x, everything=False)["outputs"]
    accuracy = round(float((outputs.argmax(axis=1) == labels).mean()), 4)
    macs = sum(layer["mw"] * layer["mh"] for layer in executor.layers)
    facts = {
        "title": f"{name}: {FACTS[kind]['task']}, {name.split('-')[1]} weights and activations",
        **FACTS[kind],
        "samples": len(x),
        "accuracy": accuracy,
        "weights": macs,
        "weight_bits": macs * (2 if name.endswith("ternary") else 1),
        "layers": executor.layers,
        "trained_with": "torch 2.13.0, brevitas 0.13.4, seed 1",
        "measured_with": "qonnx 1.0.0",
    }
    print(f"{name}: {accuracy:.2%} of {len(x)}, {macs:,} weights", flush=True)
    if check:
        known = json.loads((folder / "model.json").read_text())
        return bool(known["accuracy"] == accuracy and known["weights"] == macs)
    count = GOLDEN_SAMPLES[kind]
    golden = executor.run(x[:count], everything=True)
    golden |= {
        "inputs": x[:count],
        "labels": labels[:count],
        "prediction": golden["outputs"].argmax(axis=1).astype(np.uint8),
    }
    np.savez_compressed(folder / "golden.npz", **golden)
    (folder / "model.json").write_text(json.dumps(facts, indent=2) + "\n")
    write_readme(name)
    return True


def write_readme(name: str) -> None:
    """README.md of a model, from its model.json."""
    facts = json.loads((HERE / name / "model.json").read_text())
    sizes = [entry["mw"] for entry in facts["layers"]] + [facts["layers"][-1]["mh"]]
    kind = name.split("-")[1]
    where = f"of {facts['samples']:,} ({facts['test_set']}), measured with {facts['measured_with']}"
    needs = "" if name.startswith("digits") else " --data FOLDER"
    text = f"""# {name}

A dense network for {facts["task"]}:
{" - ".join(str(size) for size in sizes)}, {kind} weights and activations, and
{facts["weight_bits"]:,} weight bits. Written by `models/evaluate.py`.

| | |
|---|---|
| accuracy | {facts["accuracy"]:.2%} {where} |
| input | {facts["input"]} |
| data | {facts["data"]} |
| licence | {facts["licence"]} |
| trained with | {facts["trained_with"]} |

* `model.onnx`: as `brevitas.export.export_qonnx` wrote it.
* `golden.npz`: inputs, labels, every accumulator (`acc0` ..), every activation (`act0` .., the first is the quantised
  input), outputs and prediction of the first test samples, from qonnx's executor.

Train it again, in an environment with `pip install .[train]`:

    python models/{name}/train.py{needs} -o FOLDER
"""
    (HERE / name / "README.md").write_text(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("models", nargs="*", default=sorted(p.parent.name for p in HERE.glob("*/model.onnx")))
    parser.add_argument("--texts", action="store_true", help="write README.md from model.json, measure nothing")
    parser.add_argument("--check", action="store_true", help="compare with model.json, write nothing")
    parser.add_argument("--data", type=Path, default=HERE.parent.parent / "shared" / "data" / "mnist")
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
