"""The rules for shapes and formats."""

from __future__ import annotations

import numpy as np
import pytest

from bnnhw.arithmetic.formats import DataType, IntegerRange
from bnnhw.ir.graph import TensorType
from bnnhw.ir.nodes import Sum
from bnnhw.ir.shapes import infer

CODES = TensorType((3,), DataType("uint", 2))


def total(factor: int) -> Sum:
    return Sum(name="sum", inputs=("x",), output="y", coefficients=np.array([[factor]], np.int64))


def test_sums_take_32_bits_with_their_sign() -> None:
    assert infer(total((1 << 31) // 3), CODES).format == IntegerRange(0, (1 << 31) // 3 * 3)
    with pytest.raises(ValueError, match="integers from 0 to 3221225472 need more than 32 bits with their sign"):
        infer(total(1 << 30), CODES)
