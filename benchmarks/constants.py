"""Measures matrices folded into logic, synthesised and routed as in a design.

    python -m benchmarks.constants [--again] [--only TEXT]

Writes ``benchmarks/constants.json`` after each, so that an interrupted run goes on where it stopped, and the page
docs/constants.md. A unit stands between registers that are not counted, as in `benchmarks.units`; its own control, its
pipeline and the control of its FIFO, which lies in block RAM, are.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.entries import ROOT
from benchmarks.tables import markdown
from benchmarks.units import BOARDS, SEED, Framed, routed
from bnnhw.arithmetic.adder_graphs import Netlist, multiply_constant_matrix, schedule
from bnnhw.arithmetic.formats import BIPOLAR
from bnnhw.files import write_text
from bnnhw.gateware.arithmetic.constant_mvu import ConstantMatrixUnit
from bnnhw.parts import PARTS
from bnnhw.toolchain import tools
from bnnhw.toolchain.boards import find_board

RESULTS = ROOT / "benchmarks" / "constants.json"
PAGE = ROOT / "docs" / "constants.md"
TEXT = ROOT / "benchmarks" / "constants.md"
LEVELS = {"ice40": 2, "ecp5": 3}
FILL = 0.8  # of a part's LUTs; what takes more is not routed


@dataclass(frozen=True)
class Matrix:
    """A random matrix: so many inputs and neurons, and the share of its weights that is zero."""

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


def measure(matrix: Matrix, part: str) -> dict[str, Any] | None:
    """LUTs and highest frequency, or None where it does not fit."""
    device = PARTS[find_board(BOARDS[part]).part]
    netlist = matrix.netlist()
    if netlist.luts > FILL * device.lut4:
        return None
    levels = LEVELS[device.family]
    unit = ConstantMatrixUnit(netlist, BIPOLAR, width=1, levels=levels, kind="block", family=device.family)
    streams = [unit.i.payload], [unit.o.payload.data, unit.o.valid, unit.i.ready], [unit.i.valid, unit.o.ready]
    used, mhz = routed(Framed(unit, *streams), part)
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


def page(rows: Sequence[Mapping[str, Any]]) -> str:
    """The page: a text, and the table behind it."""
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
    versions = sorted({version for row in rows for version in row["tools"].values()})
    return f"{TEXT.read_text()}\n{markdown(header, lines)}\nSeed {SEED}; {', '.join(versions)}.\n"


def main() -> None:
    summary = (__doc__ or "").split("\n")[0]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.constants", description=summary)
    parser.add_argument("--again", action="store_true", help="measure what is measured already, too")
    parser.add_argument("--only", default="", metavar="TEXT", help="matrices whose name or part holds this text")
    options = parser.parse_args()
    rows = json.loads(RESULTS.read_text()) if RESULTS.is_file() else []
    known = {(row["matrix"], row["part"]): row for row in rows}
    for matrix in MATRICES:
        for part in BOARDS:
            key = matrix.name, part
            if options.only not in f"{matrix.name} {part}" or (key in known and not options.again):
                continue
            if (row := measure(matrix, part)) is not None:
                print(f"{matrix.name} {part}: {row['lut4']} LUT, {row['fmax_mhz']} MHz", flush=True)
                known[key] = row
                write_text(RESULTS, json.dumps(list(known.values()), indent=1) + "\n")
    write_text(PAGE, page(list(known.values())))


if __name__ == "__main__":
    main()
