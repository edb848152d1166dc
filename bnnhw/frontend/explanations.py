"""Why operators that do not map are refused, and the nearest way."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from bnnhw.frontend.refusal import Refusal

_INTEGER_OPERATORS = (
    "calculates with integers, which does not map in this operator yet",
    "export in QDQ form, with QuantizeLinear and DequantizeLinear around plain layers (onnxruntime.quantization: "
    "quantize_static with quant_format=QuantFormat.QDQ)",
)
_DYNAMIC = (
    "scales that depend on the sample",
    "quantise with fixed scales (onnxruntime.quantization: quantize_static instead of quantize_dynamic)",
)
_FUNCTIONS = (
    "a function that does not map yet",
    "use Relu, PRelu, Clip, Elu, Softplus, HardSigmoid, Sigmoid, Tanh, Abs, HardSwish, Gelu or Mish",
)
_RECURRENT = ("a recurrent layer, which does not map", "unroll it, or use convolutions over time")
_CONTROL = ("control flow, which does not map", "export the model with fixed shapes and without loops")
_SAMPLE = ("factors that depend on the sample", "use BatchNormalization")
_ATTENTION = ("attention, which multiplies tensors by each other", "use layers with constant weights")
_PARTS = (
    "parts of a tensor at places of any order, which do not map yet",
    "use Slice, Split or Gather along one axis",
)
_RESIZING = ("a map that is made larger or resampled", "change its size with the strides of a Conv or with pools")
_REDUCTION = (
    "a reduction that does not map",
    "use ReduceMean, ReduceSum, ReduceMax or ReduceMin over rows and columns",
)
_LOGIC = ("a test for what no integer is", "leave it out")
_SHAPES = ("a shape that depends on the data", "export the model with fixed shapes")

# fmt: off
_GROUPS: dict[tuple[str, str], tuple[str, ...]] = {
    _INTEGER_OPERATORS: (
        "QLinearMul", "QLinearSigmoid", "QLinearSoftmax", "QLinearReduceMean", "QLinearWhere",
    ),
    _DYNAMIC: (
        "DynamicQuantizeLinear", "DynamicQuantizeMatMul", "MatMulIntegerToFloat", "DynamicQuantizeLSTM",
    ),
    _FUNCTIONS: (
        "Asinh", "Sinh", "Sin", "Cos", "Reciprocal",
    ),
    _RECURRENT: ("LSTM", "GRU", "RNN"),
    _CONTROL: ("Scan", "Loop", "If", "NonZero", "Unique"),
    _SAMPLE: (
        "InstanceNormalization", "LayerNormalization", "GroupNormalization", "RMSNormalization", "LpNormalization",
        "MeanVarianceNormalization", "LRN",
    ),
    _ATTENTION: ("Attention", "MultiHeadAttention"),
    _PARTS: ("GatherElements", "GatherND", "ScatterElements", "ScatterND", "Compress"),
    _RESIZING: ("Resize", "Upsample", "Tile", "Expand"),
    _REDUCTION: ("ReduceL1", "ReduceL2", "ReduceProd", "ReduceSumSquare", "ReduceLogSumExp"),
    _LOGIC: ("IsNaN", "IsInf"),
    _SHAPES: ("Shape", "Size", "ConstantOfShape", "Range", "OneHot"),
    ("a transposed convolution", "use Conv"): ("ConvTranspose",),
    ("a pool that squares", "use MaxPool or AveragePool"): ("LpPool", "GlobalLpPool"),
}
# fmt: on
_EXPLAINED = {op: why for why, group in _GROUPS.items() for op in group}


def explain_unknown(op: str, known: Iterable[str]) -> Refusal:
    """Why an operator that is none of the `known` ones is refused, and what to use, or which name is nearest."""
    if op in _EXPLAINED:
        return Refusal(*_EXPLAINED[op])
    near = get_close_matches(op, [*known, *_EXPLAINED], n=1)
    remedy = f"did you mean {near[0]}?" if near else "replace it by standard operators, such as Conv, Add and Quant"
    return Refusal("an operator that does not map", remedy)
