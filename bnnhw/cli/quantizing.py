"""``quantize``: a float model becomes one that maps, and what that costs is told layer by layer."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

import bnnhw
from bnnhw.cli import options
from bnnhw.cli.terminal import counter, facts, percent, table, write
from bnnhw.progress import shown


def add_commands(commands: options.Commands) -> None:
    parser = options.add_command(
        commands, "quantize", quantize, "a float ONNX file as QONNX that maps, calibrated on samples"
    )
    parser.add_argument("model", metavar="MODEL.onnx", type=Path, help="path of an .onnx or .onnx.gz file")
    parser.add_argument(
        "--calibrate",
        type=Path,
        required=True,
        metavar="X.npz",
        help="file with `inputs` (N, ...) and optionally `labels` (N,), for the accuracy",
    )
    parser.add_argument("--weights", metavar="FORMAT", help="binary, ternary or int2..8 (default: int8)")
    parser.add_argument(
        "--activations",
        metavar="FORMAT",
        help="uint1..8, signed where values are negative, or int2..8 (default: uint8)",
    )
    parser.add_argument("--method", metavar="M", help="range of activations: mse, percentile or minmax (default: mse)")
    parser.add_argument(
        "--correction",
        metavar="C",
        help="none, bias or scale: what each output gets for what coarse weights do to it (default: none)",
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="JSON file of settings for single layers")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="Q.onnx", help="QONNX file to write")


def quantize(arguments: Namespace) -> int:
    found = bnnhw.quantize(
        arguments.model,
        calibrate=arguments.calibrate,
        output=arguments.output,
        weights=arguments.weights,
        activations=arguments.activations,
        method=arguments.method,
        correction=arguments.correction,
        config=arguments.config,
        progress=shown,
        count=counter("samples"),
    )
    write(arguments.json, found, quantize_text(found))
    return 0


def quantize_text(found: dict[str, Any]) -> str:
    """The layers with their weights, what flows between them, and the accuracy."""
    takes = {name: activation for activation in found["activations"] for name in activation["users"]}
    rows = [
        (
            layer["layer"],
            layer["op"],
            layer["weights"],
            percent(layer["weight_error"]),
            takes[layer["layer"]]["format"] if layer["layer"] in takes else "kept",
        )
        for layer in found["layers"]
    ]
    parts = [table(("layer", "operator", "weights", "their error", "takes"), rows)]
    header = ("activation", "for", "range seen", "codes", "levels", "scale", "error", "clipped")
    activations = [
        (
            one["tensor"],
            ", ".join(one["users"]),
            f"{one['low']:.4g} to {one['high']:.4g}",
            one["format"],
            one["levels"],
            f"{one['scale']:.4g}",
            percent(one["error"]),
            percent(one["clipped"]),
        )
        for one in found["activations"]
    ]
    parts += [table(header, activations)] if activations else []
    parts += [f"note: {note}" for note in found["notes"]]
    accuracy = found["accuracy"]
    whole: dict[str, str | None] = {"samples": f"{found['samples']:,} of {found['inputs']}"}
    if accuracy["before"] is not None:
        whole |= {"accuracy before": percent(accuracy["before"]), "accuracy after": percent(accuracy["after"])}
    whole |= {"same class": percent(accuracy["same_class"]), "error of outputs": percent(accuracy["output_error"])}
    return "\n\n".join([*parts, facts(whole), f"written to {found['file']}"])
