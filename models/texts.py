"""What the READMEs of the shipped models say."""

from __future__ import annotations

from typing import Any

# By the first word of a model's name.
FAMILIES = {
    "digits": {
        "task": "handwritten digits, 8 x 8 pixels",
        "data": "scikit-learn digits (UCI optical recognition of handwritten digits)",
        "licence": "data CC BY 4.0, weights MIT",
        "input": "(N, 64) float, pixel values 0..16",
    },
    "mnist": {
        "task": "handwritten digits, 28 x 28 pixels",
        "data": "MNIST (LeCun, Cortes, Burges)",
        "licence": "data CC BY-SA 3.0, weights MIT",
        "input": "(N, 1, 28, 28) float, pixel / 255",
    },
    "cifar": {
        "task": "small photographs of ten things, 32 x 32 pixels in colour",
        "data": "the first 1,000 training images of CIFAR-10 (Krizhevsky)",
        "licence": "data without a stated licence, weights MIT",
        "input": "(N, 3, 32, 32) float, pixel values 0..255",
    },
}

NOTES = {
    "mnist-sparse": """
Of the weights of each hidden neuron no more than 38 are left. It is made for hardware in which weights are logic, where
a zero costs nothing, and which takes an image every cycle: see `docs/constants.md`.
""",
    "cifar-cnv-small": """
**Its accuracy means little.** It was trained on 800 images and measured on 200, because no more were at hand; chance
is 10 %. It is here to show that a network of this form, a narrow sibling of FINN's CNV, goes all the way to the
hardware. For use, train it on the whole of CIFAR-10: give `--data` the folder of its python batches
(`cifar-10-batches-py`), or one with an .npz file of `images` (N, 32, 32, 3) and `labels`.
""",
}


# By a word of a model's name.
KINDS = {
    "lut": "lookup tables that are learnt, and so is what they read",
    "ternary": "ternary weights and activations",
    "sparse": "ternary weights, most of them zero, and binary activations",
}


def facts_of(name: str) -> dict[str, str]:
    """What model.json says about a model that nobody measures."""
    family = FAMILIES[name.split("-")[0]]
    return {"title": f"{name}: {family['task']}, {_kind(name)}", **family}


def readme(name: str, facts: dict[str, Any]) -> str:
    """README.md of a model, from its model.json."""
    if "k" in facts["layers"][0]:
        return lookup_readme(name, facts)
    needs = "" if name.startswith("digits") else " --data FOLDER"
    convolutional = any("map" in layer for layer in facts["layers"])
    title = f"{'convolutional' if convolutional else 'dense'} network for {facts['task']}"
    fewer = "\n  Feature maps are there for the first few of these samples only." if convolutional else ""
    return f"""# {name}

A {title}:
{_structure(facts["layers"])},
{_kind(name)},
{facts["weight_bits"]:,} weight bits and {facts["macs"]:,} multiply-accumulates. Written by `models/evaluate.py`.
{NOTES.get(name, "")}
{_table(facts)}

* `model.onnx`: as `brevitas.export.export_qonnx` wrote it.
* `golden.npz`: inputs, labels, every accumulator (`acc0` ..), every activation (`act0` .., the first is the quantised
  input), outputs and prediction of the first test samples, from qonnx's executor.{fewer}

Train it again, in an environment with `pip install .[train]`:

    python models/{name}/train.py{needs} -o FOLDER
"""


def lookup_readme(name: str, facts: dict[str, Any]) -> str:
    """README.md of a lookup-table network."""
    layers = facts["layers"]
    nodes = " and then ".join(f"{layer['nodes']:,} nodes of {layer['k']} inputs" for layer in layers)
    needs = "" if name.startswith("digits") else " --data FOLDER"
    return f"""# {name}

A network of lookup tables for {facts["task"]}: {layers[0]["inputs"]:,} bits of the image are read by
{nodes}; the ones of each class are counted, and the largest count wins.
{facts["weight_bits"]:,} bits of tables, nothing is multiplied. Written by `models/evaluate.py`.
{NOTES.get(name, "")}
{_table(facts)}

* `model.onnx`: as `models/lookup/writer.py` wrote it, in standard operators.
* `golden.npz`: inputs, labels, the bits of the image that are read (`act0`), those of each layer of nodes (`act1` ..),
  outputs (the counts) and prediction of the first test samples, from onnxruntime.

Train it again, in an environment with `pip install .[train]`:

    python models/{name}/train.py{needs} -o FOLDER

What it is trained by, and how to train one for other data: `docs/lookup-tables.md`.
"""


def _table(facts: dict[str, Any]) -> str:
    where = f"of {facts['samples']:,} ({facts['test_set']}), measured with {facts['measured_with']}"
    return f"""| | |
|---|---|
| accuracy | {facts["accuracy"]:.2%} {where} |
| input | {facts["input"]} |
| data | {facts["data"]} |
| licence | {facts["licence"]} |
| trained with | {facts["trained_with"]} |"""


def _kind(name: str) -> str:
    return next((kind for word, kind in KINDS.items() if word in name.split("-")), "binary weights and activations")


def _structure(layers: list[dict[str, Any]]) -> str:
    """The layers in a line: convolutions by their kernel and output channels, dense layers by their sizes."""
    parts: list[str] = []
    for layer in layers:
        if "map" in layer:
            rows, columns = layer["kernel"]
            parts.append(f"conv{rows}x{columns} {layer['mh']}")
            parts += ["pool"] * layer["pooled"]
        else:
            if parts[-1:] != [str(layer["mw"])]:
                parts.append(str(layer["mw"]))
            parts.append(str(layer["mh"]))
    return " - ".join(parts)
