"""Small networks and plans, made without a model file."""

from __future__ import annotations

import numpy as np

from bnnhw.build import Board
from bnnhw.dataflow import Network, Plan, digest
from bnnhw.dataflow.layers import Layer
from bnnhw.dataflow.plan import LayerPlan
from bnnhw.dtypes import BIPOLAR
from bnnhw.ir.nodes import Dense, Threshold


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
        layers.append(Layer(dense, threshold, BIPOLAR))
    return Network("small", tuple(layers), [1] * sizes[-1], [0] * sizes[-1])


def folded(network: Network, board: Board, *foldings: tuple[int, int], memory: str = "block") -> Plan:
    """A plan of `network` with the (PE, SIMD) of each layer."""
    layers = []
    for layer, (pe, simd) in zip(network.layers, foldings, strict=True):
        layers.append(
            LayerPlan(
                name=layer.name,
                mw=layer.mw,
                mh=layer.mh,
                pe=pe,
                simd=simd,
                weight_memory=memory,
                buffer_memory=memory,
                threshold_memory=memory,
                popcount_levels=1,
                input=layer.input.name,
                weight=layer.weight.name,
                output="" if layer.threshold is None else layer.threshold.dtype.name,
            )
        )
    kept = tuple(layers)
    part = board.device
    return Plan(network.model, digest(network, kept), board.name, part.name, part.fmax_guess_mhz, kept)


def classes(network: Network, inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What `network` computes for bipolar `inputs` (N, MW): integers (N, MH) and labels (N,)."""
    values = inputs.astype(np.int64)
    for layer in network.layers:
        values = values @ layer.dense.weight.T.astype(np.int64)
        if layer.threshold is not None:
            values = np.where(values >= layer.threshold.thresholds[:, 0], 1, -1)
    return values, values.argmax(axis=1)
