"""Random float networks, as exporters write them: what PyTorch's and Keras' say with the same operators.

Each network depends on its seed alone. Blocks are drawn one after the other: convolutions of all kinds, with and without
batch normalisation, residual sums, concatenations, pools; and a head of a global pool or dense layers.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

SIZE = 8  # rows and columns of the input
CLASSES = 3
OPSETS = (11, 13, 15, 17, 18, 21)


class FloatNet:
    """A float network under construction; every method gives the name of the tensor that it makes.

    Parameters
    ----------
    seed
        Of everything.
    channels_last
        Data lies (N, H, W, C), and each convolution stands between two transposes, as tf2onnx writes it.
    """

    def __init__(self, seed: int, *, channels_last: bool | None = None) -> None:
        self.random = np.random.default_rng(seed)
        self.last = bool(self.random.random() < 0.3) if channels_last is None else channels_last
        self.opset = int(self.random.choice(OPSETS))
        self.batch: str | int = ["N", 1, 4][int(self.random.integers(3))]
        self.channels = int(self.random.integers(1, 4))
        self.size = SIZE
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        shape = (SIZE, SIZE, self.channels) if self.last else (self.channels, SIZE, SIZE)
        self.input = helper.make_tensor_value_info("x", TensorProto.FLOAT, (self.batch, *shape))

    def constant(self, value: NDArray[np.generic]) -> str:
        name = f"w{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def normal(self, *shape: int, spread: float = 1.0) -> str:
        return self.constant(self.random.normal(0, spread, shape).astype(np.float32))

    def node(self, op: str, *inputs: str, **attributes: object) -> str:
        made = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [made], name=f"{op}_{len(self.nodes)}", **attributes))
        return made

    def chance(self, share: float) -> bool:
        return bool(self.random.random() < share)

    # ---- blocks ------------------------------------------------------------------------------------

    def on_map(self, op: str, x: str, *others: str, **attributes: object) -> str:
        """An operator on maps (N, C, H, W), wherever the channels are."""
        if not self.last:
            return self.node(op, x, *others, **attributes)
        first = self.node("Transpose", x, perm=[0, 3, 1, 2])
        return self.node("Transpose", self.node(op, first, *others, **attributes), perm=[0, 2, 3, 1])

    def per_channel(self, spread: float, around: float = 0.0) -> str:
        values = (around + self.random.normal(0, spread, self.channels)).astype(np.float32)
        return self.constant(values if self.last else values.reshape(-1, 1, 1))

    def conv(self, x: str, outputs: int, *, kernel: int = 3, group: int = 1, bias: bool | None = None) -> str:
        """A convolution that keeps the size of its map, and maybe a bias and a batch normalisation."""
        fan = kernel * kernel * self.channels // group
        weight = self.normal(outputs, self.channels // group, kernel, kernel, spread=fan**-0.5)
        others = [weight]
        if self.chance(0.5) if bias is None else bias:
            others.append(self.normal(outputs, spread=0.3))
        pads = [kernel // 2] * 4
        made = self.on_map("Conv", x, *others, pads=pads, kernel_shape=[kernel] * 2, group=group)
        self.channels = outputs
        if self.chance(0.6):
            made = self.norm(made)
        return made

    def norm(self, x: str) -> str:
        if self.last:  # Keras' batch normalisation behind a transpose is a product and a sum
            return self.node("Add", self.node("Mul", x, self.per_channel(0.2, 1.0)), self.per_channel(0.3))
        gamma, beta, mean = (self.normal(self.channels, spread=0.4) for _ in range(3))
        variance = self.constant((0.5 + self.random.random(self.channels)).astype(np.float32))
        return self.node("BatchNormalization", x, gamma, beta, mean, variance)

    def activation(self, x: str) -> str:
        kind = self.random.choice(["Relu", "Relu", "Relu6", "LeakyRelu", "PRelu", "HardSigmoid", "Tanh", "none"])
        if kind == "none":
            return x
        if kind == "Relu6":
            ends = [self.constant(np.array(end, np.float32)) for end in (0.0, 6.0)]
            return self.node("Clip", x, *ends)
        if kind == "LeakyRelu":
            return self.node("LeakyRelu", x, alpha=0.1)
        if kind == "PRelu":
            return self.node("PRelu", x, self.per_channel(0.05, 0.2))
        return self.node(str(kind), x)

    def pool(self, x: str) -> str:
        if self.size < 4:
            return x
        self.size //= 2
        op = "MaxPool" if self.chance(0.7) else "AveragePool"
        return self.on_map(op, x, kernel_shape=[2, 2], strides=[2, 2])

    def block(self, x: str) -> str:
        """One of the blocks that networks are made of."""
        kind = self.random.choice(["plain", "depthwise", "residual", "concat", "inverted"])
        outputs = int(self.random.integers(2, 7))
        if kind == "plain":
            return self.activation(self.conv(x, outputs, kernel=int(self.random.choice([1, 3]))))
        if kind in ("depthwise", "inverted"):
            x = self.activation(self.conv(x, outputs, kernel=1)) if kind == "inverted" else x
            x = self.activation(self.conv(x, self.channels, group=self.channels))
            return self.conv(x, outputs, kernel=1)
        if kind == "residual":
            before = self.channels
            inner = self.activation(self.conv(x, outputs))
            return self.activation(self.node("Add", self.conv(inner, before), x))
        before = self.channels
        left = self.activation(self.conv(x, outputs, kernel=1))
        self.channels = before
        right = self.activation(self.conv(x, 3))
        self.channels = outputs + 3
        return self.node("Concat", left, right, axis=3 if self.last else 1)

    def dense(self, x: str, inputs: int, outputs: int) -> str:
        spread = inputs**-0.5
        if self.chance(0.5):
            return self.node(
                "Gemm", x, self.normal(outputs, inputs, spread=spread), self.normal(outputs, spread=0.2), transB=1
            )
        made = self.node("MatMul", x, self.normal(inputs, outputs, spread=spread))
        return self.node("Add", made, self.normal(outputs, spread=0.2)) if self.chance(0.5) else made

    def head(self, x: str) -> str:
        """From the last map to the classes."""
        if self.chance(0.4):
            x = self.node("Flatten", self.on_map("GlobalAveragePool", x))
            x = self.dense(x, self.channels, CLASSES)
        else:
            inputs = self.channels * self.size**2
            if self.last and self.chance(0.5):
                x = self.node("Reshape", x, self.constant(np.array([-1 if self.batch == "N" else self.batch, inputs])))
            else:
                x = self.node("Flatten", x)
            x = self.node("Relu", self.dense(x, inputs, 5))
            x = self.node("Dropout", x) if self.chance(0.3) else x
            x = self.dense(x, 5, CLASSES)
        return self.node("Softmax", x, axis=1) if self.chance(0.2) else x

    def model(self, output: str) -> onnx.ModelProto:
        graph = helper.make_graph(
            self.nodes,
            "float",
            [self.input],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, (self.batch, CLASSES))],
            self.constants,
        )
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8)
        onnx.checker.check_model(made)
        return made


def random_float_file(seed: int, path: Path) -> tuple[Path, NDArray[np.float32]]:
    """A random float network, saved to `path`, and samples for it."""
    net = FloatNet(seed)
    shape = [dim.dim_value for dim in net.input.type.tensor_type.shape.dim][1:]
    x = "x"
    if net.chance(0.3):  # pixels
        x = net.node("Sub", net.node("Div", x, net.constant(np.float32(2.0))), net.constant(np.float32(0.25)))
    for _ in range(int(net.random.integers(1, 4))):
        x = net.block(x)
        if net.chance(0.4):
            x = net.pool(x)
    onnx.save(net.model(net.head(x)), path)
    values = np.abs(net.random.normal(0, 1, (12, *shape))) if net.chance(0.5) else net.random.normal(0, 1, (12, *shape))
    return path, values.astype(np.float32)
