"""Popcounts, PEs and small matrix-vector units alone, synthesised and routed as in a design.

Writes ``benchmarks/units.json`` after each unit, so that an interrupted run goes on where it stopped, and the table of
docs/units.md. A unit's inputs come from registers and its outputs go to some, so that the frequency is that of its own
paths; these registers, which are shift registers, as no part has that many pins, are not counted in its LUTs.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from amaranth.back import rtlil
from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring

from benchmarks.commands import add_again, add_only
from benchmarks.pages import ROOT, markdown, put
from benchmarks.rows import Row, Rows
from bnnhw.arithmetic.formats import DataType
from bnnhw.dataflow.layers.scaled import scale_contents, scale_unit, stand_in
from bnnhw.dataflow.layers.thresholded import threshold_contents, threshold_units
from bnnhw.gateware.arithmetic.adder_chain import BIT, MATCH
from bnnhw.gateware.arithmetic.mvu import MatrixVectorUnit
from bnnhw.gateware.arithmetic.pe import PE
from bnnhw.gateware.arithmetic.popcount import Popcount
from bnnhw.generate.circuits import circuit
from bnnhw.ir.nodes import Threshold
from bnnhw.toolchain import flow, tools
from bnnhw.toolchain.boards import find_board

RESULTS = ROOT / "benchmarks" / "units.json"
PAGE = "docs/units.md"
BOARDS = {"up5k": "icebreaker", "hx8k": "ice40-hx8k-b-evn", "ecp5-85f": "ulx3s-85f"}
SEED = 1
LEVELS = 2  # as plans have it
ACCUMULATOR = 12
LANES = 64
PAIRS = (
    ("bipolar", "bipolar"),
    ("ternary", "bipolar"),
    ("ternary", "ternary"),
    ("bipolar", "ternary"),
    ("uint2", "bipolar"),
    ("uint4", "bipolar"),
)


class Framed(wiring.Component):  # type: ignore[misc]
    """A unit between shift registers for `inputs` and `outputs`; `direct` inputs have a pin and a register each."""

    def __init__(self, unit: Any, inputs: Sequence[Any], outputs: Sequence[Any], direct: Sequence[Any]) -> None:
        self._unit = unit
        self._inputs, self._outputs, self._direct = inputs, outputs, direct
        bits = sum(len(Value.cast(port)) for port in direct)
        super().__init__(
            {"i": wiring.In(1), "load": wiring.In(1), "direct": wiring.In(max(1, bits)), "o": wiring.Out(1)}
        )

    def registers(self, family: str) -> int:
        """Logic cells of the registers: on iCE40 each has one; on ECP5 those that load one have a LUT."""
        loaded = sum(len(Value.cast(port)) for port in self._outputs)
        if family == "ecp5":
            return loaded
        return loaded + 1 + sum(len(Value.cast(port)) for port in (*self._inputs, *self._direct))

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.unit = self._unit
        inputs = Cat(*(Value.cast(port) for port in self._inputs))
        shifted = Signal(len(inputs), reset_less=True)
        m.d.sync += shifted.eq(Cat(self.i, shifted[:-1]))
        m.d.comb += inputs.eq(shifted)
        at = 0
        for port in map(Value.cast, self._direct):
            held = Signal(len(port), reset_less=True)
            m.d.sync += held.eq(self.direct[at : at + len(port)])
            m.d.comb += port.eq(held)
            at += len(port)
        load = Signal(reset_less=True)
        m.d.sync += load.eq(self.load)
        outputs = Cat(*(Value.cast(port) for port in self._outputs))
        taken = Signal(len(outputs), reset_less=True)
        m.d.sync += taken.eq(Mux(load, outputs, Cat(0, taken[:-1])))
        m.d.comb += self.o.eq(taken[-1])
        return m


def popcount(width: int, kind: Any, family: str) -> Framed:
    unit = Popcount(width, kind, levels=LEVELS, family=family)
    return Framed(unit, [unit.i], [unit.o], [unit.en])


def pe(x: str, w: str, family: str, *, lanes: int = LANES, width: int = ACCUMULATOR) -> Framed:
    divisor = 2 if x == "bipolar" else 1
    formats = DataType.parse(x), DataType.parse(w)
    unit = PE(lanes, *formats, width=width, divisor=divisor, levels=LEVELS, family=family)
    shared = [unit.shared] if hasattr(unit, "shared") else []
    return Framed(unit, [unit.x, unit.w, unit.bias, *shared], [unit.total], [unit.valid, unit.first, unit.en])


def mvu(
    x: str, w: str, pe: int, simd: int, sf: int, nf: int, family: str, *, groups: int = 1, width: int = ACCUMULATOR
) -> Framed:
    """PEs with their words in block RAM."""
    source = random.Random(1)
    formats, most = (DataType.parse(x), DataType.parse(w)), min(200, 1 << (width - 2))
    unit = MatrixVectorUnit(
        pe=pe,
        simd=simd,
        sf=sf,
        nf=nf,
        input_dtype=formats[0],
        weight_dtype=formats[1],
        weights=[source.getrandbits(pe * simd * formats[1].bits) for _ in range(nf * sf)],
        biases=[[source.randrange(-most, most) for _ in range(pe)] for _ in range(nf)],
        width=width,
        divisor=2 if x == "bipolar" else 1,
        levels=LEVELS,
        groups=groups,
        family=family,
    )
    return Framed(unit, [unit.i.payload], [unit.o.payload, unit.o.valid, unit.i.ready], [unit.i.valid, unit.o.ready])


def quantiser(family: str, *, multiplier: str | None = None) -> Framed:
    """Sums of 16 bits and four channels to 8-bit codes, one a beat: thresholds, or a scale unit with a `multiplier`."""
    channels, width, count, given = 4, 16, 255, DataType("uint", 8)
    source = np.random.default_rng(1)
    ends = np.stack([np.full(channels, -(1 << 15)), np.full(channels, (1 << 15) - 1)])
    slopes, offsets = source.uniform(0.006, 0.012, channels), source.uniform(90, 160, channels)
    cuts = np.ceil((np.arange(1, count + 1) - 0.5 - offsets[:, None]) / slopes[:, None]).astype(np.int64)
    node = Threshold(
        name="", inputs=(), output="", thresholds=np.clip(cuts, *ends[:, :1]), offset=0, step=1, dtype=given
    )
    built: Any
    if multiplier is None:
        relative = node.thresholds - node.thresholds[:, :1]
        ((name, counted),) = threshold_units(node, given, pe=1, nf=channels, width=width + 1, vectors=1, memory="lut")
        built = circuit(counted, threshold_contents(node, relative, given, pe=1, nf=channels)[name])
    else:
        scale = stand_in(node, node.thresholds, *ends, np.ones(channels, np.int64))
        assert scale is not None
        x = DataType("int", width)
        made = scale_unit(scale, x, given, pe=1, nf=channels, vectors=1, memory="lut", multiplier=multiplier)
        built = circuit(made, scale_contents(scale, pe=1, nf=channels))
    outputs = [built.o.payload, built.o.valid, built.i.ready]
    return Framed(built, [built.i.payload], outputs, [built.i.valid, built.o.ready])


# Name -> lanes (of all PEs together), and what makes the unit for a family.
UNITS: dict[str, tuple[int, Callable[[str], Framed]]] = {
    **{f"popcount of {n} bits": (n, partial(popcount, n, BIT)) for n in (16, 64, 256)},
    **{f"popcount of {n} matches": (n, partial(popcount, n, MATCH)) for n in (16, 64, 256)},
    **{f"PE {x} x {w}": (LANES, partial(pe, x, w)) for x, w in PAIRS},
    "PE uint8 x int8": (8, partial(pe, "uint8", "int8", lanes=8, width=24)),
    **{f"8 PE {x} x {w} and their weights": (8 * 32, partial(mvu, x, w, 8, 32, 4, 4)) for x, w in PAIRS[:2]},
    # Of 144 cycles per pixel, and of 256: the matrix in 144 needs more block RAMs than the UP5K has.
    "depthwise 3x3 of 64 channels": (4, partial(mvu, "bipolar", "bipolar", 4, 1, 9, 16, groups=4, width=5)),
    "the same as a full matrix": (8 * 18, partial(mvu, "bipolar", "ternary", 8, 18, 32, 8, width=5)),
    "255 thresholds of 4 channels": (1, quantiser),
    "scale unit of the same codes": (1, partial(quantiser, multiplier="hard")),
    "scale unit of adders": (1, partial(quantiser, multiplier="lut")),
}


def measure(name: str, part: str) -> Row:
    """LUTs and highest frequency of a unit."""
    family = find_board(BOARDS[part]).device.family
    lanes, make = UNITS[name]
    used, mhz = routed(make(family), BOARDS[part])
    return {
        "unit": name,
        "part": part,
        "lanes": lanes,
        "lut4": used,
        "lut4_per_lane": round(used / lanes, 3),
        "fmax_mhz": mhz,
        "seed": SEED,
        "tools": {tool.name: tools.version(tool) for tool in tools.of_family(family)},
    }


def routed(framed: Framed, name: str) -> tuple[int, float]:
    """LUTs of a unit without the registers around it, and its highest frequency in MHz, on the board of that name."""
    board = find_board(name)
    family = board.device.family
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        top = rtlil.convert(framed, name="top", platform=board.platform(), emit_src=False)
        (folder / "top.il").write_text(top)
        flow.synthesize(board, folder)
        free = {"ice40": "--pcf-allow-unconstrained", "ecp5": "--lpf-allow-unconstrained"}[family]
        files = ["--json", flow.NETLIST, "--report", flow.ROUTE_REPORT]
        arguments = ["-q", *board.nextpnr, free, *files, "--seed", str(SEED), "--timing-allow-fail"]
        tools.run(tools.NEXTPNR[family], arguments, folder)
        report = flow.read_json(folder / flow.ROUTE_REPORT)
    cells = report["utilization"]["TRELLIS_COMB" if family == "ecp5" else "ICESTORM_LC"]["used"]
    return cells - framed.registers(family), round(min(clock["achieved"] for clock in report["fmax"].values()), 1)


def results() -> Rows:
    """What is known."""
    return Rows(RESULTS, ("unit", "part"), ((name, part) for part in BOARDS for name in UNITS))


def table(rows: Sequence[Row]) -> str:
    """LUTs and clock of each unit on each part."""
    found = {(row["unit"], row["part"]): row for row in rows}
    header = ["unit", *(f"{part}: LUT, per lane, MHz" for part in BOARDS)]
    lines = []
    for name in UNITS:
        cells = []
        for part in BOARDS:
            row = found.get((name, part))
            cells.append(f"{row['lut4']}, **{row['lut4_per_lane']:.2f}**, {row['fmax_mhz']:.0f}" if row else "-")
        lines.append([name, *cells])
    return f"{markdown(header, lines)}\n{made_with(rows)}"


def made_with(rows: Sequence[Row]) -> str:
    """Seed and versions, a line below a table."""
    return f"Seed {SEED}; {', '.join(sorted({version for row in rows for version in row['tools'].values()}))}.\n"


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="units at a time (default: %(default)s)")
    add_again(parser)
    add_only(parser, "units and parts")


def run(options: argparse.Namespace) -> int:
    rows = results()
    wanted = [
        (name, part)
        for part in BOARDS
        for name in UNITS
        if options.only in f"{name} {part}" and (options.again or (name, part) not in rows)
    ]
    with ThreadPoolExecutor(options.jobs) as pool:
        for row in pool.map(lambda key: measure(*key), wanted):
            print(f"{row['unit']} on {row['part']}: {row['lut4']} LUT, {row['fmax_mhz']} MHz", flush=True)
            rows.add(row)
    put(PAGE, "units", table(rows.all))
    return 0
