"""What coarse weights do to a layer's outputs on average, taken back: a factor and an addend for each output.

Both become part of the thresholds behind the layer, so they cost no hardware. The addend is the bias correction of
Nagel et al. (Data-free quantization through weight equalization and bias correction, 2019), here from samples; with the
factor it is what a new batch normalisation would do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import onnx
from numpy.typing import NDArray

from bnnhw.executor import executor

Float = NDArray[np.float32]
Correction = tuple[Float, Float]

MODES = ("none", "bias", "scale")
# Samples, and positions of a map, that are looked at.
MAX_SAMPLES, MAX_POSITIONS = 256, 16
# Between which a factor may be: beyond, what was seen is no measure of it.
MAX_FACTOR = 4.0


def corrections(
    model: onnx.ModelProto,
    made: Callable[[Mapping[str, Correction]], onnx.ModelProto],
    wanted: Sequence[tuple[str, int, str]],
    inputs: NDArray[np.float32],
    where: str,
) -> dict[str, Correction]:
    """The factor and the addend for each of the layers `wanted`, in the order of the network.

    Parameters
    ----------
    model
        The float network.
    made
        The network with its quantised weights and the corrections found so far.
    wanted
        Of each layer its output, the axis of the channels, and ``bias`` (the factor is 1) or ``scale``.
    inputs
        Samples (N, ...).
    where
        The file, for errors.
    """
    samples = inputs[np.linspace(0, len(inputs) - 1, min(len(inputs), MAX_SAMPLES)).astype(int)]
    aims = _rows(model, [(name, axis) for name, axis, _ in wanted], samples, where)
    found: dict[str, Correction] = {}
    for (name, axis, mode), aim in zip(wanted, aims, strict=True):
        (rows,) = _rows(made(found), [(name, axis)], samples, where)
        found[name] = fitted(rows, aim, scale=mode == "scale")
    return found


def fitted(rows: NDArray[np.float64], aim: NDArray[np.float64], *, scale: bool) -> Correction:
    """The factor and the addend that bring the columns of `rows` nearest to those of `aim`."""
    factor = np.ones(rows.shape[1])
    if scale:
        apart, wanted = rows - rows.mean(axis=0), aim - aim.mean(axis=0)
        power = (apart * apart).sum(axis=0)
        fit = (apart * wanted).sum(axis=0) / np.where(power > 0, power, 1.0)
        factor = np.where(power > 0, np.clip(fit, 1 / MAX_FACTOR, MAX_FACTOR), 1.0)
    addend = aim.mean(axis=0) - factor * rows.mean(axis=0)
    return factor.astype(np.float32), addend.astype(np.float32)


def _rows(
    model: onnx.ModelProto, wanted: Sequence[tuple[str, int]], samples: NDArray[np.float32], where: str
) -> list[NDArray[np.float64]]:
    """Tensors as (samples and positions, channels)."""
    run = executor(model, [name for name, _ in wanted], where)
    parts: list[list[NDArray[np.float64]]] = [[] for _ in wanted]
    for sample in samples:
        tensors = run(sample)
        for part, (name, axis) in zip(parts, wanted, strict=True):
            rows = np.moveaxis(np.asarray(tensors[name], np.float64), axis, -1)
            rows = rows.reshape(-1, rows.shape[-1])
            part.append(rows[:: max(1, len(rows) // MAX_POSITIONS)])
    return [np.concatenate(part) for part in parts]
