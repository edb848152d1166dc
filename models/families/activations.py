"""Quantisers of activations and of the input, each with the operators that its family's exporters use."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from models.families.estimators import fixed, sign, through
from models.families.layers import Layer
from models.families.writer import Writer

INPUT_BITS = 4


class Input(Layer):
    """Pixels from 0 to `full` as 4-bit numbers k/16, the same for all families."""

    def __init__(self, full: float) -> None:
        super().__init__()
        self.full = full

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return fixed(x / self.full, 2.0**-INPUT_BITS, 0, 2**INPUT_BITS - 1)

    def write(self, writer: Writer, x: str) -> str:
        x = x if self.full == 1 else writer.by("Div", x, self.full)
        return writer.quant(x, 2.0**-INPUT_BITS, INPUT_BITS, signed=False)


def _clipped(writer: Writer, x: str) -> str:
    return writer.bipolar(writer.node("Clip", x, writer.constant(-1.0), writer.constant(1.0)))


def _larq_sign(writer: Writer, x: str) -> str:
    return writer.node("Sign", writer.by("Add", writer.node("Sign", x), 0.1))


def _compared(writer: Writer, x: str) -> str:
    bit = writer.node("Cast", writer.by("GreaterOrEqual", x, 0.0), to=1)
    return writer.by("Sub", writer.by("Mul", bit, 2.0), 1.0)


SIGNS: dict[str, Callable[[Writer, str], str]] = {
    "Sign": lambda writer, x: writer.node("Sign", x),
    "Clip, BipolarQuant": _clipped,
    "BipolarQuant": Writer.bipolar,
    "Larq": _larq_sign,
    "GreaterOrEqual": _compared,
}


class Sign(Layer):
    """-1 and +1.

    Parameters
    ----------
    dialect
        One of `SIGNS`: how it is written. ``Sign`` leaves a zero as it is.
    estimator
        The function with its gradient, which says the same of zero.
    """

    def __init__(self, dialect: str = "BipolarQuant", estimator: Callable[[torch.Tensor], torch.Tensor] = sign) -> None:
        super().__init__()
        self.dialect, self.estimator = dialect, estimator

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.estimator(x)

    def write(self, writer: Writer, x: str) -> str:
        return SIGNS[self.dialect](writer, x)


class Relu(Layer):
    """Nothing but the ReLU."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.relu()

    def write(self, writer: Writer, x: str) -> str:
        return writer.node("Relu", x)


class Fixed(Layer):
    """Whole multiples of `scale`, as a ``Quant`` node.

    Parameters
    ----------
    relu
        With a ReLU before it; codes are then unsigned, unless `signed` says otherwise.
    floor
        Rounds down, as a shift does.
    narrow
        As many codes below zero as above.
    """

    def __init__(
        self,
        bits: int,
        scale: float,
        *,
        relu: bool = True,
        signed: bool | None = None,
        floor: bool = False,
        narrow: bool = False,
    ) -> None:
        super().__init__()
        self.bits, self.scale, self.relu, self.floor = bits, scale, relu, floor
        self.signed = not relu if signed is None else signed
        self.narrow = narrow

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        high = 2 ** (self.bits - self.signed) - 1
        low = -high - (not self.narrow) if self.signed else 0
        return fixed(x.relu() if self.relu else x, self.scale, low, high, floor=self.floor)

    def write(self, writer: Writer, x: str) -> str:
        x = writer.node("Relu", x) if self.relu else x
        rounding = "FLOOR" if self.floor else "ROUND"
        return writer.quant(x, self.scale, self.bits, signed=self.signed, narrow=self.narrow, rounding=rounding)


class DoReFaActivation(Layer):
    """k/n from 0 to 1 (arXiv:1606.06160), with the Round of TensorFlow's graphs or a ``Quant`` node."""

    def __init__(self, bits: int, dialect: str = "Quant") -> None:
        super().__init__()
        self.bits, self.steps, self.dialect = bits, 2**bits - 1, dialect

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return fixed(x, 1 / self.steps, 0, self.steps)

    def write(self, writer: Writer, x: str) -> str:
        x = writer.node("Clip", x, writer.constant(0.0), writer.constant(1.0))
        if self.dialect == "Quant":
            return writer.quant(x, 1 / self.steps, self.bits, signed=False)
        return writer.by("Div", writer.node("Round", writer.by("Mul", x, self.steps)), self.steps)


class HalfWaveGaussian(Layer):
    """Two bits at the steps that suit a normal distribution's upper half (HWGQ, arXiv:1702.00953).

    The gradient is that of a ReLU clipped at the largest level. Written as the sum of steps that it is in Caffe.
    """

    STEP = 0.538
    CUTS = (float(np.nextafter(np.float32(0), np.float32(1))), 1.5 * STEP, 2.5 * STEP)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        value = sum((x >= cut).to(x.dtype) for cut in self.CUTS) * self.STEP
        return through(x.clamp(0, 3 * self.STEP), value)

    def write(self, writer: Writer, x: str) -> str:
        steps = [
            writer.node("MultiThreshold", x, writer.constant([[cut]]), out_scale=self.STEP, out_bias=0.0)
            for cut in self.CUTS
        ]
        return writer.node("Sum", *steps)


class Tanh(Layer):
    """The hyperbolic tangent."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.tanh()

    def write(self, writer: Writer, x: str) -> str:
        return writer.node("Tanh", x)
