"""Matrices folded into logic, synthesised and routed as in a design.

Writes ``benchmarks/constants.json`` after each, so that an interrupted run goes on where it stopped, and the table of
docs/constants.md. A unit stands between registers that are not counted, as in `benchmarks.units`; its own control, its
pipeline and the control of its FIFO, which lies in block RAM, are.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.commands import add_again, add_only
from benchmarks.pages import ROOT, markdown, put
from benchmarks.rows import Row, Rows
from benchmarks.units import BOARDS, SEED, Framed, made_with, routed
from bnnhw.arithmetic.adder_graphs import Netlist, multiply_constant_matrix, schedule
from bnnhw.arithmetic.formats import BIPOLAR
from bnnhw.gateware.arithmetic.constant_mvu import ConstantMatrixUnit
from bnnhw.parts import PARTS
from bnnhw.toolchain import tools
from bnnhw.toolchain.boards import find_board

RESULTS = ROOT / "benchmarks" / "constants.json"
PAGE = "docs/constants.md"
LEVELS = {"ice40": 2, "ecp5": 3}
FILL = 0.8  # of a part's LUTs; what takes more is not routed


@dataclass(frozen=True)
class Matrix:
    """A random matrix: the number of inputs and neurons, and the share of its weights that is zero."""

    inputs: int
    neurons: int
    zeros: float = 0.0

    @property
    def name(self) -> str:
        kind = f", {self.zeros:.0%} zeros" if self.zeros else ""
        return f"{self.inputs} x {self.neurons}{kind}"

    def weights(self) -> NDArray[np.int64]:
        rng = np.random.default_rng(0)
        signs = rng.integers(0, 2, (self.neurons, self.inputs)) * 2 - 1
        return signs * (rng.random(signs.shape) >= self.zeros)

    def netlist(self) -> Netlist:
        """The sign of each neuron's sum."""
        return multiply_constant_matrix(self.weights(), [0] * self.neurons, signs=True)


MATRICES = [
    Matrix(64, 16),
    Matrix(64, 64),
    Matrix(64, 256),
    Matrix(256, 10),
    Matrix(256, 64),
    Matrix(64, 64, 1 / 3),
    Matrix(256, 64, 0.9),
    Matrix(784, 64, 0.95),
]


def measure(matrix: Matrix, part: str) -> Row | None:
    """LUTs and highest frequency, or None where it does not fit."""
    device = PARTS[find_board(BOARDS[part]).part]
    netlist = matrix.netlist()
    if netlist.luts > FILL * device.lut4:
        return None
    levels = LEVELS[device.family]
    unit = ConstantMatrixUnit(netlist, BIPOLAR, width=1, levels=levels, kind="block", family=device.family)
    streams = [unit.i.payload], [unit.o.payload.data, unit.o.valid, unit.i.ready], [unit.i.valid, unit.o.ready]
    used, mhz = routed(Framed(unit, *streams), BOARDS[part])
    plan, weights = schedule(netlist, levels), matrix.weights()
    return {
        "matrix": matrix.name,
        "part": part,
        "weights": weights.size,
        "nonzero": int(np.count_nonzero(weights)),
        "estimate": netlist.luts,
        "lut4": used,
        "registers": plan.registers(netlist),
        "stages": plan.stages,
        "fmax_mhz": mhz,
        "seed": SEED,
        "tools": {tool.name: tools.version(tool) for tool in tools.of_family(device.family)},
    }


def results() -> Rows:
    """What is known."""
    wanted = ((matrix.name, part) for matrix in MATRICES for part in BOARDS)
    return Rows(RESULTS, ("matrix", "part"), wanted)


def table(rows: Sequence[Row]) -> str:
    """LUTs and clock of each matrix on each part."""
    found = {(row["matrix"], row["part"]): row for row in rows}
    header = ["inputs x neurons", "LUT, as estimated", *(f"{part}: LUT, per MAC, MHz" for part in BOARDS)]
    lines = []
    for matrix in MATRICES:
        cells, estimate = [], "-"
        for part in BOARDS:
            row = found.get((matrix.name, part))
            cells.append("-")
            if row:
                cells[-1] = f"{row['lut4']:,}, **{row['lut4'] / row['weights']:.2f}**, {row['fmax_mhz']:.0f}"
                estimate = f"{row['estimate']:,}"
        lines.append([matrix.name, estimate, *cells])
    return f"{markdown(header, lines)}\n{made_with(rows)}"


def add_options(parser: argparse.ArgumentParser) -> None:
    add_again(parser)
    add_only(parser, "matrices and parts")


def run(options: argparse.Namespace) -> int:
    rows = results()
    for matrix in MATRICES:
        for part in BOARDS:
            known = (matrix.name, part) in rows and not options.again
            if known or options.only not in f"{matrix.name} {part}" or (row := measure(matrix, part)) is None:
                continue
            print(f"{matrix.name} {part}: {row['lut4']} LUT, {row['fmax_mhz']} MHz", flush=True)
            rows.add(row)
    put(PAGE, "constants", table(rows.all))
    return 0
