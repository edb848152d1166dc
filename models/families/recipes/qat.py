import numpy as np
import torch

from models.families.activations import INPUT_BITS, Fixed, Input
from models.families.family import Family, convnet
from models.families.weights import Integer, Place
from models.families.writer import Writer


def clipped(writer: Writer, x: str, scale: float, bits: int, *, signed: bool) -> str:
    """QuantizeLinear of 8 bits, Clip to fewer, DequantizeLinear: QCDQ."""
    dtype = np.int8 if signed else np.uint8
    low = -(2 ** (bits - 1)) if signed else 0
    zero = writer.constant(0, dtype)
    x = writer.node("QuantizeLinear", x, writer.constant(scale), zero)
    if bits < 8:
        x = writer.node("Clip", x, writer.constant(low, dtype), writer.constant(low + 2**bits - 1, dtype))
    return writer.node("DequantizeLinear", x, writer.constant(scale), zero)


class QcdqInput(Input):
    """The input's quantiser as QCDQ."""

    def write(self, writer: Writer, x: str) -> str:
        x = x if self.full == 1 else writer.by("Div", x, self.full)
        return clipped(writer, x, 2.0**-INPUT_BITS, INPUT_BITS, signed=False)


class QcdqFixed(Fixed):
    """An activation as QCDQ."""

    def write(self, writer: Writer, x: str) -> str:
        return clipped(writer, writer.node("Relu", x), self.scale, self.bits, signed=self.signed)


class QcdqInteger(Integer):
    """Weights stored as int8, with a scale per channel."""

    def write(self, writer: Writer, w: torch.Tensor, place: Place) -> str:
        scale = self._scale(w)
        codes = (w / scale).round().numpy()
        axis = 1 if w.ndim == 2 else 0  # a dense layer's are transposed
        zeros = writer.constant(np.zeros(len(w)), np.int8)
        names = (writer.constant(place(codes), np.int8), writer.constant(scale.flatten().numpy()), zeros)
        return writer.node("DequantizeLinear", *names, axis=axis)


FAMILY = Family(
    title="QAT W4A4",
    paper="Jacob et al. 2018, arXiv:1712.05877",
    idea="Quantisation-aware training as frameworks do it: 4-bit weights with a scale per channel, 4-bit activations. "
    "Sixteen levels cost four bit-planes each way.",
    dialect="QCDQ: QuantizeLinear, Clip, DequantizeLinear; int8 weights with DequantizeLinear",
    network=lambda images: convnet(
        images,
        first=lambda: QcdqInteger(4, None),
        hidden=lambda: QcdqInteger(4, None),
        last=lambda: QcdqInteger(4, None),
        source=QcdqInput,
        activation=lambda: QcdqFixed(4, 0.25),
    ),
)
