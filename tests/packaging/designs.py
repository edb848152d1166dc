"""Small designs to package, made on the spot."""

from __future__ import annotations

import json
from pathlib import Path

import bnnhw
from bnnhw.design import Design
from tests.onnx_models import Net, small_classifier


def dense(folder: Path) -> Design:
    """12 ternary inputs, 4 classes, compiled for a part."""
    return bnnhw.compile(small_classifier(shape=(1, 12)).save(folder / "dense.onnx"), part="ice40-up5k")


def pooled(folder: Path) -> Design:
    """A map of two channels, a padded convolution and a pool; one factor per channel in front of the codes."""
    net = Net((1, 2, 5, 4))
    x = net.node("Mul", "x", net.constant([[[2.0]], [[-0.5]]]))
    x = net.quant(x, scale=0.25, bits=3.0, narrow=0)
    x = net.quant(net.conv(x, 2, 5, pads=[1, 1, 1, 1]), scale=1.0, bits=2.0, signed=0, narrow=0)
    x = net.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = net.dense(net.node("Flatten", x), 20, 3, scale=0.5)
    net.node("Add", x, net.constant([0.25, 0.0, -1.0]))
    return bnnhw.compile(net.save(folder / "pooled.onnx"), board="icebreaker", fps=200_000)


def folded(folder: Path) -> Design:
    """17 ternary inputs, seven at a time: no beat is whole bytes, and the last has only one. 9 classes, two at a time."""
    net = Net((1, 17))
    net.dense(net.bipolar(net.dense(net.quant("x", scale=0.5), 17, 8)), 8, 9)
    layers = [{"name": "MatMul_3", "pe": 2, "simd": 7}, {"name": "MatMul_7", "pe": 2, "simd": 8}]
    folding = folder / "folding.json"
    folding.write_text(json.dumps({"layers": layers}))
    return bnnhw.compile(net.save(folder / "folded.onnx"), part="ecp5-25f", folding=folding)
