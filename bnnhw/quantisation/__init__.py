"""Float model file -> QONNX file: post-training quantisation, so that every layer has a stated integer meaning."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from bnnhw.progress import Progress, silent


def quantize(
    model: str | Path,
    *,
    calibrate: str | Path,
    output: str | Path,
    weights: str | None = None,
    activations: str | None = None,
    method: str | None = None,
    correction: str | None = None,
    config: str | Path | None = None,
    progress: Progress = silent,
    count: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Makes a QONNX file that maps to hardware of a float ONNX file; what is quantised in it stays as it is.

    Every layer gets weights with one scale per output, and what it takes gets codes, whose range is found by running
    samples through the network. Biases and batch normalisations stay float, as thresholds take them in.

    Parameters
    ----------
    model
        Path of an .onnx or .onnx.gz file.
    calibrate
        Path of an .npz with ``inputs`` (N, ...) as the model takes them, and maybe ``labels`` (N,).
    output
        The .onnx file to write, whole or not at all.
    weights
        ``binary`` (XNOR-Net's), ``ternary`` (TWN's) or ``int2`` to ``int8``; None for what `config` says, or int8.
    activations
        ``uint1`` to ``uint8``, which become signed where values are negative, or ``int2`` to ``int8``; None for what
        `config` says, or uint8. The network's input has 8 bits where `config` says nothing of the first layer.
    method
        ``minmax``, ``percentile`` or ``mse``: how the range of codes is found; None for what `config` says, or mse.
    correction
        ``none``, ``bias`` or ``scale``: what the outputs of each layer get for what coarse weights do to them, an
        addend, or a factor as well; None for what `config` says, or none.
    config
        A JSON file with the same for the first, the last and single layers, see docs/quantize.md.
    count
        Called with the samples done and their number, while they run.

    Returns
    -------
    dict
        ``layers``, each with its weights and their relative error; ``activations``, each tensor with its users, format,
        scale, levels, range, and share of clipped values; ``accuracy`` before and after (None without labels), the
        share of samples of the same class, and the relative error of the outputs; ``notes``.

    Raises
    ------
    ModelError
        If the file cannot be read, or does not map to hardware whatever its weights are, or maps as it is.
    InputError
        If the samples, a setting or the output file is not what it should be.
    ToolError
        If onnxruntime or qonnx, which run the samples, is not installed or fails.
    """
    from bnnhw.quantisation.process import quantise_file
    from bnnhw.quantisation.settings import settings

    wanted = settings(
        None if config is None else Path(config),
        weights=weights,
        activations=activations,
        method=method,
        correction=correction,
    )
    return quantise_file(Path(model), Path(calibrate), Path(output), wanted, progress=progress, count=count)
