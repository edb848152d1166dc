"""BNN-PYNQ parameter folder -> Graph: the topology of CNV or LFC around the weights and thresholds of the folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bnnhw.arithmetic.formats import DataType
from bnnhw.frontend.importer import Row
from bnnhw.frontend.memories import CONVOLUTIONS, INPUT_FRACTION, PIXELS, Layer, Network, decode
from bnnhw.ir.geometry import Geometry
from bnnhw.ir.graph import Graph, TensorType
from bnnhw.ir.nodes import (
    Arithmetic,
    BipolarQuant,
    Conv,
    MatMul,
    MaxPool,
    MultiThreshold,
    Node,
    Quant,
    Reshape,
    Transpose,
)
from bnnhw.ir.shapes import infer

KERNEL, POOL = Geometry((3, 3)), Geometry((2, 2), strides=(2, 2))
POOLED = (1, 3)  # layers of CNV


def load_bnn_pynq(path: Path, *, input_format: DataType | None = None) -> Graph:
    """The imported graph of a BNN-PYNQ parameter folder, or of a tar archive of one.

    The inputs are pixels from 0 to 1: for LFC (1, 28, 28), for CNV (3, 32, 32). The outputs are, for LFC, how far each
    class is above its threshold, and for CNV the sums of the last layer.

    Raises
    ------
    ModelError
        If it cannot be read, or does not hold exactly a network that BNN-PYNQ has hardware for.
    """
    network, layers = decode(path)
    return replace(_graph(network, layers), input_format=input_format)


def inspect_bnn_pynq(path: Path) -> list[Row]:
    """Every layer of a BNN-PYNQ parameter folder with what becomes of it.

    Raises
    ------
    ModelError
        As `load_bnn_pynq`.
    """
    network, layers = decode(path)
    rows = []
    for k, layer in enumerate(layers):
        mh, mw = layer.weight.shape
        becomes = f"layer {k}: {mw} -> {mh}, {layer.weight_dtype} weights"
        if network.convolution(k):
            pooled = ", then max-pool 2x2" if k in POOLED else ""
            becomes = f"layer {k}: {mw // KERNEL.taps} -> {mh}, 3x3, {layer.weight_dtype} weights{pooled}"
        rows.append(Row(f"{k}-*-weights.bin", network.name, becomes, True))
    return rows


class _Chain:
    """A graph without branches, one node at a time."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._nodes: list[Node] = []
        self._tensors = {"image": TensorType(shape)}
        self._last = "image"

    def add(self, kind: type[Node], name: str, **parameters: Any) -> None:
        """Appends a node, which reads what the one before it makes."""
        node = kind(name=name, inputs=(self._last,), output=name, **parameters)
        self._nodes.append(node)
        self._tensors[name] = infer(node, self._tensors[self._last])
        self._last = name

    def graph(self, name: str) -> Graph:
        """What was built."""
        return Graph(name, "image", tuple(self._nodes), self._tensors, {"outputs": self._last})


def _graph(network: Network, layers: tuple[Layer, ...]) -> Graph:
    chain = _Chain((3, 32, 32) if network.convolutional else (1, 28, 28))
    chain.add(Arithmetic, "double", operation="mul", operand=np.array(2, np.float32))
    chain.add(Arithmetic, "centre", operation="add", operand=np.array(-1, np.float32))
    if network.convolutional:
        scale, zero = np.array(2.0**-INPUT_FRACTION, np.float32), np.array(0, np.float32)
        form = {"bits": 8, "signed": True, "narrow": False, "rounding": "ROUND"}
        chain.add(Quant, "quantise", scale=scale, zero_point=zero, **form)
        chain.add(Transpose, "channels_last", perm=(1, 2, 0))
    else:
        chain.add(Reshape, "flatten", shape=(PIXELS,))
        chain.add(BipolarQuant, "quantise", scale=np.array(1, np.float32))
    for k, layer in enumerate(layers):
        if network.convolution(k):
            _convolution(chain, network, k, layer)
        else:
            if k == CONVOLUTIONS:
                chain.add(Reshape, "flatten", shape=(layer.weight.shape[1],))
            _dense(chain, network, k, layer)
    return chain.graph(network.name)


def _convolution(chain: _Chain, network: Network, k: int, layer: Layer) -> None:
    weight = layer.weight.reshape(len(layer.weight), *KERNEL.kernel, -1)
    chain.add(
        Conv, f"layer{k}", weight=weight, weight_dtype=layer.weight_dtype, weight_scale=np.array(1.0), geometry=KERNEL
    )
    _activation(chain, network, k, layer)
    if k in POOLED:
        chain.add(MaxPool, f"pool{k}", geometry=POOL, minimum=np.array(False))


def _dense(chain: _Chain, network: Network, k: int, layer: Layer) -> None:
    chain.add(MatMul, f"layer{k}", weight=layer.weight, weight_dtype=layer.weight_dtype, weight_scale=np.array(1.0))
    if k < network.last:
        _activation(chain, network, k, layer)
    elif layer.thresholds is not None:
        chain.add(Arithmetic, "margin", operation="add", operand=-layer.thresholds[:, 0].astype(np.float32))


def _activation(chain: _Chain, network: Network, k: int, layer: Layer) -> None:
    assert layer.thresholds is not None  # as only a last layer has none
    unit = 2.0**-INPUT_FRACTION if network.convolutional and k == 0 else 1.0
    chain.add(
        MultiThreshold,
        f"activation{k}",
        thresholds=(layer.thresholds.T * unit).astype(np.float32),  # exact: of 24 bits at most
        out_scale=2.0 if network.activation_bits == 1 else 1.0,
        out_bias=-1.0,
    )
