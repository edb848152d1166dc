"""Units of a layer on their own under cocotb: the same benches that users find in ``sim/``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bnnhw.arithmetic.formats import BIPOLAR
from bnnhw.arithmetic.plane_products import Product
from bnnhw.arithmetic.weight_coding import weight_words
from bnnhw.errors import ToolError
from bnnhw.gateware.arithmetic.mvu import MatrixVectorUnit
from bnnhw.gateware.streams.vector_buffer import VectorBuffer
from bnnhw.gateware.streams.width_converter import WidthConverter
from bnnhw.generate.rtlil import rtlil
from bnnhw.toolchain.verilog import verilog
from bnnhw.verify.simulator import Bench, job_file

pytestmark = pytest.mark.sim


def bench_of(unit: Any) -> Bench:
    return Bench(verilog(rtlil(unit, "unit")), "unit")


def run(bench: Bench, folder: Path, beats: list[int], expected: list[int], stall: float) -> None:
    for name, values in (("beats", beats), ("expected", expected)):
        (folder / name).write_text("\n".join(f"{value:x}" for value in values))
    job = {"beats": str(folder / "beats"), "expected": str(folder / "expected"), "seed": 3}
    file = job_file(folder, {**job, "i_stall": stall, "o_stall": stall})
    bench.run("unit_bench", {"BNNHW_JOB": str(file)})


@pytest.mark.parametrize(("lanes", "stall"), [((6, 4), 0.0), ((6, 4), 0.4), ((3, 5), 0.4)])
def test_width_converter(tmp_path: Path, lanes: tuple[int, int], stall: float) -> None:
    elements, bits = 17, 2
    rng = np.random.default_rng(1)
    frames = rng.integers(0, 1 << bits, (9, elements))

    def packed(count: int) -> list[int]:
        found = []
        for frame in frames:
            starts = range(0, elements, count)
            for start in starts:
                data = sum(int(v) << (bits * k) for k, v in enumerate(frame[start : start + count]))
                found.append(data | (start + count >= elements) << (bits * count))
        return found

    bench = bench_of(WidthConverter(bits, elements, *lanes))
    run(bench, tmp_path, packed(lanes[0]), packed(lanes[1]), stall)


def test_vector_buffer(tmp_path: Path) -> None:
    beats = [(value % 256) | (value % 3 == 2) << 8 for value in range(30)]
    expected = []
    for start in range(0, 30, 3):
        vector = [beat & 0xFF for beat in beats[start : start + 3]]
        expected += [*vector, *vector, *vector[:-1], vector[-1] | 1 << 8]
    run(bench_of(VectorBuffer(8, 3, 3, kind="block")), tmp_path, beats, expected, 0.3)


def matrix_vector_unit(weight: np.ndarray) -> MatrixVectorUnit:
    """Two rows and four lanes at a time; sums count equal bits, since nothing is taken off them."""
    words = weight_words(2 * weight - 1, Product(BIPOLAR, BIPOLAR), pe=2, simd=4, family="ice40")
    return MatrixVectorUnit(
        pe=2,
        simd=4,
        sf=2,
        nf=2,
        input_dtype=BIPOLAR,
        weight_dtype=BIPOLAR,
        weights=words,
        biases=[[0, 0], [0, 0]],
        width=6,
        divisor=2,
    )


def products(weight: np.ndarray, rng: np.random.Generator) -> tuple[list[int], list[int]]:
    beats, expected = [], []
    for x in rng.integers(0, 2, (12, 8)):
        chunks = [sum(int(bit) << k for k, bit in enumerate(x[start : start + 4])) for start in (0, 4)]
        beats += [chunks[0], chunks[1], chunks[0], chunks[1] | 1 << 4]
        counts = (weight == x).sum(axis=1)
        expected += [int(counts[0]) | int(counts[1]) << 6, int(counts[2]) | int(counts[3]) << 6 | 1 << 12]
    return beats, expected


@pytest.mark.parametrize("stall", [0.0, 0.4])
def test_matrix_vector_unit(tmp_path: Path, stall: float) -> None:
    rng = np.random.default_rng(1)
    weight = rng.integers(0, 2, (4, 8))
    run(bench_of(matrix_vector_unit(weight)), tmp_path, *products(weight, rng), stall)


def test_the_bench_can_fail(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    weight = rng.integers(0, 2, (4, 8))
    beats, expected = products(weight, rng)
    expected[5] ^= 1
    with pytest.raises(ToolError, match="beat 5"):
        run(bench_of(matrix_vector_unit(weight)), tmp_path, beats, expected, 0.0)
