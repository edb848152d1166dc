"""Whether tables are still what they were after synthesis: the cells of a part against the tables themselves.

What the tables say is written down a second time, in Verilog that knows nothing of the netlist's builder: each table a
constant that an address selects from, each sum a plain addition. Yosys maps the logic that `ConstantMatrixUnit` is made
of to the cells of a family, and its SAT solver shows for all inputs at once that both give the same.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from amaranth.back import rtlil
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from numpy.typing import NDArray

from bnnhw.arithmetic.adder_graphs import Builder, Netlist, constant_products, netlist, schedule
from bnnhw.errors import ToolError
from bnnhw.gateware.arithmetic.constant_mvu import Logic
from bnnhw.parts import PARTS
from bnnhw.toolchain import tools
from bnnhw.toolchain.flow import synthesis_steps
from proofs.case import MappedCase
from proofs.engine import Outcome

# Faults that are put into each case.
FAULTS = 12
PART_OF = {"ice40": PARTS["ice40-up5k"], "ecp5": PARTS["ecp5-85f"]}
SCRIPT = """\
read_rtlil mapped.il
{synthesis}
techmap -autoproc -map cells.v
design -stash gate
design -copy-from gate -as mapped mapped
read_verilog tables.v
{comparisons}
"""
COMPARISON = """\
design -push-copy
miter -equiv -flatten tables{k} mapped miter
hierarchy -top miter
proc
setundef -undriven -anyseq
opt -full
sat -{wanted} -prove trigger 0 miter
design -pop
"""


# What the cells are, as yosys' own models have it, which are slow to read.
CELLS = {
    "ice40": """\
module SB_LUT4(output O, input I0, I1, I2, I3);
parameter [15:0] LUT_INIT = 0;
assign O = LUT_INIT[{I3, I2, I1, I0}];
endmodule
module SB_CARRY(output CO, input I0, I1, CI);
assign CO = (I0 & I1) | ((I0 | I1) & CI);
endmodule
""",
    "ecp5": """\
