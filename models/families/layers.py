"""Layers that train in torch and write themselves as ONNX: those that every family shares."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from models.families.weights import Weights
from models.families.writer import Writer

SMALLEST_SCALE = 0.01


class Layer(nn.Module):
    """One step of a network."""

    def write(self, writer: Writer, x: str) -> str:
        """Writes the layer behind the tensor `x`; the name of its output."""
        raise NotImplementedError

    def clip(self) -> None:
        """Called after every training step: brings parameters back to where they may be."""


class Chain(Layer):
    """Layers behind each other."""

    def __init__(self, *layers: Layer) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = layer(x)
        return x

    def write(self, writer: Writer, x: str) -> str:
        for layer in self.layers:
            x = layer.write(writer, x)
        return x


class Residual(Layer):
    """The sum of a body and its input, or of what `shortcut` makes of the input."""

    def __init__(self, body: Layer, shortcut: Layer | None = None) -> None:
        super().__init__()
        self.body, self.shortcut = body, shortcut or Chain()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(x) + self.shortcut(x)

    def write(self, writer: Writer, x: str) -> str:
        return writer.node("Add", self.body.write(writer, x), self.shortcut.write(writer, x))


class _Matrix(Layer):
    def __init__(self, shape: tuple[int, ...], weights: Callable[[], Weights], bias: bool) -> None:
        super().__init__()
        self.quantiser = weights()
        self.weight = nn.Parameter(self.quantiser.drawn(shape))
        self.bias = nn.Parameter(torch.zeros(shape[0])) if bias else None

    def clip(self) -> None:
        if self.quantiser.limit is not None:
            self.weight.clamp_(-self.quantiser.limit, self.quantiser.limit)


def _summed(writer: Writer, parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else writer.node("Add", *parts)


class Conv(_Matrix):
    """A square convolution of stride 1; padding is zeros."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        weights: Callable[[], Weights],
        *,
        pad: int = 0,
        bias: bool = False,
    ) -> None:
        super().__init__((outputs, inputs, kernel, kernel), weights, bias)
        self.kernel, self.pad = kernel, pad

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.conv2d(x, self.quantiser(self.weight), self.bias, padding=self.pad)

    def write(self, writer: Writer, x: str) -> str:
        bias = [] if self.bias is None else [writer.constant(self.bias.detach().numpy())]
        sizes = {"kernel_shape": [self.kernel] * 2, "pads": [self.pad] * 4, "strides": [1, 1]}
        parts = self.quantiser.parts(writer, self.weight.detach(), lambda array: array)
        return _summed(writer, [writer.node("Conv", x, part, *bias, **sizes) for part in parts])


class Dense(_Matrix):
    """A dense layer, written as ``MatMul`` and ``Add``."""

    def __init__(self, inputs: int, outputs: int, weights: Callable[[], Weights], *, bias: bool = False) -> None:
        super().__init__((outputs, inputs), weights, bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.linear(x, self.quantiser(self.weight), self.bias)

    def write(self, writer: Writer, x: str) -> str:
        parts = self.quantiser.parts(writer, self.weight.detach(), np.transpose)
        y = _summed(writer, [writer.node("MatMul", x, part) for part in parts])
        return y if self.bias is None else writer.by("Add", y, self.bias.detach().numpy())


class Norm(Layer):
    """Batch normalisation. Its scales stay above zero, so that it may follow a pool of sums at no cost."""

    def __init__(self, channels: int, *, scaled: bool = True, epsilon: float = 1e-5) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(channels, eps=epsilon)
        self.norm.weight.requires_grad_(scaled)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # One for maps and vectors: a map is its pixels as samples.
        if x.ndim == 2:
            return self.norm(x)
        return self.norm(x.flatten(2)).reshape(x.shape)

    def write(self, writer: Writer, x: str) -> str:
        norm = self.norm
        parameters = (norm.weight, norm.bias, norm.running_mean, norm.running_var)
        names = (writer.constant(parameter.detach().numpy()) for parameter in parameters)
        return writer.node("BatchNormalization", x, *names, epsilon=norm.eps)

    def clip(self) -> None:
        self.norm.weight.clamp_(min=SMALLEST_SCALE)


class Scale(Layer):
    """A factor and an offset per channel, learned: what is left of a normalisation in an accelerator's own format.

    Parameters
    ----------
    step
        Both are whole multiples of it.
    """

    def __init__(self, channels: int, factor: float, step: float) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.full((channels, 1, 1), factor))
        self.offset = nn.Parameter(torch.zeros(channels, 1, 1))
        self.step = step

    def _rounded(self, parameter: torch.Tensor) -> torch.Tensor:
        return parameter + ((parameter / self.step).round() * self.step - parameter).detach()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self._rounded(self.factor) + self._rounded(self.offset)

    def write(self, writer: Writer, x: str) -> str:
        x = writer.by("Mul", x, self._rounded(self.factor)[None].detach().numpy())
        return writer.by("Add", x, self._rounded(self.offset)[None].detach().numpy())

    def clip(self) -> None:
        self.factor.clamp_(min=self.step)


class Pool(Layer):
    """A pool; ``MaxPool`` or ``AveragePool``."""

    def __init__(self, op: str, kernel: int = 2, stride: int = 2, pad: int = 0) -> None:
        super().__init__()
        self.op, self.kernel, self.stride, self.pad = op, kernel, stride, pad

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        pool = functional.max_pool2d if self.op == "MaxPool" else functional.avg_pool2d
        return pool(x, self.kernel, self.stride, self.pad)

    def write(self, writer: Writer, x: str) -> str:
        sizes = {"kernel_shape": [self.kernel] * 2, "strides": [self.stride] * 2}
        return writer.node(self.op, x, **sizes, **({"pads": [self.pad] * 4} if self.pad else {}))


class Flatten(Layer):
    """A map to a vector, channel by channel."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(1)

    def write(self, writer: Writer, x: str) -> str:
        return writer.node("Flatten", x, axis=1)


class Tail(Layer):
    """What an exporter leaves behind the logits; training takes the logits themselves."""

    def __init__(self, op: str, divisor: float = 1.0) -> None:
        super().__init__()
        self.op, self.divisor = op, divisor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x

    def write(self, writer: Writer, x: str) -> str:
        if self.divisor != 1:
            x = writer.by("Div", x, self.divisor)
        return writer.node(self.op, x, axis=-1)


class Counted(Layer):
    """A binary layer whose output is the number of equal bits, (sum + n) / 2."""

    def __init__(self, layer: Conv | Dense) -> None:
        super().__init__()
        self.layer = layer
        self.terms = layer.weight[0].numel()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (self.layer(x) + self.terms) / 2

    def write(self, writer: Writer, x: str) -> str:
        return writer.by("Mul", writer.by("Add", self.layer.write(writer, x), self.terms), 0.5)
