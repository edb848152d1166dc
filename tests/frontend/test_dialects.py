"""What files are called."""

from __future__ import annotations

from pathlib import Path

import pytest

from bnnhw.frontend import Row, format_name, inspect
from bnnhw.shipped import find_model


def row(op: str, inputs: str = "", outputs: str = "") -> Row:
    return Row(op, op, "", True, tuple(inputs.split()), tuple(outputs.split()))


QUANTISE, RESTORE = row("QuantizeLinear", "x s z", "q"), row("DequantizeLinear", "q s z", "y")


@pytest.mark.parametrize(
    ("rows", "name"),
    [
        ([row("Gemm"), row("BipolarQuant")], "QONNX"),
        ([row("MultiThreshold")], "QONNX"),
        ([QUANTISE, RESTORE], "QDQ"),
        ([row("DequantizeLinear", "weights s z", "w")], "QDQ"),
        ([QUANTISE, row("Clip", "q low high", "c"), RESTORE], "QCDQ"),
        ([QUANTISE, row("Clip", "x low high", "c"), RESTORE], "QDQ"),
        ([row("Quant"), QUANTISE, RESTORE], "QONNX and QDQ"),
        ([row("Sign"), row("Gemm")], "ONNX"),
    ],
)
def test_names(rows: list[Row], name: str) -> None:
    assert format_name(Path("model.onnx"), rows) == name


def test_a_real_file() -> None:
    _, path = find_model("digits-binary")
    assert format_name(path, inspect(path)) == "QONNX"