module LUT4(input A, B, C, D, output Z);
parameter [15:0] INIT = 0;
assign Z = INIT[{D, C, B, A}];
endmodule
module CCU2C(input CIN, A0, B0, C0, D0, A1, B1, C1, D1, output S0, S1, COUT);
parameter [15:0] INIT0 = 0;
parameter [15:0] INIT1 = 0;
parameter INJECT1_0 = "YES";
parameter INJECT1_1 = "YES";
wire p0 = INIT0[{D0, C0, B0, A0}], p1 = INIT1[{D1, C1, B1, A1}];
wire in0 = INJECT1_0 == "YES" ? 1'b0 : CIN;
wire g0 = INJECT1_0 == "YES" ? 1'b0 : INIT0[{2'b0, B0, A0}];
wire c0 = p0 ? CIN : g0;
wire in1 = INJECT1_1 == "YES" ? 1'b0 : c0;
wire g1 = INJECT1_1 == "YES" ? 1'b0 : INIT1[{2'b0, B1, A1}];
assign S0 = p0 ^ in0;
assign S1 = p1 ^ in1;
assign COUT = p1 ? c0 : g1;
endmodule
""",
}


@dataclass(frozen=True, eq=False)
class Tables:
    """Layers of (wiring, tables), see `bnnhw.ir.nodes.Lookup`, on `inputs` bits, and what each of the last bits adds to
    the sums, (sums, M)."""

    inputs: int
    layers: tuple[tuple[NDArray[np.int64], NDArray[np.bool_]], ...]
    head: NDArray[np.int64]

    def netlist(self) -> Netlist:
        """As `LookupLayer` makes it."""
        builder = Builder(self.inputs)
        bits = [2 * k + 2 for k in range(self.inputs)]
        for wiring_, tables in self.layers:
            rows = zip(wiring_.tolist(), tables.tolist(), strict=True)
            bits = [builder.table([bits[k] for k in wires], entries) for wires, entries in rows]
        return netlist(builder, constant_products(builder, bits, self.head, [0] * len(self.head)))

    def verilog(self, name: str, width: int) -> str:
        """A module of input ``x`` and outputs ``y0``, ``y1``, .. of `width` bits."""
        sums = range(len(self.head))
        ports = ", ".join([f"input [{self.inputs - 1}:0] x", *(f"output [{width - 1}:0] y{s}" for s in sums)])
        lines, before = [f"module {name}({ports});"], "x"
        for n, (wiring_, tables) in enumerate(self.layers):
            nodes, k = wiring_.shape
            lines.append(f"wire [{nodes - 1}:0] l{n};")
            for m, (wires, table) in enumerate(zip(wiring_.tolist(), tables, strict=True)):
                entries = "".join(str(int(bit)) for bit in table[::-1])
                address = ", ".join(f"{before}[{wire}]" for wire in wires[::-1])
                lines.append(f"wire [{(1 << k) - 1}:0] t{n}_{m} = {1 << k}'b{entries};")
                lines.append(f"assign l{n}[{m}] = t{n}_{m}[{{{address}}}];")
            before = f"l{n}"
        for s, row in enumerate(self.head.tolist()):
            terms = " + ".join(
                f"({weight}) * $signed({{1'b0, {before}[{m}]}})" for m, weight in enumerate(row) if weight
            )
            lines.append(f"wire signed [31:0] s{s} = {terms or 0};")
            lines.append(f"assign y{s} = s{s}[{width - 1}:0];")
        return "\n".join([*lines, "endmodule", ""])


class Mapped(wiring.Component):
    """The logic of a netlist without its registers: input ``x``, outputs ``y0``, ``y1``, .. of `width` bits."""

    def __init__(self, made: Netlist, width: int, family: str) -> None:
        self._made, self._width, self._family = made, width, family
        sums = {f"y{s}": Out(width) for s in range(len(made.sums))}
        super().__init__({"x": In(made.inputs), **sums})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        x = Signal(self._made.inputs)
        m.d.comb += x.eq(self.x)
        logic = Logic(m, x, self._made, schedule(self._made, None), self._family)
        for s, word in enumerate(self._made.sums):
            m.d.comb += getattr(self, f"y{s}").eq(logic.word(word).as_signed())
        return m


def compare(made: Tables, said: Sequence[tuple[Tables, bool]], family: str) -> Outcome:
    """PASS if the mapped netlist of `made` is equal to each of `said` that is marked so, and differs from all others."""
    logic = made.netlist()
    width = max(len(word) for word in logic.sums)
    mapped = Mapped(logic, width, family)
    texts = [other.verilog(f"tables{k}", width) for k, (other, _) in enumerate(said)]
    comparisons = [COMPARISON.format(k=k, wanted="verify" if same else "falsify") for k, (_, same) in enumerate(said)]
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bnnhw-mapped-") as name:
        folder = Path(name)
        # With a platform, chains are of the part's own cells.
        (folder / "mapped.il").write_text(rtlil.convert(mapped, name="mapped", platform=object(), emit_src=False))
        (folder / "cells.v").write_text(CELLS[family])
        (folder / "tables.v").write_text("\n".join(texts))
        steps = "\n".join(synthesis_steps(PART_OF[family], "mapped", folder))
        script = SCRIPT.format(synthesis=steps, family=family, comparisons="\n".join(comparisons))
        (folder / "compare.ys").write_text(script)
        try:
            tools.run(tools.YOSYS, ["-q", "compare.ys"], folder)
        except ToolError as error:
            return Outcome("FAIL", str(error), time.monotonic() - started)
    return Outcome("PASS", "", time.monotonic() - started)


def random_tables(seed: int, inputs: int, sizes: Sequence[int], k: int, sums: int) -> Tables:
    """Layers of `sizes` tables of `k` inputs."""
    rng, before = np.random.default_rng(seed), inputs
    layers = []
    for nodes in sizes:
        layers.append((rng.integers(0, before, (nodes, k)), rng.integers(0, 2, (nodes, 1 << k)).astype(np.bool_)))
        before = nodes
    return Tables(inputs, tuple(layers), rng.integers(-2, 3, (sums, before)))


def faulty(tables: Tables, seed: int, count: int) -> list[tuple[Tables, bool]]:
    """Tables with a bit flipped, or with two wires of a table swapped, each with whether that makes no difference: which
    all inputs tell."""
    rng = np.random.default_rng(seed)
    words = np.arange(1 << tables.inputs)[:, None] >> np.arange(tables.inputs) & 1 == 1
    expected = tables.netlist().evaluate(words)
    found = []
    for n in range(count):
        layers = [(wiring.copy(), entries.copy()) for wiring, entries in tables.layers]
        wiring, entries = layers[int(rng.integers(len(layers)))]
        m, k = int(rng.integers(len(wiring))), wiring.shape[1]
        if n % 2:
            i, j = rng.choice(k, 2, replace=False)
            wiring[m, [i, j]] = wiring[m, [j, i]]
        else:
            entries[m, rng.integers(1 << k)] ^= True
        made = replace(tables, layers=tuple(layers))
        found.append((made, bool((made.netlist().evaluate(words) == expected).all())))
    return found


def mapped(
    family: str, seed: int, inputs: int, sizes: Sequence[int], k: int, sums: int, fast: bool = False
) -> MappedCase:
    """Case of layers of tables with sums behind them."""
    tables = random_tables(seed, inputs, sizes, k, sums)
    return MappedCase(
        "ConstantMatrixUnit of tables",
        f"{inputs} bits, {' and '.join(map(str, sizes))} tables of {k} inputs, {sums} sums, {family}",
        lambda: compare(tables, [(tables, True)], family),
        lambda: compare(tables, faulty(tables, seed, FAULTS), family),
        fast,
    )


CASES = [
    mapped(family, *case)
    for family in PART_OF
    for case in (
        (1, 10, (12, 9), 4, 3, True),
        (2, 12, (30, 20), 4, 4),
        (3, 10, (8, 6), 6, 2),
        (4, 9, (40, 40, 20), 2, 3),
    )
]
