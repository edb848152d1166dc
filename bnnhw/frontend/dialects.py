"""What a model file is called: the dialect in which it says how its numbers are quantised."""

from __future__ import annotations

from collections.abc import Sequence

from bnnhw.frontend.importer import Row

BNN_PYNQ = "BNN-PYNQ parameters"
QONNX = {"Quant", "IntQuant", "BipolarQuant", "Trunc", "MultiThreshold"}


def dialect(rows: Sequence[Row]) -> str:
    """The dialect of an ONNX file with these nodes: several where it mixes them, ONNX where it quantises nothing."""
    found = ["QONNX"] if any(row.op in QONNX for row in rows) else []
    codes = {name for row in rows if row.op == "QuantizeLinear" for name in row.outputs}
    if any(row.op == "DequantizeLinear" for row in rows):
        clipped = any(row.op == "Clip" and codes & {*row.inputs} for row in rows)
        found.append("QCDQ" if clipped else "QDQ")
    return " and ".join(found) or "ONNX"
