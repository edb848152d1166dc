"""A trained lookup-table network, and its meaning in numpy, which knows neither torch nor ONNX."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Bits = NDArray[np.uint8]


@dataclass(frozen=True)
class Encoder:
    """Bits of numbers: thermometer codes, of which those that nobody reads are left out.

    Parameters
    ----------
    thresholds
        (F, T) float32: bit ``f * T + t`` of a sample is ``x[f] >= thresholds[f, t]``.
    used
        (B,) int64: which of these F * T bits the network has, by their numbers.
    """

    thresholds: NDArray[np.float32]
    used: NDArray[np.int64]

    def bits(self, x: NDArray[np.float32]) -> Bits:
        """(N, B) of the samples (N, F)."""
        features, thresholds = np.divmod(self.used, self.thresholds.shape[1])
        return (x[:, features] >= self.thresholds[features, thresholds]).astype(np.uint8)


@dataclass(frozen=True)
class LookupLayer:
    """M nodes of k input bits each.

    Parameters
    ----------
    wiring
        (M, k) int64: node m reads the bits ``wiring[m]`` of what comes before.
    tables
        (M, 2**k) uint8 of 0 and 1: its output, by the address whose bit j is the input ``wiring[m, j]``.
    """

    wiring: NDArray[np.int64]
    tables: Bits

    def bits(self, bits: Bits) -> Bits:
        """(N, M) of the bits (N, B) before the layer."""
        addresses = np.zeros((len(bits), len(self.wiring)), np.int64)
        for j, inputs in enumerate(self.wiring.T):
            addresses |= bits[:, inputs].astype(np.int64) << j
        return self.tables[np.arange(len(self.wiring)), addresses]


@dataclass(frozen=True)
class LookupNetwork:
    """Encoder, layers, and a head that adds up what the last layer says for each class.

    Parameters
    ----------
    shape
        Of a sample, without its batch axis; the encoder reads it as a vector.
    head
        (M, C) int64: what each bit of the last layer adds to the score of each class.
    """

    shape: tuple[int, ...]
    encoder: Encoder
    layers: tuple[LookupLayer, ...]
    head: NDArray[np.int64]

    def scores(self, x: NDArray[np.float32]) -> NDArray[np.int64]:
        """(N, C) of the samples (N, *shape)."""
        bits = self.encoder.bits(x.reshape(len(x), -1))
        for layer in self.layers:
            bits = layer.bits(bits)
        return bits.astype(np.int64) @ self.head


def groups(nodes: int, classes: int) -> NDArray[np.int64]:
    """The head (nodes, classes) that counts the ones of ``nodes / classes`` nodes in a row for each class."""
    return np.repeat(np.eye(classes, dtype=np.int64), nodes // classes, axis=0)
