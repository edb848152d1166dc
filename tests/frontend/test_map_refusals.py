"""Operators on maps that do not map: each is named with its reason and a remedy."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from bnnhw.errors import ModelError
from bnnhw.frontend import inspect, load_qonnx
from tests.onnx_models import Net, save


def weighted(net: Net, weight: str, *bias: str, **attributes: object) -> str:
    return net.node("Conv", "x", weight, *bias, **attributes)


def average(net: Net, kernel: int = 2, **attributes: object) -> str:
    return net.node("AveragePool", "x", kernel_shape=[kernel, kernel], **attributes)


def largest(net: Net, kernel: int = 2, **attributes: object) -> str:
    return net.node("MaxPool", "x", kernel_shape=[kernel, kernel], **attributes)


def padded(net: Net, *pads: int, value: float = 0.0, **attributes: object) -> str:
    return net.node("Pad", "x", net.constant(np.array(pads)), net.constant(value), **attributes)


def im2col(net: Net, *after: str, **attributes: object) -> str:
    x = net.node("Im2Col", "x", **{"kernel_size": [2, 2], "stride": [1, 1], **attributes})
    for op in after:
        x = net.node(op, x, net.constant(np.ones((3, 2), np.float32))) if op == "MatMul" else net.node(op, x)
    return x


def quantised_average(net: Net, x: str = "x", **attributes: object) -> str:
    given = {"kernel": 2, "stride": 2, "ibits": 2, "obits": 2, "signed": 0, **attributes}
    return net.node("QuantAvgPool2d", x, **given)


def indices(net: Net) -> str:
    pool = net.node("MaxPool", "x", outputs=2, kernel_shape=[2, 2])
    return net.node("Cast", f"{pool}.1", to=TensorProto.FLOAT)


# The input of all of them is (1, 4, 5, 6).
REFUSED: dict[str, tuple[Callable[[Net], str], str]] = {
    # convolutions
    "float weights": (lambda net: weighted(net, net.weights(2, 4, 3, 3)), "weights that are not quantised"),
    "weights not constant": (lambda net: weighted(net, "x"), "a product of two tensors, which does not map yet"),
    "weights of 3 axes": (lambda net: weighted(net, net.bipolar(net.weights(2, 4, 3))), "use numbers with 4 axes"),
    "weights of 5 axes": (lambda net: weighted(net, net.bipolar(net.weights(2, 4, 1, 1, 1))), "use numbers with 4"),
    "scale per input": (
        lambda net: net.conv("x", inputs=4, scale=np.sqrt(np.arange(2, 6)).reshape(1, 4, 1, 1)),
        "no whole multiples of a scale",
    ),
    "bias not constant": (lambda net: weighted(net, net.bipolar(net.weights(2, 4, 3, 3)), "x"), "its bias is not"),
    "bias of other channels": (
        lambda net: weighted(net, net.bipolar(net.weights(2, 4, 3, 3)), net.constant([1.0])),
        "a bias of shape \\(1,\\)",
    ),
    "misfit": (lambda net: net.conv("x", inputs=3), "weights of 3 channels on a map of 4"),
    "uneven groups": (lambda net: net.conv("x", inputs=2, outputs=3, group=2), "3 outputs in 2 groups"),
    "no groups": (lambda net: net.conv("x", inputs=4, group=0), "4 outputs in 0 groups"),
    "huge groups": (
        lambda net: net.conv("x", inputs=1, outputs=1 << 14, kernel=(1, 1), group=1 << 14),
        "weights of 16384 channels on a map of 4",
    ),
    "other kernel": (lambda net: net.conv("x", inputs=4, kernel_shape=[2, 2]), "a kernel_shape other than"),
    "negative pads": (lambda net: net.conv("x", inputs=4, pads=[-1, 0, 0, 0]), "pads .* not negative"),
    "two pads": (lambda net: net.conv("x", inputs=4, pads=[1, 1]), "its pads are \\[1, 1\\]; use 4 numbers"),
    "huge pads": (lambda net: net.conv("x", inputs=4, pads=[1 << 40] * 4), "a tensor of shape"),
    "stride 0": (lambda net: net.conv("x", inputs=4, strides=[0, 1]), "stride or dilation below 1"),
    "dilation 0": (lambda net: net.conv("x", inputs=4, dilations=[0, 1]), "stride or dilation below 1"),
    "auto_pad": (lambda net: net.conv("x", inputs=4, auto_pad="SAME"), "its auto_pad is SAME; use NOTSET"),
    "large kernel": (lambda net: net.conv("x", inputs=4, kernel=(6, 1)), "windows of \\(6, 1\\) do not fit a map"),
    "of a vector": (lambda net: net.conv(net.node("Flatten", "x"), inputs=4), "on a tensor of shape \\(1, 120\\)"),
    # pools
    "no kernel": (lambda net: net.node("MaxPool", "x"), "a kernel of 0 axes on a map of 2"),
    "kernel of 1": (lambda net: net.node("MaxPool", "x", kernel_shape=[2]), "a kernel of 1 axes on a map of 2"),
    "kernel 0": (lambda net: largest(net, 0), "below 1"),
    "indices": (indices, "the indices of the largest values; use their values only"),
    "pads as wide": (lambda net: largest(net, pads=[2, 0, 0, 0]), "leave a window outside the map"),
    "dilated past the map": (
        lambda net: largest(net, dilations=[6, 1], pads=[1, 0, 1, 0]),
        "leave a window outside the map",
    ),
    "mean without padding": (lambda net: average(net, pads=[1, 1, 1, 1]), "leave the padding out.*count_include_pad"),
    "mean, same": (lambda net: average(net, auto_pad="SAME_UPPER"), "leave the padding out"),
    "mean, ceil": (
        lambda net: average(net, strides=[2, 2], ceil_mode=1, count_include_pad=1),
        "ceil_mode with padding",
    ),
    "norm": (lambda net: net.node("LpPool", "x", kernel_shape=[2, 2]), "use MaxPool or AveragePool"),
    "mean of channels": (lambda net: net.node("ReduceMean", "x", axes=[1]), "over axes \\[1\\] of"),
    "mean of rows": (lambda net: net.node("ReduceMean", "x", axes=[2]), "reduce over rows and columns"),
    "mean of everything": (lambda net: net.node("ReduceMean", "x"), "over axes None"),
    "mean of a vector": (
        lambda net: net.node("ReduceMean", net.node("Flatten", "x"), axes=[1]),
        "on a tensor of shape \\(1, 120\\)",
    ),
    "integer mean of floats": (quantised_average, "not known to be integers"),
    "integer mean of fractions": (
        lambda net: quantised_average(net, net.quant("x", scale=0.5)),
        "not known to be integers",
    ),
    "integer mean of 0 bits": (lambda net: quantised_average(net, net.quant("x"), ibits=0), "from 0 to 2 bits"),
    "integer mean of many bits": (
        lambda net: quantised_average(net, net.quant("x", bits=16, scale=4), ibits=2, obits=9),
        "use no more than 16 bits",
    ),
    # padding
    "reflected": (lambda net: padded(net, 0, 0, 1, 1, 0, 0, 1, 1, mode="reflect"), "padding of mode reflect"),
    "padded channels": (lambda net: padded(net, 0, 1, 0, 1, 0, 1, 0, 0), "padding of samples or channels"),
    "padded samples": (lambda net: padded(net, 1, 0, 0, 0, 0, 0, 0, 0), "padding of samples or channels"),
    "cut off": (lambda net: padded(net, 0, 0, -1, 0, 0, 0, 0, 0), "cut nothing off"),
    "three pads": (lambda net: padded(net, 0, 0, 1), "pads \\[0, 0, 1\\] for 4 axes"),
    "padded with NaN": (lambda net: padded(net, 0, 0, 1, 1, 0, 0, 1, 1, value=np.nan), "its value is empty, NaN"),
    "pads not constant": (lambda net: net.node("Pad", "x", "x"), "its pads is not a constant"),
    # windows
    "windows read": (lambda net: im2col(net, "Relu"), "reads the windows of Im2Col_0; only a MatMul"),
    "windows passed on": (lambda net: im2col(net, "Identity"), "reads the windows of Im2Col_0"),
    "windows output": (im2col, "its windows are the model's output"),
    "windows misfit": (lambda net: im2col(net, "MatMul"), "weights of 3 inputs do not fit"),
    "windows too large": (lambda net: im2col(net, kernel_size=[5, 5]), "do not fit a map"),
    "windows of 3 sizes": (lambda net: im2col(net, kernel_size=[2, 2, 2]), "its kernel_size is \\[2, 2, 2\\]"),
    # branches
    "product": (
        lambda net: net.node("Mul", net.conv("x", 4, kernel=(1, 1)), "x"),
        "a product of two tensors, which does not map yet; use a constant",
    ),
    "quotient": (lambda net: net.node("Div", "x", "x"), "a quotient of two tensors"),
    "sum of shapes": (
        lambda net: net.node("Add", net.node("GlobalMaxPool", "x"), "x"),
        "tensors of shapes .*; add tensors of one shape",
    ),
    "sum with a constant": (
        lambda net: net.node("Sum", "x", net.constant(1.0), "x"),
        "constants among several tensors",
    ),
    "joined constant": (
        lambda net: net.node("Concat", "x", net.constant(np.ones((1, 4, 5, 6), np.float32)), axis=1),
        "constants among the tensors",
    ),
    "joined columns": (lambda net: net.node("Concat", *[net.conv("x", inputs=4)] * 2, axis=3), "along axis 3 of"),
    "joined rows": (lambda net: net.node("Concat", "x", "x", axis=2), "along axis 2 of"),
    "joined samples": (lambda net: net.node("Concat", "x", "x", axis=0), "along axis 0 of"),
    "joined axis 7": (lambda net: net.node("Concat", "x", "x", axis=7), "along axis 7 of"),
    "joined shapes": (
        lambda net: net.node("Concat", "x", net.node("GlobalMaxPool", "x"), axis=1),
        "join maps of one height and width",
    ),
    "joined samples of vectors": (
        lambda net: net.node("Concat", net.node("Flatten", "x"), net.node("Flatten", "x"), axis=0),
        "channels of maps or vectors",
    ),
    "larger of two": (lambda net: net.node("Clip", "x", "x"), "its min is not a constant"),
    "several inputs": (lambda net: net.node("Reshape", "x", "x"), "2 inputs that are no constants; only Add"),
    # others
    "resize": (lambda net: net.node("Resize", "x", "", net.constant([1.0, 1, 2, 2])), "a map that is made larger"),
    "transposed": (lambda net: net.node("ConvTranspose", "x", net.bipolar(net.weights(4, 2, 2, 2))), "use Conv"),
    "instance norm": (
        lambda net: net.node("InstanceNormalization", "x", net.constant([1.0] * 4), net.constant([0.0] * 4)),
        "factors that depend on the sample",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str, tmp_path: Path) -> None:
    body, reason = REFUSED[name]
    net = Net((1, 4, 5, 6))
    body(net)
    with pytest.raises(ModelError) as caught:
        load_qonnx(net.save(tmp_path))
    found = caught.value.problems
    assert len(found) == 1, found
    assert re.search(reason, found[0]), found[0]
    assert "; " in found[0] and "\n" not in found[0]


def every_operator() -> onnx.ModelProto:
    net = Net((1, 4, 6, 6))
    x = net.quant("x")
    y = net.conv(x, inputs=4, pads=[1, 1, 1, 1], strides=[1, 1], dilations=[1, 1], group=1)
    x = net.node("Concat", net.node("Add", x, y), y, axis=1)
    x = net.quant(net.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2], pads=[0, 0, 1, 1], ceil_mode=1))
    x = quantised_average(net, x, stride=1, signed=1)
    x = net.node("Pad", x, net.constant(np.array([0, 0, 1, 1, 0, 0, 1, 1])))
    x = net.node("Transpose", x, perm=[0, 2, 3, 1])
    x = net.node("Im2Col", x, kernel_size=[2, 2], stride=[1, 1], pad_amount=[0, 0, 1, 1], dilations=[1, 1])
    x = net.node("MatMul", x, net.quant(net.weights(32, 12)))
    x = net.node("MaxPoolNHWC", x, kernel_shape=[2, 2], strides=[1, 1], pads=[0, 0, 0, 0])
    return net.model(net.dense(net.node("ReduceMean", x, axes=[1, 2], keepdims=0)))


def test_mangled_attributes(tmp_path: Path) -> None:
    """Senseless numbers give a graph or refusals, and nothing else."""
    original, chance, refused = every_operator(), random.Random(4), 0
    assert all(row.ok for row in inspect(save(original, tmp_path)))
    for _ in range(300):
        model = onnx.ModelProto()
        model.CopyFrom(original)
        node = chance.choice([node for node in model.graph.node if node.attribute])
        attribute = chance.choice(node.attribute)
        number = chance.choice([-(1 << 40), -1, 0, 1, 2, 3, 7, 1 << 20, 1 << 40])
        if attribute.ints:
            attribute.ints[chance.randrange(len(attribute.ints))] = number
        attribute.i = number
        path = save(model, tmp_path)
        refused += not all(row.ok for row in inspect(path))
    assert 50 < refused < 300
