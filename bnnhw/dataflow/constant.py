"""Layers whose weights are folded into logic: the sums that they compute, and the pipeline that these make."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from bnnhw.arithmetic.adder_graphs import Netlist, Schedule, multiply_constant_matrix, schedule
from bnnhw.dataflow.layers import MatrixLayer

# Layers whose logic is remembered: it takes seconds to find, and planning asks for it again and again.
REMEMBERED = 64


@lru_cache(maxsize=REMEMBERED)
def netlist(layer: MatrixLayer) -> Netlist:
    """What the matrix-vector unit of `layer` gives for the planes of an input vector, those of element 0 first.

    It is the accumulator less its first threshold, divided like that of a PE (`bnnhw.dataflow.images`); where there is
    one threshold, its sign alone.
    """
    weight = layer.dense.weight.astype(np.int64)
    coefficients = (weight[:, :, None] * np.array(layer.input.plane_weights)).reshape(layer.mh, -1)
    constant = layer.input.plane_offset * weight.sum(axis=1)
    bias = layer.folded(constant).bias
    return multiply_constant_matrix(coefficients // layer.divisor, bias.tolist(), signs=layer.thresholds == 1)


@lru_cache(maxsize=REMEMBERED)
def pipeline(layer: MatrixLayer, levels: int | None) -> Schedule:
    """The stages of that logic with registers after every so many `levels`."""
    return schedule(netlist(layer), levels)
