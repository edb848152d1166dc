"""What integers a tensor can reach."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from bnnhw.arithmetic.formats import Float32, Integers
from bnnhw.ir.graph import TensorType
from bnnhw.ir.nodes import Concat, Dense, MaxPool, Node, Reshape, Slice, Sum


def reach(weight: NDArray[np.int16], format_: Integers) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Lowest and highest ``weight @ x`` of each row, (MH,) each, over all x of the format."""
    wide = weight.astype(np.int64)
    ends = wide * format_.min, wide * format_.max
    return np.minimum(*ends).sum(axis=1), np.maximum(*ends).sum(axis=1)


def reachable(
    tensor: str, tensors: Mapping[str, TensorType], makers: Mapping[str, Node]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Lowest and highest integer of each channel of a `tensor`, (C,) each; `makers` are the nodes by their outputs."""
    node = makers.get(tensor)
    if isinstance(node, Dense):
        source = tensors[node.inputs[0]].format
        assert not isinstance(source, Float32)
        return reach(node.weight, source)
    if isinstance(node, MaxPool):
        return reachable(node.inputs[0], tensors, makers)
    if isinstance(node, Sum):
        known = {name: reachable(name, tensors, makers) for name in {*node.inputs}}
        parts = [
            (low * factors, high * factors)
            for factors, (low, high) in zip(node.coefficients, (known[name] for name in node.inputs), strict=True)
        ]
        return sum(np.minimum(*ends) for ends in parts), sum(np.maximum(*ends) for ends in parts)
    if isinstance(node, Concat):
        lows, highs = zip(*(reachable(name, tensors, makers) for name in node.inputs), strict=True)
        return np.concatenate(lows), np.concatenate(highs)
    if isinstance(node, Slice):
        channels = node.kept.any(axis=tuple(range(node.kept.ndim - 1)))
        low, high = reachable(node.inputs[0], tensors, makers)
        return low[channels], high[channels]
    if isinstance(node, Reshape):
        low, high = reachable(node.inputs[0], tensors, makers)
        shape = tensors[node.inputs[0]].shape
        if shape[-1] != tensors[tensor].shape[-1]:
            low, high = (np.broadcast_to(end, shape).reshape(-1) for end in (low, high))
        if len(low) == tensors[tensor].shape[-1]:
            return low, high
    format_ = tensors[tensor].format
    assert not isinstance(format_, Float32)
    channels = np.zeros(tensors[tensor].shape[-1], np.int64)
    return channels + format_.min, channels + format_.max
