"""What follows the last layer."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from tests.random_files.affine import affine
from tests.random_files.builder import Builder, Value
from tests.random_files.layers import conv, dense
from tests.random_files.layouts import flat
from tests.random_files.quantisers import activation, scale_near


@dataclass(frozen=True)
class Ending:
    """The model's outputs.

    Parameters
    ----------
    outputs
        Names of tensors; the answer is the last.
    scores
        The tensor that the class is the largest of.
    classes
        How many.
    index
        Whether the answer is a class.
    """

    outputs: tuple[str, ...]
    scores: str
    classes: int
    index: bool = False


def ending(b: Builder, x: Value) -> Ending:
    """A last layer, and what the file makes of its outputs."""
    x = _last_layer(b, x)
    if x.is_map:
        b.tell("ends with a map")
        return Ending((x.name,), x.name, x.channels if x.size == x.channels else 0)
    kind = b.weighted(plain=5, affine=4, softmax=2, log_softmax=1, sigmoid=1, topk=3, argmax=2, quantised=2, relu=0.1)
    if kind == "relu":
        x = affine(b, b.put("Relu", x, unit=None, bare=False), clips=False) if b.chance(0.3) else b.put("Relu", x)
        b.traits.add("clip behind the last layer")
    if kind == "affine" or (kind in ("softmax", "topk", "argmax") and b.chance(0.4)):
        x = _affine(b, x)
    b.tell(f"ends with {kind}")
    classes, last = x.channels, len(x.shape)
    if kind == "quantised":
        x = activation(b, x, bits=3)
        return Ending((x.name,), x.name, classes)
    if kind in ("softmax", "log_softmax", "sigmoid"):
        if kind == "sigmoid":
            made = b.net.node("Sigmoid", x.name)
        else:
            op = "Softmax" if kind == "softmax" else "LogSoftmax"
            made = b.net.node(op, x.name, axis=b.pick(last, -1) if b.opset >= 11 else last)
        return Ending((made,), x.name, classes)
    scores = x.name
    if kind in ("topk", "argmax") and b.chance(0.25):
        scores = b.net.node("Sigmoid", scores) if b.chance(0.3) else b.net.node("Softmax", scores, axis=last)
    if kind == "argmax":
        axis = b.pick(last, -1) if b.opset >= 11 else last
        return Ending((b.net.node("ArgMax", scores, axis=axis, keepdims=b.pick(0, 1)),), x.name, classes, True)
    if kind == "topk":
        axis = b.pick(last, -1) if b.opset >= 11 else last
        if b.opset >= 10:
            made = b.net.node("TopK", scores, b.whole(1), outputs=2, axis=axis)
        else:
            made = b.net.node("TopK", scores, outputs=2, axis=axis, k=1)
        both = b.chance(0.4)
        return Ending((made, f"{made}.1") if both else (f"{made}.1",), x.name, classes, True)
    return Ending((x.name,), x.name, classes)


def _last_layer(b: Builder, x: Value) -> Value:
    outputs = 1 if b.chance(0.08) else b.between(2, 6)
    if x.is_map and b.chance(0.3):
        # A convolution, and the mean of its map.
        made = conv(b, x, outputs)
        if prod(made.spatial) > 1 or b.chance(0.5):
            op = b.pick("GlobalAveragePool", "GlobalAveragePool", "GlobalMaxPool")
            if not made.bare:
                b.traits.add("arithmetic before a last pool")
            made = _pooled(b, made, op)
            if b.chance(0.15):
                return made  # as one pixel
        elif b.chance(0.03):
            b.traits.add("map at the end")
            return made
        return flat(b, made)
    return dense(b, flat(b, x), outputs)


def _pooled(b: Builder, x: Value, op: str) -> Value:
    if x.axis % len(x.shape) != 0:
        rank = len(x.shape) + 1
        x = b.put("Transpose", x, perm=[0, rank - 1, *range(1, rank - 1)], shape=(x.channels, *x.spatial), axis=0)
    b.tell(op)
    return b.put(op, x, shape=x.resized(*(1 for _ in x.spatial)))


def _affine(b: Builder, x: Value) -> Value:
    """A scale and a bias, one for all or per class."""
    if b.chance(0.4):
        scale = scale_near(b, 1.0) * b.pick(1.0, 1.0, -1.0)
        x = b.put("Mul", x, b.constant(np.full(b.pick((), (1,)), scale)))
        return b.put("Add", x, b.constant(b.normal(b.pick((), (1,))))) if b.chance(0.5) else x
    for _ in range(b.between(1, 2)):
        x = affine(b, x, clips=False)
    return x
