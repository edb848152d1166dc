"""Modules that units of one kind share."""

from __future__ import annotations

import re

from amaranth.hdl import Module

from bnnhw.arithmetic.formats import BIPOLAR, TERNARY, DataType
from bnnhw.gateware.arithmetic.mvu import MatrixVectorUnit
from bnnhw.generate.rtlil import rtlil


def matrix_vector_unit(pe: int, simd: int, weight: DataType = BIPOLAR, vectors: int = 1) -> MatrixVectorUnit:
    return MatrixVectorUnit(
        pe=pe, simd=simd, sf=2, nf=1, input_dtype=BIPOLAR, weight_dtype=weight, weights=[1, 0], biases=[[0] * pe], width=6,
        vectors=vectors,
    )  # fmt: skip


def modules(text: str) -> list[str]:
    return [name for name in re.findall(r"^module \\(\S+)$", text, re.MULTILINE) if re.search(r"\.pe\w*$", name)]


def instances(text: str) -> list[str]:
    return [words[0] for words in re.findall(r"^\s+cell \\(\S+) \\(pe\d+)$", text, re.MULTILINE)]


def test_processing_elements_that_are_alike_are_one_module() -> None:
    text = rtlil(matrix_vector_unit(3, 4, vectors=2), "unit")
    assert modules(text) == ["unit.modules.pe_0"]
    assert instances(text) == ["unit.modules.pe_0"] * 6


def test_others_have_modules_of_their_own() -> None:
    m = Module()
    shapes = (2, 4, BIPOLAR), (1, 4, BIPOLAR), (1, 5, BIPOLAR), (1, 4, TERNARY)
    m.submodules += [matrix_vector_unit(pe, simd, weight) for pe, simd, weight in shapes]
    text = rtlil(m, "units", ports=())
    assert modules(text) == [f"units.modules.pe_{k}" for k in range(3)]
    assert sorted(instances(text)) == [f"units.modules.pe_{k}" for k in (0, 0, 0, 1, 2)]


def test_a_second_netlist_of_the_same_unit() -> None:
    unit = matrix_vector_unit(2, 4)
    assert rtlil(unit, "unit") == rtlil(unit, "unit")
