"""The table of operators: which function translates which node."""

from __future__ import annotations

from bnnhw.frontend import elementwise, layers, layout, outputs, quantisers
from bnnhw.frontend.importer import Handler
from bnnhw.frontend.refusal import Refusal

# Quantisers work on constants and on data alike.
QUANTISERS: dict[str, Handler] = {
    "Quant": quantisers.quant,
    "IntQuant": quantisers.quant,
    "BipolarQuant": quantisers.bipolar_quant,
}

HANDLERS: dict[str, Handler] = {
    **QUANTISERS,
    "MultiThreshold": quantisers.multi_threshold,
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
    "Dropout": layout.unchanged,
    "Cast": layout.cast,
    "Reshape": layout.reshape,
    "Flatten": layout.flatten,
    "Squeeze": layout.squeeze,
    "Unsqueeze": layout.unsqueeze,
    "Transpose": layout.transpose,
    "MatMul": layers.matmul,
    "Gemm": layers.gemm,
    "Softmax": outputs.softmax,
    "Sigmoid": outputs.sigmoid,
    "ArgMax": outputs.argmax,
    "TopK": outputs.topk,
}

# Layout operators, under which the scales of quantised constants move along.
SCALE_KEEPERS = frozenset(("Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose"))

_IMAGES = frozenset(
    ("Conv", "ConvTranspose", "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "Pad", "Im2Col", "QuantMaxNHWC")
)


def explain_unknown(op: str) -> Refusal:
    """Why an operator that is not in the table is refused."""
    if op in _IMAGES:
        return Refusal("convolutional layers do not map in this version", "use dense (fully connected) layers")
    return Refusal("an operator that does not map", f"replace it by one of {', '.join(sorted(HANDLERS))}")
