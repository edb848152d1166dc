"""The table of operators: which function translates which node."""

from __future__ import annotations

from bnnhw.frontend import (
    convolution,
    elementwise,
    joins,
    layers,
    layout,
    outputs,
    pools,
    quantisers,
    windows,
)
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
    "Add": joins.add,
    "Sum": joins.add,
    "Concat": joins.concat,
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
    "Conv": convolution.conv,
    "Im2Col": convolution.im2col,
    "Pad": windows.pad,
    "MaxPool": pools.max_pool,
    "MaxPoolNHWC": pools.max_pool_nhwc,
    "GlobalMaxPool": pools.global_max_pool,
    "AveragePool": pools.average_pool,
    "GlobalAveragePool": pools.global_average_pool,
    "ReduceMean": pools.reduce_mean,
    "ReduceSum": pools.reduce_sum,
    "QuantAvgPool2d": pools.quant_average_pool,
    "Softmax": outputs.softmax,
    "Sigmoid": outputs.sigmoid,
    "ArgMax": outputs.argmax,
    "TopK": outputs.topk,
}

_RESIZING = ("a map that is made larger or resampled", "change its size with the strides of a Conv or with pools")
_NORMALISATION = ("factors that depend on the sample", "use BatchNormalization")
_EXPLAINED: dict[str, tuple[str, str]] = {
    "ConvTranspose": ("a transposed convolution", "use Conv"),
    "Resize": _RESIZING,
    "Upsample": _RESIZING,
    "DepthToSpace": _RESIZING,
    "InstanceNormalization": _NORMALISATION,
    "LayerNormalization": _NORMALISATION,
    "GroupNormalization": _NORMALISATION,
    "LpPool": ("a pool that squares", "use MaxPool or AveragePool"),
    "Trunc": ("integers cut short", "use Quant with rounding mode FLOOR"),
}


def explain_unknown(op: str) -> Refusal:
    """Why an operator that is not in the table is refused."""
    if op in _EXPLAINED:
        return Refusal(*_EXPLAINED[op])
    return Refusal("an operator that does not map", f"replace it by one of {', '.join(sorted(HANDLERS))}")
