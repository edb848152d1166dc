"""Small networks and plans, made without a model file."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bnnhw.arithmetic.formats import BIPOLAR
from bnnhw.dataflow import Network, Plan, planned
from bnnhw.dataflow.clocks import usual_mhz
from bnnhw.ir.nodes import Dense, Threshold
from bnnhw.toolchain import Board
from campaigns.random_networks import dense_layer, layer_plan, stacked


def bipolar_network(*sizes: int, seed: int = 1) -> Network:
    """Dense bipolar layers of random weights: `sizes` are the inputs, the outputs of each layer, and the classes."""
    random = np.random.default_rng(seed)
    layers = []
    for k, (mw, mh) in enumerate(zip(sizes, sizes[1:], strict=False)):
        weight = random.choice(np.array([-1, 1], dtype=np.int16), (mh, mw))
        flip = np.zeros(mh, dtype=bool)
        dense = Dense(
            name=f"dense{k}", inputs=(f"act{k}",), output=f"acc{k}", weight=weight, weight_dtype=BIPOLAR, flip=flip
        )
        threshold = None
        if k < len(sizes) - 2:
            cuts = random.integers(-3, 4, (mh, 1))
            names = {"name": f"threshold{k}", "inputs": (f"acc{k}",), "output": f"act{k + 1}"}
            threshold = Threshold(**names, thresholds=cuts, offset=-1, step=2, dtype=BIPOLAR)
        layers.append(dense_layer(dense, threshold, BIPOLAR, k))
    return replace(stacked(layers), model="small")


def folded(network: Network, board: Board, *foldings: tuple[int, int], memory: str = "block") -> Plan:
    """A plan of `network` with the (PE, SIMD) of each layer."""
    layers = [
        layer_plan(layer, pe, simd, 1, memory) for layer, (pe, simd) in zip(network.layers, foldings, strict=True)
    ]
    part = board.device
    return planned(network, tuple(layers), board=board.name, part=part.name, clock_mhz=usual_mhz(part))


def classes(network: Network, inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What `network` computes for bipolar `inputs` (N, MW): integers (N, MH) and labels (N,)."""
    values = inputs.astype(np.int64)
    for layer in network.layers:
        values = values @ layer.node.weight.T.astype(np.int64)
        if layer.threshold is not None:
            values = np.where(values >= layer.threshold.thresholds[:, 0], 1, -1)
    return values, values.argmax(axis=1)
