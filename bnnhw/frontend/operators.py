"""The table of operators: which function translates which node."""

from __future__ import annotations

from bnnhw.frontend import elementwise, layers, layout, outputs, quantisers
from bnnhw.frontend.context import Handler
from bnnhw.frontend.refusal import Refusal

# These work on constants as well as on data.
CONSTANT_QUANTISERS: dict[str, Handler] = {
    "Quant": quantisers.quant,
    "IntQuant": quantisers.quant,
    "BipolarQuant": quantisers.bipolar_quant,
    "MultiThreshold": quantisers.multi_threshold,
}

HANDLERS: dict[str, Handler] = {
    **CONSTANT_QUANTISERS,
    "Sign": quantisers.sign,
    "Add": elementwise.add,
    "Sub": elementwise.sub,
    "Mul": elementwise.mul,
    "Div": elementwise.div,
    "Neg": elementwise.neg,
    "Relu": elementwise.relu,
    "Clip": elementwise.clip,
    "BatchNormalization": elementwise.batch_normalization,
    "Identity": layout.unchanged,
    "Dropout": layout.dropout,
    "Cast": layout.cast,
    "Reshape": layout.reshape,
    "Flatten": layout.flatten,
    "Squeeze": layout.squeeze,
    "Unsqueeze": layout.unsqueeze,
    "Transpose": layout.transpose,
    "MatMul": layers.matmul,
    "Gemm": layers.gemm,
    "XnorPopcountMatMul": layers.xnor_popcount,
    "Softmax": outputs.softmax,
    "Sigmoid": outputs.sigmoid,
    "ArgMax": outputs.argmax,
    "TopK": outputs.topk,
}

# fmt: off
_IMAGES = {
    "AveragePool", "Conv", "ConvTranspose", "GlobalAveragePool", "GlobalMaxPool", "Im2Col", "MaxPool", "MaxPoolNHWC",
    "Pad", "QuantAvgPool2d",
}
# fmt: on


def explain_unknown(op: str) -> Refusal:
    """Why an operator that is not in the table is refused."""
    if op in _IMAGES:
        return Refusal("convolutional layers do not map in this version", "use dense (fully connected) layers")
    return Refusal("an operator that does not map", f"replace it by one of {', '.join(sorted(HANDLERS))}")
