from __future__ import annotations

import numpy as np
import pytest

from bnnhw.arithmetic.formats import BIPOLAR, TERNARY, DataType

FORMATS = [
    BIPOLAR,
    TERNARY,
    *(DataType("uint", n) for n in (1, 2, 8, 16)),
    *(DataType("int", n) for n in (2, 3, 8, 16)),
]


def values(dtype: DataType) -> np.ndarray:
    return np.arange(dtype.min, dtype.max + 1, 2 if dtype is BIPOLAR else 1)


@pytest.mark.parametrize("dtype", FORMATS, ids=str)
def test_codes_and_planes(dtype: DataType) -> None:
    every = values(dtype)
    codes = dtype.encode(every)
    assert (dtype.decode(codes) == every).all()
    assert codes.max() < 1 << dtype.bits
    assert dtype.decode(np.array(0)) == dtype.zero_code_value
    planes = dtype.planes(every)
    assert (np.tensordot(dtype.plane_weights, planes, 1) + dtype.plane_offset == every).all()
    assert DataType.parse(dtype.name.upper()) == dtype


@pytest.mark.parametrize(
    ("low", "high", "name"),
    [(0, 0, "uint1"), (0, 1, "uint1"), (0, 4, "uint3"), (-1, 1, "ternary"), (-1, 0, "ternary"), (-2, 1, "int2"), (-3, 3, "int3"), (-128, 127, "int8"), (0, 128, "uint8")],
)  # fmt: skip
def test_smallest(low: int, high: int, name: str) -> None:
    assert DataType.smallest(low, high).name == name


@pytest.mark.parametrize("name", ["", "float32", "int1", "uint33", "int0x8", "uint"])
def test_unknown_formats(name: str) -> None:
    with pytest.raises(ValueError, match="number format"):
        DataType.parse(name)


def test_values_outside() -> None:
    with pytest.raises(ValueError, match="outside bipolar"):
        BIPOLAR.encode([0])
    with pytest.raises(ValueError, match="outside uint2: 0..4"):
        DataType("uint", 2).encode([0, 4])
    assert DataType.parse("binary").name == "uint1"
